"""Radii of the curve of growth: Petrosian, and those that hold a fraction of the light.

Definitions and order of operations are those of statmorph 0.7.2 (Rodriguez-Gomez et al. 2019, BSD-3-Clause):
a scan of 100 radii up to the first crossing, then a root to 1e-6 pixels. A circle is an ellipse of elongation
1 and angle 0; radii of ellipses are semi-major axes.
"""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.flags import (
    LIGHT_RADIUS_UNDEFINED,
    PETROSIAN_BELOW_ANNULUS,
    PETROSIAN_BEYOND_STAMP,
    PETROSIAN_ZERO_FLUX,
    TOTAL_FLUX_NEGATIVE,
    TOTAL_FLUX_ZERO,
)
from galsmith.measure.engine.light.apertures import (
    Geometry,
    ellipse_at,
    ellipse_sum,
    ellipse_sum_and_area,
    ring_sum_and_area,
)
from galsmith.measure.engine.numerics.searches import POINT, RESULT, bracketed, next_point
from galsmith.measure.engine.stamp import Stamp

PETROSIAN_ETA = 0.2  # Lotz, Primack & Madau (2004), equation 4
ANNULUS_WIDTH_PIX = 1.0
N_SCANNED = 100
ROOT_TOLERANCE_PIX = 1e-6
# A ring that all but leaves the stamp is summed pixel by pixel; below the smallest area it has left.
SMALL_RING_AREA = 1e-4
SMALLEST_RING_AREA = 1e-13
CORNER_TOLERANCE_PIX = 1e-5
LEAST_AREA_BEYOND = 1e-9  # pixels; the area of a stamp is known to about 1e-11


@compiled
def scanned_radius(index: int, first: float, last: float) -> float:
    """One of `N_SCANNED` evenly spaced radii, the last exact, as ``numpy.linspace`` gives them."""
    # step times index plus start, in this order: numpy.linspace to the bit
    if index == N_SCANNED - 1:
        return last
    return index * ((last - first) / (N_SCANNED - 1)) + first


@compiled
def petrosian_ratio(stamp: Stamp, geometry: Geometry, radius: float, noticed: NDArray[np.uint8]) -> float:
    """Mean flux in a ring one pixel wide over that inside the ring's middle.

    Parameters
    ----------
    stamp : Stamp
        The galaxy; masked pixels, and what lies beyond the stamp, count neither as flux nor as area.
    geometry : Geometry
        Of the ring.
    radius : float
        Semi-major axis of the ring's middle, pixels.
    noticed : ndarray [flag], uint8
        Gets `PETROSIAN_ZERO_FLUX`.

    Returns
    -------
    float
        Of absolute means; 1 (0) where there is no flux inside but some (none) in the ring.
    """
    # Lotz et al. (2004), eq. 4: surface brightness at r over its mean within r
    outer = ellipse_at(geometry, radius + 0.5 * ANNULUS_WIDTH_PIX)
    inner = ellipse_at(geometry, radius - 0.5 * ANNULUS_WIDTH_PIX)
    flux_outer, area_outer = ellipse_sum_and_area(stamp, outer)
    flux_inner, area_inner = ellipse_sum_and_area(stamp, inner)
    flux, area = ellipse_sum_and_area(stamp, ellipse_at(geometry, radius))
    # masked, edge-aware areas (0.7.2); 0.7.3 divides by the geometric area
    ring_flux, ring_area = flux_outer - flux_inner, area_outer - area_inner
    if ring_area < SMALL_RING_AREA:
        ring_flux, ring_area = ring_sum_and_area(stamp, outer, inner)
    # _aperture_mean of no area is 0 in statmorph; means count without their sign
    ring_mean = abs(ring_flux / ring_area) if ring_area > SMALLEST_RING_AREA else 0.0
    mean = abs(flux / area) if area != 0.0 else 0.0
    if mean == 0.0:
        noticed[PETROSIAN_ZERO_FLUX] = 1
        return 1.0 if ring_mean != 0.0 else 0.0
    return ring_mean / mean


@compiled
def petrosian_radius(stamp: Stamp, geometry: Geometry, noticed: NDArray[np.uint8]) -> float:
    """Radius at which the surface brightness falls to a fifth of the mean inside (Petrosian 1976).

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    geometry : Geometry
        Of the ellipses.
    noticed : ndarray [flag], uint8
        Gets `PETROSIAN_ZERO_FLUX`, `PETROSIAN_BELOW_ANNULUS` and, where no radius up to the stamp's diagonal
        will do, `PETROSIAN_BEYOND_STAMP`.

    Returns
    -------
    float
        Semi-major axis, pixels: statmorph's value even where `is_beyond_stamp` tells that it means nothing;
        NaN only where the center or the ellipse is.
    """
    n_y, n_x = stamp.pixels.shape
    # from one annulus width to the stamp's diagonal, stretched by the elongation
    first, last = ANNULUS_WIDTH_PIX, math.sqrt(float(n_x * n_x + n_y * n_y)) * geometry.elongation
    low, value_low = np.nan, np.nan
    for index in range(N_SCANNED):
        radius = scanned_radius(index, first, last)
        value = petrosian_ratio(stamp, geometry, radius, noticed) - PETROSIAN_ETA
        # "found by chance" in statmorph
        if value == 0.0:
            return radius
        if np.isnan(value):
            return np.nan
        # only the first crossing counts: a neighbor's light may cross again farther out
        if value > 0.0:
            low, value_low = radius, value
            continue
        if index == 0:
            noticed[PETROSIAN_BELOW_ANNULUS] = 1
            return first
        # brentq with xtol 1e-6 from the last radius above to the first below
        search = bracketed(low, value_low, radius, value)
        while next_point(search, ROOT_TOLERANCE_PIX):
            ratio = petrosian_ratio(stamp, geometry, search[POINT], noticed)
            search[RESULT] = ratio - PETROSIAN_ETA
        return search[POINT]
    noticed[PETROSIAN_BEYOND_STAMP] = 1
    return last


@compiled
def is_beyond_stamp(stamp: Stamp, geometry: Geometry, r_petro: float) -> bool:
    """Whether no unmasked pixel lies in the ring at a Petrosian radius or beyond: it is then a matter of rounding.

    Parameters
    ----------
    stamp : Stamp
        Where it was measured.
    geometry : Geometry
        Of the ellipses.
    r_petro : float
        As `petrosian_radius` gave it, pixels.

    Returns
    -------
    bool
        For the caller to set `PETROSIAN_BEYOND_STAMP` and to tell NaN; later steps go on with the value.
    """
    n_y, n_x = stamp.pixels.shape
    valid = 0
    for row in range(n_y):
        valid += stamp.row_valid[row, n_x]
    # the ring's inner edge: if it leaves the stamp, so does all beyond
    inner = r_petro - 0.5 * ANNULUS_WIDTH_PIX + CORNER_TOLERANCE_PIX
    _, area = ellipse_sum_and_area(stamp, ellipse_at(geometry, inner))
    return valid - area < LEAST_AREA_BEYOND


@compiled
def light_radius(
    stamp: Stamp, geometry: Geometry, r_total: float, fraction: float, noticed: NDArray[np.uint8]
) -> float:
    """Radius that holds a fraction of the light within a larger one.

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    geometry : Geometry
        Of the ellipses.
    r_total : float
        Radius that holds all of the light, pixels.
    fraction : float
        Of that light, 0 to 1.
    noticed : ndarray [flag], uint8
        Gets `TOTAL_FLUX_ZERO`, `TOTAL_FLUX_NEGATIVE`, `LIGHT_RADIUS_UNDEFINED`.

    Returns
    -------
    float
        Semi-major axis, pixels; `r_total` where there is no flux, NaN where `r_total` is not above 0.
    """
    total = total_flux(stamp, geometry, r_total, noticed)
    scanned = np.full(N_SCANNED, np.nan)
    return _radius_of_fraction(stamp, geometry, r_total, total, fraction, scanned, noticed)


@compiled
def light_radii(
    stamp: Stamp, geometry: Geometry, r_total: float, noticed: NDArray[np.uint8]
) -> tuple[float, float, float]:
    """Radii that hold 20, 50 and 80 percent of the light; arguments as for `light_radius`."""
    # one scan for all three fractions
    total = total_flux(stamp, geometry, r_total, noticed)
    scanned = np.full(N_SCANNED, np.nan)
    return (
        _radius_of_fraction(stamp, geometry, r_total, total, 0.2, scanned, noticed),
        _radius_of_fraction(stamp, geometry, r_total, total, 0.5, scanned, noticed),
        _radius_of_fraction(stamp, geometry, r_total, total, 0.8, scanned, noticed),
    )


@compiled
def total_flux(stamp: Stamp, geometry: Geometry, r_total: float, noticed: NDArray[np.uint8]) -> float:
    """Absolute flux within an ellipse, its sign noticed; arguments as for `light_radius`."""
    flux = ellipse_sum(stamp.pixels, stamp.row_sums, ellipse_at(geometry, r_total))
    if flux == 0.0:
        noticed[TOTAL_FLUX_ZERO] = 1
    elif flux < 0.0:
        noticed[TOTAL_FLUX_NEGATIVE] = 1
    return abs(flux)


@compiled
def _growth(stamp: Stamp, geometry: Geometry, radius: float, total: float) -> float:
    """Share of the light inside a radius."""
    if radius == 0.0:
        return 0.0
    return abs(ellipse_sum(stamp.pixels, stamp.row_sums, ellipse_at(geometry, radius))) / total


@compiled
def _radius_of_fraction(
    stamp: Stamp,
    geometry: Geometry,
    r_total: float,
    total: float,
    fraction: float,
    scanned: NDArray[np.float64],
    noticed: NDArray[np.uint8],
) -> float:
    """Scan, then find the root; `scanned` keeps the shares at the scanned radii, NaN where not yet known."""
    # statmorph gives the total radius back where there is no flux
    if not (r_total > 0.0 and total > 0.0):
        if r_total > 0.0 and total == 0.0:
            return r_total
        noticed[LIGHT_RADIUS_UNDEFINED] = 1
        return np.nan
    for index in range(N_SCANNED):
        radius = scanned_radius(index, 0.0, r_total)
        if np.isnan(scanned[index]):
            scanned[index] = _growth(stamp, geometry, radius, total)
        # first crossing, as the curve of growth may fall again where pixels are negative
        if scanned[index] - fraction > 0.0:
            low = scanned_radius(index - 1, 0.0, r_total)
            search = bracketed(low, scanned[index - 1] - fraction, radius, scanned[index] - fraction)
            while next_point(search, ROOT_TOLERANCE_PIX):
                search[RESULT] = _growth(stamp, geometry, search[POINT], total) - fraction
            return search[POINT]
    noticed[LIGHT_RADIUS_UNDEFINED] = 1
    return np.nan
