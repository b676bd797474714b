"""The nearest training image of every image, exact, block by block, over the turns of a square."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress

Floats = NDArray[np.float64]
Features = NDArray[np.float32]
Rows = NDArray[np.int64]

FLIP_X, FLIP_Y, TRANSPOSE = 1, 2, 4
N_TURNS = 8
# A flip followed by the transposition is a quarter turn, which the other flip undoes.
TURN_BACK = np.array([0, 1, 2, 3, 4, 6, 5, 7])

# Queries and points of one matrix product; 8 MB of products in single precision.
QUERIES_AT_ONCE, POINTS_AT_ONCE = 2048, 1024
# How many of the best by single precision are measured again in double precision.
CANDIDATES = 4


@dataclass(frozen=True)
class Nearest:
    """The nearest of some points to each query.

    Attributes
    ----------
    row : ndarray [query], int64
        Of the points.
    distance : ndarray [query], float64
        Euclidean.
    turn : ndarray [query], int64
        Which turn of the point is nearest, 0 to 7 as in `turned`.
    """

    row: Rows
    distance: Floats
    turn: Rows


def turned(images: NDArray[np.generic], turn: int) -> NDArray[np.generic]:
    """Turn and mirror square images.

    Parameters
    ----------
    images : ndarray [..., y, x]
        Square.
    turn : int
        0 to 7: bit 0 flips x, bit 1 flips y, then bit 2 transposes.
    """
    images = images[..., ::-1] if turn & FLIP_X else images
    images = images[..., ::-1, :] if turn & FLIP_Y else images
    return np.swapaxes(images, -1, -2) if turn & TRANSPOSE else images


def turn_orders(shape: tuple[int, ...]) -> Rows:
    """Orders [turn, column] in which the flat pixels of an image are those of the turned image, int64.

    Parameters
    ----------
    shape : tuple of int
        (band, y, x) of a square image, which has eight turns; (feature,) has one.
    """
    columns = np.arange(int(np.prod(shape)), dtype=np.int64)
    if len(shape) == 1:
        return columns[np.newaxis]
    return np.stack([turned(columns.reshape(shape), turn).ravel() for turn in range(N_TURNS)]).astype(
        np.int64
    )


def nearest_rows(
    queries: Features,
    points: Features,
    *,
    leave_out: Rows | None = None,
    progress: ProgressCallback = ignore_progress,
) -> Nearest:
    """Find the nearest point of every query, for images over all turns.

    Products of matrices in single precision choose `CANDIDATES` points, whose distances are then taken in double
    precision: near copies keep their digits. Turning the query is as good as turning every point.

    Parameters
    ----------
    queries : ndarray [query, feature] or [query, band, y, x], float32
        Finite.
    points : ndarray [point, feature] or [point, band, y, x], float32
        Finite; two or more.
    leave_out : ndarray [query], int64, optional
        A row of the points that does not count, such as the query itself.
    progress : callable
        Told after each block of queries.
    """
    orders = turn_orders(points.shape[1:])
    # Symmetric under all turns, so that it may be taken from queries and points before these are turned.
    center = points.mean(axis=0, dtype=np.float64).ravel()[orders].mean(axis=0).astype(np.float32)
    center = center.reshape(points.shape[1:])
    found = []
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        here = slice(start, min(start + QUERIES_AT_ONCE, len(queries)))
        left_out = None if leave_out is None else leave_out[here]
        rows = _candidates(queries[here], points, center, left_out)
        found.append(_refined(queries[here], points, orders, rows, left_out))
        progress(ProgressEvent("memorization", here.stop, len(queries), "images"))
    return Nearest(
        np.concatenate([block.row for block in found]),
        np.concatenate([block.distance for block in found]),
        np.concatenate([block.turn for block in found]),
    )


def _candidates(queries: Features, points: Features, center: Features, leave_out: Rows | None) -> Rows:
    """Rows [query, candidate] of the points that seem nearest."""
    ways = _ways(queries - center)
    rows = np.empty((len(queries), 0), dtype=np.int64)
    scores = np.empty((len(queries), 0), dtype=np.float32)
    for start in range(0, len(points), POINTS_AT_ONCE):
        block = points[start : start + POINTS_AT_ONCE] - center
        flat = block.reshape(len(block), -1)
        # Half the squared distance is a term of the query's own less this.
        here = _best_products(ways, _parity_parts(block))
        here -= (0.5 * np.einsum("pc,pc->p", flat, flat, dtype=np.float64)).astype(np.float32)
        if leave_out is not None:
            inside = np.flatnonzero((leave_out >= start) & (leave_out < start + len(block)))
            here[inside, leave_out[inside] - start] = -np.inf
        best = _largest(here)
        rows = np.hstack([rows, best + start])
        scores = np.hstack([scores, np.take_along_axis(here, best, axis=1)])
        best = _largest(scores)
        rows, scores = np.take_along_axis(rows, best, axis=1), np.take_along_axis(scores, best, axis=1)
    return np.sort(rows, axis=1)


def _ways(queries: Features) -> list[list[Features]]:
    """Parts of the queries and, for images, of the transposed queries."""
    if queries.ndim == 2:
        return [_parity_parts(queries)]
    return [_parity_parts(queries), _parity_parts(np.swapaxes(queries, -1, -2))]


def _parity_parts(rows: Features) -> list[Features]:
    """Split images into what is even or odd in y and x: even-even, even-odd, odd-even, odd-odd, each flat."""
    if rows.ndim == 2:
        return [rows]
    halves = [part for half in _folded(rows, -2) for part in _folded(half, -1)]
    return [part.reshape(len(rows), -1) for part in halves]


def _folded(values: Features, axis: int) -> tuple[Features, Features]:
    """Even and odd part along an axis, half as long each; together they keep all lengths and angles."""
    values = np.moveaxis(values, axis, -1)
    half = values.shape[-1] // 2
    first, last = values[..., :half], values[..., ::-1][..., :half]
    middle = values[..., half : values.shape[-1] - half]
    scale = np.float32(np.sqrt(0.5))
    even = np.concatenate([(first + last) * scale, middle], axis=-1)
    return np.moveaxis(even, -1, axis), np.moveaxis((first - last) * scale, -1, axis)


def _best_products(ways: list[list[Features]], parts: list[Features]) -> Features:
    """Largest inner product [query, point] over the turns.

    A flip only changes signs of the parts, so that four products of a quarter of the pixels serve four turns: in all
    a quarter of the work of eight turns.
    """
    if len(parts) == 1:
        products: Features = ways[0][0] @ parts[0].T
        return products
    best = np.full((len(ways[0][0]), len(parts[0])), -np.inf, dtype=np.float32)
    for way in ways:
        even, first, second, odd = (ours @ theirs.T for ours, theirs in zip(way, parts, strict=True))
        # even + max(odd + |first + second|, |first - second| - odd), in place: new memory costs more than the sums.
        here = first + second
        np.abs(here, out=here)
        here += odd
        first -= second
        np.abs(first, out=first)
        first -= odd
        np.maximum(here, first, out=here)
        here += even
        np.maximum(best, here, out=best)
    return best


def _largest(scores: Features) -> Rows:
    """Columns of the largest entries of each row."""
    kept = min(CANDIDATES, scores.shape[1])
    columns: Rows = np.argpartition(scores, scores.shape[1] - kept, axis=1)[:, -kept:]
    return columns


def _refined(
    queries: Features, points: Features, orders: Rows, rows: Rows, leave_out: Rows | None
) -> Nearest:
    """Measure the candidates over all turns in double precision and take the nearest."""
    queries, points = queries.reshape(len(queries), -1), points.reshape(len(points), -1)
    squares = np.empty((len(queries), rows.shape[1], len(orders)))
    for turn, order in enumerate(orders):
        turned_queries = queries[:, order].astype(np.float64)
        for place in range(rows.shape[1]):
            difference = turned_queries - points[rows[:, place]]
            squares[:, place, turn] = np.einsum("qc,qc->q", difference, difference)
    if leave_out is not None:
        squares[rows == leave_out[:, np.newaxis]] = np.inf
    best = squares.reshape(len(queries), -1).argmin(axis=1)  # Over candidates and turns at once.
    every = np.arange(len(queries))
    place, turn_of_query = best // len(orders), best % len(orders)
    return Nearest(
        rows[every, place],
        np.sqrt(squares[every, place, turn_of_query]),
        TURN_BACK[turn_of_query].astype(np.int64),
    )
