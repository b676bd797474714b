"""The Sérsic fit as statmorph 0.7.2 runs it: astropy's LevMarLSQFitter, that is MINPACK's lmdif, evaluation by evaluation.

Derivatives are forward differences of 1.5e-8 relative; a bounded parameter is clipped inside the model only.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.numerics.minpack import (
    ENOUGH_REDUCTION,
    EPSILON,
    FIRST_RADIUS,
    LinearSystem,
    Success,
    adjusted_radius,
    damped_step,
    euclidean_norm,
    factorize,
    product,
)
from galsmith.measure.engine.sersic.residuals import SersicData, fill_residuals

# fdjac2: eps = sqrt(max(epsfcn, machine precision)), 1.5e-8
_DIFFERENCE = 2.0**-26
# scipy.optimize.leastsq's own ftol
_REDUCTION_TOLERANCE = 1.49012e-8
NOT_FINITE = -1


class _Progress(NamedTuple):
    """Where lmdif stands; `status` is MINPACK's ``info``, 0 while it goes on; `steps` counts those taken."""

    radius: float
    damping: float
    residual_norm: float
    scaled_norm: float
    evaluations: int
    steps: int
    status: int


@compiled
def fit_as_minpack(
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
        The start; becomes the result, indices not yet clipped to their bound.
    free : ndarray [n], int64
        Which of them are fitted.
    tolerance : float
        MINPACK's xtol.
    most_evaluations : int
        MINPACK's maxfev.

    Returns
    -------
    status : int
        MINPACK's ``info``: 1 to 4 converged, 5 to 8 not; -1: the model overflowed.
    evaluations : int
        Of the model.
    chi2 : float
        Sum of the squared residuals.
    """
    residuals = np.empty(data.pixels.size)
    fill_residuals(data, parameters, residuals)
    norm = euclidean_norm(residuals)
    scale = np.zeros(free.size)
    norms = np.empty(free.size)
    order = np.empty(free.size, np.int64)
    columns = np.empty((free.size, residuals.size))
    state = _Progress(0.0, 0.0, norm, 0.0, 1, 0, 0 if math.isfinite(norm) else NOT_FINITE)
    # every round costs evaluations, so their bound ends the loop too
    for _ in range(most_evaluations):
        if state.status != 0:
            break
        _fill_differences(data, parameters, free, residuals, columns)
        triangle, turned = factorize(columns, residuals.copy(), order, norms)
        # lmdif: on the first iteration, scale by the norms of the columns
        if state.steps == 0:
            state = _begun(state, parameters, free, norms, scale)
        for k in range(free.size):
            # lmdif: rescale if necessary, diag = max(diag, wa2)
            scale[k] = max(scale[k], norms[k])
        gradient = _gradient(triangle, turned, order, norms, state.residual_norm)
        system = LinearSystem(triangle, order, scale, turned)
        state = _descend(
            data, parameters, free, residuals, system, gradient, state, tolerance, most_evaluations
        )
    return state.status, state.evaluations, state.residual_norm * state.residual_norm


@compiled
def _fill_differences(
    data: SersicData,
    parameters: NDArray[np.float64],
    free: NDArray[np.int64],
    residuals: NDArray[np.float64],
    columns: NDArray[np.float64],
) -> None:
    """Differentiate the residuals by forward differences."""
    moved = np.empty(residuals.size)
    for k in range(free.size):
        trial = parameters.copy()
        # fdjac2: h = eps |x|, eps where that is 0
        h = _DIFFERENCE * abs(trial[free[k]])
        if h == 0.0:
            h = _DIFFERENCE
        trial[free[k]] += h
        fill_residuals(data, trial, moved)
        for i in range(residuals.size):
            columns[k, i] = (moved[i] - residuals[i]) * (1.0 / h)


@compiled
def _scaled_norm(
    scale: NDArray[np.float64], parameters: NDArray[np.float64], free: NDArray[np.int64]
) -> float:
    """Length of the fitted parameters, each times its scale."""
    scaled = np.empty(free.size)
    for k in range(free.size):
        scaled[k] = scale[k] * parameters[free[k]]
    return euclidean_norm(scaled)


@compiled
def _begun(
    state: _Progress,
    parameters: NDArray[np.float64],
    free: NDArray[np.int64],
    norms: NDArray[np.float64],
    scale: NDArray[np.float64],
) -> _Progress:
    """Scale the parameters by their derivatives' lengths and set the first trust radius."""
    for k in range(scale.size):
        scale[k] = norms[k] if norms[k] != 0.0 else 1.0
    scaled_norm = _scaled_norm(scale, parameters, free)
    radius = FIRST_RADIUS * scaled_norm
    # lmdif: delta = factor xnorm, or factor
    if radius == 0.0:
        radius = FIRST_RADIUS
    return _Progress(radius, 0.0, state.residual_norm, scaled_norm, state.evaluations, 0, 0)


@compiled
def _gradient(
    triangle: NDArray[np.float64],
    turned: NDArray[np.float64],
    order: NDArray[np.int64],
    norms: NDArray[np.float64],
    residual_norm: float,
) -> float:
    """Greatest cosine of the angle between the residuals and a column of derivatives; NaN if one is undefined."""
    greatest = 0.0
    for k in range(order.size):
        length = norms[order[k]]
        if not math.isfinite(length):
            return math.nan
        if length != 0.0 and residual_norm != 0.0:
            # lmdif tests this greatest cosine against gtol, which is 0 here
            total = 0.0
            for i in range(k + 1):
                total += triangle[i, k] * (turned[i] / residual_norm)
            greatest = max(greatest, abs(total / length))
    return greatest


@compiled
def _descend(
    data: SersicData,
    parameters: NDArray[np.float64],
    free: NDArray[np.int64],
    residuals: NDArray[np.float64],
    system: LinearSystem,
    gradient: float,
    state: _Progress,
    tolerance: float,
    most_evaluations: int,
) -> _Progress:
    """Shorten the step until it lowers the residuals; take it; say whether all is done."""
    radius, damping, norm, scaled_norm = state.radius, state.damping, state.residual_norm, state.scaled_norm
    evaluations, steps, status = (
        state.evaluations + free.size,
        state.steps,
        _status_of_gradient(gradient),
    )
    trial, step, trial_residuals = parameters.copy(), np.empty(free.size), np.empty(residuals.size)
    while status == 0 and steps == state.steps:
        damping = damped_step(system, radius, damping, step)
        for k in range(free.size):
            trial[free[k]] = parameters[free[k]] - step[k]
        length = euclidean_norm(product(system.scale, step))
        # lmdif: on the first iteration, delta = min(delta, pnorm)
        radius = min(radius, length) if steps == 0 else radius
        fill_residuals(data, trial, trial_residuals)
        evaluations += 1
        trial_norm = euclidean_norm(trial_residuals)
        success = _success(system, step, math.sqrt(damping) * length, norm, trial_norm)
        radius, damping = adjusted_radius(radius, damping, length, success, trial_norm / norm)
        # lmdif: successful iteration, ratio >= p0001
        if success.ratio >= ENOUGH_REDUCTION:
            _copy(trial, parameters)
            _copy(trial_residuals, residuals)
            scaled_norm = _scaled_norm(system.scale, parameters, free)
            norm = trial_norm
            steps += 1
        # lmdif: tests for convergence, then for termination and stringent tolerances
        status = _status(success, radius, tolerance * scaled_norm)
        if status == 0:
            status = _status_of_limits(
                success, radius / scaled_norm, gradient, most_evaluations - evaluations
            )
        if not math.isfinite(trial_norm):
            status = NOT_FINITE
    return _Progress(radius, damping, norm, scaled_norm, evaluations, steps, status)


@compiled
def _status_of_gradient(gradient: float) -> int:
    """4 where the residuals are at right angles to all derivatives, NOT_FINITE where one is undefined."""
    if math.isnan(gradient):
        return NOT_FINITE
    return 4 if gradient == 0.0 else 0


@compiled
def _copy(source: NDArray[np.float64], target: NDArray[np.float64]) -> None:
    for i in range(source.size):
        target[i] = source[i]


@compiled
def _success(
    system: LinearSystem, step: NDArray[np.float64], damped_length: float, norm: float, trial_norm: float
) -> Success:
    """Compare the residuals after a step with what the linear system promised."""
    # lmdif bounds both reductions, and their ratio by two
    actual = 1.0 - (trial_norm / norm) ** 2 if 0.1 * trial_norm < norm else -1.0
    change = np.zeros(step.size)
    for k in range(step.size):
        for i in range(k + 1):
            change[i] += system.triangle[i, k] * step[system.order[k]]
    along, across = euclidean_norm(change) / norm, damped_length / norm
    # lmdif: prered = temp1^2 + temp2^2 / p5, dirder = -(temp1^2 + temp2^2)
    predicted = along * along + 2.0 * across * across
    ratio = actual / predicted if predicted != 0.0 else 0.0
    return Success(actual, predicted, ratio, -(along * along + across * across))


@compiled
def _is_within(success: Success, tolerance: float) -> bool:
    """Whether the residuals neither fell nor were to fall by more than a share."""
    # lmdif: p5 ratio <= 1
    return abs(success.actual) <= tolerance and success.predicted <= tolerance and success.ratio <= 2.0


@compiled
def _status(success: Success, radius: float, least_radius: float) -> int:
    """1, 2 or 3 where the fit has converged in its residuals, its parameters or both."""
    status = 0
    if _is_within(success, _REDUCTION_TOLERANCE):
        status += 1
    if radius <= least_radius:
        status += 2
    return status


@compiled
def _status_of_limits(
    success: Success, relative_radius: float, gradient: float, evaluations_left: int
) -> int:
    """5 to 8 where no more can be gained."""
    if gradient <= EPSILON:
        return 8
    if relative_radius <= EPSILON:
        return 7
    if _is_within(success, EPSILON):
        return 6
    return 5 if evaluations_left <= 0 else 0
