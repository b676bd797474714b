"""Exact overlap of an ellipse with the pixels of a grid, compiled."""

import math

import numba
import numpy as np
from numpy.typing import NDArray


def ellipse_overlap_grid(
    edges: tuple[float, float, float, float, int, int], axes: tuple[float, float], *, theta: float
) -> NDArray[np.float64]:
    """Fraction of each pixel inside an ellipse about the origin.

    The ellipse becomes the unit circle and a pixel a parallelogram; its overlap with the circle is a sum
    over its four sides (Green's theorem). Only the pixels that the outline may cross are worked out.

    Parameters
    ----------
    edges : tuple
        x_min, x_max, y_min, y_max of the grid in pixels, then its number of pixels along x and y; pixels
        are squares of side 1.
    axes : tuple of float
        Semi-axes in pixels; the first lies along the angle `theta`.
    theta : float
        Angle in radians, counter-clockwise from +x.

    Returns
    -------
    ndarray [y, x], float64
        In [0, 1]; 0 everywhere for an ellipse without area.
    """
    x_min, _, y_min, _, n_x, n_y = edges
    weights = np.zeros((n_y, n_x))
    if min(axes) > 0:
        _fill_weights(weights, (x_min, y_min), axes, (math.cos(theta), math.sin(theta)))
    return weights


@numba.njit(cache=True)
def _fill_weights(
    weights: NDArray[np.float64],
    corner: tuple[float, float],
    axes: tuple[float, float],
    direction: tuple[float, float],
) -> None:
    """Write the overlap of every pixel; steps of one pixel along x and y are vectors in the circle's plane."""
    (x_min, y_min), (a, b), (cosine, sine) = corner, axes, direction
    step_x_u, step_x_v = cosine / a, -sine / b
    step_y_u, step_y_v = sine / a, cosine / b
    # No point of a pixel is farther from its center than half its longer diagonal, in units of the circle.
    reach = 0.5 * max(
        math.hypot(step_x_u + step_y_u, step_x_v + step_y_v),
        math.hypot(step_x_u - step_y_u, step_x_v - step_y_v),
    )
    n_y, n_x = weights.shape
    for row in range(n_y):
        for column in range(n_x):
            x, y = x_min + column, y_min + row
            u, v = x * step_x_u + y * step_y_u, x * step_x_v + y * step_y_v
            distance = math.hypot(u + 0.5 * (step_x_u + step_y_u), v + 0.5 * (step_x_v + step_y_v))
            if distance - reach >= 1.0:
                continue
            if distance + reach <= 1.0:
                weights[row, column] = 1.0
                continue
            u2, v2 = u + step_x_u, v + step_x_v
            u3, v3 = u2 + step_y_u, v2 + step_y_v
            u4, v4 = u + step_y_u, v + step_y_v
            area = _side_area(u, v, u2, v2) + _side_area(u2, v2, u3, v3)
            area += _side_area(u3, v3, u4, v4) + _side_area(u4, v4, u, v)
            weights[row, column] = min(max(area * a * b, 0.0), 1.0)


@numba.njit(cache=True)
def _side_area(u1: float, v1: float, u2: float, v2: float) -> float:
    """Signed area between the origin and one side, cut off by the unit circle."""
    du, dv = u2 - u1, v2 - v1
    length_squared = du * du + dv * dv
    half_b = u1 * du + v1 * dv
    discriminant = half_b * half_b - length_squared * (u1 * u1 + v1 * v1 - 1.0)
    if discriminant <= 0.0:
        return _sector(u1, v1, u2, v2)
    root = math.sqrt(discriminant)
    enter, leave = (-half_b - root) / length_squared, (-half_b + root) / length_squared
    if enter >= 1.0 or leave <= 0.0:
        return _sector(u1, v1, u2, v2)
    area = 0.0
    start_u, start_v, end_u, end_v = u1, v1, u2, v2
    if enter > 0.0:
        start_u, start_v = u1 + enter * du, v1 + enter * dv
        area += _sector(u1, v1, start_u, start_v)
    if leave < 1.0:
        end_u, end_v = u1 + leave * du, v1 + leave * dv
        area += _sector(end_u, end_v, u2, v2)
    return area + 0.5 * (start_u * end_v - start_v * end_u)


@numba.njit(cache=True)
def _sector(u1: float, v1: float, u2: float, v2: float) -> float:
    """Signed area of the unit circle between two directions."""
    return 0.5 * math.atan2(u1 * v2 - v1 * u2, u1 * u2 + v1 * v2)
