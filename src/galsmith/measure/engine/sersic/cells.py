"""Cells: pixels taken together, and how fine or coarse an image may be sampled for a Sérsic law.

Far from the center the law hardly changes from pixel to pixel, and a square of pixels knows no more of it than their
weighted mean does. A fit that is far from its end reads the image so, and all pixels at its end.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.sersic.law import Component, SersicModel

# a cell has up to 2^3 pixels along a side
_LEVELS = 4
# a law may change so much across a cell, where it has to be right to a share of its light
_CHANGED = 0.15
# radii at which a law is looked at, from without inwards: each this share of the one before, the last one this small
_INWARDS, _INNERMOST = 0.93, 1e-3


class Cells(NamedTuple):
    """Squares of pixels.

    Attributes
    ----------
    x, y : ndarray [cell], float64
        Their middles, weighted by the square of the weights, pixels.
    pixels, weights : ndarray [cell], float64
        Weighted mean of the pixels' flux, and one over its noise.
    scatter : float
        Sum of the squared, weighted differences of all pixels from their cell's mean.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    pixels: NDArray[np.float64]
    weights: NDArray[np.float64]
    scatter: float


@compiled
def no_cells() -> Cells:
    """Give an image that is not read in cells."""
    return Cells(np.empty(0), np.empty(0), np.empty(0), np.empty(0), 0.0)


@compiled
def is_smooth(
    part: Component, radius: float, side: int, weight: float, of_noise: float, of_light: float
) -> bool:
    """Whether the light at the middle of a square of pixels stands for its mean.

    Parameters
    ----------
    part : Component
        The law.
    radius : float
        Elliptical, in units of r_eff.
    side : int
        Of the square, pixels.
    weight : float
        One over the noise of a pixel.
    of_noise, of_light : float
        Greatest error of the square's mean, as a share of that one's noise or of the light; either does.
    """
    axis = min(abs(part.semi_major), abs(part.semi_minor))
    light, slope, bend = _light_slope_and_bend(part, radius, radius * axis)
    bend *= side * side
    # the mean's noise is `side` times smaller than a pixel's
    return light * weight * side * bend <= of_noise or (bend <= of_light and slope * side <= _CHANGED)


@compiled
def _light_slope_and_bend(part: Component, radius: float, distance: float) -> tuple[float, float, float]:
    """Law at a radius, its logarithmic slope, and the relative error of its value at a pixel's center."""
    power = radius ** (1.0 / part.sersic_index)
    slope = part.scale / part.sersic_index * power / distance
    # error terms of an exponential of this slope and of a cusp at this distance: the second derivative over 24
    bend = slope * (slope + 2.0 / distance) / 24.0
    return abs(part.amplitude) * math.exp(-part.scale * (power - 1.0)), slope, bend


@compiled
def smooth_beyond(
    model: SersicModel, weights: NDArray[np.float64], of_noise: float, of_light: float
) -> NDArray[np.float64]:
    """Find the elliptical radii beyond which squares of 1, 2, 4 and 8 pixels a side are smooth.

    Parameters
    ----------
    model : SersicModel
        Its laws.
    weights : ndarray [y, x], float64
        One over the pixels' noise.
    of_noise, of_light : float
        As `is_smooth` takes them.

    Returns
    -------
    ndarray [component, 4], float64
        In units of each law's r_eff; infinite where even the farthest pixels are not.
    """
    height, width = weights.shape
    weight = _greatest(weights.reshape(weights.size))
    x = max(abs(model.first.x), abs(width - model.first.x))
    y = max(abs(model.first.y), abs(height - model.first.y))
    found = np.full((model.n_components, _LEVELS), math.inf)
    for k in range(model.n_components):
        part = model.first if k == 0 else model.second
        radius = math.sqrt(x * x + y * y) / min(abs(part.semi_major), abs(part.semi_minor))
        for level in range(_LEVELS - 1, -1, -1):
            # single pixels lie where the light is, and have to be right to a share of their noise
            share = of_light if level > 0 else 0.0
            while radius > _INNERMOST and is_smooth(part, radius, 1 << level, weight, of_noise, share):
                found[k, level] = radius
                radius *= _INWARDS
    return found


@compiled
def _greatest(weights: NDArray[np.float64]) -> float:
    """Greatest of some weights; the bits of numbers not below 0 are in the numbers' order, and quicker compared."""
    all_bits, greatest = weights.view(np.int64), np.zeros(1)
    bits = 0
    for i in range(all_bits.size):
        bits = max(bits, all_bits[i])
    greatest.view(np.int64)[0] = bits
    return greatest[0]


@compiled
def cells_of(
    model: SersicModel,
    pixels: NDArray[np.float64],
    weights: NDArray[np.float64],
    beyond: NDArray[np.float64],
) -> Cells:
    """Take pixels together where all laws of a model are smooth.

    Parameters
    ----------
    model : SersicModel
        Where the fit stands.
    pixels, weights : ndarray [y, x], float64
        Flux, and one over its noise, 0 where a pixel is left out.
    beyond : ndarray [component, 4], float64
        Of each law, as `smooth_beyond` gives them.

    Returns
    -------
    Cells
        Such that an image turned or flipped gives the cells turned or flipped.
    """
    height, width = pixels.shape
    found = np.empty((4, pixels.size))
    count, scatter = 0, 0.0
    # squares that may have to be divided: columns, rows, and level of each
    waiting = np.empty((4 * _LEVELS, 5), dtype=np.int64)
    y = 0
    while y < height:
        y_next = _next_border(y, height, _LEVELS - 1)
        x = 0
        while x < width:
            x_next = _next_border(x, width, _LEVELS - 1)
            _put(waiting, 0, x, x_next, y, y_next, _LEVELS - 1)
            left = 1
            while left > 0:
                square = waiting[left - 1]
                if square[4] > 0 and not _is_smooth_in(model, beyond, square):
                    left = _divide(waiting, left, width, height)
                    continue
                left -= 1
                scatter += _fill_cell(pixels, weights, square, found[:, count])
                count += found[3, count] > 0.0
            x = x_next
        y = y_next
    return Cells(
        found[0, :count].copy(),
        found[1, :count].copy(),
        found[2, :count].copy(),
        found[3, :count].copy(),
        scatter,
    )


@compiled
def _put(waiting: NDArray[np.int64], k: int, x: int, x_next: int, y: int, y_next: int, level: int) -> None:
    waiting[k, 0], waiting[k, 1], waiting[k, 2], waiting[k, 3], waiting[k, 4] = x, x_next, y, y_next, level


@compiled
def _next_border(place: int, size: int, level: int) -> int:
    """Next border of squares, which are laid out alike on both sides of an image's middle."""
    side = 1 << level
    low, high = size // 2, (size + 1) // 2
    if place >= high:
        return min(place + side, size)
    if place == low:
        return high
    # squares that the edge of the image cuts are narrower
    return place + 1 + (low - place - 1) % side


@compiled
def _divide(waiting: NDArray[np.int64], left: int, width: int, height: int) -> int:
    """Put squares of the next finer level in the place of the last one; how many wait then."""
    k = left - 1
    x_first, x_last, y_first, y_last, level = (
        waiting[k, 0],
        waiting[k, 1],
        waiting[k, 2],
        waiting[k, 3],
        waiting[k, 4] - 1,
    )
    y = y_first
    while y < y_last:
        y_next = _next_border(y, height, level)
        x = x_first
        while x < x_last:
            x_next = _next_border(x, width, level)
            _put(waiting, k, x, x_next, y, y_next, level)
            k += 1
            x = x_next
        y = y_next
    return k


@compiled
def _is_smooth_in(model: SersicModel, beyond: NDArray[np.float64], square: NDArray[np.int64]) -> bool:
    """Whether all of a square lies beyond the radius from which on each law is smooth in squares of its level."""
    dx = 0.5 * (square[0] + square[1] - 1) - model.first.x
    dy = 0.5 * (square[2] + square[3] - 1) - model.first.y
    reach = 0.5 * math.sqrt(float((square[1] - square[0]) ** 2 + (square[3] - square[2]) ** 2))
    for k in range(model.n_components):
        part = model.first if k == 0 else model.second
        along = (dx * part.cosine + dy * part.sine) / part.semi_major
        across = (dy * part.cosine - dx * part.sine) / part.semi_minor
        nearest = math.sqrt(along * along + across * across) - reach / min(
            abs(part.semi_major), abs(part.semi_minor)
        )
        if not nearest >= beyond[k, square[4]]:
            return False
    return True


@compiled
def _fill_cell(
    pixels: NDArray[np.float64],
    weights: NDArray[np.float64],
    square: NDArray[np.int64],
    cell: NDArray[np.float64],
) -> float:
    """Give place, flux and weight of a square, the weight 0 where all pixels are left out; the scatter in it."""
    total = flux = along_x = along_y = 0.0
    for y in range(square[2], square[3]):
        for x in range(square[0], square[1]):
            squared = weights[y, x] * weights[y, x]
            total += squared
            flux += squared * pixels[y, x]
            along_x += squared * x
            along_y += squared * y
    cell[3] = math.sqrt(total)
    if not total > 0.0:
        return 0.0
    cell[0], cell[1], cell[2] = along_x / total, along_y / total, flux / total
    scatter = 0.0
    if square[4] > 0:
        for y in range(square[2], square[3]):
            for x in range(square[0], square[1]):
                scatter += (weights[y, x] * (pixels[y, x] - cell[2])) ** 2
    return scatter
