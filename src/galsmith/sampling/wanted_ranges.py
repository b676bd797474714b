"""What drawn galaxies are asked to be: ``r_half_pix=5..8, magnitude=22`` as checked ranges of a model's scalars."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from galsmith.data.transforms import ScalarColumn
from galsmith.errors import SettingsError
from galsmith.settings import Condition, near_miss, parse_where

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """One column and the closed range that is asked for.

    Attributes
    ----------
    column : ScalarColumn
        Of the model.
    low, high : float
        In the column's unit; infinite where the range is open, equal where one value is asked for.
    """

    column: ScalarColumn
    low: float
    high: float

    @property
    def is_exact(self) -> bool:
        """Whether one value of a continuous column is asked for, which chance alone never draws."""
        return self.low == self.high and not self.column.encoding.is_whole

    @property
    def is_beyond(self) -> bool:
        """Whether no training galaxy was in the range."""
        trained = self.column.trained
        return trained is not None and (self.low > trained.maximum or self.high < trained.minimum)

    @property
    def text(self) -> str:
        """As it is written in the argument `where`."""
        if self.low == self.high:
            return f"{self.column.name}={_number_text(self.low)}"
        return f"{self.column.name}={_number_text(self.low)}..{_number_text(self.high)}"

    def within(self, values: Values) -> Values:
        """Values brought into the range."""
        return np.clip(values, self.low, self.high)

    def misfit(self, scalars: NDArray[np.float32]) -> Values:
        """Distance of scalars [..., scalar] from the range, [...], in standard deviations; exactly 0 inside."""
        values = self.column.values(scalars)
        with np.errstate(all="ignore"):
            away = self.column.encoding.forward(self.within(values)) - self.column.encoding.forward(values)
        return np.where(
            self.within(values) == values, 0.0, np.nan_to_num(np.abs(away), nan=np.inf, posinf=np.inf)
        )


def misfit(asked: Sequence[Asked], scalars: NDArray[np.float32]) -> Values:
    """Distance of scalars [..., scalar] from all ranges, [...], in standard deviations; exactly 0 inside."""
    total = np.zeros(scalars.shape[:-1])
    for one in asked:
        total = np.hypot(total, one.misfit(scalars))
    return total


def where_text(asked: Sequence[Asked]) -> str:
    """Write what is asked as one text that does not depend on how it was written."""
    return ", ".join(one.text for one in asked)


def read_where(expression: str, columns: Mapping[str, ScalarColumn]) -> tuple[Asked, ...]:
    """Read ``column=low..high`` (either end may be left out) or ``column=value``, separated by commas.

    Parameters
    ----------
    expression : str
        As on the command line.
    columns : mapping of str to ScalarColumn
        What the model can be asked for.

    Returns
    -------
    tuple of Asked
        In the order of the model's scalars.

    Raises
    ------
    SettingsError
        If a part is not of that form, a column is unknown (the near miss is named) or asked for twice, or no galaxy
        can be in a range.
    """
    asked = [_read(condition, columns) for condition in parse_where(expression)]
    if not asked:
        raise SettingsError(
            argument="where", came=repr(expression), wanted="column=low..high or column=value"
        )
    asked.sort(key=lambda one: one.column.position)
    for one, other in itertools.pairwise(asked):
        if one.column.position == other.column.position:
            raise SettingsError(
                "both ask for one quantity; give one range of one of them",
                argument="where",
                came=f"{one.text}, {other.text}",
            )
    return tuple(asked)


def beyond_training(asked: Sequence[Asked]) -> list[str]:
    """Say for each range that reaches beyond the trained values what these were, in one line each."""
    return [line for one in asked if (line := _beyond(one))]


def _read(condition: Condition, columns: Mapping[str, ScalarColumn]) -> Asked:
    """Check one condition against the model's columns."""
    if condition.column not in columns:
        known = (
            f"this model can be asked for {', '.join(sorted(columns))}" if columns else "this model has none"
        )
        raise SettingsError(
            f"no such column{near_miss(condition.column, list(columns))}; {known} (columns of "
            "the training set's catalog that transform.conditions names in training, flux and size)",
            argument="where",
            came=condition.column,
        )
    if condition.low is None and condition.high is None:
        wanted = "a range" if condition.text is None else f"a number in place of {condition.text!r}"
        raise SettingsError(
            argument="where", came=condition.column, wanted=f"{wanted}, such as {condition.column}=low..high"
        )
    low = -math.inf if condition.low is None else condition.low
    high = math.inf if condition.high is None else condition.high
    asked = Asked(columns[condition.column], low, high)
    if not low <= high or (math.isinf(low) and low == high):  # the first also where one is NaN
        raise SettingsError(
            argument="where", came=asked.text, wanted="the lower number first, then two dots and the higher"
        )
    return _possible(asked)


def _possible(asked: Asked) -> Asked:
    """Bring the ends to values that the column can have, and refuse a range without any."""
    encoding = asked.column.encoding
    if encoding.is_log and asked.high <= 0:
        raise SettingsError(
            f"{encoding.name} is above zero in every galaxy", argument="where", came=asked.text
        )
    if not encoding.is_whole:
        return asked
    whole = replace(asked, low=_whole(asked.low, up=True), high=_whole(asked.high, up=False))
    if whole.low > whole.high:
        raise SettingsError(
            f"{encoding.name} has whole numbers only, and there is none in this range",
            argument="where",
            came=asked.text,
        )
    return whole


def _whole(value: float, *, up: bool) -> float:
    """Round to a whole number upwards or downwards; infinite stays infinite."""
    if math.isinf(value):
        return value
    return float(math.ceil(value) if up else math.floor(value))


def _beyond(asked: Asked) -> str:
    """Say how a range lies to the trained values; nothing where it lies among them."""
    trained, unit = asked.column.trained, asked.column.encoding.unit
    if trained is None:
        return ""
    reach = f"{trained.minimum:g} to {trained.maximum:g}" + (f" {unit}" if unit else "")
    if asked.is_beyond:
        return (
            f"`where={asked.text}`: lies outside of the trained range, {reach}; such galaxies are an extrapolation that "
            "nothing vouches for"
        )
    if asked.low > trained.high or asked.high < trained.low:
        return (
            f"`where={asked.text}`: fewer than one in a thousand training galaxies are there ({reach} in all)"
        )
    ends = [end for end in (asked.low, asked.high) if math.isfinite(end)]
    if any(not trained.minimum <= end <= trained.maximum for end in ends):
        return f"`where={asked.text}`: reaches beyond the trained range, {reach}; expect few galaxies or none there"
    return ""


def _number_text(value: float) -> str:
    """Write a number so that it reads back the same; nothing for an open end."""
    if math.isinf(value):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
