"""Thresholds, the brightest pixel and the connected region that holds it."""

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.segmentation.labels import label_regions


@compiled
def at_least(image: NDArray[np.float64], threshold: float) -> tuple[NDArray[np.bool_], int]:
    """Map the pixels that reach a threshold, [y, x], and count them; none do where it is NaN."""
    height, width = image.shape
    above = np.empty((height, width), dtype=np.bool_)
    count = 0
    for y in range(height):
        for x in range(width):
            above[y, x] = image[y, x] >= threshold
            count += above[y, x]
    return above, count


@compiled
def brightest_pixel(image: NDArray[np.float64]) -> tuple[int, int]:
    """Row and column of the first brightest pixel in raster order; 0, 0 where no pixel is a number."""
    height, width = image.shape
    best_y, best_x, best = 0, 0, -np.inf
    for y in range(height):
        for x in range(width):
            if image[y, x] > best:
                best_y, best_x, best = y, x, image[y, x]
    return best_y, best_x


@compiled
def region_with(above: NDArray[np.bool_], y: int, x: int) -> tuple[NDArray[np.bool_], int]:
    """Find the region of pixels, touching by sides or corners, that holds one pixel.

    Parameters
    ----------
    above : ndarray [y, x], bool
        Pixels that may belong to it.
    y, x : int
        One of these pixels.

    Returns
    -------
    region : ndarray [y, x], bool
        True inside it.
    count : int
        How many regions there are in all.
    """
    labels, count = label_regions(above)
    height, width = above.shape
    region = np.empty((height, width), dtype=np.bool_)
    wanted = labels[y, x]
    for row in range(height):
        for column in range(width):
            region[row, column] = labels[row, column] == wanted
    return region, count
