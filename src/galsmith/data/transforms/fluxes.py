"""Summed fluxes as scalars: their logarithm, or asinh magnitudes in a band whose fluxes are not all above the noise."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# sqrt(2.5 log10 e), the softening in units of the noise at which asinh magnitudes differ least from usual ones where these
# are good and scatter least where they are not (Lupton, Gunn & Szalay 1999)
SOFTENING_PER_SIGMA = math.sqrt(2.5 * math.log10(math.e))
SIGMA_PER_MEDIAN = 1.4826  # of the absolute deviation, where the law is normal
LEAST_SHARE = 1e-3  # of the typical flux, in images without noise
FLUX_FLOOR = 1e-30

Values = NDArray[np.float64]


def log_of_fluxes(fluxes: ArrayLike, softening: ArrayLike) -> Values:
    """Bring fluxes to a scale that is logarithmic far above the noise.

    ``ln F`` where `softening` is 0; elsewhere ``asinh(F / 2b) + ln b``, the asinh magnitude of Lupton, Gunn & Szalay
    (1999, AJ 118, 1406) in natural logarithms, which is ``ln F`` for ``F >> b``, and linear about zero.

    Parameters
    ----------
    fluxes : array_like [..., band]
        In any unit; positive where `softening` is 0.
    softening : array_like [band]
        b, in the same unit.
    """
    b = np.asarray(softening, dtype=np.float64)
    is_soft = b > 0
    safe = np.where(is_soft, b, 1.0)
    positive = np.where(is_soft, 1.0, fluxes)
    return np.where(is_soft, np.arcsinh(np.asarray(fluxes) / (2 * safe)) + np.log(safe), np.log(positive))


def fluxes_of_log(values: ArrayLike, softening: ArrayLike) -> Values:
    """Undo `log_of_fluxes`."""
    b = np.asarray(softening, dtype=np.float64)
    is_soft = b > 0
    safe = np.where(is_soft, b, 1.0)
    soft = 2 * safe * np.sinh(np.where(is_soft, values, 0.0) - np.log(safe))
    return np.where(is_soft, soft, np.exp(np.where(is_soft, 0.0, values)))


def fit_flux_softening(fluxes: Values, sigmas: Values) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Choose for each band between the logarithm of flux and an asinh magnitude.

    A band in which no flux is below its own noise keeps the logarithm. Elsewhere the softening is 1.04 times the noise of
    a galaxy's summed flux: that of its pixels, or, where the sky varies more than the pixels do, that of the fluxes
    below zero, which noise alone has put there.

    Parameters
    ----------
    fluxes, sigmas : ndarray [galaxy, band], float64
        Summed fluxes of the training split, and their noise; see `FittingSample`.

    Returns
    -------
    softening : tuple of float
        One a band, in the unit of flux; 0 for the logarithm.
    faint : tuple of int
        How many galaxies of each band are below the noise.
    """
    found = [_softening(*band) for band in zip(fluxes.T, sigmas.T, strict=True)]
    softening, faint = zip(*found, strict=True)
    return softening, faint


def border_sigma(images: NDArray[np.floating]) -> Values:
    """Noise of a pixel from the scatter of second differences along the first and last rows, [band] float64.

    Smooth light of a galaxy has next to no second differences; those of white noise scatter by sqrt(6) sigma.

    Parameters
    ----------
    images : ndarray [galaxy, band, y, x]
        Each with three columns at least.
    """
    border = np.concatenate([images[:, :, 0, :], images[:, :, -1, :]], axis=-1)
    second = border[..., :-2] - 2 * border[..., 1:-1] + border[..., 2:]
    sigma: Values = SIGMA_PER_MEDIAN * np.median(np.abs(second), axis=(0, 2)) / np.sqrt(6.0)
    return sigma


def _softening(fluxes: Values, sigmas: Values) -> tuple[float, int]:
    """Softening of one band, from fluxes and their noise [galaxy]; and how many are below the noise."""
    is_faint = (fluxes <= sigmas) | (fluxes <= FLUX_FLOOR)
    if not is_faint.any():
        return 0.0, 0
    below = np.abs(fluxes[fluxes < 0])
    sigma = max(float(np.median(sigmas)), SIGMA_PER_MEDIAN * float(np.median(below)) if below.size else 0.0)
    least = max(LEAST_SHARE * float(np.median(np.abs(fluxes))), FLUX_FLOOR)
    return max(SOFTENING_PER_SIGMA * sigma, least), int(is_faint.sum())


@dataclass(frozen=True)
class FluxEncoding:
    """Flux of a band that may be zero or below, or its AB magnitude, <-> standardized scalars; both ways undo each other.

    Attributes
    ----------
    name, unit : str
        Of the column.
    mean, scale : float
        Of the training set's `log_of_fluxes`.
    softening : float
        Of the band, above 0.
    zero_point_mag : float or None
        Values are AB magnitudes with this zero point; infinite for galaxies without flux. None for fluxes.
    """

    name: str
    unit: str
    mean: float
    scale: float
    softening: float
    zero_point_mag: float | None = None
    is_log: bool = False
    is_whole: bool = False

    def forward(self, values: Values) -> Values:
        """Standardize values of any shape."""
        fluxes = values if self.zero_point_mag is None else 10 ** (-0.4 * (values - self.zero_point_mag))
        return (log_of_fluxes(fluxes, self.softening) - self.mean) / self.scale

    def inverse(self, scalars: Values) -> Values:
        """Undo `forward`."""
        fluxes = fluxes_of_log(scalars * self.scale + self.mean, self.softening)
        if self.zero_point_mag is None:
            return fluxes
        return self.zero_point_mag - 2.5 * np.log10(np.maximum(fluxes, 0.0))
