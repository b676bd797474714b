"""Sérsic laws integrated over pixels: points of Gauss and Legendre where the law bends, pixel borders about its cusp.

A pixel that the value at its center does for has one point. Where that would be off by a share of the pixel's noise,
a grid of points is summed. In the 3 x 3 pixels about the center, where no grid reaches the cusp, the divergence theorem
makes the flux of a pixel from its border: with V(r) = r times the integral of s I(s r) over s from 0 to 1, div V = I,
so that every edge gives a flux to the one and takes it from the other of the two pixels that share it.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_sum
from galsmith.measure.engine.sersic.law import (
    Component,
    Room,
    SersicModel,
    fill_law,
    fill_model_and_derivatives,
    fill_places,
    make_room,
)

# a pixel may be off by this share of its noise
LEAST_ERROR = 0.015
# and while the fit is far from its end, pixels and cells by so much, or cells by this share of their light
ROUGH_ERROR, ROUGH_SHARE = 0.15, 0.003
# points along a side, and what the error term of Gauss and Legendre multiplies the derivative of twice that order by:
# (k!)^4 / ((2k + 1) (2k)!^3) (Abramowitz & Stegun 1964, 25.4.30)
_ORDERS = np.array([1, 2, 3, 4, 6, 8, 12])
_ERRORS = np.array(
    [math.factorial(k) ** 4 / ((2 * k + 1) * math.factorial(2 * k) ** 3) for k in _ORDERS.tolist()]
)
_FACTORIALS = np.array([math.factorial(2 * k) for k in _ORDERS.tolist()], dtype=np.float64)
_NODES, _SHARES = np.zeros((13, 12)), np.zeros((13, 12))
for _order in range(1, 13):
    _NODES[_order, :_order], _SHARES[_order, :_order] = np.polynomial.legendre.leggauss(_order)
_NODES *= 0.5
_SHARES *= 0.5
# points along an edge, and along each ray to it: while the fit is far from its end, then of laws not so steep, and steep
_ROUGH_EDGE, _PLAIN_EDGE, _STEEP_EDGE = (4, 5), (6, 6), (6, 8)
_STEEP_FROM = 2.5
# so near an edge the cusp is no longer resolved along it
_NEAREST_PIX = 1e-3
BLOCK_SIDE = 3
# a center may lie so far off the image
_FAR_PIX = 9.0
_N_EDGES = 2 * BLOCK_SIDE * (BLOCK_SIDE + 1)
ROOM = 256


class FinePixels(NamedTuple):
    """Pixels that a single point does not do for.

    Attributes
    ----------
    places : ndarray [pixel], int64
        Flat indices: those on grids, then the nine about the center, -1 where these are off the image.
    orders : ndarray [grid], int64
        Points along a side of the former.
    pixels, weights : ndarray [pixel], float64
        Flux, and one over its noise.
    x_first, y_first : int
        The first column and row of the nine.
    width : int
        Columns of the image.
    along, rays : int
        Points along each edge of the nine, and along each ray to it.
    """

    places: NDArray[np.int64]
    orders: NDArray[np.int64]
    pixels: NDArray[np.float64]
    weights: NDArray[np.float64]
    x_first: int
    y_first: int
    width: int
    along: int
    rays: int


@compiled
def fine_pixels(
    model: SersicModel,
    pixels: NDArray[np.float64],
    weights: NDArray[np.float64],
    beyond: NDArray[np.float64],
    greatest_error: float,
) -> FinePixels:
    """Choose how finely the pixels of a model near the one given are to be integrated.

    Parameters
    ----------
    model : SersicModel
        Where the fit stands.
    pixels, weights : ndarray [y, x], float64
        Flux, and one over its noise.
    beyond : ndarray [component, 4], float64
        Of each law, as `smooth_beyond` gives them for the largest weight.
    greatest_error : float
        Of a pixel, as a share of its noise.
    """
    height, width = pixels.shape
    x_first = int(min(max(round(model.first.x), -_FAR_PIX), width + _FAR_PIX)) - BLOCK_SIDE // 2
    y_first = int(min(max(round(model.first.y), -_FAR_PIX), height + _FAR_PIX)) - BLOCK_SIDE // 2
    block = np.full(BLOCK_SIDE * BLOCK_SIDE, -1)
    for k in range(block.size):
        y, x = y_first + k // BLOCK_SIDE, x_first + k % BLOCK_SIDE
        if 0 <= y < height and 0 <= x < width:
            block[k] = y * width + x
    on_grids, orders = _on_grids(model, weights, _box_of_grids(model, beyond, height, width), greatest_error)
    is_beside = np.abs(on_grids // width - y_first - 1) > 1
    is_beside |= np.abs(on_grids % width - x_first - 1) > 1
    on_grids, orders = on_grids[is_beside], orders[is_beside]
    places = np.concatenate((on_grids, block))
    fine, fine_weights = np.zeros(places.size), np.zeros(places.size)
    for k in range(places.size):
        if places[k] >= 0:
            y, x = places[k] // width, places[k] % width
            fine[k], fine_weights[k] = pixels[y, x], weights[y, x]
    along, rays = _STEEP_EDGE if model.first.sersic_index > _STEEP_FROM else _PLAIN_EDGE
    if greatest_error > LEAST_ERROR:
        along, rays = _ROUGH_EDGE
    return FinePixels(places, orders, fine, fine_weights, x_first, y_first, width, along, rays)


@compiled
def _box_of_grids(
    model: SersicModel, beyond: NDArray[np.float64], height: int, width: int
) -> tuple[int, int, int, int]:
    """Box beyond which all pixels are smooth: first column and the one behind the last, and such rows."""
    reach = 0.0
    for k in range(model.n_components):
        part = model.first if k == 0 else model.second
        reach = max(reach, beyond[k, 0] * max(abs(part.semi_major), abs(part.semi_minor)))
    x, y = model.first.x, model.first.y
    if not (math.isfinite(reach) and math.isfinite(x) and math.isfinite(y)):
        return 0, width, 0, height
    return (
        int(min(max(0.0, math.floor(x - reach)), width)),
        int(min(max(0.0, math.ceil(x + reach) + 1.0), width)),
        int(min(max(0.0, math.floor(y - reach)), height)),
        int(min(max(0.0, math.ceil(y + reach) + 1.0), height)),
    )


@compiled
def _on_grids(
    model: SersicModel,
    weights: NDArray[np.float64],
    box: tuple[int, int, int, int],
    greatest_error: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Flat indices of the pixels in a box that need more than one point, and how many along a side."""
    x_start, x_stop, y_start, y_stop = box
    width = max(0, x_stop - x_start)
    size = width * max(0, y_stop - y_start)
    places, orders, of_row = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(width, np.int64)
    count = 0
    room = make_room(width)
    for y in range(y_start, y_stop):
        of_row[:] = 1
        fill_places(model, y, x_start, width, room)
        for k in range(model.n_components):
            part = model.first if k == 0 else model.second
            fill_law(part, room)
            for x in range(width):
                # light over noise
                light = abs(part.amplitude * room.law[x] * weights[y, x_start + x])
                if light > greatest_error:
                    of_row[x] = max(of_row[x], _order_for(part, room, x, greatest_error / light))
        for x in range(width):
            if of_row[x] > 1:
                places[count], orders[count] = y * weights.shape[1] + x_start + x, of_row[x]
                count += 1
    return places[:count].copy(), orders[:count].copy()


@compiled
def _order_for(part: Component, room: Room, i: int, greatest_error: float) -> int:
    """Find how many points along a side leave a relative error below a bound."""
    along = (room.dx[i] * part.cosine + room.dy[i] * part.sine) * part.semi_minor / part.semi_major
    across = room.dy[i] * part.cosine - room.dx[i] * part.sine
    # distance from the cusp, and the logarithmic slope, in the direction in which the law is steepest
    distance = math.sqrt(along * along + across * across) + _NEAREST_PIX
    slope = part.scale / part.sersic_index * room.power[i] / distance
    # derivatives of twice an order, over the light: of an exponential of this slope, of a cusp at this distance
    smooth, sharp, order = 1.0, slope * distance, 0
    by_slope, by_distance = slope * slope, 1.0 / (distance * distance)
    for k in range(_ORDERS.size):
        while order < _ORDERS[k]:
            smooth, sharp, order = smooth * by_slope, sharp * by_distance, order + 1
        if _ERRORS[k] * (smooth + _FACTORIALS[k] * sharp) < greatest_error:
            return _ORDERS[k]
    return _ORDERS[-1]


class Samples(NamedTuple):
    """Points that are computed at once: where they are, what each counts, and what was computed there."""

    room: Room
    shares: NDArray[np.float64]
    light: NDArray[np.float64]
    derivatives: NDArray[np.float64]


@compiled
def make_samples(n_parameters: int) -> Samples:
    """Make room for some points."""
    room = make_room(ROOM)
    for i in range(ROOM):
        # points that are not used are computed too
        room.dx[i] = room.dy[i] = 1.0
    return Samples(room, np.zeros(ROOM), np.empty(ROOM), np.empty((n_parameters, ROOM)))


@compiled
def fill_integrals(model: SersicModel, fine: FinePixels, values: NDArray[np.float64]) -> None:
    """Integrate the model's derivatives and its light over the fine pixels.

    Parameters
    ----------
    model : SersicModel
        Made with its slopes.
    fine : FinePixels
        Chosen for a model near this one.
    values : ndarray [parameter + 1, pixel], float64
        Is overwritten, the light being the last.
    """
    samples = make_samples(values.shape[0] - 1)
    _integrate_grids(model, fine, samples, values)
    _integrate_borders(model, fine, samples, values)


@compiled
def _integrate_grids(
    model: SersicModel, fine: FinePixels, samples: Samples, values: NDArray[np.float64]
) -> None:
    """Sum grids of points, as many pixels at once as there is room for."""
    n_parameters, count = values.shape[0] - 1, fine.orders.size
    width = fine.width
    first = 0
    while first < count:
        last, filled = first, 0
        while last < count and filled + fine.orders[last] ** 2 <= ROOM:
            place, order = fine.places[last], fine.orders[last]
            dx, dy = place % width - model.first.x, place // width - model.first.y
            for j in range(order):
                for i in range(order):
                    samples.room.dx[filled] = dx + _NODES[order, i]
                    samples.room.dy[filled] = dy + _NODES[order, j]
                    samples.shares[filled] = _SHARES[order, i] * _SHARES[order, j]
                    filled += 1
            last += 1
        fill_model_and_derivatives(model, samples.room, samples.light, samples.derivatives)
        filled = 0
        for pixel in range(first, last):
            end = filled + fine.orders[pixel] ** 2
            for k in range(n_parameters):
                values[k, pixel] = _dot(samples.shares[filled:end], samples.derivatives[k, filled:end])
            values[n_parameters, pixel] = _dot(samples.shares[filled:end], samples.light[filled:end])
            filled = end
        first = last


@compiled
def _integrate_borders(
    model: SersicModel, fine: FinePixels, samples: Samples, values: NDArray[np.float64]
) -> None:
    """Give the flux through each edge of the nine pixels to the one on its near side, take it from the other."""
    n_parameters, base = values.shape[0] - 1, fine.orders.size
    values[:, base:] = 0.0
    per_edge = fine.along * fine.rays
    at_once = ROOM // per_edge
    for first in range(0, _N_EDGES, at_once):
        last = min(first + at_once, _N_EDGES)
        for edge in range(first, last):
            _place_edge(model, fine, edge, samples, (edge - first) * per_edge)
        fill_model_and_derivatives(model, samples.room, samples.light, samples.derivatives)
        for edge in range(first, last):
            start, end = (edge - first) * per_edge, (edge - first + 1) * per_edge
            level, place, step, stride = _edge(edge)
            for k in range(n_parameters + 1):
                of_points = samples.light if k == n_parameters else samples.derivatives[k]
                flux = _dot(samples.shares[start:end], of_points[start:end])
                if level > 0:
                    values[k, base + (level - 1) * step + place * stride] += flux
                if level < BLOCK_SIDE:
                    values[k, base + level * step + place * stride] -= flux


@compiled
def _edge(edge: int) -> tuple[int, int, int, int]:
    """Give an edge's line and its place along it, and how far lines and places lie apart in the block."""
    level, place = edge // BLOCK_SIDE, edge % BLOCK_SIDE
    if level <= BLOCK_SIDE:
        return level, place, BLOCK_SIDE, 1
    return level - BLOCK_SIDE - 1, place, 1, BLOCK_SIDE


@compiled
def _place_edge(model: SersicModel, fine: FinePixels, edge: int, samples: Samples, first: int) -> None:
    """Place the points between the center and an edge, dense where the edge comes near and towards the center."""
    part = model.first
    level, place, step, _ = _edge(edge)
    is_row = step == BLOCK_SIDE
    # the line of the edge, and where it begins on it, from the center
    if is_row:
        height, start = fine.y_first + level - 0.5 - part.y, fine.x_first + place - 0.5 - part.x
    else:
        height, start = fine.x_first + level - 0.5 - part.x, fine.y_first + place - 0.5 - part.y
    major, minor = 1.0 / part.semi_major**2, 1.0 / part.semi_minor**2
    along_x = part.cosine**2 * major + part.sine**2 * minor
    along_y = part.sine**2 * major + part.cosine**2 * minor
    mixed = part.cosine * part.sine * (major - minor)
    along = along_x if is_row else along_y
    # the squared elliptical radius on the line is along ((t - foot)^2 + distance^2)
    foot = -mixed * height / along
    distance = max(abs(height) * math.sqrt(major * minor) / along, _NEAREST_PIX)
    low, high = math.asinh((start - foot) / distance), math.asinh((start + 1.0 - foot) / distance)
    # r = v^power: a law of index n is smooth in v
    power = min(max(part.sersic_index, 1.0), 4.0)
    for i in range(fine.along):
        w = low + (high - low) * (0.5 + _NODES[fine.along, i])
        t = foot + distance * math.sinh(w)
        # dt, and the height: twice the triangle's area
        area = height * _SHARES[fine.along, i] * (high - low) * distance * math.cosh(w)
        for j in range(fine.rays):
            v = 0.5 + _NODES[fine.rays, j]
            s = v**power
            k = first + i * fine.rays + j
            samples.room.dx[k], samples.room.dy[k] = (s * t, s * height) if is_row else (s * height, s * t)
            samples.shares[k] = area * _SHARES[fine.rays, j] * power * s * s / v


@compiled_sum
def _dot(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    total = 0.0
    for i in range(left.size):
        total += left[i] * right[i]
    return total
