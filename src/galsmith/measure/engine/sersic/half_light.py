"""The number b_n of the Sérsic law, which makes its radius hold half of the light, and how it changes with n."""

import math

from galsmith.measure.engine.compiled import compiled

_MOST_TERMS = 4000
_MOST_STEPS = 60
_SMALLEST_TERM = 1e-17
_STIRLING_FROM = 10.0
_SERIES_BELOW = 0.2


@compiled
def half_light_scale(n: float) -> float:
    """b_n, where the regularized incomplete gamma function P(2n, b_n) is one half (Ciotti 1991).

    Newton's method for the logarithm of P over the logarithm of b_n, from Ciotti and Bertin's (1999) expansion.

    Parameters
    ----------
    n : float
        Sérsic index; below 1e-3 or not finite gives NaN.

    Returns
    -------
    float
        Relative error of a few 1e-16.
    """
    if not (1e-3 <= n < 1e5):
        return math.nan
    a = 2.0 * n
    if n > 0.36:
        b = a - 1.0 / 3.0 + 4.0 / (405.0 * n) + 46.0 / (25515.0 * n * n) + 131.0 / (1148175.0 * n * n * n)
    else:
        b = math.exp((math.log(0.5) + math.lgamma(a + 1.0)) / a)
    for _ in range(_MOST_STEPS):
        total = _series(a, b)
        log_below = _log_first_term(a, b) + math.log(total)
        step = (math.log(0.5) - log_below) * total / a
        b *= math.exp(step)
        if abs(step) < 2e-16:
            break
    return b


@compiled
def half_light_slope(n: float) -> float:
    """Differentiate b_n by n, by central differences of fourth order; relative error about 1e-11."""
    h = 2e-3 * n
    near = half_light_scale(n + h) - half_light_scale(n - h)
    far = half_light_scale(n + 2.0 * h) - half_light_scale(n - 2.0 * h)
    return (8.0 * near - far) / (12.0 * h)


@compiled
def _series(a: float, x: float) -> float:
    """Sum of x^k / ((a + 1) ... (a + k)), k from 0: P(a, x) over its first term."""
    term = 1.0
    total = 1.0
    for k in range(1, _MOST_TERMS):
        term *= x / (a + k)
        total += term
        if term < _SMALLEST_TERM * total:
            break
    return total


@compiled
def _log_first_term(a: float, x: float) -> float:
    """Logarithm of x^a e^-x / Gamma(a + 1); by Stirling's series where a is large, lest digits cancel."""
    if a < _STIRLING_FROM:
        return a * math.log(x) - x - math.lgamma(a + 1.0)
    inverse = 1.0 / a
    square = inverse * inverse
    correction = 1.0 / 12.0 - square * (
        1.0 / 360.0
        - square
        * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square * (1.0 / 1188.0 - square * 691.0 / 360360.0)))
    )
    return a * _log_minus_linear((x - a) / a) - 0.5 * math.log(2.0 * math.pi * a) - inverse * correction


@compiled
def _log_minus_linear(u: float) -> float:
    """log(1 + u) - u, exact for small u too."""
    if abs(u) > _SERIES_BELOW:
        return math.log1p(u) - u
    total = 0.0
    power = u
    for k in range(2, 40):
        power *= -u
        total += power / k
        if abs(power) < _SMALLEST_TERM * abs(total):
            break
    return total
