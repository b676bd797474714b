"""All steps of one galaxy, in statmorph's order, from its pixels to one row of numbers.

The order decides which flags arise and which value is used where: the asymmetry is taken within 1.5 Petrosian radii
about the centroid, but about the asymmetry center; the Gini map's threshold lies on an ellipse about the centroid, but
with the shape about the asymmetry center. Rodriguez-Gomez et al. (2019), as their statmorph 0.7.2 has it.

The six steps are kernels of their own, called one after another: one kernel around them all takes a quarter longer to
compile and saves a hundredth of the time of a galaxy.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine import flags
from galsmith.measure.engine.compiled import compiled, compiled_sum
from galsmith.measure.engine.light.apertures import Geometry, circles, ellipse_at, ellipse_sum
from galsmith.measure.engine.light.asymmetry import (
    ASYMMETRY_EXTENT,
    asymmetry,
    asymmetry_center,
    outer_asymmetry,
    shape_asymmetry,
    squared_asymmetry,
)
from galsmith.measure.engine.light.radii import is_beyond_stamp, light_radii, light_radius, petrosian_radius
from galsmith.measure.engine.light.shape import centroid, moments_about, r_max, shape_map
from galsmith.measure.engine.light.statistics import (
    bulge_statistic,
    gini,
    gini_map,
    m20,
    merger_statistic,
    noise_map,
    smoothness,
    sn_per_pixel,
)
from galsmith.measure.engine.mid.statistics import measure_mid, note_overlap
from galsmith.measure.engine.row import PLACE, tell_double_sersic, tell_sersic
from galsmith.measure.engine.sersic.double_fit import fit_double_sersic
from galsmith.measure.engine.sersic.fit import INTEGRATED, Fitted, Maps, Start, fit_sersic, with_outliers
from galsmith.measure.engine.sky import sky_background, sky_box
from galsmith.measure.engine.stamp import Moments, SkyBox, Stamp, cut_stamp
from galsmith.measure.flags import CATASTROPHIC

FLUX_EXTENT = 2.0  # radius of the aperture for fluxes, in Petrosian radii
NO_FIT = -1
_CATASTROPHIC_FLAGS = np.flatnonzero(flags.FLAG_GRAVITY == CATASTROPHIC)


@dataclass(frozen=True)
class Choices:
    """What the caller chose.

    Attributes
    ----------
    sky_is_all_background : bool
        Whether the sky comes from all of the background, not from statmorph's box, and stamp, center and boxcar are
        such that they turn and flip with the image.
    sersic_mode : int
        `NO_FIT`, or as `fit_sersic` takes it.
    is_double : bool
        Whether two Sérsic laws are fitted too.
    gain : float
        Electrons per flux unit, where there is no sigma map; infinite where it is not known.
    psf : ndarray [y, x], float64
        Point spread function; 0x0 for none.
    """

    sky_is_all_background: bool
    sersic_mode: int
    is_double: bool
    gain: float
    psf: NDArray[np.float64]


class Place(NamedTuple):
    """Where the galaxy lies on its stamp: what all later steps read.

    Attributes
    ----------
    x_centroid, y_centroid : float
        Centroid, pixels of the stamp.
    r_petro_centroid : float
        Circular Petrosian radius about it, pixels.
    x, y : float
        Point of least asymmetry, pixels of the stamp.
    moments : Moments
        About that point.
    """

    x_centroid: float
    y_centroid: float
    r_petro_centroid: float
    x: float
    y: float
    moments: Moments


class Radii(NamedTuple):
    """Radii about the point of least asymmetry, pixels.

    Attributes
    ----------
    r_petro, r_petro_ellip : float
        Petrosian radius and semi-major axis.
    r_half_ellip : float
        Semi-major axis that holds half of the light.
    concentration : float
        5 log10(r80 / r20).
    """

    r_petro: float
    r_petro_ellip: float
    r_half_ellip: float
    concentration: float


@compiled
def _ellipses(place: Place) -> Geometry:
    """Ellipses about the point of least asymmetry."""
    return Geometry(place.x, place.y, place.moments.elongation, place.moments.orientation_rad)


@compiled
def ellipses_about_centroid(place: Place) -> Geometry:
    """Ellipses about the centroid, with the shape about the point of least asymmetry: the Gini map's, as in statmorph."""
    moments = place.moments
    return Geometry(place.x_centroid, place.y_centroid, moments.elongation, moments.orientation_rad)


@compiled_sum
def _sum_and_count(image: NDArray[np.float64]) -> tuple[float, int]:
    """Sum of the pixels that are finite, and how many there are."""
    total, count = 0.0, 0
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            is_finite = abs(image[y, x]) < math.inf
            total += image[y, x] if is_finite else 0.0
            count += is_finite
    return total, count


@compiled
def finite_sum(image: NDArray[np.float64]) -> float:
    """Sum of the pixels that are finite, NaN where there are none."""
    total, count = _sum_and_count(image)
    return total if count > 0 else math.nan


@compiled
def cut_galaxy(
    image: NDArray[np.float64],
    labels: NDArray[np.int32],
    label: int,
    caller_mask: NDArray[np.bool_],
    sigma_map: NDArray[np.float64],
    is_symmetric: bool,  # noqa: FBT001 - kernels take arguments by position
    row: NDArray[np.float64],
    noticed: NDArray[np.uint8],
) -> Stamp:
    """First step: the stamp, where it lies, and the galaxy's centroid in it."""
    stamp = cut_stamp(image, labels, label, caller_mask, sigma_map, is_symmetric, noticed)
    x, y = centroid(stamp, noticed)
    n_y, n_x = stamp.pixels.shape
    row[PLACE.centroid_x_pix], row[PLACE.centroid_y_pix] = x, y
    row[PLACE.stamp_x_min_pix], row[PLACE.stamp_x_max_pix] = stamp.x_min, stamp.x_min + n_x - 1
    row[PLACE.stamp_y_min_pix], row[PLACE.stamp_y_max_pix] = stamp.y_min, stamp.y_min + n_y - 1
    return stamp


@compiled
def find_sky(
    stamp: Stamp,
    is_all_background: bool,  # noqa: FBT001 - kernels take arguments by position
    row: NDArray[np.float64],
    noticed: NDArray[np.uint8],
) -> SkyBox:
    """Second step: the sky."""
    if is_all_background:
        sky = sky_background(stamp, row[PLACE.centroid_x_pix], row[PLACE.centroid_y_pix], noticed)
    else:
        sky = sky_box(stamp, noticed)
    row[PLACE.sky_mean], row[PLACE.sky_median], row[PLACE.sky_sigma] = sky.mean, sky.median, sky.sigma
    return sky


@compiled
def find_place(stamp: Stamp, sky: SkyBox, row: NDArray[np.float64], noticed: NDArray[np.uint8]) -> Place:
    """Third step: the point of least asymmetry, and the shape about it and about the centroid."""
    x_centroid, y_centroid = row[PLACE.centroid_x_pix], row[PLACE.centroid_y_pix]
    about_centroid = moments_about(stamp, x_centroid, y_centroid, noticed)
    row[PLACE.ellipticity] = about_centroid.ellipticity
    row[PLACE.elongation] = about_centroid.elongation
    row[PLACE.orientation_rad] = about_centroid.orientation_rad
    # statmorph's rpetro_circ_centroid: it bounds the search for the center
    r_petro = petrosian_radius(stamp, circles(x_centroid, y_centroid), noticed)
    x, y = asymmetry_center(stamp, sky, x_centroid, y_centroid, r_petro, noticed)
    about_center = moments_about(stamp, x, y, noticed)
    row[PLACE.ellipticity_center] = about_center.ellipticity
    row[PLACE.elongation_center] = about_center.elongation
    row[PLACE.orientation_center_rad] = about_center.orientation_rad
    row[PLACE.center_x_pix], row[PLACE.center_y_pix] = x, y
    return Place(x_centroid, y_centroid, r_petro, x, y, about_center)


@compiled
def _tell_petrosian(
    stamp: Stamp, place: Place, row: NDArray[np.float64], noticed: NDArray[np.uint8]
) -> tuple[float, float]:
    """Petrosian radius and semi-major axis, and the fluxes within twice these; NaN where a matter of rounding."""
    circle, ellipse = circles(place.x, place.y), _ellipses(place)
    r_petro = petrosian_radius(stamp, circle, noticed)
    a_petro = petrosian_radius(stamp, ellipse, noticed)
    r_flux, a_flux = FLUX_EXTENT * r_petro, FLUX_EXTENT * a_petro
    row[PLACE.r_petro_pix] = r_petro
    # statmorph makes fluxes positive
    row[PLACE.flux] = abs(ellipse_sum(stamp.pixels, stamp.row_sums, ellipse_at(circle, r_flux)))
    if is_beyond_stamp(stamp, ellipse, a_petro):
        noticed[flags.PETROSIAN_BEYOND_STAMP] = 1
        return r_petro, a_petro
    row[PLACE.r_petro_ellip_pix] = a_petro
    row[PLACE.flux_ellip] = abs(ellipse_sum(stamp.pixels, stamp.row_sums, ellipse_at(ellipse, a_flux)))
    return r_petro, a_petro


@compiled
def _tell_light_radii(
    stamp: Stamp, place: Place, r_petro: float, row: NDArray[np.float64], noticed: NDArray[np.uint8]
) -> None:
    """Radii that hold 20, 50 and 80 % of the light, and the concentration."""
    r20, r50, r80 = light_radii(stamp, circles(place.x, place.y), ASYMMETRY_EXTENT * r_petro, noticed)
    row[PLACE.r20_pix], row[PLACE.r50_pix], row[PLACE.r80_pix] = r20, r50, r80
    # Conselice (2003), Lotz et al. (2004)
    row[PLACE.concentration] = 5.0 * math.log10(r80 / r20) if r20 > 0.0 and r80 > 0.0 else math.nan


@compiled
def _tell_half_light(
    stamp: Stamp,
    place: Place,
    largest: tuple[float, float],
    row: NDArray[np.float64],
    noticed: NDArray[np.uint8],
) -> float:
    """Radius and semi-major axis, within the largest of each, that hold half of the light; the latter is returned."""
    r_half, a_half = 0.0, 0.0
    if largest[0] != 0.0:
        r_half = light_radius(stamp, circles(place.x, place.y), largest[0], 0.5, noticed)
    if largest[1] != 0.0:
        a_half = light_radius(stamp, _ellipses(place), largest[1], 0.5, noticed)
    row[PLACE.r_half_pix], row[PLACE.r_half_ellip_pix] = r_half, a_half
    return a_half


@compiled
def tell_radii(
    stamp: Stamp, sky: SkyBox, place: Place, row: NDArray[np.float64], noticed: NDArray[np.uint8]
) -> Radii:
    """Fourth step: Petrosian radii and fluxes, the shape map, what holds a part of the light, and the outskirts."""
    x, y, ellipse = place.x, place.y, _ellipses(place)
    r_petro, a_petro = _tell_petrosian(stamp, place, row, noticed)
    _tell_light_radii(stamp, place, r_petro, row, noticed)
    # the half-light radii count the light within r_max (Pawlik et al. 2016), not within the Petrosian aperture
    outline = shape_map(stamp, sky, x, y, a_petro, noticed)
    farthest = r_max(outline, circles(x, y), noticed)
    farthest_ellip = r_max(outline, ellipse, noticed)
    row[PLACE.r_max_pix], row[PLACE.r_max_ellip_pix] = farthest, farthest_ellip
    a_half = _tell_half_light(stamp, place, (farthest, farthest_ellip), row, noticed)
    row[PLACE.outer_asymmetry] = outer_asymmetry(stamp, sky, ellipse, a_half, farthest_ellip, noticed)
    row[PLACE.shape_asymmetry] = shape_asymmetry(stamp, outline, x, y, farthest, noticed)
    return Radii(r_petro, a_petro, a_half, row[PLACE.concentration])


@compiled
def tell_structure(
    stamp: Stamp,
    sky: SkyBox,
    place: Place,
    r_petro: float,
    row: NDArray[np.float64],
    noticed: NDArray[np.uint8],
) -> None:
    """Fifth step: asymmetry, its square, and smoothness."""
    # about the asymmetry center, but with the radius about the centroid
    radius = ASYMMETRY_EXTENT * place.r_petro_centroid
    row[PLACE.asymmetry] = asymmetry(stamp, sky, place.x, place.y, radius, noticed)
    row[PLACE.rms_asymmetry_squared] = squared_asymmetry(stamp, sky, place.x, place.y, radius, noticed)
    row[PLACE.smoothness] = smoothness(stamp, sky, place.x, place.y, r_petro, noticed)


@compiled
def tell_maps(
    stamp: Stamp,
    place: Place,
    a_petro: float,
    noise: NDArray[np.float64],
    row: NDArray[np.float64],
    noticed: NDArray[np.uint8],
) -> None:
    """Sixth step: the Gini map, the MID map, and the statistics within them."""
    inside = gini_map(stamp, ellipses_about_centroid(place), a_petro, noticed)
    row[PLACE.gini] = gini(stamp, inside, noticed)
    row[PLACE.m20] = m20(stamp, inside, noticed)
    row[PLACE.bulge_statistic] = bulge_statistic(row[PLACE.gini], row[PLACE.m20])
    row[PLACE.merger_statistic] = merger_statistic(row[PLACE.gini], row[PLACE.m20])
    row[PLACE.sn_per_pixel] = sn_per_pixel(stamp, inside, noise, noticed)
    mid = measure_mid(stamp, inside, noticed)
    row[PLACE.multimode], row[PLACE.intensity] = mid.multimode, mid.intensity
    row[PLACE.deviation] = mid.deviation
    note_overlap(inside, mid.map, noticed)


def _fit(
    stamp: Stamp,
    noise: NDArray[np.float64],
    place: Place,
    radii: Radii,
    maps: Maps,
    *,
    choices: Choices,
    row: NDArray[np.float64],
    noticed: NDArray[np.uint8],
) -> None:
    """Last step: one Sérsic law, and two of one center where they are wanted."""
    start = Start(place.x, place.y, radii.r_half_ellip, radii.concentration, place.moments)
    how = (choices.psf, choices.sersic_mode, noticed)
    fitted = Fitted(fit_sersic(stamp, noise, start, *how), stamp, noise)
    if choices.sersic_mode == INTEGRATED:
        fitted = with_outliers(fitted, start, maps, *how)
    tell_sersic(fitted.fit, stamp, row)
    if choices.is_double:
        tell_double_sersic(fit_double_sersic(fitted.stamp, fitted.noise, start, fitted.fit, *how), stamp, row)


def _to_image_frame(stamp: Stamp, row: NDArray[np.float64]) -> None:
    """Bring centers from the stamp to the image."""
    row[PLACE.centroid_x_pix] += stamp.x_min
    row[PLACE.centroid_y_pix] += stamp.y_min
    row[PLACE.center_x_pix] += stamp.x_min
    row[PLACE.center_y_pix] += stamp.y_min


def is_hopeless(noticed: NDArray[np.uint8]) -> bool:
    """Whether something was noticed that leaves nothing to measure."""
    return bool(noticed[_CATASTROPHIC_FLAGS].any())


def measure_galaxy(
    image: NDArray[np.float64],
    labels: NDArray[np.int32],
    *,
    label: int,
    caller_mask: NDArray[np.bool_],
    sigma_map: NDArray[np.float64],
    choices: Choices,
    row: NDArray[np.float64],
    noticed: NDArray[np.uint8],
) -> None:
    """Measure one galaxy.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Background-subtracted flux per pixel.
    labels : ndarray [y, x], int32
        Segmentation map, 0 for the background.
    label : int
        The galaxy's number in it.
    caller_mask : ndarray [y, x], bool
        True where pixels are to be ignored; 0x0 for none.
    sigma_map : ndarray [y, x], float64
        Standard deviation per pixel; 0x0 for none.
    choices : Choices
        What the caller chose.
    row : ndarray [N_COLUMNS], float64
        NaN before; what could be measured is written to the places of `columns.PLACE`.
    noticed : ndarray [flag], uint8
        What is noticed is set to 1.
    """
    is_repeatable = choices.sky_is_all_background
    stamp = cut_galaxy(image, labels, label, caller_mask, sigma_map, is_repeatable, row, noticed)
    if is_hopeless(noticed):
        row[:] = math.nan
        return
    sky = find_sky(stamp, choices.sky_is_all_background, row, noticed)
    place = find_place(stamp, sky, row, noticed)
    radii = tell_radii(stamp, sky, place, row, noticed)
    tell_structure(stamp, sky, place, radii.r_petro, row, noticed)
    noise = noise_map(stamp, choices.gain, sky, sigma_map)
    tell_maps(stamp, place, radii.r_petro_ellip, noise, row, noticed)
    if choices.sersic_mode != NO_FIT:
        maps = Maps(labels, label, caller_mask, sigma_map, choices.gain, sky)
        _fit(stamp, noise, place, radii, maps, choices=choices, row=row, noticed=noticed)
    _to_image_frame(stamp, row)
