"""Rotational asymmetry about a point, and the point that makes it least.

Definitions: Conselice (2003) and Lotz et al. (2004), equation 10; squares: Sazonova et al. (2024), equation 27;
outer: Wen et al. (2014); shape: Pawlik et al. (2016). The order of operations is that of statmorph 0.7.2
(Rodriguez-Gomez et al. 2019, BSD-3-Clause), with the simplex of SciPy's ``fmin``.
"""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.flags import (
    CENTER_DRIFTED,
    CENTER_IS_CENTROID,
    CENTER_LEFT_STAMP,
    CENTER_MASKED,
    CENTER_ZERO_FLUX,
)
from galsmith.measure.engine.light.apertures import Ellipse, Geometry, ellipse_at, row_prefix_sums
from galsmith.measure.engine.light.rotation import (
    ABSOLUTE,
    NARROWEST_BORDER_PIX,
    SQUARED,
    TurnedSums,
    half_turn,
    least_if_positive,
    turned_sums,
)
from galsmith.measure.engine.numerics.searches import (
    BEST,
    TRIAL,
    VALUE,
    X,
    Y,
    next_trial,
    simplex_about,
    simplex_reaching,
)
from galsmith.measure.engine.stamp import SkyBox, Stamp, is_all_background, turned_in_border

# petro_extent_cas and petro_fraction_cas of statmorph; xtol of its fmin, and fmin's default ftol
ASYMMETRY_EXTENT = 1.5  # radius of the aperture, in Petrosian radii about the centroid
LARGEST_DRIFT = 0.25  # of the center from where its search began, in the same unit
AWAY = 100.0  # value that keeps the search on the stamp and on light
CENTER_TOLERANCE_PIX = 1e-6
ASYMMETRY_TOLERANCE = 1e-4
# of the four searches where nothing may hang on how the image lies
FIRST_STEP_PER_RADIUS = 0.1
ROUGH_TOLERANCE_PIX = 0.02
ROUGH_TOLERANCE = 1e-3


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
        x and y in the stamp, pixels: from a search (four, the lowest of which is gone on with, where the sky is all of
        the background) that begins at the centroid; if that drifts too far, at
        the brightest pixel; if that drifts too, the centroid.
    """
    # once for all 125 or so turns of a search
    least = least_if_positive(stamp.pixels)
    radius, limit = ASYMMETRY_EXTENT * r_petro_centroid, LARGEST_DRIFT * r_petro_centroid
    x, y, is_found = x_start, y_start, False
    # statmorph's _asymmetry_center: the centroid, then the brightest pixel, then the centroid itself
    for attempt, start in enumerate(((x_start, y_start), (float(stamp.x_peak), float(stamp.y_peak)))):
        if is_all_background(sky):
            search = _lowest_of_four(stamp, sky, start, radius, least, noticed)
        else:
            search = simplex_about(start[0], start[1])
        _descend(stamp, sky, search, radius, least, CENTER_TOLERANCE_PIX, ASYMMETRY_TOLERANCE, noticed)
        x, y = search[BEST, X], search[BEST, Y]
        dx, dy = x - start[0], y - start[1]
        # a NaN distance is not found
        is_found = math.sqrt(dx * dx + dy * dy) <= limit
        if is_found:
            break
        noticed[CENTER_IS_CENTROID if attempt else CENTER_DRIFTED] = 1
    if not is_found:
        x, y = x_start, y_start
    # int cuts towards zero, as statmorph's index of the center pixel
    if not _is_on(stamp, x, y) or stamp.pixels[int(y), int(x)] == 0.0:
        noticed[CENTER_MASKED] = 1
    return x, y


@compiled
def _descend(
    stamp: Stamp,
    sky: SkyBox,
    search: NDArray[np.float64],
    radius: float,
    least: float,
    tolerance_pix: float,
    tolerance: float,
    noticed: NDArray[np.uint8],
) -> None:
    """Go on with a search for the least asymmetry until it ends."""
    while next_trial(search, tolerance_pix, tolerance):
        trial = search[TRIAL, X], search[TRIAL, Y]
        sums = _sums_about(stamp, Ellipse(trial[0], trial[1], radius, radius, 0.0), ABSOLUTE, least, noticed)
        value = _less_sky(sums, sky)
        search[TRIAL, VALUE] = AWAY if np.isnan(value) else value


@compiled
def _lowest_of_four(
    stamp: Stamp,
    sky: SkyBox,
    start: tuple[float, float],
    radius: float,
    least: float,
    noticed: NDArray[np.uint8],
) -> NDArray[np.float64]:
    """Search roughly from triangles in all four directions, which turn and flip with the image; the lowest search."""
    step = FIRST_STEP_PER_RADIUS * radius
    best = simplex_reaching(start[0], start[1], step, step)
    for direction in range(4):
        x_step, y_step = step if direction % 2 == 0 else -step, step if direction < 2 else -step
        search = simplex_reaching(start[0], start[1], x_step, y_step)
        _descend(stamp, sky, search, radius, least, ROUGH_TOLERANCE_PIX, ROUGH_TOLERANCE, noticed)
        if direction == 0 or search[BEST, VALUE] < best[BEST, VALUE]:
            best = search
    return best


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
    least = least_if_positive(stamp.pixels)
    return _less_sky(_sums_about(stamp, Ellipse(x, y, radius, radius, 0.0), ABSOLUTE, least, noticed), sky)


@compiled
def squared_asymmetry(
    stamp: Stamp, sky: SkyBox, x: float, y: float, radius: float, noticed: NDArray[np.uint8]
) -> float:
    """Square of the root-mean-square asymmetry, less what the sky adds; arguments as for `asymmetry`."""
    least = least_if_positive(stamp.pixels)
    # Sazonova et al. (2024), eq. 27: the sky adds 2 sigma^2 to the difference and sigma^2 to the light
    sums = _sums_about(stamp, Ellipse(x, y, radius, radius, 0.0), SQUARED, least, noticed)
    variance = sky.sigma * sky.sigma if sky.is_known else 0.0
    light = sums.light - sums.area * variance
    return (sums.difference - 2 * sums.area * variance) / light if light != 0.0 else np.nan


@compiled
def outer_asymmetry(
    stamp: Stamp, sky: SkyBox, geometry: Geometry, a_in: float, a_out: float, noticed: NDArray[np.uint8]
) -> float:
    """Asymmetry of the outskirts, in an elliptical ring.

    Parameters
    ----------
    stamp, sky, noticed
        As for `asymmetry`.
    geometry : Geometry
        Of the ring.
    a_in, a_out : float
        Semi-major axes of the ring, pixels: half-light radius and greatest radius of the galaxy.

    Returns
    -------
    float
        NaN where the ring has no flux or no width.
    """
    if not 0.0 < a_in < a_out:
        return np.nan
    least = least_if_positive(stamp.pixels)
    # a ring's exact weights are those of the outer ellipse less those of the inner one
    outer = _sums_about(stamp, ellipse_at(geometry, a_out), ABSOLUTE, least, noticed)
    inner = _sums_about(stamp, ellipse_at(geometry, a_in), ABSOLUTE, least, noticed)
    light = outer.light - inner.light
    # what two equal sums leave by rounding
    if light <= 1e-14 * outer.light:
        noticed[CENTER_ZERO_FLUX] = 1
        return np.nan
    ring = TurnedSums(outer.difference - inner.difference, light, outer.area - inner.area)
    return _less_sky(ring, sky)


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
    # Pawlik et al. (2016): the asymmetry of the map, whose sky has none
    sums = _sums_about(drawn, Ellipse(x, y, r_max, r_max, 0.0), ABSOLUTE, -np.inf, noticed)
    return sums.difference / sums.light


@compiled
def _with_pixels(stamp: Stamp, pixels: NDArray[np.float64]) -> Stamp:
    """Put other pixels under the same mask; `raw`, `galaxy` and `row_sums` stay those of the galaxy."""
    pad = min(stamp.pad, NARROWEST_BORDER_PIX)
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
        turned_in_border(pixels, pad),
        pad,
        stamp.x_min,
        stamp.y_min,
        stamp.x_peak,
        stamp.y_peak,
    )


@compiled
def _is_on(stamp: Stamp, x: float, y: float) -> bool:
    """Whether a center is one that statmorph accepts."""
    n_y, n_x = stamp.pixels.shape
    return 0.0 <= x < n_x and 0.0 <= y < n_y


@compiled
def _sums_about(
    stamp: Stamp, ellipse: Ellipse, power: float, least: float, noticed: NDArray[np.uint8]
) -> TurnedSums:
    """Sum up about one point; NaN where it is off the stamp, the ellipse has no area or there is no flux."""
    nothing = TurnedSums(np.nan, np.nan, np.nan)
    if not _is_on(stamp, ellipse.x, ellipse.y):
        noticed[CENTER_LEFT_STAMP] = 1
        return nothing
    if not (ellipse.a > 0.0 and ellipse.b > 0.0):
        return nothing
    # statmorph's 100 away from the stamp or from light becomes NaN here, `AWAY` in the search
    sums = turned_sums(stamp, half_turn(stamp, ellipse.x, ellipse.y, least), ellipse, power)
    if sums.light == 0.0:
        noticed[CENTER_ZERO_FLUX] = 1
        return nothing
    return sums


@compiled
def _less_sky(sums: TurnedSums, sky: SkyBox) -> float:
    """Asymmetry from its sums, without what the sky adds."""
    # Lotz et al. (2004), eq. 10: the background's mean difference times the aperture's unmasked area
    sky_difference = sums.area * sky.asymmetry if sky.is_known else 0.0
    return (sums.difference - sky_difference) / sums.light
