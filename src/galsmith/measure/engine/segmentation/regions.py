"""Regions of connected pixels, numbered as SciPy numbers them; thresholds, and the region of the brightest pixel."""

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled


@compiled
def _root(parents: NDArray[np.int32], run: int) -> int:
    """Find the first run of the region that a run belongs to so far; shortens the way for the next search."""
    while parents[run] != run:
        parents[run] = parents[parents[run]]
        run = parents[run]
    return run


@compiled
def _join(parents: NDArray[np.int32], one: int, other: int) -> None:
    one, other = _root(parents, one), _root(parents, other)
    # the earlier run stands for both: numbers then follow raster order, as scipy.ndimage.label's
    parents[max(one, other)] = min(one, other)


@compiled
def _runs_of_row(
    row: NDArray[np.bool_], starts: NDArray[np.int32], ends: NDArray[np.int32], count: int
) -> int:
    """Append the first and last column of each run of pixels in a row; the new number of runs."""
    width = len(row)
    x = 0
    while x < width:
        if not row[x]:
            x += 1
            continue
        starts[count] = x
        while x < width and row[x]:
            x += 1
        ends[count] = x - 1
        count += 1
    return count


@compiled
def _join_rows(
    parents: NDArray[np.int32],
    starts: NDArray[np.int32],
    ends: NDArray[np.int32],
    rows: tuple[int, int, int],
) -> None:
    """Join the runs of a row, rows[1]..rows[2]-1, with those of the row before, rows[0]..rows[1]-1, corners too."""
    upper, first, count = rows
    for run in range(first, count):
        # runs that end left of the upper left corner touch no later run of this row either
        while upper < first and ends[upper] < starts[run] - 1:
            upper += 1
        touching = upper
        # one column farther on both sides: corners count (eight neighbors)
        while touching < first and starts[touching] <= ends[run] + 1:
            _join(parents, touching, run)
            touching += 1


@compiled
def _number_regions(parents: NDArray[np.int32], n_runs: int) -> int:
    """Replace each run's parent by its region's number, 1 for the first; how many there are."""
    count = 0
    for run in range(n_runs):
        if parents[run] == run:
            count += 1
            parents[run] = count
        else:  # a parent comes earlier, so it has its number
            parents[run] = parents[parents[run]]
    return count


@compiled
def label_regions(above: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Give each region of pixels that touch by sides or corners a number.

    Equal to ``scipy.ndimage.label`` with the structure of eight neighbors.

    Parameters
    ----------
    above : ndarray [y, x], bool
        True where there may be a region.

    Returns
    -------
    labels : ndarray [y, x], int32
        0 outside; 1, 2, ... in raster order of each region's first pixel.
    count : int
        Number of regions.
    """
    height, width = above.shape
    # runs in a row: every other pixel at most
    most = height * ((width + 1) // 2)
    starts = np.empty(most, dtype=np.int32)
    ends = np.empty(most, dtype=np.int32)
    parents = np.arange(most).astype(np.int32)
    first_of_row = np.zeros(height + 1, dtype=np.int64)
    before = first = 0
    for y in range(height):
        n_runs = _runs_of_row(above[y], starts, ends, first)
        _join_rows(parents, starts, ends, (before, first, n_runs))
        before, first = first, n_runs
        first_of_row[y + 1] = n_runs
    count = _number_regions(parents, first)
    labels = np.zeros((height, width), dtype=np.int32)
    for y in range(height):
        for run in range(first_of_row[y], first_of_row[y + 1]):
            for x in range(starts[run], ends[run] + 1):
                labels[y, x] = parents[run]
    return labels, count


@compiled
def label_areas(labels: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Count the pixels of each label, 0 included, [label]; no label may be negative or above `count`."""
    areas = np.zeros(count + 1, dtype=np.int64)
    areas[0] = labels.size
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if labels[y, x] != 0:
                areas[labels[y, x]] += 1
                areas[0] -= 1
    return areas


@compiled
def bounding_box(labels: NDArray[np.int32], label: int) -> tuple[int, int, int, int]:
    """Find the first and last column and row of a label: x_first, x_last, y_first, y_last; -1 where it is absent."""
    height, width = labels.shape
    x_first, x_last, y_first, y_last = width, -1, -1, -1
    for y in range(height):
        row = labels[y]
        left = 0
        while left < width and row[left] != label:
            left += 1
        if left == width:
            continue
        right = width - 1
        while row[right] != label:
            right -= 1
        if y_first < 0:
            y_first = y
        y_last = y
        x_first = min(x_first, left)
        x_last = max(x_last, right)
    if y_first < 0:
        x_first = -1
    return x_first, x_last, y_first, y_last


@compiled
def at_least(image: NDArray[np.float64], threshold: float) -> tuple[NDArray[np.bool_], int]:
    """Map the pixels that reach a threshold, [y, x], and count them; none do where it is NaN."""
    height, width = image.shape
    above = np.empty((height, width), dtype=np.bool_)
    count = 0
    for y in range(height):
        for x in range(width):
            # reaching the threshold is enough, as in statmorph's maps; a NaN threshold lets none pass
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
            # the first of equals, as numpy.argwhere(image == max)[0] in statmorph
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
