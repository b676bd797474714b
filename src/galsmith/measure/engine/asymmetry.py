"""Rotational asymmetry about a point, and the point that makes it least.

Definitions: Conselice (2003) and Lotz et al. (2004), equation 10; squares: Sazonova et al. (2024), equation 27;
outer: Wen et al. (2014); shape: Pawlik et al. (2016). The order of operations is that of statmorph 0.7.2
(Rodriguez-Gomez et al. 2019, BSD-3-Clause), with the simplex of SciPy's ``fmin``.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.apertures import row_prefix_sums
from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.flags import (
    CENTER_DRIFTED,
    CENTER_IS_CENTROID,
    CENTER_LEFT_STAMP,
    CENTER_MASKED,
    CENTER_ZERO_FLUX,
)
from galsmith.measure.engine.stamp import SkyBox, Stamp
from galsmith.measure.engine.turning import (
    TurnedSums,
    half_turn,
    least_if_positive,
    turned_in_border,
    turned_sums,
)

ASYMMETRY_EXTENT = 1.5  # radius of the aperture, in Petrosian radii about the centroid
LARGEST_DRIFT = 0.25  # of the center from where its search began, in the same unit
AWAY = 100.0  # value that keeps the search on the stamp and on light
MOST_EVALUATIONS = 400
CENTER_TOLERANCE_PIX = 1e-6
ASYMMETRY_TOLERANCE = 1e-4
FIRST_STEP = 1.05
FIRST_STEP_FROM_ZERO = 0.00025


class _Search(NamedTuple):
    """What the asymmetry about a trial center needs; `counts` holds the number of evaluations so far."""

    stamp: Stamp
    sky: SkyBox
    radius: float
    least: float
    noticed: NDArray[np.uint8]
    counts: NDArray[np.int64]


@compiled
def asymmetry_center(
    stamp: Stamp,
    sky: SkyBox,
    x_start: float,
    y_start: float,
    r_petro_centroid: float,
    noticed: NDArray[np.uint8],
) -> tuple[float, float]:
    """Find the point about which the galaxy is least asymmetric.

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    sky : SkyBox
        Its sky.
    x_start, y_start : float
        Centroid in the stamp, pixels.
    r_petro_centroid : float
        Circular Petrosian radius about it, pixels.
    noticed : ndarray [flag], uint8
        Gets the ``CENTER_`` flags.

    Returns
    -------
    tuple of float
        x and y in the stamp, pixels: from a search that begins at the centroid; if that drifts too far, at
        the brightest pixel; if that drifts too, the centroid.
    """
    limit = LARGEST_DRIFT * r_petro_centroid
    counts = np.zeros(1, dtype=np.int64)
    radius = ASYMMETRY_EXTENT * r_petro_centroid
    search = _Search(stamp, sky, radius, least_if_positive(stamp.pixels), noticed, counts)
    x, y = _least_asymmetric_point(search, x_start, y_start)
    if not _distance(x - x_start, y - y_start) <= limit:
        noticed[CENTER_DRIFTED] = 1
        x_peak, y_peak = float(stamp.x_peak), float(stamp.y_peak)
        x, y = _least_asymmetric_point(search, x_peak, y_peak)
        if not _distance(x - x_peak, y - y_peak) <= limit:
            noticed[CENTER_IS_CENTROID] = 1
            x, y = x_start, y_start
    if not _is_on(stamp, x, y) or stamp.pixels[int(y), int(x)] == 0.0:
        noticed[CENTER_MASKED] = 1
    return x, y


@compiled
def asymmetry(
    stamp: Stamp, sky: SkyBox, x: float, y: float, radius: float, noticed: NDArray[np.uint8]
) -> float:
    """Rotational asymmetry within a circle, A, less that of the sky.

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    sky : SkyBox
        Its sky; its part is left in where the sky is not known.
    x, y : float
        Center in the stamp, pixels.
    radius : float
        Of the circle, pixels: `ASYMMETRY_EXTENT` circular Petrosian radii about the centroid.
    noticed : ndarray [flag], uint8
        Gets `CENTER_LEFT_STAMP`, `CENTER_ZERO_FLUX`.

    Returns
    -------
    float
        NaN where there is no flux.
    """
    sums = _sums_about(stamp, x, y, (radius, radius), 0.0, False, noticed)
    return _less_sky(sums, sky.asymmetry if sky.is_known else 0.0)


@compiled
def squared_asymmetry(
    stamp: Stamp, sky: SkyBox, x: float, y: float, radius: float, noticed: NDArray[np.uint8]
) -> float:
    """Square of the root-mean-square asymmetry, less what the sky adds; arguments as for `asymmetry`."""
    sums = _sums_about(stamp, x, y, (radius, radius), 0.0, True, noticed)
    variance = sky.sigma * sky.sigma if sky.is_known else 0.0
    light = sums.light - sums.area * variance
    return (sums.difference - 2 * sums.area * variance) / light if light != 0.0 else np.nan


@compiled
def outer_asymmetry(
    stamp: Stamp,
    sky: SkyBox,
    x: float,
    y: float,
    a_in: float,
    a_out: float,
    elongation: float,
    theta: float,
    noticed: NDArray[np.uint8],
) -> float:
    """Asymmetry of the outskirts, in an elliptical ring.

    Parameters
    ----------
    stamp, sky, x, y, noticed
        As for `asymmetry`.
    a_in, a_out : float
        Semi-major axes of the ring, pixels: half-light radius and greatest radius of the galaxy.
    elongation, theta : float
        a/b, and the angle of the major axis in radians counter-clockwise from +x.

    Returns
    -------
    float
        NaN where the ring has no flux or no width.
    """
    if not 0.0 < a_in < a_out:
        return np.nan
    outer = _sums_about(stamp, x, y, (a_out, a_out / elongation), theta, False, noticed)
    inner = _sums_about(stamp, x, y, (a_in, a_in / elongation), theta, False, noticed)
    light = outer.light - inner.light
    if light <= 1e-14 * outer.light:
        noticed[CENTER_ZERO_FLUX] = 1
        return np.nan
    ring = TurnedSums(outer.difference - inner.difference, light, outer.area - inner.area)
    return _less_sky(ring, sky.asymmetry if sky.is_known else 0.0)


@compiled
def shape_asymmetry(
    stamp: Stamp,
    shape_map: NDArray[np.bool_],
    x: float,
    y: float,
    r_max: float,
    noticed: NDArray[np.uint8],
) -> float:
    """Asymmetry of a galaxy's outline, whatever the light in it.

    Parameters
    ----------
    stamp : Stamp
        Its masked pixels, and their partners, are left out.
    shape_map : ndarray [y, x], bool
        Which pixels are the galaxy.
    x, y : float
        Center in the stamp, pixels.
    r_max : float
        Greatest distance of the map's pixels, pixels.
    noticed : ndarray [flag], uint8
        Gets `CENTER_LEFT_STAMP`, `CENTER_ZERO_FLUX`.

    Returns
    -------
    float
        NaN where the map is empty.
    """
    outline = np.empty(shape_map.shape)
    n_y, n_x = shape_map.shape
    for row in range(n_y):
        for column in range(n_x):
            outline[row, column] = 1.0 if shape_map[row, column] else 0.0
    drawn = _with_pixels(stamp, outline)
    return _less_sky(_sums_about(drawn, x, y, (r_max, r_max), 0.0, False, noticed), 0.0)


@compiled
def _with_pixels(stamp: Stamp, pixels: NDArray[np.float64]) -> Stamp:
    """Put other pixels under the same mask; `raw`, `galaxy` and `row_sums` stay those of the galaxy."""
    return Stamp(
        pixels,
        stamp.raw,
        stamp.galaxy,
        stamp.segment,
        stamp.occupied,
        stamp.mask,
        stamp.masked,
        stamp.row_sums,
        row_prefix_sums(pixels),
        stamp.row_valid,
        turned_in_border(pixels, stamp.pad),
        stamp.pad,
        stamp.x_min,
        stamp.y_min,
        stamp.x_peak,
        stamp.y_peak,
    )


@compiled
def _distance(dx: float, dy: float) -> float:
    return math.sqrt(dx * dx + dy * dy)


@compiled
def _is_on(stamp: Stamp, x: float, y: float) -> bool:
    """Whether a center is one that statmorph accepts."""
    n_y, n_x = stamp.pixels.shape
    return 0.0 <= x < n_x and 0.0 <= y < n_y


@compiled
def _sums_about(
    stamp: Stamp,
    x: float,
    y: float,
    axes: tuple[float, float],
    theta: float,
    is_squared: bool,
    noticed: NDArray[np.uint8],
) -> TurnedSums:
    """Sums about one point, NaN where it is off the stamp, the ellipse has no area or there is no flux."""
    nothing = TurnedSums(np.nan, np.nan, np.nan)
    if not _is_on(stamp, x, y):
        noticed[CENTER_LEFT_STAMP] = 1
        return nothing
    if not (axes[0] > 0.0 and axes[1] > 0.0):
        return nothing
    turn = half_turn(stamp, x, y, least_if_positive(stamp.pixels))
    sums = turned_sums(stamp, turn, axes, theta, is_squared)
    if sums.light == 0.0:
        noticed[CENTER_ZERO_FLUX] = 1
        return nothing
    return sums


@compiled
def _less_sky(sums: TurnedSums, sky_asymmetry: float) -> float:
    """Asymmetry from its sums; `sky_asymmetry` per pixel."""
    return (sums.difference - sums.area * sky_asymmetry) / sums.light


@compiled
def _asymmetry_at(search: _Search, x: float, y: float) -> float:
    """Value that the search makes least."""
    search.counts[0] += 1
    stamp, noticed = search.stamp, search.noticed
    if not _is_on(stamp, x, y):
        noticed[CENTER_LEFT_STAMP] = 1
        return AWAY
    turn = half_turn(stamp, x, y, search.least)
    sums = turned_sums(stamp, turn, (search.radius, search.radius), 0.0, False)
    if sums.light == 0.0:
        noticed[CENTER_ZERO_FLUX] = 1
        return AWAY
    return _less_sky(sums, search.sky.asymmetry if search.sky.is_known else 0.0)


@compiled
def _least_asymmetric_point(search: _Search, x: float, y: float) -> tuple[float, float]:
    """Minimize by a simplex (Nelder & Mead 1965) with the steps of SciPy's ``fmin``."""
    search.counts[0] = 0
    simplex = np.empty((3, 2))
    values = np.empty(3)
    simplex[:, 0], simplex[:, 1] = x, y
    simplex[1, 0] = FIRST_STEP * x if x != 0.0 else FIRST_STEP_FROM_ZERO
    simplex[2, 1] = FIRST_STEP * y if y != 0.0 else FIRST_STEP_FROM_ZERO
    for corner in range(3):
        values[corner] = _asymmetry_at(search, simplex[corner, 0], simplex[corner, 1])
    _sort(simplex, values)
    while search.counts[0] < MOST_EVALUATIONS and not _has_converged(simplex, values):
        _improve(search, simplex, values)
        _sort(simplex, values)
    return simplex[0, 0], simplex[0, 1]


@compiled
def _sort(simplex: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Put the best corner first; equals keep their order."""
    for one, other in ((0, 1), (1, 2), (0, 1)):
        if values[other] < values[one]:
            values[one], values[other] = values[other], values[one]
            for axis in range(2):
                kept = simplex[one, axis]
                simplex[one, axis] = simplex[other, axis]
                simplex[other, axis] = kept


@compiled
def _has_converged(simplex: NDArray[np.float64], values: NDArray[np.float64]) -> bool:
    """Whether no corner is far from the best one, in place or in value."""
    for corner in range(1, 3):
        for axis in range(2):
            if not abs(simplex[corner, axis] - simplex[0, axis]) <= CENTER_TOLERANCE_PIX:
                return False
        if not abs(values[0] - values[corner]) <= ASYMMETRY_TOLERANCE:
            return False
    return True


@compiled
def _trial(simplex: NDArray[np.float64], factor: float) -> tuple[float, float]:
    """Point on the line from the worst corner through the middle of the others, `factor` times as far beyond."""
    x = (1 + factor) * ((simplex[0, 0] + simplex[1, 0]) / 2) - factor * simplex[2, 0]
    y = (1 + factor) * ((simplex[0, 1] + simplex[1, 1]) / 2) - factor * simplex[2, 1]
    return x, y


@compiled
def _replace_worst(
    simplex: NDArray[np.float64], values: NDArray[np.float64], point: tuple[float, float], value: float
) -> None:
    simplex[2, 0], simplex[2, 1] = point
    values[2] = value


@compiled
def _improve(search: _Search, simplex: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Reflect the worst corner, then expand, contract or shrink; stops where the evaluations are used up."""
    reflected = _trial(simplex, 1.0)
    value = _asymmetry_at(search, reflected[0], reflected[1])
    if values[0] <= value < values[1]:
        _replace_worst(simplex, values, reflected, value)
        return
    if search.counts[0] >= MOST_EVALUATIONS:
        return
    if value < values[0]:
        expanded = _trial(simplex, 2.0)
        value_expanded = _asymmetry_at(search, expanded[0], expanded[1])
        if value_expanded < value:
            _replace_worst(simplex, values, expanded, value_expanded)
        else:
            _replace_worst(simplex, values, reflected, value)
        return
    is_outside = value < values[2]
    contracted = _trial(simplex, 0.5 if is_outside else -0.5)
    value_contracted = _asymmetry_at(search, contracted[0], contracted[1])
    if (value_contracted <= value) if is_outside else (value_contracted < values[2]):
        _replace_worst(simplex, values, contracted, value_contracted)
    else:
        _shrink(search, simplex, values)


@compiled
def _shrink(search: _Search, simplex: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    """Halve the distance of all corners from the best one."""
    for corner in range(1, 3):
        for axis in range(2):
            best = simplex[0, axis]
            simplex[corner, axis] = best + 0.5 * (simplex[corner, axis] - best)
        if search.counts[0] >= MOST_EVALUATIONS:
            return
        values[corner] = _asymmetry_at(search, simplex[corner, 0], simplex[corner, 1])
