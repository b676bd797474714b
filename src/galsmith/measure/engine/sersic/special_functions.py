"""Functions that the Sérsic law is made of: its number b_n, and exponential and logarithm of whole rows at once.

Both of the latter are right to one unit in the last place over the range stated, in steps that the compiler turns
into vector instructions. The methods are Cody and Waite's (1980): the exponential is a power of 2, written into the
exponent's bits, times a short series; the logarithm is the exponent's bits plus fdlibm's series of the mantissa (Sun
Microsystems 1993, ``e_log.c``).
"""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_fused

_MOST_TERMS = 4000
_MOST_STEPS = 60
_SMALLEST_TERM = 1e-17
# from here on six terms of Stirling's series are exact to rounding
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
        # Ciotti & Bertin (1999), eq. 18
        b = a - 1.0 / 3.0 + 4.0 / (405.0 * n) + 46.0 / (25515.0 * n * n) + 131.0 / (1148175.0 * n * n * n)
    else:
        # for small n: P(a, b) = b^a / Gamma(a + 1), its first term
        b = math.exp((math.log(0.5) + math.lgamma(a + 1.0)) / a)
    for _ in range(_MOST_STEPS):
        total = _series(a, b)
        log_below = _log_first_term(a, b) + math.log(total)
        # d log P / d log b = a / series: Newton in both logarithms
        step = (math.log(0.5) - log_below) * total / a
        b *= math.exp(step)
        if abs(step) < 2e-16:
            break
    return b


@compiled
def half_light_slope(n: float) -> float:
    """Differentiate b_n by n, by central differences of fourth order; relative error about 1e-11."""
    # the error falls as h^4, rounding grows as 1 / h
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
        # Abramowitz & Stegun (1964), 6.5.29
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
    # Stirling's series of log Gamma (Abramowitz & Stegun 1964, 6.1.41)
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


LOWEST_EXPONENT = -708.0
HIGHEST_EXPONENT = 709.0
_LOG2_E = 1.4426950408889634
# the logarithm of 2 in two parts, the first with zeros at its end: its multiples are exact
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
# adding it rounds to an integer, which then stands in the lowest bits
_ROUNDER = 6755399441055744.0
_MANTISSA_BITS = 52
_MANTISSA = 0x000FFFFFFFFFFFFF
_SQRT_HALF = 0x3FE6A09E667F3BCD
_ONE = 0x3FF0000000000000
# a float64 whose lowest bits are read as an integer, and that float without them, the exponent's offset included
_INTEGER_BASE = 0x4330000000000000
_INTEGER_OFFSET = 4503599627370496.0 + 1023.0
# Lg1 to Lg7 of fdlibm's e_log.c
_LOG_1, _LOG_2, _LOG_3, _LOG_4 = (
    0.6666666666666735130,
    0.3999999999940941908,
    0.2857142874366239149,
    0.2222219843214978396,
)
_LOG_5, _LOG_6, _LOG_7 = 0.1818357216161805012, 0.1531383769920937332, 0.1479819860511658591


@compiled_fused
def fill_exponentials(
    exponents: NDArray[np.float64], rounded: NDArray[np.float64], result: NDArray[np.float64]
) -> None:
    """Exponential of each element, exponents held to -708 to 709.

    Parameters
    ----------
    exponents : ndarray [n], float64
        The values.
    rounded : ndarray [n], float64
        Room for working.
    result : ndarray [n], float64
        Is overwritten; none of the three may be the same array.
    """
    for i in range(exponents.size):
        rounded[i] = min(max(exponents[i], LOWEST_EXPONENT), HIGHEST_EXPONENT) * _LOG2_E + _ROUNDER
    for i in range(exponents.size):
        power = rounded[i] - _ROUNDER
        rest = (
            min(max(exponents[i], LOWEST_EXPONENT), HIGHEST_EXPONENT) - power * _LN2_HIGH
        ) - power * _LN2_LOW
        # Taylor's series up to 1 / 13!, by Horner's rule
        series = rest / 6227020800.0 + 1.0 / 479001600.0
        series = series * rest + 1.0 / 39916800.0
        series = series * rest + 1.0 / 3628800.0
        series = series * rest + 1.0 / 362880.0
        series = series * rest + 1.0 / 40320.0
        series = series * rest + 1.0 / 5040.0
        series = series * rest + 1.0 / 720.0
        series = series * rest + 1.0 / 120.0
        series = series * rest + 1.0 / 24.0
        series = series * rest + 1.0 / 6.0
        series = series * rest + 0.5
        result[i] = series * rest * rest + rest + 1.0
    bits = rounded.view(np.int64)
    result_bits = result.view(np.int64)
    # 2^power: added to the exponent's bits
    for i in range(exponents.size):
        result_bits[i] = result_bits[i] + (bits[i] << _MANTISSA_BITS)


@compiled_fused
def fill_logarithms(
    values: NDArray[np.float64], binary: NDArray[np.float64], result: NDArray[np.float64]
) -> None:
    """Natural logarithm of each element, all of them positive and not subnormal.

    Parameters
    ----------
    values : ndarray [n], float64
        The values.
    binary : ndarray [n], float64
        Room for working.
    result : ndarray [n], float64
        Is overwritten; none of the three may be the same array.
    """
    bits = values.view(np.int64)
    exponent_bits = binary.view(np.int64)
    result_bits = result.view(np.int64)
    for i in range(values.size):
        # the mantissa between sqrt(1/2) and sqrt(2)
        shifted = bits[i] + (_ONE - _SQRT_HALF)
        exponent_bits[i] = (shifted >> _MANTISSA_BITS) | _INTEGER_BASE
        result_bits[i] = (shifted & _MANTISSA) + _SQRT_HALF
    for i in range(values.size):
        above = result[i] - 1.0
        power = binary[i] - _INTEGER_OFFSET
        # log(1 + f) = 2 s + ..., s = f / (2 + f), as in fdlibm
        ratio = above / (2.0 + above)
        z = ratio * ratio
        series = _LOG_4 + z * (_LOG_5 + z * (_LOG_6 + z * _LOG_7))
        series = z * (_LOG_1 + z * (_LOG_2 + z * (_LOG_3 + z * series)))
        half_square = 0.5 * above * above
        result[i] = power * _LN2_HIGH - (
            (half_square - (ratio * (half_square + series) + power * _LN2_LOW)) - above
        )
