"""What a Sérsic model is fitted to, its residuals, and the normal equations made of these and the derivatives."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_sum
from galsmith.measure.engine.sersic.law import (
    CUSP_PIX,
    Component,
    SersicModel,
    fill_model,
    fill_model_and_derivatives,
    fill_places,
    make_room,
    rows_of_block,
    sersic_model,
    sersic_model_with_slopes,
)
from galsmith.measure.engine.sersic.point_spread import PointSpread, convolve, convolve_two, point_spread


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


# further than any pixel
_FAR = 1e6


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
        As `law` orders them.
    matrix : ndarray [parameter, parameter], float64
        Is overwritten by J^T J, J the weighted derivatives; its upper triangle only.
    gradient : ndarray [parameter], float64
        Is overwritten by J^T r, r the weighted pixels minus model.
    curvature : ndarray [3], float64
        Is overwritten by what J^T J leaves out for the center, by x twice, by x and y, by y twice: the residuals
        times the second derivatives near it, where the law is steep.

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
        return _of_blurred_model(data, parameters, matrix, gradient, curvature)
    return _of_sharp_model(data, parameters, matrix, gradient, curvature)


@compiled
def _of_sharp_model(
    data: SersicData,
    parameters: NDArray[np.float64],
    matrix: NDArray[np.float64],
    gradient: NDArray[np.float64],
    curvature: NDArray[np.float64],
) -> float:
    """Add up block after block, without a point spread; what is written to begins as 0."""
    n = parameters.size
    height, width = data.pixels.shape
    model = sersic_model_with_slopes(parameters)
    x_nearest, y_nearest = _nearest_pixel(model)
    rows = rows_of_block(width)
    size = rows * width
    room, light, derivatives = make_room(size), np.empty(size), np.empty((n, size))
    total = 0.0
    for first in range(0, height, rows):
        pixels, weights = data.pixels[first : first + rows], data.weights[first : first + rows]
        size = pixels.size
        if size < light.size:
            room, light, derivatives = make_room(size), np.empty(size), np.empty((n, size))
        fill_places(model, first, width, room)
        fill_model_and_derivatives(model, room, light, derivatives)
        total += _accumulate(
            pixels.reshape(size), weights.reshape(size), light, derivatives, matrix, gradient
        )
        # only the 3 x 3 pixels about the center, where a steep law's second derivatives are large
        for y in range(max(first, y_nearest - 1), min(first + pixels.shape[0], y_nearest + 2)):
            for x in range(max(0, x_nearest - 1), min(width, x_nearest + 2)):
                pull = light[(y - first) * width + x] * weights[y - first, x]
                _add_curvature(model, y, x, pull, curvature)
    return total


@compiled
def _of_blurred_model(
    data: SersicData,
    parameters: NDArray[np.float64],
    matrix: NDArray[np.float64],
    gradient: NDArray[np.float64],
    curvature: NDArray[np.float64],
) -> float:
    """Do the same with a point spread, which takes the whole images at once."""
    n = parameters.size
    height, width = data.pixels.shape
    model = sersic_model_with_slopes(parameters)
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
    x_nearest, y_nearest = _nearest_pixel(model)
    for y in range(max(0, y_nearest - 1), min(height, y_nearest + 2)):
        for x in range(max(0, x_nearest - 1), min(width, x_nearest + 2)):
            pull = _gathered(images[n], data.weights, data.spread, y, x)
            _add_curvature(model, y, x, pull, curvature)
    return total


@compiled
def _blurred_images(data: SersicData, model: SersicModel, n: int) -> NDArray[np.float64]:
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
        fill_places(model, first, width, room)
        fill_model_and_derivatives(model, room, flat[n, start:stop], derivatives)
        for k in range(n):
            for i in range(stop - start):
                flat[k, start + i] = derivatives[k, i]
    # 7 or 12 derivatives and the model: pairs share a transform
    for k in range(0, n, 2):
        convolve_two(images[k], images[k + 1], data.spread)
    if n % 2 == 0:
        convolve(images[n], data.spread)
    return images


@compiled
def _gathered(
    residuals: NDArray[np.float64], weights: NDArray[np.float64], spread: PointSpread, y: int, x: int
) -> float:
    """Sum the weighted residuals of the pixels that light of one pixel is spread to."""
    total = 0.0
    for j in range(spread.pixels.shape[0]):
        for i in range(spread.pixels.shape[1]):
            to_y, to_x = y + j - spread.y_center, x + i - spread.x_center
            if 0 <= to_y < residuals.shape[0] and 0 <= to_x < residuals.shape[1]:
                total += spread.pixels[j, i] * weights[to_y, to_x] * residuals[to_y, to_x]
    return total


@compiled
def _nearest_pixel(model: SersicModel) -> tuple[int, int]:
    """Column and row of the pixel nearest to the center, which may lie outside the image."""
    return round(min(max(model.first.x, -_FAR), _FAR)), round(min(max(model.first.y, -_FAR), _FAR))


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


@compiled
def _add_curvature(model: SersicModel, y: int, x: int, pull: float, curvature: NDArray[np.float64]) -> None:
    """Subtract a pixel's second derivatives by the center, times the weighted residuals that pull at it."""
    dx, dy = x - model.first.x, y - model.first.y
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
    # dI / d(squared radius), then d^2 I of it
    first = -part.scale * exponent * light * power / square
    second = first * (exponent - 1.0 - part.scale * exponent * power) / square
    # d(squared radius) / dx_0 and / dy_0
    by_x = across * minor_scale * part.sine - along * major_scale * part.cosine
    by_y = -across * minor_scale * part.cosine - along * major_scale * part.sine
    xx = part.cosine * part.cosine * major_scale + part.sine * part.sine * minor_scale
    yy = part.sine * part.sine * major_scale + part.cosine * part.cosine * minor_scale
    xy = part.sine * part.cosine * (major_scale - minor_scale)
    return (
        # chain rule
        second * by_x * by_x + first * xx,
        second * by_x * by_y + first * xy,
        second * by_y * by_y + first * yy,
    )
