"""Convolution with a point spread function, placed as ``scipy.signal.fftconvolve(image, psf, mode="same")`` does.

A large one by Fourier transforms along the first axis of many columns at once: Stockham's method, radices 4, 3 and 2
(Van Loan, "Computational frameworks for the fast Fourier transform", 1992, 1.7). Every output row is one linear
combination of input rows, which the compiler turns into vector instructions.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled, compiled_fused


class PointSpread(NamedTuple):
    """A point spread function that is ready for use.

    Attributes
    ----------
    pixels : ndarray [y, x], float64
        Its values, of sum 1; 0 by 0 where there is none.
    y_center, x_center : int
        The pixel that stays in its place.
    real, imaginary : ndarray [x frequency, y frequency], float64
        Its Fourier transform, over the number of elements; 0 by 0 where it is small and summed directly.
    """

    pixels: NDArray[np.float64]
    y_center: int
    x_center: int
    real: NDArray[np.float64]
    imaginary: NDArray[np.float64]


# with more pixels than this, Fourier transforms are faster than sums
_MOST_SUMMED = 64
_BLOCK = 16


@compiled
def point_spread(psf: NDArray[np.float64], height: int, width: int) -> PointSpread:
    """Normalize a point spread function and cut off what cannot reach from one pixel of an image to another.

    Parameters
    ----------
    psf : ndarray [y, x], float64
        Of any size, 0 by 0 for none; its center is pixel ``(size - 1) // 2`` along each axis.
    height, width : int
        Of the images to be convolved.
    """
    if psf.size == 0:
        return PointSpread(np.empty((0, 0)), 0, 0, np.empty((0, 0)), np.empty((0, 0)))
    total = 0.0
    for value in psf.ravel():
        total += value
    # fftconvolve's mode "same" keeps the middle of the full result
    y_center, x_center = (psf.shape[0] - 1) // 2, (psf.shape[1] - 1) // 2
    y_first, x_first = max(0, y_center - height + 1), max(0, x_center - width + 1)
    y_end, x_end = min(psf.shape[0], y_center + height), min(psf.shape[1], x_center + width)
    pixels = np.empty((y_end - y_first, x_end - x_first))
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            # statmorph normalizes the PSF to a sum of 1
            pixels[y, x] = psf[y_first + y, x_first + x] / total
    y_center, x_center = y_center - y_first, x_center - x_first
    if pixels.size <= _MOST_SUMMED:
        return PointSpread(pixels, y_center, x_center, np.empty((0, 0)), np.empty((0, 0)))
    # long enough that what is wrapped around the edges does not reach the image
    n_y = fast_length(height + max(y_center, pixels.shape[0] - 1 - y_center))
    n_x = fast_length(width + max(x_center, pixels.shape[1] - 1 - x_center))
    real, imaginary = np.zeros((n_x, n_y)), np.zeros((n_x, n_y))
    for y in range(pixels.shape[0]):
        for x in range(pixels.shape[1]):
            # the center at index 0, negative offsets wrapped; the factor of the inverse included
            real[(x - x_center) % n_x, (y - y_center) % n_y] = pixels[y, x] / (n_x * n_y)
    _transform_both_axes(real, imaginary)
    return PointSpread(pixels, y_center, x_center, real, imaginary)


# of zeros about a point spread function while the pixel is put in
_BORDER = 8
_WIDENED_BY = 2


def effective_psf(psf: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the pixel into a point spread function that was sampled at pixel centers without it.

    Convolved with the unit square in Fourier space, which is exact where the function has no frequencies beyond half a
    cycle a pixel.

    Parameters
    ----------
    psf : ndarray [y, x], float64
        The optical one.

    Returns
    -------
    ndarray [y, x], float64
        The effective one (Anderson & King 2000), two pixels wider on every side.
    """
    wide = np.pad(psf, _BORDER)
    pixel = np.outer(*(np.sinc(np.fft.fftfreq(side)) for side in wide.shape))
    spread = np.fft.ifft2(np.fft.fft2(wide) * pixel).real
    cut = _BORDER - _WIDENED_BY
    return np.ascontiguousarray(spread[cut:-cut, cut:-cut])


@compiled
def convolve(image: NDArray[np.float64], spread: PointSpread) -> None:
    """Convolve an image in place, dark beyond its edges.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Is overwritten.
    spread : PointSpread
        Not empty, and made for images of this size.
    """
    if spread.real.size == 0:
        _convolve_by_sums(image, spread)
    else:
        convolve_two(image, np.zeros(image.shape), spread)


@compiled
def convolve_two(one: NDArray[np.float64], other: NDArray[np.float64], spread: PointSpread) -> None:
    """Convolve two images of one size in place, for the price of one; the arguments are those of `convolve`."""
    if spread.real.size == 0:
        _convolve_by_sums(one, spread)
        _convolve_by_sums(other, spread)
        return
    height, width = one.shape
    n_x, n_y = spread.real.shape
    real, imaginary = np.zeros((n_y, width)), np.zeros((n_y, width))
    for y in range(height):
        for x in range(width):
            # two real images as one complex one: a real PSF keeps them apart
            real[y, x], imaginary[y, x] = one[y, x], other[y, x]
    transform_columns(real, imaginary, np.empty((n_y, width)), np.empty((n_y, width)))
    turned_real, turned_imaginary = _transposed(real, n_x), _transposed(imaginary, n_x)
    room, more_room = np.empty((n_x, n_y)), np.empty((n_x, n_y))
    transform_columns(turned_real, turned_imaginary, room, more_room)
    _multiply(turned_real, turned_imaginary, spread)
    # parts swapped: the inverse transform
    transform_columns(turned_imaginary, turned_real, more_room, room)
    real, imaginary = _transposed(turned_real[:width], n_y), _transposed(turned_imaginary[:width], n_y)
    transform_columns(imaginary, real, np.empty((n_y, width)), np.empty((n_y, width)))
    for y in range(height):
        for x in range(width):
            one[y, x], other[y, x] = real[y, x], imaginary[y, x]


@compiled
def _transposed(image: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """Rows become columns, of which there are then so many rows, the last ones of zeros; in blocks, for the cache."""
    height, width = image.shape
    result = np.zeros((rows, height))
    for y_first in range(0, height, _BLOCK):
        for x in range(width):
            for y in range(y_first, min(y_first + _BLOCK, height)):
                result[x, y] = image[y, x]
    return result


@compiled
def _transform_both_axes(real: NDArray[np.float64], imaginary: NDArray[np.float64]) -> None:
    """Fourier transform of a complex image, in place."""
    n_x, n_y = real.shape
    transform_columns(real, imaginary, np.empty((n_x, n_y)), np.empty((n_x, n_y)))
    turned_real, turned_imaginary = _transposed(real, n_y), _transposed(imaginary, n_y)
    transform_columns(turned_real, turned_imaginary, np.empty((n_y, n_x)), np.empty((n_y, n_x)))
    for x in range(n_x):
        for y in range(n_y):
            real[x, y], imaginary[x, y] = turned_real[y, x], turned_imaginary[y, x]


@compiled
def _multiply(real: NDArray[np.float64], imaginary: NDArray[np.float64], spread: PointSpread) -> None:
    """Multiply a transform by that of the point spread."""
    for x in range(real.shape[0]):
        for y in range(real.shape[1]):
            a, b = real[x, y], imaginary[x, y]
            c, d = spread.real[x, y], spread.imaginary[x, y]
            real[x, y], imaginary[x, y] = a * c - b * d, a * d + b * c


@compiled_fused
def _convolve_by_sums(image: NDArray[np.float64], spread: PointSpread) -> None:
    """Convolve an image in place with a few pixels."""
    height, width = image.shape
    rows, columns = spread.pixels.shape
    padded = np.zeros((height + rows - 1, width + columns - 1))
    top, left = rows - 1 - spread.y_center, columns - 1 - spread.x_center
    for y in range(height):
        for x in range(width):
            padded[top + y, left + x] = image[y, x]
            image[y, x] = 0.0
    for y in range(height):
        for j in range(rows):
            _add_shifted(padded[y + rows - 1 - j], spread.pixels[j], image[y])


@compiled_fused
def _add_shifted(row: NDArray[np.float64], weights: NDArray[np.float64], result: NDArray[np.float64]) -> None:
    """Add a row convolved with one row of weights: four shifts at a time, then those left."""
    last = weights.size - 1
    in_fours = weights.size - weights.size % 4
    for i in range(0, in_fours, 4):
        # four at a time: one load of the result for four products
        w0, w1, w2, w3 = weights[i], weights[i + 1], weights[i + 2], weights[i + 3]
        shift = last - i - 3
        for x in range(result.size):
            result[x] += (w0 * row[x + shift + 3] + w1 * row[x + shift + 2]) + (
                w2 * row[x + shift + 1] + w3 * row[x + shift]
            )
    for i in range(in_fours, weights.size):
        for x in range(result.size):
            result[x] += weights[i] * row[x + last - i]


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
        # fewest operations first
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
                # twiddle factor and root of the small transform in one
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
