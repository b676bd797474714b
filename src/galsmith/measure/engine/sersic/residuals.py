"""What a Sérsic model is fitted to, its residuals, and the normal equations made of these and the derivatives."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_sum
from galsmith.measure.engine.sersic.cells import Cells, cells_of, no_cells, smooth_beyond
from galsmith.measure.engine.sersic.core import replace_core
from galsmith.measure.engine.sersic.law import (
    SersicModel,
    fill_model,
    fill_model_and_derivatives,
    fill_places,
    make_room,
    rows_of_block,
    sersic_model,
    sersic_model_with_slopes,
)
from galsmith.measure.engine.sersic.pixels import (
    LEAST_ERROR,
    ROUGH_ERROR,
    ROUGH_SHARE,
    FinePixels,
    fill_integrals,
    fine_pixels,
)
from galsmith.measure.engine.sersic.point_spread import PointSpread, convolve, convolve_two, point_spread

# pixels of which the point spread sees less than this share are not fitted
_LEAST_SHARE = 0.2
_CELLS_AT_ONCE = 256


class SersicData(NamedTuple):
    """Pixels to be fitted.

    Attributes
    ----------
    pixels : ndarray [y, x], float64
        Flux per pixel.
    weights : ndarray [y, x], float64
        One over each pixel's noise, 0 where it is to be left out.
    spread : PointSpread
        Of the model's light, or an empty one.
    """

    pixels: NDArray[np.float64]
    weights: NDArray[np.float64]
    spread: PointSpread


@compiled
def fill_residuals(data: SersicData, parameters: NDArray[np.float64], residuals: NDArray[np.float64]) -> None:
    """Weighted differences of model and pixels.

    Parameters
    ----------
    data : SersicData
        Pixels and weights.
    parameters : ndarray [2 + 5 components], float64
        As `law` orders them.
    residuals : ndarray [y * x], float64
        Is overwritten.
    """
    height, width = data.pixels.shape
    model = np.empty((height, width))
    fill_model(sersic_model(parameters), model)
    if data.spread.pixels.size > 0:
        convolve(model, data.spread)
    for y in range(height):
        for x in range(width):
            # astropy's LevMarLSQFitter.objective_function: weights times (model - data)
            residuals[y * width + x] = data.weights[y, x] * (model[y, x] - data.pixels[y, x])


@compiled
def weights_of_noise(pixels: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """One over the noise where it and the pixel are neither 0 nor undefined, else 0.

    Parameters
    ----------
    pixels, noise : ndarray [y, x], float64
        Flux and its standard deviation; 0 leaves a pixel out.
    """
    weights = np.zeros(pixels.shape)
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            # statmorph leaves out pixels of exactly 0, masked ones among them
            is_used = pixels[y, x] != 0.0 and noise[y, x] != 0.0
            if is_used and np.isfinite(noise[y, x]) and np.isfinite(pixels[y, x]):
                weights[y, x] = 1.0 / noise[y, x]
    return weights


@compiled
def sersic_data(
    pixels: NDArray[np.float64], noise: NDArray[np.float64], psf: NDArray[np.float64]
) -> SersicData:
    """Prepare what is fitted.

    Parameters
    ----------
    pixels, noise : ndarray [y, x], float64
        Flux and its standard deviation, as `weights_of_noise` takes them.
    psf : ndarray [y, x], float64
        Point spread function, 0 by 0 for none.
    """
    spread = point_spread(psf, pixels.shape[0], pixels.shape[1])
    return SersicData(pixels, weights_of_noise(pixels, noise), spread)


@compiled
def count_used(weights: NDArray[np.float64]) -> int:
    """Count the pixels whose weight is not 0."""
    count = 0
    for weight in weights.ravel():
        if weight != 0.0:
            count += 1
    return count


class IntegratedData(NamedTuple):
    """Pixels to be fitted by laws that are integrated over them.

    Attributes
    ----------
    pixels, weights : ndarray [y, x], float64
        Flux, and one over its noise, 0 where a pixel is fine.
    spread : PointSpread
        Of the model's light, which no pixel is fine behind, or an empty one.
    cells : Cells
        What is read in place of the pixels, if there are any.
    fine : FinePixels
        Those that are integrated.
    """

    pixels: NDArray[np.float64]
    weights: NDArray[np.float64]
    spread: PointSpread
    cells: Cells
    fine: FinePixels


@compiled
def blurred_data(data: SersicData) -> IntegratedData:
    """Prepare what is fitted behind a point spread."""
    nothing = np.empty(0, np.int64)
    fine = FinePixels(nothing, nothing, np.empty(0), np.empty(0), 0, 0, 1, 1, 1)
    return IntegratedData(data.pixels, data.weights, data.spread, no_cells(), fine)


@compiled
def exact_data(data: SersicData, parameters: NDArray[np.float64]) -> IntegratedData:
    """Prepare what is fitted without a point spread: every pixel, for models near the parameters given."""
    model = sersic_model(parameters)
    beyond = smooth_beyond(model, data.weights, LEAST_ERROR, 0.0)
    fine = fine_pixels(model, data.pixels, data.weights, beyond, LEAST_ERROR)
    return IntegratedData(data.pixels, _weights_beside(data.weights, fine), data.spread, no_cells(), fine)


@compiled
def rough_data(data: SersicData, parameters: NDArray[np.float64]) -> IntegratedData:
    """Prepare what a fit that is far from its end needs: cells where the law hardly changes, few points a pixel."""
    model = sersic_model(parameters)
    beyond = smooth_beyond(model, data.weights, ROUGH_ERROR, ROUGH_SHARE)
    fine = fine_pixels(model, data.pixels, data.weights, beyond, ROUGH_ERROR)
    weights = _weights_beside(data.weights, fine)
    cells = cells_of(model, data.pixels, weights, beyond)
    return IntegratedData(data.pixels, weights, data.spread, cells, fine)


@compiled
def _weights_beside(weights: NDArray[np.float64], fine: FinePixels) -> NDArray[np.float64]:
    """Copy weights, 0 where pixels are fine."""
    beside = weights.copy()
    for place in fine.places:
        if place >= 0:
            beside[place // fine.width, place % fine.width] = 0.0
    return beside


@compiled
def with_light_from_beyond(data: SersicData) -> SersicData:
    """Let the light that the point spread brings from beyond the edges be like that within.

    The model behind the point spread is dark there. Pixels are divided, and weights multiplied, by the share of the
    point spread that lies on the image.
    """
    share = np.ones(data.pixels.shape)
    convolve(share, data.spread)
    pixels, weights = data.pixels.copy(), data.weights.copy()
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            if weights[y, x] != 0.0 and share[y, x] > _LEAST_SHARE:
                pixels[y, x] /= share[y, x]
                weights[y, x] *= share[y, x]
            else:
                weights[y, x] = 0.0
    return SersicData(pixels, weights, data.spread)


@compiled
def fill_sharp_equations(
    data: IntegratedData,
    parameters: NDArray[np.float64],
    matrix: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> float:
    """Sum of squared residuals without a point spread, and its quadratic approximation.

    Parameters
    ----------
    data : IntegratedData
        What is fitted.
    parameters : ndarray [parameter], float64
        As `law` orders them.
    matrix : ndarray [parameter, parameter], float64
        Is overwritten by J^T J, J the weighted derivatives; its upper triangle only.
    gradient : ndarray [parameter], float64
        Is overwritten by J^T r, r the weighted pixels minus model.

    Returns
    -------
    float
        r^T r.
    """
    _clear(matrix, gradient)
    return _of_sharp_model(data, sersic_model_with_slopes(parameters), matrix, gradient)


@compiled
def fill_blurred_equations(
    data: IntegratedData,
    parameters: NDArray[np.float64],
    matrix: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> float:
    """Do what `fill_sharp_equations` does, behind a point spread."""
    _clear(matrix, gradient)
    return _of_blurred_model(data, sersic_model_with_slopes(parameters), matrix, gradient)


@compiled
def _clear(matrix: NDArray[np.float64], gradient: NDArray[np.float64]) -> None:
    for k in range(gradient.size):
        gradient[k] = 0.0
        for j in range(gradient.size):
            matrix[k, j] = 0.0


@compiled
def _of_sharp_model(
    data: IntegratedData,
    model: SersicModel,
    matrix: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> float:
    """Add up block after block, without a point spread, then the fine pixels; what is written to begins as 0."""
    n = gradient.size
    total = data.cells.scatter
    if data.cells.x.size > 0:
        total += _of_cells(data.cells, model, matrix, gradient)
    else:
        total += _of_rows(data, model, matrix, gradient)
    fine = data.fine
    values = np.empty((n + 1, fine.places.size))
    fill_integrals(model, fine, values)
    return total + _accumulate(fine.pixels, fine.weights, values[n], values[:n], matrix, gradient)


@compiled
def _of_rows(
    data: IntegratedData,
    model: SersicModel,
    matrix: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> float:
    """Add up rows of pixels, some at once."""
    n = gradient.size
    height, width = data.pixels.shape
    rows = rows_of_block(width)
    size = rows * width
    room, light, derivatives = make_room(size), np.empty(size), np.empty((n, size))
    total = 0.0
    for first in range(0, height, rows):
        pixels, weights = data.pixels[first : first + rows], data.weights[first : first + rows]
        size = pixels.size
        if size < light.size:
            room, light, derivatives = make_room(size), np.empty(size), np.empty((n, size))
        fill_places(model, first, 0, width, room)
        fill_model_and_derivatives(model, room, light, derivatives)
        total += _accumulate(
            pixels.reshape(size), weights.reshape(size), light, derivatives, matrix, gradient
        )
    return total


@compiled
def _of_cells(
    cells: Cells, model: SersicModel, matrix: NDArray[np.float64], gradient: NDArray[np.float64]
) -> float:
    """Add up cells, some at once."""
    n = gradient.size
    size = min(_CELLS_AT_ONCE, cells.x.size)
    room, light, derivatives = make_room(size), np.empty(size), np.empty((n, size))
    total = 0.0
    for first in range(0, cells.x.size, size):
        last = min(first + size, cells.x.size)
        if last - first < light.size:
            size = last - first
            room, light, derivatives = make_room(size), np.empty(size), np.empty((n, size))
        for i in range(last - first):
            room.dx[i], room.dy[i] = cells.x[first + i] - model.first.x, cells.y[first + i] - model.first.y
        fill_model_and_derivatives(model, room, light, derivatives)
        total += _accumulate(
            cells.pixels[first:last], cells.weights[first:last], light, derivatives, matrix, gradient
        )
    return total


@compiled
def _of_blurred_model(
    data: IntegratedData,
    model: SersicModel,
    matrix: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> float:
    """Do the same with a point spread, which takes the whole images at once."""
    n = gradient.size
    height, width = data.pixels.shape
    images = _blurred_images(data, model, n)
    flat = images.reshape((n + 1, height * width))
    pixels, weights = data.pixels.reshape(data.pixels.size), data.weights.reshape(data.pixels.size)
    step = width * rows_of_block(width)
    total = 0.0
    for first in range(0, pixels.size, step):
        # blocks of the same size as without a PSF, so that they stay in the cache
        derivatives = flat[:n, first : first + step].copy()
        total += _accumulate(
            pixels[first : first + step],
            weights[first : first + step],
            flat[n, first : first + step],
            derivatives,
            matrix,
            gradient,
        )
    return total


@compiled
def _blurred_images(data: IntegratedData, model: SersicModel, n: int) -> NDArray[np.float64]:
    """Convolve the derivatives, images 0 to n - 1, and the model, image n; two at a time."""
    height, width = data.pixels.shape
    images = np.empty((n + 1, height, width))
    flat = images.reshape((n + 1, height * width))
    rows = rows_of_block(width)
    room, derivatives = make_room(rows * width), np.empty((n, rows * width))
    for first in range(0, height, rows):
        start, stop = first * width, min(first + rows, height) * width
        if stop - start < room.dx.size:
            room, derivatives = make_room(stop - start), np.empty((n, stop - start))
        fill_places(model, first, 0, width, room)
        fill_model_and_derivatives(model, room, flat[n, start:stop], derivatives)
        for k in range(n):
            for i in range(stop - start):
                flat[k, start + i] = derivatives[k, i]
    replace_core(model, images)
    # 7 or 12 derivatives and the model: pairs share a transform
    for k in range(0, n, 2):
        convolve_two(images[k], images[k + 1], data.spread)
    if n % 2 == 0:
        convolve(images[n], data.spread)
    return images


@compiled
def _accumulate(
    pixels: NDArray[np.float64],
    weights: NDArray[np.float64],
    light: NDArray[np.float64],
    derivatives: NDArray[np.float64],
    matrix: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> float:
    """Add a block of pixels; `light`, the model, becomes the residuals, and `derivatives` are weighted."""
    for x in range(light.size):
        light[x] = weights[x] * (pixels[x] - light[x])
    n = gradient.size
    for k in range(n):
        _weigh(derivatives[k], weights)
    for k in range(n):
        gradient[k] += _dot(derivatives[k], light)
        j = k
        while j + 3 < n:
            # four columns a pass: the left one is loaded once
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
    return _dot(light, light)


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
