"""Sorting, medians and sigma clipping: a clip of sorted values is a range of indices.

Ranges are given as start and stop, the stop left out, into an ascending array.
"""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_sum

# shorter arrays are sorted faster by comparisons
RADIX_FROM = 600
DIGIT_BITS = 11
N_DIGITS = 3
N_BUCKETS = 1 << DIGIT_BITS
SIGN_BIT = np.uint64(1 << 63)
DIGIT = np.uint64(N_BUCKETS - 1)
UPPER_HALF = np.uint64(64 - N_DIGITS * DIGIT_BITS)  # lowest bit of the upper 33
LOWER_HALF = np.uint64(0)
MOVES_PER_VALUE = 2
SUMMED_AT_ONCE = 512
# gaps of Ciura (2001)
SHELL_GAPS = (301, 132, 57, 23, 10, 4, 1)


@compiled
def _shell_sort(values: NDArray[np.float64]) -> None:
    """Sort a short array in place."""
    for gap in SHELL_GAPS:
        for index in range(gap, len(values)):
            value = values[index]
            place = index
            while place >= gap and values[place - gap] > value:
                values[place] = values[place - gap]
                place -= gap
            values[place] = value


@compiled
def _ordered_keys(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Integers in the order of the floats: sign bit flipped, negative numbers inverted."""
    keys = values.copy().view(np.uint64)
    for index in range(len(keys)):
        key = keys[index]
        # IEEE 754: so ordered, the bits of floats compare as unsigned integers
        keys[index] = ~key if key & SIGN_BIT else key | SIGN_BIT
    return keys


@compiled
def _digit_counts(keys: NDArray[np.uint64], lowest_bit: np.uint64) -> NDArray[np.int64]:
    """How often each value of each of three digits occurs, [digit, value]."""
    counts = np.zeros((N_DIGITS, N_BUCKETS), dtype=np.int64)
    for key in keys:
        bits = key >> lowest_bit
        for digit in range(N_DIGITS):
            counts[digit, (bits >> np.uint64(DIGIT_BITS * digit)) & DIGIT] += 1
    return counts


@compiled
def _scatter_by_digit(
    keys: NDArray[np.uint64], result: NDArray[np.uint64], counts: NDArray[np.int64], shift: np.uint64
) -> None:
    """Stable pass of the radix sort: order by one digit."""
    place = 0
    for bucket in range(N_BUCKETS):
        count = counts[bucket]
        counts[bucket] = place
        place += count
    for key in keys:
        value = (key >> shift) & DIGIT
        result[counts[value]] = key
        counts[value] += 1


@compiled
def _sort_by_bits(keys: NDArray[np.uint64], lowest_bit: np.uint64) -> NDArray[np.uint64]:
    """Sort by 33 bits of the keys, keeping the order of what agrees in them; may write into `keys`."""
    other = np.empty_like(keys)
    counts = _digit_counts(keys, lowest_bit)
    for digit in range(N_DIGITS):
        shift = lowest_bit + np.uint64(DIGIT_BITS * digit)
        # all keys share this digit
        if counts[digit, (keys[0] >> shift) & DIGIT] == len(keys):
            continue
        _scatter_by_digit(keys, other, counts[digit], shift)
        keys, other = other, keys
    return keys


@compiled
def _insertion_sort(keys: NDArray[np.uint64], most_moves: int) -> bool:
    """Finish in place a sort that is nearly done; False, no key lost, where that takes too many moves."""
    moves = 0
    for index in range(1, len(keys)):
        key = keys[index]
        place = index
        while place > 0 and keys[place - 1] > key:
            keys[place] = keys[place - 1]
            place -= 1
        keys[place] = key
        moves += index - place
        if moves > most_moves:
            return False
    return True


@compiled
def _radix_sorted(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sort by the upper half of the bits, then by the few swaps that the lower half asks for.

    Where these are many, because the values nearly agree, by the lower half first: the passes are stable.
    """
    keys = _sort_by_bits(_ordered_keys(values), UPPER_HALF)
    if not _insertion_sort(keys, MOVES_PER_VALUE * len(keys)):
        keys = _sort_by_bits(_sort_by_bits(keys, LOWER_HALF), UPPER_HALF)
    for index in range(len(keys)):
        key = keys[index]
        keys[index] = key ^ SIGN_BIT if key & SIGN_BIT else ~key
    return keys.view(np.float64)


@compiled
def sorted_values(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Copy of values in ascending order.

    Parameters
    ----------
    values : ndarray [n], float64
        Contiguous, without NaN.

    Returns
    -------
    ndarray [n], float64
        Ascending.
    """
    if len(values) >= RADIX_FROM:
        return _radix_sorted(values)
    result = values.copy()
    _shell_sort(result)
    return result


@compiled_sum
def sum_of(values: NDArray[np.float64], start: int, stop: int) -> float:
    """Sum of values[start:stop], added in no particular order."""
    total = 0.0
    for index in range(start, stop):
        total += values[index]
    return total


@compiled_sum
def _squared_deviations(values: NDArray[np.float64], start: int, stop: int, center: float) -> float:
    total = 0.0
    for index in range(start, stop):
        deviation = values[index] - center
        total += deviation * deviation
    return total


@compiled
def mean_of(values: NDArray[np.float64], start: int, stop: int) -> float:
    """Mean of values[start:stop]; NaN of none."""
    return sum_of(values, start, stop) / (stop - start)


@compiled
def standard_deviation(values: NDArray[np.float64], start: int, stop: int, mean: float) -> float:
    """Give the standard deviation of values[start:stop] about their mean (divided by n); NaN of none."""
    return math.sqrt(_squared_deviations(values, start, stop, mean) / (stop - start))


@compiled
def median_of_sorted(values: NDArray[np.float64], start: int, stop: int) -> float:
    """Median of the ascending values[start:stop]; NaN of none."""
    count = stop - start
    if count <= 0:
        return math.nan
    middle = start + count // 2
    if count % 2 == 1:
        return values[middle]
    return 0.5 * (values[middle - 1] + values[middle])


@compiled_sum
def _sums_about(values: NDArray[np.float64], start: int, stop: int, center: float) -> tuple[float, float]:
    """Add up values[start:stop] less a center, and of their squares."""
    total = squares = 0.0
    for index in range(start, stop):
        deviation = values[index] - center
        total += deviation
        squares += deviation * deviation
    return total, squares


@compiled
def _block_sums(
    values: NDArray[np.float64], start: int, stop: int, center: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up values[start:stop] less a center, and of their squares, in blocks of `SUMMED_AT_ONCE`."""
    n_blocks = (stop - start) // SUMMED_AT_ONCE
    totals, squares = np.empty(n_blocks), np.empty(n_blocks)
    for block in range(n_blocks):
        first = start + block * SUMMED_AT_ONCE
        totals[block], squares[block] = _sums_about(values, first, first + SUMMED_AT_ONCE, center)
    return totals, squares


@compiled
def _sums_of_range(
    values: NDArray[np.float64],
    start: int,
    first: int,
    last: int,
    center: float,
    blocks: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[float, float]:
    """Do what `_sums_about` does for values[first:last], given the sums of the blocks from `start` on.

    Whole blocks inside are added, never outer ones taken away, which would lose the digits of a small rest.
    """
    totals, squares = blocks
    begin = -((start - first) // SUMMED_AT_ONCE)
    end = min((last - start) // SUMMED_AT_ONCE, totals.size)
    if begin >= end:
        return _sums_about(values, first, last, center)
    # the rest before the first whole block, then that behind the last
    total, square = _sums_about(values, first, start + begin * SUMMED_AT_ONCE, center)
    rest_total, rest_square = _sums_about(values, start + end * SUMMED_AT_ONCE, last, center)
    for block in range(begin, end):
        total += totals[block]
        square += squares[block]
    return total + rest_total, square + rest_square


@compiled
def kept_range(
    values: NDArray[np.float64], start: int, stop: int, low: float, high: float
) -> tuple[int, int]:
    """Range of the ascending values[start:stop] within low <= value <= high; empty where a bound is NaN."""
    if not low <= high:
        return start, start
    first, behind = start, stop
    while first < behind:  # the first value that is not below
        middle = (first + behind) // 2
        # bisection: bounds themselves are kept, as astropy keeps them
        if values[middle] < low:
            first = middle + 1
        else:
            behind = middle
    last, behind = first, stop
    while last < behind:  # the first value above
        middle = (last + behind) // 2
        if values[middle] <= high:
            last = middle + 1
        else:
            behind = middle
    return first, last


@compiled
def clipped_about_median(
    values: NDArray[np.float64], start: int, stop: int, n_sigma: float, max_iterations: int
) -> tuple[int, int]:
    """Sigma clip about the median, as astropy's ``SigmaClip`` does with its defaults.

    Each turn keeps what lies within `n_sigma` standard deviations of the median of what the last one kept; the
    last bounds are then applied to all of the values.

    Parameters
    ----------
    values : ndarray [n], float64
        Ascending, finite.
    start, stop : int
        The range to clip.
    n_sigma : float
        Half width of what is kept.
    max_iterations : int
        At most so many turns.

    Returns
    -------
    start, stop : int
        The range kept.
    """
    first, last = start, stop
    low = high = math.nan
    # about the median: the squares of deviations lose no digits to a high sky
    middle = median_of_sorted(values, start, stop)
    blocks = _block_sums(values, start, stop, middle)
    for _ in range(max_iterations):
        center, count = median_of_sorted(values, first, last), float(last - first)
        total, squares = _sums_of_range(values, start, first, last, middle, blocks)
        # divided by n, as numpy.std
        spread = math.sqrt(max(0.0, squares / count - (total / count) ** 2))
        low, high = center - n_sigma * spread, center + n_sigma * spread
        kept_first, kept_last = kept_range(values, first, last, low, high)
        # converged, or nothing would be left
        if kept_last == kept_first or (kept_first == first and kept_last == last):
            break
        first, last = kept_first, kept_last
    # SigmaClip applies its last bounds to all values
    return kept_range(values, start, stop, low, high)
