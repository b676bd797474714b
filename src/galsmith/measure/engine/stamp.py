"""The stamp of one galaxy: how it is cut out of its image, and what every later step reads of it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine import flags
from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.segmentation.regions import bounding_box


class Stamp(NamedTuple):
    """One galaxy's cutout, made once and read by every later step.

    Attributes
    ----------
    pixels : ndarray [y, x], float64
        Flux per pixel, 0 where masked.
    raw : ndarray [y, x], float64
        The same cutout as it came, masked pixels too.
    galaxy : ndarray [y, x], float64
        `pixels` inside the galaxy's segment, 0 elsewhere.
    segment : ndarray [y, x], bool
        The galaxy's label, masked pixels taken out.
    occupied : ndarray [y, x], bool
        Any label, and the caller's mask (not the bad pixels): where no sky box may lie.
    mask : ndarray [y, x], bool
        Other labels, the caller's mask, pixels that are not finite, bad pixels.
    masked : ndarray [n_masked], int64
        Flat indices of `mask`, ascending.
    row_sums : ndarray [y, x + 1], float64
        Running sums of `pixels` along each row, 0 first.
    row_abs_sums : ndarray [y, x + 1], float64
        Running sums of the absolute pixels.
    row_valid : ndarray [y, x + 1], int64
        Running counts of unmasked pixels.
    turned : ndarray [y + 2 pad, x + 2 pad], float64
        `pixels` turned by 180 degrees, in a border of zeros `pad` wide.
    pad : int
        Width of that border, at least 1.
    x_min, y_min : int
        The stamp's first column and row in the image.
    x_peak, y_peak : int
        Brightest pixel of `galaxy`, the first in raster order, in the stamp.
    """

    pixels: NDArray[np.float64]
    raw: NDArray[np.float64]
    galaxy: NDArray[np.float64]
    segment: NDArray[np.bool_]
    occupied: NDArray[np.bool_]
    mask: NDArray[np.bool_]
    masked: NDArray[np.int64]
    row_sums: NDArray[np.float64]
    row_abs_sums: NDArray[np.float64]
    row_valid: NDArray[np.int64]
    turned: NDArray[np.float64]
    pad: int
    x_min: int
    y_min: int
    x_peak: int
    y_peak: int


class SkyBox(NamedTuple):
    """Statistics of the sky, from statmorph's box or from all of the background.

    Attributes
    ----------
    side_pix : int
        Side of the box, 0 where none was found (or where the sky comes from all of the background).
    x, y : int
        Its first column and row in the stamp.
    is_known : bool
        Whether the numbers below mean anything.
    mean, median, sigma : float
        Of its pixels, flux per pixel.
    asymmetry : float
        Mean of |half-turned - plain| over the box, flux per pixel (Conselice 2003).
    """

    side_pix: int
    x: int
    y: int
    is_known: bool
    mean: float
    median: float
    sigma: float
    asymmetry: float


@compiled
def is_all_background(sky: SkyBox) -> bool:
    """Whether the sky comes from all of the background, with which nothing may hang on how the image lies."""
    return sky.is_known and sky.side_pix == 0


class Moments(NamedTuple):
    """Shape of the light from second moments about a point (Bertin & Arnouts 1996).

    Attributes
    ----------
    ellipticity, elongation : float
        1 - b/a and a/b.
    orientation_rad : float
        Of the major axis, counter-clockwise from +x, in (-pi/2, pi/2].
    """

    ellipticity: float
    elongation: float
    orientation_rad: float


# statmorph's cutout_extent, half of its min_cutout_size, and n_sigma_outlier, as 0.7.2 has them
CUTOUT_EXTENT = 2.5
SMALLEST_HALF_SIDE_PIX = 24
SHORTEST_SIDE_PIX = 2
BAD_PIXEL_SIGMA = 10.0
BORDER_PIX = 1  # of zeros about the turned stamp: what lies farther out is never looked up


@compiled
def stamp_box(box: tuple[int, int, int, int], height: int, width: int) -> tuple[int, int, int, int]:
    """Widen a bounding box to the stamp: 2.5 times its longer side, at least 48 px, clipped to the image.

    Parameters
    ----------
    box : tuple of int
        First and last column, first and last row, as `bounding_box` gives them.
    height, width : int
        Of the image.

    Returns
    -------
    tuple of int
        First column and the one behind the last, first row and the one behind the last.
    """
    x_first, x_last, y_first, y_last = box
    n_x, n_y = x_last + 1 - x_first, y_last + 1 - y_first
    # whole pixels, as the slices of statmorph's stamp: an even box has its middle right of the true one
    x_middle, y_middle = x_first + n_x // 2, y_first + n_y // 2
    # cut to whole pixels before the lower bound is applied
    half = max(int(max(n_x, n_y) * CUTOUT_EXTENT / 2.0), SMALLEST_HALF_SIDE_PIX)
    return (
        max(0, x_middle - half),
        min(width, x_middle + half),
        max(0, y_middle - half),
        min(height, y_middle + half),
    )


@compiled
def symmetric_stamp_box(box: tuple[int, int, int, int], height: int, width: int) -> tuple[int, int, int, int]:
    """Widen a bounding box alike on both sides, so that it turns and flips with the image; else as `stamp_box`."""
    x_first, x_last, y_first, y_last = box
    n_x, n_y = x_last + 1 - x_first, y_last + 1 - y_first
    half = max(max(n_x, n_y) * CUTOUT_EXTENT / 2.0, float(SMALLEST_HALF_SIDE_PIX))
    more_x, more_y = max(0, math.ceil(half - 0.5 * n_x)), max(0, math.ceil(half - 0.5 * n_y))
    return (
        max(0, x_first - more_x),
        min(width, x_last + 1 + more_x),
        max(0, y_first - more_y),
        min(height, y_last + 1 + more_y),
    )


@compiled
def _with_edges_repeated(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Copy an image into a border one pixel wide that repeats its edge; 0 instead of NaN."""
    height, width = image.shape
    result = np.empty((height + 2, width + 2))
    for y in range(height + 2):
        row = image[min(max(y - 1, 0), height - 1)]
        for x in range(width):
            value = row[x]
            result[y, x + 1] = 0.0 if math.isnan(value) else value
        result[y, 0] = result[y, 1]
        result[y, width + 1] = result[y, width]
    return result


@compiled
def bad_pixels(image: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Map the pixels more than 10 standard deviations of their eight neighbors away from their mean.

    Lotz et al. (2004). The neighbors are added row by row, as astropy's ``convolve`` adds them in statmorph:
    among equal pixels the rounding of these sums decides. A standard deviation of zero makes every pixel bad
    that differs from the mean; one that is not a number, none.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Flux per pixel; a NaN counts as 0 among the neighbors.

    Returns
    -------
    ndarray [y, x], bool
        True where bad.
    """
    height, width = image.shape
    bad = np.zeros((height, width), dtype=np.bool_)
    if image.size == 0:
        return bad
    # astropy's convolve(boundary="extend", nan_treatment="fill", fill_value=0) sees these values
    padded = _with_edges_repeated(image)
    squares = padded * padded
    for y in range(height):
        p0, p1, p2 = padded[y], padded[y + 1], padded[y + 2]
        q0, q1, q2 = squares[y], squares[y + 1], squares[y + 2]
        for x in range(width):
            total = p0[x] + p0[x + 1] + p0[x + 2] + p1[x] + p1[x + 2] + p2[x] + p2[x + 1] + p2[x + 2]
            total2 = q0[x] + q0[x + 1] + q0[x + 2] + q1[x] + q1[x + 2] + q2[x] + q2[x + 1] + q2[x + 2]
            # weights of exactly 1/8: a multiplication by a power of two does not round
            mean = 0.125 * total
            # <x^2> - <x>^2 of the eight; rounding may leave it below 0, the root is then NaN and no pixel bad
            sigma = math.sqrt(0.125 * total2 - mean * mean)
            bad[y, x] = abs(image[y, x] - mean) > BAD_PIXEL_SIGMA * sigma
    return bad


@compiled
def _mask_not_finite(mask: NDArray[np.bool_], raw: NDArray[np.float64], sigma: NDArray[np.float64]) -> bool:
    """Mask the pixels that are not finite, in the image or the sigma map (0x0: none); whether there are any."""
    height, width = raw.shape
    found = False
    for y in range(height):
        for x in range(width):
            if not math.isfinite(raw[y, x]) or (sigma.size > 0 and not math.isfinite(sigma[y, x])):
                mask[y, x] = found = True
    return found


@compiled
def _mask_others(
    mask: NDArray[np.bool_],
    occupied: NDArray[np.bool_],
    labels: NDArray[np.int32],
    label: int,
    caller_mask: NDArray[np.bool_],
) -> None:
    """Mask other labels and what the caller masks (0x0: nothing); mark these and the galaxy as occupied."""
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            ignored = caller_mask.size > 0 and caller_mask[y, x]
            # what statmorph's search for the sky box avoids: labels and the caller's mask, but not bad pixels
            occupied[y, x] = ignored or labels[y, x] != 0
            if ignored or (labels[y, x] != 0 and labels[y, x] != label):
                mask[y, x] = True


@compiled
def _segment_of(labels: NDArray[np.int32], label: int, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Map the galaxy's label without its masked pixels."""
    height, width = labels.shape
    segment = np.empty((height, width), dtype=np.bool_)
    for y in range(height):
        for x in range(width):
            segment[y, x] = labels[y, x] == label and not mask[y, x]
    return segment


@compiled
def _cut(raw: NDArray[np.float64], keep: NDArray[np.bool_], wanted: bool) -> NDArray[np.float64]:  # noqa: FBT001
    """Copy an image, 0 where a map is not as wanted."""
    height, width = raw.shape
    result = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            result[y, x] = raw[y, x] if keep[y, x] == wanted else 0.0
    return result


@compiled
def _indices_of(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Give the flat indices of the pixels that are True, ascending."""
    height, width = mask.shape
    result = np.empty(mask.size, dtype=np.int64)
    count = 0
    for y in range(height):
        for x in range(width):
            if mask[y, x]:
                result[count] = y * width + x
                count += 1
    return result[:count].copy()


@compiled
def _row_sums(
    pixels: NDArray[np.float64], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Add up each row, 0 first: running sums of the pixels, of their absolute values, of those not masked."""
    height, width = pixels.shape
    sums, abs_sums = np.empty((height, width + 1)), np.empty((height, width + 1))
    counts = np.empty((height, width + 1), dtype=np.int64)
    for y in range(height):
        total = abs_total = 0.0
        count = 0
        sums[y, 0] = abs_sums[y, 0] = 0.0
        counts[y, 0] = 0
        for x in range(width):
            # running sums in place of whole masks: an aperture's inside costs two look-ups a row
            total += pixels[y, x]
            abs_total += abs(pixels[y, x])
            count += not mask[y, x]
            sums[y, x + 1], abs_sums[y, x + 1], counts[y, x + 1] = total, abs_total, count
    return sums, abs_sums, counts


@compiled
def turned_in_border(pixels: NDArray[np.float64], pad: int) -> NDArray[np.float64]:
    """Turn an image by 180 degrees into a border of zeros."""
    height, width = pixels.shape
    result = np.zeros((height + 2 * pad, width + 2 * pad))
    for y in range(height):
        row, source = result[pad + y], pixels[height - 1 - y]
        for x in range(width):
            row[pad + x] = source[width - 1 - x]
    return result


@compiled
def _first_peak(galaxy: NDArray[np.float64]) -> tuple[int, int]:
    """Column and row of the brightest pixel, the first in raster order."""
    height, width = galaxy.shape
    # statmorph takes numpy.argmax, the first of equal pixels
    x_peak = y_peak = 0
    peak = -math.inf
    for y in range(height):
        for x in range(width):
            if galaxy[y, x] > peak:
                peak, x_peak, y_peak = galaxy[y, x], x, y
    return x_peak, y_peak


@compiled
def _notice_galaxy(
    galaxy: NDArray[np.float64], segment: NDArray[np.bool_], noticed: NDArray[np.uint8]
) -> None:
    """Flag a galaxy that is masked away, or whose flux is not above zero (as NaN is not)."""
    total = 0.0
    is_masked = True
    for y in range(segment.shape[0]):
        for x in range(segment.shape[1]):
            if segment[y, x]:
                is_masked = False
                # in raster order; only its sign matters
                total += galaxy[y, x]
    if is_masked:
        noticed[flags.ALL_MASKED] = 1
    if not total > 0.0:
        noticed[flags.NONPOSITIVE_FLUX] = 1


@compiled
def _notice_box(
    box: tuple[int, int, int, int],
    cut: tuple[int, int, int, int],
    shape: tuple[int, int],
    noticed: NDArray[np.uint8],
) -> None:
    """Flag a label that touches the image's edge, and a stamp too small to hold a circle."""
    x_first, x_last, y_first, y_last = box
    if x_first == 0 or y_first == 0 or x_last == shape[1] - 1 or y_last == shape[0] - 1:
        noticed[flags.SOURCE_AT_EDGE] = 1
    if min(cut[1] - cut[0], cut[3] - cut[2]) < SHORTEST_SIDE_PIX:
        noticed[flags.STAMP_TOO_SMALL] = 1


@compiled
def cut_stamp(
    image: NDArray[np.float64],
    labels: NDArray[np.int32],
    label: int,
    caller_mask: NDArray[np.bool_],
    sigma_map: NDArray[np.float64],
    is_symmetric: bool,  # noqa: FBT001 - kernels take arguments by position
    noticed: NDArray[np.uint8],
) -> Stamp:
    """Cut one galaxy out of an image, as statmorph 0.7.2 does, and prepare what the later steps read.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Background-subtracted flux per pixel.
    labels : ndarray [y, x], int32
        Segmentation map, 0 for the background.
    label : int
        The galaxy's number in it.
    caller_mask : ndarray [y, x], bool
        True where pixels are to be ignored; 0x0 for none.
    sigma_map : ndarray [y, x], float64
        Standard deviation per pixel, of which only NaN and infinity matter here; 0x0 for none.
    is_symmetric : bool
        Whether the stamp is to turn and flip with the image, as statmorph's does not (`symmetric_stamp_box`).
    noticed : ndarray [flag], uint8
        Set where pixels are not finite, the label is missing, masked away, at the image's edge or has no flux
        above zero, or the stamp is less than 2 px wide.

    Returns
    -------
    Stamp
        Of 0x0 pixels where the label is missing.
    """
    box = bounding_box(labels, label)
    height, width = image.shape
    if box[0] < 0:
        cut = (0, 0, 0, 0)
    elif is_symmetric:
        cut = symmetric_stamp_box(box, height, width)
    else:
        cut = stamp_box(box, height, width)
    return _stamp_within(image, labels, label, caller_mask, sigma_map, box, cut, noticed)


@compiled
def _stamp_within(
    image: NDArray[np.float64],
    labels: NDArray[np.int32],
    label: int,
    caller_mask: NDArray[np.bool_],
    sigma_map: NDArray[np.float64],
    box: tuple[int, int, int, int],
    cut: tuple[int, int, int, int],
    noticed: NDArray[np.uint8],
) -> Stamp:
    """Prepare the stamp of a label whose bounding box is `box`; its corners are those of `cut`."""
    if box[0] < 0:
        noticed[flags.LABEL_MISSING] = 1
    else:
        _notice_box(box, cut, image.shape, noticed)
    x_start, x_stop, y_start, y_stop = cut
    raw = image[y_start:y_stop, x_start:x_stop].copy()
    labels_there = labels[y_start:y_stop, x_start:x_stop]
    # statmorph's _mask_stamp: bad pixels are those of the stamp, whose edge its neighbors repeat
    mask, occupied = bad_pixels(raw), np.empty(raw.shape, dtype=np.bool_)
    if _mask_not_finite(mask, raw, sigma_map[y_start:y_stop, x_start:x_stop]):
        noticed[flags.NOT_FINITE_PIXELS] = 1
    _mask_others(mask, occupied, labels_there, label, caller_mask[y_start:y_stop, x_start:x_stop])
    segment = _segment_of(labels_there, label, mask)
    pixels, galaxy = _cut(raw, mask, wanted=False), _cut(raw, segment, wanted=True)
    if box[0] >= 0:
        _notice_galaxy(galaxy, segment, noticed)
    row_sums, row_abs_sums, row_valid = _row_sums(pixels, mask)
    x_peak, y_peak = _first_peak(galaxy)
    pad = min(BORDER_PIX, max(raw.shape))  # not the constant itself, which numba would make a type of its own
    return Stamp(
        pixels,
        raw,
        galaxy,
        segment,
        occupied,
        mask,
        _indices_of(mask),
        row_sums,
        row_abs_sums,
        row_valid,
        turned_in_border(pixels, pad),
        pad,
        x_start,
        y_start,
        x_peak,
        y_peak,
    )
