"""Images as spatial frequencies: an orthonormal cosine transform, and what a training set looks like in it.

Galaxies are smooth: the standard deviation of their frequencies falls by orders of magnitude from coarse to fine. In
the cosine basis (DCT-II) their covariance is nearly diagonal, an edge costs nothing as no side touches the opposite one,
and rotations and reflections only swap and sign the frequencies. A wavelet would hold only a few such numbers.
"""

import math
from collections.abc import Callable, Iterator

import torch

from galsmith.errors import InputError
from galsmith.models.layers.d4 import N_ELEMENTS, apply_d4
from galsmith.models.protocols import TrainingBatches

SMALLEST_SHARE = 1e-4
IMAGES_AT_ONCE = 64
NOT_FINITE = "training images are not all finite in network space; check with galsmith info --verify"
Encode = Callable[[torch.Tensor], torch.Tensor]


def cosine_matrix(size: int) -> torch.Tensor:
    """Orthonormal DCT-II [frequency, place], float32: the coefficients of a row x are ``cosine_matrix(n) @ x``."""
    place = torch.arange(size, dtype=torch.float64) + 0.5
    frequency = torch.arange(size, dtype=torch.float64)
    matrix = torch.cos(math.pi / size * frequency[:, None] * place) * math.sqrt(2.0 / size)
    matrix[0] *= math.sqrt(0.5)
    return matrix.float()


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
        return self.matrix @ images @ self.matrix.T

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
    variance = (squares / max(count, 1) - mean**2).clamp_min(0.0)
    if not torch.isfinite(variance).all():
        raise InputError(
            "training images are not all finite in network space; check with galsmith info --verify"
        )
    largest = float(variance.max().sqrt())
    if largest <= SMALLEST_SHARE * float(mean.abs().max()) or largest == 0.0:
        raise InputError("all training images are equal in network space; diffusion has nothing to learn")
    basis.mean.copy_(mean)
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
