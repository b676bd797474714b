"""Sums of Sérsic laws at pixel centers, and their derivatives, row by row (Sérsic 1968; Graham & Driver 2005).

The parameters of a fit stand in one array: center x and y, then for each component amplitude (at the effective
radius), effective radius (along the major axis), index, ellipticity and orientation.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_fused
from galsmith.measure.engine.elementary import fill_exponentials, fill_logarithms
from galsmith.measure.engine.half_light import half_light_scale, half_light_slope

CENTER_PARAMETERS = 2
COMPONENT_PARAMETERS = 5
AMPLITUDE, R_EFF, INDEX, ELLIPTICITY, ORIENTATION = range(COMPONENT_PARAMETERS)
LOWEST_INDEX = 0.01
_TINY = 1e-300
# the law's derivatives have no limit at its very center: nearer than this they stay at their value there
CUSP_PIX = 1e-3
_ROWS = 5


class PixelGrid(NamedTuple):
    """Where the pixels of an image lie: ``first + step * k`` along both axes, in pixels of the stamp."""

    first: float
    step: float


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
    index = max(parameters[base + INDEX], LOWEST_INDEX)
    return Component(
        parameters[0],
        parameters[1],
        parameters[base + AMPLITUDE],
        math.cos(parameters[base + ORIENTATION]),
        math.sin(parameters[base + ORIENTATION]),
        parameters[base + R_EFF],
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


@compiled_fused
def _fill_law_row(part: Component, grid: PixelGrid, y: float, work: NDArray[np.float64]) -> None:
    """Law of unit amplitude along a row.

    work[0] becomes the law, work[1] the logarithm of the squared radius in units of r_eff, work[2] that radius to the
    power 1 / n; the others are room.
    """
    law, log_square, power, room, values = work[0], work[1], work[2], work[3], work[4]
    dy = grid.first + grid.step * y - part.y
    cosine_major, cosine_minor = part.cosine / part.semi_major, part.cosine / part.semi_minor
    sine_major, sine_minor = part.sine / part.semi_major, part.sine / part.semi_minor
    for i in range(law.size):
        dx = grid.first + grid.step * i - part.x
        major = dx * cosine_major + dy * sine_major
        minor = dy * cosine_minor - dx * sine_minor
        values[i] = major * major + minor * minor + _TINY
    fill_logarithms(values, room, log_square)
    half_exponent = 0.5 / part.sersic_index
    for i in range(law.size):
        values[i] = log_square[i] * half_exponent
    fill_exponentials(values, room, power)
    for i in range(law.size):
        values[i] = -part.scale * (power[i] - 1.0)
    fill_exponentials(values, room, law)


@compiled_fused
def _clear(row: NDArray[np.float64]) -> None:
    for i in range(row.size):
        row[i] = 0.0


@compiled_fused
def _add_light(part: Component, work: NDArray[np.float64], row: NDArray[np.float64]) -> None:
    """Add one component's light, its law being in work[0]."""
    law = work[0]
    for i in range(row.size):
        row[i] += part.amplitude * law[i]


@compiled_fused
def fill_model(model: SersicModel, grid: PixelGrid, image: NDArray[np.float64]) -> None:
    """Draw the model's light at the pixels' centers.

    Parameters
    ----------
    model : SersicModel
        Its components.
    grid : PixelGrid
        Places of the pixels.
    image : ndarray [y, x], float64
        Is overwritten.
    """
    work = np.empty((_ROWS, image.shape[1]))
    for y in range(image.shape[0]):
        _clear(image[y])
        _fill_law_row(model.first, grid, float(y), work)
        _add_light(model.first, work, image[y])
        if model.n_components > 1:
            _fill_law_row(model.second, grid, float(y), work)
            _add_light(model.second, work, image[y])


@compiled_fused
def fill_model_and_derivatives(
    model: SersicModel, grid: PixelGrid, y: int, row: NDArray[np.float64], derivatives: NDArray[np.float64]
) -> None:
    """One row of the model's light and of its derivative by each parameter.

    Parameters
    ----------
    model : SersicModel
        Made with its slopes.
    grid : PixelGrid
        Places of the pixels.
    y : int
        The row.
    row : ndarray [x], float64
        Is overwritten by the light.
    derivatives : ndarray [parameter, x], float64
        Is overwritten.
    """
    work = np.empty((_ROWS, row.size))
    _clear(row)
    _clear(derivatives[0])
    _clear(derivatives[1])
    for k in range(model.n_components):
        part = model.first if k == 0 else model.second
        base = CENTER_PARAMETERS + COMPONENT_PARAMETERS * k
        _fill_law_row(part, grid, float(y), work)
        _add_light(part, work, row)
        _fill_profile_derivatives(part, work, derivatives[base : base + COMPONENT_PARAMETERS])
        _fill_pull(part, grid, float(y), work, derivatives[base + R_EFF])
        _add_center_derivatives(part, grid, float(y), work[3], derivatives)
        _fill_shape_derivatives(
            part, grid, float(y), work[3], derivatives[base : base + COMPONENT_PARAMETERS]
        )


@compiled_fused
def _fill_profile_derivatives(
    part: Component, work: NDArray[np.float64], derivatives: NDArray[np.float64]
) -> None:
    """Differentiate by amplitude, radius and index; `work` as `_fill_law_row` left it."""
    law, log_square, power = work[0], work[1], work[2]
    by_amplitude, by_radius, by_index = derivatives[AMPLITUDE], derivatives[R_EFF], derivatives[INDEX]
    for i in range(law.size):
        by_amplitude[i] = law[i]
    factor = part.amplitude * part.scale / (part.sersic_index * part.semi_major)
    for i in range(law.size):
        by_radius[i] = factor * law[i] * power[i]
    by_power = 0.5 * part.scale / (part.sersic_index * part.sersic_index)
    for i in range(law.size):
        change = by_power * power[i] * log_square[i] - part.slope * (power[i] - 1.0)
        by_index[i] = part.amplitude * law[i] * change


@compiled_fused
def _fill_pull(
    part: Component, grid: PixelGrid, y: float, work: NDArray[np.float64], by_radius: NDArray[np.float64]
) -> None:
    """Differentiate by the squared radius, into work[3]."""
    pull = work[3]
    dy = grid.first + grid.step * y - part.y
    major_scale = 1.0 / (part.semi_major * part.semi_major)
    minor_scale = 1.0 / (part.semi_minor * part.semi_minor)
    cusp = CUSP_PIX * CUSP_PIX * major_scale
    factor = -0.5 * part.semi_major
    for i in range(pull.size):
        dx = grid.first + grid.step * i - part.x
        along = dx * part.cosine + dy * part.sine
        across = dy * part.cosine - dx * part.sine
        pull[i] = factor * by_radius[i] / (along * along * major_scale + across * across * minor_scale + cusp)


@compiled_fused
def _add_center_derivatives(
    part: Component, grid: PixelGrid, y: float, pull: NDArray[np.float64], derivatives: NDArray[np.float64]
) -> None:
    """Add the derivatives by the center, which the components share."""
    by_x, by_y = derivatives[0], derivatives[1]
    dy = grid.first + grid.step * y - part.y
    major_scale = 2.0 / (part.semi_major * part.semi_major)
    minor_scale = 2.0 / (part.semi_minor * part.semi_minor)
    for i in range(pull.size):
        dx = grid.first + grid.step * i - part.x
        along = (dx * part.cosine + dy * part.sine) * major_scale
        across = (dy * part.cosine - dx * part.sine) * minor_scale
        by_x[i] += pull[i] * (across * part.sine - along * part.cosine)
        by_y[i] -= pull[i] * (along * part.sine + across * part.cosine)


@compiled_fused
def _fill_shape_derivatives(
    part: Component, grid: PixelGrid, y: float, pull: NDArray[np.float64], derivatives: NDArray[np.float64]
) -> None:
    """Differentiate by ellipticity and orientation."""
    by_ellipticity, by_orientation = derivatives[ELLIPTICITY], derivatives[ORIENTATION]
    dy = grid.first + grid.step * y - part.y
    minor_scale = 2.0 / (part.semi_minor * part.semi_minor)
    turning = 2.0 / (part.semi_major * part.semi_major) - minor_scale
    flattening = minor_scale / (1.0 - part.ellipticity)
    for i in range(pull.size):
        dx = grid.first + grid.step * i - part.x
        along = dx * part.cosine + dy * part.sine
        across = dy * part.cosine - dx * part.sine
        by_ellipticity[i] = pull[i] * flattening * across * across
        by_orientation[i] = pull[i] * turning * along * across
