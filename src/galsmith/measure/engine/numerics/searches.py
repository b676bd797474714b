"""Searches for the root of a function of one number (Brent) and for the minimum of one of two (Nelder & Mead).

The caller evaluates the function, so that no function is passed around in compiled code::

    search = bracketed(low, f_low, high, f_high)
    while next_point(search, tolerance):
        search[RESULT] = function_at(search[POINT])
    root = search[POINT]

    search = simplex_about(x, y)
    while next_trial(search, tolerance, value_tolerance):
        search[TRIAL, VALUE] = function_at(search[TRIAL, X], search[TRIAL, Y])
    least = search[BEST, X], search[BEST, Y]

The steps are those of SciPy's ``brentq`` and ``fmin`` (BSD-3-Clause), after Brent (1973), "Algorithms for
Minimization without Derivatives", chapters 3 and 4, and Nelder & Mead (1965).
"""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled

# What a search remembers: its newest point, the one before, the far end of the bracket, the last two steps.
POINT, RESULT, LAST_POINT, LAST_VALUE, FAR_POINT, FAR_VALUE, STEP, LAST_STEP, N_STEPS = range(9)
# brentq's default rtol and maxiter
_RELATIVE_TOLERANCE = 4 * np.finfo(np.float64).eps
_MOST_STEPS = 100


@compiled
def bracketed(low: float, value_low: float, high: float, value_high: float) -> NDArray[np.float64]:
    """Begin a search between two points whose values have opposite signs.

    Parameters
    ----------
    low, high : float
        Any unit.
    value_low, value_high : float
        Of the function there.

    Returns
    -------
    ndarray [9], float64
        For `next_point`; its ``POINT`` becomes NaN where the signs are equal.
    """
    search = np.zeros(9)
    search[LAST_POINT], search[LAST_VALUE] = low, value_low
    search[POINT], search[RESULT] = high, value_high
    if value_low == 0.0:
        search[POINT], search[RESULT] = low, 0.0
    elif not value_low * value_high <= 0.0:
        search[POINT], search[RESULT] = np.nan, 0.0
    return search


@compiled
def next_point(search: NDArray[np.float64], tolerance: float) -> bool:
    """Go one step on.

    Parameters
    ----------
    search : ndarray [9], float64
        Changed in place; its ``RESULT`` is the function's at its ``POINT``.
    tolerance : float
        How far from the root is near enough, in the unit of the points.

    Returns
    -------
    bool
        Whether the function is wanted at the new ``POINT``; if not, that is the root, or NaN where a value
        was NaN or 100 steps did not do.
    """
    if np.isnan(search[RESULT]) or search[N_STEPS] >= _MOST_STEPS:
        search[POINT] = np.nan
        return False
    _keep_bracket(search)
    # brentq.c: delta = (xtol + rtol |x|) / 2
    half_tolerance = (tolerance + _RELATIVE_TOLERANCE * abs(search[POINT])) / 2
    half_bracket = (search[FAR_POINT] - search[POINT]) / 2
    if search[RESULT] == 0.0 or abs(half_bracket) < half_tolerance:
        return False
    _choose_step(search, half_bracket, half_tolerance)
    search[LAST_POINT], search[LAST_VALUE] = search[POINT], search[RESULT]
    if abs(search[STEP]) > half_tolerance:
        search[POINT] += search[STEP]
    else:
        # a step of at least the tolerance, towards the far side
        search[POINT] += half_tolerance if half_bracket > 0 else -half_tolerance
    search[N_STEPS] += 1
    return True


@compiled
def _keep_bracket(search: NDArray[np.float64]) -> None:
    """Let the newest point be the best one, with the root between it and the far point."""
    opposite = math.copysign(1.0, search[LAST_VALUE]) != math.copysign(1.0, search[RESULT])
    if search[LAST_VALUE] != 0.0 and search[RESULT] != 0.0 and opposite:
        search[FAR_POINT], search[FAR_VALUE] = search[LAST_POINT], search[LAST_VALUE]
        search[STEP] = search[LAST_STEP] = search[POINT] - search[LAST_POINT]
    # the best point is always the newest
    if abs(search[FAR_VALUE]) < abs(search[RESULT]):
        search[LAST_POINT], search[POINT] = search[POINT], search[FAR_POINT]
        search[FAR_POINT] = search[LAST_POINT]
        search[LAST_VALUE], search[RESULT] = search[RESULT], search[FAR_VALUE]
        search[FAR_VALUE] = search[LAST_VALUE]


@compiled
def _choose_step(search: NDArray[np.float64], half_bracket: float, half_tolerance: float) -> None:
    """Interpolate where that converges fast enough, else halve the bracket."""
    point, value = search[POINT], search[RESULT]
    last_point, last_value = search[LAST_POINT], search[LAST_VALUE]
    if abs(search[LAST_STEP]) > half_tolerance and abs(value) < abs(last_value):
        if last_point == search[FAR_POINT]:
            # secant: two points are known
            trial = -value * (point - last_point) / (value - last_value)
        else:
            far_value = search[FAR_VALUE]
            slope_last = (last_value - value) / (last_point - point)
            slope_far = (far_value - value) / (search[FAR_POINT] - point)
            # inverse quadratic interpolation, in brentq.c's order of operations
            trial = (
                -value
                * (far_value * slope_far - last_value * slope_last)
                / (slope_far * slope_last * (far_value - last_value))
            )
        # a good short step; else bisect
        if 2 * abs(trial) < min(abs(search[LAST_STEP]), 3 * abs(half_bracket) - half_tolerance):
            search[LAST_STEP], search[STEP] = search[STEP], trial
            return
    search[LAST_STEP] = search[STEP] = half_bracket


# Rows of a search: the corners of the triangle, best first; the trial; the reflected worst corner; its state.
BEST, SECOND, WORST, TRIAL, REFLECTED, STATE = range(6)
X, Y, VALUE = range(3)
STAGE, N_VALUES = range(2)
# What the trial was: one of the first corners (stages 0 to 2) or a step of the search.
BEGIN, REFLECT, EXPAND, CONTRACT_OUTSIDE, CONTRACT_INSIDE, SHRINK_SECOND, SHRINK_WORST, COMPLETE = (
    -1,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
)
FACTORS = np.array(
    [1.0, 2.0, 0.5, -0.5]
)  # how far beyond the others the worst corner goes, from `REFLECT` on
# fmin's default maxfun for two parameters: 200 each
MOST_VALUES = 400
# fmin's nonzdelt and zdelt
FIRST_STEP = 1.05
FIRST_STEP_FROM_ZERO = 0.00025


@compiled
def simplex_about(x: float, y: float) -> NDArray[np.float64]:
    """Begin a search at a point; its first triangle reaches 5 percent farther in x and in y.

    Parameters
    ----------
    x, y : float
        Any unit.

    Returns
    -------
    ndarray [6, 3], float64
        For `next_trial`.
    """
    search = np.zeros((6, 3))
    for corner in range(3):
        search[corner, X], search[corner, Y] = x, y
    search[SECOND, X] = FIRST_STEP * x if x != 0.0 else FIRST_STEP_FROM_ZERO
    search[WORST, Y] = FIRST_STEP * y if y != 0.0 else FIRST_STEP_FROM_ZERO
    search[STATE, STAGE] = BEGIN
    return search


@compiled
def simplex_reaching(x: float, y: float, x_step: float, y_step: float) -> NDArray[np.float64]:
    """Begin a search at a point, whose first triangle reaches so far in x and in y; else as `simplex_about`."""
    search = simplex_about(x, y)
    search[SECOND, X], search[WORST, Y] = x + x_step, y + y_step
    return search


@compiled
def next_trial(search: NDArray[np.float64], tolerance: float, value_tolerance: float) -> bool:
    """Go one step on.

    Parameters
    ----------
    search : ndarray [6, 3], float64
        Changed in place; its ``[TRIAL, VALUE]`` is the function's at its ``[TRIAL, X]`` and ``[TRIAL, Y]``.
    tolerance, value_tolerance : float
        The search ends where no corner of the triangle is farther from the best one than this, in x and y,
        and in value.

    Returns
    -------
    bool
        Whether the function is wanted at the new trial; if not, ``BEST`` is the best point found, after at
        most 400 values.
    """
    stage = _next_stage(search, int(search[STATE, STAGE]), search[TRIAL, VALUE])
    if stage == COMPLETE:
        _sort(search)
        if _has_converged(search, tolerance, value_tolerance):
            return False
        stage = REFLECT
    _place_trial(search, stage)
    search[STATE, STAGE] = stage
    # fmin raises out of the function call: the simplex is then sorted once more
    if search[STATE, N_VALUES] >= MOST_VALUES:
        _sort(search)
        return False
    search[STATE, N_VALUES] += 1
    return True


@compiled
def _next_stage(search: NDArray[np.float64], stage: int, value: float) -> int:
    """Use the value of a trial; what is to be tried next, `COMPLETE` where the triangle is a new one."""
    if stage < REFLECT:
        if stage > BEGIN:
            search[stage, VALUE] = value
        return stage + 1 if stage < WORST else COMPLETE
    if stage >= SHRINK_SECOND:
        search[stage - SHRINK_SECOND + SECOND, VALUE] = value
        return SHRINK_WORST if stage == SHRINK_SECOND else COMPLETE
    if stage == REFLECT:
        _copy(search, TRIAL, REFLECTED)
        # Nelder & Mead's (1965) tests in fmin's order: rho 1, chi 2, psi 1/2, sigma 1/2
        if value < search[BEST, VALUE]:
            return EXPAND
        if not value < search[SECOND, VALUE]:
            return CONTRACT_OUTSIDE if value < search[WORST, VALUE] else CONTRACT_INSIDE
    return _place_worst(search, stage, value)


@compiled
def _place_worst(search: NDArray[np.float64], stage: int, value: float) -> int:
    """Put the better of two trials in the place of the worst corner; shrink where contracting did not help."""
    better = TRIAL
    if stage == EXPAND and not value < search[REFLECTED, VALUE]:
        better = REFLECTED
    if stage == CONTRACT_OUTSIDE and not value <= search[REFLECTED, VALUE]:
        return SHRINK_SECOND
    if stage == CONTRACT_INSIDE and not value < search[WORST, VALUE]:
        return SHRINK_SECOND
    _copy(search, better, WORST)
    return COMPLETE


@compiled
def _place_trial(search: NDArray[np.float64], stage: int) -> None:
    """Put the trial where a stage wants it; shrinking moves the corner itself."""
    if stage < REFLECT:
        _copy(search, stage, TRIAL)
        return
    for axis in range(VALUE):
        best = search[BEST, axis]
        if stage >= SHRINK_SECOND:
            corner = stage - SHRINK_SECOND + SECOND
            search[corner, axis] = best + 0.5 * (search[corner, axis] - best)
            search[TRIAL, axis] = search[corner, axis]
        else:
            factor, middle = FACTORS[stage - REFLECT], (best + search[SECOND, axis]) / 2
            search[TRIAL, axis] = (1 + factor) * middle - factor * search[WORST, axis]


@compiled
def _copy(search: NDArray[np.float64], source: int, target: int) -> None:
    for axis in range(3):
        search[target, axis] = search[source, axis]


@compiled
def _sort(search: NDArray[np.float64]) -> None:
    """Put the best corner first; equals keep their order."""
    # a bubble sort is stable, as fmin's argsort of three values
    for one in (BEST, SECOND, BEST):
        if search[one + 1, VALUE] < search[one, VALUE]:
            for axis in range(3):
                kept = search[one, axis]
                search[one, axis] = search[one + 1, axis]
                search[one + 1, axis] = kept


@compiled
def _has_converged(search: NDArray[np.float64], tolerance: float, value_tolerance: float) -> bool:
    """Whether no corner is far from the best one, in place or in value."""
    for corner in range(SECOND, WORST + 1):
        for axis in range(VALUE):
            if not abs(search[corner, axis] - search[BEST, axis]) <= tolerance:
                return False
        if not abs(search[BEST, VALUE] - search[corner, VALUE]) <= value_tolerance:
            return False
    return True
