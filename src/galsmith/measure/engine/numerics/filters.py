"""Smoothing of images: a box and a Gaussian, with the values that SciPy's filters give."""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.numerics.brightness import pairwise_sum

TRUNCATE_SIGMA = 4.0
SMALLEST_SIGMA_PIX = 1e-15
LARGEST_SIGMA_PIX = 1e5
BLOCK_PIX = 16


@compiled
def transposed(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Copy an image with rows and columns exchanged, in blocks that stay in the cache."""
    height, width = image.shape
    result = np.empty((width, height))
    for y_start in range(0, height, BLOCK_PIX):
        for x_start in range(0, width, BLOCK_PIX):
            for y in range(y_start, min(y_start + BLOCK_PIX, height)):
                for x in range(x_start, min(x_start + BLOCK_PIX, width)):
                    result[x, y] = image[y, x]
    return result


@compiled
def mirrored_index(index: int, length: int) -> int:
    """Index on an axis that repeats itself mirrored at its ends: ... 1 0 | 0 1 2 | 2 1 ..., however far out."""
    inside = index % (2 * length)
    if inside >= length:
        inside = 2 * length - 1 - inside
    return inside


@compiled
def _uniform_columns(image: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Box filter along axis 0: a running sum down each column, divided at the end."""
    height, width = image.shape
    result = np.empty((height, width))
    running = np.zeros(width)
    # SciPy's origin 0: an even box reaches one pixel farther towards the origin
    before = size // 2
    for offset in range(size):
        entering = image[mirrored_index(offset - before, height)]
        for x in range(width):
            running[x] += entering[x]
    for x in range(width):
        # SciPy's uniform_filter1d: running sum, then divided; ties at one half depend on it
        result[0, x] = running[x] / size
    for y in range(1, height):
        entering = image[mirrored_index(y - before + size - 1, height)]
        leaving = image[mirrored_index(y - before - 1, height)]
        for x in range(width):
            # the difference is rounded first, as SciPy's C does
            running[x] += entering[x] - leaving[x]
            result[y, x] = running[x] / size
    return result


@compiled
def uniform_filter(image: NDArray[np.float64], size_pix: int) -> NDArray[np.float64]:
    """Mean over a square box around each pixel, the image mirrored at its edges.

    To the bit ``scipy.ndimage.uniform_filter`` (mode reflect): along axis 0, then 1, with running sums.
    SciPy cuts a box of 3.0 or 3.9 to 3; the caller does so with ``int``.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Any values; one that is not finite spoils the rest of its column and row.
    size_pix : int
        Side of the box; an even one is off-center by half a pixel towards the origin. 1 or less changes nothing.

    Returns
    -------
    ndarray [y, x], float64
        In the image's unit.
    """
    # SciPy skips axes whose size is 1 or less
    if size_pix <= 1 or image.size == 0:
        return image.copy()
    return transposed(_uniform_columns(transposed(_uniform_columns(image, size_pix)), size_pix))


@compiled
def gaussian_weights(sigma_pix: float) -> NDArray[np.float64]:
    """Sample a Gaussian from its middle outwards, cut at 4 sigma; the whole kernel, both sides, sums to 1."""
    # gaussian_filter1d: truncate 4, rounded
    radius = int(TRUNCATE_SIGMA * sigma_pix + 0.5)
    weights = np.empty(2 * radius + 1)
    for index in range(len(weights)):
        weights[index] = math.exp(-0.5 / (sigma_pix * sigma_pix) * (index - radius) ** 2)
    # normalized by numpy.sum, to the bit
    return weights[radius:] / pairwise_sum(weights, 0, len(weights))


@compiled
def _row_or_blank(
    image: NDArray[np.float64],
    blank: NDArray[np.float64],
    y: int,
    reflect: bool,  # noqa: FBT001 - a kernel's arguments are positional
) -> NDArray[np.float64]:
    height = image.shape[0]
    if 0 <= y < height:
        return image[y]
    return image[mirrored_index(y, height)] if reflect else blank


@compiled
def _correlate_columns(
    image: NDArray[np.float64],
    weights: NDArray[np.float64],
    reflect: bool,  # noqa: FBT001
) -> NDArray[np.float64]:
    """Symmetric kernel along axis 0, pairs of rows from the outermost inwards, as SciPy adds them."""
    height, width = image.shape
    result = np.empty((height, width))
    blank = np.zeros(width)
    outermost = len(weights) - 1
    # pairs wholly outside add 0
    if not reflect:
        outermost = min(outermost, height - 1)
    for y in range(height):
        total = result[y]
        for x in range(width):
            # SciPy's correlate1d for symmetric kernels: the middle first, then pairs from the far end
            total[x] = image[y, x] * weights[0]
        for offset in range(outermost, 0, -1):
            above = _row_or_blank(image, blank, y - offset, reflect)
            below = _row_or_blank(image, blank, y + offset, reflect)
            weight = weights[offset]
            for x in range(width):
                total[x] += (above[x] + below[x]) * weight
    return result


@compiled
def gaussian_filter(
    image: NDArray[np.float64],
    sigma_pix: float,
    reflect: bool,  # noqa: FBT001
) -> NDArray[np.float64]:
    """Smooth with a Gaussian cut at 4 sigma, as ``scipy.ndimage.gaussian_filter`` does (axis 0, then 1).

    Parameters
    ----------
    image : ndarray [y, x], float64
        Any unit.
    sigma_pix : float
        Standard deviation; below 1e-15 the image is returned unchanged.
    reflect : bool
        Mirror the image at its edges; else it is 0 beyond them.

    Returns
    -------
    ndarray [y, x], float64
        In the image's unit; NaN everywhere where `sigma_pix` is NaN or above 1e5.
    """
    if sigma_pix <= SMALLEST_SIGMA_PIX or image.size == 0:
        return image.copy()
    if not sigma_pix <= LARGEST_SIGMA_PIX:
        return np.full(image.shape, np.nan)
    weights = gaussian_weights(sigma_pix)
    half_done = transposed(_correlate_columns(image, weights, reflect))
    return transposed(_correlate_columns(half_done, weights, reflect))
