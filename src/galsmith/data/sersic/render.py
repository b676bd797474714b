"""Rendering Sérsic galaxies: flux integrated over every pixel, compiled, on all cores.

With x and y from the center, s = A x^2 + 2 B x y + C y^2 is the squared elliptical radius in effective
radii, Z = b s^(1 / 2n), and the brightness is I0 exp(-Z). How a pixel is integrated depends on kappa, the
relative change of the brightness across it:

- far out, the brightness at its middle times 1 + (laplacian / brightness) / 24, exact to fourth order;
- closer, and where the profile is steep, Gauss-Legendre points on a grid of 3 x 3 or 8 x 8;
- near the cusp, Green's theorem: the triangle from the center to a piece of the pixel's border holds
  cross(P0, P1) times the mean along that piece of m(Z) = n Z^(-2n) gamma(2n, Z), which has the cusp integrated
  exactly. Four signed triangles make a pixel, wherever the center lies.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from galsmith.data.sersic.profile import ConstantKind, b_n, central_brightness

Values = NDArray[Any]
Point = tuple[float, float]
Conic = tuple[float, float, float]
LAPLACIAN_BELOW, COARSE_BELOW, SMOOTH_BELOW = 0.25**2, 0.7**2, 0.9**2
SERIES_TOLERANCE = 1e-9


def _rule_on_unit_interval(count: int) -> NDArray[np.float64]:
    """Gauss-Legendre nodes (first row) and weights (second row) on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return np.stack([(nodes + 1) / 2, weights / 2])


_COARSE, _FINE, _EDGE = (_rule_on_unit_interval(count) for count in (3, 8, 14))


def render_sersic(
    *,
    size_pix: int,
    center_x_pix: NDArray[np.float64],
    center_y_pix: NDArray[np.float64],
    r_eff_pix: NDArray[np.float64],
    sersic_index: NDArray[np.float64],
    axis_ratio: NDArray[np.float64],
    orientation_rad: NDArray[np.float64],
    flux: NDArray[np.float64],
    constant: ConstantKind = "exact",
) -> NDArray[np.float32]:
    """Render galaxies, each pixel the integral of the brightness over its area.

    Parameters
    ----------
    size_pix : int
        Side of the images.
    center_x_pix, center_y_pix : ndarray [galaxy], float64
        Pixel centers on integers, x right, y up.
    r_eff_pix : ndarray [galaxy], float64
        Effective radius of the circle with the ellipse's area, in pixels.
    sersic_index, axis_ratio : ndarray [galaxy], float64
        n and b/a.
    orientation_rad : ndarray [galaxy], float64
        Of the major axis, counter-clockwise from +x.
    flux : ndarray [galaxy], float64
        Total flux to infinity; the frame holds less.
    constant : {"exact", "series"}
        How b_n is computed.

    Returns
    -------
    ndarray [galaxy, y, x], float32
        In the unit of `flux` per pixel; relative error of a pixel below 1e-3 for n in [0.5, 6].
    """
    b = b_n(sersic_index, kind=constant)
    cosine, sine = np.cos(orientation_rad), np.sin(orientation_rad)
    scale = 1 / np.asarray(r_eff_pix, dtype=np.float64) ** 2
    shapes = np.stack(
        [
            center_x_pix,
            center_y_pix,
            scale * (axis_ratio * cosine**2 + sine**2 / axis_ratio),
            scale * cosine * sine * (axis_ratio - 1 / axis_ratio),
            scale * (axis_ratio * sine**2 + cosine**2 / axis_ratio),
            scale / axis_ratio,
            b,
            sersic_index,
            central_brightness(flux, sersic_index, r_eff_pix, b),
        ],
        axis=1,
    ).astype(np.float64)
    images = np.empty((len(shapes), size_pix, size_pix), dtype=np.float32)
    _render_all(shapes, images)
    return images


def compile_renderer() -> None:
    """Compile the renderer now (some seconds on the first run of an installation, then from its cache)."""
    one = np.ones(1)
    render_sersic(
        size_pix=2,
        center_x_pix=one,
        center_y_pix=one,
        r_eff_pix=one,
        sersic_index=one,
        axis_ratio=one,
        orientation_rad=one,
        flux=one,
    )


@numba.njit(parallel=True, cache=True)
def _render_all(shapes: Values, images: Values) -> None:
    """Render one galaxy a row of `shapes`, on all threads."""
    for galaxy in numba.prange(len(shapes)):
        _render_one(shapes[galaxy], images[galaxy])


@numba.njit(cache=True)
def _render_one(shape: Values, image: Values) -> None:
    """Fill one image."""
    center_x, center_y, A, B, C, steepest, b, n, brightness = shape
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            middle = (column - center_x, row - center_y)
            image[row, column] = brightness * mean_over_pixel(middle, (A, B, C), steepest, b, n)


@numba.njit(cache=True)
def mean_over_pixel(middle: Point, conic: Conic, steepest: float, b: float, n: float) -> float:
    """Mean of exp(-Z) over a pixel, compiled, for other kernels.

    Parameters
    ----------
    middle : tuple of float
        x and y of the pixel's middle from the galaxy's center, in pixels.
    conic : tuple of float
        A, B and C of s = A x^2 + 2 B x y + C y^2, the squared elliptical radius in effective radii.
    steepest : float
        The larger eigenvalue of that form.
    b, n : float
        The law's.
    """
    x, y = middle
    A, B, C = conic
    p = 0.5 / n
    s = A * x * x + 2 * B * x * y + C * y * y
    Z = b * math.exp(p * math.log(s)) if s > 0 else 0.0
    slope = max(1.0, 2 * p * Z)
    change = steepest * slope * slope
    if change < LAPLACIAN_BELOW * s:
        return _corrected_middle(middle, conic, s, Z, p)
    if change < COARSE_BELOW * s:
        return _mean_on_grid(middle, conic, b, p, _COARSE)
    if steepest < SMOOTH_BELOW * s:
        return _mean_on_grid(middle, conic, b, p, _FINE)
    return _mean_by_border(middle, conic, b, n)


@numba.njit(cache=True)
def _corrected_middle(middle: Point, conic: Conic, s: float, Z: float, p: float) -> float:
    """Mean of exp(-Z) over a pixel from its middle, with the Laplacian's correction."""
    x, y = middle
    A, B, C = conic
    first = -p * Z / s
    second = (p * p * Z * Z - p * (p - 1) * Z) / (s * s)
    along, across = A * x + B * y, B * x + C * y
    laplacian = 2 * (A + C) * first + 4 * (along * along + across * across) * second
    return math.exp(-Z) * (1 + laplacian / 24)


@numba.njit(cache=True)
def _mean_on_grid(middle: Point, conic: Conic, b: float, p: float, rule: Values) -> float:
    """Mean of exp(-Z) over a pixel by Gauss-Legendre points."""
    x, y = middle
    A, B, C = conic
    total = 0.0
    for i in range(rule.shape[1]):
        v = y - 0.5 + rule[0, i]
        for j in range(rule.shape[1]):
            u = x - 0.5 + rule[0, j]
            s = A * u * u + 2 * B * u * v + C * v * v
            total += rule[1, i] * rule[1, j] * math.exp(-b * math.exp(p * math.log(s)))
    return total


@numba.njit(cache=True)
def _mean_by_border(middle: Point, conic: Conic, b: float, n: float) -> float:
    """Mean of exp(-Z) over a pixel as four signed triangles from the center to its border."""
    x, y = middle
    left, right, low, high = x - 0.5, x + 0.5, y - 0.5, y + 0.5
    return (
        _triangle((left, low), (right, low), conic, b, n)
        + _triangle((right, low), (right, high), conic, b, n)
        + _triangle((right, high), (left, high), conic, b, n)
        + _triangle((left, high), (left, low), conic, b, n)
    )


@numba.njit(cache=True)
def _triangle(start: Point, end: Point, conic: Conic, b: float, n: float) -> float:
    """Signed integral of exp(-Z) over the triangle from the center to a piece of border.

    The piece is cut at its point nearest to the center, and nodes crowd there as the cube of their distance.
    """
    (x0, y0), (x1, y1) = start, end
    A, B, C = conic
    cross = x0 * y1 - x1 * y0
    if cross == 0.0:
        return 0.0
    dx, dy = x1 - x0, y1 - y0
    squared = A * dx * dx + 2 * B * dx * dy + C * dy * dy
    nearest = -(x0 * (A * dx + B * dy) + y0 * (B * dx + C * dy)) / squared
    nearest = min(1.0, max(0.0, nearest))
    total = 0.0
    for reach in (-nearest, 1 - nearest):
        for i in range(_EDGE.shape[1]):
            node = _EDGE[0, i]
            v = nearest + reach * node**3
            px, py = x0 + v * dx, y0 + v * dy
            s = A * px * px + 2 * B * px * py + C * py * py
            Z = b * math.exp(math.log(s) * 0.5 / n) if s > 0 else 0.0
            total += abs(reach) * 3 * node * node * _EDGE[1, i] * _mean_along_ray(Z, n)
    return cross * total


@numba.njit(cache=True)
def _mean_along_ray(Z: float, n: float) -> float:
    """Compute n Z^(-2n) gamma(2n, Z) by its series of positive terms (Abramowitz & Stegun 6.5.29)."""
    a = 2 * n
    term = 1 / a
    total = term
    while term > SERIES_TOLERANCE * total:
        a += 1
        term *= Z / a
        total += term
    return n * math.exp(-Z) * total
