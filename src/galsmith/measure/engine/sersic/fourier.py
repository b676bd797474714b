"""Fourier transform along the first axis of many columns at once: Stockham's method, radices 4, 3 and 2.

Van Loan, "Computational frameworks for the fast Fourier transform" (1992), 1.7. Every output row is one linear
combination of input rows, which the compiler turns into vector instructions.
"""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_fused


@compiled
def fast_length(least: int) -> int:
    """Smallest product of twos and threes that is not below `least`."""
    best = 1
    while best < least:
        best *= 2
    threes = 1
    while threes < best:
        length = threes
        while length < least:
            length *= 2
        best = min(best, length)
        threes *= 3
    return best


@compiled
def unit_roots(n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute exp(-2 pi i k / n), k from 0 to n - 1: real and imaginary parts."""
    cosines, sines = np.empty(n), np.empty(n)
    for k in range(n):
        cosines[k] = math.cos(2.0 * math.pi * k / n)
        sines[k] = -math.sin(2.0 * math.pi * k / n)
    return cosines, sines


@compiled
def transform_columns(
    real: NDArray[np.float64],
    imaginary: NDArray[np.float64],
    real_room: NDArray[np.float64],
    imaginary_room: NDArray[np.float64],
) -> None:
    """Transform each column in place, with exp(-2 pi i ...) and no factor; swap the parts for the inverse.

    Parameters
    ----------
    real, imaginary : ndarray [n, column], float64
        n is a product of twos and threes.
    real_room, imaginary_room : ndarray [n, column], float64
        Room for working.
    """
    n = real.shape[0]
    cosines, sines = unit_roots(n)
    left, stride = n, 1
    is_in_room = False
    while left > 1:
        radix = 4 if left % 4 == 0 else (3 if left % 3 == 0 else 2)
        if is_in_room:
            _pass(real_room, imaginary_room, real, imaginary, left, stride, radix, cosines, sines)
        else:
            _pass(real, imaginary, real_room, imaginary_room, left, stride, radix, cosines, sines)
        is_in_room = not is_in_room
        left //= radix
        stride *= radix
    if is_in_room:
        for k in range(n):
            _copy(real_room[k], real[k])
            _copy(imaginary_room[k], imaginary[k])


@compiled
def _copy(source: NDArray[np.float64], target: NDArray[np.float64]) -> None:
    for i in range(source.size):
        target[i] = source[i]


@compiled
def _pass(
    real: NDArray[np.float64],
    imaginary: NDArray[np.float64],
    real_out: NDArray[np.float64],
    imaginary_out: NDArray[np.float64],
    left: int,
    stride: int,
    radix: int,
    cosines: NDArray[np.float64],
    sines: NDArray[np.float64],
) -> None:
    """One of the passes: `left` points of each transform are still to be combined."""
    n = real.shape[0]
    part = left // radix
    c, s, minus_s = np.zeros(4), np.zeros(4), np.zeros(4)
    for p in range(part):
        for j in range(radix):
            for k in range(radix):
                turn = (p * j * (n // left) + j * k * (n // radix)) % n
                c[k], s[k], minus_s[k] = cosines[turn], sines[turn], -sines[turn]
            for q in range(stride):
                row, out = q + stride * p, q + stride * (radix * p + j)
                step = stride * part
                if radix == 4:
                    _combine_four(real, imaginary, row, step, c, s, real_out[out])
                    _combine_four(imaginary, real, row, step, c, minus_s, imaginary_out[out])
                elif radix == 3:
                    _combine_three(real, imaginary, row, step, c, s, real_out[out])
                    _combine_three(imaginary, real, row, step, c, minus_s, imaginary_out[out])
                else:
                    _combine_two(real, imaginary, row, step, c, s, real_out[out])
                    _combine_two(imaginary, real, row, step, c, minus_s, imaginary_out[out])


@compiled_fused
def _combine_four(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    row: int,
    step: int,
    c: NDArray[np.float64],
    s: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Sum c times four rows of one part, minus s times those of the other."""
    a0, a1, a2, a3 = a[row], a[row + step], a[row + 2 * step], a[row + 3 * step]
    b0, b1, b2, b3 = b[row], b[row + step], b[row + 2 * step], b[row + 3 * step]
    c0, c1, c2, c3, s0, s1, s2, s3 = c[0], c[1], c[2], c[3], s[0], s[1], s[2], s[3]
    for x in range(out.size):
        out[x] = ((c0 * a0[x] - s0 * b0[x]) + (c1 * a1[x] - s1 * b1[x])) + (
            (c2 * a2[x] - s2 * b2[x]) + (c3 * a3[x] - s3 * b3[x])
        )


@compiled_fused
def _combine_three(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    row: int,
    step: int,
    c: NDArray[np.float64],
    s: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Do the same with three rows."""
    a0, a1, a2 = a[row], a[row + step], a[row + 2 * step]
    b0, b1, b2 = b[row], b[row + step], b[row + 2 * step]
    c0, c1, c2, s0, s1, s2 = c[0], c[1], c[2], s[0], s[1], s[2]
    for x in range(out.size):
        out[x] = (c0 * a0[x] - s0 * b0[x]) + (c1 * a1[x] - s1 * b1[x]) + (c2 * a2[x] - s2 * b2[x])


@compiled_fused
def _combine_two(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    row: int,
    step: int,
    c: NDArray[np.float64],
    s: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Do the same with two rows."""
    a0, a1, b0, b1 = a[row], a[row + step], b[row], b[row + step]
    c0, c1, s0, s1 = c[0], c[1], s[0], s[1]
    for x in range(out.size):
        out[x] = (c0 * a0[x] - s0 * b0[x]) + (c1 * a1[x] - s1 * b1[x])
