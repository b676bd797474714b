"""How sources differ from an elliptical profile: a factor analysis of their stamps that knows the noise of every pixel.

A stamp's correction (see `canvas`) is linear in its terms, so that each bright source gives normal equations for them.
Their mean and covariance over all sources are found by expectation and maximization (Rubin & Thayer 1982, with a known
noise in place of a fitted one): noise of pixels does not pass into them, and a drawn stamp is one of no source.
"""

import math
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from galsmith.data.fields.detection import BRIGHTEST_LEVEL, DetectedField
from galsmith.models.field_composer.canvas import N_ANGULAR, N_STAMP_TERMS, NODES, stamp_terms

Values = NDArray[np.float64]
LEAST_PEAK_SIGMA = 8.0
MAXIMIZATIONS = 8
DITHERING_NOISE = 0.4  # of a level
_HALF_PIX = 15
_FIRST_DEVIATION = 0.1
_ROUNDING = 1 / 12  # variance of cutting to whole levels
ROUND_STAMP: Values = np.tile(np.eye(N_ANGULAR)[0], len(NODES))
"""The terms of a plain profile."""


@dataclass(frozen=True)
class StampEquations:
    """Normal equations of the terms of some sources, in units of the pixels' noise.

    Attributes
    ----------
    matrix : ndarray [source, term, term], float64
    vector : ndarray [source, term], float64
    squares : ndarray [source], float64
        Sum of the squared pixels.
    """

    matrix: Values
    vector: Values
    squares: Values

    def __len__(self) -> int:
        """Return of how many sources."""
        return len(self.squares)

    @property
    def chi2_of_round(self) -> Values:
        """Squared error of plain profiles, [source]."""
        fitted = self.matrix @ ROUND_STAMP
        return self.squares - 2 * self.vector @ ROUND_STAMP + fitted @ ROUND_STAMP


def stamp_equations(
    field: NDArray[np.uint8], found: DetectedField, *, level: float, noise: float, exponent: float
) -> StampEquations:
    """Sum the equations of the bright sources of a field that are not saturated.

    Parameters
    ----------
    field : ndarray [y, x], uint8
        Gray levels.
    found : DetectedField
        Its sources.
    level, noise : float
        Of the sky under sources, and its standard deviation.
    exponent : float
        Of the profiles that were fitted.
    """
    deviation = math.sqrt(noise**2 + _ROUNDING)
    sources = found.sources
    top = sources.flux * (exponent - 1) / (2 * math.pi * exponent * sources.size_pix**2)
    usable = (sources.peak > LEAST_PEAK_SIGMA * deviation) & (sources.peak + level < BRIGHTEST_LEVEL - 1)
    rows = np.flatnonzero(usable & (sources.peak < 2 * top) & (sources.peak > 0.3 * top))
    shape = np.stack(
        [sources.x_pix, sources.y_pix, top, sources.size_pix, sources.axis_ratio, sources.orientation_rad]
    )
    # where noise does not dither it, light of less than a level is cut to none, which says nothing of its shape
    least = 1.0 if noise < DITHERING_NOISE else 0.0
    return StampEquations(
        *_equations(
            field, found.labels, np.ascontiguousarray(shape.T), rows, level, deviation, exponent, least
        )
    )


def joined(parts: list[StampEquations]) -> StampEquations:
    """Put the equations of several fields together."""
    return StampEquations(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("matrix", "vector", "squares"))
    )


def fit_stamps(equations: StampEquations, n_components: int) -> tuple[Values, Values]:
    """Mean and principal deviations of the terms of stamps.

    Parameters
    ----------
    equations : StampEquations
        Of all sources; those whose profile fits worst, one in twenty, are left out as blends.
    n_components : int
        How many deviations are kept; those that cannot be told from noise come out as nearly nothing.

    Returns
    -------
    mean : ndarray [term], float64
    deviations : ndarray [component, term], float64
        Each of the size of one standard deviation.
    """
    mean, deviations = ROUND_STAMP.copy(), np.zeros((n_components, N_STAMP_TERMS))
    if not len(equations):
        return mean, deviations
    misfit = equations.chi2_of_round / np.maximum(equations.squares, 1e-300)
    good = misfit <= np.quantile(misfit, 0.95)
    matrix, vector = equations.matrix[good], equations.vector[good]
    covariance = np.eye(N_STAMP_TERMS) * _FIRST_DEVIATION**2
    for _ in range(MAXIMIZATIONS):
        # expectation: what each source says of its own terms
        precision = np.linalg.inv(covariance)
        # posterior of a normal law: precisions add
        spread = np.linalg.inv(precision + matrix)
        apart = np.einsum("sij,sj->si", spread, vector - matrix @ mean)
        # maximization, with a weak prior that keeps what no pixel sees
        step = apart.mean(axis=0)
        mean = mean + step
        second = spread.sum(axis=0) + (apart - step).T @ (apart - step)
        covariance = (second + 4 * np.eye(N_STAMP_TERMS) * 0.02**2) / (len(apart) + 4)
    # only what sources show: the spread of their expectations, not that of the prior
    seen = (apart - apart.mean(axis=0)).T @ (apart - apart.mean(axis=0)) / len(apart)
    values, vectors = np.linalg.eigh(seen)
    order = np.argsort(values)[::-1][:n_components]
    directions = vectors[:, order].T
    variances = np.einsum("kt,tu,ku->k", directions, covariance, directions)
    deviations[: len(order)] = directions * np.sqrt(np.maximum(variances, 0.0))[:, np.newaxis]
    return mean, deviations


@numba.njit(cache=True, nogil=True)
def _equations(
    field: Any,
    labels: Any,
    shape: Any,
    rows: Any,
    level: float,
    deviation: float,
    exponent: float,
    least_light: float,
) -> Any:
    """Sum normal equations; `shape` is [source, (x, y, top, size, axis ratio, angle)]."""
    height, width = labels.shape
    matrix, vector = (
        np.zeros((len(rows), N_STAMP_TERMS, N_STAMP_TERMS)),
        np.zeros((len(rows), N_STAMP_TERMS)),
    )
    squares, terms = np.zeros(len(rows)), np.empty(N_ANGULAR)
    places, values = np.empty(2 * N_ANGULAR, np.int64), np.empty(2 * N_ANGULAR)
    for number in range(len(rows)):
        row = rows[number]
        x0, y0, top, size, ratio, angle = shape[row]
        long_side, short_side = size / math.sqrt(ratio), size * math.sqrt(ratio)
        cos, sin = math.cos(angle), math.sin(angle)
        half = min(int(NODES[-1] * long_side) + 1, _HALF_PIX)
        for y in range(max(int(y0) - half, 0), min(int(y0) + half + 1, height)):
            for x in range(max(int(x0) - half, 0), min(int(x0) + half + 1, width)):
                if labels[y, x] not in (0, row + 1):
                    continue
                dx, dy = x - x0, y - y0
                along, across = (dx * cos + dy * sin) / long_side, (dy * cos - dx * sin) / short_side
                u = math.sqrt(along * along + across * across)
                if u < NODES[-1] and top * (1 + u * u / (2 * exponent)) ** -exponent >= least_light:
                    # the profile as `canvas` draws it
                    light = top * (1 + u * u / (2 * exponent)) ** -exponent / deviation
                    safe = max(u, 1e-9)
                    node = stamp_terms(u, along / safe, across / safe, terms)
                    _write_row(u, node, light, terms, places, values)
                    data = (field[y, x] - level) / deviation
                    squares[number] += data * data
                    _add(matrix[number], vector[number], places, values, data)
    return matrix, vector, squares


@numba.njit(cache=True, nogil=True)
def _write_row(u: float, node: int, light: float, terms: Any, places: Any, values: Any) -> None:
    """Write which terms a pixel sees, and how strongly."""
    share = (u - NODES[node]) / (NODES[node + 1] - NODES[node])
    for k in range(N_ANGULAR):
        places[k], places[N_ANGULAR + k] = node * N_ANGULAR + k, (node + 1) * N_ANGULAR + k
        # the center has no angle
        values[k] = light * (1 - share) * (terms[k] if node > 0 or k == 0 else 0.0)
        values[N_ANGULAR + k] = light * share * terms[k]


@numba.njit(cache=True, nogil=True)
def _add(matrix: Any, vector: Any, places: Any, values: Any, data: float) -> None:
    """Add one pixel to normal equations."""
    for k in range(len(places)):
        vector[places[k]] += values[k] * data
        for m in range(len(places)):
            matrix[places[k], places[m]] += values[k] * values[m]
