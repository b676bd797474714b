"""The core of a Sérsic law behind a point spread: integrated in rings about its center, and laid on the pixels' grid.

An image of a point spread has a point a pixel, so what it spreads has to be given at pixels too. Values at their
centers do for light that changes slowly. Light near the cusp does not: a smooth window takes it out, rings of points
integrate it, and every point is laid on 6 x 6 pixels with quintic B-splines, whose blur is then taken off (Unser 1999,
"Splines: a perfect fit for signal and image processing"). What arrives behind the point spread is the law convolved
with the spline through the image of the point spread, wherever between the pixels the center lies.
"""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_fused
from galsmith.measure.engine.sersic.law import SersicModel, fill_model_and_derivatives
from galsmith.measure.engine.sersic.pixels import ROOM, Samples, make_samples

# the window falls from 1 to 0 between these distances from the center
_INNER_PIX, _OUTER_PIX = 0.5, 7.0
_NEAREST_RING, _OTHER_RINGS = 8, 5
_POINT_DISTANCE_PIX = 0.75
_FEWEST_POINTS = 8
_SPLINE = 6
# pixels that points are laid on, and how far the blur of a spline is taken off beyond: 0.43^12 is 4e-5
_SIDE, _MARGIN = 24, 12
_LEFT_OF_CENTER = 11


def _unblurred() -> NDArray[np.float64]:
    """Compute what takes off the blur of quintic B-splines along one axis, [pixel, pixel of the points]."""
    frequency = 2.0 * np.pi * np.arange(4096) / 4096
    blur = (66.0 + 52.0 * np.cos(frequency) + 2.0 * np.cos(2.0 * frequency)) / 120.0
    response = np.fft.ifft(1.0 / blur).real
    away = np.arange(_SIDE + 2 * _MARGIN)[:, None] - _MARGIN - np.arange(_SIDE)
    return np.where(abs(away) <= _MARGIN, response[abs(away)], 0.0)


def _rule(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Nodes and shares of Gauss and Legendre between 0 and 1."""
    nodes, shares = np.polynomial.legendre.leggauss(count)
    return 0.5 + 0.5 * nodes, 0.5 * shares


_UNBLURRED = _unblurred()
_UNBLURRED_TURNED = np.ascontiguousarray(_UNBLURRED.T)
_NEAREST_NODES, _NEAREST_SHARES = _rule(_NEAREST_RING)
_OTHER_NODES, _OTHER_SHARES = _rule(_OTHER_RINGS)


@compiled
def _window(dx: float, dy: float) -> float:
    """Share of the light at a place that belongs to the core; three times differentiable."""
    t = (math.sqrt(dx * dx + dy * dy) - _INNER_PIX) / (_OUTER_PIX - _INNER_PIX)
    if t <= 0.0:
        return 1.0
    if t >= 1.0:
        return 0.0
    return 1.0 - t**4 * (35.0 - t * (84.0 - t * (70.0 - 20.0 * t)))


@compiled
def replace_core(model: SersicModel, images: NDArray[np.float64]) -> None:
    """Take the core out of images of values at pixel centers, and put its integral in.

    Parameters
    ----------
    model : SersicModel
        Made with its slopes.
    images : ndarray [parameter + 1, y, x], float64
        Derivatives and, as the last, light; changed in place.
    """
    count, height, width = images.shape
    x, y = model.first.x, model.first.y
    if not (-_OUTER_PIX < x < width + _OUTER_PIX and -_OUTER_PIX < y < height + _OUTER_PIX):
        return
    x_first, y_first = math.floor(x) - _LEFT_OF_CENTER, math.floor(y) - _LEFT_OF_CENTER
    for row in range(max(0, y_first), min(height, y_first + _SIDE)):
        for column in range(max(0, x_first), min(width, x_first + _SIDE)):
            left = 1.0 - _window(column - x, row - y)
            for k in range(count):
                images[k, row, column] *= left
    core = np.zeros((count, _SIDE, _SIDE))
    _add_rings(model, core, x - x_first, y - y_first)
    for k in range(count):
        _add_unblurred(core[k], images[k], x_first - _MARGIN, y_first - _MARGIN)


@compiled
def _add_rings(model: SersicModel, core: NDArray[np.float64], x: float, y: float) -> None:
    """Integrate the core in elliptical rings, ever wider ones, about (x, y) of the core's pixels."""
    samples = make_samples(core.shape[0] - 1)
    part = model.first
    axis_ratio = min(max(abs(part.semi_minor / part.semi_major), 0.02), 1.0)
    power = min(max(part.sersic_index, 1.0), 4.0)
    inner, outer, filled = 0.0, 0.5 * _OUTER_PIX * axis_ratio, 0
    while inner < _OUTER_PIX:
        outer = min(outer, _OUTER_PIX)
        for i in range(_NEAREST_RING if inner == 0.0 else _OTHER_RINGS):
            if inner == 0.0:
                # a law of index n is smooth in v, r = v^power
                radius = outer * _NEAREST_NODES[i] ** power
                share = _NEAREST_SHARES[i] * power * radius / _NEAREST_NODES[i]
            else:
                radius = inner + (outer - inner) * _OTHER_NODES[i]
                share = _OTHER_SHARES[i] * (outer - inner)
            filled = _add_ring(model, core, x, y, samples, filled, radius, axis_ratio, share)
        inner, outer = outer, 2.0 * outer
    _lay(model, core, x, y, samples, filled)


@compiled
def _add_ring(
    model: SersicModel,
    core: NDArray[np.float64],
    x: float,
    y: float,
    samples: Samples,
    filled: int,
    radius: float,
    axis_ratio: float,
    share: float,
) -> int:
    """Place the points of one ring of a semi-minor axis; how many are waiting to be laid."""
    part = model.first
    major = radius / axis_ratio
    count = max(_FEWEST_POINTS, math.ceil(2.0 * math.pi * major / _POINT_DISTANCE_PIX))
    for i in range(count):
        angle = 2.0 * math.pi * (i + 0.5) / count
        along, across = major * math.cos(angle), radius * math.sin(angle)
        dx = along * part.cosine - across * part.sine
        dy = along * part.sine + across * part.cosine
        inside = _window(dx, dy)
        if inside == 0.0:
            continue
        samples.room.dx[filled], samples.room.dy[filled] = dx, dy
        # the area of a ring: 2 pi r dr / axis_ratio
        samples.shares[filled] = inside * share * 2.0 * math.pi * major / count
        filled += 1
        if filled == ROOM:
            _lay(model, core, x, y, samples, filled)
            filled = 0
    return filled


@compiled
def _lay(
    model: SersicModel, core: NDArray[np.float64], x: float, y: float, samples: Samples, filled: int
) -> None:
    """Lay the light of the points that wait on the core's pixels."""
    fill_model_and_derivatives(model, samples.room, samples.light, samples.derivatives)
    last = core.shape[0] - 1
    along_x, along_y = np.empty(_SPLINE), np.empty(_SPLINE)
    for s in range(filled):
        at_x, at_y = x + samples.room.dx[s], y + samples.room.dy[s]
        first_x, first_y = math.floor(at_x) - 2, math.floor(at_y) - 2
        _fill_spline(at_x - math.floor(at_x), along_x)
        _fill_spline(at_y - math.floor(at_y), along_y)
        for k in range(last + 1):
            value = samples.shares[s] * (samples.light[s] if k == last else samples.derivatives[k, s])
            for j in range(_SPLINE):
                weighted = value * along_y[j]
                for i in range(_SPLINE):
                    core[k, first_y + j, first_x + i] += weighted * along_x[i]


@compiled
def _fill_spline(t: float, weights: NDArray[np.float64]) -> None:
    """Quintic B-spline at the six pixels about a place, `t` right of the third."""
    u = 1.0 - t
    weights[0] = u**5 / 120.0
    weights[5] = t**5 / 120.0
    weights[1] = ((1.0 + u) ** 5 - 6.0 * u**5) / 120.0
    weights[4] = ((1.0 + t) ** 5 - 6.0 * t**5) / 120.0
    weights[2] = ((2.0 + u) ** 5 - 6.0 * (1.0 + u) ** 5 + 15.0 * u**5) / 120.0
    weights[3] = ((2.0 + t) ** 5 - 6.0 * (1.0 + t) ** 5 + 15.0 * t**5) / 120.0


@compiled
def _add_unblurred(core: NDArray[np.float64], image: NDArray[np.float64], x_first: int, y_first: int) -> None:
    """Take the splines' blur off and add the core to an image."""
    wide = np.zeros((_SIDE, _SIDE + 2 * _MARGIN))
    for j in range(_SIDE):
        _add_rows(core[j], _UNBLURRED_TURNED, wide[j])
    row = np.empty(wide.shape[1])
    first, last = max(0, -x_first), min(wide.shape[1], image.shape[1] - x_first)
    for y in range(max(0, -y_first), min(_SIDE + 2 * _MARGIN, image.shape[0] - y_first)):
        row[:] = 0.0
        _add_rows(_UNBLURRED[y], wide, row)
        for x in range(first, last):
            image[y_first + y, x_first + x] += row[x]


@compiled_fused
def _add_rows(factors: NDArray[np.float64], rows: NDArray[np.float64], total: NDArray[np.float64]) -> None:
    """Add rows, each times its factor."""
    for j in range(factors.size):
        for x in range(total.size):
            total[x] += factors[j] * rows[j, x]
