"""Centroid and shape of the light from first and second moments of the galaxy's pixels."""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine import flags
from galsmith.measure.engine.compiled import compiled, compiled_sum
from galsmith.measure.engine.stamp import Moments, Stamp

PIXEL_VARIANCE = 1.0 / 12.0  # of a step function one pixel wide
MOST_WIDENINGS = 1000


@compiled_sum
def _row_moments(row: NDArray[np.float64], x: float) -> tuple[float, float, float]:
    """Give the sums of a row's flux times 1, dx and dx squared."""
    flux = first = second = 0.0
    for column in range(len(row)):
        offset = column - x
        flux += row[column]
        first += row[column] * offset
        second += row[column] * offset * offset
    return flux, first, second


@compiled
def _moments_up_to_second(
    galaxy: NDArray[np.float64], x: float, y: float
) -> tuple[float, float, float, float, float, float]:
    """Give the sums of flux times 1, dx, dy, dx^2, dx dy, dy^2 about a point."""
    flux = sum_x = sum_y = sum_xx = sum_xy = sum_yy = 0.0
    for row in range(galaxy.shape[0]):
        offset = row - y
        row_flux, row_first, row_second = _row_moments(galaxy[row], x)
        flux += row_flux
        sum_x += row_first
        sum_y += row_flux * offset
        sum_xx += row_second
        sum_xy += row_first * offset
        sum_yy += row_flux * offset * offset
    return flux, sum_x, sum_y, sum_xx, sum_xy, sum_yy


@compiled
def centroid(stamp: Stamp, noticed: NDArray[np.uint8]) -> tuple[float, float]:
    """Flux-weighted mean position of the galaxy's pixels, negative ones kept.

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    noticed : ndarray [flag], uint8
        Set where the centroid lies outside the stamp, whose middle is then taken, or on a masked pixel.

    Returns
    -------
    x, y : float
        Pixels of the stamp; NaN where the galaxy's flux is not above zero.
    """
    flux, sum_x, sum_y, _, _, _ = _moments_up_to_second(stamp.galaxy, 0.0, 0.0)
    if not flux > 0.0:
        noticed[flags.NONPOSITIVE_FLUX] = 1
        return math.nan, math.nan
    height, width = stamp.galaxy.shape
    x, y = sum_x / flux, sum_y / flux
    if not (0.0 <= x < width and 0.0 <= y < height):
        noticed[flags.CENTROID_OUT_OF_RANGE] = 1
        x, y = width / 2.0, height / 2.0
    if stamp.pixels[int(y), int(x)] == 0.0:
        noticed[flags.CENTROID_MASKED] = 1
    return x, y


@compiled
def _widened(x2: float, xy: float, y2: float) -> tuple[float, float]:
    """Widen a covariance without extent until it has some (SExtractor manual, eq. 43; negative ones allowed)."""
    for _ in range(MOST_WIDENINGS):
        if not abs(x2 * y2 - xy * xy) < PIXEL_VARIANCE * PIXEL_VARIANCE:
            break
        x2 += PIXEL_VARIANCE if x2 >= 0.0 else -PIXEL_VARIANCE
        y2 += PIXEL_VARIANCE if y2 >= 0.0 else -PIXEL_VARIANCE
    return x2, y2


@compiled
def moments_about(stamp: Stamp, x: float, y: float, noticed: NDArray[np.uint8]) -> Moments:
    """Ellipse with the galaxy's second moments about a point (Bertin & Arnouts 1996; statmorph 0.7.2).

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    x, y : float
        The point, pixels of the stamp.
    noticed : ndarray [flag], uint8
        Set where a second moment is not above zero.

    Returns
    -------
    Moments
        NaN where the galaxy's flux is not above zero or the point is NaN.
    """
    flux, _, _, sum_xx, sum_xy, sum_yy = _moments_up_to_second(stamp.galaxy, x, y)
    if not flux > 0.0:
        return Moments(math.nan, math.nan, math.nan)
    x2, xy, y2 = sum_xx / flux, sum_xy / flux, sum_yy / flux
    if x2 <= 0.0 or y2 <= 0.0:
        noticed[flags.NONPOSITIVE_SECOND_MOMENT] = 1
    x2, y2 = _widened(x2, xy, y2)
    middle, half_difference = 0.5 * (x2 + y2), 0.5 * (x2 - y2)
    split = math.sqrt(half_difference * half_difference + xy * xy)
    one, other = abs(middle + split), abs(middle - split)
    major, minor = math.sqrt(max(one, other)), math.sqrt(min(one, other))
    orientation = 0.5 * math.atan2(2.0 * xy, x2 - y2)
    return Moments(1.0 - minor / major, major / minor, orientation)
