"""Pixels in the order of their brightness, and sums added as NumPy adds them."""

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled

DIGIT_BITS = 11
N_BUCKETS = 1 << DIGIT_BITS
DIGIT = np.uint64(N_BUCKETS - 1)
SHIFTS = np.array([0, 11, 22, 33, 44, 55], dtype=np.uint64)
FIRST_COARSE_PASS = 3  # the upper 31 bits: values that differ by over 4e-6 of themselves
MOVES_PER_PIXEL = 4
# of NumPy's pairwise_sum: eight accumulators, blocks of 128
UNROLLED = 8
LONGEST_RUN = 128


@compiled
def _sort_by_digit(
    keys: NDArray[np.uint64],
    places: NDArray[np.int64],
    sorted_keys: NDArray[np.uint64],
    sorted_places: NDArray[np.int64],
    shift: np.uint64,
) -> None:
    """Stable pass of a radix sort: copy keys and places in the order of one digit."""
    starts = np.zeros(N_BUCKETS + 1, dtype=np.int64)
    for index in range(len(keys)):
        starts[np.int64((keys[index] >> shift) & DIGIT) + 1] += 1
    for upper in range(N_BUCKETS):
        starts[upper + 1] += starts[upper]
    for index in range(len(keys)):
        bucket = np.int64((keys[index] >> shift) & DIGIT)
        sorted_keys[starts[bucket]] = keys[index]
        sorted_places[starts[bucket]] = places[index]
        starts[bucket] += 1


@compiled
def _insertion_sort(keys: NDArray[np.uint64], places: NDArray[np.int64], most_moves: int) -> bool:
    """Finish, in place and stably, a sort that is nearly done; False where that takes too many moves."""
    moves = 0
    for index in range(1, len(keys)):
        key, place = keys[index], places[index]
        hole = index
        while hole > 0 and keys[hole - 1] > key:
            keys[hole], places[hole] = keys[hole - 1], places[hole - 1]
            hole -= 1
        keys[hole], places[hole] = key, place
        moves += index - hole
        if moves > most_moves:
            return False
    return True


@compiled
def brightness_order(flux: NDArray[np.float64]) -> NDArray[np.int64]:
    """List the pixels above zero, the faintest first; equal ones stay in their order.

    Parameters
    ----------
    flux : ndarray [pixel], float64
        Any unit; what is not above zero is left out.

    Returns
    -------
    ndarray [n_positive], int64
        Indices into `flux`.
    """
    count = 0
    for index in range(len(flux)):
        count += flux[index] > 0.0
    values = np.empty(count)
    places = np.empty(count, dtype=np.int64)
    count = 0
    for index in range(len(flux)):
        if flux[index] > 0.0:
            values[count], places[count] = flux[index], index
            count += 1
    # the bits of positive floats, read as integers, are in the order of the floats
    keys = values.view(np.uint64)
    other_keys, other_places = np.empty(count, dtype=np.uint64), np.empty(count, dtype=np.int64)
    for first_pass in (FIRST_COARSE_PASS, 0):
        for digit in range(first_pass, len(SHIFTS)):
            _sort_by_digit(keys, places, other_keys, other_places, SHIFTS[digit])
            keys, other_keys = other_keys, keys
            places, other_places = other_places, places
        # values that agree in the upper bits are few, but for flat images: then all six digits
        if _insertion_sort(keys, places, MOVES_PER_PIXEL * len(keys)):
            break
    return places


@compiled
def _sum_of_run(values: NDArray[np.float64], start: int, stop: int) -> float:
    """Sum of at most 128 values: eight running sums, added in pairs, and then what is left over."""
    if stop - start < UNROLLED:
        # NumPy starts so that a sum of negative zeros stays one
        total = -0.0
        for index in range(start, stop):
            total += values[index]
        return total
    sums = np.empty(UNROLLED)
    for lane in range(UNROLLED):
        sums[lane] = values[start + lane]
    behind = start + (stop - start) // UNROLLED * UNROLLED
    for index in range(start + UNROLLED, behind, UNROLLED):
        for lane in range(UNROLLED):
            sums[lane] += values[index + lane]
    # NumPy's order of the eight
    total = ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]))
    for index in range(behind, stop):
        total += values[index]
    return total


@compiled
def pairwise_sum(values: NDArray[np.float64], start: int, stop: int) -> float:
    """Sum of values[start:stop] to the bit as ``numpy.sum`` gives it, whose order of additions this repeats.

    Longer ranges are halved, at a multiple of eight, down to runs of at most 128 values.
    """
    # a stack in place of recursion: ranges to do, the sums of left halves, and how deep each lies
    stops = np.empty(64, dtype=np.int64)
    depths = np.empty(64, dtype=np.int64)
    sums = np.empty(64)
    sum_depths = np.empty(64, dtype=np.int64)
    stops[0], depths[0] = stop, 0
    n_open, n_sums = 1, 0
    while n_open > 0:
        begin = start
        while stops[n_open - 1] - begin > LONGEST_RUN:
            half = (stops[n_open - 1] - begin) // 2
            # NumPy rounds the half down to a multiple of eight
            half -= half % UNROLLED
            depths[n_open - 1] += 1
            stops[n_open], depths[n_open] = begin + half, depths[n_open - 1]
            n_open += 1
        n_open -= 1
        total, depth = _sum_of_run(values, begin, stops[n_open]), depths[n_open]
        start = stops[n_open]
        while n_sums > 0 and sum_depths[n_sums - 1] == depth:
            n_sums -= 1
            total, depth = sums[n_sums] + total, depth - 1
        sums[n_sums], sum_depths[n_sums] = total, depth
        n_sums += 1
    return sums[0]
