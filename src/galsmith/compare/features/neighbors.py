"""Nearest neighbors of every galaxy of two sets, exact, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Neighbors = NDArray[np.int32]

ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Neighborhoods:
    """Balls around the galaxies of one set, out to their k-th neighbor there, and what lies in them.

    Attributes
    ----------
    inside : ndarray [row of the other set], int64
        In how many balls a galaxy of the other set lies.
    is_reached : ndarray [row of this set], bool
        Whether the ball of a galaxy holds any galaxy of the other set.
    nearest : ndarray [row of this set, neighbor], int32
        The nearest galaxies of both sets together, the nearest first and itself left out; rows of the second
        set follow those of the first.
    nearest_own : ndarray [row of this set, neighbor], int32
        The nearest galaxies of this set, as rows of it.
    """

    inside: NDArray[np.int64]
    is_reached: NDArray[np.bool_]
    nearest: Neighbors
    nearest_own: Neighbors


def neighborhoods(
    points: Floats, n_first: int, *, k: int, listed: int
) -> tuple[Neighborhoods, Neighborhoods]:
    """Find the neighborhoods of both sets.

    Parameters
    ----------
    points : ndarray [row, feature], float64
        Of both sets, the first set's before the second's.
    n_first : int
        Rows of the first set; both have more than `k`.
    k : int
        Which neighbor a ball reaches to.
    listed : int
        How many nearest neighbors are listed, fewer where there are fewer.
    """
    centered = points - points.mean(axis=0)
    squares = (centered**2).sum(axis=1)
    sides = slice(0, n_first), slice(n_first, len(points))
    first, second = (
        _of_one_side(_squared_distances(centered, squares, own), own, other, len(points), k=k, listed=listed)
        for own, other in (sides, sides[::-1])
    )
    return first, second


def _squared_distances(points: Floats, squares: Floats, own: slice) -> Iterator[Floats]:
    """Squared distances of a block of one side's rows to all rows; infinite to itself."""
    for start in range(own.start, own.stop, ROWS_AT_ONCE):
        here = slice(start, min(start + ROWS_AT_ONCE, own.stop))
        block = squares[here, None] - 2 * (points[here] @ points.T) + squares
        np.maximum(block, 0.0, out=block)
        block[np.arange(here.stop - start), np.arange(start, here.stop)] = np.inf
        yield block


def _of_one_side(
    blocks: Iterator[Floats], own: slice, other: slice, n_points: int, *, k: int, listed: int
) -> Neighborhoods:
    """Put the blocks of one side together."""
    inside = np.zeros(other.stop - other.start, dtype=np.int64)
    reached, nearest, nearest_own = [], [], []
    for block in blocks:
        radii = np.partition(block[:, own], k - 1, axis=1)[:, k - 1, None]
        within = block[:, other] <= radii
        inside += within.sum(axis=0)
        reached.append(within.any(axis=1))
        nearest.append(_nearest(block, min(listed, n_points - 1)))
        nearest_own.append(_nearest(block[:, own], min(listed, own.stop - own.start - 1)))
    return Neighborhoods(
        inside, np.concatenate(reached), np.concatenate(nearest), np.concatenate(nearest_own)
    )


def _nearest(distances: Floats, listed: int) -> Neighbors:
    """Positions of the smallest entries of each row, ascending."""
    some = np.argpartition(distances, listed - 1, axis=1)[:, :listed]
    order = np.argsort(np.take_along_axis(distances, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1).astype(np.int32)
