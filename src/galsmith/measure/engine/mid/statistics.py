"""Multimode, intensity and deviation, and the map of the galaxy on which they are measured.

Freeman et al. (2013), with the changes of Peth et al. (2016) and of Rodriguez-Gomez et al. (2019), section 4.5.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.flags import (
    DEVIATION_UNDEFINED,
    MAPS_DIFFER,
    MAPS_EMPTY,
    MID_MAP_IS_GINI_MAP,
    MID_PEAK_ADDED,
    MID_SINGLE_CLUMP,
)
from galsmith.measure.engine.mid.basin_hopping import energy, hop
from galsmith.measure.engine.mid.clumps import ClumpAreas, bordered, main_clump_means, two_largest_areas
from galsmith.measure.engine.mid.watershed import find_peaks, flood_from_peaks, flux_around_peaks
from galsmith.measure.engine.numerics.brightness import brightness_order, pairwise_sum
from galsmith.measure.engine.numerics.filters import gaussian_filter
from galsmith.measure.engine.numerics.searches import POINT, RESULT, bracketed, next_point
from galsmith.measure.engine.segmentation.regions import region_with
from galsmith.measure.engine.stamp import Stamp

ETA = 0.2  # surface brightness at the map's edge, in units of the mean within
CLOSE_TO_ETA = 1e-9
COARSEST_STEP = 0.02
FINEST_STEP = 1e-3
RELATIVE_TEMPERATURE = 0.5
SMOOTHING_SIGMA_PIX = 1.0
MIRRORED = True
SMOOTHING_REACH_PIX = 6  # of the Gaussian, cut at 4 sigma, and a border without peaks


class MidStatistics(NamedTuple):
    """What is measured on the MID map.

    Attributes
    ----------
    map : ndarray [y, x], bool
        The MID map.
    multimode, intensity, deviation : float
        M, I and D; the deviation is NaN where it is undefined.
    """

    map: NDArray[np.bool_]
    multimode: float
    intensity: float
    deviation: float


class Brightness(NamedTuple):
    """A galaxy's pixels in the order of their brightness.

    Attributes
    ----------
    flux : ndarray [pixel], float64
        Its stamp, flat and with a border, as `bordered` gives it.
    width : int
        Length of a row of it.
    order : ndarray [n_positive], int64
        Indices of the pixels above zero, the faintest first.
    n_zero : int
        Number of its other pixels, which count as zeros.
    """

    flux: NDArray[np.float64]
    width: int
    order: NDArray[np.int64]
    n_zero: int


@compiled
def brightness_of(stamp: Stamp) -> Brightness:
    """Sort the pixels of a galaxy's segment."""
    flux = bordered(stamp.galaxy)
    order = brightness_order(flux)
    n_pixels = 0
    for y in range(stamp.segment.shape[0]):
        for x in range(stamp.segment.shape[1]):
            n_pixels += stamp.segment[y, x]
    return Brightness(flux, stamp.galaxy.shape[1] + 2, order, n_pixels - len(order))


@compiled
def _threshold(brightness: Brightness, quantile: float) -> float:
    """Flux of the pixel at a quantile, the lower neighbor, negative pixels counted as zeros."""
    n_pixels = brightness.n_zero + len(brightness.order)
    # statmorph's _quantile takes the lower neighbor, without interpolation
    index = int(quantile * (n_pixels - 1)) - brightness.n_zero
    return float(brightness.flux[brightness.order[index]]) if index >= 0 else 0.0


@compiled
def _main_clump(stamp: Stamp, threshold: float) -> NDArray[np.bool_]:
    """Map the clump at or above a threshold that holds the brightest pixel; all of the stamp for 0."""
    n_y, n_x = stamp.galaxy.shape
    above = np.empty((n_y, n_x), dtype=np.bool_)
    for y in range(n_y):
        for x in range(n_x):
            # negative pixels count as zeros (Rodriguez-Gomez et al. 2019)
            above[y, x] = max(stamp.galaxy[y, x], 0.0) >= threshold
    return region_with(above, stamp.y_peak, stamp.x_peak)[0]


@compiled
def _main_clump_mean(stamp: Stamp, threshold: float) -> float:
    """Mean flux of the main clump, added in NumPy's order."""
    clump = _main_clump(stamp, threshold)
    values = np.empty(clump.size)
    count = 0
    for y in range(clump.shape[0]):
        for x in range(clump.shape[1]):
            if clump[y, x]:
                values[count] = stamp.galaxy[y, x]
                count += 1
    return pairwise_sum(values, 0, count) / count


@compiled
def _edge_excess(stamp: Stamp, brightness: Brightness, means: NDArray[np.float64], quantile: float) -> float:
    """Surface brightness at a quantile in units of the mean of the main clump above it, less `ETA`."""
    threshold = _threshold(brightness, quantile)
    if threshold == 0.0:
        return -ETA
    n_pixels = brightness.n_zero + len(brightness.order)
    # Freeman et al. (2013), section 4.3: the new pixels' flux over the mean of the clump above them
    excess = threshold / means[int(quantile * (n_pixels - 1)) - brightness.n_zero] - ETA
    if abs(excess) < CLOSE_TO_ETA:  # the sign may hang on the order of additions
        excess = threshold / _main_clump_mean(stamp, threshold) - ETA
    return excess


@compiled
def _majority(clump: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Map the pixels of whose 3 x 3 neighborhood more than half is in a clump, mirrored at the stamp's edges."""
    n_y, n_x = clump.shape
    result = np.zeros((n_y, n_x), dtype=np.bool_)
    columns = np.empty(n_x, dtype=np.int64)
    for y in range(n_y):
        above, below = clump[max(y - 1, 0)], clump[min(y + 1, n_y - 1)]
        for x in range(n_x):
            columns[x] = np.int64(above[x]) + np.int64(clump[y, x]) + np.int64(below[x])
        for x in range(n_x):
            # uniform_filter(size=3) > 0.5 of a 0/1 map: 5 of 9, counted in integers
            result[y, x] = columns[max(x - 1, 0)] + columns[x] + columns[min(x + 1, n_x - 1)] >= 5
    return result


@compiled
def _mid_map(
    stamp: Stamp, brightness: Brightness, gini_map: NDArray[np.bool_], noticed: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    means = main_clump_means(
        brightness.flux,
        brightness.order,
        brightness.width,
        (stamp.y_peak + 1) * brightness.width + stamp.x_peak + 1,
    )
    # statmorph's _segmap_mid: undefined where even the faintest pixel is too bright
    lowest = _edge_excess(stamp, brightness, means, 0.0)
    if not lowest <= 0.0:
        noticed[MID_MAP_IS_GINI_MAP] = 1
        return gini_map.copy()
    search = bracketed(0.0, lowest, 1.0, _edge_excess(stamp, brightness, means, 1.0))
    # brentq's xtol: one pixel in quantiles
    while next_point(search, 1.0 / (brightness.n_zero + len(brightness.order))):
        search[RESULT] = _edge_excess(stamp, brightness, means, search[POINT])
    region = _majority(_main_clump(stamp, _threshold(brightness, search[POINT])))
    if not region[stamp.y_peak, stamp.x_peak]:
        noticed[MID_PEAK_ADDED] = 1
        region[stamp.y_peak, stamp.x_peak] = True
    return region_with(region, stamp.y_peak, stamp.x_peak)[0]


@compiled
def mid_map(stamp: Stamp, gini_map: NDArray[np.bool_], noticed: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Map the galaxy down to where a pixel has a fifth of the mean brightness within.

    Of the pixels above that threshold, the clump with the brightest pixel, smoothed by a majority vote of 3 x 3
    pixels; where no threshold does, the Gini map.

    Parameters
    ----------
    stamp : Stamp
        Its `galaxy` has a pixel above zero.
    gini_map : ndarray [y, x], bool
        To fall back on.
    noticed : ndarray [flag], uint8
        Set: MID_MAP_IS_GINI_MAP, MID_PEAK_ADDED.

    Returns
    -------
    ndarray [y, x], bool
        True on the galaxy.
    """
    return _mid_map(stamp, brightness_of(stamp), gini_map, noticed)


@compiled
def _clump_areas(brightness: Brightness, region: NDArray[np.bool_]) -> ClumpAreas:
    """Areas of the two largest clumps within a map, at every threshold; what is outside counts as zeros."""
    kept = np.empty_like(brightness.order)
    values = np.empty(len(kept))
    count = 0
    for place in range(len(kept)):
        pixel = brightness.order[place]
        if region[pixel // brightness.width - 1, pixel % brightness.width - 1]:
            kept[count], values[count] = pixel, brightness.flux[pixel]
            count += 1
    largest, second = two_largest_areas(brightness.flux, kept[:count], brightness.width)
    n_pixels = brightness.n_zero + len(brightness.order)
    return ClumpAreas(largest, second, n_pixels - count, pairwise_sum(values, 0, count))


@compiled
def _coarse_minimum(clumps: ClumpAreas, step: float) -> tuple[float, float]:
    """First quantile of least energy on a grid from 0 to 1, and that energy."""
    best, least = 0.0, math.inf
    # numpy.arange(0, 1, step), whose points are number times step
    for number in range(math.ceil(1.0 / step)):
        # the first of equals, as numpy.argmin
        here = energy(number * step, clumps)
        if here < least:
            best, least = number * step, here
    return best, least


@compiled
def _multimode(brightness: Brightness, region: NDArray[np.bool_], noticed: NDArray[np.uint8]) -> float:
    clumps = _clump_areas(brightness, region)
    step = COARSEST_STEP
    start, least = _coarse_minimum(clumps, step)
    # stage 1: a finer grid until two clumps are found, down to steps below 1e-3
    while not least < 0.0:
        if step < FINEST_STEP:
            noticed[MID_SINGLE_CLUMP] = 1
            return 0.0
        step /= 2.0
        start, least = _coarse_minimum(clumps, step)
    # stage 2: basin hopping, temperature half of the energy found
    quantile = hop(start, step, -RELATIVE_TEMPERATURE * least, clumps)
    index = int(quantile * (clumps.n_zero + len(clumps.largest) - 1)) - clumps.n_zero
    # maximized is A2^2 / A1 (Freeman et al. 2013), given is A2 / A1 (Peth et al. 2016)
    return float(clumps.second[index]) / float(clumps.largest[index])


@compiled
def multimode(stamp: Stamp, region: NDArray[np.bool_], noticed: NDArray[np.uint8]) -> float:
    """Area of the second clump in units of the first's, M, at the threshold where A2^2 / A1 is largest.

    Parameters
    ----------
    stamp : Stamp
        Read: `galaxy` and `segment`.
    region : ndarray [y, x], bool
        The MID map.
    noticed : ndarray [flag], uint8
        Set: MID_SINGLE_CLUMP.

    Returns
    -------
    float
        0 where there is one clump at all thresholds; 1 at most.
    """
    return _multimode(brightness_of(stamp), region, noticed)


@compiled
def _box_around(region: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Rows and columns, the last left out, that hold a map and what smoothing makes of it, within the stamp."""
    n_y, n_x = region.shape
    y_start, y_stop, x_start, x_stop = n_y, 0, n_x, 0
    for y in range(n_y):
        for x in range(n_x):
            if region[y, x]:
                y_start, y_stop = min(y_start, y), y + 1
                x_start, x_stop = min(x_start, x), max(x_stop, x + 1)
    return (
        max(y_start - SMOOTHING_REACH_PIX, 0),
        min(y_stop + SMOOTHING_REACH_PIX, n_y),
        max(x_start - SMOOTHING_REACH_PIX, 0),
        min(x_stop + SMOOTHING_REACH_PIX, n_x),
    )


@compiled
def _two_brightest(flux_sums: NDArray[np.float64]) -> tuple[int, int]:
    """Find the two largest of two or more values, of equal ones the last first."""
    first, second = -1, -1
    for index in range(len(flux_sums)):
        # argsort read backwards puts the last of equal sums first
        if first < 0 or flux_sums[index] >= flux_sums[first]:
            first, second = index, first
        elif second < 0 or flux_sums[index] >= flux_sums[second]:
            second = index
    return first, second


@compiled
def _deviation(image: NDArray[np.float64], area: int, x_peak: int, y_peak: int) -> float:
    """Distance between a peak and the centroid in units of the radius of a disk of the same area; NaN if undefined."""
    total, sum_y, sum_x = 0.0, 0.0, 0.0
    for y in range(image.shape[0]):
        in_row = 0.0
        for x in range(image.shape[1]):
            in_row += image[y, x]
            sum_x += x * image[y, x]
        total += in_row
        sum_y += y * in_row
    if not total > 0.0:
        return math.nan
    distance = math.sqrt((x_peak - sum_x / total) ** 2 + (y_peak - sum_y / total) ** 2)
    # Freeman et al. (2013): in units of the radius of a disk of the map's area
    result = math.sqrt(math.pi / area) * distance
    return result if math.isfinite(result) else math.nan


@compiled
def intensity_and_deviation(
    stamp: Stamp, region: NDArray[np.bool_], noticed: NDArray[np.uint8]
) -> tuple[float, float]:
    """Light around the second peak in units of the first's, I, and how far the first is from the centroid, D.

    Peaks and the regions around them are those of the image smoothed with a Gaussian of 1 pixel.

    Parameters
    ----------
    stamp : Stamp
        Read: `galaxy`.
    region : ndarray [y, x], bool
        The MID map.
    noticed : ndarray [flag], uint8
        Set: DEVIATION_UNDEFINED.

    Returns
    -------
    intensity, deviation : float
        The intensity is 0 where there are fewer than two peaks, the deviation NaN where there are none.
    """
    # everything outside is 0 before and after smoothing, so the box gives the stamp's values
    y_start, y_stop, x_start, x_stop = _box_around(region)
    image = np.zeros((max(y_stop - y_start, 0), max(x_stop - x_start, 0)))
    area = 0
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if region[y_start + y, x_start + x]:
                image[y, x] = max(stamp.galaxy[y_start + y, x_start + x], 0.0)
                area += 1
    if area == 0:
        noticed[DEVIATION_UNDEFINED] = 1
        return 0.0, math.nan
    smooth = gaussian_filter(image, SMOOTHING_SIGMA_PIX, MIRRORED)
    rows, columns = find_peaks(smooth)
    if len(rows) == 0:
        noticed[DEVIATION_UNDEFINED] = 1
        return 0.0, math.nan
    first, intensity = 0, 0.0
    if len(rows) > 1:
        # sums of the smoothed image, as statmorph's _intensity_sums
        labels = flood_from_peaks(smooth, rows, columns)
        flux_sums = flux_around_peaks(smooth, labels, len(rows))
        first, second = _two_brightest(flux_sums)
        intensity = flux_sums[second] / flux_sums[first]
    deviation = _deviation(image, area, columns[first], rows[first])
    if math.isnan(deviation):
        noticed[DEVIATION_UNDEFINED] = 1
    return intensity, deviation


@compiled
def measure_mid(stamp: Stamp, gini_map: NDArray[np.bool_], noticed: NDArray[np.uint8]) -> MidStatistics:
    """Measure everything on the MID map, the pixels sorted once.

    Parameters
    ----------
    stamp, gini_map, noticed
        As in `mid_map`.

    Returns
    -------
    MidStatistics
        The map and the three statistics.
    """
    brightness = brightness_of(stamp)
    region = _mid_map(stamp, brightness, gini_map, noticed)
    modes = _multimode(brightness, region, noticed)
    intensity, deviation = intensity_and_deviation(stamp, region, noticed)
    return MidStatistics(region, modes, intensity, deviation)


LEAST_OVERLAP = 0.25


@compiled
def note_overlap(gini_map: NDArray[np.bool_], region: NDArray[np.bool_], noticed: NDArray[np.uint8]) -> None:
    """Compare the Gini map with the MID map: MAPS_EMPTY, or MAPS_DIFFER where under a quarter of the larger is shared.

    Parameters
    ----------
    gini_map, region : ndarray [y, x], bool
        The two maps.
    noticed : ndarray [flag], uint8
        Set.
    """
    n_gini = n_mid = n_both = 0
    for y in range(region.shape[0]):
        for x in range(region.shape[1]):
            n_gini += gini_map[y, x]
            n_mid += region[y, x]
            n_both += gini_map[y, x] and region[y, x]
    # statmorph's _check_segmaps
    larger = max(n_gini, n_mid)
    if larger == 0:
        noticed[MAPS_EMPTY] = 1
    elif n_both / larger < LEAST_OVERLAP:
        noticed[MAPS_DIFFER] = 1
