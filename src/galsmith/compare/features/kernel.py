"""Kernel distance: squared discrepancy with the cubic kernel, unbiased, of many draws in one pass, and its test."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.correction import LEAST_DEALS
from galsmith.compare.estimates import distance_statistic, permutation_p
from galsmith.compare.features.frechet import refuse_other_shapes
from galsmith.compare.intervals import student_ends
from galsmith.compare.records import Statistic
from galsmith.compare.resampling import (
    Chance,
    dealt_counts,
    half_sample,
    itself,
    size_of_parts,
    split_counts,
    stacked,
    subset,
)
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress

Features = NDArray[np.floating]
Floats = NDArray[np.float64]
Counts = NDArray[np.int16]
Rows = NDArray[np.int64]

ROWS_AT_ONCE = 1024
MOST_REPLICATES, MOST_SPLITS = 100, 100
N_SUBSETS, SUBSET_SIZE = 100, 1000


def kernel_distance(first: Features, second: Features) -> float:
    """Squared maximum mean discrepancy with the kernel (x.y / d + 1)^3, the unbiased estimate of all pairs.

    Bińkowski et al. (2018), after Gretton et al. (2012), lemma 6; of Inception's features it is the KID. It is negative
    about as often as positive where nothing differs.

    Parameters
    ----------
    first, second : ndarray [galaxy, feature], float
        Finite; at least 2 rows each.

    Raises
    ------
    InputError
        If the numbers of features differ, or a set has fewer than 2 rows.
    """
    refuse_other_shapes(first, second)
    return float(kernel_distances(first, second, itself(len(first), len(second))[np.newaxis])[0])


def kernel_distances(
    first: Features, second: Features, counts: Counts, *, progress: ProgressCallback = ignore_progress
) -> Floats:
    """Unbiased squared discrepancies of many choices of two sets out of all rows.

    Each block of the kernel's matrix is made once, multiplied with all choices, and dropped.

    Parameters
    ----------
    first, second : ndarray [galaxy, feature], float
        All rows, one set after the other; float64 only within a block.
    counts : ndarray [draw, row], int16
        1 for the rows of one set, -1 for those of the other, 0 for those in neither.
    progress : callable
        Told after each block of rows.

    Returns
    -------
    ndarray [draw], float64
    """
    total = len(first) + len(second)
    sums = np.zeros((3, len(counts)))
    for start in range(0, total, ROWS_AT_ONCE):
        here = _rows(first, second, start)
        left = _both_sides(counts, start)
        for other in range(start, total, ROWS_AT_ONCE):
            # Bińkowski et al. (2018): k(x, y) = (x.y / d + 1)^3.
            kernel = (here @ _rows(first, second, other).T / first.shape[1] + 1.0) ** 3
            if other == start:
                # Pairs of a row with itself do not count in the unbiased estimate.
                np.fill_diagonal(kernel, 0.0)
            _add_pairs(sums, kernel, left, _both_sides(counts, other), is_diagonal=other == start)
        progress(ProgressEvent("kernel distance", min(start + ROWS_AT_ONCE, total), total, "images"))
    n_positive, n_negative = (counts > 0).sum(axis=1), (counts < 0).sum(axis=1)
    return (
        # Gretton et al. (2012), lemma 6: means over ordered pairs within each set, less twice the mean over both.
        sums[0] / (n_positive * (n_positive - 1.0))
        + sums[1] / (n_negative * (n_negative - 1.0))
        - 2.0 * sums[2] / (n_positive * n_negative)
    )


def _add_pairs(sums: Floats, kernel: Floats, left: Floats, right: Floats, *, is_diagonal: bool) -> None:
    """Add a block to the sums over ordered pairs within each set and over pairs of both, [3, draw]."""
    n_draws = sums.shape[1]
    products = kernel @ right
    positive, negative = left[:, :n_draws], left[:, n_draws:]
    # A block off the diagonal stands for its mirror image too.
    mirrored = 1.0 if is_diagonal else 2.0
    sums[0] += mirrored * np.einsum("rd,rd->d", positive, products[:, :n_draws])
    sums[1] += mirrored * np.einsum("rd,rd->d", negative, products[:, n_draws:])
    sums[2] += np.einsum("rd,rd->d", positive, products[:, n_draws:])
    if not is_diagonal:
        sums[2] += np.einsum("rd,rd->d", negative, products[:, :n_draws])


def _rows(first: Features, second: Features, start: int) -> Floats:
    """Take some rows of both sets, one after the other, as float64."""
    stop = start + ROWS_AT_ONCE
    parts = [first[start:stop], second[max(start - len(first), 0) : max(stop - len(first), 0)]]
    return np.concatenate([part.astype(np.float64) for part in parts])


def _both_sides(counts: Counts, start: int) -> Floats:
    """Membership of some rows in the first sets of all draws, then in the second sets, [row, 2 draw]."""
    block = counts[:, start : start + ROWS_AT_ONCE].T
    return np.concatenate([block > 0, block < 0], axis=1).astype(np.float64)


def kernel_statistic(
    first: Features,
    second: Features,
    once: tuple[Rows, Rows] | None = None,
    *,
    chance: Chance,
    label: str,
    progress: ProgressCallback = ignore_progress,
) -> tuple[Statistic, tuple[float, float]]:
    """Kernel distance with interval, floor and test, and its mean and spread over subsets, all in one pass.

    Parameters
    ----------
    first, second : ndarray [galaxy, feature], float32
        The reference and the generated set; finite.
    once : tuple of ndarray [galaxy], int64, optional
        Rows of either set that are tested, where others are of the same galaxies; all where left out.
    chance : Chance
        Seed, draws and confidence; at most `MOST_REPLICATES` and `MOST_SPLITS` draws, and `LEAST_DEALS` deals or more.
    label : str
        What the distance is called.
    progress : callable
        Told after each block of rows.

    Returns
    -------
    statistic : Statistic
        Of all rows.
    subsets : tuple of float
        Mean and standard deviation over 100 pairs of subsets of 1,000, or of half the smaller set where it has fewer.
    """
    sizes = len(first), len(second)
    n_each = size_of_parts(*sizes)
    # Half of the smaller set where 1,000 are more than it has: subsets of all rows would not vary.
    subset_size = SUBSET_SIZE if min(sizes) >= SUBSET_SIZE else min(sizes) // 2
    tested = _tested_rows(sizes, once)
    draws = _draws(sizes, n_each, subset_size, tested, chance)
    distances = kernel_distances(first, second, np.concatenate(draws), progress=progress)
    value, tested_value, drawn, floor, dealt, subsets = np.split(
        distances, np.cumsum([len(block) for block in draws[:-1]])
    )
    # Where nothing differs the mean is 0 and the spread goes as 1/n + 1/m; what sampling alone makes is the mean size.
    floor = np.abs(floor) * (1 / sizes[0] + 1 / sizes[1]) * n_each / 2
    statistic = distance_statistic(
        float(value[0]),
        drawn=drawn,
        floor=floor,
        dealt=dealt,
        confidence=chance.confidence,
        name=label,
        definition=_kernel_definition(first.shape[1], subset_size),
        sizes=sizes,
        ends=student_ends(float(value[0]), drawn, chance.confidence),
    )
    # The value is of all images, as elsewhere; what tests it has each galaxy once.
    statistic = replace(statistic, p_value=float(permutation_p(tested_value, dealt[:, np.newaxis])[0]))
    return statistic, (float(subsets.mean()), float(subsets.std(ddof=1)))


def _tested_rows(sizes: tuple[int, int], once: tuple[Rows, Rows] | None) -> Counts:
    """Take the rows that are tested: 1 for the reference's, -1 for the generated set's, 0 for the others."""
    counts = itself(*sizes)
    if once is None:
        return counts
    is_tested = np.zeros(len(counts), dtype=bool)
    is_tested[once[0]] = True
    is_tested[sizes[0] + once[1]] = True
    return np.where(is_tested, counts, 0).astype(np.int16)


def _deals(tested: Counts, seed: int, count: int) -> Counts:
    """Deal the rows that are tested anew, [deal, row]."""
    rows = np.flatnonzero(tested)
    n_first = int((tested > 0).sum())
    dealt = np.zeros((count, len(tested)), dtype=np.int16)
    dealt[:, rows] = stacked(lambda number: dealt_counts(n_first, len(rows) - n_first, seed, number), count)
    return dealt


def _draws(
    sizes: tuple[int, int], n_each: int, subset_size: int, tested: Counts, chance: Chance
) -> tuple[Counts, ...]:
    """Choose rows for the value, the interval, the floor, the test and the subsets, [draw, row] each."""
    seed = chance.seed
    n_drawn, n_floor = min(chance.replicates, MOST_REPLICATES), min(chance.splits, MOST_SPLITS)
    parts = stacked(lambda split: split_counts(sizes[0], n_each, seed, split), n_floor)
    return (
        itself(*sizes)[np.newaxis],
        tested[np.newaxis],
        stacked(lambda number: half_sample(*sizes, seed, number), n_drawn),
        # No row of the generated set is in the floor.
        np.pad(parts, ((0, 0), (0, sizes[1]))),
        _deals(tested, seed, max(chance.permutations, LEAST_DEALS)),
        stacked(lambda number: subset(*sizes, subset_size, seed, number), N_SUBSETS),
    )


def _kernel_definition(n_features: int, subset_size: int) -> str:
    """Say what the kernel distance is and how it was resampled."""
    return (
        f"Squared maximum mean discrepancy with the kernel (x.y / {n_features} + 1)^3, unbiased, over all pairs (Bińkowski "
        "et al. 2018). Interval from random halves of both sets, floor the mean size (without sign) between parts of the "
        f"reference, p by dealing anew; subsets of {subset_size} a side."
    )
