"""Standardized scalars that stand beside the pixels: log flux per band, log native size, columns of the catalog.

Magnitudes of several bands agree to a few hundredths of their own scatter, and what is left, the colors, is what matters.
As columns of their own they are nearly degenerate coordinates, whose thin direction a network learns last. So columns are
whitened jointly: a triangular map (a Cholesky factor of their covariance) gives every direction unit scatter and is undone
exactly.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

logger = logging.getLogger("galsmith")

SMALLEST_SIZE_PIX, LARGEST_SIZE_PIX = 2, 2516
Values = NDArray[np.float64]
SHARE_OUTSIDE = 0.001
WIDE = 10.0
GALAXIES_PER_COLUMN = 10  # fewer do not tell a slope from chance: ten leave it an error of 0.3 of the scatter
LEAST_SHARE = 0.1  # of the variance; less is left to the network, as it would blur edges for little
DETERMINED = 1e-5  # of a column's scatter: what float32 pixels' sums leave of equal bands
DISTINCT_SHARE = 0.9  # of the galaxies' values; a column with fewer has lumps, which no sum of columns keeps


@dataclass(frozen=True)
class Standardization:
    """Subtracts a mean and divides by a scale, column by column, and undoes it."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def forward(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standardize [galaxy, column]."""
        return (values - np.asarray(self.mean)) / np.asarray(self.scale)

    def inverse(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Undo `forward`."""
        return values * np.asarray(self.scale) + np.asarray(self.mean)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Standardization":
        """Read plain JSON values."""
        return cls(tuple(value["mean"]), tuple(value["scale"]))


def fit_standardization(values: NDArray[np.float64]) -> Standardization:
    """Mean and standard deviation of each column of [galaxy, column]; a constant column gets scale 1."""
    deviation = values.std(axis=0)
    constant = deviation <= 1e-12 * np.maximum(1.0, np.abs(values).max(axis=0, initial=0.0))
    scale = np.where(constant, 1.0, deviation)
    return Standardization(tuple(map(float, values.mean(axis=0))), tuple(map(float, scale)))


@dataclass(frozen=True)
class SizeEncoding:
    """Native size as a scalar: (ln N - ln 2) / (ln 2516 - ln 2), standardized (Holzschuh et al. 2022, sec. 3)."""

    standardization: Standardization

    @classmethod
    def fit(cls, sizes_pix: ArrayLike) -> "SizeEncoding":
        """Fit on the native sizes of a training set, in pixels."""
        return cls(fit_standardization(_encoded(sizes_pix)))

    def forward(self, sizes_pix: ArrayLike) -> NDArray[np.float64]:
        """Encode sizes as [galaxy, 1]."""
        return self.standardization.forward(_encoded(sizes_pix))

    def inverse(self, scalars: Values) -> list[int]:
        """Decode to whole pixels, clipped to [2, 2516]."""
        encoded = self.standardization.inverse(scalars[:, np.newaxis])[:, 0]
        log_size = encoded * (np.log(LARGEST_SIZE_PIX) - np.log(SMALLEST_SIZE_PIX)) + np.log(
            SMALLEST_SIZE_PIX
        )
        sizes = np.clip(np.round(np.exp(log_size)), SMALLEST_SIZE_PIX, LARGEST_SIZE_PIX)
        return [int(size) for size in sizes]

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "SizeEncoding":
        """Read plain JSON values."""
        return cls(Standardization.from_dict(value["standardization"]))


def _encoded(sizes_pix: ArrayLike) -> NDArray[np.float64]:
    """Log size on the paper's range, [galaxy, 1]."""
    log_size = np.log(np.asarray(sizes_pix, dtype=np.float64)) - np.log(SMALLEST_SIZE_PIX)
    return (log_size / (np.log(LARGEST_SIZE_PIX) - np.log(SMALLEST_SIZE_PIX)))[:, np.newaxis]


@dataclass(frozen=True)
class ValueRange:
    """Values of a column in the training set.

    Attributes
    ----------
    minimum, maximum : float
        Of all.
    low, high : float
        All but a thousandth on either side lie between these.
    """

    minimum: float
    low: float
    high: float
    maximum: float

    @classmethod
    def fit(cls, values: Values) -> "ValueRange":
        """Take the range of values [galaxy]."""
        low, high = np.quantile(values, [SHARE_OUTSIDE, 1 - SHARE_OUTSIDE])
        return cls(float(values.min()), float(low), float(high), float(values.max()))

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ValueRange":
        """Read plain JSON values."""
        return cls(value["minimum"], value["low"], value["high"], value["maximum"])


@dataclass(frozen=True)
class ColumnEncoding:
    """Values of a column <-> standardized scalars; `forward` and `inverse` undo each other.

    Attributes
    ----------
    name : str
        Of the column.
    unit : str
        Of its values, as astropy writes it; empty where it has none.
    is_log : bool
        Whether the logarithm is standardized.
    is_whole : bool
        Whether drawn values are rounded to whole numbers.
    mean, scale : float
        Subtracted and divided by.
    """

    name: str
    unit: str
    is_log: bool
    is_whole: bool
    mean: float
    scale: float

    def forward(self, values: Values) -> Values:
        """Standardize values of any shape; those of a logarithmic column must be positive."""
        return ((np.log(values) if self.is_log else values) - self.mean) / self.scale

    def inverse(self, scalars: Values) -> Values:
        """Undo `forward`."""
        values = scalars * self.scale + self.mean
        values = np.exp(values) if self.is_log else values
        return np.round(values) if self.is_whole else values

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ColumnEncoding":
        """Read plain JSON values."""
        return cls(**{name: value[name] for name in cls.__dataclass_fields__})


def fit_encoding(name: str, values: Values, *, unit: str) -> ColumnEncoding:
    """Choose the encoding of a column.

    Values that are positive and vary by more than a factor of ten (but for a thousandth on either side) are taken as
    logarithms. Where all values are whole numbers, drawn ones are too.

    Parameters
    ----------
    name : str
        Of the column.
    values : ndarray [galaxy], float64
        Of the training set, finite.
    unit : str
        As astropy writes it; may be empty.
    """
    trained = ValueRange.fit(values)
    is_whole = bool(np.all(values == np.round(values)))
    is_log = not is_whole and trained.minimum > 0 and trained.high > WIDE * trained.low
    standardization = fit_standardization((np.log(values) if is_log else values)[:, np.newaxis])
    return ColumnEncoding(
        name, unit, is_log, is_whole, mean=standardization.mean[0], scale=standardization.scale[0]
    )


@dataclass(frozen=True)
class Whitening:
    """A triangular map of standardized columns; `forward` and `inverse` undo each other.

    ``scalar_j = (column_j - sum_k slope_jk column_k) / scale_j`` over the columns k that come before j in `order`.

    Attributes
    ----------
    order : tuple of int
        Positions of all columns, each after those that are taken off it.
    slopes : tuple of tuple of float
        [column, column]; 0 where nothing is taken off.
    scale : tuple of float
        Of what is left of each column, above zero.
    """

    order: tuple[int, ...]
    slopes: tuple[tuple[float, ...], ...]
    scale: tuple[float, ...]

    def forward(self, columns: ArrayLike) -> Values:
        """Map standardized columns [..., column] to scalars [..., scalar], float64."""
        values = np.asarray(columns, dtype=np.float64)
        return (values - values @ np.asarray(self.slopes).T) / np.asarray(self.scale)

    def inverse(self, scalars: ArrayLike) -> Values:
        """Undo `forward`."""
        return self.brought_in(scalars, {})

    def brought_in(self, scalars: ArrayLike, given: Mapping[int, ArrayLike]) -> Values:
        """Columns [..., column] of scalars with some columns set to given values.

        What the others leave over is kept: with another magnitude in one band the colors stay, and so those in the bands
        after it follow.

        Parameters
        ----------
        scalars : array_like [..., scalar]
            What `forward` gave.
        given : mapping of int to array_like [...]
            Standardized values by the position of their column.
        """
        left = np.asarray(scalars, dtype=np.float64) * np.asarray(self.scale)
        slopes, columns = np.asarray(self.slopes), np.zeros_like(left)
        for position in self.order:  # forward substitution
            own = left[..., position] + columns @ slopes[position]
            columns[..., position] = given.get(position, own)
        return columns

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "Whitening":
        """Read plain JSON values."""
        return cls(tuple(value["order"]), tuple(map(tuple, value["slopes"])), tuple(value["scale"]))


def fit_whitening(columns: Values, names: Sequence[str]) -> Whitening | None:
    """Fit the map on the training set's columns.

    Columns with lumps (whole numbers, classes, a few sizes) stay as they are and come first; then the column that the
    others know most of, and then always the one of which most is left. A column stays as it is where less than a tenth
    of its variance is known from those before it.

    Parameters
    ----------
    columns : ndarray [galaxy, column], float64
        Standardized: mean 0 and deviation 1, or all 0 where a column is constant.
    names : sequence of str
        Of the columns, for what is said of those that others determine.

    Returns
    -------
    Whitening or None
        None where nothing is to be taken off: fewer than two columns, or none that knows of another; also, with a
        warning, where there are fewer than ten galaxies a column.
    """
    n_galaxies, n_columns = columns.shape
    if n_columns < 2:
        return None
    if n_galaxies < GALAXIES_PER_COLUMN * n_columns:
        logger.warning(
            "%d training galaxies are too few to tell how their %d scalars go together: each is learned by itself",
            n_galaxies,
            n_columns,
        )
        return None
    is_lumpy = _with_lumps(columns)
    order = _order(columns.T @ columns / n_galaxies, is_lumpy)
    slopes, scale = np.zeros((n_columns, n_columns)), np.ones(n_columns)
    for count, position in enumerate(order):
        if not is_lumpy[position]:
            slopes[position, order[:count]], scale[position] = _known(columns, position, order[:count])
    determined = [name for name, spread in zip(names, scale, strict=True) if spread <= DETERMINED]
    if determined:
        logger.warning("%s: known from the other scalars, nothing of it is learned", ", ".join(determined))
    scale[scale <= DETERMINED] = 1.0  # nothing is left to scale
    if not slopes.any():
        return None
    return Whitening(tuple(order), tuple(tuple(map(float, row)) for row in slopes), tuple(map(float, scale)))


def _known(columns: Values, position: int, before: Sequence[int]) -> tuple[Values, float]:
    """Slopes [before] of one column in those before it, and how much is left; all of it where they know little."""
    slopes = np.asarray(np.linalg.lstsq(columns[:, before], columns[:, position], rcond=1e-9)[0], np.float64)
    left = float(np.std(columns[:, position] - columns[:, before] @ slopes))
    return (slopes, left) if left**2 <= 1 - LEAST_SHARE else (np.zeros(len(before)), 1.0)


def _with_lumps(columns: Values) -> NDArray[np.bool_]:
    """Whether many galaxies of a column share their value, or all do, [column]; galaxies that come twice count once."""
    different = np.unique(columns, axis=0)
    distinct = [len(np.unique(column)) for column in different.T]
    return np.array(distinct) < DISTINCT_SHARE * len(different)


def _order(covariance: Values, is_lumpy: NDArray[np.bool_]) -> list[int]:
    """Positions of the columns: those with lumps, then by what is left, as in a Cholesky factor with pivots."""
    lumpy = [int(position) for position in np.flatnonzero(is_lumpy)]
    free = [int(position) for position in np.flatnonzero(~is_lumpy)]
    if not free:
        return lumpy
    known = (covariance[np.ix_(free, free)] ** 2).sum(axis=1)
    order = [*lumpy, free.pop(int(np.argmax(known)))]
    while free:
        before = covariance[np.ix_(order, order)]
        across = covariance[np.ix_(order, free)]
        # what is left of each variance once those before are taken off
        left = np.diag(covariance)[free] - (across * (np.linalg.pinv(before) @ across)).sum(axis=0)
        order.append(free.pop(int(np.argmax(left.round(9)))))  # the first of equals
    return order
