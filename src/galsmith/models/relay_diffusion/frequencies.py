"""Images <-> half-whitened cosine coefficients of decorrelated colors: what noise is added to.

White noise in pixels asks for as many noise levels as the deviations of an image's frequencies span: those of EFIGI's
pictures, color differences of the finest scales included, span four decades. Each coefficient is therefore divided by the
square root of its deviation, between no and full whitening, which halves the decades and keeps the coarse scales ahead.
"""

import torch

from galsmith.errors import InputError
from galsmith.models.layers.cosines import SMALLEST_SHARE, cosine_matrix
from galsmith.models.protocols import TrainingBatches

COLOR_SCALES = (0.05, 0.2)
"""Frequencies along either axis whose bands are decorrelated, as shares of the side: above the frame, below the noise."""


class HalfWhitened(torch.nn.Module):
    """Maps images to values and back, linearly and without loss.

    Parameters
    ----------
    n_bands, size_pix : int
        Of the images.

    Attributes
    ----------
    mean : Tensor [band, v, u], float32
        Cosine coefficients of the mean image.
    colors : Tensor [color, band], float32
        Orthonormal mixtures of bands, the strongest first.
    deviations : Tensor [color, v, u], float32
        Standard deviations of the values; those of the coefficients are their squares.
    """

    mean: torch.Tensor
    colors: torch.Tensor
    deviations: torch.Tensor
    matrix: torch.Tensor

    def __init__(self, *, n_bands: int, size_pix: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_bands, size_pix, size_pix))
        self.register_buffer("colors", torch.eye(n_bands))
        self.register_buffer("deviations", torch.ones(n_bands, size_pix, size_pix))
        self.register_buffer("matrix", cosine_matrix(size_pix), persistent=False)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Map images [galaxy, band, y, x] to values [galaxy, color, v, u]."""
        coefficients = self.to_frequencies(images) - self.mean
        return _mixed(self.colors, coefficients) / self.deviations

    def decode(self, values: torch.Tensor) -> torch.Tensor:
        """Undo `encode`."""
        return self.to_places(_mixed(self.colors.T, values * self.deviations) + self.mean)

    def shown(self, values: torch.Tensor) -> torch.Tensor:
        """Bring values to images of colors about the mean, [galaxy, color, y, x], each of unit deviation over the set."""
        deviation = (
            (self.deviations**4).mean(dim=(1, 2), keepdim=True).sqrt()
        )  # coefficient = value * deviation
        return self.to_places(values * self.deviations) / deviation

    def to_frequencies(self, images: torch.Tensor) -> torch.Tensor:
        """Transform [..., y, x] to [..., v, u], linearly and without change of norm."""
        return self.matrix @ images @ self.matrix.T  # separable: along y, then along x

    def to_places(self, coefficients: torch.Tensor) -> torch.Tensor:
        """Undo `to_frequencies`."""
        return self.matrix.T @ coefficients @ self.matrix


def fit_half_whitened(
    batches: TrainingBatches, *, n_bands: int, size_pix: int, symmetric: bool
) -> HalfWhitened:
    """Fit mean, colors and deviations in one pass over all images that `batches` gives.

    Parameters
    ----------
    symmetric : bool
        Count every image in all eight orientations. Flips only change signs of coefficients, and a transposition swaps
        (v, u) with (u, v), so that no image has to be turned.

    Raises
    ------
    InputError
        If there are no images, all are equal, or a pixel is not finite.
    """
    fitted = HalfWhitened(n_bands=n_bands, size_pix=size_pix)
    total = torch.zeros(n_bands, size_pix, size_pix, dtype=torch.float64)
    products = torch.zeros(n_bands, n_bands, size_pix, size_pix, dtype=torch.float64)
    count = 0
    for batch in batches():
        coefficients = fitted.to_frequencies(batch.pixels.cpu().float()).double()
        total += coefficients.sum(dim=0)
        products += torch.einsum("gavu,gbvu->abvu", coefficients, coefficients)
        count += len(coefficients)
    mean, second = total / max(count, 1), products / max(count, 1)
    if symmetric:
        mean, second = _evened_mean(mean), 0.5 * (second + second.transpose(-1, -2))
    covariance = second - mean[:, None] * mean[None]
    if not torch.isfinite(covariance).all():
        raise InputError(
            "training images are not all finite in network space; check with galsmith info (`verify`)"
        )
    colors = _colors(covariance)
    # diagonal of C S C^T at every frequency
    variance = torch.einsum("ca,abvu,cb->cvu", colors, covariance, colors).clamp_min(0.0)
    largest = float(variance.max().sqrt())
    if largest <= SMALLEST_SHARE * float(mean.abs().max()) or largest == 0.0:
        raise InputError(
            "all training images are equal in network space; relay_diffusion has nothing to learn"
        )
    fitted.mean.copy_(mean)
    fitted.colors.copy_(colors)
    fitted.deviations.copy_(variance.sqrt().clamp_min(SMALLEST_SHARE * largest).sqrt())
    return fitted


def _evened_mean(mean: torch.Tensor) -> torch.Tensor:
    """Average coefficients [band, v, u] over the eight orientations: odd ones cancel."""
    even = (torch.arange(mean.shape[-1]) % 2 == 0).to(mean)
    return 0.5 * (mean + mean.transpose(-1, -2)) * even[:, None] * even


def _colors(covariance: torch.Tensor) -> torch.Tensor:
    """Principal mixtures [color, band] of covariances [band, band, v, u] over the scales of `COLOR_SCALES`."""
    size = covariance.shape[-1]
    first, last = (round(share * size) for share in COLOR_SCALES)
    middle = slice(max(1, first), max(2, last))
    vectors = torch.linalg.eigh(covariance[:, :, middle, middle].sum(dim=(-1, -2)))[1]
    return vectors.T.flip(0)  # eigh gives the weakest first


def _mixed(colors: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
    """Mix the bands of [galaxy, band, v, u] by rows of `colors`."""
    return (colors @ coefficients.flatten(2)).reshape(coefficients.shape)
