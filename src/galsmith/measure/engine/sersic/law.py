"""Sums of Sérsic laws at pixel centers, and their derivatives, in blocks of rows (Sérsic 1968; Graham & Driver 2005).

The parameters of a fit stand in one array: center x and y, then for each component amplitude (at the effective
radius), effective radius (along the major axis), index, ellipticity and orientation.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_fused
from galsmith.measure.engine.sersic.special_functions import (
    fill_exponentials,
    fill_logarithms,
    half_light_scale,
    half_light_slope,
)

CENTER_PARAMETERS = 2
COMPONENT_PARAMETERS = 5
AMPLITUDE, R_EFF, INDEX, ELLIPTICITY, ORIENTATION = range(COMPONENT_PARAMETERS)
# statmorph's bound on n, against overflow
LOWEST_INDEX = 0.01
_TINY = 1e-300
# the law's derivatives have no limit at its very center: nearer than this they stay at their value there
CUSP_PIX = 1e-3
# so many pixels are computed at once: enough for long vectors, few enough to stay in the fastest memory
_BLOCK_PIXELS = 256


class Room(NamedTuple):
    """Room for one block of pixels, [pixel] each.

    Attributes
    ----------
    dx, dy : ndarray
        Places of the pixels relative to the center.
    law : ndarray
        The law of unit amplitude.
    log_square : ndarray
        Logarithm of the squared elliptical radius in units of r_eff.
    power : ndarray
        That radius to the power 1 / n.
    pull, values : ndarray
        Room for working; `pull` is the derivative by the squared radius in the end.
    """

    dx: NDArray[np.float64]
    dy: NDArray[np.float64]
    law: NDArray[np.float64]
    log_square: NDArray[np.float64]
    power: NDArray[np.float64]
    pull: NDArray[np.float64]
    values: NDArray[np.float64]


class Component(NamedTuple):
    """One Sérsic law with what all of its pixels share; `slope` is the derivative of `scale`, b_n, by the index."""

    x: float
    y: float
    amplitude: float
    cosine: float
    sine: float
    semi_major: float
    semi_minor: float
    sersic_index: float
    ellipticity: float
    scale: float
    slope: float


class SersicModel(NamedTuple):
    """One component, or two that share their center; `second` is `first` again where there is one."""

    n_components: int
    first: Component
    second: Component


@compiled
def _component_of(parameters: NDArray[np.float64], base: int) -> Component:
    """Read the component whose parameters begin at `base`, without its slope."""
    # astropy clips a bounded parameter where the model is evaluated
    index = max(parameters[base + INDEX], LOWEST_INDEX)
    return Component(
        parameters[0],
        parameters[1],
        parameters[base + AMPLITUDE],
        math.cos(parameters[base + ORIENTATION]),
        math.sin(parameters[base + ORIENTATION]),
        parameters[base + R_EFF],
        # b = (1 - ellipticity) r_eff
        (1.0 - parameters[base + ELLIPTICITY]) * parameters[base + R_EFF],
        index,
        parameters[base + ELLIPTICITY],
        half_light_scale(index),
        math.nan,
    )


@compiled
def sersic_model(parameters: NDArray[np.float64]) -> SersicModel:
    """Compute what the pixels of a fit's model share, without what its derivatives need.

    Parameters
    ----------
    parameters : ndarray [2 + 5 components], float64
        As this module orders them.
    """
    n_components = (parameters.size - CENTER_PARAMETERS) // COMPONENT_PARAMETERS
    last = CENTER_PARAMETERS + COMPONENT_PARAMETERS * (n_components - 1)
    second = _component_of(parameters, last)
    first = second
    if n_components > 1:
        first = _component_of(parameters, last - COMPONENT_PARAMETERS)
    return SersicModel(n_components, first, second)


@compiled
def sersic_model_with_slopes(parameters: NDArray[np.float64]) -> SersicModel:
    """Compute what the pixels of a fit's model and of its derivatives share; `sersic_model` has the argument."""
    model = sersic_model(parameters)
    first = _with_slope(model.first)
    if model.n_components > 1:
        return SersicModel(model.n_components, first, _with_slope(model.second))
    return SersicModel(model.n_components, first, first)


@compiled
def _with_slope(part: Component) -> Component:
    """Add what the derivative by the index needs."""
    return Component(
        part.x,
        part.y,
        part.amplitude,
        part.cosine,
        part.sine,
        part.semi_major,
        part.semi_minor,
        part.sersic_index,
        part.ellipticity,
        part.scale,
        half_light_slope(part.sersic_index),
    )


@compiled
def rows_of_block(width: int) -> int:
    """How many rows of so many pixels make one block."""
    return max(1, _BLOCK_PIXELS // max(1, width))


@compiled
def make_room(size: int) -> Room:
    """Make room for so many pixels."""
    return Room(
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
        np.empty(size),
    )


@compiled_fused
def fill_places(model: SersicModel, first_row: int, first_column: int, width: int, room: Room) -> None:
    """Fill in where the pixels of a block lie, whose rows and columns begin with those given."""
    x, y = model.first.x, model.first.y
    for row in range(room.dx.size // width):
        dx, dy = room.dx[row * width : (row + 1) * width], room.dy[row * width : (row + 1) * width]
        for column in range(width):
            dx[column] = first_column + column - x
            dy[column] = first_row + row - y


@compiled_fused
def fill_law(part: Component, room: Room) -> None:
    """Law of unit amplitude, the logarithm and the power that it is made of."""
    cosine_major, cosine_minor = part.cosine / part.semi_major, part.cosine / part.semi_minor
    sine_major, sine_minor = part.sine / part.semi_major, part.sine / part.semi_minor
    # products on their own, so that it is fixed which of the two is rounded: fits with statmorph's steps repeat to 1e-6
    for i in range(room.law.size):
        room.pull[i] = room.dy[i] * sine_major
        room.values[i] = room.dy[i] * cosine_minor
    for i in range(room.law.size):
        major = room.dx[i] * cosine_major + room.pull[i]
        minor = room.values[i] - room.dx[i] * sine_minor
        # squared elliptical radius; not 0, for the logarithm's sake
        room.values[i] = major * major + minor * minor + _TINY
    fill_logarithms(room.values, room.pull, room.log_square)
    # (r / r_eff)^(1/n) from the logarithm of the squared radius
    half_exponent = 0.5 / part.sersic_index
    for i in range(room.law.size):
        room.values[i] = room.log_square[i] * half_exponent
    fill_exponentials(room.values, room.pull, room.power)
    for i in range(room.law.size):
        # Graham & Driver (2005), eq. 1
        room.values[i] = -part.scale * (room.power[i] - 1.0)
    fill_exponentials(room.values, room.pull, room.law)


@compiled_fused
def _clear(values: NDArray[np.float64]) -> None:
    for i in range(values.size):
        values[i] = 0.0


@compiled_fused
def _add_light(part: Component, law: NDArray[np.float64], light: NDArray[np.float64]) -> None:
    """Add one component's light."""
    for i in range(light.size):
        light[i] += part.amplitude * law[i]


@compiled_fused
def fill_model(model: SersicModel, image: NDArray[np.float64]) -> None:
    """Draw the model's light at the pixels' centers.

    Parameters
    ----------
    model : SersicModel
        Its components.
    image : ndarray [y, x], float64
        Is overwritten; rows on end.
    """
    height, width = image.shape
    rows = rows_of_block(width)
    room = make_room(rows * width)
    for first in range(0, height, rows):
        block = image[first : first + rows]
        light = block.reshape(block.size)
        if light.size < room.dx.size:
            room = make_room(light.size)
        fill_places(model, first, 0, width, room)
        _clear(light)
        fill_law(model.first, room)
        _add_light(model.first, room.law, light)
        if model.n_components > 1:
            fill_law(model.second, room)
            _add_light(model.second, room.law, light)


@compiled_fused
def fill_model_and_derivatives(
    model: SersicModel, room: Room, light: NDArray[np.float64], derivatives: NDArray[np.float64]
) -> None:
    """Fill in one block of the model's light and of its derivative by each parameter.

    Parameters
    ----------
    model : SersicModel
        Made with its slopes.
    room : Room
        Of the block, with the places of its pixels.
    light : ndarray [pixel], float64
        Is overwritten.
    derivatives : ndarray [parameter, pixel], float64
        Is overwritten.
    """
    _clear(light)
    _clear(derivatives[0])
    _clear(derivatives[1])
    for k in range(model.n_components):
        part = model.first if k == 0 else model.second
        base = CENTER_PARAMETERS + COMPONENT_PARAMETERS * k
        own = derivatives[base : base + COMPONENT_PARAMETERS]
        fill_law(part, room)
        _add_light(part, room.law, light)
        _fill_profile_derivatives(part, room, own)
        _fill_pull(part, room, own[R_EFF])
        _add_center_derivatives(part, room, derivatives)
        _fill_shape_derivatives(part, room, own)


@compiled_fused
def _fill_profile_derivatives(part: Component, room: Room, derivatives: NDArray[np.float64]) -> None:
    """Differentiate by amplitude, radius and index; the room as `fill_law` left it."""
    law, log_square, power = room.law, room.log_square, room.power
    by_amplitude, by_radius, by_index = derivatives[AMPLITUDE], derivatives[R_EFF], derivatives[INDEX]
    for i in range(law.size):
        by_amplitude[i] = law[i]
    # dI/dr_eff = I b_n (r / r_eff)^(1/n) / (n r_eff)
    factor = part.amplitude * part.scale / (part.sersic_index * part.semi_major)
    for i in range(law.size):
        by_radius[i] = factor * law[i] * power[i]
    by_power = 0.5 * part.scale / (part.sersic_index * part.sersic_index)
    for i in range(law.size):
        # d/dn of -b_n ((r / r_eff)^(1/n) - 1); b_n depends on n too
        change = by_power * power[i] * log_square[i] - part.slope * (power[i] - 1.0)
        by_index[i] = part.amplitude * law[i] * change


@compiled_fused
def _fill_pull(part: Component, room: Room, by_radius: NDArray[np.float64]) -> None:
    """Differentiate by the squared radius."""
    pull, dx, dy = room.pull, room.dx, room.dy
    major_scale = 1.0 / (part.semi_major * part.semi_major)
    minor_scale = 1.0 / (part.semi_minor * part.semi_minor)
    # keeps the derivatives finite at a pixel on the center
    cusp = CUSP_PIX * CUSP_PIX * major_scale
    factor = -0.5 * part.semi_major
    for i in range(pull.size):
        along = dx[i] * part.cosine + dy[i] * part.sine
        across = dy[i] * part.cosine - dx[i] * part.sine
        pull[i] = factor * by_radius[i] / (along * along * major_scale + across * across * minor_scale + cusp)


@compiled_fused
def _add_center_derivatives(part: Component, room: Room, derivatives: NDArray[np.float64]) -> None:
    """Add the derivatives by the center, which the components share."""
    by_x, by_y = derivatives[0], derivatives[1]
    pull, dx, dy = room.pull, room.dx, room.dy
    major_scale = 2.0 / (part.semi_major * part.semi_major)
    minor_scale = 2.0 / (part.semi_minor * part.semi_minor)
    for i in range(pull.size):
        along = (dx[i] * part.cosine + dy[i] * part.sine) * major_scale
        across = (dy[i] * part.cosine - dx[i] * part.sine) * minor_scale
        by_x[i] += pull[i] * (across * part.sine - along * part.cosine)
        by_y[i] -= pull[i] * (along * part.sine + across * part.cosine)


@compiled_fused
def _fill_shape_derivatives(part: Component, room: Room, derivatives: NDArray[np.float64]) -> None:
    """Differentiate by ellipticity and orientation."""
    by_ellipticity, by_orientation = derivatives[ELLIPTICITY], derivatives[ORIENTATION]
    pull, dx, dy = room.pull, room.dx, room.dy
    minor_scale = 2.0 / (part.semi_minor * part.semi_minor)
    # d/dtheta of the squared radius: 2 along across (1/a^2 - 1/b^2)
    turning = 2.0 / (part.semi_major * part.semi_major) - minor_scale
    # d/d ellipticity: 2 across^2 / (b^2 (1 - ellipticity))
    flattening = minor_scale / (1.0 - part.ellipticity)
    for i in range(pull.size):
        along = dx[i] * part.cosine + dy[i] * part.sine
        across = dy[i] * part.cosine - dx[i] * part.sine
        by_ellipticity[i] = pull[i] * flattening * across * across
        by_orientation[i] = pull[i] * turning * along * across
