"""The share of each pixel of one row that lies inside an ellipse: exact, and most of the row stays uncomputed.

An affine map makes the ellipse a circle of radius Y, on which the image's y and x are two directions at an
angle, the skew: a point (y, s) of the circle lies at x = X / Y (y cos(skew) + s sin(skew)), where X and Y are
the ellipse's greatest x and y. Between two points of the outline the area beside it is a trapezoid plus the
segment of the circle beyond their chord. No arc sine is taken: it loses half of the digits at the poles.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled

RIGHT, LEFT = 1.0, -1.0
# Up to this squared half chord (of a circle of radius 1) the series of the segment is exact to 1e-16.
SERIES_REACH = 0.0144


class Ellipse(NamedTuple):
    """An ellipse, as its rows need it.

    Attributes
    ----------
    x, y : float
        Center, pixels.
    reach_x, reach_y : float
        Its greatest distances from the center along x and y, pixels.
    cosine, sine : float
        Of the skew: 0 and 1 where an axis lies along x.
    half_product : float
        Half the product of the semi-axes, square pixels.
    """

    x: float
    y: float
    reach_x: float
    reach_y: float
    cosine: float
    sine: float
    half_product: float


class RowSpan(NamedTuple):
    """Which columns of a row an ellipse touches; none where `begin` equals `end`.

    Columns from `begin` to `inner_begin` and from `inner_end` to `end` have weights of their own, those in
    between all have the weight `height`.
    """

    begin: int
    inner_begin: int
    inner_end: int
    end: int
    height: float


@compiled
def ellipse_of(x: float, y: float, a: float, b: float, theta: float) -> Ellipse:
    """Prepare the ellipse with semi-axes `a` and `b` (pixels, above 0), `a` at `theta` radians from +x."""
    cosine, sine = math.cos(theta), math.sin(theta)
    reach_x = math.sqrt(a * cosine * (a * cosine) + b * sine * (b * sine))
    reach_y = math.sqrt(a * sine * (a * sine) + b * cosine * (b * cosine))
    scale = 1.0 / (reach_x * reach_y)
    skew_cosine = cosine * sine * (a - b) * (a + b) * scale
    return Ellipse(x, y, reach_x, reach_y, skew_cosine, a * b * scale, 0.5 * a * b)


@compiled
def row_range(ellipse: Ellipse, n_y: int) -> tuple[int, int]:
    """First row of the image that the ellipse touches, and the one after its last."""
    first = min(max(ellipse.y - ellipse.reach_y + 0.5, 0.0), float(n_y))
    last = min(max(ellipse.y + ellipse.reach_y + 0.5, -1.0), n_y - 1.0)
    return math.floor(first), math.floor(last) + 1


@compiled
def fill_row(ellipse: Ellipse, row: int, weights: NDArray[np.float64]) -> RowSpan:
    """Write the weights of those pixels of a row that the outline crosses.

    Parameters
    ----------
    ellipse : Ellipse
        As `ellipse_of` gives it.
    row : int
        Row of the image.
    weights : ndarray [x], float64
        As long as the image is wide; written only where the returned span says so.

    Returns
    -------
    RowSpan
        Clipped at the image.
    """
    low, high = row - 0.5 - ellipse.y, row + 0.5 - ellipse.y
    height = 1.0
    if low < -ellipse.reach_y or high > ellipse.reach_y:
        low, high = max(low, -ellipse.reach_y), min(high, ellipse.reach_y)
        height = high - low
    if not height > 0.0:
        return RowSpan(0, 0, 0, 0, 0.0)
    n_x = len(weights)
    left_first, left_last = _side_columns(ellipse, LEFT, low, high, n_x)
    right_first, right_last = _side_columns(ellipse, RIGHT, low, high, n_x)
    begin, end = max(left_first, 0), min(right_last + 1, n_x)
    if begin >= end:
        return RowSpan(0, 0, 0, 0, 0.0)
    inner_begin = min(max(left_last + 1, begin), end)
    inner_end = min(max(right_first, inner_begin), end)
    for column in range(begin, inner_begin):
        weights[column] = height if column < right_first else 0.0
    for column in range(inner_end, end):
        weights[column] = 0.0
    if left_last >= 0:
        _add_side(ellipse, LEFT, low, high, left_first, weights)
    if right_first < n_x:
        _add_side(ellipse, RIGHT, low, high, right_first, weights)
    return RowSpan(begin, inner_begin, inner_end, end, height)


@compiled
def _width_at(ellipse: Ellipse, y: float) -> float:
    """Half the circle's width at height `y`, pixels of y."""
    return math.sqrt(max((ellipse.reach_y - y) * (ellipse.reach_y + y), 0.0))


@compiled
def _column_at(ellipse: Ellipse, y: float, s: float) -> float:
    """Column of a point of the outline: whole numbers are the pixels' left edges."""
    x = (ellipse.reach_x / ellipse.reach_y) * (ellipse.cosine * y + ellipse.sine * s)
    return x + (ellipse.x + 0.5)


@compiled
def _floor_within(value: float, low: float, high: float) -> int:
    """Whole part of a number, kept within bounds."""
    return math.floor(min(max(value, low), high))


@compiled
def _side_columns(ellipse: Ellipse, side: float, low: float, high: float, n_x: int) -> tuple[int, int]:
    """First and last column that one side of the outline crosses in a row, within -1 to `n_x`."""
    one = _column_at(ellipse, low, side * _width_at(ellipse, low))
    other = _column_at(ellipse, high, side * _width_at(ellipse, high))
    least, greatest = min(one, other), max(one, other)
    turn = side * ellipse.cosine * ellipse.reach_y
    if low < turn < high:
        extreme = side * ellipse.reach_x + (ellipse.x + 0.5)
        least, greatest = min(least, extreme), max(greatest, extreme)
    return _floor_within(least, -1.0, float(n_x)), _floor_within(greatest, -1.0, float(n_x))


@compiled
def _add_side(
    ellipse: Ellipse, side: float, low: float, high: float, first: int, weights: NDArray[np.float64]
) -> None:
    """Add what lies left of one side of the outline (take it away for the left side)."""
    turn = side * ellipse.cosine * ellipse.reach_y
    s_low, s_high = side * _width_at(ellipse, low), side * _width_at(ellipse, high)
    if low < turn < high:
        s_turn = side * ellipse.sine * ellipse.reach_y
        _add_piece(ellipse, side, -1.0, (low, s_low), (turn, s_turn), first, weights)
        _add_piece(ellipse, side, 1.0, (turn, s_turn), (high, s_high), first, weights)
    else:
        half = 1.0 if turn <= low else -1.0
        _add_piece(ellipse, side, half, (low, s_low), (high, s_high), first, weights)


@compiled
def _add_piece(
    ellipse: Ellipse,
    side: float,
    half: float,
    start: tuple[float, float],
    stop: tuple[float, float],
    first: int,
    weights: NDArray[np.float64],
) -> None:
    """Add what lies left of a piece of outline on which x only grows or only falls.

    `half` is 1 above the turning point and -1 below it; `start` and `stop` are (y, s); columns from `first`
    up to the piece have all of its height on their side.
    """
    n_x = len(weights)
    u, u_stop = _column_at(ellipse, start[0], start[1]), _column_at(ellipse, stop[0], stop[1])
    if u > u_stop:
        start, stop = stop, start
        u, u_stop = u_stop, u
    if u_stop < 0.0:
        return
    y, s = start
    column, last = _floor_within(u, 0.0, float(n_x)), _floor_within(u_stop, 0.0, float(n_x))
    for passed in range(max(first, 0), column):
        weights[passed] += side * abs(stop[0] - y)
    if u < 0.0:
        u = 0.0
        y, s = _crossing(ellipse, u, half, start[0], stop[0])
    while column < n_x and column <= last:
        u_next, y_next, s_next = u_stop, stop[0], stop[1]
        if column < last:
            u_next = column + 1.0
            y_next, s_next = _crossing(ellipse, u_next, half, y, stop[0])
        area = _area_left(ellipse, side, (u - column, y, s), (u_next - column, y_next, s_next))
        weights[column] += side * (area + abs(stop[0] - y_next))
        u, y, s = u_next, y_next, s_next
        column += 1


@compiled
def _crossing(ellipse: Ellipse, u: float, half: float, y_from: float, y_to: float) -> tuple[float, float]:
    """Where the outline crosses a pixel's edge: (y, s), y not beyond the two given."""
    along = min(max((u - (ellipse.x + 0.5)) / ellipse.reach_x, -1.0), 1.0)
    across = half * math.sqrt((1.0 - along) * (1.0 + along))
    y = ellipse.reach_y * (ellipse.cosine * along + ellipse.sine * across)
    s = ellipse.reach_y * (ellipse.sine * along - ellipse.cosine * across)
    return min(max(y, min(y_from, y_to)), max(y_from, y_to)), s


@compiled
def _area_left(
    ellipse: Ellipse, side: float, one: tuple[float, float, float], other: tuple[float, float, float]
) -> float:
    """Area between a pixel's left edge and the outline; points are (distance from that edge, y, s)."""
    dy, ds = other[1] - one[1], other[2] - one[2]
    trapezoid = 0.5 * (one[0] + other[0]) * abs(dy)
    scale = 1.0 / (ellipse.reach_y * ellipse.reach_y)
    squared = 0.25 * (dy * dy + ds * ds) * scale
    if squared < SERIES_REACH:
        return trapezoid + side * ellipse.half_product * _thin_segment(squared)
    sum_y, sum_s = other[1] + one[1], other[2] + one[2]
    half_chord = math.sqrt(squared)
    half_sum = 0.5 * math.sqrt((sum_y * sum_y + sum_s * sum_s) * scale)
    segment = 2.0 * (math.atan2(half_chord, half_sum) - half_chord * half_sum)
    return trapezoid + side * ellipse.half_product * segment


@compiled
def _thin_segment(squared: float) -> float:
    """Twice the area of a segment of the unit circle, from its squared half chord h^2.

    That is angle - sin(angle) = 2 (asin(h) - h sqrt(1 - h^2)), the integral of 4 h^2 / sqrt(1 - h^2).
    """
    series = 429 / 8704 + squared * (6435 / 155648)
    series = 63 / 832 + squared * (77 / 1280 + squared * series)
    series = 5 / 36 + squared * (35 / 352 + squared * series)
    series = 2 / 5 + squared * (3 / 14 + squared * series)
    return squared * math.sqrt(squared) * (4 / 3 + squared * series)
