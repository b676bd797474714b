"""Noise that a denoiser is trained on where signal to noise is drawn: counted light, and neighbors that share theirs."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Pixels = NDArray[np.float32]
Range = tuple[float, float]
INDEPENDENT_SHARE = 0.5  # of looks in which neighbors share nothing


class DrawnNoise(NamedTuple):
    """An image [band, y, x] float32 with noise, its inverse variance, and the correlation of pixels by their distance."""

    image: Pixels
    ivar: Pixels
    correlation: Pixels | None


def with_drawn_noise(
    mean: Pixels,
    chance: np.random.Generator,
    *,
    signal_to_noise: Range,
    brightest_variance: Range,
    largest_neighbor_weight: float,
) -> DrawnNoise:
    """Add noise to an image whose mean is known.

    Parameters
    ----------
    mean : ndarray [band, y, x], float32
        With the PSF, without noise.
    chance : Generator
        Of random numbers.
    signal_to_noise : tuple of float
        Least and largest root of the sum of mean^2 in a band over the sky's noise; drawn log-uniformly, one for all bands.
    brightest_variance : tuple of float
        Least and largest variance of the brightest pixel over that of the sky, which counted light adds; drawn
        log-uniformly. Between them the variance follows the light.
    largest_neighbor_weight : float
        As `drawn_neighbor_weight` takes it.
    """
    wanted = math.exp(chance.uniform(*np.log(signal_to_noise)))
    brightest = math.exp(chance.uniform(*np.log(brightest_variance)))
    light = np.maximum(mean, 0).astype(np.float64)
    peak = light.max(axis=(1, 2), keepdims=True)
    power = np.sqrt((mean.astype(np.float64) ** 2).sum(axis=(1, 2), keepdims=True))
    # an empty frame has no signal: any noise will do
    sigma = np.where(power > 0, power / wanted, 1.0)
    share = np.divide(light, peak, out=np.zeros_like(light), where=peak > 0)
    variance = sigma**2 * (1 + (brightest - 1) * share)
    weight = drawn_neighbor_weight(chance, largest_neighbor_weight)
    unit = chance.standard_normal(mean.shape)
    if weight > 0:
        unit = mixed_with_neighbors(unit, weight)
    noisy = mean + np.sqrt(variance) * unit
    correlation = None if weight == 0 else neighbor_correlation(weight)
    return DrawnNoise(noisy.astype(np.float32), (1 / variance).astype(np.float32), correlation)


def drawn_neighbor_weight(chance: np.random.Generator, largest: float) -> float:
    """Draw how much of its neighbors' noise a pixel has along each axis: 0 in half of the looks, else uniform below."""
    is_shared, weight = chance.random() >= INDEPENDENT_SHARE, float(chance.uniform(0, largest))
    return weight if is_shared else 0.0


def mixed_with_neighbors(unit: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """Mix independent noise [band, y, x] of variance 1 by weights (w, 1, w) along both axes, as resampling does."""
    taps = _taps(weight)
    for axis in (-2, -1):
        unit = ndimage.convolve1d(unit, taps, axis=axis, mode="wrap")
    return unit


def neighbor_correlation(weight: float) -> Pixels:
    """Correlation of noise so mixed, [5, 5] float32, 1 in the middle."""
    taps = _taps(weight)
    line = np.convolve(taps, taps)
    return np.outer(line, line).astype(np.float32)


def _taps(weight: float) -> NDArray[np.float64]:
    """Weights whose squares sum to 1, so that the variance stays."""
    taps = np.array([weight, 1.0, weight])
    return taps / math.sqrt(1 + 2 * weight**2)
