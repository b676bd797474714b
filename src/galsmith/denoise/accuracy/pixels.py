"""Errors of single pixels: squared error, reconvolved residual and its whiteness, coverage of sigma, PSNR and SSIM."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.denoise.bands import Band, Floats, Grid

LEVELS = (0.50, 0.68, 0.95)
N_RINGS = 8
# Wang et al. (2004), sec. III: constants of the stabilizing terms, and the Gaussian window
SSIM_K1, SSIM_K2, SSIM_SIGMA_PIX = 0.01, 0.03, 1.5
SSIM_REACH_PIX = 5  # of its windows of 11 pixels


@dataclass(frozen=True)
class Residual:
    """What an observation has beyond a result that the PSF is put back onto, over its noise.

    Attributes
    ----------
    pixels : ndarray [y, x], float64
        In standard deviations of each pixel's noise; 0 where masked.
    chi2 : float
        Mean square of the good ones: 1 for the truth, less where noise was fitted.
    power : ndarray [ring], float64
        Power over that of the noise in rings of frequency of equal width up to 1/2 cycle per pixel: 1 in all for the truth.
    """

    pixels: Floats
    chi2: float
    power: Floats


def reconvolved_residual(band: Band, result: Floats) -> Residual:
    """Compare a result with the data that it was made from.

    Parameters
    ----------
    band : Band
        The observation.
    result : ndarray [y, x], float64
        A scene without PSF.
    """
    grid = Grid(band)
    expected = grid.cut(grid.convolved(grid.embedded(result)))
    pixels = np.where(band.good, (band.image - expected) / np.sqrt(band.variance), 0.0)
    n_good = int(band.good.sum())
    return Residual(pixels, float((pixels**2).sum() / n_good), _ring_powers(band, pixels, n_good))


def _ring_powers(band: Band, pixels: Floats, n_good: int) -> Floats:
    """Power of a residual over that of the noise in rings, [ring] float64; NaN where a ring has no frequency."""
    grid = Grid(band, margin=0)
    power = np.abs(grid.transformed(pixels)) ** 2 / n_good * band.sigma**2 / grid.noise_power(band)
    ring = (np.hypot(*grid.frequencies()) * 2 * N_RINGS).astype(np.int64)
    inside = ring < N_RINGS
    inside[0, 0] = False  # the level is the pedestal's
    weight = np.broadcast_to(grid.doubling(), power.shape)
    counts = np.bincount(ring[inside], weight[inside], N_RINGS)
    sums = np.bincount(ring[inside], (weight * power)[inside], N_RINGS)
    return np.divide(sums, counts, out=np.full(N_RINGS, np.nan), where=counts > 0)


def covered_shares(
    result: Floats, sigma: Floats, truth: Floats, where: NDArray[np.bool_]
) -> tuple[float, ...]:
    """Shares of pixels whose truth lies within the central interval of each of `LEVELS` of a normal law.

    Parameters
    ----------
    result, sigma, truth : ndarray [y, x], float64
        Estimate, its stated standard deviation, what it is about.
    where : ndarray [y, x], bool
        Pixels that count.

    Returns
    -------
    tuple of float
        One a level; NaN where no pixel counts.
    """
    if not where.any():
        return (float("nan"),) * len(LEVELS)
    error, stated = np.abs(result - truth)[where], sigma[where]
    # to cover a share p, a normal law reaches to its quantile at (1 + p) / 2
    reaches = [NormalDist().inv_cdf((1 + level) / 2) for level in LEVELS]
    return tuple(float(np.mean(error <= reach * stated)) for reach in reaches)


def peak_signal_to_noise_db(result: Floats, truth: Floats, where: NDArray[np.bool_]) -> float:
    """10 log10 of the truth's squared range over the mean squared error, decibels."""
    error = float(np.mean((result - truth)[where] ** 2))
    span = float(np.ptp(truth[where]))
    return float(10 * np.log10(span**2 / error)) if error > 0 and span > 0 else float("nan")


def structural_similarity(result: Floats, truth: Floats) -> float:
    """Mean structural similarity within Gaussian windows (Wang et al. 2004, eq. 13), the range being the truth's.

    Parameters
    ----------
    result, truth : ndarray [y, x], float64
        Images of one size.

    Returns
    -------
    float
        NaN where the truth is constant, or no window of 11 pixels lies inside of the image.
    """
    span = float(np.ptp(truth))
    if span == 0 or min(truth.shape) <= 2 * SSIM_REACH_PIX:
        return float("nan")

    def windowed(values: Floats) -> Floats:
        return ndimage.gaussian_filter(values, SSIM_SIGMA_PIX, truncate=3.5)

    mean_1, mean_2 = windowed(result), windowed(truth)
    square_1, square_2 = windowed(result**2) - mean_1**2, windowed(truth**2) - mean_2**2
    shared = windowed(result * truth) - mean_1 * mean_2
    c1, c2 = (SSIM_K1 * span) ** 2, (SSIM_K2 * span) ** 2
    similarity = ((2 * mean_1 * mean_2 + c1) * (2 * shared + c2)) / (
        (mean_1**2 + mean_2**2 + c1) * (square_1 + square_2 + c2)
    )
    inside = slice(SSIM_REACH_PIX, -SSIM_REACH_PIX)
    return float(similarity[inside, inside].mean())
