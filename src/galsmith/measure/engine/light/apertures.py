"""Sums of pixels within ellipses, each pixel weighted by the exact share of it that lies inside.

What photutils' apertures give with method "exact", from running sums along the rows: only the pixels that the
outline crosses are visited. A circle is an ellipse with equal axes; a ring is the difference of two sums.
"""

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.light.ellipse_rows import Ellipse, ellipse_of, fill_row, row_range
from galsmith.measure.engine.stamp import Stamp


@compiled
def row_prefix_sums(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum up along each row.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Any unit.

    Returns
    -------
    ndarray [y, x + 1], float64
        Of the image's unit; 0 first.
    """
    n_y, n_x = image.shape
    sums = np.empty((n_y, n_x + 1))
    for y in range(n_y):
        total = 0.0
        sums[y, 0] = 0.0
        for x in range(n_x):
            total += image[y, x]
            sums[y, x + 1] = total
    return sums


@compiled
def ellipse_sum(
    image: NDArray[np.float64],
    row_sums: NDArray[np.float64],
    x: float,
    y: float,
    a: float,
    b: float,
    theta: float,
) -> float:
    """Sum of an image within an ellipse.

    Parameters
    ----------
    image : ndarray [y, x], float64
        Any unit; the ellipse is clipped at its border.
    row_sums : ndarray [y, x + 1], float64
        `row_prefix_sums` of it.
    x, y : float
        Center, pixels.
    a, b : float
        Semi-axes, pixels; `a` lies at `theta`.
    theta : float
        Radians, counter-clockwise from +x.

    Returns
    -------
    float
        Of the image's unit; 0 for an ellipse without area or off the image.
    """
    if not (a > 0.0 and b > 0.0):
        return 0.0
    n_y, n_x = image.shape
    weights = np.empty(n_x)
    ellipse = ellipse_of(x, y, a, b, theta)
    first, last = row_range(ellipse, n_y)
    total = 0.0
    for row in range(first, last):
        span = fill_row(ellipse, row, weights)
        total += span.height * (row_sums[row, span.inner_end] - row_sums[row, span.inner_begin])
        for column in range(span.begin, span.inner_begin):
            total += weights[column] * image[row, column]
        for column in range(span.inner_end, span.end):
            total += weights[column] * image[row, column]
    return total


@compiled
def ellipse_sum_and_area(
    stamp: Stamp, x: float, y: float, a: float, b: float, theta: float
) -> tuple[float, float]:
    """Flux within an ellipse, and how much of its area is on the stamp and off the mask.

    Parameters
    ----------
    stamp : Stamp
        Its masked pixels count neither as flux nor as area.
    x, y : float
        Center in the stamp, pixels.
    a, b : float
        Semi-axes, pixels; `a` lies at `theta`.
    theta : float
        Radians, counter-clockwise from +x.

    Returns
    -------
    tuple of float
        Flux, in the stamp's unit; area in square pixels.
    """
    if not (a > 0.0 and b > 0.0):
        return 0.0, 0.0
    n_y, n_x = stamp.pixels.shape
    weights = np.empty(n_x)
    ellipse = ellipse_of(x, y, a, b, theta)
    first, last = row_range(ellipse, n_y)
    flux, area = 0.0, 0.0
    for row in range(first, last):
        span = fill_row(ellipse, row, weights)
        inner, outer = span.inner_begin, span.inner_end
        flux += span.height * (stamp.row_sums[row, outer] - stamp.row_sums[row, inner])
        area += span.height * (stamp.row_valid[row, outer] - stamp.row_valid[row, inner])
        for column in range(span.begin, inner):
            flux += weights[column] * stamp.pixels[row, column]
            area += 0.0 if stamp.mask[row, column] else weights[column]
        for column in range(outer, span.end):
            flux += weights[column] * stamp.pixels[row, column]
            area += 0.0 if stamp.mask[row, column] else weights[column]
    return flux, area


@compiled
def ring_sum_and_area(
    stamp: Stamp, x: float, y: float, axes: tuple[float, float, float, float], theta: float
) -> tuple[float, float]:
    """Sum up an elliptical ring weight by weight: exact even where a corner of a pixel is all there is.

    Parameters
    ----------
    stamp : Stamp
        Its masked pixels count neither as flux nor as area.
    x, y : float
        Center in the stamp, pixels.
    axes : tuple of float
        Semi-axes of the outer and of the inner ellipse, pixels; the first of each lies at `theta`.
    theta : float
        Radians, counter-clockwise from +x.

    Returns
    -------
    tuple of float
        Flux, in the stamp's unit; area in square pixels. For all but the smallest rings the difference of two
        `ellipse_sum_and_area` is as good, and faster.
    """
    n_y, n_x = stamp.pixels.shape
    outer, inner = ellipse_of(x, y, axes[0], axes[1], theta), ellipse_of(x, y, axes[2], axes[3], theta)
    outer_weights, inner_weights = np.empty(n_x), np.empty(n_x)
    flux, area = 0.0, 0.0
    for row in range(n_y):
        _spell_out(outer, row, outer_weights)
        _spell_out(inner, row, inner_weights)
        for column in range(n_x):
            weight = outer_weights[column] - inner_weights[column]
            if weight > 0.0 and not stamp.mask[row, column]:
                flux += weight * stamp.pixels[row, column]
                area += weight
    return flux, area


@compiled
def _spell_out(ellipse: Ellipse, row: int, weights: NDArray[np.float64]) -> None:
    """Write the weights of all pixels of a row."""
    span = fill_row(ellipse, row, weights)
    weights[: span.begin] = 0.0
    weights[span.inner_begin : span.inner_end] = span.height
    weights[span.end :] = 0.0
