"""Peaks of a smoothed image, and the light around each, as scikit-image's peak_local_max and watershed find them.

There a priority queue gives the brightest pixel, the one that entered first among equals; a pixel brighter than the
one that it is reached from waits as if it were as bright. Nothing that enters is brighter than what leaves, so
a list for each brightness does the same in less time. Only the peaks themselves enter at the same moment: as long as
equally bright ones wait, their order is that of scikit-image's binary heap, which is kept until then.

Flat images have a border one pixel wide, so that index 0 is never flooded.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.mid.clumps import bordered
from galsmith.measure.engine.numerics.brightness import brightness_order, pairwise_sum

NONE = 0


class Heap(NamedTuple):
    """Pixels that wait, each before its two children 2k + 1 and 2k + 2.

    Attributes
    ----------
    pixels : ndarray [place], int64
        Flat indices.
    levels : ndarray [pixel], int64
        As how bright a pixel waits.
    ages : ndarray [pixel], int64
        When it entered; 0 for all peaks.
    """

    pixels: NDArray[np.int64]
    levels: NDArray[np.int64]
    ages: NDArray[np.int64]


class Lists(NamedTuple):
    """Pixels that wait, first in first out, one list for each level of brightness.

    Attributes
    ----------
    first, last : ndarray [level], int64
        Ends of each list; NONE where it is empty.
    following : ndarray [pixel], int64
        The next one of the same list.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    following: NDArray[np.int64]


@compiled
def _is_before(heap: Heap, one: int, other: int) -> bool:
    """Whether one pixel is flooded before another: the brighter one, else the one that waits longer."""
    # scikit-image's heapitem: value first, then age
    if heap.levels[one] != heap.levels[other]:
        return heap.levels[one] > heap.levels[other]
    return heap.ages[one] < heap.ages[other]


@compiled
def _push(heap: Heap, n_waiting: int, pixel: int) -> None:
    """Put a pixel into the heap."""
    place = n_waiting
    while place > 0:
        # sift up as scikit-image's heappush: equals stay where they are
        parent = (place - 1) // 2
        if not _is_before(heap, pixel, heap.pixels[parent]):
            break
        heap.pixels[place] = heap.pixels[parent]
        place = parent
    heap.pixels[place] = pixel


@compiled
def _pop(heap: Heap, n_waiting: int) -> int:
    """Take the first of `n_waiting` pixels out of the heap."""
    first, moved = heap.pixels[0], heap.pixels[n_waiting - 1]
    n_left = n_waiting - 1
    place, child = 0, 1
    while child < n_left:
        foremost = moved
        if _is_before(heap, heap.pixels[child], foremost):
            foremost = heap.pixels[child]
        if child + 1 < n_left and _is_before(heap, heap.pixels[child + 1], foremost):
            child += 1
            foremost = heap.pixels[child]
        # neither child is before it
        if foremost == moved:
            break
        heap.pixels[place] = foremost
        place, child = child, 2 * child + 1
    heap.pixels[place] = moved
    return first


@compiled
def _append(lists: Lists, level: int, pixel: int) -> None:
    """Put a pixel at the end of a level's list."""
    lists.following[pixel] = NONE
    if lists.first[level] == NONE:
        lists.first[level] = pixel
    else:
        lists.following[lists.last[level]] = pixel
    lists.last[level] = pixel


@compiled
def _peaks_at_levels(
    labels: NDArray[np.int64], levels: NDArray[np.int64], n_levels: int
) -> NDArray[np.int64]:
    """How many peaks there are of each level, [level]."""
    counts = np.zeros(n_levels + 1, dtype=np.int64)
    for pixel in range(len(labels)):
        if labels[pixel] > 0:
            counts[levels[pixel]] += 1
    return counts


@compiled
def _flood_while_tied(
    labels: NDArray[np.int64],
    heap: Heap,
    n_waiting: int,
    n_peaks: NDArray[np.int64],
    steps: NDArray[np.int64],
) -> int:
    """Spread the labels until no two equally bright peaks wait; how many pixels wait then."""
    n_tied = 0
    for level in range(len(n_peaks)):
        n_tied += n_peaks[level] if n_peaks[level] > 1 else 0
    age = 1
    while n_tied > 0:
        pixel = _pop(heap, n_waiting)
        n_waiting -= 1
        if heap.ages[pixel] == 0 and n_peaks[heap.levels[pixel]] > 1:
            n_tied -= 1
        for turn in range(len(steps)):
            neighbor = pixel + steps[turn]
            if labels[neighbor] != 0:
                continue
            # ages in the order of entry; all markers have age 0
            age += 1
            labels[neighbor] = labels[pixel]
            heap.ages[neighbor] = age
            # no pixel waits as if brighter than the one it was reached from
            heap.levels[neighbor] = min(heap.levels[neighbor], heap.levels[pixel])
            _push(heap, n_waiting, neighbor)
            n_waiting += 1
    return n_waiting


@compiled
def _flood_by_level(
    labels: NDArray[np.int64], levels: NDArray[np.int64], lists: Lists, steps: NDArray[np.int64]
) -> None:
    """Spread the labels of the pixels that wait in the lists, the brightest level first."""
    # what enters is never brighter than what leaves: one pass from the top
    for level in range(len(lists.first) - 1, 0, -1):
        pixel = lists.first[level]
        while pixel != NONE:
            for turn in range(len(steps)):
                neighbor = pixel + steps[turn]
                if labels[neighbor] == 0:
                    labels[neighbor] = labels[pixel]
                    _append(lists, min(levels[neighbor], level), neighbor)
            pixel = lists.following[pixel]


@compiled
def flood(labels: NDArray[np.int64], levels: NDArray[np.int64], n_levels: int, width: int) -> None:
    """Spread the labels of the peaks over the pixels that have none yet.

    Parameters
    ----------
    labels : ndarray [pixel], int64
        Above 0 at the peaks, 0 where the flood may come, below 0 elsewhere and on the border; written.
    levels : ndarray [pixel], int64
        Brightness as a rank, from 1; written.
    n_levels : int
        The greatest rank.
    width : int
        Length of a row, border included.
    """
    # sides before corners, each in raster order
    steps = np.array([-width, -1, 1, width, -width - 1, -width + 1, width - 1, width + 1])
    n_peaks = _peaks_at_levels(labels, levels, n_levels)
    heap = Heap(np.empty(len(labels), dtype=np.int64), levels, np.zeros(len(labels), dtype=np.int64))
    n_waiting = 0
    for pixel in range(len(labels)):
        if labels[pixel] > 0:
            _push(heap, n_waiting, pixel)
            n_waiting += 1
    n_waiting = _flood_while_tied(labels, heap, n_waiting, n_peaks, steps)
    lists = Lists(
        np.zeros(n_levels + 1, dtype=np.int64),
        np.zeros(n_levels + 1, dtype=np.int64),
        np.zeros(len(labels), dtype=np.int64),
    )
    # no ties are left, so the heap's order is that of level and age
    for n_left in range(n_waiting, 0, -1):
        pixel = _pop(heap, n_left)
        _append(lists, levels[pixel], pixel)
    _flood_by_level(labels, levels, lists, steps)


OUTSIDE = -1


@compiled
def _is_local_peak(image: NDArray[np.float64], y: int, x: int) -> bool:
    """Whether no neighbor of a pixel off the border is brighter."""
    value = image[y, x]
    # peak_local_max: min_distance 1, a square footprint; equal neighbors do not hurt
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
            # peak_local_max's default threshold_abs is the image's minimum; exclude_border 1
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
        # ranks in place of brightness: integers to compare
        if values[pixel] != last:
            level, last = level + 1, values[pixel]
        labels[pixel], levels[pixel] = 0, level
    for peak in range(len(rows)):
        labels[(rows[peak] + 1) * width + columns[peak] + 1] = peak + 1
    # watershed's markers, connectivity 2, mask
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
            # grouped by label in raster order, then added as numpy.sum adds them
            label = max(labels[(y + 1) * (n_x + 2) + x + 1], 0)
            grouped[ends[label]] = image[y, x]
            ends[label] += 1
    sums = np.empty(n_peaks)
    for peak in range(n_peaks):
        sums[peak] = pairwise_sum(grouped, ends[peak], ends[peak + 1])
    return sums
