"""Clumps of a galaxy at every brightness threshold at once: pixels are added from the brightest down.

A clump is a set of pixels at or above a threshold that touch by sides or corners. Lowering the threshold
makes clumps grow and join, never split, so one pass with a forest of parent pixels (union-find) knows them at all
thresholds. Images are flat and have a border of zeros one pixel wide, so that index 0 is never a galaxy's.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled

# The eight neighbors as (row, column), once around; those of even number share a side with the pixel.
RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
N_RING = len(RING)
OUTSIDE = 0


def _one_neighbor_a_part() -> NDArray[np.int64]:
    """For each set of present neighbors, a bit each, keep one of every part that hangs together without the pixel."""
    kept = np.zeros(1 << N_RING, dtype=np.int64)
    for present in range(1 << N_RING):
        reached: set[int] = set()
        for first in range(N_RING):
            if present >> first & 1 and first not in reached:
                kept[present] |= 1 << first
                reached |= _part_of_ring(present, first)
    return kept


def _part_of_ring(present: int, first: int) -> set[int]:
    """Grow the part of the ring that holds neighbor `first`."""
    part, new = {first}, [first]
    while new:
        here = RING[new.pop()]
        for other in range(N_RING):
            distance = max(abs(here[0] - RING[other][0]), abs(here[1] - RING[other][1]))
            if present >> other & 1 and other not in part and distance == 1:
                part.add(other)
                new.append(other)
    return part


# 256 cases, worked out once in Python and compiled in as a constant table
ONE_A_PART = _one_neighbor_a_part()


class ClumpAreas(NamedTuple):
    """The two largest clumps at each quantile of a galaxy's brightness.

    Attributes
    ----------
    largest, second : ndarray [n_positive], int64
        Their areas in pixels where the threshold is the k-th faintest pixel above zero; `second` is 0 where
        there is one clump only.
    n_zero : int
        Number of pixels that are not above zero: at these thresholds the whole stamp is one clump.
    total : float
        Sum of the pixels.
    """

    largest: NDArray[np.int64]
    second: NDArray[np.int64]
    n_zero: int
    total: float


@compiled
def bordered(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Copy an image [y, x] into a border of zeros, flat: pixel (y, x) is at (y + 1) * (n_x + 2) + x + 1."""
    n_y, n_x = image.shape
    result = np.zeros((n_y + 2) * (n_x + 2))
    for y in range(n_y):
        for x in range(n_x):
            result[(y + 1) * (n_x + 2) + x + 1] = image[y, x]
    return result


@compiled
def _ring_steps(width: int) -> NDArray[np.int64]:
    """From a flat index to those of its eight neighbors."""
    steps = np.empty(N_RING, dtype=np.int64)
    for neighbor in range(N_RING):
        steps[neighbor] = RING[neighbor][0] * width + RING[neighbor][1]
    return steps


@compiled
def _root(parents: NDArray[np.int32], pixel: int) -> int:
    """Find the pixel that stands for a clump; shortens the way for the next search."""
    # path halving
    while parents[pixel] != pixel:
        parents[pixel] = parents[parents[pixel]]
        pixel = parents[pixel]
    return pixel


@compiled
def _parts_around(parents: NDArray[np.int32], steps: NDArray[np.int64], pixel: int) -> int:
    """Which neighbors to join with, a bit each: one of every part of those that are present."""
    present = 0
    for neighbor in range(N_RING):
        present |= (parents[pixel + steps[neighbor]] != OUTSIDE) << neighbor
    return ONE_A_PART[present]


@compiled
def _add_to_clumps(
    parents: NDArray[np.int32],
    areas: NDArray[np.int64],
    sums: NDArray[np.float64],
    pixel: int,
    steps: NDArray[np.int64],
) -> None:
    """Let one more pixel, whose area and sum are set, join the clumps around it."""
    parts = _parts_around(parents, steps, pixel)
    parents[pixel] = root = pixel
    neighbor = 0
    while parts:
        if parts & 1:
            other = _root(parents, pixel + steps[neighbor])
            if other != root:
                # union by size; the smaller clump's sum is added to the larger one's
                if areas[other] > areas[root]:
                    root, other = other, root
                parents[other] = root
                areas[root] += areas[other]
                sums[root] += sums[other]
        parts >>= 1
        neighbor += 1


@compiled
def main_clump_means(
    flux: NDArray[np.float64], order: NDArray[np.int64], width: int, peak: int
) -> NDArray[np.float64]:
    """Mean flux of the clump that holds the brightest pixel, at every threshold.

    Parameters
    ----------
    flux : ndarray [pixel], float64
        Flat image with its border, as `bordered` gives it.
    order : ndarray [n], int64
        Its pixels above zero, the faintest first.
    width : int
        Length of a row, border included.
    peak : int
        Flat index of a brightest pixel.

    Returns
    -------
    ndarray [n], float64
        Entry k belongs to the threshold flux[order[k]], the pixels equal to it included.
    """
    means = np.empty(len(order))
    parents = np.zeros(len(flux), dtype=np.int32)
    areas = np.zeros(len(flux), dtype=np.int64)
    sums = np.zeros(len(flux))
    steps = _ring_steps(width)
    last = len(order) - 1
    while last >= 0:
        threshold = flux[order[last]]
        first = last
        # equal pixels enter together: a threshold is reached by all or none of them
        while first >= 0 and flux[order[first]] == threshold:
            pixel = order[first]
            areas[pixel], sums[pixel] = 1, threshold
            _add_to_clumps(parents, areas, sums, pixel, steps)
            first -= 1
        # the brightest pixel is in from the first turn on
        main = _root(parents, peak)
        mean = sums[main] / areas[main]
        while last > first:
            means[last] = mean
            last -= 1
    return means


@compiled
def _two_largest(counts: NDArray[np.int64], largest: int, second: int, changed: int) -> tuple[int, int]:
    """Bring the two largest areas up to date after one clump's area became `changed`.

    `counts` says how many clumps there are of each area, the change included.
    """
    if changed > largest:
        if counts[largest] > 0:
            second = largest
        largest = changed
    elif changed > second:
        second = changed
    # two clumps of the largest area
    if counts[largest] > 1:
        return largest, largest
    # areas only grow by joining, so the search downwards is short on the whole
    second = min(second, largest - 1)
    while second > 0 and counts[second] == 0:
        second -= 1
    return largest, second


@compiled
def _add_and_count(
    parents: NDArray[np.int32],
    areas: NDArray[np.int64],
    counts: NDArray[np.int64],
    pixel: int,
    steps: NDArray[np.int64],
) -> int:
    """Let one more pixel join the clumps around it, keep the counts of areas, and give the area it is now part of."""
    parts = _parts_around(parents, steps, pixel)
    parents[pixel] = root = pixel
    areas[pixel] = area = 1
    neighbor = 0
    while parts:
        if parts & 1:
            other = _root(parents, pixel + steps[neighbor])
            if other != root:
                other_area = areas[other]
                counts[other_area] -= 1
                if other_area > area:
                    root, other = other, root
                parents[other] = root
                area += other_area
                areas[root] = area
        parts >>= 1
        neighbor += 1
    counts[area] += 1
    return area


@compiled
def two_largest_areas(
    flux: NDArray[np.float64], order: NDArray[np.int64], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Areas of the two largest clumps, at every threshold.

    Parameters
    ----------
    flux, order, width
        As in `main_clump_means`.

    Returns
    -------
    largest, second : ndarray [n], int64
        Pixels; entry k belongs to the threshold flux[order[k]]; `second` is 0 where there is one clump.
    """
    largest = np.empty(len(order), dtype=np.int64)
    second = np.empty(len(order), dtype=np.int64)
    parents = np.zeros(len(flux), dtype=np.int32)
    areas = np.zeros(len(flux), dtype=np.int64)
    counts = np.zeros(len(order) + 1, dtype=np.int64)
    steps = _ring_steps(width)
    area_1 = area_2 = 0
    last = len(order) - 1
    while last >= 0:
        threshold = flux[order[last]]
        first = last
        while first >= 0 and flux[order[first]] == threshold:
            area = _add_and_count(parents, areas, counts, order[first], steps)
            area_1, area_2 = _two_largest(counts, area_1, area_2, area)
            first -= 1
        while last > first:
            largest[last], second[last] = area_1, area_2
            last -= 1
    return largest, second
