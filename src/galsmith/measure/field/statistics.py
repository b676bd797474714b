"""Statistics of one field: pairs of its sources against chance, and the power of its waves by wavelength."""

import math
from functools import lru_cache
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from galsmith.measure.properties.field import WAVELENGTHS_PIX

Values = NDArray[np.float64]


def share_of_near_pairs(reach_pix: float, width_pix: float, height_pix: float) -> float:
    """Chance that two points thrown into a rectangle are nearer than a reach that is not above its shorter side.

    The integral of the distances' density in a rectangle of sides a and b, whose edges are exact:
    ``P(d < r) = (pi a b r^2 - 4/3 (a + b) r^3 + r^4 / 2) / (a b)^2`` (Ghosh 1951, Bull. Calcutta Math. Soc. 43, 17).
    """
    a, b, r = width_pix, height_pix, reach_pix
    return (math.pi * a * b * r**2 - 4 / 3 * (a + b) * r**3 + r**4 / 2) / (a * b) ** 2


@numba.njit(cache=True, nogil=True)
def count_near_pairs(x: Any, y: Any, reaches: Any) -> Any:
    """Count the pairs of points nearer than each reach.

    Parameters
    ----------
    x, y : ndarray [source], float64
        Positions, in pixels.
    reaches : ndarray [reach], float64
        In pixels, ascending.

    Returns
    -------
    ndarray [reach], int64
    """
    counts = np.zeros(len(reaches), dtype=np.int64)
    for one in range(len(x)):
        for other in range(one):
            distance = math.sqrt((x[one] - x[other]) ** 2 + (y[one] - y[other]) ** 2)
            for place in range(len(reaches) - 1, -1, -1):
                if distance >= reaches[place]:
                    break
                counts[place] += 1
    return counts


def pair_excess(x: Values, y: Values, reaches: Values, shape: tuple[int, int]) -> Values:
    """Pairs nearer than each reach over those expected of as many points thrown at random into the frame.

    Parameters
    ----------
    x, y : ndarray [source], float64
        Positions, in pixels.
    reaches : ndarray [reach], float64
        In pixels, ascending.
    shape : tuple of int
        Height and width of the frame, in pixels.

    Returns
    -------
    ndarray [reach], float64
        1 + the mean correlation within the reach (Peebles 1980, section 45); NaN of fewer than two points, and
        where a reach is longer than the frame's shorter side.
    """
    height, width = shape
    excess = np.full(len(reaches), np.nan)
    fits = reaches <= min(shape)
    if len(x) > 1:
        expected = [share_of_near_pairs(reach, width, height) for reach in reaches[fits]]
        n_pairs = len(x) * (len(x) - 1) / 2
        excess[fits] = count_near_pairs(x, y, reaches)[fits] / (n_pairs * np.array(expected))
    return excess


@lru_cache(maxsize=4)
def _bands_of_cells(height: int, width: int) -> tuple[NDArray[np.int64], Values, Values]:
    """Band of power of each cell of the half spectrum, what it stands for, and how many cells a band has."""
    frequency = np.hypot(fft.fftfreq(height)[:, np.newaxis], fft.rfftfreq(width))
    # a wave in the corner of the plane is shorter than 2 px: it belongs to the first band, as the frequency 0 to none
    edges = [1 / shortest for shortest in WAVELENGTHS_PIX[:0:-1]]
    band = len(WAVELENGTHS_PIX) - 1 - np.searchsorted(edges, frequency, side="left")
    band[0, 0] = len(WAVELENGTHS_PIX)
    # a real image's spectrum is symmetric: all columns but the first, and the last of an even width, stand for two
    weight = np.full(frequency.shape, 2.0)
    weight[:, 0] = 1.0
    if width % 2 == 0:
        weight[:, -1] = 1.0
    counts = np.bincount(band.ravel(), weights=weight.ravel(), minlength=len(WAVELENGTHS_PIX) + 1)
    return band.ravel().astype(np.int64), weight.ravel(), counts.astype(np.float64)


def log_power_by_wavelength(field: NDArray[Any]) -> Values:
    """Mean power of a field's waves, by bands of wavelength that are the same for all sizes.

    Parameters
    ----------
    field : ndarray [y, x]
        Any unit.

    Returns
    -------
    ndarray [band], float64
        log10 of the mean of ``|F|^2 / N`` over the cells of each band of `WAVELENGTHS_PIX`, in dex of the unit squared.
        Summed with the number of cells it is N times the variance (Parseval). NaN without power, or without a cell.
    """
    pixels = np.asarray(field, dtype=np.float32)
    amplitude = fft.rfft2(pixels - pixels.mean(dtype=np.float64).astype(np.float32))
    power = (amplitude.real**2 + amplitude.imag**2).ravel()
    band, weight, counts = _bands_of_cells(*pixels.shape)
    sums = np.bincount(band, weights=power * weight, minlength=len(counts))[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = sums / counts[:-1] / pixels.size
    return np.log10(mean, out=np.full(len(mean), np.nan), where=mean > 0)
