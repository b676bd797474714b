"""Squared maximum mean discrepancy with the cubic kernel, unbiased, of many draws in one pass over all pairs."""

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress

Features = NDArray[np.floating]
Floats = NDArray[np.float64]
Counts = NDArray[np.int16]

ROWS_AT_ONCE = 1024


def kernel_distance(first: Features, second: Features) -> float:
    """Squared maximum mean discrepancy with the kernel (x.y / d + 1)^3, the unbiased estimate of all pairs.

    Bińkowski et al. (2018), eq. 4 (Gretton et al. 2012, lemma 6); of Inception's features it is the KID. It is negative
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
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise InputError(
            f"features have shapes {first.shape} and {second.shape}; wanted two tables with the same columns"
        )
    if min(len(first), len(second)) < 2:
        raise InputError(
            f"sets of features have {len(first)} and {len(second)} rows; pairs want 2 or more of each"
        )
    counts = np.concatenate([np.ones(len(first)), -np.ones(len(second))]).astype(np.int16)
    return float(kernel_distances(first, second, counts[np.newaxis])[0])


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
            kernel = (here @ _rows(first, second, other).T / first.shape[1] + 1.0) ** 3
            if other == start:
                np.fill_diagonal(kernel, 0.0)
            _add_pairs(sums, kernel, left, _both_sides(counts, other), is_diagonal=other == start)
        progress(ProgressEvent("kernel distance", min(start + ROWS_AT_ONCE, total), total, "galaxies"))
    n_positive, n_negative = (counts > 0).sum(axis=1), (counts < 0).sum(axis=1)
    return (
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
