"""What noise is added to in place of pixels: spatial frequencies, or the sub-bands of a Haar transform.

Galaxies are smooth: the standard deviation of their frequencies falls by orders of magnitude from coarse to fine. In the
cosine basis (DCT-II) their covariance is nearly diagonal, an edge costs nothing as no side touches the opposite one, and
rotations and reflections only swap and sign the frequencies. A wavelet would hold only a few such numbers.

The Haar stem makes of large images more channels of fewer pixels, without loss (Haar 1910; packets of all sub-bands). One
level maps each block of 2 x 2 pixels to its mean and its three differences, orthonormally; the next level does the same to
all four. Smooth images then have one strong channel and many weak ones, so each is brought to one deviation.
"""

from collections.abc import Callable, Iterator

import torch
from torch.nn import functional

from galsmith.errors import InputError
from galsmith.models.layers.cosines import SMALLEST_SHARE, cosine_matrix
from galsmith.models.layers.d4 import N_ELEMENTS, apply_d4
from galsmith.models.protocols import TrainingBatches

IMAGES_AT_ONCE = 64
NOT_FINITE = "training images are not all finite in network space; check with galsmith info (`verify`)"
Encode = Callable[[torch.Tensor], torch.Tensor]


class FrequencyBasis(torch.nn.Module):
    """Images <-> cosine coefficients about the training set's mean, with the coefficients' standard deviations.

    Parameters
    ----------
    n_bands, size_pix : int
        Of the images.

    Attributes
    ----------
    mean : Tensor [band, v, u], float32
        Coefficients of the mean image.
    deviations : Tensor [band, v, u], float32
        Standard deviations of the coefficients, above zero.
    """

    mean: torch.Tensor
    deviations: torch.Tensor
    matrix: torch.Tensor

    def __init__(self, *, n_bands: int, size_pix: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_bands, size_pix, size_pix))
        self.register_buffer("deviations", torch.ones(n_bands, size_pix, size_pix))
        self.register_buffer("matrix", cosine_matrix(size_pix), persistent=False)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Map images [galaxy, band, y, x] to coefficients about the mean [galaxy, band, v, u]."""
        return self.to_frequencies(images) - self.mean

    def decode(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Undo `encode`."""
        return self.to_places(coefficients + self.mean)

    def to_frequencies(self, images: torch.Tensor) -> torch.Tensor:
        """Transform [galaxy, band, y, x] to [galaxy, band, v, u], linearly and without change of norm."""
        return self.matrix @ images @ self.matrix.T  # separable: along y, then along x

    def to_places(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Undo `to_frequencies`."""
        return self.matrix.T @ coefficients @ self.matrix


def fit_frequency_basis(
    batches: TrainingBatches, *, encode: Encode, symmetric: bool, n_bands: int, size_pix: int
) -> FrequencyBasis:
    """Fit mean and standard deviations on all images that `batches` gives.

    Parameters
    ----------
    batches : TrainingBatches
        Training images.
    encode : callable
        Maps pixels [galaxy, band, y, x] to what the basis is for, [galaxy, n_bands, size_pix, size_pix].
    symmetric : bool
        Count every image in all eight orientations: then frequency (v, u) has the deviation of (u, v).
    n_bands, size_pix : int
        Of what `encode` gives.

    Raises
    ------
    InputError
        If there are no images, all are equal, or a pixel is not finite.
    """
    basis = FrequencyBasis(n_bands=n_bands, size_pix=size_pix)
    total, squares = (torch.zeros(n_bands, size_pix, size_pix, dtype=torch.float64) for _ in range(2))
    count = 0
    for pixels in oriented(batches, symmetric=symmetric):
        coefficients = basis.to_frequencies(encode(pixels)).double()
        total += coefficients.sum(dim=0)
        squares += coefficients.square().sum(dim=0)
        count += len(coefficients)
    mean = total / max(count, 1)
    variance = (squares / max(count, 1) - mean**2).clamp_min(0.0)  # float64 sums: the two terms nearly cancel
    if not torch.isfinite(variance).all():
        raise InputError(NOT_FINITE)
    largest = float(variance.max().sqrt())
    if largest <= SMALLEST_SHARE * float(mean.abs().max()) or largest == 0.0:
        raise InputError("all training images are equal in network space; diffusion has nothing to learn")
    basis.mean.copy_(mean)
    # c_skip becomes the Wiener filter of these
    basis.deviations.copy_(variance.sqrt().clamp_min(SMALLEST_SHARE * largest))
    return basis


def oriented(batches: TrainingBatches, *, symmetric: bool) -> Iterator[torch.Tensor]:
    """Go over the pixels of a training set on the CPU, in all eight orientations where it is `symmetric`.

    Gives up to 64 images at once, as those who fit need several copies in float64.
    """
    for batch in batches():
        for start in range(0, len(batch.pixels), IMAGES_AT_ONCE):
            pixels = batch.pixels[start : start + IMAGES_AT_ONCE].cpu().float()
            for element in range(N_ELEMENTS if symmetric else 1):
                yield apply_d4(pixels, torch.full((len(pixels),), element)) if symmetric else pixels


def haar(values: torch.Tensor) -> torch.Tensor:
    """Transform one level: [galaxy, channel, y, x] to [galaxy, 4 * channel, y/2, x/2], orthonormal.

    Channel 4c is the mean of channel c, then come its differences along x, along y, and along both.
    """
    # four phases of each channel stand beside one another
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
        mean[torch.arange(self.n_channels) % 4**self.n_levels > 0] = 0.0  # only sub-bands of means have one
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
    return 0.5 * torch.stack(mixed, dim=2).flatten(1, 2)  # 1/2 makes the four sums orthonormal
