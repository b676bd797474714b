"""An image against itself turned by 180 degrees about any point, summed within an ellipse.

About a point that is not on the grid, the turned image is the flipped image shifted by the same fraction of a
pixel everywhere: four neighbors with constant weights, the values that scikit-image's bilinear rotation gives.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_sum
from galsmith.measure.engine.ellipse_rows import RowSpan, ellipse_of, fill_row, row_range
from galsmith.measure.engine.stamp import Stamp


class HalfTurn(NamedTuple):
    """A turn of a stamp by 180 degrees.

    Attributes
    ----------
    x, y : float
        Point about which it turns, pixels of the stamp.
    row, column : int
        Where pixel (0, 0) of the stamp falls in its `turned` array, rounded down.
    weights : tuple of float
        Of the pixel there, of its right neighbor, and of the two in the row after.
    lowest : float
        No turned pixel is below it: scikit-image clips to the range of the image.
    mirror_x, mirror_y : int
        Pixel (x, y) is left out if (mirror_x - x, mirror_y - y) is masked.
    """

    x: float
    y: float
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
def turned_in_border(image: NDArray[np.float64], pad: int) -> NDArray[np.float64]:
    """Turn an image by 180 degrees and put a border of zeros around it, `pad` wide: [y + 2 pad, x + 2 pad]."""
    n_y, n_x = image.shape
    turned = np.zeros((n_y + 2 * pad, n_x + 2 * pad))
    for y in range(n_y):
        for x in range(n_x):
            turned[pad + y, pad + x] = image[n_y - 1 - y, n_x - 1 - x]
    return turned


@compiled
def least_if_positive(pixels: NDArray[np.float64]) -> float:
    """Find an image's least pixel if all are above 0; minus infinity if not."""
    least = np.inf
    n_y, n_x = pixels.shape
    for y in range(n_y):
        for x in range(n_x):
            if not pixels[y, x] > 0.0:
                return -np.inf
            least = min(least, pixels[y, x])
    return least


@compiled
def half_turn(stamp: Stamp, x: float, y: float, least: float) -> HalfTurn:
    """Prepare the turn about a point of the stamp; `least` is `least_if_positive` of its pixels.

    That bound matters in the outermost row and column only, which mix with the zeros outside; it is given up
    where some pixel comes wholly from outside.
    """
    n_y, n_x = stamp.pixels.shape
    shift_x, shift_y = n_x - 1 - 2 * x, n_y - 1 - 2 * y
    column, row = math.floor(shift_x), math.floor(shift_y)
    right, down = shift_x - column, shift_y - row
    weights = ((1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down)
    lowest = least if abs(shift_x) < 1 and abs(shift_y) < 1 else -np.inf
    mirror_x, mirror_y = math.floor(2 * x + 0.5), math.floor(2 * y + 0.5)
    return HalfTurn(x, y, row + stamp.pad, column + stamp.pad, weights, lowest, mirror_x, mirror_y)


@compiled
def turned_sums(
    stamp: Stamp, turn: HalfTurn, axes: tuple[float, float], theta: float, is_squared: bool
) -> TurnedSums:
    """Sum up how an image differs from its turned self within an ellipse about the point of the turn.

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    turn : HalfTurn
        As `half_turn` gives it.
    axes : tuple of float
        Semi-axes, pixels, above 0.
    theta : float
        Angle of the first axis, radians counter-clockwise from +x.
    is_squared : bool
        Whether squares are summed instead of absolute values.

    Returns
    -------
    TurnedSums
        Within the stamp.
    """
    n_y, n_x = stamp.pixels.shape
    weights = np.empty(n_x)
    ellipse = ellipse_of(turn.x, turn.y, axes[0], axes[1], theta)
    first, last = row_range(ellipse, n_y)
    difference, light, area = 0.0, 0.0, 0.0
    for row in range(first, last):
        span = fill_row(ellipse, row, weights)
        if is_squared or _meets_mask(stamp, turn, row, span):
            _spell_out(stamp, turn, row, span, weights)
            span = RowSpan(span.begin, span.end, span.end, span.end, 0.0)
        inner_begin, inner_end = span.inner_begin, span.inner_end
        if inner_end > inner_begin:
            difference += span.height * _row_difference(stamp, turn, row, inner_begin, inner_end)
            light += span.height * (stamp.row_abs_sums[row, inner_end] - stamp.row_abs_sums[row, inner_begin])
            area += span.height * (inner_end - inner_begin)
        for begin, end in ((span.begin, inner_begin), (inner_end, span.end)):
            if end > begin:
                part = _weighted_sums(stamp, turn, row, begin, end, weights, is_squared)
                difference += part.difference
                light += part.light
                area += part.area
    return TurnedSums(difference, light, area)


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
    for column in range(span.begin, span.end):
        if stamp.mask[row, column]:
            weights[column] = 0.0
    mirror_row = turn.mirror_y - row
    if 0 <= mirror_row < n_y:
        begin, end = max(span.begin, turn.mirror_x - n_x + 1), min(span.end, turn.mirror_x + 1)
        for column in range(begin, end):
            if stamp.mask[mirror_row, turn.mirror_x - column]:
                weights[column] = 0.0


@compiled_sum
def _row_difference(stamp: Stamp, turn: HalfTurn, row: int, begin: int, end: int) -> float:
    """Sum of |turned - plain| over a part of a row."""
    one, right, down, both = turn.weights
    start, stop = begin + turn.column, end + turn.column + 1
    upper = stamp.turned[row + turn.row, start:stop]
    lower = stamp.turned[row + turn.row + 1, start:stop]
    plain = stamp.pixels[row, begin:end]
    lowest = turn.lowest
    total = 0.0
    for k in range(len(plain)):
        turned = one * upper[k] + right * upper[k + 1] + down * lower[k] + both * lower[k + 1]
        total += abs(max(turned, lowest) - plain[k])
    return total


@compiled_sum
def _weighted_sums(
    stamp: Stamp,
    turn: HalfTurn,
    row: int,
    begin: int,
    end: int,
    weights: NDArray[np.float64],
    is_squared: bool,
) -> TurnedSums:
    """Sum up a part of a row with a weight for each pixel."""
    one, right, down, both = turn.weights
    start, stop = begin + turn.column, end + turn.column + 1
    upper = stamp.turned[row + turn.row, start:stop]
    lower = stamp.turned[row + turn.row + 1, start:stop]
    plain = stamp.pixels[row, begin:end]
    share = weights[begin:end]
    difference, light, area = 0.0, 0.0, 0.0
    for k in range(len(plain)):
        turned = one * upper[k] + right * upper[k + 1] + down * lower[k] + both * lower[k + 1]
        step, flux = abs(max(turned, turn.lowest) - plain[k]), abs(plain[k])
        if is_squared:
            step, flux = step * step, flux * flux
        difference += share[k] * step
        light += share[k] * flux
        area += share[k]
    return TurnedSums(difference, light, area)
