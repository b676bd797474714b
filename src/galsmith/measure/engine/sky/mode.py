"""The mode of a crowded sky by nested sigma clips (Bertin & Arnouts 1996), fast: every clip is a range of sorted values.

The mean and the standard deviation of a range come from running sums about a value inside of it. Where rounding could
be felt in them, they are taken from the values themselves.
"""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.numerics.ordering import (
    kept_range,
    mean_of,
    median_of_sorted,
    standard_deviation,
)

INNER_SIGMA, INNER_TURNS = 3.0, 10
LEAST_VARIANCE = 1e-6  # of the mean square about the anchor: 6 of 16 digits lost at most


@compiled
def sum_about(
    values: NDArray[np.float64], first: int, last: int, anchor: int, sums: NDArray[np.float64]
) -> None:
    """Write running sums, outwards from an anchor, of a range's deviations from it and of their squares.

    Parameters
    ----------
    values : ndarray [n], float64
        Ascending.
    first, last : int
        The range values[first:last].
    anchor : int
        An index of it.
    sums : ndarray [2, n + 1], float64
        Written: sums[:, j] - sums[:, i] is that of values[i:j]. No square cancels another where i <= anchor <= j.
    """
    pivot = values[anchor]
    total, squares = 0.0, 0.0
    for index in range(anchor, last):
        sums[0, index], sums[1, index] = total, squares
        deviation = values[index] - pivot
        total += deviation
        squares += deviation * deviation
    sums[0, last], sums[1, last] = total, squares
    total, squares = 0.0, 0.0
    for index in range(anchor - 1, first - 1, -1):
        deviation = values[index] - pivot
        total -= deviation
        squares -= deviation * deviation
        sums[0, index], sums[1, index] = total, squares


@compiled
def range_mean_and_sigma(
    values: NDArray[np.float64], first: int, last: int, anchor: int, sums: NDArray[np.float64]
) -> tuple[float, float]:
    """Mean and standard deviation (divided by n) of values[first:last], from `sum_about` where it is exact enough."""
    if first <= anchor <= last:
        count = last - first
        offset = (sums[0, last] - sums[0, first]) / count
        mean_square = (sums[1, last] - sums[1, first]) / count
        variance = mean_square - offset * offset
        if variance > LEAST_VARIANCE * mean_square or mean_square == 0.0:
            return values[anchor] + offset, math.sqrt(variance)
    mean = mean_of(values, first, last)
    return mean, standard_deviation(values, first, last, mean)


@compiled
def _mode_and_sigma(
    values: NDArray[np.float64], first: int, last: int, anchor: int, sums: NDArray[np.float64]
) -> tuple[float, float]:
    """Mode of values[first:last], itself clipped at 3 sigma about the median, and their standard deviation."""
    mean, sigma = range_mean_and_sigma(values, first, last, anchor, sums)
    outer_sigma = sigma
    median = median_of_sorted(values, first, last)
    for _ in range(INNER_TURNS):
        reach = INNER_SIGMA * sigma
        kept_first, kept_last = kept_range(values, first, last, median - reach, median + reach)
        if kept_last == kept_first or (kept_first == first and kept_last == last):
            break
        first, last = kept_first, kept_last
        mean, sigma = range_mean_and_sigma(values, first, last, anchor, sums)
        median = median_of_sorted(values, first, last)
    return 2.5 * median - 1.5 * mean, outer_sigma


@compiled
def clipped_about_mode(ascending: NDArray[np.float64], n_sigma: float) -> tuple[int, int]:
    """Sigma clip about the mode until nothing changes.

    As astropy's ``sigma_clipped_stats`` with ``maxiters=None`` and photutils' ``ModeEstimatorBackground`` of
    factors 2.5 and 1.5 as its center.

    Parameters
    ----------
    ascending : ndarray [n], float64
        Sorted, finite.
    n_sigma : float
        Half width of what is kept.

    Returns
    -------
    first, last : int
        The range ascending[first:last] that is kept; it may be empty.
    """
    first, last = 0, ascending.size
    sums = np.empty((2, ascending.size + 1))
    anchor, summed = -1, 0
    for _ in range(ascending.size + 1):  # each turn but the last drops a value
        if first == last:
            break
        if not (first <= anchor < last and 2 * (last - first) > summed):
            anchor, summed = (first + last) // 2, last - first
            sum_about(ascending, first, last, anchor, sums)
        mode, sigma = _mode_and_sigma(ascending, first, last, anchor, sums)
        if sigma == 0.0:  # a flat sky, which the mode's rounding may miss
            break
        kept = kept_range(ascending, first, last, mode - n_sigma * sigma, mode + n_sigma * sigma)
        if kept[0] == first and kept[1] == last:
            break
        first, last = kept
    return first, last


@compiled
def one_sigma_above_mode(ascending: NDArray[np.float64]) -> float:
    """Mode plus standard deviation of what a clip at 3 sigma about the mode leaves of sorted values; NaN of none."""
    first, last = clipped_about_mode(ascending, 3.0)
    if first == last:
        return math.nan
    mean = mean_of(ascending, first, last)
    mode = 2.5 * median_of_sorted(ascending, first, last) - 1.5 * mean
    return mode + standard_deviation(ascending, first, last, mean)
