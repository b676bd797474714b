"""Kernel ridge regression on ranks of features: smooth where boosted trees are steps, and no slower to fit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.special import ndtri

from galsmith.errors import InputError
from galsmith.score.method import Floats

PREFIX = "ridge."
MOST_KNOTS = 1000  # sorted training values that ranks are read from
ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class KernelRidge:
    """A function of ranks: ``mean + sum_i weights_i k(|z - z_i|)`` with Matérn's kernel of 5/2.

    Attributes
    ----------
    knots : ndarray [knot, feature], float64
        Sorted values of each feature in training, or as many quantiles of them.
    points : ndarray [row, feature], float32
        Training rows as normal ranks.
    weights : ndarray [row], float64
        Of each.
    mean : float
        Of the values in training.
    length : float
        Of the kernel.
    """

    knots: Floats
    points: NDArray[np.float32]
    weights: Floats
    mean: float
    length: float

    def predict(self, features: NDArray[Any]) -> Floats:
        """Predict the value of each row, [row] float64."""
        ranks = normal_ranks(features, self.knots)
        found = np.empty(len(ranks))
        for start in range(0, len(ranks), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            near = matern(squared_distances(ranks[some], self.points), self.length)
            found[some] = self.mean + near @ self.weights
        return found

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it by name."""
        return {PREFIX + name: np.atleast_1d(np.asarray(value)) for name, value in vars(self).items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "KernelRidge":
        """Read what `to_arrays` gave; other arrays are left alone."""
        found: dict[str, Any] = {name: arrays[PREFIX + name] for name in cls.__dataclass_fields__}
        return cls(**{**found, "mean": float(found["mean"][0]), "length": float(found["length"][0])})


def knots_of(features: NDArray[Any]) -> Floats:
    """Sort the values of every feature, or take as many quantiles as are enough, [knot, feature] float64."""
    given = np.asarray(features, dtype=np.float64)
    if len(given) <= MOST_KNOTS:
        return np.sort(given, axis=0)
    return np.quantile(given, np.linspace(0, 1, MOST_KNOTS), axis=0)


def normal_ranks(features: NDArray[Any], knots: Floats) -> NDArray[np.float32]:
    """Give features the normal quantile of their rank among the knots; equal values share the middle of their ranks.

    Parameters
    ----------
    features : ndarray [row, feature]
        In any unit.
    knots : ndarray [knot, feature], float64
        As `knots_of` gives them.

    Returns
    -------
    ndarray [row, feature], float32
        Nearly standard normal in training.
    """
    given = np.asarray(features, dtype=np.float64)
    count = len(knots)
    ranks = np.empty(given.shape, dtype=np.float32)
    for place in range(given.shape[1]):
        low, high = (
            np.searchsorted(knots[:, place], given[:, place], side=side) for side in ("left", "right")
        )
        # half a rank away from 0 and 1, where the quantile is infinite
        ranks[:, place] = ndtri(np.clip((low + high) / (2 * count), 0.5 / count, 1 - 0.5 / count))
    return ranks


def squared_distances(first: NDArray[np.float32], second: NDArray[np.float32]) -> Floats:
    """Squares of the distances between all rows, [row of first, row of second] float64."""
    one, other = first.astype(np.float64), second.astype(np.float64)
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    return np.maximum(squares, 0.0)


def matern(squares: Floats, length: float) -> Floats:
    """Matérn's kernel with nu = 5/2 (Rasmussen & Williams 2006, eq. 4.17), from squared distances."""
    scaled = np.sqrt(5.0 * squares) / length
    return (1.0 + scaled + scaled**2 / 3.0) * np.exp(-scaled)


def ridge_weights(kernel: Floats, values: Floats, ridge: float) -> Floats:
    """Solve ``(K + ridge) w = values`` (Rasmussen & Williams 2006, eq. 2.25)."""
    system = kernel + ridge * np.eye(len(kernel))
    factor = scipy.linalg.cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
    solved: Floats = scipy.linalg.cho_solve(factor, values, check_finite=False)
    return solved


@dataclass(frozen=True)
class RankedRows:
    """Training rows as ridges see them, whatever their length and noise.

    Attributes
    ----------
    knots : ndarray [knot, feature], float64
        Of the ranks.
    points : ndarray [row, feature], float32
        Normal ranks.
    squares : ndarray [row, row], float64
        Squared distances between them.
    unit : float
        The median distance.
    """

    knots: Floats
    points: NDArray[np.float32]
    squares: Floats
    unit: float


def ranked_rows(features: NDArray[Any]) -> RankedRows:
    """Rank training rows and find their distances.

    Parameters
    ----------
    features : ndarray [row, feature]
        In any unit.

    Raises
    ------
    InputError
        If half of the pairs of rows or more are equal: distances then have no unit.
    """
    knots = knots_of(features)
    points = normal_ranks(features, knots)
    squares = squared_distances(points, points)
    unit = float(np.sqrt(np.median(squares)))
    if unit == 0:
        raise InputError(
            f"most of {len(points)} training fields look the same, as black or repeated ones do; leave them out, or learn "
            "by another method, such as wavelets"
        )
    return RankedRows(knots, points, squares, unit)


def fit_ridges(
    rows: RankedRows, values: Floats, *, length: float, ridges: Sequence[float]
) -> list[KernelRidge]:
    """Fit kernel ridge regression with one kernel and several ridges.

    Parameters
    ----------
    rows : RankedRows
        To learn from.
    values : ndarray [row], float64
        What is to be predicted.
    length : float
        Of the kernel, in median distances between training rows.
    ridges : sequence of float
        Variances of the noise over that of the function.
    """
    absolute, mean = length * rows.unit, float(values.mean())
    kernel = matern(rows.squares, absolute)
    weights = (ridge_weights(kernel, values - mean, ridge) for ridge in ridges)
    return [KernelRidge(rows.knots, rows.points, one, mean, absolute) for one in weights]
