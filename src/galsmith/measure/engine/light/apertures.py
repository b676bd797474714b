"""Sums of pixels within ellipses, each pixel weighted by the exact share of it that lies inside.

What photutils' apertures give with method "exact", from running sums along the rows: only the pixels that the
outline crosses are visited. A circle is an ellipse with equal axes; a ring is the difference of two sums.

An affine map makes the ellipse a circle of radius Y, on which the image's y and x are two directions at an
angle, the skew: a point (y, s) of the circle lies at x = X / Y (y cos(skew) + s sin(skew)), where X and Y are
the ellipse's greatest x and y. Between two points of the outline the area beside it is a trapezoid plus the
segment of the circle beyond their chord. Where the outline meets the edges of rows and columns is computed for all of
them at once, as roots in long vectors take a fraction of the time.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, inlined
from galsmith.measure.engine.stamp import Stamp

RIGHT, LEFT = 1.0, -1.0
# Up to this squared half chord (of a circle of radius 1) the series of the segment is exact to 1e-16.
SERIES_REACH = 0.01


class Ellipse(NamedTuple):
    """An ellipse on a stamp.

    Attributes
    ----------
    x, y : float
        Center, pixels.
    a, b : float
        Semi-axes, pixels; `a` lies at `theta`.
    theta : float
        Radians, counter-clockwise from +x.
    """

    x: float
    y: float
    a: float
    b: float
    theta: float


class Geometry(NamedTuple):
    """What ellipses of any size about one center share.

    Attributes
    ----------
    x, y : float
        Center in the stamp, pixels.
    elongation : float
        a/b; 1 for circles.
    theta : float
        Angle of the major axis, radians counter-clockwise from +x; 0 for circles.
    """

    x: float
    y: float
    elongation: float
    theta: float


class Outline(NamedTuple):
    """An ellipse, as its rows need it.

    Attributes
    ----------
    first, last : int
        First row of the image that it touches, and the one after its last.
    y : float
        Center, pixels.
    offset : float
        Column of the center: whole numbers are the pixels' left edges.
    reach_x, reach_y : float
        Greatest distances X and Y from the center, pixels.
    per_reach_y : float
        1 / Y.
    cosine, sine : float
        Of the skew: 0 and 1 where an axis lies along x.
    half_product : float
        Half the product of the semi-axes, square pixels.
    rows : ndarray [4, row + 1], float64
        Of each lower edge of a row, from `first` on: y from the center, held to the ellipse; s on its right side; the
        columns of both sides, left and right.
    first_column : int
        First column of `columns`.
    columns : ndarray [4, column], float64
        Of each left edge of a column: y above and below the turning point, and s there.
    """

    first: int
    last: int
    y: float
    offset: float
    reach_x: float
    reach_y: float
    per_reach_y: float
    cosine: float
    sine: float
    half_product: float
    rows: NDArray[np.float64]
    first_column: int
    columns: NDArray[np.float64]


class Point(NamedTuple):
    """A point of the outline: its column `u`, and (y, s) on the circle, pixels from the center."""

    u: float
    y: float
    s: float


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
def circles(x: float, y: float) -> Geometry:
    """Describe the circles about a point."""
    return Geometry(x, y, 1.0, 0.0)


@compiled
def ellipse_at(geometry: Geometry, a: float) -> Ellipse:
    """Choose the ellipse of one semi-major axis, pixels."""
    return Ellipse(geometry.x, geometry.y, a, a / geometry.elongation, geometry.theta)


@compiled
def outline_of(ellipse: Ellipse, n_y: int, n_x: int) -> Outline:
    """Prepare an ellipse whose semi-axes are above 0, on an image of so many rows and columns."""
    x, y, a, b, theta = ellipse
    cosine, sine = math.cos(theta), math.sin(theta)
    # half the width and height of the box around the ellipse
    reach_x = math.sqrt(a * cosine * (a * cosine) + b * sine * (b * sine))
    reach_y = math.sqrt(a * sine * (a * sine) + b * cosine * (b * cosine))
    scale = 1.0 / (reach_x * reach_y)
    # (a^2 - b^2) cos sin / (X Y), factored so that a circle gives exactly 0
    skew, upright = cosine * sine * (a - b) * (a + b) * scale, a * b * scale
    first, last = _row_range(y, reach_y, n_y)
    rows = np.empty((4, max(last - first, 0) + 1))
    _fill_edges_of_rows(first, y, x + 0.5, reach_x, reach_y, skew, upright, rows)
    # a column more on both sides, and none where they are not numbers
    low, high = max(x + 0.5 - reach_x - 1.0, 0.0), min(x + 0.5 + reach_x + 2.0, float(n_x))
    first_column = math.floor(low) if low <= high else 0
    columns = np.empty((4, math.floor(high) + 1 - first_column if low <= high else 0))
    _fill_edges_of_columns(first_column, x + 0.5, 1.0 / reach_x, reach_y, skew, upright, columns)
    return Outline(
        first,
        last,
        y,
        x + 0.5,
        reach_x,
        reach_y,
        1.0 / reach_y,
        skew,
        upright,
        0.5 * a * b,
        rows,
        first_column,
        columns,
    )


@compiled
def _row_range(y: float, reach_y: float, n_y: int) -> tuple[int, int]:
    """First row of the image that the ellipse touches, and the one after its last."""
    # pixel k reaches from k - 0.5 to k + 0.5; clamped as floats, before the conversion to integers
    first = min(max(y - reach_y + 0.5, 0.0), float(n_y))
    last = min(max(y + reach_y + 0.5, -1.0), n_y - 1.0)
    return math.floor(first), math.floor(last) + 1


@compiled
def _fill_edges_of_rows(
    first: int,
    y_center: float,
    offset: float,
    reach_x: float,
    reach_y: float,
    cosine: float,
    sine: float,
    rows: NDArray[np.float64],
) -> None:
    """Fill in where both sides of the outline meet the edges of rows."""
    y, s, left, right = rows[0], rows[1], rows[2], rows[3]
    per_reach_y = 1.0 / reach_y
    for k in range(y.size):
        y[k] = min(max(first + k - 0.5 - y_center, -reach_y), reach_y)
    for k in range(y.size):
        # Y^2 - y^2 as a product: exact next to the poles
        s[k] = math.sqrt(max((reach_y - y[k]) * (reach_y + y[k]), 0.0))
    for k in range(y.size):
        left[k] = (cosine * y[k] + sine * -s[k]) * per_reach_y * reach_x + offset
    for k in range(y.size):
        right[k] = (cosine * y[k] + sine * s[k]) * per_reach_y * reach_x + offset


@compiled
def _fill_edges_of_columns(
    first: int,
    offset: float,
    per_reach_x: float,
    reach_y: float,
    cosine: float,
    sine: float,
    columns: NDArray[np.float64],
) -> None:
    """Fill in where both halves of the outline cross the edges of columns."""
    y_above, y_below, s_above, s_below = columns[0], columns[1], columns[2], columns[3]
    for k in range(y_above.size):
        # rounding may push an extreme point just beyond the unit circle
        along = min(max((first + k - offset) * per_reach_x, -1.0), 1.0)
        across = math.sqrt((1.0 - along) * (1.0 + along))
        y_above[k] = reach_y * (cosine * along + sine * across)
        y_below[k] = reach_y * (cosine * along - sine * across)
        s_above[k] = reach_y * (sine * along - cosine * across)
        s_below[k] = reach_y * (sine * along + cosine * across)


@compiled
def fill_row(outline: Outline, row: int, weights: NDArray[np.float64]) -> RowSpan:
    """Write the weights of those pixels of a row that the outline crosses.

    Parameters
    ----------
    outline : Outline
        As `outline_of` gives it.
    row : int
        Row of the image.
    weights : ndarray [x], float64
        As long as the image is wide; written only where the returned span says so.

    Returns
    -------
    RowSpan
        Clipped at the image.
    """
    if not outline.first <= row < outline.last:
        return RowSpan(0, 0, 0, 0, 0.0)
    k = row - outline.first
    low, high = outline.rows[0, k], outline.rows[0, k + 1]
    is_cut = row - 0.5 - outline.y < -outline.reach_y or row + 0.5 - outline.y > outline.reach_y
    height = high - low if is_cut else 1.0
    if not height > 0.0:
        return RowSpan(0, 0, 0, 0, 0.0)
    n_x = len(weights)
    s_low, s_high = outline.rows[1, k], outline.rows[1, k + 1]
    left = Point(outline.rows[2, k], low, -s_low), Point(outline.rows[2, k + 1], high, -s_high)
    right = Point(outline.rows[3, k], low, s_low), Point(outline.rows[3, k + 1], high, s_high)
    left_first, left_last = _columns(outline, LEFT, left[0], left[1], n_x)
    right_first, right_last = _columns(outline, RIGHT, right[0], right[1], n_x)
    begin, end = max(left_first, 0), min(right_last + 1, n_x)
    if begin >= end:
        return RowSpan(0, 0, 0, 0, 0.0)
    # between the two sides of the outline every pixel has the row's whole height
    inner_begin = min(max(left_last + 1, begin), end)
    inner_end = min(max(right_first, inner_begin), end)
    for column in range(begin, inner_begin):
        weights[column] = height if column < right_first else 0.0
    for column in range(inner_end, end):
        weights[column] = 0.0
    if left_last >= 0:
        _add_side(outline, LEFT, left[0], left[1], left_first, weights)
    if right_first < n_x:
        _add_side(outline, RIGHT, right[0], right[1], right_first, weights)
    return RowSpan(begin, inner_begin, inner_end, end, height)


@inlined
def _floor_within(value: float, high: int) -> int:
    """Whole part of a column, kept between -1 and `high`."""
    return math.floor(min(max(value, -1.0), float(high)))


@inlined
def _columns(outline: Outline, side: float, low: Point, high: Point, n_x: int) -> tuple[int, int]:
    """First and last column that one side of the outline crosses between two heights, within -1 to `n_x`."""
    least, greatest = min(low.u, high.u), max(low.u, high.u)
    # height at which this side of the outline is farthest out
    turn = side * outline.cosine * outline.reach_y
    if low.y < turn < high.y:
        extreme = side * outline.reach_x + outline.offset
        least, greatest = min(least, extreme), max(greatest, extreme)
    return _floor_within(least, n_x), _floor_within(greatest, n_x)


@compiled
def _add_side(
    outline: Outline, side: float, low: Point, high: Point, first: int, weights: NDArray[np.float64]
) -> None:
    """Add what lies left of one side of the outline (take it away for the left side)."""
    y_turn = side * outline.cosine * outline.reach_y
    if low.y < y_turn < high.y:
        u_turn, s_turn = side * outline.reach_x + outline.offset, side * outline.sine * outline.reach_y
        turn = Point(u_turn, y_turn, s_turn)
        _add_piece(outline, side, -1.0, low, turn, first, weights)
        low = turn
    _add_piece(outline, side, 1.0 if y_turn <= low.y else -1.0, low, high, first, weights)


@inlined
def _add_piece(
    outline: Outline,
    side: float,
    half: float,
    start: Point,
    stop: Point,
    first: int,
    weights: NDArray[np.float64],
) -> None:
    """Add what lies left of a piece of outline on which x only grows or only falls.

    `half` is 1 above the turning point and -1 below it; columns from `first` up to the piece have all of its
    height on their side.
    """
    n_x = len(weights)
    # from left to right; the area's sign does not depend on the direction
    if start.u > stop.u:
        start, stop = stop, start
    if stop.u < 0.0:
        return
    column, last = max(_floor_within(start.u, n_x), 0), _floor_within(stop.u, n_x)
    # pixels left of the piece: all of its height is on their side
    for passed in range(max(first, 0), column):
        weights[passed] += side * abs(stop.y - start.y)
    here = start
    if start.u < 0.0:
        here = _crossing(outline, 0, half, start.y, stop.y)
    while column < n_x and column <= last:
        there = stop
        if column < last:
            there = _crossing(outline, column + 1, half, here.y, stop.y)
        weights[column] += side * (_area_left(outline, side, column, here, there) + abs(stop.y - there.y))
        here = there
        column += 1


@inlined
def _crossing(outline: Outline, column: int, half: float, y_from: float, y_to: float) -> Point:
    """Where the outline crosses a pixel's left edge, not beyond the two heights."""
    k = column - outline.first_column
    y, s = outline.columns[1, k], outline.columns[3, k]
    if half > 0.0:
        y, s = outline.columns[0, k], outline.columns[2, k]
    return Point(float(column), min(max(y, min(y_from, y_to)), max(y_from, y_to)), s)


@inlined
def _area_left(outline: Outline, side: float, column: int, one: Point, other: Point) -> float:
    """Area between a pixel's left edge and the outline."""
    dy, ds = (other.y - one.y) * outline.per_reach_y, (other.s - one.s) * outline.per_reach_y
    # Green's theorem: below the chord a trapezoid, beyond it a segment of the circle
    trapezoid = 0.5 * ((one.u - column) + (other.u - column)) * abs(other.y - one.y)
    squared = 0.25 * (dy * dy + ds * ds)
    if squared < SERIES_REACH:
        return trapezoid + side * outline.half_product * _thin_segment(squared)
    sum_y, sum_s = (other.y + one.y) * outline.per_reach_y, (other.s + one.s) * outline.per_reach_y
    half_chord, half_sum = math.sqrt(squared), 0.5 * math.sqrt(sum_y * sum_y + sum_s * sum_s)
    # atan2 of half chord and half sum: an asin of either would lose half of the digits at the poles
    segment = 2.0 * (math.atan2(half_chord, half_sum) - half_chord * half_sum)
    return trapezoid + side * outline.half_product * segment


@inlined
def _thin_segment(h2: float) -> float:
    """Twice the area of a segment of the unit circle, from its squared half chord h^2.

    That is angle - sin(angle) = 2 (asin(h) - h sqrt(1 - h^2)), the integral of 4 h^2 / sqrt(1 - h^2).
    """
    # series of 2 (asin(h) - h sqrt(1 - h^2)) / h^3 in h^2, summed in two halves for speed
    h4 = h2 * h2
    low = (4 / 3 + h2 * (2 / 5)) + h4 * (3 / 14 + h2 * (5 / 36))
    high = (35 / 352 + h2 * (63 / 832)) + h4 * (77 / 1280 + h2 * (429 / 8704))
    return h2 * math.sqrt(h2) * (low + h4 * h4 * high)


@compiled
def row_prefix_sums(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum up along each row.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Any unit.

    Returns
    -------
    ndarray [y, x + 1], float64
        Of the image's unit; 0 first.
    """
    n_y, n_x = image.shape
    sums = np.empty((n_y, n_x + 1))
    for y in range(n_y):
        total = 0.0
        sums[y, 0] = 0.0
        for x in range(n_x):
            total += image[y, x]
            sums[y, x + 1] = total
    return sums


@compiled
def ellipse_sum(image: NDArray[np.float64], row_sums: NDArray[np.float64], ellipse: Ellipse) -> float:
    """Sum of an image within an ellipse.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Any unit; the ellipse is clipped at its border.
    row_sums : ndarray [y, x + 1], float64
        `row_prefix_sums` of it.
    ellipse : Ellipse
        Where.

    Returns
    -------
    float
        Of the image's unit; 0 for an ellipse without area or off the image.
    """
    if not (ellipse.a > 0.0 and ellipse.b > 0.0):
        return 0.0
    n_y, n_x = image.shape
    weights = np.empty(n_x)
    outline = outline_of(ellipse, n_y, n_x)
    total = 0.0
    for row in range(outline.first, outline.last):
        span = fill_row(outline, row, weights)
        # whole pixels by prefix sums, those on the outline one by one
        total += span.height * (row_sums[row, span.inner_end] - row_sums[row, span.inner_begin])
        for column in range(span.begin, span.inner_begin):
            total += weights[column] * image[row, column]
        for column in range(span.inner_end, span.end):
            total += weights[column] * image[row, column]
    return total


@compiled
def ellipse_sum_and_area(stamp: Stamp, ellipse: Ellipse) -> tuple[float, float]:
    """Flux within an ellipse, and how much of its area is on the stamp and off the mask.

    Parameters
    ----------
    stamp : Stamp
        Its masked pixels count neither as flux nor as area.
    ellipse : Ellipse
        Where.

    Returns
    -------
    tuple of float
        Flux, in the stamp's unit; area in square pixels.
    """
    if not (ellipse.a > 0.0 and ellipse.b > 0.0):
        return 0.0, 0.0
    n_y, n_x = stamp.pixels.shape
    weights = np.empty(n_x)
    outline = outline_of(ellipse, n_y, n_x)
    flux, area = 0.0, 0.0
    for row in range(outline.first, outline.last):
        span = fill_row(outline, row, weights)
        inner, outer = span.inner_begin, span.inner_end
        flux += span.height * (stamp.row_sums[row, outer] - stamp.row_sums[row, inner])
        area += span.height * (stamp.row_valid[row, outer] - stamp.row_valid[row, inner])
        for column in range(span.begin, inner):
            flux += weights[column] * stamp.pixels[row, column]
            area += 0.0 if stamp.mask[row, column] else weights[column]
        for column in range(outer, span.end):
            flux += weights[column] * stamp.pixels[row, column]
            area += 0.0 if stamp.mask[row, column] else weights[column]
    return flux, area


@compiled
def ring_sum_and_area(stamp: Stamp, outer: Ellipse, inner: Ellipse) -> tuple[float, float]:
    """Sum up an elliptical ring weight by weight: exact even where a corner of a pixel is all there is.

    Parameters
    ----------
    stamp : Stamp
        Its masked pixels count neither as flux nor as area.
    outer, inner : Ellipse
        Its edges.

    Returns
    -------
    tuple of float
        Flux, in the stamp's unit; area in square pixels. For all but the smallest rings the difference of two
        `ellipse_sum_and_area` is as good, and faster.
    """
    n_y, n_x = stamp.pixels.shape
    outer_outline, inner_outline = outline_of(outer, n_y, n_x), outline_of(inner, n_y, n_x)
    outer_weights, inner_weights = np.empty(n_x), np.empty(n_x)
    flux, area = 0.0, 0.0
    for row in range(n_y):
        _spell_out(outer_outline, row, outer_weights)
        _spell_out(inner_outline, row, inner_weights)
        for column in range(n_x):
            # as photutils' EllipticalAnnulus: mask of the outer less mask of the inner ellipse
            weight = outer_weights[column] - inner_weights[column]
            if weight > 0.0 and not stamp.mask[row, column]:
                flux += weight * stamp.pixels[row, column]
                area += weight
    return flux, area


@compiled
def _spell_out(outline: Outline, row: int, weights: NDArray[np.float64]) -> None:
    """Write the weights of all pixels of a row."""
    span = fill_row(outline, row, weights)
    weights[: span.begin] = 0.0
    weights[span.inner_begin : span.inner_end] = span.height
    weights[span.end :] = 0.0
