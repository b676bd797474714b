"""Places of the quantities in the row of float64 numbers that the engine fills for one galaxy.

Made from the declared properties, so that a name, its place and its column in a table cannot drift apart.
"""

from collections import namedtuple
from functools import cache
from typing import Any

from galsmith.measure.properties.declared import PROPERTIES

ENGINE_COLUMNS: tuple[str, ...] = tuple(
    entry.name for entry in PROPERTIES if not entry.group.startswith("power_")
)
N_COLUMNS = len(ENGINE_COLUMNS)

# Kernels read ``PLACE.gini``: numba sees a named tuple of constants, and a misspelled name does not compile.
PLACE: Any = namedtuple("Place", ENGINE_COLUMNS)(*range(N_COLUMNS))


@cache
def columns_of(*, sersic: bool, double_sersic: bool) -> tuple[str, ...]:
    """Columns that a measurement has: those of fits that were not asked for are left out.

    Parameters
    ----------
    sersic : bool
        Whether one Sérsic law is fitted.
    double_sersic : bool
        Whether two Sérsic laws of one center are fitted.
    """
    without = set()
    if not sersic:
        without |= {entry.name for entry in PROPERTIES if entry.group == "sersic"} | {"sersic_index"}
    if not double_sersic:
        without |= {entry.name for entry in PROPERTIES if entry.group == "double_sersic"}
    return tuple(name for name in ENGINE_COLUMNS if name not in without)
