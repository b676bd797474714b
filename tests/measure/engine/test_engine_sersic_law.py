"""The Sérsic law, its derivatives, its special functions and its convolution, beside SciPy and astropy."""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from scipy.signal import fftconvolve
from scipy.special import gammaincinv

from galsmith.measure.engine.sersic.law import (
    fill_model,
    fill_model_and_derivatives,
    fill_places,
    make_room,
    sersic_model,
    sersic_model_with_slopes,
)
from galsmith.measure.engine.sersic.point_spread import convolve, point_spread
from galsmith.measure.engine.sersic.special_functions import (
    fill_exponentials,
    fill_logarithms,
    half_light_scale,
    half_light_slope,
)
from galsmith.seeds import random_stream

ONE = np.array([20.3, 18.8, 7.0, 6.0, 2.3, 0.35, 0.7])
TWO = np.array([20.3, 18.8, 7.0, 3.0, 2.3, 0.35, 0.7, 2.0, 9.0, 0.8, 0.6, -0.4])
SHAPE = (37, 43)


def _drawn(parameters):
    image = np.empty(SHAPE)
    fill_model(sersic_model(parameters), image)
    return image


def _astropy(parameters):
    x, y = np.meshgrid(*(np.arange(float(size)) for size in SHAPE[::-1]))
    parts = parameters[2:].reshape(-1, 5)
    return sum(Sersic2D(*part[:3], *parameters[:2], *part[3:])(x, y) for part in parts)


@pytest.mark.parametrize("reach", [1.0, 700.0])
def test_exponentials_are_right_to_the_last_bits(reach):
    exponents = random_stream(1, "tests.exponentials").uniform(-reach, reach, 1001)
    room, result = np.empty(1001), np.empty(1001)
    fill_exponentials(exponents, room, result)
    assert np.abs(result / np.exp(exponents) - 1).max() < 5e-16


def test_exponentials_stay_finite_beyond_their_range():
    room, result = np.empty(2), np.empty(2)
    fill_exponentials(np.array([-1e6, 1e6]), room, result)
    assert 0 < result[0] < 1e-300
    assert 1e300 < result[1] < np.inf


@pytest.mark.parametrize("spread", [1e-3, 3.0, 300.0])
def test_logarithms_are_right_to_the_last_bits(spread):
    values = np.exp(random_stream(2, "tests.logarithms").uniform(-spread, spread, 1001))
    room, result = np.empty(1001), np.empty(1001)
    fill_logarithms(values, room, result)
    assert np.abs(result - np.log(values)).max() < 3e-16 * max(1.0, spread)


def test_half_light_scale_beside_scipy():
    indices = np.geomspace(0.02, 60.0, 300)
    ours = np.array([half_light_scale(n) for n in indices])
    assert np.allclose(ours, gammaincinv(2 * indices, 0.5), rtol=4e-14, atol=0)


@pytest.mark.parametrize(
    ("n", "value"), [(0.5, np.log(2.0)), (1.0, 1.6783469900166605), (4.0, 7.669249442500805)]
)
def test_half_light_scale_where_it_is_known(n, value):
    assert half_light_scale(n) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("n", [0.0, -1.0, np.nan, np.inf])
def test_no_half_light_scale_without_an_index(n):
    assert np.isnan(half_light_scale(n))


@pytest.mark.parametrize("n", [0.05, 0.5, 2.0, 8.0])
def test_half_light_slope_is_the_derivative(n):
    h = 1e-4 * n
    differences = (gammaincinv(2 * (n + h), 0.5) - gammaincinv(2 * (n - h), 0.5)) / (2 * h)
    assert half_light_slope(n) == pytest.approx(differences, rel=1e-6)


@pytest.mark.parametrize("parameters", [ONE, TWO], ids=["one", "two"])
def test_law_beside_astropy(parameters):
    assert np.allclose(_drawn(parameters), _astropy(parameters), rtol=1e-13, atol=0)


@pytest.mark.parametrize("parameters", [ONE, TWO], ids=["one", "two"])
def test_derivatives_are_those_of_the_law(parameters):
    model = sersic_model_with_slopes(parameters)
    room, light = make_room(SHAPE[0] * SHAPE[1]), np.empty(SHAPE[0] * SHAPE[1])
    derivatives = np.empty((parameters.size, light.size))
    fill_places(model, 0, 0, SHAPE[1], room)
    fill_model_and_derivatives(model, room, light, derivatives)
    assert np.allclose(light.reshape(SHAPE), _drawn(parameters), rtol=1e-14)
    for k in range(parameters.size):
        h = 1e-5 * abs(parameters[k])
        step = h * np.eye(parameters.size)[k]
        differences = (_drawn(parameters + step) - _drawn(parameters - step)) / (2 * h)
        by_parameter = derivatives[k].reshape(SHAPE)
        # nearest the center, 0.36 px away, the softened cusp leaves 1e-5 of the derivative out
        assert np.allclose(by_parameter, differences, rtol=1e-5, atol=1e-9 * np.abs(differences).max())


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (4, 6), (25, 25), (16, 31), (64, 70), (101, 33)])
def test_convolution_beside_scipy(size):
    rng = random_stream(3, "tests.convolution")
    image, psf = rng.normal(0, 1, (31, 29)), rng.uniform(0, 1, size)
    expected = fftconvolve(image, psf / psf.sum(), mode="same")
    result = image.copy()
    convolve(result, point_spread(psf, *image.shape))
    assert np.allclose(result, expected, rtol=0, atol=1e-14 * np.abs(image).max())


def test_convolution_moves_nothing_for_a_centered_point():
    image = random_stream(4, "tests.convolution").normal(0, 1, (12, 15))
    point = np.zeros((5, 4))
    point[2, 1] = 3.0
    result = image.copy()
    convolve(result, point_spread(point, *image.shape))
    assert np.array_equal(result, image)
