"""Where training galaxies are in the columns that are asked for, and which asked rows lie outside of that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from galsmith.data.transforms import ScalarColumn

Values = NDArray[np.float64]

N_NEIGHBORS = 8
SHARE_BEYOND = 0.001
# Of fresh rows of six laws in 1 to 4 columns (normal, correlated, bent, uniform, in lumps), one in a thousand at most is
# beyond 1.5 times the last thousandth of 4,096 training galaxies, mostly 0.2 (0.3 % of 300); rows half a standard deviation
# beside a correlation that scatters by 0.05 are at 2 to 4 times that.
MARGIN = 1.5
LEAST_DISTANCE = 1e-6  # whitened; of values that many galaxies share
LEAST_VARIANCE = 1e-10  # of the largest: a column that others give
ROUNDING = 1e-6  # of a trained range; scalars are float32


@dataclass(frozen=True)
class OutsideRows:
    """Rows that no training galaxy is like.

    Attributes
    ----------
    is_outside : ndarray [row], bool
        Which.
    reasons : dict of int to str
        Why, by the row's number.
    """

    is_outside: NDArray[np.bool_]
    reasons: dict[int, str]


class Support:
    """Training galaxies in some columns, and how far apart they are from each other.

    A point is as isolated as its mean distance to the eight nearest training galaxies, in units of the same of these
    eight: 1 among galaxies however rare they are there, and large in a gap or beyond an end (the local outlier factor of
    Breunig et al. 2000, without their reachability). Columns are whitened together, so that a color is as good a
    direction as a magnitude.

    Parameters
    ----------
    trained : ndarray [galaxy, column], float64
        Standardized, finite, of nine galaxies or more.
    """

    def __init__(self, trained: Values) -> None:
        self._mean = trained.mean(axis=0)
        variances, directions = np.linalg.eigh(np.atleast_2d(np.cov(trained, rowvar=False)))
        kept = variances > LEAST_VARIANCE * max(variances.max(), LEAST_VARIANCE)
        # directions without variance keep their unit: a row that leaves them is far from all
        scale = np.where(kept, np.sqrt(np.maximum(variances, 0.0)), np.sqrt(variances.max() * LEAST_VARIANCE))
        self._directions = directions / np.maximum(scale, np.finfo(np.float64).tiny)
        whitened = self._whitened(trained)
        self._tree = cKDTree(whitened)
        distances, neighbors = self._tree.query(whitened, k=N_NEIGHBORS + 1)  # each is its own nearest
        self._spacing = distances[:, 1:].mean(axis=1)
        own = self._spacing / self._local(neighbors[:, 1:])
        self._limit = MARGIN * max(float(np.quantile(own, 1 - SHARE_BEYOND)), 1.0)

    def isolation(self, values: Values) -> Values:
        """Isolation of rows [row, column], [row], in units of that beyond which a row lies outside."""
        distances, neighbors = self._tree.query(self._whitened(values), k=N_NEIGHBORS)
        found: Values = distances.mean(axis=1) / self._local(neighbors) / self._limit
        return found

    def _whitened(self, values: Values) -> Values:
        """Bring values to directions of unit variance."""
        whitened: Values = (values - self._mean) @ self._directions
        return whitened

    def _local(self, neighbors: NDArray[np.int64]) -> Values:
        """Mean spacing of neighbors [row, neighbor]."""
        local: Values = np.maximum(self._spacing[neighbors].mean(axis=1), LEAST_DISTANCE)
        return local


def outside_rows(
    columns: Sequence[ScalarColumn], values: Values, trained_scalars: NDArray[np.float32] | None
) -> OutsideRows:
    """Find the rows that are beyond a column's trained range, or where no training galaxies are.

    Parameters
    ----------
    columns : sequence of ScalarColumn
        What is asked.
    values : ndarray [row, column], float64
        In the columns' units.
    trained_scalars : ndarray [galaxy, scalar], float32, or None
        Of training galaxies; without them each column is looked at alone.
    """
    reasons: dict[int, str] = {}
    for column, asked in zip(columns, values.T, strict=True):
        reasons = {**_beyond(column, asked), **reasons}
    inside = np.array([row for row in range(len(values)) if row not in reasons], dtype=np.int64)
    if trained_scalars is not None and len(trained_scalars) > N_NEIGHBORS and len(inside):
        support = Support(_encoded(columns, [column.values(trained_scalars) for column in columns]))
        isolation = support.isolation(_encoded(columns, list(values[inside].T)))
        for row, factor in zip(inside[isolation > 1], isolation[isolation > 1], strict=True):
            reasons[int(row)] = f"{_row_text(columns, values[row])}: {factor:.2g} times as isolated as may be"
    is_outside = np.zeros(len(values), dtype=bool)
    is_outside[list(reasons)] = True
    return OutsideRows(is_outside, dict(sorted(reasons.items())))


def _beyond(column: ScalarColumn, asked: Values) -> dict[int, str]:
    """Say of each row that is beyond a column's trained range what it asks and what was trained."""
    trained = column.trained
    if trained is None:
        return {}
    with np.errstate(invalid="ignore"):
        slack = ROUNDING * np.nan_to_num(trained.maximum - trained.minimum, posinf=0.0)
    unit = f" {column.encoding.unit}" if column.encoding.unit else ""
    rows = np.flatnonzero((asked < trained.minimum - slack) | (asked > trained.maximum + slack))
    reach = f"trained {trained.minimum:g} to {trained.maximum:g}{unit}"
    return {int(row): f"{column.name}={asked[row]:g} ({reach})" for row in rows}


def _encoded(columns: Sequence[ScalarColumn], values: Sequence[Values]) -> Values:
    """Standardize values, [row, column]."""
    with np.errstate(all="ignore"):
        encoded = [column.encoding.forward(one) for column, one in zip(columns, values, strict=True)]
    return np.nan_to_num(np.stack(encoded, axis=1))


def _row_text(columns: Sequence[ScalarColumn], values: Values) -> str:
    """Write what a row asks."""
    return ", ".join(f"{column.name}={value:g}" for column, value in zip(columns, values, strict=True))
