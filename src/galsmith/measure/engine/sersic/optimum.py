"""The fit of integrated Sérsic laws to the minimum: MINPACK's trust radius (1980), normal equations, bounds."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_sum
from galsmith.measure.engine.numerics.minpack import (
    FIRST_RADIUS,
    LinearSystem,
    Success,
    adjusted_radius,
    damped_step,
    euclidean_norm,
    product,
)
from galsmith.measure.engine.sersic.law import (
    CENTER_PARAMETERS,
    COMPONENT_PARAMETERS,
    ELLIPTICITY,
    INDEX,
    R_EFF,
)
from galsmith.measure.engine.sersic.residuals import (
    IntegratedData,
    SersicData,
    blurred_data,
    exact_data,
    fill_blurred_equations,
    fill_sharp_equations,
    rough_data,
)

CONVERGED, OUT_OF_EVALUATIONS, NOT_FINITE = 1, 5, -1
# a radius of this share of the scaled parameters is rounding
_LEAST_RADIUS = 1e-14
# a first fit, of cells, ends at this gain
_ROUGH = 1e-6
# this share of the squared, weighted pixels is rounding
_ROUNDING = 1e-28
# pivots below this share of their column are rounding
_LEAST_PIVOT = 1e-14
_TINY = 1e-300
# beyond these an image tells nothing of a law: a disc with a sharp edge, a needle, a law wider than four images
LOWEST_INDEX, HIGHEST_INDEX = 0.1, 12.0
LOWEST_R_EFF_PIX, HIGHEST_R_EFF = 0.05, 4.0
HIGHEST_ELLIPTICITY = 0.98


class _Point(NamedTuple):
    """Parameters, and the quadratic approximation of chi^2 about them (`fill_sharp_equations`)."""

    parameters: NDArray[np.float64]
    matrix: NDArray[np.float64]
    gradient: NDArray[np.float64]


class Bounds(NamedTuple):
    """What the parameters are held between, [parameter] each."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


class _Step(NamedTuple):
    """Damping of a step, its length, and what it promises in chi^2: all in all, and at its beginning (negative)."""

    damping: float
    length: float
    gain: float
    slope: float


@compiled
def bounds_of(shape: tuple[int, int], n_parameters: int) -> Bounds:
    """Bounds of a fit to an image of some height and width, beyond which pixels tell nothing."""
    low, high = np.full(n_parameters, -math.inf), np.full(n_parameters, math.inf)
    side = float(max(shape))
    for base in range(CENTER_PARAMETERS, n_parameters, COMPONENT_PARAMETERS):
        low[base + INDEX], high[base + INDEX] = LOWEST_INDEX, HIGHEST_INDEX
        low[base + R_EFF], high[base + R_EFF] = LOWEST_R_EFF_PIX, HIGHEST_R_EFF * side
        low[base + ELLIPTICITY], high[base + ELLIPTICITY] = (
            -HIGHEST_ELLIPTICITY / (1.0 - HIGHEST_ELLIPTICITY),
            HIGHEST_ELLIPTICITY,
        )
    return Bounds(low, high)


def fit_integrated(
    data: SersicData,
    parameters: NDArray[np.float64],
    free: NDArray[np.int64],
    tolerance: float,
    most_evaluations: int,
    ends_rough: bool,  # noqa: FBT001 - as the kernels take it
    matrix: NDArray[np.float64],
) -> tuple[int, int, float]:
    """Fit some parameters of integrated Sérsic laws.

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
    ends_rough : bool
        Whether pixels far from the center are read in cells only: to tell minima apart. Behind a point spread none are.
    matrix : ndarray [parameter, parameter], float64
        Is overwritten by J^T J at the result, its upper triangle only.

    Returns
    -------
    status : int
        CONVERGED, OUT_OF_EVALUATIONS or NOT_FINITE: the model overflowed at the start.
    evaluations : int
        Of the model with its derivatives.
    chi2 : float
        Sum of the squared residuals.
    """
    if data.spread.pixels.size > 0:
        return fit_blurred(data, parameters, free, tolerance, most_evaluations, matrix)
    return fit_sharp(data, parameters, free, tolerance, most_evaluations, ends_rough, matrix)


@compiled
def fit_blurred(
    data: SersicData,
    parameters: NDArray[np.float64],
    free: NDArray[np.int64],
    tolerance: float,
    most_evaluations: int,
    matrix: NDArray[np.float64],
) -> tuple[int, int, float]:
    """Fit behind a point spread: a kernel of its own, as most calls need one of the two."""
    bounds = bounds_of(data.pixels.shape, parameters.size)
    _hold(parameters, bounds)
    blurred = blurred_data(data)
    return _fit(
        fill_blurred_equations, blurred, parameters, free, bounds, tolerance, most_evaluations, matrix
    )


@compiled
def fit_sharp(
    data: SersicData,
    parameters: NDArray[np.float64],
    free: NDArray[np.int64],
    tolerance: float,
    most_evaluations: int,
    ends_rough: bool,  # noqa: FBT001 - kernels take arguments by position
    matrix: NDArray[np.float64],
) -> tuple[int, int, float]:
    """Fit without a point spread: cells first, then every pixel."""
    bounds = bounds_of(data.pixels.shape, parameters.size)
    _hold(parameters, bounds)
    fill, coarse = fill_sharp_equations, max(_ROUGH, tolerance)
    rough = rough_data(data, parameters)
    status, first, chi2 = _fit(fill, rough, parameters, free, bounds, coarse, most_evaluations, matrix)
    if status == NOT_FINITE or ends_rough:
        return status, first, chi2
    left = most_evaluations - first
    exact = exact_data(data, parameters)
    status, second, chi2 = _fit(fill, exact, parameters, free, bounds, tolerance, left, matrix)
    return status, first + second, chi2


@compiled
def _hold(parameters: NDArray[np.float64], bounds: Bounds) -> None:
    """Bring parameters within their bounds."""
    for k in range(parameters.size):
        parameters[k] = min(max(parameters[k], bounds.low[k]), bounds.high[k])


@compiled
def _fit(
    fill: Callable[..., float],
    data: IntegratedData,
    parameters: NDArray[np.float64],
    free: NDArray[np.int64],
    bounds: Bounds,
    tolerance: float,
    most_evaluations: int,
    matrix: NDArray[np.float64],
) -> tuple[int, int, float]:
    """Fit with the same pixels integrated all along, equations filled in by `fill`; the rest as `fit_integrated` has it."""
    here, there = _empty_point(parameters), _empty_point(parameters)
    chi2 = fill(data, here.parameters, here.matrix, here.gradient)
    _copy_matrix(here.matrix, matrix)
    if not math.isfinite(chi2):
        return NOT_FINITE, 1, chi2
    # a noise-free law is fitted to rounding: no share of chi^2 can then be gained
    floor = _ROUNDING * _weighted_signal(data)
    scale = np.zeros(free.size)
    radius, damping = FIRST_RADIUS * _widen_scale(here, free, scale), 0.0
    steps = 0
    for evaluation in range(2, most_evaluations + 1):
        step = _fill_trial(here, free, bounds, scale, radius, damping, there.parameters)
        if step.damping == 0.0 and step.gain <= tolerance * chi2:
            # a full step that promises no more is taken unseen
            for k in range(parameters.size):
                parameters[k] = there.parameters[k]
            return CONVERGED, evaluation - 1, chi2 - max(step.gain, 0.0)
        trial_chi2 = fill(data, there.parameters, there.matrix, there.gradient)
        # lmdif: the first step bounds the radius
        radius, damping = adjusted_radius(
            min(radius, step.length) if steps == 0 else radius,
            step.damping,
            step.length,
            _success(chi2, trial_chi2, step),
            math.sqrt(trial_chi2 / chi2),
        )
        # no more was promised by a step that did not lower chi^2
        is_flat = step.gain <= tolerance * chi2 and not trial_chi2 < chi2
        if trial_chi2 < chi2:
            steps += 1
            chi2 = trial_chi2
            here, there = there, here
            for k in range(parameters.size):
                parameters[k] = here.parameters[k]
            _copy_matrix(here.matrix, matrix)
        size = _widen_scale(here, free, scale)
        if is_flat or chi2 <= floor or radius <= _LEAST_RADIUS * size:
            return CONVERGED, evaluation, chi2
    return OUT_OF_EVALUATIONS, most_evaluations, chi2


@compiled
def _copy_matrix(source: NDArray[np.float64], target: NDArray[np.float64]) -> None:
    # a loop: numba's assignment of whole arrays compiles the sentence about shapes that do not fit
    for k in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[k, j] = source[k, j]


@compiled
def _empty_point(parameters: NDArray[np.float64]) -> _Point:
    """Make room for one set of parameters, which begins as the one given."""
    n = parameters.size
    return _Point(parameters.copy(), np.empty((n, n)), np.empty(n))


@compiled
def _weighted_signal(data: IntegratedData) -> float:
    """Sum of the squared, weighted pixels."""
    size = data.pixels.size
    total = _signal(data.pixels.reshape(size), data.weights.reshape(size))
    return total + _signal(data.fine.pixels, data.fine.weights)


@compiled_sum
def _signal(pixels: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    total = 0.0
    for i in range(pixels.size):
        total += (weights[i] * pixels[i]) ** 2
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
    bounds: Bounds,
    scale: NDArray[np.float64],
    radius: float,
    damping: float,
    trial: NDArray[np.float64],
) -> _Step:
    """Choose the parameters to be tried next."""
    n = free.size
    held = _held(point, bounds)
    triangle = np.zeros((n, n))
    _fill_triangle(point, free, held, triangle)
    turned, step = np.empty(n), np.empty(n)
    for k in range(n):
        # forward substitution: R^T (Q^T r) = J^T r
        turned[k] = 0.0 if held[free[k]] else point.gradient[free[k]]
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
        # projected on the bounds
        trial[free[k]] = min(max(trial[free[k]] + step[k], bounds.low[free[k]]), bounds.high[free[k]])
    # gain = |J p|^2 + 2 damping |D p|^2, with (J^T J + damping D^2) p = J^T r
    return _Step(damping, length, along + damping * length * length, -along)


@compiled
def _fill_triangle(
    point: _Point, free: NDArray[np.int64], held: NDArray[np.bool_], triangle: NDArray[np.float64]
) -> None:
    """Cholesky's factor of J^T J, pivots held above rounding, held parameters cut out."""
    for k in range(free.size):
        for j in range(k, free.size):
            row, column = min(free[k], free[j]), max(free[k], free[j])
            total = 0.0 if (held[row] or held[column]) and row != column else point.matrix[row, column]
            for i in range(k):
                total -= triangle[i, k] * triangle[i, j]
            if j > k:
                triangle[k, j] = total / triangle[k, k]
                continue
            least = _LEAST_PIVOT * point.matrix[free[k], free[k]]
            # a pivot of rounding is held up, as a singular matrix has no Cholesky factor
            triangle[k, k] = math.sqrt(max(total, least, _TINY))


@compiled
def _held(point: _Point, bounds: Bounds) -> NDArray[np.bool_]:
    """Whether each parameter stands at a bound and is pushed beyond."""
    held = np.zeros(point.parameters.size, dtype=np.bool_)
    for k in range(held.size):
        is_low = point.parameters[k] <= bounds.low[k] and point.gradient[k] <= 0.0
        is_high = point.parameters[k] >= bounds.high[k] and point.gradient[k] >= 0.0
        held[k] = is_low or is_high
    return held
