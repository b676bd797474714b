"""MINPACK's steps beside SciPy's own: the same factors, the same evaluations, the same end."""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from scipy.optimize import leastsq

from galsmith.measure.engine.numerics.minpack import LinearSystem, damped_step, euclidean_norm, factorize
from galsmith.measure.engine.sersic.parity import NOT_FINITE, fit_as_minpack
from galsmith.measure.engine.sersic.point_spread import point_spread
from galsmith.measure.engine.sersic.residuals import SersicData
from galsmith.seeds import random_stream

NO_PSF = np.zeros((0, 0))
CONVERGED = (1, 2, 3, 4)


def _system():
    rng = random_stream(5, "tests.minpack")
    matrix, vector = rng.normal(0, 1, (60, 5)) * [1, 10, 0.1, 3, 100], rng.normal(0, 1, 60)
    order, norms, columns = np.empty(5, dtype=np.int64), np.empty(5), np.ascontiguousarray(matrix.T)
    triangle, turned = factorize(columns, vector.copy(), order, norms)
    return matrix, vector, order, norms, triangle, turned


def test_factors_give_the_matrix_back():
    matrix, vector, order, norms, triangle, turned = _system()
    permuted = matrix[:, order]
    assert np.allclose(triangle.T @ triangle, permuted.T @ permuted, rtol=1e-12)
    assert np.allclose(triangle.T @ turned, permuted.T @ vector, rtol=1e-12)
    assert np.allclose(norms, np.linalg.norm(matrix, axis=0))
    assert (np.diff(np.abs(np.diag(triangle))) <= 0).all()


def test_step_is_full_where_it_is_short_and_damped_where_not():
    matrix, vector, order, norms, triangle, turned = _system()
    system, step = LinearSystem(triangle, order, norms, turned), np.empty(5)
    assert damped_step(system, 1e3, 0.0, step) == 0.0
    assert np.allclose(step, np.linalg.lstsq(matrix, vector)[0])
    radius = 0.3 * np.linalg.norm(norms * step)
    damping = damped_step(system, radius, 0.0, step)
    assert np.linalg.norm(norms * step) == pytest.approx(radius, rel=0.1)
    normal = matrix.T @ matrix + damping * np.diag(norms**2)
    assert np.allclose(step, np.linalg.solve(normal, matrix.T @ vector))


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_norm_neither_overflows_nor_underflows(scale):
    assert euclidean_norm(np.array([3.0, 0.0, -4.0]) * scale) == pytest.approx(5 * scale, rel=1e-15)
    assert np.isnan(euclidean_norm(np.array([1.0, np.nan])))


def _galaxy(k):
    rng = random_stream(6, "tests.minpack", k)
    truth = np.array(
        [
            24 + rng.uniform(-2, 2),
            25 + rng.uniform(-2, 2),
            rng.uniform(2, 20),
            rng.uniform(3, 8),
            rng.uniform(0.6, 4),
            rng.uniform(0.05, 0.7),
            rng.uniform(0, 3),
        ]
    )
    image = _model(truth, 50) + rng.normal(0, 0.4, (50, 50))
    start = truth * [1.01, 0.99, 1.3, 0.8, 1, 0.8, 1.05]
    start[4] = 2.0
    return image, 1 / np.sqrt(np.abs(image) / 5 + 0.2), start


def _model(p, size):
    y, x = np.mgrid[:size, :size].astype(float)
    return Sersic2D.evaluate(x, y, p[2], p[3], max(p[4], 0.01), p[0], p[1], p[5], p[6])


@pytest.mark.parametrize("k", range(6))
def test_fit_takes_the_evaluations_of_scipy(k):
    image, weights, start = _galaxy(k)
    expected, _, info, _, status = leastsq(
        lambda p: (weights * (_model(p, 50) - image)).ravel(),
        start,
        maxfev=500,
        epsfcn=2.0**-52,
        xtol=1e-5,
        full_output=True,
    )
    data = SersicData(image, weights, point_spread(NO_PSF, 50, 50))
    parameters = start.copy()
    ours, evaluations, chi2 = fit_as_minpack(data, parameters, np.arange(7), 1e-5, 500)
    assert (ours, evaluations) == (status, info["nfev"])
    assert np.allclose(parameters, expected, rtol=1e-7)
    assert chi2 == pytest.approx((info["fvec"] ** 2).sum(), rel=1e-9)


def test_fit_out_of_evaluations_says_so():
    image, weights, start = _galaxy(0)
    data = SersicData(image, weights, point_spread(NO_PSF, 50, 50))
    status, evaluations, _ = fit_as_minpack(data, start, np.arange(7), 1e-5, 20)
    assert status == 5
    assert 20 <= evaluations <= 20 + 7


def test_fit_of_an_undefined_start_ends_at_once():
    image, weights, start = _galaxy(0)
    data = SersicData(image, weights, point_spread(NO_PSF, 50, 50))
    start[3] = np.nan
    assert fit_as_minpack(data, start, np.arange(7), 1e-5, 500)[:2] == (NOT_FINITE, 1)


def test_fit_moves_only_what_is_free():
    image, weights, start = _galaxy(1)
    data = SersicData(image, weights, point_spread(NO_PSF, 50, 50))
    parameters = start.copy()
    status, _, _ = fit_as_minpack(data, parameters, np.array([2, 3, 4, 5, 6]), 1e-4, 100)
    assert status in CONVERGED
    assert np.array_equal(parameters[:2], start[:2])
    assert (parameters[2:] != start[2:]).all()
