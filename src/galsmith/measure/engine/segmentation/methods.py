"""Finding the galaxy in a stamp, in compiled code: the method of Holzschuh et al. (2022), and one for survey stamps.

`paper_map` gives their evaluation's maps to the bit. `survey_map` avoids what makes these depend on chance: a threshold
lifted by the galaxy's own wings, a brighter neighbor taken for the galaxy, an outline smoothed by an off-center box.
"""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine import flags
from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.numerics.filters import uniform_filter
from galsmith.measure.engine.numerics.ordering import (
    clipped_about_median,
    kept_range,
    mean_of,
    median_of_sorted,
    sorted_values,
    standard_deviation,
)
from galsmith.measure.engine.segmentation.regions import bounding_box, label_areas, label_regions

# photutils' detect_threshold: SigmaClip(sigma=3, maxiters=10) about the median
CLIP_SIGMA = 3.0
CLIP_ITERATIONS = 10
# of the survey's method: depth of the border, and how far from the middle the galaxy may lie
BORDER_FRACTION = 16
CENTER_FRACTION = 8
# Gaussian noise has its quartiles 0.6745 standard deviations from its median
QUARTILE_PER_SIGMA = 0.6744897501960817
# 5 magnitudes are a factor of 100
FAINTEST_ISOPHOTE = 0.01
GALAXY = 1
OTHER_SOURCE = 2
FOUND = -1

PAPER_METHOD = (
    "threshold = sigma-clipped mean + {threshold_sigma} standard deviations (clipped at 3 sigma about the median, at most "
    "10 times); sources of at least {minimum_pixels} 8-connected pixels above it; the one of largest area; its "
    "outline smoothed by a uniform filter of {smoothing_pix} px, kept above 0.5"
)
SURVEY_METHOD = (
    "sky = median of the stamp's border, a sixteenth of its side deep, clipped at 3 sigma, sigma being 1.48 times the "
    "distance of the lower quartile; sources of at least {minimum_pixels} 8-connected pixels that exceed the sky by "
    "{threshold_sigma} sigma once smoothed by (1 2 1) in both directions; the one nearest to the stamp's center, at most "
    "an eighth of the shorter side away; where that isophote lies over 5 magnitudes below the mean surface brightness "
    "of the brighter half of the galaxy's light, the isophote at 5 magnitudes; all other sources are masked; "
    "sources that touch are not separated"
)


@compiled
def finite_values(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Copy the pixels that are finite, in raster order, [n]."""
    values = np.empty(image.size)
    count = 0
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            values[count] = image[y, x]
            if math.isfinite(image[y, x]):
                count += 1
    return values[:count].copy()


@compiled
def paper_threshold(image: NDArray[np.float64], threshold_sigma: float) -> float:
    """Sigma-clipped mean plus some standard deviations of all pixels; NaN where none is finite.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Flux per pixel.
    threshold_sigma : float
        How many standard deviations.

    Returns
    -------
    float
        What photutils' ``detect_threshold`` gives, flux per pixel.
    """
    ascending = sorted_values(finite_values(image))
    # the mean of what the clip keeps, although it clips about the median: photutils' background is the mean
    start, stop = clipped_about_median(ascending, 0, len(ascending), CLIP_SIGMA, CLIP_ITERATIONS)
    mean = mean_of(ascending, start, stop)
    return mean + threshold_sigma * standard_deviation(ascending, start, stop, mean)


@compiled
def _above(image: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    height, width = image.shape
    above = np.empty((height, width), dtype=np.bool_)
    for y in range(height):
        for x in range(width):
            # above, not at: photutils' detect_sources
            above[y, x] = image[y, x] > threshold
    return above


@compiled
def _smoothed_outline(labels: NDArray[np.int32], label: int, smoothing_pix: int) -> NDArray[np.int32]:
    """Map where a label covers more than half of the box around a pixel, [y, x] int32.

    Only where the box may reach the label: elsewhere the sums of the filter are exactly 0.
    """
    height, width = labels.shape
    x_first, x_last, y_first, y_last = bounding_box(labels, label)
    # the filter's running sums start at exact zeros here as they would at the image's edge: same bits
    left, right = max(x_first - smoothing_pix, 0), min(x_last + smoothing_pix + 1, width)
    top, bottom = max(y_first - smoothing_pix, 0), min(y_last + smoothing_pix + 1, height)
    indicator = np.empty((bottom - top, right - left))
    for y in range(top, bottom):
        for x in range(left, right):
            indicator[y - top, x - left] = 1.0 if labels[y, x] == label else 0.0
    smooth = uniform_filter(indicator, smoothing_pix)
    outline = np.zeros((height, width), dtype=np.int32)
    for y in range(top, bottom):
        for x in range(left, right):
            # sums of k / size per axis: ties at one half hang on the rounding of SciPy's running sums
            if smooth[y - top, x - left] > 0.5:
                outline[y, x] = GALAXY
    return outline


@compiled
def paper_map(
    image: NDArray[np.float64], threshold_sigma: float, minimum_pixels: int, smoothing_pix: int
) -> tuple[NDArray[np.int32], int]:
    """Map the source of largest area as Holzschuh et al. (2022) did, to the bit; `PAPER_METHOD` has the words.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Flux per pixel; what is not finite is no source.
    threshold_sigma : float
        Standard deviations above the sigma-clipped mean.
    minimum_pixels : int
        A source has at least so many pixels.
    smoothing_pix : int
        Box that smooths the outline; an even one is off-center by half a pixel.

    Returns
    -------
    segmentation_map : ndarray [y, x], int32
        1 where the galaxy is; 0 everywhere where there is none.
    status : int
        -1, or the flag that says why there is none: `NO_SOURCE`, or `SOURCE_BELOW_SMOOTHING` where it does not
        outlive the smoothing.
    """
    labels, count = label_regions(_above(image, paper_threshold(image, threshold_sigma)))
    areas = label_areas(labels, count)
    largest = 0
    for label in range(1, count + 1):
        # photutils drops small sources first; of equal areas numpy.argmax takes the lowest label
        if areas[label] >= minimum_pixels and (largest == 0 or areas[label] > areas[largest]):
            largest = label
    if largest == 0:
        return np.zeros(image.shape, dtype=np.int32), flags.NO_SOURCE
    segmentation_map = _smoothed_outline(labels, largest, smoothing_pix)
    is_left = (segmentation_map == GALAXY).any()
    return segmentation_map, FOUND if is_left else flags.SOURCE_BELOW_SMOOTHING


@compiled
def border_values(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Copy the finite pixels along the four sides, a sixteenth of the side deep, at least one pixel, [n]."""
    height, width = image.shape
    rows, columns = max(1, height // BORDER_FRACTION), max(1, width // BORDER_FRACTION)
    values = np.empty(image.size)
    count = 0
    for y in range(height):
        is_inner_row = rows <= y < height - rows
        for x in range(width):
            # corners belong to the border once
            if is_inner_row and columns <= x < width - columns:
                continue
            values[count] = image[y, x]
            if math.isfinite(image[y, x]):
                count += 1
    return values[:count].copy()


@compiled
def border_level(image: NDArray[np.float64]) -> float:
    """Median of the finite pixels along the four sides, a sixteenth of the side deep: the sky of a picture.

    The galaxy reaches the border last, so this lies below the clipped mean of the whole stamp, which the wings
    of a galaxy lift. NaN where no such pixel is finite.
    """
    values = sorted_values(border_values(image))
    return median_of_sorted(values, 0, len(values))


@compiled
def border_sky(image: NDArray[np.float64]) -> tuple[float, float]:
    """Level and noise of the sky from the stamp's border.

    Wings and neighbors only add light, so the noise comes from the pixels below the median: 1.48 times the
    distance of the lower quartile, which is the standard deviation of Gaussian noise. Clipped at 3 of these about
    the median, at most 10 times.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Flux per pixel.

    Returns
    -------
    level, sigma : float
        Flux per pixel; NaN where no pixel of the border is finite.
    """
    ascending = sorted_values(border_values(image))
    start, stop = 0, len(ascending)
    level = sigma = math.nan
    for _ in range(CLIP_ITERATIONS):
        # wings and neighbors lift the upper half only, so that the width is that of the lower quartile
        level = median_of_sorted(ascending, start, stop)
        sigma = (level - _lower_quartile(ascending, start, stop)) / QUARTILE_PER_SIGMA
        first, last = kept_range(
            ascending, start, stop, level - CLIP_SIGMA * sigma, level + CLIP_SIGMA * sigma
        )
        # nothing left, or nothing more to drop
        if last == first or (first == start and last == stop):
            break
        start, stop = first, last
    return level, sigma


@compiled
def _lower_quartile(ascending: NDArray[np.float64], start: int, stop: int) -> float:
    """Quartile of the ascending values[start:stop], interpolated as NumPy does; NaN of none."""
    if stop <= start:
        return math.nan
    # numpy.quantile, method "linear"
    place = 0.25 * (stop - start - 1)
    below = int(place)
    low = ascending[start + below]
    high = ascending[min(start + below + 1, stop - 1)]
    return low + (place - below) * (high - low)


@compiled
def _excess_with_edges(image: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Subtract the sky and repeat the edge in a border one pixel wide; 0 where a pixel is not finite."""
    height, width = image.shape
    result = np.empty((height + 2, width + 2))
    for y in range(height + 2):
        row = image[min(max(y - 1, 0), height - 1)]
        for x in range(width):
            result[y, x + 1] = row[x] - level if math.isfinite(row[x]) else 0.0
        result[y, 0], result[y, width + 1] = result[y, 1], result[y, width]
    return result


@compiled
def smoothed_excess(image: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Smooth what exceeds the sky by (1 2 1) / 4 in both directions.

    The terms are added in pairs such that an image turned by 90 degrees or flipped gives the same, turned or
    flipped, to the bit.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Flux per pixel; the edge is repeated; a pixel that is not finite counts as sky.
    level : float
        Of the sky.

    Returns
    -------
    ndarray [y, x], float64
        Flux per pixel.
    """
    height, width = image.shape
    padded = _excess_with_edges(image, level)
    result = np.empty((height, width))
    for y in range(height):
        low, row, high = padded[y], padded[y + 1], padded[y + 2]
        for x in range(width):
            # pairs that a flip or a quarter turn exchanges are added first, so that the sum's bits stay
            sides = (low[x + 1] + high[x + 1]) + (row[x] + row[x + 2])
            rows = (low[x] + low[x + 2]) + (high[x] + high[x + 2])
            columns = (low[x] + high[x]) + (low[x + 2] + high[x + 2])
            result[y, x] = (4.0 * row[x + 1] + (2.0 * sides + 0.5 * (rows + columns))) / 16.0
    return result


@compiled
def _nearness(labels: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """Smallest squared distance of each label from the stamp's center, [label], in quarters of a square pixel."""
    height, width = labels.shape
    nearest = np.full(count + 1, np.iinfo(np.int64).max)
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            # twice the distance, in integers: no rounding decides between two labels
            distance = (2 * x + 1 - width) ** 2 + (2 * y + 1 - height) ** 2
            if label > 0 and distance < nearest[label]:
                nearest[label] = distance
    return nearest


@compiled
def _central_label(labels: NDArray[np.int32], areas: NDArray[np.int64], minimum_pixels: int) -> int:
    """Choose the label nearest to the stamp's center, of equally near ones the largest; 0 where none is near."""
    height, width = labels.shape
    nearest = _nearness(labels, len(areas) - 1)
    # doubled like the distances; at least one pixel
    reach = max(2.0, 2.0 * min(height, width) / CENTER_FRACTION)
    chosen = 0
    for label in range(1, len(areas)):
        if areas[label] < minimum_pixels or nearest[label] > reach * reach:
            continue
        closer = nearest[label] - nearest[chosen] if chosen > 0 else -1
        if closer < 0 or (closer == 0 and areas[label] > areas[chosen]):
            chosen = label
    return chosen


@compiled
def _faintest_isophote(
    excess: NDArray[np.float64], labels: NDArray[np.int32], label: int, area: int
) -> float:
    """Take a hundredth of the mean surface brightness of the pixels with the brighter half of a label's light."""
    values = np.empty(area)
    count = 0
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            if labels[y, x] == label:
                values[count] = excess[y, x]
                count += 1
    values = sorted_values(values)
    total = 0.0
    for value in values:
        total += value
    bright = 0.0
    brightest = 0
    # half of the light, from the brightest pixel down
    while brightest < area and bright < 0.5 * total:
        brightest += 1
        bright += values[area - brightest]
    return FAINTEST_ISOPHOTE * bright / max(1, brightest)


@compiled
def _sources_above(
    excess: NDArray[np.float64], threshold: float, minimum_pixels: int
) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
    """Labels above a threshold, the area of each, and the central one."""
    labels, count = label_regions(_above(excess, threshold))
    areas = label_areas(labels, count)
    return labels, areas, _central_label(labels, areas, minimum_pixels)


@compiled
def _galaxy_and_others(
    labels: NDArray[np.int32], areas: NDArray[np.int64], central: int, minimum_pixels: int
) -> NDArray[np.int32]:
    """Map the central label as the galaxy and those of enough pixels as other sources."""
    height, width = labels.shape
    result = np.zeros((height, width), dtype=np.int32)
    for y in range(height):
        for x in range(width):
            label = labels[y, x]
            if label == central:
                result[y, x] = GALAXY
            elif label > 0 and areas[label] >= minimum_pixels:
                result[y, x] = OTHER_SOURCE
    return result


@compiled
def survey_map(
    image: NDArray[np.float64], threshold_sigma: float, minimum_pixels: int
) -> tuple[NDArray[np.int32], int]:
    """Map the source at the center of a survey's stamp, and all others; `SURVEY_METHOD` has the words.

    An image turned by 90 degrees or flipped gives the map turned or flipped. Sources that touch are not separated.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Flux per pixel, of any sky level; what is not finite is no source.
    threshold_sigma : float
        Standard deviations of a pixel's noise above the sky.
    minimum_pixels : int
        A source has at least so many pixels.

    Returns
    -------
    segmentation_map : ndarray [y, x], int32
        1 where the galaxy is, 2 where other sources are, which have to be masked; 0 for the background.
    status : int
        -1, or the flag `NO_SOURCE`, the map then being 0 everywhere.
    """
    no_map = np.zeros(image.shape, dtype=np.int32)
    level, sigma = border_sky(image)
    if not math.isfinite(sigma):
        return no_map, flags.NO_SOURCE
    # the threshold counts the noise of a single pixel: smoothing lowers it, which makes detections safer
    excess = smoothed_excess(image, level)
    labels, areas, central = _sources_above(excess, threshold_sigma * sigma, minimum_pixels)
    if central > 0:
        isophote = _faintest_isophote(excess, labels, central, areas[central])
        if isophote > threshold_sigma * sigma:
            labels, areas, central = _sources_above(excess, isophote, minimum_pixels)
    if central == 0:
        return no_map, flags.NO_SOURCE
    return _galaxy_and_others(labels, areas, central, minimum_pixels), FOUND
