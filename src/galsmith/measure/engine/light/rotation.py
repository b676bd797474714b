"""An image against itself turned by 180 degrees about any point, summed within an ellipse.

About a point that is not on the grid, the turned image is the flipped image shifted by the same fraction of a
pixel everywhere: four neighbors with constant weights, the values that scikit-image's bilinear rotation gives.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_sum
from galsmith.measure.engine.light.apertures import Ellipse, RowSpan, fill_row, outline_of
from galsmith.measure.engine.stamp import Stamp

ABSOLUTE, SQUARED = 1.0, 2.0  # no integers: numba would compile the sums anew for each
NARROWEST_BORDER_PIX = 1  # of zeros about a turned image


class HalfTurn(NamedTuple):
    """A turn of a stamp by 180 degrees.

    Attributes
    ----------
    row, column : int
        Where pixel (0, 0) of the stamp falls in its `turned` array, rounded down.
    weights : tuple of float
        Of the pixel there, of its right neighbor, and of the two in the row after.
    lowest : float
        No turned pixel is below it: scikit-image clips to the range of the image.
    mirror_x, mirror_y : int
        Pixel (x, y) is left out if (mirror_x - x, mirror_y - y) is masked.
    """

    row: int
    column: int
    weights: tuple[float, float, float, float]
    lowest: float
    mirror_x: int
    mirror_y: int


class TurnedSums(NamedTuple):
    """Sums within an ellipse over the pixels of which neither they nor their partners are masked.

    Attributes
    ----------
    difference : float
        Of |turned - plain|, or of its square.
    light : float
        Of |plain|, or of its square.
    area : float
        Square pixels.
    """

    difference: float
    light: float
    area: float


@compiled
def least_if_positive(pixels: NDArray[np.float64]) -> float:
    """Find an image's least pixel if all are above 0; minus infinity if not."""
    least = np.inf
    n_y, n_x = pixels.shape
    for y in range(n_y):
        for x in range(n_x):
            least = min(least, pixels[y, x])
        if not least > 0.0:
            return -np.inf
    return least


@compiled
def half_turn(stamp: Stamp, x: float, y: float, least: float) -> HalfTurn:
    """Prepare the turn about a point of the stamp; `least` is `least_if_positive` of its pixels.

    That bound matters in the outermost row and column only, which mix with the zeros outside; it is given up
    where some pixel comes wholly from outside.
    """
    n_y, n_x = stamp.pixels.shape
    # (x, y) -> (2 x_0 - x, 2 y_0 - y): the flipped image moved by N - 1 - 2 x_0 pixels
    shift_x, shift_y = n_x - 1 - 2 * x, n_y - 1 - 2 * y
    column, row = math.floor(shift_x), math.floor(shift_y)
    right, down = shift_x - column, shift_y - row
    # bilinear: the same fraction of a pixel everywhere
    weights = ((1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down)
    # skimage clips to the range of the input, to which a pixel from wholly outside adds its 0
    lowest = least if abs(shift_x) < 1 and abs(shift_y) < 1 else -np.inf
    # skimage rotates a bool map with order 0, that is to the nearest pixel
    mirror_x, mirror_y = math.floor(2 * x + 0.5), math.floor(2 * y + 0.5)
    return HalfTurn(row + stamp.pad, column + stamp.pad, weights, lowest, mirror_x, mirror_y)


@compiled
def turned_sums(stamp: Stamp, turn: HalfTurn, ellipse: Ellipse, power: float) -> TurnedSums:
    """Sum up how an image differs from its turned self within an ellipse about the point of the turn.

    Parameters
    ----------
    stamp : Stamp
        The galaxy; the border of its `turned` is at least one pixel wide.
    turn : HalfTurn
        As `half_turn` gives it.
    ellipse : Ellipse
        About the point of the turn, its semi-axes above 0.
    power : float
        `ABSOLUTE` or `SQUARED`.

    Returns
    -------
    TurnedSums
        Within the stamp.
    """
    pixels, turned, row_sums = stamp.pixels, stamp.turned, stamp.row_abs_sums
    is_masked = len(stamp.masked) > 0
    weights = np.empty(pixels.shape[1])
    outline = outline_of(ellipse, pixels.shape[0], pixels.shape[1])
    difference, light, area = 0.0, 0.0, 0.0
    for row in range(outline.first, outline.last):
        span = fill_row(outline, row, weights)
        # prefix sums hold absolute pixels without regard to the mask
        if power != ABSOLUTE or (is_masked and _meets_mask(stamp, turn, row, span)):
            _spell_out(stamp, turn, row, span, weights)
            span = RowSpan(span.begin, span.end, span.end, span.end, 0.0)
        covered = _covered(turn, turned, row, span)
        inner = span.inner_begin, span.inner_end
        if inner[0] < inner[1]:
            within = max(inner[0], covered[0]), min(inner[1], covered[1])
            inner_light = row_sums[row, inner[1]] - row_sums[row, inner[0]]
            # where the turned image does not reach, |0 - plain| is the light itself
            inner_difference = inner_light
            if within[0] < within[1]:
                inner_difference -= row_sums[row, within[1]] - row_sums[row, within[0]]
                inner_difference += _row_difference(pixels, turned, turn, row, within)
            difference += span.height * inner_difference
            light += span.height * inner_light
            area += span.height * (inner[1] - inner[0])
        for part in ((span.begin, inner[0]), (inner[1], span.end)):
            sums = _weighted_sums(pixels, turned, turn, row, part, covered, weights, power)
            difference, light, area = difference + sums[0], light + sums[1], area + sums[2]
    return TurnedSums(difference, light, area)


@compiled
def _covered(turn: HalfTurn, turned: NDArray[np.float64], row: int, span: RowSpan) -> tuple[int, int]:
    """First column of a span to which the turned image reaches, and the one after the last."""
    turned_row = row + turn.row
    if turned_row < 0 or turned_row + 1 >= turned.shape[0]:
        return span.begin, span.begin
    # both neighbors have to lie in the bordered image
    begin = min(max(span.begin, -turn.column), span.end)
    return begin, max(min(span.end, turned.shape[1] - 1 - turn.column), begin)


@compiled
def _meets_mask(stamp: Stamp, turn: HalfTurn, row: int, span: RowSpan) -> bool:
    """Whether a pixel of the span, or its partner, is masked."""
    if len(stamp.masked) == 0:
        return False
    n_y, n_x = stamp.pixels.shape
    if stamp.row_valid[row, span.end] - stamp.row_valid[row, span.begin] < span.end - span.begin:
        return True
    mirror_row = turn.mirror_y - row
    if mirror_row < 0 or mirror_row >= n_y:
        return False
    begin = max(turn.mirror_x - span.end + 1, 0)
    end = min(turn.mirror_x - span.begin + 1, n_x)
    return begin < end and stamp.row_valid[mirror_row, end] - stamp.row_valid[mirror_row, begin] < end - begin


@compiled
def _spell_out(stamp: Stamp, turn: HalfTurn, row: int, span: RowSpan, weights: NDArray[np.float64]) -> None:
    """Write the weights of all of a span's pixels, 0 where they or their partners are masked."""
    n_y, n_x = stamp.pixels.shape
    for column in range(span.inner_begin, span.inner_end):
        weights[column] = span.height
    if len(stamp.masked) == 0:
        return
    here, own = weights[span.begin : span.end], stamp.mask[row, span.begin : span.end]
    for k in range(len(here)):
        # mask | rotated mask, as statmorph's mask_symmetric
        here[k] *= 1.0 - own[k]
    mirror_row = turn.mirror_y - row
    begin, end = max(span.begin, turn.mirror_x - n_x + 1), min(span.end, turn.mirror_x + 1)
    if 0 <= mirror_row < n_y and begin < end:
        there = weights[begin:end]
        partner = stamp.mask[mirror_row, turn.mirror_x - end + 1 : turn.mirror_x - begin + 1]
        for k in range(len(there)):
            there[k] *= 1.0 - partner[len(there) - 1 - k]


@compiled_sum
def _row_difference(
    pixels: NDArray[np.float64],
    turned: NDArray[np.float64],
    turn: HalfTurn,
    row: int,
    within: tuple[int, int],
) -> float:
    """Sum of |turned - plain| over a part of a row."""
    one, right, down, both = turn.weights
    begin, end = within[0] + turn.column, within[1] + turn.column + 1
    upper, lower = turned[row + turn.row, begin:end], turned[row + turn.row + 1, begin:end]
    plain, lowest = pixels[row, within[0] : within[1]], turn.lowest
    total = 0.0
    for k in range(len(plain)):
        value = one * upper[k] + right * upper[k + 1] + down * lower[k] + both * lower[k + 1]
        total += abs(max(value, lowest) - plain[k])
    return total


@compiled_sum
def _weighted_sums(
    pixels: NDArray[np.float64],
    turned: NDArray[np.float64],
    turn: HalfTurn,
    row: int,
    part: tuple[int, int],
    covered: tuple[int, int],
    weights: NDArray[np.float64],
    power: float,
) -> tuple[float, float, float]:
    """Sum up a part of a row with a weight for each pixel: difference, light and area."""
    one, right, down, both = turn.weights
    lowest, difference, light, area = turn.lowest, 0.0, 0.0, 0.0
    begin = min(max(part[0], covered[0]), part[1])
    end = max(min(part[1], covered[1]), begin)
    for outside in ((part[0], begin), (end, part[1])):
        for column in range(outside[0], outside[1]):
            flux = abs(pixels[row, column])
            flux *= weights[column] if power == ABSOLUTE else weights[column] * flux
            difference, light, area = difference + flux, light + flux, area + weights[column]
    if begin == end:
        return difference, light, area
    start, stop = begin + turn.column, end + turn.column + 1
    upper, lower = turned[row + turn.row, start:stop], turned[row + turn.row + 1, start:stop]
    plain, share = pixels[row, begin:end], weights[begin:end]
    for k in range(len(plain)):
        value = one * upper[k] + right * upper[k + 1] + down * lower[k] + both * lower[k + 1]
        step, flux = abs(max(value, lowest) - plain[k]), abs(plain[k])
        difference += share[k] * (step if power == ABSOLUTE else step * step)
        light += share[k] * (flux if power == ABSOLUTE else flux * flux)
        area += share[k]
    return difference, light, area
