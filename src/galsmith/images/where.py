"""Conditions on catalog columns, written as on the command line: ``mag=22..23, T=-5..0, bar=1``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.errors import SettingsError
from galsmith.settings import near_miss


@dataclass(frozen=True)
class Condition:
    """One column and the values wanted: a closed range, open ended where None, or one text."""

    column: str
    low: float | None = None
    high: float | None = None
    text: str | None = None


def parse_where(expression: str) -> tuple[Condition, ...]:
    """Read ``column=low..high`` (either end may be left out) or ``column=value``, separated by commas.

    Raises
    ------
    SettingsError
        If a part is not of that form.
    """
    return tuple(_parse_condition(part.strip()) for part in expression.split(",") if part.strip())


def rows_chosen(catalog: QTable, expression: str) -> NDArray[np.bool_]:
    """Rows of a catalog that meet what is written: conditions separated by commas, or others after ``or``.

    Parameters
    ----------
    catalog : QTable
        Its columns are named in the conditions.
    expression : str
        Such as ``"score=1.. or label=1, part=labeled"``: `parse_where` reads each side of ``or``.

    Raises
    ------
    SettingsError
        If a part is not of that form, or a column is missing or of another kind.
    """
    chosen = np.zeros(len(catalog), dtype=bool)
    for part in re.split(r"\s+or\s+", expression.strip()):
        chosen |= rows_where(catalog, parse_where(part))
    return chosen


def rows_where(catalog: QTable, conditions: Sequence[Condition]) -> NDArray[np.bool_]:
    """Rows of a catalog that meet all conditions, [row] bool; NaN meets none.

    Raises
    ------
    SettingsError
        If a column is missing (the near miss is named) or holds text where numbers are wanted.
    """
    keep = np.ones(len(catalog), dtype=bool)
    for condition in conditions:
        if condition.column not in catalog.colnames:
            raise SettingsError(
                f"no such column{near_miss(condition.column, catalog.colnames)}; "
                f"the catalog has {', '.join(catalog.colnames)}",
                argument="where",
                came=condition.column,
            )
        keep &= _meets(catalog, condition)
    return keep


def _parse_condition(part: str) -> Condition:
    """Read one condition."""
    column, separator, wanted = (piece.strip() for piece in part.partition("="))
    if not separator or not column or not wanted:
        raise SettingsError(
            argument="where", came=repr(part), wanted="column=low..high or column=value, such as mag=22..23"
        )
    if ".." in wanted:
        low, _, high = wanted.partition("..")
        return Condition(column, low=_number(low, part), high=_number(high, part))
    try:
        value = float(wanted)
    except ValueError:
        return Condition(column, text=wanted)
    return Condition(column, low=value, high=value, text=wanted)


def _number(text: str, part: str) -> float | None:
    """Read one end of a range; an empty one is open."""
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError as error:
        raise SettingsError(f"{text.strip()!r} is not a number", argument="where", came=repr(part)) from error


def _meets(catalog: QTable, condition: Condition) -> NDArray[np.bool_]:
    """Rows that meet one condition."""
    column = catalog[condition.column]
    values = np.asarray(getattr(column, "value", column))
    if values.dtype.kind in "USO":
        if condition.text is None:
            raise SettingsError(
                f"holds text; wanted {condition.column}=value", argument="where", came=condition.column
            )
        return np.asarray(values.astype(str) == condition.text, dtype=bool)
    if condition.low is None and condition.high is None:
        raise SettingsError(
            "the column holds numbers", argument="where", came=f"{condition.column}={condition.text}"
        )
    low = -np.inf if condition.low is None else condition.low
    high = np.inf if condition.high is None else condition.high
    return np.asarray((values >= low) & (values <= high), dtype=bool)
