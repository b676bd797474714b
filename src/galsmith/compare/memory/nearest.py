"""Images pixel by pixel: small stretched pictures, and the nearest of them over the turns of a square, exact."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageSet
from galsmith.images.resample import resize_linear

Floats = NDArray[np.float64]
Features = NDArray[np.float32]
Pixels = NDArray[np.float32]
Rows = NDArray[np.int64]

FLIP_X, FLIP_Y, TRANSPOSE = 1, 2, 4
N_TURNS = 8
# A flip followed by the transposition is a quarter turn, which the other flip undoes.
TURN_BACK = np.array([0, 1, 2, 3, 4, 6, 5, 7])

# Queries and points of one matrix product; 8 MB of products in single precision.
QUERIES_AT_ONCE, POINTS_AT_ONCE = 2048, 1024
# How many of the best by single precision are measured again in double precision.
CANDIDATES = 4
SIDE_PIX = 32
RIM_PIX = 2
# Brightness where the stretch turns from linear to logarithmic, and light that counts for the center, in noise.
SOFTENING, BRIGHT = 3.0, 3.0
# How far the center may lie from the middle, as a share of the side.
MOST_OFF_CENTER = 0.125
MOST_IMAGES_FOR_NOISE = 2000
TO_SIGMA = 1.4826


@dataclass(frozen=True)
class Stretch:
    """What turns brightness into the value that is compared: arcsinh((brightness - sky) / (3 noise)).

    Attributes
    ----------
    sky, noise : ndarray [band], float64
        Medians over the images of median and scatter (1.4826 MAD) of the two outermost pixels of pictures
        of `side_pix`, in the images' unit.
    side_pix : int
        Of the pictures.
    """

    sky: Floats
    noise: Floats
    side_pix: int


def stretch_of(images: ImageSet, *, side_pix: int = SIDE_PIX) -> Stretch:
    """Find sky and noise of a set, which is the training set, and then serves all sets.

    Parameters
    ----------
    images : ImageSet
        One or more; 2,000 of them are enough.
    side_pix : int
        Of the pictures.

    Raises
    ------
    SettingsError
        If `side_pix` is too small.
    InputError
        If there is no image, or a band is the same everywhere or not finite.
    """
    least = 2 * RIM_PIX + 4
    if side_pix < least:
        raise SettingsError(argument="side_pix", came=side_pix, wanted=f"{least} or more (32 is usual)")
    name = images.path or "training"
    if len(images) == 0:
        raise InputError(f"{name}: holds no image; wanted one or more to find sky and noise")
    step = -(-len(images) // MOST_IMAGES_FOR_NOISE)
    looked_at = images.select(np.arange(0, len(images), step))
    pictures = np.stack(
        [resize_linear(image, side_pix) for _, chunk in looked_at.chunks(256) for image in chunk],
        dtype=np.float64,
    )
    rim = rim_of(pictures)
    levels = np.median(rim, axis=-1)
    scatter = TO_SIGMA * np.median(np.abs(rim - levels[..., np.newaxis]), axis=-1)
    sky, noise = np.median(levels, axis=0), np.median(scatter, axis=0)
    # Noiseless simulations have a rim of zeros: there a thousandth of the bright pixels takes its place.
    brightest = np.percentile(np.abs(pictures - sky[:, None, None]), 99, axis=(0, 2, 3))
    noise = np.where(noise > 1e-6 * brightest, noise, 1e-3 * brightest)
    faulty = np.flatnonzero(~((noise > 0) & np.isfinite(noise) & np.isfinite(sky)))
    if len(faulty):
        raise InputError(
            f"{name}: band {images.header.bands[faulty[0]]} is the same in all pixels or not finite; "
            "wanted images with light"
        )
    return Stretch(sky, noise, side_pix)


def rim_of(pictures: Floats) -> Floats:
    """Take the two outermost pixels all around, [..., pixel] of [..., y, x]."""
    is_rim = np.ones(pictures.shape[-2:], dtype=bool)
    is_rim[RIM_PIX:-RIM_PIX, RIM_PIX:-RIM_PIX] = False
    rim: Floats = pictures[..., is_rim]
    return rim


def pixels_of(images: ImageSet, *, side_pix: int = SIDE_PIX, stretch: Stretch | None = None) -> Pixels:
    """Turn images into small pictures that can be compared pixel by pixel.

    Each image is resampled to a square with the center of its bright light in the middle, so that a copy that was
    moved a little is found too, and stretched. Turning an image turns its picture.

    Parameters
    ----------
    images : ImageSet
        Sizes may differ; all show the same extent of sky.
    side_pix : int
        Of the pictures; taken from `stretch` where that is given.
    stretch : Stretch, optional
        Of the training set, which all sets that are compared must share; else that of these images.

    Returns
    -------
    ndarray [galaxy, band, y, x], float32
        Dimensionless; an image with pixels that are not finite has some here.

    Raises
    ------
    SettingsError, InputError
        As `stretch_of`; and if the stretch is of another number of bands.
    """
    shared = stretch_of(images, side_pix=side_pix) if stretch is None else stretch
    if len(shared.sky) != len(images.header.bands):
        raise InputError(
            f"{images.path or 'images'}: {len(images.header.bands)} bands ({', '.join(images.header.bands)}) for a "
            f"stretch of {len(shared.sky)}; wanted the bands of the training set"
        )
    found = np.empty(
        (len(images), len(images.header.bands), shared.side_pix, shared.side_pix), dtype=np.float32
    )
    for rows, chunk in images.chunks(256):
        found[rows] = [_picture(image, shared) for image in chunk]
    return found


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


def _picture(image: Pixels, stretch: Stretch) -> Pixels:
    """Resample one image around the center of its light, and stretch it."""
    sky, noise = stretch.sky[:, None, None], stretch.noise[:, None, None]
    side = stretch.side_pix
    plain = (resize_linear(image, side) - sky) / noise
    down, right = _center(plain.sum(axis=0) / np.sqrt(len(plain)))
    vertical, horizontal = (
        _shifted_weights(count, side, shift)
        for count, shift in zip(image.shape[-2:], (down, right), strict=True)
    )
    resampled = vertical @ image.astype(np.float64) @ horizontal.T
    # Lupton et al. (1999): linear in the noise, logarithmic in bright light.
    return np.arcsinh((resampled - sky) / (SOFTENING * noise)).astype(np.float32)


def _center(signal: Floats) -> tuple[float, float]:
    """Offset (y, x) of the bright light's center from the middle, in pixels; 0 where nothing is bright."""
    weights = np.clip(signal - BRIGHT, 0.0, None) ** 2
    offsets = np.arange(len(signal)) - (len(signal) - 1) / 2
    # Light of 3 noise more in one pixel counts as much as the middle itself: faint images stay where they are.
    total = weights.sum() + BRIGHT**2
    most = MOST_OFF_CENTER * len(signal)
    down, right = (
        float(np.clip((weights.sum(axis=axis) * offsets).sum() / total, -most, most)) for axis in (1, 0)
    )
    return down, right


def _shifted_weights(n_in: int, n_out: int, shift: float) -> Floats:
    """Weights [n_out, n_in] of linear interpolation around a middle that is `shift` output pixels off."""
    ratio = n_in / n_out
    centers = np.clip((np.arange(n_out) + 0.5 + shift) * ratio - 0.5, 0.0, n_in - 1.0)
    distance = np.abs(np.arange(n_in)[np.newaxis, :] - centers[:, np.newaxis]) / max(ratio, 1.0)
    weights = np.clip(1.0 - distance, 0.0, None)
    return weights / weights.sum(axis=1, keepdims=True)
