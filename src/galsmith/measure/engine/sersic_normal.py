"""Normal equations of a Sérsic fit: the products of all derivatives with one another and with the residuals."""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_sum
from galsmith.measure.engine.point_spread import convolve
from galsmith.measure.engine.sersic_data import SersicData
from galsmith.measure.engine.sersic_law import (
    CUSP_PIX,
    Component,
    SersicModel,
    fill_model_and_derivatives,
    sersic_model_with_slopes,
)

# pixels
_CUSP_REACH = 1.5


@compiled
def fill_normal_equations(
    data: SersicData,
    parameters: NDArray[np.float64],
    matrix: NDArray[np.float64],
    gradient: NDArray[np.float64],
    curvature: NDArray[np.float64],
) -> float:
    """Sum of squared residuals, and its quadratic approximation.

    Parameters
    ----------
    data : SersicData
        What is fitted.
    parameters : ndarray [parameter], float64
        As ``sersic_law`` orders them.
    matrix : ndarray [parameter, parameter], float64
        Is overwritten by J^T J, J the weighted derivatives; its upper triangle only.
    gradient : ndarray [parameter], float64
        Is overwritten by J^T r, r the weighted pixels minus model.

    curvature : ndarray [3], float64
        Is overwritten by what J^T J leaves out for the center, by x twice, by x and y, by y twice: the residuals
        times the second derivatives near it, where the law is steep; 0 with a point spread.

    Returns
    -------
    float
        r^T r.
    """
    n = parameters.size
    for k in range(n):
        gradient[k] = 0.0
        for j in range(n):
            matrix[k, j] = 0.0
    for k in range(curvature.size):
        curvature[k] = 0.0
    if data.spread.pixels.size > 0:
        return _of_blurred_model(data, parameters, matrix, gradient)
    height, width = data.pixels.shape
    model = sersic_model_with_slopes(parameters)
    row = np.empty(width)
    derivatives = np.empty((n, width))
    total = 0.0
    for y in range(height):
        fill_model_and_derivatives(model, data.grid, y, row, derivatives)
        total += _accumulate(data.pixels[y], data.weights[y], row, derivatives, matrix, gradient)
        _add_curvature(data, model, y, row, curvature)
    return total


@compiled
def _of_blurred_model(
    data: SersicData,
    parameters: NDArray[np.float64],
    matrix: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> float:
    """Do the same with a point spread: model and derivatives are convolved, one image after another."""
    n = parameters.size
    height, width = data.pixels.shape
    model = sersic_model_with_slopes(parameters)
    rows = np.empty((height, width))
    derivatives = np.empty((height, n, width))
    for y in range(height):
        fill_model_and_derivatives(model, data.grid, y, rows[y], derivatives[y])
    convolve(rows, data.spread)
    plane = np.empty((height, width))
    for k in range(n):
        for y in range(height):
            for x in range(width):
                plane[y, x] = derivatives[y, k, x]
        convolve(plane, data.spread)
        for y in range(height):
            for x in range(width):
                derivatives[y, k, x] = plane[y, x]
    total = 0.0
    for y in range(height):
        total += _accumulate(data.pixels[y], data.weights[y], rows[y], derivatives[y], matrix, gradient)
    return total


@compiled
def _accumulate(
    pixels: NDArray[np.float64],
    weights: NDArray[np.float64],
    row: NDArray[np.float64],
    derivatives: NDArray[np.float64],
    matrix: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> float:
    """Add one row of pixels; `row`, the model, becomes the residuals, and `derivatives` are weighted."""
    for x in range(row.size):
        row[x] = weights[x] * (pixels[x] - row[x])
    n = gradient.size
    for k in range(n):
        _weigh(derivatives[k], weights)
    for k in range(n):
        gradient[k] += _dot(derivatives[k], row)
        j = k
        while j + 3 < n:
            first, second, third, fourth = _four_dots(
                derivatives[k], derivatives[j], derivatives[j + 1], derivatives[j + 2], derivatives[j + 3]
            )
            matrix[k, j] += first
            matrix[k, j + 1] += second
            matrix[k, j + 2] += third
            matrix[k, j + 3] += fourth
            j += 4
        while j < n:
            matrix[k, j] += _dot(derivatives[k], derivatives[j])
            j += 1
    return _dot(row, row)


@compiled
def _weigh(values: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
    for x in range(values.size):
        values[x] *= weights[x]


@compiled_sum
def _dot(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    total = 0.0
    for x in range(left.size):
        total += left[x] * right[x]
    return total


@compiled_sum
def _four_dots(
    left: NDArray[np.float64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    c: NDArray[np.float64],
    d: NDArray[np.float64],
) -> tuple[float, float, float, float]:
    """Scalar products of one vector with four."""
    with_a, with_b, with_c, with_d = 0.0, 0.0, 0.0, 0.0
    for x in range(left.size):
        with_a += left[x] * a[x]
        with_b += left[x] * b[x]
        with_c += left[x] * c[x]
        with_d += left[x] * d[x]
    return with_a, with_b, with_c, with_d


@compiled
def _add_curvature(
    data: SersicData,
    model: SersicModel,
    y: int,
    residuals: NDArray[np.float64],
    curvature: NDArray[np.float64],
) -> None:
    """Subtract the second derivatives by the center at the pixels around it, times the residuals."""
    dy = data.grid.first + data.grid.step * y - model.first.y
    if not abs(dy) < _CUSP_REACH * data.grid.step:
        return
    nearest = round((model.first.x - data.grid.first) / data.grid.step)
    for x in range(max(0, nearest - 1), min(residuals.size, nearest + 2)):
        dx = data.grid.first + data.grid.step * x - model.first.x
        pull = residuals[x] * data.weights[y, x]
        for k in range(model.n_components):
            xx, xy, yy = _center_curvature(model.first if k == 0 else model.second, dx, dy)
            curvature[0] -= pull * xx
            curvature[1] -= pull * xy
            curvature[2] -= pull * yy


@compiled
def _center_curvature(part: Component, dx: float, dy: float) -> tuple[float, float, float]:
    """Second derivatives of a law by its center, (dx, dy) from there: by x twice, by x and y, by y twice."""
    major_scale = 2.0 / (part.semi_major * part.semi_major)
    minor_scale = 2.0 / (part.semi_minor * part.semi_minor)
    along = dx * part.cosine + dy * part.sine
    across = dy * part.cosine - dx * part.sine
    square = 0.5 * (along * along * major_scale + across * across * minor_scale)
    square += CUSP_PIX * CUSP_PIX / (part.semi_major * part.semi_major)
    exponent = 0.5 / part.sersic_index
    power = square**exponent
    light = part.amplitude * math.exp(-part.scale * (power - 1.0))
    first = -part.scale * exponent * light * power / square
    second = first * (exponent - 1.0 - part.scale * exponent * power) / square
    by_x = across * minor_scale * part.sine - along * major_scale * part.cosine
    by_y = -across * minor_scale * part.cosine - along * major_scale * part.sine
    xx = part.cosine * part.cosine * major_scale + part.sine * part.sine * minor_scale
    yy = part.sine * part.sine * major_scale + part.cosine * part.cosine * minor_scale
    xy = part.sine * part.cosine * (major_scale - minor_scale)
    return (
        second * by_x * by_x + first * xx,
        second * by_x * by_y + first * xy,
        second * by_y * by_y + first * yy,
    )
