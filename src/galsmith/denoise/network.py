"""`DenoisingNetwork`: what may be known of a network; `ObservedBatch`: observations as it sees them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch

from galsmith.models.protocols import Precision
from galsmith.observe.observed import Observed

NO_MAPS = ("psf", "noise_correlation")
LARGEST_IVAR = 1e30  # of images without noise: a network divides by its deviation


@dataclass(frozen=True)
class ObservedBatch:
    """Observations of one size; smaller ones are filled up, which `weight` says.

    Attributes
    ----------
    image : Tensor [galaxy, band, y, x], float32
        In the header's unit.
    variance : Tensor [galaxy, band, y, x], float32
        Of the noise; where a pixel is masked that of the band's typical pixel.
    psf : Tensor [galaxy, band, k, k], float32
        Odd side, sum 1.
    truth : Tensor [galaxy, band, y, x], float32
        Empty where it is not known.
    weight : Tensor [galaxy, band, y, x], float32
        1 where a pixel counts, 0 where it is masked or filled up.
    noise_correlation : Tensor [galaxy, k, k], float32, or None
        Of two pixels by their distance, odd side, 1 in the middle; None where pixels of all galaxies are independent.
    """

    image: torch.Tensor
    variance: torch.Tensor
    psf: torch.Tensor
    truth: torch.Tensor
    weight: torch.Tensor
    noise_correlation: torch.Tensor | None = None

    def to(self, device: torch.device) -> "ObservedBatch":
        """Move all tensors."""
        moved = {name: value.to(device) for name, value in vars(self).items() if value is not None}
        return ObservedBatch(**moved)

    def part(self, rows: slice, columns: slice) -> "ObservedBatch":
        """Cut a part out of all maps; what is no map stays."""
        cut = {
            name: value[..., rows, columns]
            for name, value in vars(self).items()
            if name not in NO_MAPS and value.numel()
        }
        return replace(self, **cut)


@dataclass(frozen=True)
class Restored:
    """What a network makes of a batch.

    Attributes
    ----------
    image : Tensor [galaxy, band, y, x], float32
        Without PSF and noise.
    sigma : Tensor [galaxy, band, y, x], float32, or None
        Its stated uncertainty.
    """

    image: torch.Tensor
    sigma: torch.Tensor | None


class DenoisingNetwork(Protocol):
    """A `torch.nn.Module` that denoises; settings and number of bands make it."""

    is_equivariant: bool
    """Whether image and noise times any number give the result times it: then it is right at any noise level."""
    precision: Precision
    """Of its residual blocks; what enters and what leaves is float32 always."""
    reads_psf: bool
    """Whether it is told the PSF; one that is not is right for that of its training alone."""

    @property
    def margin_pix(self) -> int:
        """How far a pixel of the output sees; what lies further away changes nothing.

        A part that is cut out at even places with this margin gives what the whole does.
        """

    def start(self, seed: int) -> None:
        """Draw first weights."""

    def restored(self, batch: ObservedBatch) -> Restored:
        """Denoise a batch."""

    def loss(self, batch: ObservedBatch) -> dict[str, torch.Tensor]:
        """Give what is minimized first, as ``"loss"``, and what else is worth a line in the log."""


NetworkModule = Any  # a DenoisingNetwork that is a torch.nn.Module too: Python has no name for both


@contextmanager
def in_trunk(precision: Precision, seen: torch.Tensor) -> Iterator[torch.Tensor]:
    """Compute the block in a precision, and give what enters it in that precision."""
    is_half = precision == "bfloat16"
    with torch.autocast(seen.device.type, dtype=torch.bfloat16, enabled=is_half):
        yield seen.bfloat16() if is_half else seen


def masked_mean(values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Mean over bands and pixels that count, [galaxy]; 0 where none does."""
    return (values * weight).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3)).clamp_min(1.0)


def batch_of(observations: Sequence[Observed], *, side_multiple: int = 1) -> ObservedBatch:
    """Stack observations, filled up at their ends to the largest of them.

    Parameters
    ----------
    observations : sequence of Observed
        One or more, of as many bands.
    side_multiple : int
        Heights and widths are filled up to multiples of it.
    """
    sides = np.array([one.image.shape[-2:] for one in observations])
    height, width = (int(-(-side // side_multiple) * side_multiple) for side in sides.max(axis=0))
    kernel = max(one.psf.shape[-1] for one in observations)
    n_bands = len(observations[0].image)
    shape = (len(observations), n_bands, height, width)
    image, truth, weight = (np.zeros(shape, dtype=np.float32) for _ in range(3))
    variance, psf = np.empty(shape, dtype=np.float32), np.empty((*shape[:2], kernel, kernel), np.float32)
    for row, one in enumerate(observations):
        part = (row, slice(None), slice(one.image.shape[-2]), slice(one.image.shape[-1]))
        counts = one.ivar > 0
        image[part], weight[part] = one.image, counts
        # filled up as the frame's edge is: what lies beyond has the typical noise
        typical = typical_variance(one.ivar)
        variance[row] = typical[:, np.newaxis, np.newaxis]
        ivar = np.minimum(np.where(counts, one.ivar, 1.0), LARGEST_IVAR)
        variance[part] = np.where(counts, 1.0 / ivar, typical[:, np.newaxis, np.newaxis])
        if one.truth is not None:
            truth[part] = one.truth
        psf[row] = _framed(one.psf, kernel)
    has_truth = all(one.truth is not None for one in observations)
    return ObservedBatch(
        image=torch.from_numpy(image),
        variance=torch.from_numpy(variance),
        psf=torch.from_numpy(psf),
        truth=torch.from_numpy(truth) if has_truth else torch.empty(0),
        weight=torch.from_numpy(weight),
        noise_correlation=_correlations(observations),
    )


def _correlations(observations: Sequence[Observed]) -> torch.Tensor | None:
    """Stack correlations of noise, [galaxy, k, k]; None where no observation has any."""
    stated = [one.noise_correlation for one in observations if one.noise_correlation is not None]
    if not stated:
        return None
    side = max(max(one.shape) for one in stated)
    alone = np.ones((1, 1), dtype=np.float32)
    found = [
        _framed(alone if one.noise_correlation is None else one.noise_correlation, side)
        for one in observations
    ]
    return torch.from_numpy(np.stack(found))


def _framed(image: np.ndarray, side: int) -> np.ndarray:
    """Put the middle of an image [..., y, x] of odd sides into that of a square of zeros."""
    height, width = image.shape[-2:]
    framed = np.zeros((*image.shape[:-2], side, side), dtype=np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    framed[..., top : top + height, left : left + width] = image
    return framed


def typical_variance(ivar: np.ndarray) -> np.ndarray:
    """Median over the pixels that count of the noise's variance, [band] float32; 1 in a band where none counts.

    Parameters
    ----------
    ivar : ndarray [band, y, x]
        Inverse variance, 0 where masked.
    """
    found = np.ones(len(ivar), dtype=np.float32)
    for band, values in enumerate(ivar):
        if (values > 0).any():
            found[band] = 1.0 / min(float(np.median(values[values > 0])), LARGEST_IVAR)
    return found
