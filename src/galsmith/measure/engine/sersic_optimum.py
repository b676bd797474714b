"""The Sérsic fit to its true minimum: exact derivatives, normal equations, Marquardt's damping (1963)."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.sersic_data import SersicData
from galsmith.measure.engine.sersic_law import CENTER_PARAMETERS, COMPONENT_PARAMETERS, INDEX, LOWEST_INDEX
from galsmith.measure.engine.sersic_normal import fill_normal_equations

CONVERGED, OUT_OF_EVALUATIONS, NOT_FINITE = 1, 5, -1
_FIRST_DAMPING, _LEAST_DAMPING, _LITTLE_DAMPING = 1e-3, 1e-12, 1e-2
_EASED, _RAISED = 0.1, 10.0
# with no more to be gained than this share of chi^2, the curvature counts
_NEAR = 1e-4
# this share of the squared, weighted pixels is rounding
_ROUNDING = 1e-28


class _Point(NamedTuple):
    """Parameters, and the quadratic approximation of chi^2 about them (``sersic_normal``)."""

    parameters: NDArray[np.float64]
    matrix: NDArray[np.float64]
    gradient: NDArray[np.float64]
    curvature: NDArray[np.float64]


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
    floor = _ROUNDING * _weighted_signal(data)
    damping, gain = _FIRST_DAMPING, math.inf
    for evaluation in range(2, most_evaluations + 1):
        gain = _fill_trial(here, free, damping, gain / chi2, there.parameters)
        trial_chi2 = fill_normal_equations(
            data, there.parameters, there.matrix, there.gradient, there.curvature
        )
        is_done = gain <= tolerance * chi2
        if trial_chi2 < chi2:
            is_done = (is_done and damping <= _LITTLE_DAMPING) or trial_chi2 <= floor
            chi2 = trial_chi2
            here, there = there, here
            for k in range(parameters.size):
                parameters[k] = here.parameters[k]
            damping = max(damping * _EASED, _LEAST_DAMPING)
        else:
            damping *= _RAISED
        if is_done:
            return CONVERGED, evaluation, chi2
    return OUT_OF_EVALUATIONS, most_evaluations, chi2


@compiled
def _empty_point(parameters: NDArray[np.float64]) -> _Point:
    """Room for one set of parameters, which begins as the one given."""
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
def _fill_trial(
    point: _Point, free: NDArray[np.int64], damping: float, last_gain: float, trial: NDArray[np.float64]
) -> float:
    """Choose the parameters to be tried next; what they are expected to gain in chi^2.

    The curvature is used near the minimum, as the share of chi^2 last gained tells, and where it is sane.
    """
    step = np.empty(free.size)
    gain = math.nan
    if last_gain <= _NEAR:
        gain = _damped_step(point, free, damping, 1.0, step)
    if not gain >= 0.0:
        gain = _damped_step(point, free, damping, 0.0, step)
    for k in range(point.parameters.size):
        trial[k] = point.parameters[k]
    for k in range(free.size):
        trial[free[k]] += step[k]
        if _is_index(free[k]):
            trial[free[k]] = max(trial[free[k]], LOWEST_INDEX)
    return gain


@compiled
def _damped_step(
    point: _Point, free: NDArray[np.int64], damping: float, curvature_share: float, step: NDArray[np.float64]
) -> float:
    """Marquardt's step, and the step times the gradient; NaN where the system is not positive."""
    n = free.size
    system = np.zeros((n, n))
    for k in range(n):
        if _is_held(point, free[k]):
            system[k, k] = 1.0
            step[k] = 0.0
            continue
        step[k] = point.gradient[free[k]]
        for j in range(k + 1):
            if not _is_held(point, free[j]):
                system[k, j] = _element(point, min(free[k], free[j]), max(free[k], free[j]), curvature_share)
        system[k, k] += damping * point.matrix[free[k], free[k]] + 1e-300
    _solve(system, step)
    gain = 0.0
    for k in range(n):
        gain += step[k] * point.gradient[free[k]]
    return gain


@compiled
def _element(point: _Point, row: int, column: int, curvature_share: float) -> float:
    """Element of the second derivatives of half of chi^2, row <= column."""
    if column < CENTER_PARAMETERS:
        return point.matrix[row, column] + curvature_share * point.curvature[row + column]
    return point.matrix[row, column]


@compiled
def _is_index(parameter: int) -> bool:
    return parameter >= CENTER_PARAMETERS and (parameter - CENTER_PARAMETERS) % COMPONENT_PARAMETERS == INDEX


@compiled
def _is_held(point: _Point, parameter: int) -> bool:
    """Whether a Sérsic index stands at its bound and is pushed beyond."""
    return (
        _is_index(parameter)
        and point.parameters[parameter] <= LOWEST_INDEX
        and point.gradient[parameter] <= 0.0
    )


@compiled
def _solve(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> None:
    """Solve a symmetric positive system in place, by Cholesky's method from the lower triangle; NaN if it is not."""
    n = vector.size
    for k in range(n):
        for i in range(k, n):
            total = matrix[i, k]
            for j in range(k):
                total -= matrix[i, j] * matrix[k, j]
            matrix[i, k] = math.sqrt(total) if i == k else total / matrix[k, k]
    for k in range(n):
        for j in range(k):
            vector[k] -= matrix[k, j] * vector[j]
        vector[k] /= matrix[k, k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            vector[k] -= matrix[j, k] * vector[j]
        vector[k] /= matrix[k, k]
