"""Cells of a Sérsic fit: each pixel in one of them, only where the law hardly changes, and the same minimum."""

import integrated_laws as laws
import numpy as np
import pytest

from galsmith.measure.engine.sersic.cells import cells_of, is_smooth, smooth_beyond
from galsmith.measure.engine.sersic.fit import INTEGRATED, fit_parameters
from galsmith.measure.engine.sersic.law import sersic_model
from galsmith.measure.engine.sersic.pixels import ROUGH_ERROR, ROUGH_SHARE
from galsmith.measure.engine.sersic.residuals import sersic_data
from galsmith.seeds import random_stream

ROUGH = (ROUGH_ERROR, ROUGH_SHARE)
SHAPES = pytest.mark.parametrize("shape", [(70, 76), (71, 77), (9, 64), (3, 3)])


def _law(shape, n=1.0, r_eff=5.0):
    return np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2, 1.0, r_eff, n, 0.3, 0.0])


def _weights(shape, sigma=0.1):
    weights = np.full(shape, 1 / sigma)
    weights[random_stream(1, "tests.cells").random(shape) < 0.05] = 0.0
    return weights


def _cells(pixels, weights, law):
    model = sersic_model(law)
    return cells_of(model, pixels, weights, smooth_beyond(model, weights, *ROUGH))


@SHAPES
def test_each_pixel_lies_in_one_cell(shape):
    weights = _weights(shape)
    pixels = random_stream(2, "tests.cells").normal(3, 1, shape)
    cells = _cells(pixels, weights, _law(shape))
    y, x = np.mgrid[: shape[0], : shape[1]]
    squared = cells.weights**2
    for of_cells, of_pixels in ((1.0, 1.0), (cells.pixels, pixels), (cells.x, x), (cells.y, y)):
        assert np.sum(squared * of_cells) == pytest.approx(np.sum(weights**2 * of_pixels), rel=1e-12)
    # a plain image: the residuals of all pixels
    expected = np.sum((weights * (pixels - 2.5)) ** 2)
    assert cells.scatter + np.sum((cells.weights * (cells.pixels - 2.5)) ** 2) == pytest.approx(
        expected, rel=1e-12
    )
    assert cells.x.size < weights.size or min(shape) < 10


@SHAPES
def test_cells_turn_and_flip_with_the_image(shape):
    weights = _weights(shape)
    pixels = random_stream(3, "tests.cells").normal(0, 1, shape)
    law = _law(shape)
    law[5] = 0.0
    one = _cells(pixels, weights, law)
    order = np.lexsort((one.y, one.x))
    for turn in (lambda a: a[::-1], lambda a: a[:, ::-1], np.transpose):
        turned = np.ascontiguousarray(turn(pixels)), np.ascontiguousarray(turn(weights))
        other = _cells(
            *turned, _law(turned[0].shape)[:5].tolist() and np.array([*_law(turned[0].shape)[:5], 0.0, 0.0])
        )
        assert other.x.size == one.x.size
        assert np.allclose(np.sort(other.pixels), np.sort(one.pixels), rtol=1e-12, atol=1e-13)
    assert np.unique(np.stack([one.x, one.y]), axis=1).shape[1] == order.size


@pytest.mark.parametrize("n", [0.7, 1.0, 2.5, 5.0])
def test_smooth_squares_have_the_light_of_their_middle(n):
    law, weight = np.array([0.0, 0.0, 1.0, 6.0, n, 0.4, 0.0]), 1 / 0.02
    model = sersic_model(law)
    beyond = smooth_beyond(model, np.full((400, 400), weight), *ROUGH)
    assert (np.diff(beyond[0]) >= 0).all()
    for level, radius in enumerate(beyond[0]):
        side = 1 << level
        # along the minor axis, where the law is steepest
        middle = np.array([0.0, radius * 6.0 * 0.6])
        fine = (np.arange(8 * side) + 0.5) / 8 - side / 2
        x, y = middle[0] + fine[None, :], middle[1] + fine[:, None]
        mean, there = np.mean(_light(law, x, y)), _light(law, *middle)
        wrong = abs(mean - there)
        share = ROUGH_SHARE if level > 0 else 0.0
        assert wrong * weight * side < 1.5 * ROUGH_ERROR or wrong < 1.5 * share * there
        # much nearer in it is not
        assert not is_smooth(model.first, 0.3 * radius, side, weight, ROUGH_ERROR, share)


def _light(law, x, y):
    scale = sersic_model(law).first.scale
    radius = np.hypot(x, y / (1 - law[5])) / law[3]
    return law[2] * np.exp(-scale * (radius ** (1 / law[4]) - 1))


@pytest.mark.parametrize("n", [1.0, 2.5, 4.0])
def test_a_rough_fit_ends_near_the_minimum(n):
    shape, sigma = (120, 120), 0.02
    law = np.array([59.3, 60.2, 1.0, 6.0, n, 0.3, 0.4])
    image = laws.integrated(shape, law) + random_stream(4, "tests.cells").normal(0, sigma, shape)
    data = sersic_data(image, np.full(shape, sigma), np.empty((0, 0)))
    ends, found = {}, {}
    for is_rough in (True, False):
        parameters = law * 1.1
        found[is_rough] = fit_parameters(
            data, parameters, free=np.arange(7), mode=INTEGRATED, ends_rough=is_rough
        )
        ends[is_rough] = parameters
    # center in pixels, amplitude, radius and index as shares, ellipticity, angle; of 4, 0.19 in the amplitude
    apart = np.abs(ends[True] - ends[False]) / np.array([1, 1, *law[2:5], 1, 1])
    assert apart.max() < 0.25
    # it began 6 px and a tenth in all else away, and a few looks at all pixels are left
    assert np.abs(0.1 * law[:2]).min() > 5
    assert found[False].n_evaluations <= found[True].n_evaluations + 5
