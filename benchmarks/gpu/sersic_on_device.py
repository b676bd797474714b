"""Sérsic galaxies rendered by torch on any device, with the formulas of `galsmith.data.sersic.render`.

Every pixel is the integral of the law over its area: far out from the middle with the Laplacian's correction, closer in by
Gauss-Legendre points, at the cusp by Green's theorem (decision 0009). What differs is the order: each rule goes once over
all pixels of a batch that need it, instead of all rules over one pixel.
"""

from collections.abc import Callable

import numpy as np
import torch
from astropy import units
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.sersic import SersicSettings, b_n, central_brightness

LAPLACIAN_BELOW, COARSE_BELOW, SMOOTH_BELOW = 0.25**2, 0.7**2, 0.9**2
COARSE_NODES, FINE_NODES, EDGE_NODES = 3, 8, 14
SERIES_TOLERANCE = 1e-9

Point = tuple[torch.Tensor, torch.Tensor]
Conic = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Rule = Callable[[Point, torch.Tensor], torch.Tensor]


def galaxy_shapes(catalog: QTable, settings: SersicSettings) -> NDArray[np.float64]:
    """Bring a catalog of `draw_parameters` to what the renderer takes.

    Parameters
    ----------
    catalog : QTable
        Centers from the middle of the frame, effective radius, index, axis ratio, orientation, magnitude.
    settings : SersicSettings
        Pixel scale, zero point, side.

    Returns
    -------
    ndarray [galaxy, 9], float64
        Center x and y (pixels), A, B, C of s = A x^2 + 2 B x y + C y^2, largest curvature of s, b_n, n, and the
        brightness at the center (flux unit per square pixel).
    """
    scale_arcsec = settings.pixel_scale_arcsec
    middle = (settings.size_pix - 1) / 2
    r_eff_pix = catalog["r_eff_arcsec"].to_value(units.arcsec) / scale_arcsec
    index, ratio = np.asarray(catalog["sersic_index"]), np.asarray(catalog["axis_ratio"])
    angle = catalog["orientation_rad"].to_value(units.rad)
    flux = 10 ** (-0.4 * (catalog["magnitude"].to_value(units.mag) - settings.zero_point_mag))
    b = b_n(index, kind=settings.b_n)
    cosine, sine, inverse_square = np.cos(angle), np.sin(angle), 1 / r_eff_pix**2
    columns = [
        middle + catalog["center_x_arcsec"].to_value(units.arcsec) / scale_arcsec,
        middle + catalog["center_y_arcsec"].to_value(units.arcsec) / scale_arcsec,
        inverse_square * (ratio * cosine**2 + sine**2 / ratio),
        inverse_square * cosine * sine * (ratio - 1 / ratio),
        inverse_square * (ratio * sine**2 + cosine**2 / ratio),
        inverse_square / ratio,
        b,
        index,
        central_brightness(flux, index, r_eff_pix, b),
    ]
    return np.stack(np.broadcast_arrays(*columns), axis=1).astype(np.float64)


def render_on_device(shapes: NDArray[np.float64], *, size_pix: int, device: torch.device) -> torch.Tensor:
    """Render galaxies.

    Parameters
    ----------
    shapes : ndarray [galaxy, 9], float64
        As `galaxy_shapes` gives them.
    size_pix : int
        Side of the images.
    device : torch.device
        Where to render, in float64.

    Returns
    -------
    Tensor [galaxy, y, x], float32
        Flux unit per pixel; a pixel's relative error is below 1e-3 for n in [0.5, 6].
    """
    given = torch.from_numpy(np.ascontiguousarray(shapes)).to(device)
    grid = torch.arange(size_pix, dtype=torch.float64, device=device)
    center_x, center_y, A, B, C, steepest, b, n, brightness = (
        given[:, column, None, None] for column in range(9)
    )
    x, y = grid[None, None, :] - center_x, grid[None, :, None] - center_y
    s = A * x * x + 2 * B * x * y + C * y * y
    p = 0.5 / n
    Z = b * s.pow(p)
    change = steepest * (2 * p * Z).clamp(min=1.0).square()
    mean = _corrected_middle((x, y), (A, B, C), s, Z, p)
    is_far = change < LAPLACIAN_BELOW * s
    is_coarse = ~is_far & (change < COARSE_BELOW * s)
    is_fine = ~is_far & ~is_coarse & (steepest < SMOOTH_BELOW * s)
    rules: tuple[tuple[torch.Tensor, Rule], ...] = (
        (is_coarse, lambda *pixels: _mean_on_grid(*pixels, n_nodes=COARSE_NODES)),
        (is_fine, lambda *pixels: _mean_on_grid(*pixels, n_nodes=FINE_NODES)),
        (~is_far & ~is_coarse & ~is_fine, _mean_by_border),
    )
    for chosen, rule in rules:
        galaxy, row, column = torch.nonzero(chosen, as_tuple=True)
        if len(galaxy):
            middles = x[galaxy, 0, column], y[galaxy, row, 0]
            mean[chosen] = rule(middles, given[galaxy])
    return (brightness * mean).to(torch.float32)


def _corrected_middle(
    middle: Point, conic: Conic, s: torch.Tensor, Z: torch.Tensor, p: torch.Tensor
) -> torch.Tensor:
    """Mean of exp(-Z) over pixels from their middles, with the Laplacian's correction."""
    (x, y), (A, B, C) = middle, conic
    first = -p * Z / s
    second = (p * p * Z * Z - p * (p - 1) * Z) / (s * s)
    along, across = A * x + B * y, B * x + C * y
    laplacian = 2 * (A + C) * first + 4 * (along * along + across * across) * second
    return torch.exp(-Z) * (1 + laplacian / 24)


def _mean_on_grid(middle: Point, shapes: torch.Tensor, *, n_nodes: int) -> torch.Tensor:
    """Mean of exp(-Z) over pixels [pixel] by n x n Gauss-Legendre points."""
    nodes, weights = _rule_on_unit_interval(n_nodes, shapes.device)
    A, B, C, b, p = (value[:, None, None] for value in _profile_of(shapes))
    u = (middle[0][:, None] - 0.5 + nodes)[:, None, :]
    v = (middle[1][:, None] - 0.5 + nodes)[:, :, None]
    values = torch.exp(-b * (A * u * u + 2 * B * u * v + C * v * v).pow(p))
    return torch.einsum("pvu,v,u->p", values, weights, weights)


def _mean_by_border(middle: Point, shapes: torch.Tensor) -> torch.Tensor:
    """Mean of exp(-Z) over pixels [pixel] as four signed triangles from the center to the border."""
    x, y = middle
    left, right, low, high = x - 0.5, x + 0.5, y - 0.5, y + 0.5
    corners = ((left, low), (right, low), (right, high), (left, high))
    total = torch.zeros_like(x)
    for start, end in zip(corners, (*corners[1:], corners[0]), strict=True):
        total += _triangle(start, end, shapes)
    return total


def _triangle(start: Point, end: Point, shapes: torch.Tensor) -> torch.Tensor:
    """Signed integrals of exp(-Z) over triangles from the center to pieces of border, [pixel].

    A piece is cut at its point nearest to the center, and nodes crowd there as the cube of their distance.
    """
    (x0, y0), (x1, y1) = start, end
    A, B, C, b, p = _profile_of(shapes)
    nodes, weights = _rule_on_unit_interval(EDGE_NODES, shapes.device)
    dx, dy = x1 - x0, y1 - y0
    squared = A * dx * dx + 2 * B * dx * dy + C * dy * dy
    nearest = (-(x0 * (A * dx + B * dy) + y0 * (B * dx + C * dy)) / squared).clamp(0.0, 1.0)
    total = torch.zeros_like(x0)
    for reach in (-nearest, 1 - nearest):
        v = nearest[:, None] + reach[:, None] * nodes**3
        px, py = x0[:, None] + v * dx[:, None], y0[:, None] + v * dy[:, None]
        s = A[:, None] * px * px + 2 * B[:, None] * px * py + C[:, None] * py * py
        means = _mean_along_ray(b[:, None] * s.pow(p[:, None]), 0.5 / p[:, None])
        total += reach.abs() * (3 * nodes * nodes * weights * means).sum(dim=1)
    return (x0 * y1 - x1 * y0) * total


def _mean_along_ray(Z: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
    """Compute n Z^(-2n) gamma(2n, Z) by its series of positive terms (Abramowitz & Stegun 6.5.29)."""
    a = (2 * n).expand_as(Z)
    term = 1 / a
    total = term.clone()
    while bool((term > SERIES_TOLERANCE * total).any()):
        a = a + 1
        term = term * Z / a
        total += term
    return n * torch.exp(-Z) * total


def _profile_of(shapes: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """A, B, C, b and 1 / 2n of pixels, [pixel] each."""
    return shapes[:, 2], shapes[:, 3], shapes[:, 4], shapes[:, 6], 0.5 / shapes[:, 7]


def _rule_on_unit_interval(count: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Gauss-Legendre nodes and weights on [0, 1], float64."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return torch.from_numpy((nodes + 1) / 2).to(device), torch.from_numpy(weights / 2).to(device)
