"""Peaks of a smoothed image, and the light around each, as scikit-image finds them."""

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.mid.clumps import bordered
from galsmith.measure.engine.mid.watershed import flood
from galsmith.measure.engine.numerics.brightness import brightness_order, pairwise_sum

OUTSIDE = -1


@compiled
def _is_local_peak(image: NDArray[np.float64], y: int, x: int) -> bool:
    """Whether no neighbor of a pixel off the border is brighter."""
    value = image[y, x]
    for near_y in range(y - 1, y + 2):
        for near_x in range(x - 1, x + 2):
            if image[near_y, near_x] > value:
                return False
    return True


@compiled
def find_peaks(image: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find local maxima, the brightest first, as ``skimage.feature.peak_local_max`` does with its defaults.

    Every pixel of a flat top is a peak, unless it is as faint as the faintest pixel; the border has none.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Not below zero.

    Returns
    -------
    rows, columns : ndarray [peak], int64
        Equally bright ones are in raster order.
    """
    n_y, n_x = image.shape
    faintest = np.inf
    for y in range(n_y):
        for x in range(n_x):
            faintest = min(faintest, image[y, x])
    # read backwards, and the ascending order turned around at the end: equal peaks stay in raster order
    heights = np.zeros(n_y * n_x)
    for y in range(1, n_y - 1):
        for x in range(1, n_x - 1):
            if image[y, x] > faintest and _is_local_peak(image, y, x):
                heights[n_y * n_x - 1 - (y * n_x + x)] = image[y, x]
    places = brightness_order(heights)
    n_peaks = len(places)
    rows, columns = np.empty(n_peaks, dtype=np.int64), np.empty(n_peaks, dtype=np.int64)
    for peak in range(n_peaks):
        place = n_y * n_x - 1 - places[n_peaks - 1 - peak]
        rows[peak], columns[peak] = place // n_x, place % n_x
    return rows, columns


@compiled
def flood_from_peaks(
    image: NDArray[np.float64], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Give every pixel above zero to a peak, downhill, as ``skimage.segmentation.watershed`` of -image does.

    Connectivity 2, the mask image > 0, the peaks as markers.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Not below zero.
    rows, columns : ndarray [peak], int64
        Where the peaks lie.

    Returns
    -------
    ndarray [pixel], int64
        Flat, with a border as that of `bordered`: number of the peak, 1 for the first; 0 or -1 where the flood does
        not come.
    """
    width = image.shape[1] + 2
    values = bordered(image)
    order = brightness_order(values)
    labels = np.empty(len(values), dtype=np.int64)
    for pixel in range(len(labels)):
        labels[pixel] = OUTSIDE
    levels = np.zeros(len(values), dtype=np.int64)
    level, last = 0, 0.0
    for place in range(len(order)):
        pixel = order[place]
        if values[pixel] != last:
            level, last = level + 1, values[pixel]
        labels[pixel], levels[pixel] = 0, level
    for peak in range(len(rows)):
        labels[(rows[peak] + 1) * width + columns[peak] + 1] = peak + 1
    flood(labels, levels, level, width)
    return labels


@compiled
def flux_around_peaks(
    image: NDArray[np.float64], labels: NDArray[np.int64], n_peaks: int
) -> NDArray[np.float64]:
    """Sum the image over the pixels of each peak, in NumPy's order of additions.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Any unit.
    labels : ndarray [pixel], int64
        As `flood_from_peaks` gives them.
    n_peaks : int
        How many labels there are.

    Returns
    -------
    ndarray [peak], float64
        In the image's unit.
    """
    n_y, n_x = image.shape
    ends = np.zeros(n_peaks + 2, dtype=np.int64)
    for y in range(n_y):
        for x in range(n_x):
            ends[max(labels[(y + 1) * (n_x + 2) + x + 1], 0) + 1] += 1
    for before in range(n_peaks + 1):
        ends[before + 1] += ends[before]
    grouped = np.empty(n_y * n_x)
    for y in range(n_y):
        for x in range(n_x):
            label = max(labels[(y + 1) * (n_x + 2) + x + 1], 0)
            grouped[ends[label]] = image[y, x]
            ends[label] += 1
    sums = np.empty(n_peaks)
    for peak in range(n_peaks):
        sums[peak] = pairwise_sum(grouped, ends[peak], ends[peak + 1])
    return sums
