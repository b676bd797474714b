"""Where a function of one number crosses zero: Brent's method with the steps of SciPy's ``brentq``.

The caller evaluates the function, so that no function is passed around in compiled code::

    search = bracketed(low, f_low, high, f_high)
    while next_point(search, tolerance):
        search[VALUE] = function_at(search[POINT])
    root = search[POINT]

Brent (1973), "Algorithms for Minimization without Derivatives", chapters 3 and 4; SciPy is BSD-3-Clause.
"""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled

# What a search remembers: its newest point, the one before, the far end of the bracket, the last two steps.
POINT, VALUE, LAST_POINT, LAST_VALUE, FAR_POINT, FAR_VALUE, STEP, LAST_STEP, N_STEPS = range(9)
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
    search[POINT], search[VALUE] = high, value_high
    if value_low == 0.0:
        search[POINT], search[VALUE] = low, 0.0
    elif not value_low * value_high <= 0.0:
        search[POINT], search[VALUE] = np.nan, 0.0
    return search


@compiled
def next_point(search: NDArray[np.float64], tolerance: float) -> bool:
    """Go one step on.

    Parameters
    ----------
    search : ndarray [9], float64
        Changed in place; its ``VALUE`` is the function's at its ``POINT``.
    tolerance : float
        How far from the root is near enough, in the unit of the points.

    Returns
    -------
    bool
        Whether the function is wanted at the new ``POINT``; if not, that is the root, or NaN where a value
        was NaN or 100 steps did not do.
    """
    if np.isnan(search[VALUE]) or search[N_STEPS] >= _MOST_STEPS:
        search[POINT] = np.nan
        return False
    _keep_bracket(search)
    half_tolerance = (tolerance + _RELATIVE_TOLERANCE * abs(search[POINT])) / 2
    half_bracket = (search[FAR_POINT] - search[POINT]) / 2
    if search[VALUE] == 0.0 or abs(half_bracket) < half_tolerance:
        return False
    _choose_step(search, half_bracket, half_tolerance)
    search[LAST_POINT], search[LAST_VALUE] = search[POINT], search[VALUE]
    if abs(search[STEP]) > half_tolerance:
        search[POINT] += search[STEP]
    else:
        search[POINT] += half_tolerance if half_bracket > 0 else -half_tolerance
    search[N_STEPS] += 1
    return True


@compiled
def _keep_bracket(search: NDArray[np.float64]) -> None:
    """Let the newest point be the best one, with the root between it and the far point."""
    opposite = math.copysign(1.0, search[LAST_VALUE]) != math.copysign(1.0, search[VALUE])
    if search[LAST_VALUE] != 0.0 and search[VALUE] != 0.0 and opposite:
        search[FAR_POINT], search[FAR_VALUE] = search[LAST_POINT], search[LAST_VALUE]
        search[STEP] = search[LAST_STEP] = search[POINT] - search[LAST_POINT]
    if abs(search[FAR_VALUE]) < abs(search[VALUE]):
        search[LAST_POINT], search[POINT] = search[POINT], search[FAR_POINT]
        search[FAR_POINT] = search[LAST_POINT]
        search[LAST_VALUE], search[VALUE] = search[VALUE], search[FAR_VALUE]
        search[FAR_VALUE] = search[LAST_VALUE]


@compiled
def _choose_step(search: NDArray[np.float64], half_bracket: float, half_tolerance: float) -> None:
    """Interpolate where that converges fast enough, else halve the bracket."""
    point, value = search[POINT], search[VALUE]
    last_point, last_value = search[LAST_POINT], search[LAST_VALUE]
    if abs(search[LAST_STEP]) > half_tolerance and abs(value) < abs(last_value):
        if last_point == search[FAR_POINT]:
            trial = -value * (point - last_point) / (value - last_value)
        else:
            far_value = search[FAR_VALUE]
            slope_last = (last_value - value) / (last_point - point)
            slope_far = (far_value - value) / (search[FAR_POINT] - point)
            trial = (
                -value
                * (far_value * slope_far - last_value * slope_last)
                / (slope_far * slope_last * (far_value - last_value))
            )
        if 2 * abs(trial) < min(abs(search[LAST_STEP]), 3 * abs(half_bracket) - half_tolerance):
            search[LAST_STEP], search[STEP] = search[STEP], trial
            return
    search[LAST_STEP] = search[STEP] = half_bracket
