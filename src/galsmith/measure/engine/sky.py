"""The sky around a galaxy: statmorph's empty box, or all of the background beyond the galaxy; the mode of a crowded one.

The box is the first empty one, in a corner; where it lies is chance, and what it finds differs from corner to
corner. All of the background gives the same quantities with the noise of thousands of pixels instead of a few.
The mode comes from nested sigma clips (Bertin & Arnouts 1996), each of them a range of sorted values.
"""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine import flags
from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.numerics.ordering import (
    clipped_about_median,
    kept_range,
    mean_of,
    median_of_sorted,
    sorted_values,
    standard_deviation,
)
from galsmith.measure.engine.stamp import SkyBox, Stamp

# statmorph's skybox_size, and the 2 pixels at which its search gives up
LARGEST_BOX_PIX = 32
SMALLEST_BOX_PIX = 2
CLIP_SIGMA = 4.0  # takes 0.05 % off the standard deviation of pure noise
CLIP_ITERATIONS = 10
REACHES = (2.0, 1.5, 1.0)  # where the sky begins, in distances of the galaxy's farthest pixel
ENOUGH_PIXELS = LARGEST_BOX_PIX**2
FEWEST_PIXELS = 64
MARGIN_PIX = 0.5


@compiled
def first_empty_box(occupied: NDArray[np.bool_], side_pix: int) -> tuple[int, int]:
    """Find the first empty square in raster order, its last position along each axis left out as in statmorph.

    Parameters
    ----------
    occupied : ndarray [y, x], bool
        True where there is a source or a masked pixel.
    side_pix : int
        Side of the square.

    Returns
    -------
    x, y : int
        Its first column and row; -1 where there is none.
    """
    height, width = occupied.shape
    depth = np.zeros(width, dtype=np.int64)  # of empty pixels that end at this row
    # statmorph's ranges end one position early along both axes
    for y in range(height - 1):
        run = 0
        for x in range(width - 1):
            # empty pixels above, then a run of deep enough columns: the first full square in raster order
            depth[x] = 0 if occupied[y, x] else depth[x] + 1
            run = run + 1 if depth[x] >= side_pix else 0
            if run == side_pix:
                return x - side_pix + 1, y - side_pix + 1
    return -1, -1


@compiled
def values_of_box(pixels: NDArray[np.float64], x: int, y: int, side: int) -> NDArray[np.float64]:
    """Pixels of a square whose first column and row are x and y, in raster order."""
    values = np.empty(side * side)
    for row in range(side):
        for column in range(side):
            values[row * side + column] = pixels[y + row, x + column]
    return values


@compiled
def _half_turn_difference(values: NDArray[np.float64]) -> float:
    """Mean of |half-turned - plain| over the pixels of a square, in raster order."""
    # Conselice (2003): the background's own asymmetry; a square turns into itself read backwards
    total = 0.0
    for index in range(len(values)):
        total += abs(values[len(values) - 1 - index] - values[index])
    return total / len(values)


@compiled
def _sky_is_unknown(noticed: NDArray[np.uint8]) -> SkyBox:
    noticed[flags.NO_SKY_BOX] = 1
    return SkyBox(
        side_pix=0,
        x=0,
        y=0,
        is_known=False,
        mean=math.nan,
        median=math.nan,
        sigma=math.nan,
        asymmetry=math.nan,
    )


@compiled
def _notice_level(mean: float, sigma: float, noticed: NDArray[np.uint8]) -> None:
    # statmorph's test whether the background was subtracted
    if abs(mean) > sigma:
        noticed[flags.NOT_BACKGROUND_SUBTRACTED] = 1


@compiled
def sky_box(stamp: Stamp, noticed: NDArray[np.uint8]) -> SkyBox:
    """Sky from the first empty box of 32, 16, 8, 4 or 2 px in raster order, as statmorph 0.7.2 finds it.

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    noticed : ndarray [flag], uint8
        Set where there is no box, or where its mean is farther from 0 than its standard deviation.

    Returns
    -------
    SkyBox
        Flux per pixel.
    """
    side = LARGEST_BOX_PIX
    x, y = first_empty_box(stamp.occupied, side)
    while x < 0 and side > SMALLEST_BOX_PIX:
        # 32, 16, 8, 4, 2: statmorph halves it too
        side //= 2
        x, y = first_empty_box(stamp.occupied, side)
    if x < 0:
        return _sky_is_unknown(noticed)
    values = values_of_box(stamp.pixels, x, y, side)
    mean = mean_of(values, 0, len(values))
    sigma = standard_deviation(values, 0, len(values), mean)
    median = median_of_sorted(sorted_values(values), 0, len(values))
    _notice_level(mean, sigma, noticed)
    asymmetry = _half_turn_difference(values)
    return SkyBox(
        side_pix=side, x=x, y=y, is_known=True, mean=mean, median=median, sigma=sigma, asymmetry=asymmetry
    )


@compiled
def mean_difference(values: NDArray[np.float64], start: int, stop: int) -> float:
    """Mean of |a - b| over all pairs of the ascending values[start:stop] (Gini's mean difference).

    What |half-turned - plain| of pixels whose noise is independent averages to, but from all pairs.
    """
    count = stop - start
    if count < 2:
        return math.nan
    middle = median_of_sorted(values, start, stop)
    total = 0.0
    # sum over pairs of sorted values by ranks; about the median, lest digits cancel
    for index in range(count):
        total += (2 * index + 1 - count) * (values[start + index] - middle)
    return 2.0 * total / (float(count) * float(count - 1))


@compiled
def _reach_of_segment(segment: NDArray[np.bool_], x: float, y: float) -> float:
    """Distance of the galaxy's farthest pixel from a point; 0 of none."""
    farthest = 0.0
    height, width = segment.shape
    for row in range(height):
        for column in range(width):
            if segment[row, column]:
                farthest = max(farthest, (column - x) ** 2 + (row - y) ** 2)
    return math.sqrt(farthest)


@compiled
def background_values(stamp: Stamp, x: float, y: float, radius: float) -> NDArray[np.float64]:
    """Pixels without source or mask that are farther than a radius from a point, in raster order."""
    height, width = stamp.pixels.shape
    values = np.empty(height * width)
    count = 0
    for row in range(height):
        for column in range(width):
            distance = (column - x) ** 2 + (row - y) ** 2
            free = not (stamp.occupied[row, column] or stamp.mask[row, column])
            if free and distance > radius * radius:
                values[count] = stamp.pixels[row, column]
                count += 1
    return values[:count].copy()


@compiled
def _distant_values(stamp: Stamp, x: float, y: float) -> NDArray[np.float64]:
    """Background as far from the galaxy as leaves 1024 pixels; all of it where even next to the galaxy fewer are."""
    # squared distances turn and flip with the image, so the choice of pixels does too
    reach = _reach_of_segment(stamp.segment, x, y)
    for factor in REACHES:
        values = background_values(stamp, x, y, factor * reach + MARGIN_PIX)
        if len(values) >= ENOUGH_PIXELS:
            return values
    return background_values(stamp, x, y, -1.0)


@compiled
def sky_background(stamp: Stamp, x: float, y: float, noticed: NDArray[np.uint8]) -> SkyBox:
    """Sky from all of the background far from the galaxy, clipped at 4 sigma about the median.

    Far is beyond twice the distance of the galaxy's farthest pixel, 1.5 times or once where fewer than 1024
    pixels lie there, and all of the background where these are too few as well. Unlike the box it does not
    change when the image is turned or flipped.

    Parameters
    ----------
    stamp : Stamp
        The galaxy.
    x, y : float
        Its center, pixels of the stamp.
    noticed : ndarray [flag], uint8
        Set where fewer than 64 pixels are background, or where their mean is farther from 0 than their standard
        deviation.

    Returns
    -------
    SkyBox
        Its side is 0; its asymmetry is the mean |a - b| of all pairs of pixels.
    """
    values = _distant_values(stamp, x, y)
    if len(values) < FEWEST_PIXELS:
        return _sky_is_unknown(noticed)
    ascending = sorted_values(values)
    start, stop = clipped_about_median(ascending, 0, len(ascending), CLIP_SIGMA, CLIP_ITERATIONS)
    mean = mean_of(ascending, start, stop)
    sigma = standard_deviation(ascending, start, stop, mean)
    _notice_level(mean, sigma, noticed)
    median = median_of_sorted(ascending, start, stop)
    asymmetry = mean_difference(ascending, start, stop)
    return SkyBox(
        side_pix=0, x=0, y=0, is_known=True, mean=mean, median=median, sigma=sigma, asymmetry=asymmetry
    )


INNER_SIGMA, INNER_TURNS = 3.0, 10
LEAST_VARIANCE = 1e-6  # of the mean square about the anchor: 6 of 16 digits lost at most


@compiled
def sum_about(
    values: NDArray[np.float64], first: int, last: int, anchor: int, sums: NDArray[np.float64]
) -> None:
    """Write running sums, outwards from an anchor, of a range's deviations from it and of their squares.

    Parameters
    ----------
    values : ndarray [n], float64
        Ascending.
    first, last : int
        The range values[first:last].
    anchor : int
        An index of it.
    sums : ndarray [2, n + 1], float64
        Written: sums[:, j] - sums[:, i] is that of values[i:j]. No square cancels another where i <= anchor <= j.
    """
    pivot = values[anchor]
    total, squares = 0.0, 0.0
    # outwards on both sides, so that the squares of one range only ever add up
    for index in range(anchor, last):
        sums[0, index], sums[1, index] = total, squares
        deviation = values[index] - pivot
        total += deviation
        squares += deviation * deviation
    sums[0, last], sums[1, last] = total, squares
    total, squares = 0.0, 0.0
    for index in range(anchor - 1, first - 1, -1):
        deviation = values[index] - pivot
        total -= deviation
        squares -= deviation * deviation
        sums[0, index], sums[1, index] = total, squares


@compiled
def range_mean_and_sigma(
    values: NDArray[np.float64], first: int, last: int, anchor: int, sums: NDArray[np.float64]
) -> tuple[float, float]:
    """Mean and standard deviation (divided by n) of values[first:last], from `sum_about` where it is exact enough."""
    if first <= anchor <= last:
        count = last - first
        offset = (sums[0, last] - sums[0, first]) / count
        mean_square = (sums[1, last] - sums[1, first]) / count
        variance = mean_square - offset * offset
        # else the digits that cancelled may matter
        if variance > LEAST_VARIANCE * mean_square or mean_square == 0.0:
            return values[anchor] + offset, math.sqrt(variance)
    mean = mean_of(values, first, last)
    return mean, standard_deviation(values, first, last, mean)


@compiled
def _mode_and_sigma(
    values: NDArray[np.float64], first: int, last: int, anchor: int, sums: NDArray[np.float64]
) -> tuple[float, float]:
    """Mode of values[first:last], itself clipped at 3 sigma about the median, and their standard deviation."""
    mean, sigma = range_mean_and_sigma(values, first, last, anchor, sums)
    # astropy's stdfunc sees the values of the outer clip, its center those of the inner
    outer_sigma = sigma
    median = median_of_sorted(values, first, last)
    for _ in range(INNER_TURNS):
        reach = INNER_SIGMA * sigma
        kept_first, kept_last = kept_range(values, first, last, median - reach, median + reach)
        if kept_last == kept_first or (kept_first == first and kept_last == last):
            break
        first, last = kept_first, kept_last
        mean, sigma = range_mean_and_sigma(values, first, last, anchor, sums)
        median = median_of_sorted(values, first, last)
    # Bertin & Arnouts (1996): mode = 2.5 median - 1.5 mean
    return 2.5 * median - 1.5 * mean, outer_sigma


@compiled
def clipped_about_mode(ascending: NDArray[np.float64], n_sigma: float) -> tuple[int, int]:
    """Sigma clip about the mode until nothing changes.

    As astropy's ``sigma_clipped_stats`` with ``maxiters=None`` and photutils' ``ModeEstimatorBackground`` of
    factors 2.5 and 1.5 as its center.

    Parameters
    ----------
    ascending : ndarray [n], float64
        Sorted, finite.
    n_sigma : float
        Half width of what is kept.

    Returns
    -------
    first, last : int
        The range ascending[first:last] that is kept; it may be empty.
    """
    first, last = 0, ascending.size
    sums = np.empty((2, ascending.size + 1))
    anchor, summed = -1, 0
    for _ in range(ascending.size + 1):  # each turn but the last drops a value
        if first == last:
            break
        if not (first <= anchor < last and 2 * (last - first) > summed):
            anchor, summed = (first + last) // 2, last - first
            sum_about(ascending, first, last, anchor, sums)
        mode, sigma = _mode_and_sigma(ascending, first, last, anchor, sums)
        if sigma == 0.0:  # a flat sky, which the mode's rounding may miss
            break
        kept = kept_range(ascending, first, last, mode - n_sigma * sigma, mode + n_sigma * sigma)
        if kept[0] == first and kept[1] == last:
            break
        first, last = kept
    return first, last


@compiled
def one_sigma_above_mode(ascending: NDArray[np.float64]) -> float:
    """Mode plus standard deviation of what a clip at 3 sigma about the mode leaves of sorted values; NaN of none."""
    first, last = clipped_about_mode(ascending, 3.0)
    if first == last:
        return math.nan
    mean = mean_of(ascending, first, last)
    # statmorph's _segmap_shape_asym: mode plus one standard deviation of what was kept
    mode = 2.5 * median_of_sorted(ascending, first, last) - 1.5 * mean
    return mode + standard_deviation(ascending, first, last, mean)
