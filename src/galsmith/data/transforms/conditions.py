"""The columns of a catalog that a model is trained to be asked for: read, checked, as plain numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.transforms.scalars import ColumnEncoding, fit_encoding
from galsmith.errors import InputError
from galsmith.settings import near_miss

OWN_COLUMNS = ("object_id", "split", "seed", "native_size_pix", "store_part", "store_row")
"""What every drawn set says of itself; native sizes are kept beside the pixels where they differ."""


def condition_values(catalog: QTable, names: Sequence[str]) -> NDArray[np.float64]:
    """Read columns of a catalog as numbers, [galaxy, condition] float64, each in its own unit.

    Raises
    ------
    InputError
        If a column is missing (the near miss is named), is one of a drawn set's own, does not hold one number a
        galaxy, or has values that are masked, NaN or infinite.
    """
    if not names:
        return np.empty((len(catalog), 0))
    return np.stack([_numbers(catalog, name) for name in names], axis=1)


def fit_conditions(
    catalog: QTable, names: Sequence[str], values: NDArray[np.float64]
) -> tuple[ColumnEncoding, ...]:
    """Choose the encoding of each condition.

    Parameters
    ----------
    catalog : QTable
        Of the training split; its columns' units are kept.
    names : sequence of str
        The conditions.
    values : ndarray [galaxy, condition], float64
        What `condition_values` read.

    Raises
    ------
    InputError
        If all values of a column are equal.
    """
    for name, column in zip(names, values.T, strict=True):
        if np.all(column == column[0]):
            raise InputError(
                f"transform.conditions: column {name!r} is {column[0]:g} for all training galaxies; nothing can be "
                "learned from it: leave it out"
            )
    return tuple(
        fit_encoding(name, column, unit=_unit(catalog[name]))
        for name, column in zip(names, values.T, strict=True)
    )


def _numbers(catalog: QTable, name: str) -> NDArray[np.float64]:
    """Read one column, [galaxy]."""
    if name in OWN_COLUMNS:
        raise InputError(
            f"transform.conditions: {name!r} says of an image what every set says itself; leave it out (images of "
            "several sizes can be asked for by native_size_pix anyway)"
        )
    if name not in catalog.colnames:
        usable = [other for other in catalog.colnames if _is_usable(catalog, other)]
        raise InputError(
            f"transform.conditions: the catalog has no column {name!r}{near_miss(name, usable)}; its columns of "
            f"numbers are {', '.join(usable) or 'none'}"
        )
    column = catalog[name]
    values, missing = plain_column(column)
    if values.dtype.kind not in "iuf" or values.ndim != 1:
        raise InputError(
            f"transform.conditions: column {name!r} holds {_kind(values)}; wanted one number a galaxy: make a column "
            "of numbers, such as 0 and 1, in the labels or catalog that is ingested"
        )
    numbers = values.astype(np.float64)
    bad = missing | ~np.isfinite(numbers)
    if bad.any():
        raise InputError(
            f"transform.conditions: column {name!r} has no finite number for {int(bad.sum())} of {len(bad)} training "
            f"galaxies, the first {catalog['object_id'][int(np.argmax(bad))]}; leave these out with ingest `where`, or "
            "leave the column out"
        )
    return numbers


def _is_usable(catalog: QTable, name: str) -> bool:
    """Whether a column holds one number a galaxy."""
    values, _ = plain_column(catalog[name])
    return name not in OWN_COLUMNS and values.dtype.kind in "iuf" and values.ndim == 1


def plain_column(column: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values of a column without unit, and which are masked."""
    values = getattr(column, "value", column)
    mask = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    if mask is None:
        mask = np.asarray(getattr(column, "mask", np.zeros(np.shape(values), dtype=bool)))
    return np.asarray(getattr(values, "unmasked", values)), mask


def _unit(column: Any) -> str:
    """Write the unit of a column as astropy does, or nothing."""
    unit = getattr(column, "unit", None)
    return "" if unit is None else str(unit)


def _kind(values: NDArray[Any]) -> str:
    """Say what a column holds."""
    if values.ndim != 1:
        return f"{' x '.join(str(length) for length in values.shape[1:])} values a galaxy"
    return {"b": "true or false", "c": "complex numbers"}.get(values.dtype.kind, "text")
