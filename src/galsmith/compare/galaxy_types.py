"""Early and late types by the bulge statistic, whose colors are compared apart (Holzschuh et al. 2022, section 4.1.3)."""

import numpy as np
from numpy.typing import NDArray

BULGE = "bulge_statistic"
TYPES = ("early_type", "late_type")


def of_type(bulge_statistic: NDArray[np.float64], name: str) -> NDArray[np.bool_]:
    """Find the galaxies of one type: early where the bulge statistic is 0 or more, late where it is less.

    Parameters
    ----------
    bulge_statistic : ndarray [row], float64
        F(G, M20); NaN belongs to no type (Snyder et al. 2015; Rodriguez-Gomez et al. 2019).
    name : {"early_type", "late_type"}
        Which type.

    Returns
    -------
    ndarray [row], bool
    """
    return bulge_statistic >= 0 if name == "early_type" else bulge_statistic < 0


def type_of_distance(name: str, column: str) -> str:
    """Find which type a distance is of, such as ``"early_type"``; empty where it is of all galaxies."""
    rest = name.removeprefix(f"{column}_")
    return rest if rest in TYPES else ""
