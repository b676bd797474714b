"""Galaxies of which all columns are known: checked, without wild values, standardized, and a few of many."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from galsmith.compare.normalization import GAUSSIAN_IQR, ROUNDING
from galsmith.compare.resampling import GalaxyGroups
from galsmith.counts import counted
from galsmith.errors import InputError
from galsmith.seeds import random_stream

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

MINIMUM_ROWS = 20
# Where values are cut off, in robust standard deviations: one wild fit must not decide for all columns.
WILD_SIGMA = 10.0


@dataclass(frozen=True)
class CompleteRows:
    """Galaxies of two sets of which all columns are known.

    Attributes
    ----------
    reference, generated : ndarray [galaxy, column], float64
        Finite, in their own units.
    columns : tuple of str
        Their names.
    groups : GalaxyGroups
        Which rows are of one galaxy.
    """

    reference: Floats
    generated: Floats
    columns: tuple[str, ...]
    groups: GalaxyGroups

    @cached_property
    def standardized(self) -> tuple[Floats, Floats]:
        """Both sets in units of the reference's mean and standard deviation, as `standardize` makes them."""
        return standardize(self.reference, self.generated)


def checked_rows(
    reference: ArrayLike, generated: ArrayLike, columns: Sequence[str], *, minimum: int = MINIMUM_ROWS
) -> tuple[Floats, Floats]:
    """Both sets as float64 arrays of the same columns.

    Parameters
    ----------
    reference, generated : array_like [galaxy, column], float
        Finite numbers.
    columns : sequence of str
        Their names.
    minimum : int
        Rows that each set must have.

    Raises
    ------
    InputError
        If a set has another number of columns, too few rows, or values that are not finite.
    """
    first, second = (
        _checked(name, values, columns, minimum)
        for name, values in (("reference", reference), ("generated", generated))
    )
    return first, second


def standardize(reference: Floats, generated: Floats) -> tuple[Floats, Floats]:
    """Both sets in units of the reference's mean and standard deviation, wild values cut off.

    Values farther from the reference's median than `WILD_SIGMA` times its interquartile range over 1.349
    are put there on both sides, before mean and standard deviation are taken.

    Parameters
    ----------
    reference, generated : ndarray [galaxy, column], float64
        Finite numbers.

    Returns
    -------
    tuple of ndarray [galaxy, column], float64
        Columns that do not vary in the reference have the unit of both sets' spread; 0 where none varies.
    """
    low, high = _limits(reference)
    first, second = np.clip(reference, low, high), np.clip(generated, low, high)
    center, sigma = first.mean(axis=0), _sigma(first)
    # A column that is constant in the reference and not in the generated set must stay finite and visible.
    sigma = np.where(sigma > 0, sigma, _sigma(np.concatenate([first, second])))
    scale = np.where(sigma > 0, sigma, 1.0)
    return (first - center) / scale, (second - center) / scale


def standardize_together(reference: Floats, generated: Floats) -> tuple[Floats, Floats]:
    """Both sets in units of the mean and standard deviation of all, wild values cut off.

    As `standardize`, except that which row belongs to which set does not enter.

    Parameters
    ----------
    reference, generated : ndarray [galaxy, column], float64
        Finite numbers.
    """
    pooled = np.concatenate([reference, generated])
    values = standardize(pooled, pooled[:1])[0]
    return values[: len(reference)], values[len(reference) :]


def choose_rows(count: int, most: int, *, seed: int, purpose: str) -> Rows:
    """Rows 0 to `count` - 1, or `most` of them drawn without replacement, in ascending order."""
    if count <= most:
        return np.arange(count)
    return np.sort(random_stream(seed, purpose).permutation(count)[:most])


def _limits(values: Floats) -> tuple[Floats, Floats]:
    """Where the wild values of each column begin; nowhere where half of the values are equal."""
    low, center, high = np.percentile(values, [25, 50, 75], axis=0)
    sigma = (high - low) / GAUSSIAN_IQR
    # No cut where the middle half of a column is one value: its quartiles have no width to count in.
    reach = np.where(sigma > 0, WILD_SIGMA * sigma, np.inf)
    return center - reach, center + reach


def _sigma(values: Floats) -> Floats:
    """Take the standard deviation of each column; 0 where it is rounding."""
    sigma = values.std(axis=0)
    return np.where(sigma > ROUNDING * np.abs(values).max(axis=0), sigma, 0.0)


def _checked(name: str, values: ArrayLike, columns: Sequence[str], minimum: int) -> Floats:
    """One set as a float64 array."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != len(columns) or not len(columns):
        raise InputError(
            f"it has shape {array.shape}",
            argument=name,
            wanted=f"[galaxy, {len(columns)}], one column for each of the names",
        )
    if len(array) < minimum:
        raise InputError(
            f"it has {counted(len(array), 'galaxies')}",
            argument=name,
            wanted=f"{minimum} or more",
            way_out="measure more galaxies",
        )
    bad = ~np.isfinite(array)
    if bad.any():
        worst = int(bad.sum(axis=0).argmax())
        raise InputError(
            f"it has values that are not finite in {np.count_nonzero(bad.any(axis=1))} of {len(array)} galaxies, most "
            f"in {columns[worst]}",
            argument=name,
            way_out="leave these galaxies, or that column, out",
        )
    return array
