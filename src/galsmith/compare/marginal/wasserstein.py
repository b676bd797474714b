"""Wasserstein-1 distance between two samples of one number: on the line and on the circle, exact, in float64."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from galsmith.execution import available_cores

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Counts = NDArray[np.int16]


@dataclass(frozen=True)
class PooledValues:
    """Values of two sets, pooled and sorted once, so that any resampling of them needs no sorting.

    Attributes
    ----------
    order : ndarray [value], int64
        Row of each pooled value, ascending by value; rows of the second set follow those of the first.
        Rows that were not measured are absent.
    gaps : ndarray [value], float64
        Distance to the next value; the last is 0 on the line and closes the circle on a circle.
    is_circular : bool
        Whether the values are angles.
    """

    order: Rows
    gaps: Floats
    is_circular: bool = False


def wasserstein_distance(
    first: ArrayLike,
    second: ArrayLike,
    *,
    first_weights: ArrayLike | None = None,
    second_weights: ArrayLike | None = None,
) -> float:
    """Wasserstein-1 distance, the integral of ``|F1(x) - F2(x)|`` over x (Ramdas et al. 2017).

    Parameters
    ----------
    first, second : array_like [value], float64
        Finite numbers in one unit, at least one each.
    first_weights, second_weights : array_like [value], optional
        Not negative, not all zero; normalized to a sum of 1. Equal weights by default.

    Returns
    -------
    float
        In the unit of the values.

    Raises
    ------
    ValueError
        If an argument is empty, not one-dimensional, not finite, or has weights of another length.
    """
    pooled, weights = _pooled_with_weights(first, second, first_weights, second_weights, period=None)
    # The running sum of signed weights is F1 - F2 between two neighbors, and the gap is dx.
    return float(np.abs(np.cumsum(weights)) @ pooled.gaps)


def circular_wasserstein_distance(
    first: ArrayLike,
    second: ArrayLike,
    *,
    period: float,
    first_weights: ArrayLike | None = None,
    second_weights: ArrayLike | None = None,
) -> float:
    """Wasserstein-1 distance between angles: the least over all points where the circle can be cut.

    It is the integral of ``|F1 - F2 - c|`` over one period, with c the median of ``F1 - F2``
    (Werman et al. 1986; Delon et al. 2010).

    Parameters
    ----------
    first, second : array_like [value], float64
        Finite angles; any branch.
    period : float
        Of the angle, in its unit: pi for the orientation of an ellipse in radians.
    first_weights, second_weights : array_like [value], optional
        As in `wasserstein_distance`.

    Returns
    -------
    float
        In the unit of the angles, at most a fourth of the period for two uniform sets, half at worst.

    Raises
    ------
    ValueError
        As `wasserstein_distance`, and if `period` is not positive.
    """
    if not (np.isfinite(period) and period > 0):
        raise ValueError(f"period is {period}; wanted a positive number, such as numpy.pi for orientations")
    pooled, weights = _pooled_with_weights(first, second, first_weights, second_weights, period=period)
    return float(_circular_integral(np.cumsum(weights), pooled.gaps))


def pool_values(first: Floats, second: Floats, *, period: float | None = None) -> PooledValues:
    """Sort the values of two sets together; NaN and infinite ones are left out.

    Parameters
    ----------
    first, second : ndarray [row], float64
        One value a galaxy; `second` may be empty.
    period : float, optional
        Of an angle; None for values on a line.
    """
    values = np.concatenate([first, second])
    rows = np.flatnonzero(np.isfinite(values))
    kept = values[rows] if period is None else np.mod(values[rows], period)
    ascending = np.argsort(kept, kind="stable")
    ordered = kept[ascending]
    if period is None or not ordered.size:
        return PooledValues(rows[ascending], np.diff(ordered, append=ordered[-1:]))
    # The gap that closes the circle.
    return PooledValues(rows[ascending], np.diff(ordered, append=ordered[0] + period), is_circular=True)


def replicate_distances(pooled: PooledValues, counts: Counts) -> tuple[Floats, Floats]:
    """Distances between many resampled pairs of sets.

    Parameters
    ----------
    pooled : PooledValues
        The values of all rows.
    counts : ndarray [replicate, row], int16
        How often a row is drawn: positive counts form one set, negative ones the other.

    Returns
    -------
    distances : ndarray [replicate], float64
        NaN where a set has no measured row.
    totals : ndarray [replicate, 2], float64
        How many measured rows each of the two sets has.
    """
    distances = np.empty(len(counts))
    totals = np.empty((len(counts), 2))
    kernel = _circular_replicates if pooled.is_circular else _linear_replicates
    kernel(pooled.order, pooled.gaps, counts, distances, totals)
    return distances, totals


def joint_replicates(columns: Sequence[PooledValues], counts: Counts) -> tuple[Floats, Floats]:
    """Distances of many properties between many resampled pairs of sets, all from the same draws.

    The same numbers as `replicate_distances` gives one property at a time, to rounding, and several times as
    fast: replicates lie side by side in memory, and properties are shared out among the processor's cores.

    Parameters
    ----------
    columns : sequence of PooledValues
        One a property, of the same rows.
    counts : ndarray [replicate, row], int16
        As for `replicate_distances`.

    Returns
    -------
    distances : ndarray [replicate, property], float64
        NaN where a set has no measured row.
    totals : ndarray [replicate, property, 2], float64
        How many measured rows each of the two sets has.
    """
    drawn = drawn_by_row(counts)
    distances = np.empty((len(columns), len(counts)))
    totals = np.empty((len(columns), 2, len(counts)))

    def fill(position: int) -> None:
        pooled = columns[position]
        if pooled.is_circular:
            distances[position], totals[position] = (found.T for found in replicate_distances(pooled, counts))
            return
        totals[position] = drawn.measured(pooled.order)
        shares = share_of_a_row(totals[position])
        _linear_by_row(pooled.order, pooled.gaps, drawn.by_row, shares, distances[position])

    # The kernel lets go of the interpreter's lock.
    with ThreadPoolExecutor(max(1, min(len(columns), available_cores()))) as pool:
        list(pool.map(fill, range(len(columns))))
    return distances.T.copy(), totals.transpose(2, 0, 1).copy()


class DrawnRows(NamedTuple):
    """Counts [row, draw] of rows, as narrow as they can be, and how many rows each draw has on each side [side, draw]."""

    by_row: NDArray[np.signedinteger[Any]]
    every: NDArray[np.int64]

    def measured(self, order: Rows) -> NDArray[np.int64]:
        """How many measured rows each draw has on each side, [side, draw]."""
        return self.every - _absent(order, self.by_row)


def drawn_by_row(counts: Counts) -> DrawnRows:
    """Turn counts [draw, row] so that the draws of a row lie side by side in memory."""
    # A row is hardly ever drawn more than 127 times; one byte a count is less to fetch.
    narrow = np.int8 if np.abs(counts).max(initial=0) <= np.iinfo(np.int8).max else np.int16
    return DrawnRows(np.ascontiguousarray(counts.astype(narrow).T), _drawn_in_all(counts))


def share_of_a_row(totals: NDArray[Any]) -> Floats:
    """Give what one row weighs in each set; NaN where a draw leaves a side without a measured row."""
    with np.errstate(divide="ignore"):
        return np.where(totals > 0, 1.0 / totals, np.nan)


def _absent(order: Rows, by_row: NDArray[np.signedinteger[Any]]) -> NDArray[np.int64]:
    """How often rows that were not measured are drawn on each side, [side, replicate]."""
    is_absent = np.ones(len(by_row), dtype=bool)
    is_absent[order] = False
    drawn = by_row[is_absent].astype(np.int64)
    return np.stack([np.maximum(drawn, 0).sum(axis=0), -np.minimum(drawn, 0).sum(axis=0)])


def _pooled_with_weights(
    first: ArrayLike,
    second: ArrayLike,
    first_weights: ArrayLike | None,
    second_weights: ArrayLike | None,
    *,
    period: float | None,
) -> tuple[PooledValues, Floats]:
    """Pool two checked sets and give each sorted value its signed weight."""
    values, weights = zip(
        _checked("first", first, first_weights), _checked("second", second, second_weights), strict=True
    )
    pooled = pool_values(*values, period=period)
    return pooled, np.concatenate([weights[0], -weights[1]])[pooled.order]


def _checked(name: str, values: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats]:
    """Values and normalized weights as float64 arrays."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise ValueError(
            f"{name} has shape {array.shape} with {np.count_nonzero(~np.isfinite(array))} values that are not finite; "
            "wanted a 1-D array of at least one finite number: leave out what was not measured"
        )
    if weights is None:
        return array, np.full(array.size, 1.0 / array.size)
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != array.shape or not np.isfinite(shares).all() or shares.min() < 0 or shares.sum() <= 0:
        raise ValueError(
            f"{name}_weights has shape {shares.shape} for values of shape {array.shape}; "
            "wanted one finite weight a value, none negative and not all zero"
        )
    return array, shares / shares.sum()


@numba.njit(cache=True, nogil=True)
def _circular_integral(running: Floats, gaps: Floats) -> float:
    """Integral of ``|running - c|`` with c the weighted median of `running`."""
    ascending = np.argsort(running)
    # Delon et al. (2010): the median of F1 - F2 over the circle, weighted by the gaps.
    half = 0.5 * gaps.sum()
    covered = 0.0
    median = 0.0
    for position in ascending:
        covered += gaps[position]
        median = running[position]
        if covered >= half:
            break
    total = 0.0
    for position in range(gaps.size):
        total += abs(running[position] - median) * gaps[position]
    return total


@numba.njit(cache=True, nogil=True)
def _side_totals(order: Rows, counts: Counts) -> tuple[float, float]:
    """How many measured rows are drawn on each side."""
    first = 0.0
    second = 0.0
    for row in order:
        count = counts[row]
        first += max(count, 0)
        second -= min(count, 0)
    return first, second


@numba.njit(cache=True, nogil=True)
def _linear_replicates(order: Rows, gaps: Floats, counts: Counts, distances: Floats, totals: Floats) -> None:
    """Fill `distances` and `totals` with one pass over the sorted values a replicate."""
    for replicate in range(counts.shape[0]):
        drawn = counts[replicate]
        first, second = _side_totals(order, drawn)
        totals[replicate, 0], totals[replicate, 1] = first, second
        if first == 0 or second == 0:
            distances[replicate] = np.nan
            continue
        per_first, per_second = 1.0 / first, 1.0 / second
        running = 0.0
        total = 0.0
        for position in range(order.size):
            count = drawn[order[position]]
            # Counts below 0 belong to the second set.
            running += count * (per_first if count > 0 else per_second)
            total += abs(running) * gaps[position]
        distances[replicate] = total


@numba.njit(cache=True, nogil=True)
def _drawn_in_all(counts: Counts) -> NDArray[np.int64]:
    """How many rows each replicate has on each side, [side, replicate]."""
    totals = np.zeros((2, counts.shape[0]), dtype=np.int64)
    for replicate in range(counts.shape[0]):
        first, difference = 0, 0
        for count in counts[replicate]:
            first += max(count, 0)
            difference += count
        # The sum of all counts is the first set's less the second's.
        totals[0, replicate], totals[1, replicate] = first, first - difference
    return totals


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _linear_by_row(
    order: Rows,
    gaps: Floats,
    by_row: NDArray[np.signedinteger[Any]],
    shares: Floats,
    distances: Floats,
) -> None:
    """Fill `distances` from counts [row, replicate]: one pass over the sorted values for all replicates.

    `shares` [side, replicate] is what one drawn row weighs on each side; NaN where a side has none. Two values at a
    time, so that the running sums are fetched and stored half as often.
    """
    n_replicates = by_row.shape[1]
    running, total = np.zeros(n_replicates), np.zeros(n_replicates)
    first, second = shares[0], shares[1]
    for position in range(0, order.size - 1, 2):
        gap, next_gap = gaps[position], gaps[position + 1]
        counts, next_counts = by_row[order[position]], by_row[order[position + 1]]
        for k in range(n_replicates):
            count, next_count = np.float64(counts[k]), np.float64(next_counts[k])
            level = running[k] + (max(count, 0.0) * first[k] + min(count, 0.0) * second[k])
            next_level = level + (max(next_count, 0.0) * first[k] + min(next_count, 0.0) * second[k])
            running[k] = next_level
            total[k] += abs(level) * gap + abs(next_level) * next_gap
    for k in range(n_replicates):  # of an odd number of values the last has no gap: it ends the line
        distances[k] = total[k] + 0.0 * (first[k] + second[k])  # NaN where a side has no row


@numba.njit(cache=True, nogil=True)
def _circular_replicates(
    order: Rows, gaps: Floats, counts: Counts, distances: Floats, totals: Floats
) -> None:
    """As `_linear_replicates`, on the circle."""
    running = np.empty(order.size)
    for replicate in range(counts.shape[0]):
        drawn = counts[replicate]
        first, second = _side_totals(order, drawn)
        totals[replicate, 0], totals[replicate, 1] = first, second
        if first == 0 or second == 0:
            distances[replicate] = np.nan
            continue
        level = 0.0
        for position in range(order.size):
            count = drawn[order[position]]
            # As on the line; the constant is subtracted in the integral.
            level += count * (1.0 / first if count > 0 else 1.0 / second)
            running[position] = level
        distances[replicate] = _circular_integral(running, gaps)
