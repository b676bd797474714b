"""The blank sky of a field of whole gray levels: the law of its noise before it was cut to levels, and its correlation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Values = NDArray[np.float64]
N_LEVELS = 256
SKY_NORMAL: Values = np.linspace(-3.5, 3.5, 15)
"""Standard normal numbers at which the law of the sky is kept."""
_REACH_PIX = 2


def sky_quantiles(counts: NDArray[np.int64], normal: Values = SKY_NORMAL) -> Values:
    """Quantiles of the noise whose whole part has been counted, at standard normal numbers.

    A level k holds all noise in [k, k + 1); between the counted shares the noise is linear in the normal number, which is
    exact for normal noise, and does not leave the levels that occur. In the lowest and in the highest level its mean is in
    the middle: where nearly all of the sky is in one of them, a few pixels in the other do not move it.

    Parameters
    ----------
    counts : ndarray [level], int64
        Pixels of blank sky of each level.
    normal : ndarray [quantile], float64
        Where quantiles are wanted.

    Returns
    -------
    ndarray [quantile], float64
        In gray levels; the whole part of draws from it has the counted law. NaN where nothing is counted.
    """
    total = int(counts.sum())
    if total == 0:
        return np.full(len(normal), np.nan)
    present = np.flatnonzero(counts)
    low, high = int(present[0]), int(present[-1])
    if low == high:
        return np.full(len(normal), low + 0.5)
    shares = np.cumsum(counts[low:high])[: high - low] / total
    knots = ndtri(np.clip(shares, 0.5 / total, 1 - 0.5 / total))
    edges = np.arange(low, high) + 1.0
    keep = np.concatenate([[True], np.diff(knots) > 0])  # levels that do not occur share a knot
    knots, edges = knots[keep], edges[keep]
    # the outermost slopes go on
    slope = (edges[-1] - edges[0]) / (knots[-1] - knots[0]) if len(knots) > 1 else 0.5
    first = (edges[1] - edges[0]) / (knots[1] - knots[0]) if len(knots) > 1 else 0.5
    floor = _floor_of_lowest(low, float(shares[0]), knots[0], first)
    below = np.maximum(edges[0] + first * (normal - knots[0]), floor)
    # the highest level is the lowest one of the mirrored sky
    ceiling = 2 * high + 1 - _floor_of_lowest(high, 1 - float(shares[-1]), -knots[-1], slope)
    above = np.minimum(edges[-1] + slope * (normal - knots[-1]), ceiling)
    inside = np.interp(normal, knots, edges)
    values = np.where(normal < knots[0], below, np.where(normal > knots[-1], above, inside))
    return np.asarray(np.clip(values, low, high + 1 - 1e-6), dtype=np.float64)


def _floor_of_lowest(low: int, share: float, knot: float, slope: float) -> float:
    """Least value of noise, such that the noise of the lowest level has its mean in the level's middle.

    Nothing is known of noise inside of one level. Light that is added to noise is cut to whole levels with it, and loses
    half a level on average, as sums of smooth laws do (Sheppard 1898), only where its mean lies there.
    """
    normal = ndtri(share * (np.arange(64) + 0.5) / 64)
    falling = low + 1 + slope * (normal - knot)
    least, most = float(low), low + 0.5
    for _ in range(20):
        middle = 0.5 * (least + most)
        is_short = np.maximum(falling, middle).mean() < low + 0.5
        least, most = (middle, most) if is_short else (least, middle)
    return 0.5 * (least + most)


def sky_correlation(field: NDArray[np.uint8], is_blank: NDArray[np.bool_]) -> tuple[Values, Values]:
    """Sum products of two blank pixels, and count them, by distance, [2 * 2 + 1, 2 * 2 + 1] float64 each.

    Pairs are of (y, x) and (y + dy, x + dx) with dy and dx from -2 to 2, about the mean of the blank pixels; sums of
    several fields may be added before they are divided.
    """
    side = 2 * _REACH_PIX + 1
    products, numbers = np.zeros((side, side)), np.zeros((side, side))
    if not is_blank.any():
        return products, numbers
    height, width = field.shape
    light = np.where(is_blank, field - field[is_blank].mean(), 0.0).astype(np.float32)
    for dy in range(_REACH_PIX + 1):
        for dx in range(-_REACH_PIX, _REACH_PIX + 1):
            here = (slice(0, height - dy), slice(max(0, -dx), min(width, width - dx)))
            there = (slice(dy, height), slice(max(0, dx), min(width, width + dx)))
            product = float(np.einsum("yx,yx->", light[here], light[there], dtype=np.float64))
            number = float(np.count_nonzero(is_blank[here] & is_blank[there]))
            for sign in (1, -1):
                place = (_REACH_PIX + sign * dy, _REACH_PIX + sign * dx)
                products[place], numbers[place] = product, number
    return products, numbers


def kernel_of_correlation(correlation: Values) -> Values:
    """Kernel that gives white noise of unit variance a correlation, of its shape [y, x], its squares summing to 1.

    The square root of the power spectrum, as in any linear filter; what a positive spectrum cannot have is left out.
    """
    side, reach = 32, correlation.shape[0] // 2
    padded = np.zeros((side, side))
    padded[: 2 * reach + 1, : 2 * reach + 1] = correlation
    spectrum = np.fft.fft2(np.roll(padded, (-reach, -reach), axis=(0, 1))).real
    kernel: Any = np.fft.ifft2(np.sqrt(np.maximum(spectrum, 0.0))).real
    cut = np.roll(kernel, (reach, reach), axis=(0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    return np.asarray(cut / np.sqrt(np.sum(cut**2)), dtype=np.float64)
