"""Catalog columns from loose values: numbers where all are numbers, else text; what is missing is NaN or ''."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

RESERVED_NAMES = (
    "object_id",
    "split",
    "native_size_pix",
    "pixel_scale_arcsec",
    "physical_pixel_kpc",
    "store_part",
    "store_row",
)
LARGEST_EXACT_FLOAT = 2**53
WORDS_FOR_MISSING = ("", "nan", "na", "n/a", "null", "none", "--")


def add_column(table: QTable, name: str, values: Sequence[Any]) -> None:
    """Add a column of loose values; a name that the store uses itself gets ``label_`` before it."""
    free = f"label_{name}" if name in RESERVED_NAMES or name in table.colnames else name
    table[free] = typed_column(values)


def typed_column(values: Sequence[Any]) -> NDArray[Any]:
    """Bring values to one type.

    Parameters
    ----------
    values : sequence of str, number, bool or None
        None and words such as ``"nan"`` are missing.

    Returns
    -------
    ndarray [row]
        bool or int64 if all are there and of that kind; float64 with NaN for missing numbers; else str with
        ``""`` for missing. Whole numbers beyond 2^53 with gaps stay text, which keeps every digit.
    """
    present = [value for value in values if not _is_missing(value)]
    complete = len(present) == len(values)
    if present and complete and all(isinstance(value, bool | np.bool_) for value in present):
        return np.array(values, dtype=bool)
    numbers = [_number(value) for value in present]
    if any(number is None for number in numbers):
        return np.array(["" if _is_missing(value) else str(value) for value in values], dtype=str)
    whole = bool(present) and all(isinstance(number, int) for number in numbers)
    if whole and complete and max(abs(number or 0) for number in numbers) < 2**63:
        return np.array(numbers, dtype=np.int64)
    if whole and max(abs(number or 0) for number in numbers) > LARGEST_EXACT_FLOAT:
        return np.array(["" if _is_missing(value) else str(value) for value in values], dtype=str)
    return np.array([np.nan if _is_missing(value) else _number(value) for value in values], dtype=np.float64)


def _is_missing(value: Any) -> bool:
    """Whether a value stands for nothing."""
    return value is None or (isinstance(value, str) and value.strip().lower() in WORDS_FOR_MISSING)


def _number(value: Any) -> int | float | None:
    """Read a number; None if it is none."""
    if isinstance(value, bool | int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    text = str(value).strip()
    for kind in (int, float):
        try:
            return kind(text) if "_" not in text else None
        except ValueError:
            continue
    return None
