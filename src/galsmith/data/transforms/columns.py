"""One column of a catalog as a scalar of a network: how it is encoded, and which values were trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.data.transforms.scalars import fit_standardization

Values = NDArray[np.float64]

SHARE_OUTSIDE = 0.001
WIDE = 10.0


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
