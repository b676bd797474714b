"""Positions of sources in a field: pairs counted by distance, and points drawn so that the pairs come out as wanted.

A Thomas process (Neyman & Scott 1958, Thomas 1949) is drawn first: parents at random, and children normal about them. Its
two-point correlation is exp(-r^2 / 4 s^2) / (4 pi s^2 kappa), with s the width of a cluster and kappa the number of parents
per area, which are taken from the wanted pairs. A realization of few points is far from its own expectation, so points are
then moved one by one until the realized pairs are those wanted.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_CLUSTER_WIDTHS: Values = np.geomspace(2.0, 60.0, 18)
_TRIALS_PER_POINT = 30


def count_pairs(x_pix: Values, y_pix: Values, edges_pix: Values) -> Values:
    """Count pairs of points by distance.

    Parameters
    ----------
    x_pix, y_pix : ndarray [source], float64
        Positions.
    edges_pix : ndarray [edge], float64
        Rising radii from 0 on; pairs in [edge k, edge k + 1) are counted.

    Returns
    -------
    ndarray [edge - 1], float64
        Each pair once.
    """
    counted: Values = _pairs(x_pix, y_pix, edges_pix)
    return counted


def expected_pairs(n: int, shape: tuple[int, int], edges_pix: Values) -> Values:
    """Pairs of `n` points that lie at random in a rectangle, by distance, with the edges exact.

    The share of pairs closer than r is (pi r^2 A - 4/3 r^3 (H + W) + r^4 / 2) / A^2 for r up to the shorter side
    (Ghosh 1951).

    Parameters
    ----------
    n : int
        Points.
    shape : tuple of int
        Height and width.
    edges_pix : ndarray [edge], float64
        Rising radii from 0 on.
    """
    height, width = shape
    area = height * width
    r = np.minimum(edges_pix, min(shape))
    # Ghosh 1951, for r not above the shorter side
    share = (math.pi * r**2 * area - 4 / 3 * r**3 * (height + width) + r**4 / 2) / area**2
    return np.asarray(0.5 * n * (n - 1) * np.diff(share), dtype=np.float64)


def draw_positions(
    n: int, shape: tuple[int, int], wanted: Values, edges_pix: Values, *, rng: np.random.Generator
) -> tuple[Values, Values]:
    """Draw points in a rectangle whose pairs come out as wanted.

    Parameters
    ----------
    n : int
        Points.
    shape : tuple of int
        Height and width.
    wanted : ndarray [edge - 1], float64
        Pairs by distance, as `count_pairs` counts them.
    edges_pix : ndarray [edge], float64
        Rising radii from 0 on.
    rng : numpy.random.Generator
        Of this field.

    Returns
    -------
    x_pix, y_pix : ndarray [source], float64
        In [-0.5, side - 0.5).
    """
    width_pix, n_parents = _clusters(n, shape, wanted, edges_pix)
    height, width = shape
    x, y = rng.uniform(-0.5, width - 0.5, n), rng.uniform(-0.5, height - 0.5, n)
    if n_parents > 0 and n > 1:
        parent = rng.integers(0, n_parents, n)
        # a Thomas process: each child belongs to a parent drawn at random
        to_x = rng.uniform(-0.5, width - 0.5, n_parents)[parent] + width_pix * rng.standard_normal(n)
        to_y = rng.uniform(-0.5, height - 0.5, n_parents)[parent] + width_pix * rng.standard_normal(n)
        inside = (to_x >= -0.5) & (to_x < width - 0.5) & (to_y >= -0.5) & (to_y < height - 0.5)
        x, y = np.where(inside, to_x, x), np.where(inside, to_y, y)
    if n > 2:
        chance = rng.random((_TRIALS_PER_POINT * n, 5))
        _move(x, y, float(height), float(width), np.maximum(wanted, 0.0), edges_pix, chance)
    return x, y


def _clusters(n: int, shape: tuple[int, int], wanted: Values, edges_pix: Values) -> tuple[float, int]:
    """Width of the clusters, and how many parents there are in the rectangle; none where pairs are not in excess."""
    random = expected_pairs(n, shape, edges_pix)
    usable = random > 0
    if n < 3 or not usable.any():
        return 0.0, 0
    excess = wanted[usable] / random[usable] - 1
    inner, outer = edges_pix[:-1][usable], edges_pix[1:][usable]
    best, found = math.inf, (0.0, 0)
    for width in _CLUSTER_WIDTHS:
        # mean of exp(-r^2 / 4 s^2) / (4 pi s^2) over an annulus
        inside = np.exp(-(inner**2) / (4 * width**2)) - np.exp(-(outer**2) / (4 * width**2))
        model = inside / (math.pi * (outer**2 - inner**2))
        # weighted least squares in the amplitude 1 / kappa, by the pairs expected
        amplitude = float((random[usable] * model) @ excess / ((random[usable] * model) @ model + 1e-300))
        error = float(random[usable] @ (excess - amplitude * model) ** 2)
        if amplitude > 0 and error < best:
            best = error
            found = (float(width), max(1, round(shape[0] * shape[1] / amplitude)))
    return found if found[1] < 20 * n else (0.0, 0)


@numba.njit(cache=True, nogil=True)
def _pairs(x: Any, y: Any, edges: Any) -> Any:
    """Count pairs by distance."""
    counts, last = np.zeros(len(edges) - 1), edges[-1]
    # sorted along y, so that near points alone are met
    order = np.argsort(y)
    for first in range(len(x)):
        i = order[first]
        for second in range(first + 1, len(x)):
            j = order[second]
            dy = y[j] - y[i]
            if dy >= last:
                break
            distance = math.sqrt((x[i] - x[j]) ** 2 + dy * dy)
            if distance < last:
                counts[np.searchsorted(edges, distance, side="right") - 1] += 1
    return counts


@numba.njit(cache=True, nogil=True)
def _around(x: Any, y: Any, number: int, at_x: float, at_y: float, edges2: Any, counts: Any) -> None:
    """Count the other points by their distance from a place into `counts`."""
    counts[:] = 0
    last = edges2[-1]
    for j in range(len(x)):
        dx, dy = x[j] - at_x, y[j] - at_y
        distance2 = dx * dx + dy * dy
        if distance2 < last and j != number:
            for k in range(len(counts)):
                if distance2 < edges2[k + 1]:
                    counts[k] += 1
                    break


@numba.njit(cache=True, nogil=True)
def _move(x: Any, y: Any, height: float, width: float, wanted: Any, edges: Any, chance: Any) -> None:
    """Move single points wherever that brings the pairs nearer to those wanted, in place."""
    n_bins = len(edges) - 1
    edges2, counts = edges * edges, _pairs(x, y, edges)
    before, after = np.zeros(n_bins), np.zeros(n_bins)
    for trial in range(len(chance)):
        lacking, is_short, is_done = _worst(counts, wanted)
        if is_done:
            return
        i = int(chance[trial, 0] * len(x))
        at_x, at_y = chance[trial, 2] * width - 0.5, chance[trial, 3] * height - 0.5
        if is_short and chance[trial, 1] < 0.7:
            # to the distance at which pairs lack, from some other point
            j, angle = int(chance[trial, 2] * len(x)), 2 * math.pi * chance[trial, 3]
            low, high = edges2[lacking], edges2[lacking + 1]
            radius = math.sqrt(low + chance[trial, 4] * (high - low))
            at_x, at_y = x[j] + radius * math.cos(angle), y[j] + radius * math.sin(angle)
        if not (-0.5 <= at_x < width - 0.5 and -0.5 <= at_y < height - 0.5):
            continue
        _around(x, y, i, x[i], y[i], edges2, before)
        _around(x, y, i, at_x, at_y, edges2, after)
        # errors in units of their Poisson variance
        gain = 0.0
        for k in range(n_bins):
            old, new = counts[k] - wanted[k], counts[k] + after[k] - before[k] - wanted[k]
            gain += (old * old - new * new) / (wanted[k] + 1)
        if gain > 0:
            x[i], y[i] = at_x, at_y
            counts += after - before


@numba.njit(cache=True, nogil=True)
def _worst(counts: Any, wanted: Any) -> Any:
    """Find where pairs lack most, whether they do, and whether all are as wanted but for parts of one."""
    lacking, worst, n_off = 0, 0.0, 0
    for k in range(len(counts)):
        error = (wanted[k] - counts[k]) / math.sqrt(wanted[k] + 1)
        n_off += abs(wanted[k] - counts[k]) > 0.75
        if error > worst:
            lacking, worst = k, error
    return lacking, worst > 0, n_off == 0
