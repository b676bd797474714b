"""What a Sérsic model is fitted to: pixels, weights and point spread; and how far a model is from it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.sersic.law import fill_model, sersic_model
from galsmith.measure.engine.sersic.point_spread import PointSpread, convolve, point_spread


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
        As ``sersic_law`` orders them.
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
