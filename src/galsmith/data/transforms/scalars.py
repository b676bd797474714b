"""Standardized scalars that stand beside the pixels: log flux per band, log native size, columns of the catalog."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

SMALLEST_SIZE_PIX, LARGEST_SIZE_PIX = 2, 2516
Values = NDArray[np.float64]
SHARE_OUTSIDE = 0.001
WIDE = 10.0


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

    def forward(self, sizes_pix: Sequence[int]) -> NDArray[np.float64]:
        """Encode sizes as [galaxy, 1]."""
        return self.standardization.forward(_encoded(sizes_pix))

    def inverse(self, scalars: NDArray[np.float32]) -> list[int]:
        """Decode to whole pixels, clipped to [2, 2516]."""
        encoded = self.standardization.inverse(np.asarray(scalars, dtype=np.float64)[:, np.newaxis])[:, 0]
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
