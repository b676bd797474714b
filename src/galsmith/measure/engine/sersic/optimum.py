"""The Sérsic fit to its true minimum: MINPACK's trust radius (1980) with exact derivatives and normal equations."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.numerics.minpack import (
    FIRST_RADIUS,
    LinearSystem,
    Success,
    adjusted_radius,
    damped_step,
    euclidean_norm,
    product,
)
from galsmith.measure.engine.sersic.law import CENTER_PARAMETERS, COMPONENT_PARAMETERS, INDEX, LOWEST_INDEX
from galsmith.measure.engine.sersic.residuals import SersicData, fill_normal_equations

CONVERGED, OUT_OF_EVALUATIONS, NOT_FINITE = 1, 5, -1
# a radius of this share of the scaled parameters is rounding
_LEAST_RADIUS = 1e-14
# with no more to be gained than this share of chi^2, the curvature counts
_NEAR = 1e-4
# this share of the squared, weighted pixels is rounding
_ROUNDING = 1e-28
# pivots below this share of their column are rounding
_LEAST_PIVOT = 1e-14
_TINY = 1e-300


class _Point(NamedTuple):
    """Parameters, and the quadratic approximation of chi^2 about them (`fill_normal_equations`)."""

    parameters: NDArray[np.float64]
    matrix: NDArray[np.float64]
    gradient: NDArray[np.float64]
    curvature: NDArray[np.float64]


class _Step(NamedTuple):
    """Damping of a step, its length, and what it promises in chi^2: all in all, and at its beginning (negative)."""

    damping: float
    length: float
    gain: float
    slope: float


@compiled
def fit_to_minimum(
    data: SersicData,
    parameters: NDArray[np.float64],
    free: NDArray[np.int64],
    tolerance: float,
    most_evaluations: int,
) -> tuple[int, int, float]:
    """Fit some parameters of a Sérsic model.

    Parameters
    ----------
    data : SersicData
        What is fitted.
    parameters : ndarray [2 + 5 components], float64
        The start; becomes the result.
    free : ndarray [n], int64
        Which of them are fitted.
    tolerance : float
        The fit ends when no more than this share of chi^2 can be gained.
    most_evaluations : int
        Bound of the work.

    Returns
    -------
    status : int
        CONVERGED, OUT_OF_EVALUATIONS or NOT_FINITE: the model overflowed at the start.
    evaluations : int
        Of the model with its derivatives.
    chi2 : float
        Sum of the squared residuals.
    """
    here, there = _empty_point(parameters), _empty_point(parameters)
    chi2 = fill_normal_equations(data, here.parameters, here.matrix, here.gradient, here.curvature)
    if not math.isfinite(chi2):
        return NOT_FINITE, 1, chi2
    # a noise-free law is fitted to rounding: no share of chi^2 can then be gained
    floor = _ROUNDING * _weighted_signal(data)
    scale = np.zeros(free.size)
    radius, damping, gain = FIRST_RADIUS * _widen_scale(here, free, scale), 0.0, math.inf
    steps = 0
    for evaluation in range(2, most_evaluations + 1):
        step = _fill_trial(here, free, scale, radius, damping, gain / chi2, there.parameters)
        trial_chi2 = fill_normal_equations(
            data, there.parameters, there.matrix, there.gradient, there.curvature
        )
        # lmdif: the first step bounds the radius
        radius, damping = adjusted_radius(
            min(radius, step.length) if steps == 0 else radius,
            step.damping,
            step.length,
            _success(chi2, trial_chi2, step),
            math.sqrt(trial_chi2 / chi2),
        )
        gain = step.gain
        # no more was promised, by a full step or by one that did not lower chi^2
        is_flat = gain <= tolerance * chi2 and (step.damping == 0.0 or not trial_chi2 < chi2)
        if trial_chi2 < chi2:
            steps += 1
            chi2 = trial_chi2
            here, there = there, here
            for k in range(parameters.size):
                parameters[k] = here.parameters[k]
        size = _widen_scale(here, free, scale)
        if is_flat or chi2 <= floor or radius <= _LEAST_RADIUS * size:
            return CONVERGED, evaluation, chi2
    return OUT_OF_EVALUATIONS, most_evaluations, chi2


@compiled
def _empty_point(parameters: NDArray[np.float64]) -> _Point:
    """Make room for one set of parameters, which begins as the one given."""
    n = parameters.size
    return _Point(parameters.copy(), np.empty((n, n)), np.empty(n), np.empty(3))


@compiled
def _weighted_signal(data: SersicData) -> float:
    """Sum of the squared, weighted pixels."""
    total = 0.0
    for y in range(data.pixels.shape[0]):
        for x in range(data.pixels.shape[1]):
            total += (data.weights[y, x] * data.pixels[y, x]) ** 2
    return total


@compiled
def _widen_scale(point: _Point, free: NDArray[np.int64], scale: NDArray[np.float64]) -> float:
    """Raise the parameters' scales to the lengths of their derivatives; the length of the scaled parameters."""
    scaled = np.empty(free.size)
    for k in range(free.size):
        # lmder: diag(j) = max(diag(j), wa2(j)), column lengths from the diagonal of J^T J
        scale[k] = max(scale[k], math.sqrt(point.matrix[free[k], free[k]]))
        if scale[k] == 0.0:
            scale[k] = 1.0
        scaled[k] = scale[k] * point.parameters[free[k]]
    return euclidean_norm(scaled)


@compiled
def _success(chi2: float, trial_chi2: float, step: _Step) -> Success:
    """Compare chi^2 after a step with what the step promised."""
    # lmdif: actred = -1 where p1 fnorm1 >= fnorm
    actual = 1.0 - trial_chi2 / chi2 if trial_chi2 < 100.0 * chi2 else -1.0
    predicted = step.gain / chi2
    return Success(actual, predicted, actual / predicted if predicted != 0.0 else 0.0, step.slope / chi2)


@compiled
def _fill_trial(
    point: _Point,
    free: NDArray[np.int64],
    scale: NDArray[np.float64],
    radius: float,
    damping: float,
    last_gain: float,
    trial: NDArray[np.float64],
) -> _Step:
    """Choose the parameters to be tried next.

    The curvature is used near the minimum, as the share of chi^2 last gained tells, and where it is sane.
    """
    n = free.size
    triangle = np.zeros((n, n))
    if not (last_gain <= _NEAR and _fill_triangle(point, free, 1.0, triangle)):
        _fill_triangle(point, free, 0.0, triangle)
    turned, step = np.empty(n), np.empty(n)
    for k in range(n):
        # forward substitution: R^T (Q^T r) = J^T r
        turned[k] = 0.0 if _is_held(point, free[k]) else point.gradient[free[k]]
        for j in range(k):
            turned[k] -= triangle[j, k] * turned[j]
        turned[k] /= triangle[k, k]
    damping = damped_step(LinearSystem(triangle, np.arange(n), scale, turned), radius, damping, step)
    length = euclidean_norm(product(scale, step))
    along = 0.0
    for k in range(point.parameters.size):
        trial[k] = point.parameters[k]
    for k in range(n):
        along += step[k] * point.gradient[free[k]]
        trial[free[k]] += step[k]
        # projected on the bound
        if _is_index(free[k]):
            trial[free[k]] = max(trial[free[k]], LOWEST_INDEX)
    # gain = |J p|^2 + 2 damping |D p|^2, with (J^T J + damping D^2) p = J^T r
    return _Step(damping, length, along + damping * length * length, -along)


@compiled
def _fill_triangle(
    point: _Point, free: NDArray[np.int64], curvature_share: float, triangle: NDArray[np.float64]
) -> bool:
    """Cholesky's factor of the second derivatives of half of chi^2, pivots held above rounding; whether they were."""
    is_positive = True
    for k in range(free.size):
        for j in range(k, free.size):
            total = _element(point, min(free[k], free[j]), max(free[k], free[j]), curvature_share)
            for i in range(k):
                total -= triangle[i, k] * triangle[i, j]
            if j > k:
                triangle[k, j] = total / triangle[k, k]
                continue
            least = _LEAST_PIVOT * point.matrix[free[k], free[k]]
            is_positive = is_positive and total > least
            # a pivot of rounding is held up, as a singular matrix has no Cholesky factor
            triangle[k, k] = math.sqrt(max(total, least, _TINY))
    return is_positive


@compiled
def _element(point: _Point, row: int, column: int, curvature_share: float) -> float:
    """Element of the second derivatives of half of chi^2, row <= column; those of a held index are cut out."""
    if _is_held(point, row) or _is_held(point, column):
        return point.matrix[row, row] if row == column else 0.0
    if column < CENTER_PARAMETERS:
        return point.matrix[row, column] + curvature_share * point.curvature[row + column]
    return point.matrix[row, column]


@compiled
def _is_index(parameter: int) -> bool:
    """Whether a parameter is a Sérsic index."""
    return parameter >= CENTER_PARAMETERS and (parameter - CENTER_PARAMETERS) % COMPONENT_PARAMETERS == INDEX


@compiled
def _is_held(point: _Point, parameter: int) -> bool:
    """Whether a Sérsic index stands at its bound and is pushed beyond."""
    if not _is_index(parameter):
        return False
    return point.parameters[parameter] <= LOWEST_INDEX and point.gradient[parameter] <= 0.0
