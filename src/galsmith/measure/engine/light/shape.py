"""The map of what rises above the sky, and how far it reaches from the center (Pawlik et al. 2016)."""

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine import flags
from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.numerics.filters import uniform_filter
from galsmith.measure.engine.numerics.ordering import sorted_values
from galsmith.measure.engine.segmentation.regions import at_least, brightest_pixel, region_with
from galsmith.measure.engine.sky.background import values_of_box
from galsmith.measure.engine.sky.mode import one_sigma_above_mode
from galsmith.measure.engine.stamp import SkyBox, Stamp

INNER_PER_R_PETRO = 2.0
OUTER_PER_R_PETRO = 4.0
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
    if values.size < FEWEST_SKY_PIXELS:
        if not sky.is_known:
            noticed[flags.SHAPE_MAP_UNDEFINED] = 1
            return stamp.segment.copy()
        noticed[flags.SHAPE_MAP_FROM_SKY_BOX] = 1
        values = values_of_box(stamp.pixels, sky.x, sky.y, sky.side_pix)
    if values.size > 0:
        threshold = one_sigma_above_mode(sorted_values(values))
    else:  # no box, but all of the background
        threshold = 2.5 * sky.median - 1.5 * sky.mean + sky.sigma
    smooth = uniform_filter(stamp.pixels, int(BOXCAR_PIX))  # a plain 3 would be compiled once more
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
            if r_in * r_in <= squared < r_out * r_out and not mask[row, column]:
                values[count] = pixels[row, column]
                count += 1
    return values[:count]


@compiled
def r_max(shape_map: NDArray[np.bool_], x: float, y: float, noticed: NDArray[np.uint8]) -> float:
    """Distance of a map's farthest pixel from the center.

    Parameters
    ----------
    shape_map : ndarray [y, x], bool
        From `shape_map`.
    x, y : float
        Asymmetry center, pixels of the stamp.
    noticed : ndarray [flag], uint8
        Flags to raise.

    Returns
    -------
    float
        Pixels; NaN for an empty map.
    """
    return r_max_ellip(shape_map, x, y, 1.0, 0.0, noticed)


@compiled
def r_max_ellip(
    shape_map: NDArray[np.bool_],
    x: float,
    y: float,
    elongation: float,
    theta: float,
    noticed: NDArray[np.uint8],
) -> float:
    """Semi-major axis of the smallest ellipse about the center that holds a map.

    Parameters
    ----------
    shape_map : ndarray [y, x], bool
        From `shape_map`.
    x, y : float
        Asymmetry center, pixels of the stamp.
    elongation, theta : float
        Of the ellipse: a/b, and radians counter-clockwise from +x.
    noticed : ndarray [flag], uint8
        Flags to raise.

    Returns
    -------
    float
        Pixels; NaN for an empty map.
    """
    cosine, sine = np.cos(theta), np.sin(theta)
    farthest = -1.0
    for row in range(shape_map.shape[0]):
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
