"""The galaxy's shape: centroid, moments, the map of what rises above the sky, and how far it reaches from the center."""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine import flags
from galsmith.measure.engine.compiled import compiled, compiled_sum
from galsmith.measure.engine.light.apertures import Geometry
from galsmith.measure.engine.numerics.filters import uniform_filter
from galsmith.measure.engine.numerics.ordering import sorted_values
from galsmith.measure.engine.segmentation.regions import at_least, brightest_pixel, region_with
from galsmith.measure.engine.sky import one_sigma_above_mode, values_of_box
from galsmith.measure.engine.stamp import Moments, SkyBox, Stamp

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
        # row by row: the inner sums need no square of y
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
    # statmorph's _centroid: first moments, negative pixels included
    x, y = sum_x / flux, sum_y / flux
    if not (0.0 <= x < width and 0.0 <= y < height):
        noticed[flags.CENTROID_OUT_OF_RANGE] = 1
        # statmorph's substitute for a centroid off the stamp
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
        # statmorph's _covariance_generic: add 1/12 to both until the determinant is (1/12)^2
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
    # eigenvalues of the 2 x 2 covariance; their absolute values, as light may be negative
    split = math.sqrt(half_difference * half_difference + xy * xy)
    one, other = abs(middle + split), abs(middle - split)
    major, minor = math.sqrt(max(one, other)), math.sqrt(min(one, other))
    # Bertin & Arnouts (1996); in (-pi/2, pi/2]
    orientation = 0.5 * math.atan2(2.0 * xy, x2 - y2)
    return Moments(1.0 - minor / major, major / minor, orientation)


# statmorph's petro_extent_flux, and twice it; Pawlik et al. (2016) take 20 and 40 FWHM
INNER_PER_R_PETRO = 2.0
OUTER_PER_R_PETRO = 4.0
# statmorph's skybox_size squared; boxcar_size_shape_asym
FEWEST_SKY_PIXELS = 32 * 32
BOXCAR_PIX = 3


@compiled
def shape_map(
    stamp: Stamp, sky: SkyBox, x: float, y: float, r_petro_ellip: float, noticed: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Map the region about the brightest pixel that lies one sigma above the mode of the sky.

    The sky is the annulus of 2 to 4 r_petro_ellip, clipped at 3 sigma about its mode until nothing changes; where
    it has fewer than 32 x 32 pixels, the sky box; the image is smoothed by a boxcar of 3 pixels (Pawlik et al.
    2016, section 3.1, as statmorph 0.7.2 has it).

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    sky : SkyBox
        Read where the annulus is too small.
    x, y : float
        Asymmetry center, pixels of the stamp.
    r_petro_ellip : float
        Petrosian semi-major axis, pixels.
    noticed : ndarray [flag], uint8
        Flags to raise.

    Returns
    -------
    ndarray [y, x], bool
        The galaxy's segment where no sky was found.
    """
    r_in, r_out = INNER_PER_R_PETRO * r_petro_ellip, OUTER_PER_R_PETRO * r_petro_ellip
    values = _annulus_values(stamp.pixels, stamp.mask, x, y, r_in, r_out)
    # statmorph's _segmap_shape_asym, whose annulus is a circle although its radius is the ellipse's
    if values.size < FEWEST_SKY_PIXELS:
        if not sky.is_known:
            noticed[flags.SHAPE_MAP_UNDEFINED] = 1
            return stamp.segment.copy()
        noticed[flags.SHAPE_MAP_FROM_SKY_BOX] = 1
        values = values_of_box(stamp.pixels, sky.x, sky.y, sky.side_pix)
    if values.size > 0:
        threshold = one_sigma_above_mode(sorted_values(values))
    else:  # no box, but all of the background
        # the mode of Bertin & Arnouts (1996) plus one sigma, from the annulus mode's own statistics
        threshold = 2.5 * sky.median - 1.5 * sky.mean + sky.sigma
    smooth = uniform_filter(stamp.pixels, BOXCAR_PIX)
    above, _ = at_least(smooth, threshold)
    y_peak, x_peak = brightest_pixel(smooth)
    if not above[y_peak, x_peak]:
        noticed[flags.SHAPE_PEAK_ADDED] = 1
        above[y_peak, x_peak] = True
    return region_with(above, y_peak, x_peak)[0]


@compiled
def _annulus_values(
    pixels: NDArray[np.float64], mask: NDArray[np.bool_], x: float, y: float, r_in: float, r_out: float
) -> NDArray[np.float64]:
    """Unmasked pixels whose centers lie in a circular annulus; its inner edge belongs to it, its outer one not."""
    height, width = pixels.shape
    values = np.empty(height * width)
    count = 0
    for row in range(height):
        for column in range(width):
            squared = (column - x) ** 2 + (row - y) ** 2
            # photutils' to_mask(method="center"): pixel centers decide
            if r_in * r_in <= squared < r_out * r_out and not mask[row, column]:
                values[count] = pixels[row, column]
                count += 1
    return values[:count]


@compiled
def r_max(shape_map: NDArray[np.bool_], geometry: Geometry, noticed: NDArray[np.uint8]) -> float:
    """Semi-major axis of the smallest ellipse about the center that holds a map.

    Parameters
    ----------
    shape_map : ndarray [y, x], bool
        From `shape_map`.
    geometry : Geometry
        About the asymmetry center.
    noticed : ndarray [flag], uint8
        Flags to raise.

    Returns
    -------
    float
        Pixels; NaN for an empty map.
    """
    x, y, elongation, theta = geometry
    cosine, sine = np.cos(theta), np.sin(theta)
    farthest = -1.0
    for row in range(shape_map.shape[0]):
        # a convex function is greatest at the ends of a row: the pixels between cannot be farther
        for column in _row_ends(shape_map[row]):
            if column >= 0:
                along = (column - x) * cosine + (row - y) * sine
                across = -(column - x) * sine + (row - y) * cosine
                farthest = max(farthest, along**2 + (across * elongation) ** 2)
    if not farthest > 0.0:
        noticed[flags.R_MAX_ZERO] = 1
        return 0.0 if farthest == 0.0 else np.nan
    return np.sqrt(farthest)


@compiled
def _row_ends(row: NDArray[np.bool_]) -> tuple[int, int]:
    """Find the first and last pixel of a map in a row, where the distance from any point is greatest; -1 for none."""
    first, last = -1, -1
    for column in range(row.size):
        if row[column]:
            last = column
            if first < 0:
                first = column
    return first, last
