"""Convolution with a point spread function, placed as ``scipy.signal.fftconvolve(image, psf, mode="same")`` does."""

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled

_fused = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})


class PointSpread(NamedTuple):
    """A point spread function that is ready for use.

    Attributes
    ----------
    pixels : ndarray [y, x], float64
        Its values, of sum 1; 0 by 0 where there is none.
    y_center, x_center : int
        The pixel that stays in its place.
    """

    pixels: NDArray[np.float64]
    y_center: int
    x_center: int


@compiled
def point_spread(psf: NDArray[np.float64], height: int, width: int) -> PointSpread:
    """Normalize a point spread function and cut off what cannot reach from one pixel of an image to another.

    Parameters
    ----------
    psf : ndarray [y, x], float64
        Of any size, 0 by 0 for none; its center is pixel ``(size - 1) // 2`` along each axis.
    height, width : int
        Of the images to be convolved.
    """
    if psf.size == 0:
        return PointSpread(np.empty((0, 0)), 0, 0)
    total = 0.0
    for value in psf.ravel():
        total += value
    y_center, x_center = (psf.shape[0] - 1) // 2, (psf.shape[1] - 1) // 2
    y_first, x_first = max(0, y_center - height + 1), max(0, x_center - width + 1)
    y_end, x_end = min(psf.shape[0], y_center + height), min(psf.shape[1], x_center + width)
    pixels = np.empty((y_end - y_first, x_end - x_first))
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            pixels[y, x] = psf[y_first + y, x_first + x] / total
    return PointSpread(pixels, y_center - y_first, x_center - x_first)


@_fused
def convolve(image: NDArray[np.float64], spread: PointSpread) -> None:
    """Convolve an image in place, dark beyond its edges.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Is overwritten.
    spread : PointSpread
        Not empty.
    """
    height, width = image.shape
    rows, columns = spread.pixels.shape
    padded = np.zeros((height + rows - 1, width + columns - 1))
    top, left = rows - 1 - spread.y_center, columns - 1 - spread.x_center
    for y in range(height):
        for x in range(width):
            padded[top + y, left + x] = image[y, x]
            image[y, x] = 0.0
    for y in range(height):
        for j in range(rows):
            _add_shifted(padded[y + rows - 1 - j], spread.pixels[j], image[y])


@_fused
def _add_shifted(row: NDArray[np.float64], weights: NDArray[np.float64], result: NDArray[np.float64]) -> None:
    """Add a row convolved with one row of weights: four shifts at a time, then those left."""
    last = weights.size - 1
    in_fours = weights.size - weights.size % 4
    for i in range(0, in_fours, 4):
        w0, w1, w2, w3 = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        shift = last - i - 3
        for x in range(result.size):
            result[x] += (w0 * row[x + shift + 3] + w1 * row[x + shift + 2]) + (
                w2 * row[x + shift + 1] + w3 * row[x + shift]
            )
    for i in range(in_fours, weights.size):
        for x in range(result.size):
            result[x] += weights[i] * row[x + last - i]
