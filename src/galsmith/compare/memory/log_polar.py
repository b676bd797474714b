"""Images as rings and rays around their light: likeness whatever the gain, gamma, turn, mirror and zoom."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from galsmith.compare.memory.nearest import Stretch, rim_of
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress, one_thread
from galsmith.images import ImageSet
from galsmith.images.resample import resize_linear

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Rows = NDArray[np.int64]
Spectra = NDArray[np.complex64]

# On 88 px pictures of EFIGI 20 rings, 64 rays and 16 modes told copies as well as twice as many.
SIDE_PIX, N_RINGS, N_RAYS, N_MODES = 64, 20, 64, 16
# From where single pixels no longer decide to where turned squares have corners; as shares of the side.
INNER, OUTER = 0.034, 0.45
STEP = float(np.log(OUTER / INNER) / (N_RINGS - 1))  # 0.136: five zooms cover 0.76 to 1.31.
RINGS_MOVED = (-2, -1, 0, 1, 2)
SMOOTHING_PIX = 0.9  # Survives resampling to other pixels.
SOFTENING = 3.0  # In noise, as in `nearest`.
# Fields are whole gray levels: less than one is not told from the sky, whose own noise may be a hundredth of that here.
LEAST_FIELD_NOISE = 1 / SOFTENING
# The window of the center, as a share of the side, and its steps (Bertin's windowed positions take 5 to 10).
WINDOW, CENTERINGS, MOST_OFF = 0.125, 12, 0.2
# 128 KB of each product at once, which stay in the cache, and 10 MB of spectra of pairs.
QUERIES_AT_ONCE, POINTS_AT_ONCE, PAIRS_AT_ONCE, IMAGES_AT_ONCE = 64, 512, 2048, 128
ROUNDING = 1e-5  # Of sums in single precision.
FAINTEST_MODE = 1e-3


@dataclass(frozen=True)
class Likest:
    """The points that are most like each query.

    Attributes
    ----------
    rows : ndarray [query, rank], int64
        Of the points, the likest first.
    unexplained : ndarray [query, rank], float64
        Share of the query's power that the point does not explain, 0 for a copy.
    """

    rows: Rows
    unexplained: Floats


@dataclass(frozen=True)
class Pose:
    """How an image lies to another one.

    Attributes
    ----------
    turn_deg : float
        Counter-clockwise, after the mirror.
    zoom : float
        Above 1 where the image is larger.
    is_mirrored : bool
        Whether y was flipped first.
    """

    turn_deg: float
    zoom: float
    is_mirrored: bool


def log_polar_spectra(images: ImageSet, stretch: Stretch, *, workers: int = 1) -> Spectra:
    """Describe images by the angular modes of rings around their light, their radii in equal ratios.

    A turn changes the phase of mode m by m times the angle, a mirror conjugates, a zoom moves rings. The stretch is
    arcsinh, in which a gain adds and a gamma multiplies; the mean of a ring, which all galaxies have alike, is no mode.

    Parameters
    ----------
    images : ImageSet
        Sizes may differ; finite.
    stretch : Stretch
        Of the training set, which gives the noise, for fields of at least a third of a gray level; the sky is each
        image's own.
    workers : int
        Threads; no number depends on how many.

    Returns
    -------
    ndarray [galaxy, band, ring, mode], complex64
        Modes 1 to 16.
    """
    found = np.empty((len(images), len(images.header.bands), N_RINGS, N_MODES), dtype=np.complex64)
    least = LEAST_FIELD_NOISE if images.header.shows_fields else 0.0
    noise = np.maximum(stretch.noise, least)[:, None, None]

    def describe(start: int) -> None:
        """Fill in the images of one chunk."""
        rows = np.arange(start, min(start + IMAGES_AT_ONCE, len(images)))
        pictures = np.stack([_sized(image) for image in images.pixels.read(rows)])
        # A dimmed copy has a dimmed sky.
        light = pictures - np.median(rim_of(pictures), axis=-1)[..., None, None]
        stretched = np.arcsinh(light / (SOFTENING * noise))
        smooth = ndimage.gaussian_filter(stretched, (0, 0, SMOOTHING_PIX, SMOOTHING_PIX), mode="nearest")
        if images.header.shows_fields:
            smooth = _autocorrelations(smooth)
            centers = np.full((len(rows), 2), float(SIDE_PIX // 2))
        else:
            centers = _centers(light.sum(axis=1))
        rings = _rings(smooth, centers)
        found[rows] = fft.rfft(rings, axis=-1)[..., 1 : N_MODES + 1] * _ring_weights()

    with ThreadPoolExecutor(max(workers, 1)) as pool:
        list(pool.map(describe, range(0, len(images), IMAGES_AT_ONCE)))
    return found


def whitening_of(spectra: Spectra) -> Singles:
    """Weights [mode], float32, by which all modes have the same mean power in a set, the training set.

    Else the ellipse, mode 2, would decide: all elliptical galaxies are alike.
    """
    power = np.sqrt((np.abs(spectra) ** 2).mean(axis=(0, 1, 2), dtype=np.float64))
    # Modes that noiseless ellipses do not have are left at what interpolation makes.
    floor = FAINTEST_MODE * float(power.max(initial=0.0))
    return (1.0 / np.maximum(power, floor if floor > 0 else 1.0)).astype(np.float32)


def likest_rows(
    queries: Spectra,
    points: Spectra,
    *,
    ranks: int,
    rings_moved: tuple[int, ...] = RINGS_MOVED,
    is_same_set: bool = False,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> Likest:
    """Find the points most like every query, over all turns, both mirrors and some zooms.

    The largest normalized correlation r over these leaves 1 - r^2 of the query's power unexplained. The amplitudes of the
    modes add to no less than r, and need no search over turns: turned are only pairs that may be among the likest. What is
    found is what all pairs would give. 1,000 queries, 2,000 points and five zooms take 1.2 s on one core.

    Parameters
    ----------
    queries, points : ndarray [galaxy, band, ring, mode], complex64
        From `log_polar_spectra`, times the weights of `whitening_of`.
    ranks : int
        How many points are kept of each query.
    rings_moved : tuple of int
        Zooms, in steps of 0.136 in the logarithm.
    is_same_set : bool
        Whether queries are the points: then none counts as like itself.
    workers : int
        Threads; no number depends on how many.
    progress : callable
        Told after each block of queries.
    """
    ranks = min(ranks, len(points) - is_same_set)
    rows = np.empty((len(queries), ranks), dtype=np.int64)
    unexplained = np.empty((len(queries), ranks))
    # Without a zoom first: where the likest are found so, few others need to be turned.
    both = [_moved(moved) for moved in sorted(rings_moved, key=abs)]
    zooms = [(ours, _Rings.of(points, theirs)) for ours, theirs in both]

    def search(start: int) -> tuple[slice, Singles]:
        """Correlate some queries with the points."""
        here = slice(start, min(start + QUERIES_AT_ONCE, len(queries)))
        sides = [(_Rings.of(queries[here], rings), theirs) for rings, theirs in zooms]
        return here, _correlations(sides, ranks, here.start if is_same_set else None)

    # Products of matrices and sums leave the interpreter to other threads.
    with one_thread(), ThreadPoolExecutor(max(workers, 1)) as pool:
        for here, products in pool.map(search, range(0, len(queries), QUERIES_AT_ONCE)):
            best = np.argpartition(products, products.shape[1] - ranks, axis=1)[:, -ranks:]
            likeness = np.take_along_axis(products, best, axis=1)
            order = np.argsort(-likeness, axis=1, kind="stable")
            rows[here] = np.take_along_axis(best, order, axis=1)
            unexplained[here] = 1.0 - np.clip(np.take_along_axis(likeness, order, axis=1), 0.0, 1.0) ** 2
            progress(ProgressEvent("looking for copies", here.stop, len(queries), "images"))
    return Likest(rows, unexplained)


def pose_of(query: Spectra, point: Spectra) -> Pose:
    """Say how a query [band, ring, mode] lies to a point that it is like."""
    best, pose = -np.inf, Pose(0.0, 1.0, is_mirrored=False)
    for moved in RINGS_MOVED:
        ours, theirs = (side[:, rings] for side, rings in zip((query, point), _moved(moved), strict=True))
        scale = float(np.sqrt((np.abs(ours) ** 2).sum() * (np.abs(theirs) ** 2).sum()))
        for is_mirrored in (False, True):
            # sum over m of F_m conj(G_m) e^(i m t) is largest at the turn t.
            product = (ours * (theirs if is_mirrored else theirs.conj())).sum(axis=(0, 1))
            over_turns = fft.irfft(np.concatenate([[0.0], product]), n=N_RAYS)
            if scale > 0 and over_turns.max() / scale > best:
                best = float(over_turns.max() / scale)
                turn = 360.0 * int(over_turns.argmax()) / N_RAYS
                pose = Pose(turn, float(np.exp(moved * STEP)), is_mirrored)
    return replace(pose, turn_deg=(pose.turn_deg + 180.0) % 360.0 - 180.0)


def _sized(image: Singles) -> Floats:
    """Bring an image to the common size; one that has it keeps its pixels."""
    is_right = image.shape[-2:] == (SIDE_PIX, SIDE_PIX)
    return np.asarray(image if is_right else resize_linear(image, SIDE_PIX), dtype=np.float64)


def _centers(light: Floats) -> Floats:
    """Centers [galaxy, (y, x)] of the light in a Gaussian window that follows them (as SExtractor's XWIN_IMAGE)."""
    places = np.arange(light.shape[-1], dtype=np.float64)
    middle, most = (light.shape[-1] - 1) / 2, MOST_OFF * light.shape[-1]
    width = WINDOW * light.shape[-1]
    light = np.clip(light, 0.0, None)
    centers = np.full((len(light), 2), middle)
    for _ in range(CENTERINGS):
        windows = np.exp(-0.5 * ((places - centers[..., np.newaxis]) / width) ** 2)
        columns = np.einsum("gy,gyx->gx", windows[:, 0], light)
        total = np.einsum("gx,gx->g", columns, windows[:, 1])
        lines = np.einsum("gyx,gx->gy", light, windows[:, 1]) * windows[:, 0]
        means = np.stack([lines @ places, (columns * windows[:, 1]) @ places], axis=1)
        is_lit = total > 0
        # Twice the step, for the window halves it for light as wide as itself.
        step = np.where(is_lit[:, None], means / np.where(is_lit, total, 1.0)[:, None] - centers, 0.0)
        centers = np.clip(centers + 1.5 * step, middle - most, middle + most)
    return centers


def _autocorrelations(pictures: Floats) -> Floats:
    """Correlate pictures [field, band, y, x] with themselves, lag 0 at ``side // 2``: wherever the sources were moved to.

    Fields have no center; the lags between their sources turn and mirror with them, and do not know of shifts.
    """
    side = pictures.shape[-1]
    light = pictures - pictures.mean(axis=(-2, -1), keepdims=True)
    power = np.abs(fft.rfft2(light, s=(2 * side, 2 * side))) ** 2  # framed, so that no lag wraps around
    lags = fft.fftshift(fft.irfft2(power, s=(2 * side, 2 * side)), axes=(-2, -1))
    middle: Floats = lags[..., side // 2 : side // 2 + side, side // 2 : side // 2 + side]
    return middle


def _rings(pictures: Floats, centers: Floats) -> Singles:
    """Sample pictures [galaxy, band, y, x] on rings [galaxy, band, ring, ray] by bilinear interpolation."""
    side = pictures.shape[-1]
    radii = side * INNER * np.exp(STEP * np.arange(N_RINGS))
    rays = 2 * np.pi * np.arange(N_RAYS) / N_RAYS
    circle = np.stack([np.outer(radii, np.sin(rays)), np.outer(radii, np.cos(rays))])
    at = np.clip(centers[:, :, None, None] + circle, 0.0, side - 1.0)
    low = np.minimum(at.astype(np.int64), side - 2)
    part = at - low
    galaxy = np.arange(len(pictures))[:, None, None]
    corners = (
        (pictures[galaxy, :, low[:, 0] + down, low[:, 1] + right], down, right)
        for down in (0, 1)
        for right in (0, 1)
    )
    found = np.zeros((*at[:, 0].shape, pictures.shape[1]))
    for values, down, right in corners:
        weight = np.abs(1 - down - part[:, 0]) * np.abs(1 - right - part[:, 1])
        found += values * weight[..., None]
    return np.moveaxis(found, -1, 1).astype(np.float32)


def _ring_weights() -> Singles:
    """Weights [ring, 1]: power goes with the radius, between equal weight of rings and of areas."""
    return np.exp(0.5 * STEP * (np.arange(N_RINGS) - N_RINGS + 1))[:, np.newaxis].astype(np.float32)


def _moved(moved: int) -> tuple[slice, slice]:
    """Rings of the query and of the point that show the same part of a galaxy."""
    return slice(max(moved, 0), N_RINGS + min(moved, 0)), slice(max(-moved, 0), N_RINGS + min(-moved, 0))


@dataclass(frozen=True)
class _Rings:
    """Some rings of images, mode by mode.

    Attributes
    ----------
    values : ndarray [mode, image, band and ring], complex64
        What they hold.
    real, imaginary : ndarray [mode, image, band and ring], float32
        The same in two parts.
    lengths : ndarray [image], float32
        Root of the power in all of them; infinite where there is none.
    """

    values: Spectra
    real: Singles
    imaginary: Singles
    lengths: Singles

    @classmethod
    def of(cls, spectra: Spectra, rings: slice) -> "_Rings":
        """Take some rings."""
        ordered = np.moveaxis(spectra[:, :, rings], -1, 0).reshape(N_MODES, len(spectra), -1)
        lengths = np.sqrt((np.abs(ordered) ** 2).sum(axis=(0, 2)))
        return cls(
            np.ascontiguousarray(ordered),
            np.ascontiguousarray(ordered.real),
            np.ascontiguousarray(ordered.imag),
            np.where(lengths > 0, lengths, np.inf).astype(np.float32),
        )


def _correlations(sides: Sequence[tuple[_Rings, _Rings]], ranks: int, itself: int | None) -> Singles:
    """Largest normalized correlation [query, point] over turns, mirrors and the zooms that sides are given at.

    Of the likest `ranks` points of each query; others have theirs, or -1. Query k is point `itself` + k, if that is given.
    """
    shape = len(sides[0][0].lengths), len(sides[0][1].lengths)
    best = np.full(shape, -1.0, dtype=np.float32)
    for place, (queries, points) in enumerate(sides):
        bounds = _bounds(queries, points)
        if itself is not None:
            own = np.arange(shape[0])
            bounds[own, itself + own] = -1.0
        if place == 0:
            # The most promising ones first, so that there is something to be below of.
            promising = np.argpartition(bounds, shape[1] - ranks, axis=1)[:, -ranks:]
            _turn(best, queries, points, (np.repeat(np.arange(shape[0]), ranks), promising.ravel()))
        kept = np.partition(best, shape[1] - ranks, axis=1)[:, shape[1] - ranks]
        _turn(best, queries, points, np.nonzero(bounds > kept[:, np.newaxis] - ROUNDING))
    return best


def _bounds(queries: _Rings, points: _Rings) -> Singles:
    """Sum of the amplitudes of all modes [query, point], the larger of both mirrors: no turn correlates by more."""
    n_points = len(points.lengths)
    bounds = np.empty((len(queries.lengths), n_points), dtype=np.float32)
    for start in range(0, n_points, POINTS_AT_ONCE):
        here = slice(start, min(start + POINTS_AT_ONCE, n_points))
        sums = np.zeros((2, len(bounds), here.stop - here.start), dtype=np.float32)
        scratch = np.empty((6, *sums.shape[1:]), dtype=np.float32)
        for mode in range(N_MODES):
            ours = queries.real[mode], queries.imaginary[mode]
            theirs = points.real[mode, here].T, points.imaginary[mode, here].T
            _add_amplitudes(sums, scratch, ours, theirs)
        np.maximum(sums[0], sums[1], out=bounds[:, here])
    bounds /= queries.lengths[:, np.newaxis] * points.lengths
    return bounds


def _add_amplitudes(
    sums: Singles, scratch: Singles, ours: tuple[Singles, Singles], theirs: tuple[Singles, Singles]
) -> None:
    """Add the amplitudes of one mode's products to sums [as it is or mirrored, query, point], without new memory.

    Both sides are given as real and imaginary parts, [query, ring] and [ring, point].
    """
    ac, bd, bc, ad = (scratch[place] for place in range(4))
    total, square = scratch[4], scratch[5]
    for out, (our_part, their_part) in zip((ac, bd, bc, ad), ((0, 0), (1, 1), (1, 0), (0, 1)), strict=True):
        np.matmul(ours[our_part], theirs[their_part], out=out)
    # F conj(G) = (ac + bd) + i (bc - ad), and mirrored F G = (ac - bd) + i (bc + ad).
    for place, cosine, sine in ((0, np.add, np.subtract), (1, np.subtract, np.add)):
        cosine(ac, bd, out=total)
        np.multiply(total, total, out=total)
        sine(bc, ad, out=square)
        np.multiply(square, square, out=square)
        total += square
        sums[place] += np.sqrt(total, out=total)


def _turn(best: Singles, queries: _Rings, points: _Rings, pairs: tuple[Rows, ...]) -> None:
    """Raise the best [query, point] of some pairs, rows of either side, to their largest correlation over turns."""
    for start in range(0, len(pairs[0]), PAIRS_AT_ONCE):
        ours, theirs = (rows[start : start + PAIRS_AT_ONCE] for rows in pairs)
        first, second = queries.values[:, ours], points.values[:, theirs]
        scale = queries.lengths[ours] * points.lengths[theirs]
        for mirrored in (second.conj(), second):
            products = np.zeros((len(ours), N_MODES + 1), dtype=np.complex64)
            products[:, 1:] = np.einsum("mpr,mpr->pm", first, mirrored)
            # The transform divides by its length and counts each mode twice.
            over_turns = fft.irfft(products, n=N_RAYS, axis=1).max(axis=1) * np.float32(N_RAYS / 2) / scale
            best[ours, theirs] = np.maximum(best[ours, theirs], over_turns)
