"""Columns of somebody's own catalog as they stand beside what is measured: ``catalog_`` before each name, with units."""

from collections.abc import Collection
from typing import Any

import numpy as np
from astropy.table import QTable, Table

PREFIX = "catalog_"


def given_columns(catalog: Table, *, without: Collection[str] = ()) -> QTable:
    """Take the columns of a catalog that a table of measurements can hold: of numbers, truth values and texts, one a row.

    Parameters
    ----------
    catalog : Table
        One row a galaxy.
    without : collection of str
        Columns that stand beside what is measured by other names.

    Returns
    -------
    QTable
        What is missing is NaN, of whole numbers too, and empty of texts.
    """
    taken = QTable()
    for name in catalog.colnames:
        column = catalog[name]
        if name in without or np.ndim(column) != 1:
            continue
        values = _filled(column)
        if values is not None:
            unit = getattr(column, "unit", None)
            taken[f"{PREFIX}{name}"] = (
                values if unit is None or values.dtype.kind not in "iuf" else values * unit
            )
    return taken


def _filled(column: Any) -> Any:
    """Give the values of a column without masks; None where they are of another kind."""
    values = np.ma.asarray(getattr(column, "value", column))
    if values.dtype.kind in "SO":
        values = np.ma.array([_text(value) for value in values.data], mask=np.ma.getmaskarray(values))
    if not np.ma.getmaskarray(values).any():
        return values.data if values.dtype.kind in "biufU" else None
    if values.dtype.kind in "biuf":
        return np.ma.filled(values.astype(np.float64), np.nan)
    return np.ma.filled(values, "") if values.dtype.kind == "U" else None


def _text(value: Any) -> str:
    """Write a value as text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return "" if value is None else str(value)
