"""What one galaxy gave: values, flags, and the text of an error, whichever engine measured it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class Measured:
    """What one galaxy gave in one band.

    Attributes
    ----------
    values : dict of property name to float
        NaN for what could not be measured.
    flag : int
        0 good, 1 suspect, 2 bad, 4 nothing was measured.
    fit_flags : dict of column to int
        The same of the fits that were asked for: ``flag_sersic``, ``flag_double_sersic``.
    flags : list of str
        Names of all that was noticed.
    message : str
        Of the error, where an engine failed.
    """

    values: dict[str, float] = field(default_factory=dict)
    flag: int = 0
    fit_flags: dict[str, int] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    message: str = ""


def columns_of_rows(rows: Sequence[Measured]) -> dict[str, NDArray[Any]]:
    """Turn rows of the same columns into columns.

    Returns
    -------
    dict of column to ndarray [row]
        float64 values, int32 flags, and the texts ``flags`` and ``message``.
    """
    columns: dict[str, NDArray[Any]] = {
        name: np.array([row.values[name] for row in rows], dtype=np.float64) for name in rows[0].values
    }
    columns["flag"] = np.array([row.flag for row in rows], dtype=np.int32)
    for name in rows[0].fit_flags:
        columns[name] = np.array([row.fit_flags[name] for row in rows], dtype=np.int32)
    columns["flags"] = np.array([",".join(row.flags) for row in rows], dtype=object)
    columns["message"] = np.array([row.message for row in rows], dtype=object)
    return columns
