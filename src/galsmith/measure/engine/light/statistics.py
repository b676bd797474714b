"""How the light of a galaxy is spread: Gini, M20, signal-to-noise, smoothness (Lotz et al. 2004)."""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine import flags
from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.light.apertures import (
    Ellipse,
    Geometry,
    ellipse_at,
    ellipse_sum,
    row_prefix_sums,
)
from galsmith.measure.engine.numerics.filters import gaussian_filter, uniform_filter
from galsmith.measure.engine.numerics.ordering import sorted_values
from galsmith.measure.engine.segmentation.regions import at_least, brightest_pixel, region_with
from galsmith.measure.engine.sky import values_of_box
from galsmith.measure.engine.stamp import SkyBox, Stamp, is_all_background

# statmorph's petro_fraction_gini; Lotz et al. (2004) smooth by a fifth of the Petrosian radius too
SMOOTHING_PER_R_PETRO = 0.2
ANNULUS_WIDTH_PIX = 1.0
# the rest makes up the brightest 20 %; then petro_fraction_cas and petro_extent_cas
M20_FAINT_FRACTION = 0.8
CLUMP_PER_R_PETRO = 0.25
APERTURE_PER_R_PETRO = 1.5


@compiled
def gini_map(
    stamp: Stamp, geometry: Geometry, r_petro_ellip: float, noticed: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Map the pixels that are brighter, once smoothed, than the light at the Petrosian radius.

    Smoothed by a Gaussian of 0.2 r_petro_ellip, the threshold being the mean in an elliptical annulus 1 pixel
    wide at r_petro_ellip about the *centroid*; of several regions the one with the brightest smoothed pixel
    (Lotz et al. 2004, section 3.1, as statmorph 0.7.2 has it).

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    geometry : Geometry
        About the centroid, but elongation and orientation those about the asymmetry center.
    r_petro_ellip : float
        Petrosian semi-major axis about the asymmetry center, pixels.
    noticed : ndarray [flag], uint8
        Flags to raise.

    Returns
    -------
    ndarray [y, x], bool
        Empty where the radius is not a positive number.
    """
    if not 0.0 < r_petro_ellip < np.inf:
        noticed[flags.GINI_MAP_EMPTY] = 1
        return np.zeros(stamp.pixels.shape, dtype=np.bool_)
    is_mirrored = False
    smooth = gaussian_filter(stamp.pixels, SMOOTHING_PER_R_PETRO * r_petro_ellip, is_mirrored)
    # surface brightness at the Petrosian radius, where the galaxy is cut (Lotz et al. 2004, section 3.1)
    threshold = _annulus_mean(smooth, geometry, r_petro_ellip)
    above, n_above = at_least(smooth, threshold)
    if n_above == 0:
        noticed[flags.GINI_MAP_EMPTY] = 1
        return above
    if n_above == above.size:
        noticed[flags.GINI_MAP_FULL] = 1
        return above
    y, x = brightest_pixel(smooth)
    region, n_regions = region_with(above, y, x)
    if n_regions > 1:
        noticed[flags.GINI_MAP_DISJOINT] = 1
    return region


@compiled
def _annulus_mean(image: NDArray[np.float64], geometry: Geometry, a: float) -> float:
    """Mean over an elliptical annulus of its whole area, also where it lies outside of the image."""
    a_in, a_out = a - 0.5 * ANNULUS_WIDTH_PIX, a + 0.5 * ANNULUS_WIDTH_PIX
    row_sums = row_prefix_sums(image)
    total = ellipse_sum(image, row_sums, ellipse_at(geometry, a_out))
    # _aperture_mean_nomask: geometric area, the mask left out of account
    area = np.pi * a_out * (a_out / geometry.elongation)
    if a_in > 0.0:
        total -= ellipse_sum(image, row_sums, ellipse_at(geometry, a_in))
        area -= np.pi * a_in * (a_in / geometry.elongation)
    return total / area


@compiled
def _values_inside(image: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Collect the pixels of a map, in raster order."""
    height, width = image.shape
    values = np.empty(height * width)
    count = 0
    for y in range(height):
        for x in range(width):
            if inside[y, x]:
                values[count] = image[y, x]
                count += 1
    return values[:count]


@compiled
def gini(stamp: Stamp, gini_map: NDArray[np.bool_], noticed: NDArray[np.uint8]) -> float:
    """Gini coefficient of the absolute pixels in a map (Lotz et al. 2004, equation 6).

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    gini_map : ndarray [y, x], bool
        From `gini_map`.
    noticed : ndarray [flag], uint8
        Flags to raise.

    Returns
    -------
    float
        0 for light spread evenly, 1 for all of it in one pixel; NaN for a single pixel or no light.
    """
    values = _values_inside(stamp.pixels, gini_map)
    n = values.size
    for index in range(n):
        values[index] = abs(values[index])
    ascending = sorted_values(values)
    total, weighted = 0.0, 0.0
    for rank in range(n):
        total += ascending[rank]
        # Lotz et al. (2004), eq. 6, ranks from 1: sum of (2 i - n - 1) |X_i| over |mean| n (n - 1)
        weighted += (2.0 * (rank + 1) - n - 1.0) * ascending[rank]
    if n <= 1 or total == 0.0:
        noticed[flags.GINI_UNDEFINED] = 1
        return np.nan
    return weighted / ((n - 1.0) * total)


@compiled
def m20(stamp: Stamp, gini_map: NDArray[np.bool_], noticed: NDArray[np.uint8]) -> float:
    """Second moment of the brightest fifth of the light, log10 of its share (Lotz et al. 2004, equation 8).

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    gini_map : ndarray [y, x], bool
        From `gini_map`.
    noticed : ndarray [flag], uint8
        Flags to raise.

    Returns
    -------
    float
        NaN where there is no light or a moment is not positive.
    """
    flux, x, y = _centroid_inside(stamp.pixels, gini_map)
    if not flux > 0.0:
        noticed[flags.M20_UNDEFINED] = 1
        return np.nan
    # Lotz et al. (2004), eq. 8: the brightest pixels that hold 20 % of the flux
    threshold = _brightest_fifth(sorted_values(_values_inside(stamp.pixels, gini_map)))
    total, brightest = _second_moments(stamp.pixels, gini_map, x, y, threshold)
    if not (total > 0.0 and brightest > 0.0):
        noticed[flags.M20_UNDEFINED] = 1
        return np.nan
    # Lotz et al. (2004), eq. 8, about the centroid of the map's light
    return np.log10(brightest / total)


@compiled
def _centroid_inside(image: NDArray[np.float64], inside: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Flux inside a map and its centroid x, y."""
    flux, first_x, first_y = 0.0, 0.0, 0.0
    n_y, n_x = image.shape
    for y in range(n_y):
        row_flux = 0.0
        for x in range(n_x):
            if inside[y, x]:
                row_flux += image[y, x]
                first_x += image[y, x] * x
        flux += row_flux
        first_y += row_flux * y
    return flux, first_x / flux, first_y / flux


@compiled
def _brightest_fifth(ascending: NDArray[np.float64]) -> float:
    """Faintest pixel of those that make up the brightest 20 % of the light, NaN where there is none."""
    total = 0.0
    for rank in range(ascending.size):
        total += ascending[rank]
    fainter = 0.0
    for rank in range(ascending.size):
        fainter += ascending[rank]
        # the pixel at which the sum from the faint end first holds 80 %; it belongs to the bright ones
        if fainter / total >= M20_FAINT_FRACTION:
            return ascending[rank]
    return np.nan


@compiled
def _second_moments(
    image: NDArray[np.float64], inside: NDArray[np.bool_], x_0: float, y_0: float, threshold: float
) -> tuple[float, float]:
    """Second moments about a point of all the light inside a map, and of its pixels from a threshold on."""
    total, brightest = 0.0, 0.0
    n_y, n_x = image.shape
    for y in range(n_y):
        for x in range(n_x):
            if inside[y, x]:
                # Lotz et al. (2004), eq. 7
                moment = image[y, x] * ((x - x_0) ** 2 + (y - y_0) ** 2)
                total += moment
                if image[y, x] >= threshold:
                    brightest += moment
    return total, brightest


@compiled
def bulge_statistic(gini: float, m20: float) -> float:
    """Gini-M20 bulge statistic F, above 0 for early types (Rodriguez-Gomez et al. 2019, equation 3)."""
    return -0.693 * m20 + 4.95 * gini - 3.96


@compiled
def merger_statistic(gini: float, m20: float) -> float:
    """Gini-M20 merger statistic S, above 0 for mergers (Rodriguez-Gomez et al. 2019, equation 4)."""
    return 0.139 * m20 + 0.990 * gini - 0.327


@compiled
def noise_map(stamp: Stamp, gain: float, sky: SkyBox, sigma_map: NDArray[np.float64]) -> NDArray[np.float64]:
    """One standard deviation of each pixel, from Poisson statistics and the sky or as given.

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    gain : float
        Flux unit to electrons, infinite where it is not known; not read where a map is given.
    sky : SkyBox
        Its sigma counts where it is known.
    sigma_map : ndarray [y, x], float64
        One sigma a pixel of the whole image the stamp was cut from, or 0 x 0 for none.

    Returns
    -------
    ndarray [y, x], float64
        Flux per pixel, 0 where masked.
    """
    n_y, n_x = stamp.pixels.shape
    noise = np.zeros((n_y, n_x))
    is_given = sigma_map.size > 0
    sky_variance = sky.sigma**2 if sky.is_known else 0.0
    # nothing is known: all pixels weigh alike
    if not is_given and not sky_variance > 0.0 and gain == math.inf:
        sky_variance = 1.0
    for y in range(n_y):
        for x in range(n_x):
            if stamp.mask[y, x]:
                continue
            if is_given:
                noise[y, x] = sigma_map[y + stamp.y_min, x + stamp.x_min]
            else:
                # Poisson noise of flux times gain electrons, in flux units, and the sky's
                noise[y, x] = np.sqrt(abs(stamp.raw[y, x]) / gain + sky_variance)
    return noise


@compiled
def sn_per_pixel(
    stamp: Stamp, gini_map: NDArray[np.bool_], noise: NDArray[np.float64], noticed: NDArray[np.uint8]
) -> float:
    """Mean signal-to-noise of the pixels in a map that are not negative (Lotz et al. 2004, equation 5).

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    gini_map : ndarray [y, x], bool
        From `gini_map`.
    noise : ndarray [y, x], float64
        From `noise_map`; pixels of noise 0 are left out, a negative one counts by its absolute value.
    noticed : ndarray [flag], uint8
        Flags to raise.

    Returns
    -------
    float
        NaN where no pixel is left.
    """
    total, count = 0.0, 0
    n_y, n_x = noise.shape
    for y in range(n_y):
        for x in range(n_x):
            sigma = abs(noise[y, x])
            # Lotz et al. (2004), eq. 5; statmorph leaves out negative pixels
            if gini_map[y, x] and stamp.pixels[y, x] >= 0.0 and sigma > 0.0:
                total += stamp.pixels[y, x] / sigma
                count += 1
    if count == 0:
        noticed[flags.SN_UNDEFINED] = 1
        return np.nan
    return total / count


@compiled
def smoothness(
    stamp: Stamp, sky: SkyBox, x: float, y: float, r_petro: float, noticed: NDArray[np.uint8]
) -> float:
    """Light in clumps smaller than a quarter of the Petrosian radius (Lotz et al. 2004, equation 11).

    What stands out of a boxcar of int(0.25 r_petro) pixels (the next odd number where all of the background is the
    sky), between 0.25 and 1.5 r_petro, less the same of the
    sky. A boxcar of 0 or 1 pixel leaves nothing to stand out: the value is 0, as in statmorph.

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    sky : SkyBox
        Whose smoothness is taken off, where it is known.
    x, y : float
        Asymmetry center, pixels of the stamp.
    r_petro : float
        Circular Petrosian radius, pixels.
    noticed : ndarray [flag], uint8
        Flags to raise.

    Returns
    -------
    float
        NaN where the annulus has no light.
    """
    if not 0.0 < r_petro < np.inf:
        noticed[flags.SMOOTHNESS_UNDEFINED] = 1
        return np.nan
    r_in, r_out = CLUMP_PER_R_PETRO * r_petro, APERTURE_PER_R_PETRO * r_petro
    # cut, not rounded: the boxcar of 0.7.2
    boxcar_pix = int(CLUMP_PER_R_PETRO * r_petro)
    if is_all_background(sky) and boxcar_pix % 2 == 0 and boxcar_pix > 0:
        # an even one is off-center
        boxcar_pix += 1
    clumps = _clumps(stamp.pixels, boxcar_pix)
    clump_sums = row_prefix_sums(clumps)
    flux = _disc_sum(stamp.pixels, stamp.row_sums, x, y, r_out) - _disc_sum(
        stamp.pixels, stamp.row_sums, x, y, r_in
    )
    clump_flux = _disc_sum(clumps, clump_sums, x, y, r_out) - _disc_sum(clumps, clump_sums, x, y, r_in)
    if not flux > 0.0:
        noticed[flags.SMOOTHNESS_UNDEFINED] = 1
        return np.nan
    # the sky's part by the geometric area, unlike the asymmetry's
    area = np.pi * (r_out**2 - r_in**2)
    if sky.is_known and sky.side_pix > 0:
        clump_flux -= area * _box_clumps(stamp.pixels, sky, boxcar_pix)
    elif is_all_background(sky):
        reach_pix = r_out + boxcar_pix
        clump_flux -= area * _distant_clumps(clumps, stamp.occupied, stamp.mask, (x, y), reach_pix)
    return clump_flux / flux


@compiled
def _clumps(image: NDArray[np.float64], boxcar_pix: int) -> NDArray[np.float64]:
    """Take the boxcar mean off an image; 0 where nothing stands out."""
    height, width = image.shape
    clumps = np.zeros((height, width))
    if boxcar_pix > 1:
        smooth = uniform_filter(image, boxcar_pix)
        for y in range(height):
            for x in range(width):
                # Lotz et al. (2004), eq. 11: negative residuals are 0; without Conselice's (2003) factor of 10
                clumps[y, x] = max(image[y, x] - smooth[y, x], 0.0)
    return clumps


@compiled
def _disc_sum(
    image: NDArray[np.float64], row_sums: NDArray[np.float64], x: float, y: float, radius: float
) -> float:
    return ellipse_sum(image, row_sums, Ellipse(x, y, radius, radius, 0.0))


@compiled
def _box_clumps(pixels: NDArray[np.float64], sky: SkyBox, boxcar_pix: int) -> float:
    """Mean per pixel of what stands out of the sky box, mirrored at its edges."""
    side = sky.side_pix
    box = values_of_box(pixels, sky.x, sky.y, side).reshape((side, side))
    clumps = _clumps(box, boxcar_pix)
    total = 0.0
    for row in range(side):
        for column in range(side):
            total += clumps[row, column]
    return total / (side * side)


@compiled
def _distant_clumps(
    clumps: NDArray[np.float64],
    occupied: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    center: tuple[float, float],
    reach_pix: float,
) -> float:
    """Mean per pixel of what stands out of the background that the galaxy does not reach; 0 where there is none."""
    total, count = 0.0, 0
    height, width = clumps.shape
    for row in range(height):
        for column in range(width):
            squared = (column - center[0]) ** 2 + (row - center[1]) ** 2
            if squared > reach_pix * reach_pix and not (occupied[row, column] or mask[row, column]):
                total += clumps[row, column]
                count += 1
    return total / count if count > 0 else 0.0
