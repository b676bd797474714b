"""The engine's box and Gaussian against SciPy's."""

import numpy as np
import pytest
from scipy import ndimage

from galsmith.measure.engine.numerics.filters import (
    gaussian_filter,
    gaussian_weights,
    transposed,
    uniform_filter,
)
from galsmith.seeds import random_stream


@pytest.fixture
def image():
    return random_stream(1, "tests.engine.filters").normal(3.0, 2.0, (37, 53))


@pytest.mark.parametrize("size", [-3, 0, 1, 2, 3, 4, 9, 10, 36, 37, 54, 107, 300])
def test_the_box_is_scipys_to_the_bit(image, size):
    expected = ndimage.uniform_filter(image, size=size) if size > 1 else image
    np.testing.assert_array_equal(uniform_filter(image, size), expected)


@pytest.mark.parametrize("size", [2.0, 3.0, 3.9])
def test_a_size_that_is_no_integer_is_cut_off(image, size):
    np.testing.assert_array_equal(uniform_filter(image, int(size)), ndimage.uniform_filter(image, size=size))


@pytest.mark.parametrize("seed", range(5))
def test_ties_of_a_map_are_decided_as_by_scipy(seed):
    """Means of 0 and 1 over 100 pixels meet one half: only the same order of additions gives the same map."""
    blobs = ndimage.gaussian_filter(random_stream(seed, "tests.engine.ties").normal(size=(128, 128)), 3.0)
    source = (blobs > 0).astype(np.float64)
    ours, theirs = uniform_filter(source, 10), ndimage.uniform_filter(source, size=10)
    assert np.sum(np.abs(theirs - 0.5) < 1e-12) > 20
    np.testing.assert_array_equal(ours, theirs)


def test_an_even_box_is_off_center_towards_the_origin():
    point = np.zeros((9, 9))
    point[4, 4] = 1.0
    rows, columns = np.nonzero(uniform_filter(point, 4))
    assert (rows.min(), rows.max()) == (columns.min(), columns.max()) == (3, 6)


@pytest.mark.parametrize("sigma", [0.05, 0.3, 1.0, 2.5, 7.0, 60.0])
@pytest.mark.parametrize(("reflect", "mode"), [(True, "reflect"), (False, "constant")])
def test_the_gaussian_is_scipys(image, sigma, reflect, mode):
    expected = ndimage.gaussian_filter(image, sigma, mode=mode)
    np.testing.assert_allclose(gaussian_filter(image, sigma, reflect), expected, rtol=0, atol=1e-13)


def test_the_gaussian_keeps_a_constant_only_if_it_is_mirrored():
    flat = np.full((12, 15), 2.0)
    np.testing.assert_allclose(gaussian_filter(flat, 3.0, True), 2.0, rtol=1e-14)
    assert gaussian_filter(flat, 3.0, False)[0, 0] < 1.0


def test_weights_of_a_gaussian_sum_to_one_with_both_sides():
    weights = gaussian_weights(2.0)
    assert len(weights) == 9
    assert weights[0] + 2 * weights[1:].sum() == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize("sigma", [np.nan, np.inf, 1e6])
def test_a_width_that_means_nothing_gives_nan(image, sigma):
    assert np.isnan(gaussian_filter(image, sigma, False)).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (33, 17)])
def test_thin_images_and_the_exchange_of_axes(shape):
    image = random_stream(2, "tests.engine.filters").normal(size=shape)
    np.testing.assert_array_equal(transposed(image), image.T)
    np.testing.assert_array_equal(uniform_filter(image, 10), ndimage.uniform_filter(image, size=10))
    expected = ndimage.gaussian_filter(image, 1.5, mode="constant")
    np.testing.assert_allclose(gaussian_filter(image, 1.5, False), expected, rtol=0, atol=1e-13)


def test_nothing_is_written_into_the_argument(image):
    before = image.copy()
    for result in (uniform_filter(image, 1), uniform_filter(image, 5), gaussian_filter(image, 0.0, True)):
        result[:] = 7.0
    np.testing.assert_array_equal(image, before)
