"""Where a function of two numbers is least: the simplex of Nelder & Mead (1965) with the steps of SciPy's ``fmin``.

The caller evaluates the function, so that no function is passed around in compiled code::

    search = simplex_about(x, y)
    while next_trial(search, tolerance, value_tolerance):
        search[TRIAL, VALUE] = function_at(search[TRIAL, X], search[TRIAL, Y])
    least = search[BEST, X], search[BEST, Y]

SciPy is BSD-3-Clause.
"""

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled

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
MOST_VALUES = 400
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
