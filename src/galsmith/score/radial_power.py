"""Power of an image in rings of frequency, of several stretches of it, and its histogram: what `spectrum` looks at."""

from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from galsmith.score.method import Floats

N_RINGS, N_LEVELS = 60, 256
LEAST_POWER = (
    1e-3  # of a pixel of the transform, far below that of one display level: keeps logarithms finite
)
ABOVE_MEDIAN = 5.0  # display levels from which on a pixel counts as light
STRETCHES = ("linear", "root", "light", "windowed")
N_TAILS = 40


@dataclass(frozen=True)
class Rings:
    """Which ring each frequency of a transform lies in.

    Attributes
    ----------
    ring : ndarray [frequency y, frequency x], int16
        -1 for the mean, and for what lies beyond the last ring.
    weights : ndarray [frequency x], float64
        How often a frequency of the half plane stands in the whole one: a real image has its power twice.
    counts : ndarray [ring], float64
        Frequencies in each, of the whole plane.
    edges : ndarray [ring + 1], float64
        In cycles a field, ascending; a ring holds its lower end.
    """

    ring: NDArray[np.int16]
    weights: Floats
    counts: Floats
    edges: Floats


@lru_cache(maxsize=8)
def rings_of(side_pix: int) -> Rings:
    """Divide the frequencies of square images into rings of equal width in the logarithm, of one cycle at the least."""
    # the corner of the plane: a half cycle a pixel along both axes
    farthest = side_pix / np.sqrt(2)
    edges = np.unique(np.round(np.geomspace(1, farthest + 1, N_RINGS + 1)))
    along_y = np.rint(np.fft.fftfreq(side_pix, 1 / side_pix)).astype(np.int64)
    along_x = np.arange(side_pix // 2 + 1)
    # squares of whole numbers, so that no frequency falls to either side of an edge by rounding
    squares = along_y[:, None] ** 2 + along_x[None, :] ** 2
    ring = np.searchsorted(edges**2, squares, side="right") - 1
    ring[ring >= len(edges) - 1] = -1
    # the axis of symmetry stands once
    weights = np.full(side_pix // 2 + 1, 2.0)
    weights[0] = 1.0
    if side_pix % 2 == 0:
        weights[-1] = 1.0
    inside = ring >= 0
    found = np.bincount(ring[inside], np.broadcast_to(weights, ring.shape)[inside], len(edges) - 1)
    return Rings(ring.astype(np.int16), weights, found.astype(np.float64), edges.astype(np.float64))


@lru_cache(maxsize=8)
def _window(side_pix: int) -> NDArray[np.float32]:
    """Hann's window in both directions, the same from either end."""
    along = np.sin(np.pi * (np.arange(side_pix) + 0.5) / side_pix) ** 2
    return np.outer(along, along).astype(np.float32)


def ring_power(image: NDArray[np.float32]) -> Floats:
    """Mean power in each ring, as a decimal logarithm.

    Parameters
    ----------
    image : ndarray [y, x], float32
        Square.

    Returns
    -------
    ndarray [ring], float64
    """
    rings = rings_of(len(image))
    transform = scipy.fft.rfft2(image, workers=1)
    sums = np.zeros(len(rings.counts))
    _sum_rings(transform, rings.ring, rings.weights, sums)
    power: Floats = np.log10(sums / rings.counts + LEAST_POWER)
    return power


def tail_levels() -> NDArray[np.int64]:
    """Levels of which the share of brighter pixels is a feature: 1 to 255, nearly even in the logarithm."""
    return np.unique(np.round(np.geomspace(1, N_LEVELS - 1, N_TAILS))).astype(np.int64)


def power_and_histogram(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Features of one field: power in rings of four stretches, shares of pixels above levels, and the histogram.

    The stretches: the image itself; its root, in which bright sources count less; the pixels that are brighter than the
    median by five levels as ones, which is where sources are, whatever their flux; and the image under Hann's window,
    without what its borders add.

    Parameters
    ----------
    image : ndarray [y, x], float32
        Square, 0 to 255.

    Returns
    -------
    ndarray [feature], float32
        `STRETCHES` x rings of ``log10`` power, ``log10`` shares of pixels at least as bright as `tail_levels`, and the
        256 shares of pixels of each level.
    """
    levels = np.clip(np.rint(image), 0, N_LEVELS - 1).astype(np.uint8)
    shares = np.bincount(levels.ravel(), minlength=N_LEVELS) / levels.size
    brighter = np.cumsum(shares[::-1])[::-1]
    median = float(np.searchsorted(np.cumsum(shares), 0.5))
    looks = (
        image,
        np.sqrt(np.maximum(image, 0)),
        (image > median + ABOVE_MEDIAN).astype(np.float32),
        (image - image.mean(dtype=np.float64).astype(np.float32)) * _window(len(image)),
    )
    power = [ring_power(one) for one in looks]
    tails = np.log10(brighter[tail_levels()] + 0.1 / levels.size)
    return np.concatenate([*power, tails, shares]).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _sum_rings(
    transform: NDArray[np.complex64], ring: NDArray[np.int16], weights: Floats, sums: Floats
) -> None:
    """Sum the power of half a plane ring by ring."""
    height, width = transform.shape
    for y in range(height):
        for x in range(width):
            number = ring[y, x]
            if number >= 0:
                value = transform[y, x]
                sums[number] += weights[x] * (float(value.real) ** 2 + float(value.imag) ** 2)
