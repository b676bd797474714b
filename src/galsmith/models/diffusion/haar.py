"""Haar stem: large images as more channels of fewer pixels, without loss (Haar 1910; packets of all sub-bands).

One level maps each block of 2 x 2 pixels to its mean and its three differences, orthonormally; the next level does the
same to all four. Smooth images then have one strong channel and many weak ones, so each is brought to one deviation.
"""

import torch
from torch.nn import functional

from galsmith.errors import InputError
from galsmith.models.diffusion.frequencies import NOT_FINITE, oriented
from galsmith.models.protocols import TrainingBatches

SMALLEST_SHARE = 1e-4


def haar(values: torch.Tensor) -> torch.Tensor:
    """Transform one level: [galaxy, channel, y, x] to [galaxy, 4 * channel, y/2, x/2], orthonormal.

    Channel 4c is the mean of channel c, then come its differences along x, along y, and along both.
    """
    return _mixed(functional.pixel_unshuffle(values, 2))


def inverse_haar(values: torch.Tensor) -> torch.Tensor:
    """Undo `haar`."""
    return functional.pixel_shuffle(_mixed(values), 2)


class HaarStem(torch.nn.Module):
    """Pixels <-> standardized sub-bands.

    Parameters
    ----------
    n_bands : int
        Of the images.
    n_levels : int
        Each halves the side and makes four channels of one; 0 leaves pixels as they are.

    Attributes
    ----------
    mean, scale : Tensor [channel, 1, 1], float32
        Sub-band = scale * channel + mean; only sub-bands of means have a mean.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, *, n_bands: int, n_levels: int) -> None:
        super().__init__()
        self.n_levels = n_levels
        self.n_channels = n_bands * 4**n_levels
        if n_levels:
            self.register_buffer("mean", torch.zeros(self.n_channels, 1, 1))
            self.register_buffer("scale", torch.ones(self.n_channels, 1, 1))

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, band, y, x] to [galaxy, channel, y', x']."""
        if not self.n_levels:
            return pixels
        return (self._sub_bands(pixels) - self.mean) / self.scale

    def decode(self, channels: torch.Tensor) -> torch.Tensor:
        """Undo `encode`."""
        if not self.n_levels:
            return channels
        values = channels * self.scale + self.mean
        for _ in range(self.n_levels):
            values = inverse_haar(values)
        return values

    def fit(self, batches: TrainingBatches, *, deviation: float, symmetric: bool) -> None:
        """Bring every sub-band of a training set to one standard deviation, in place.

        Parameters
        ----------
        batches : TrainingBatches
            Training images; sub-bands without light are scaled as if they had a little.
        deviation : float
            Wanted standard deviation of a channel's values.
        symmetric : bool
            Count every image in all eight orientations: differences along x and y then have one scale.

        Raises
        ------
        InputError
            If a pixel is not finite.
        """
        if not self.n_levels:
            return
        total, squares = (torch.zeros(self.n_channels, dtype=torch.float64) for _ in range(2))
        count = 0
        for pixels in oriented(batches, symmetric=symmetric):
            values = self._sub_bands(pixels).double()
            total += values.sum(dim=(0, 2, 3))
            squares += values.square().sum(dim=(0, 2, 3))
            count += values[:, 0].numel()
        mean = total / max(count, 1)
        mean[torch.arange(self.n_channels) % 4**self.n_levels > 0] = 0.0
        spread = (squares / max(count, 1) - mean**2).clamp_min(0.0).sqrt()
        if not torch.isfinite(spread).all():
            raise InputError(NOT_FINITE)
        smallest = SMALLEST_SHARE * float(spread.max())
        self.mean.copy_(mean[:, None, None])
        self.scale.copy_(spread.clamp_min(smallest if smallest > 0 else 1.0)[:, None, None] / deviation)

    def _sub_bands(self, pixels: torch.Tensor) -> torch.Tensor:
        """Transform all levels."""
        for _ in range(self.n_levels):
            pixels = haar(pixels)
        return pixels


def _mixed(values: torch.Tensor) -> torch.Tensor:
    """Mix every four channels of [galaxy, 4 * channel, y, x] orthonormally; its own inverse."""
    first, second, third, fourth = (values[:, member::4] for member in range(4))
    sums, differences = first + second, first - second
    more_sums, more_differences = third + fourth, third - fourth
    mixed = [
        sums + more_sums,
        differences + more_differences,
        sums - more_sums,
        differences - more_differences,
    ]
    return 0.5 * torch.stack(mixed, dim=2).flatten(1, 2)
