"""Rows of a catalog that meet conditions, written as on the command line: ``mag=22..23, T=-5..0, bar=1``."""

from collections.abc import Sequence

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.errors import SettingsError
from galsmith.settings import Condition, near_miss, parse_alternatives


def rows_chosen(catalog: QTable, expression: str) -> NDArray[np.bool_]:
    """Rows of a catalog that meet what is written: conditions separated by commas, or others after ``or``.

    Parameters
    ----------
    catalog : QTable
        Its columns are named in the conditions.
    expression : str
        Such as ``"score=1.. or label=1, part=labeled"``: `galsmith.settings.parse_where` reads each side of ``or``.

    Raises
    ------
    SettingsError
        If a part is not of that form, or a column is missing or of another kind.
    """
    chosen = np.zeros(len(catalog), dtype=bool)
    for conditions in parse_alternatives(expression):
        chosen |= rows_where(catalog, conditions)
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
