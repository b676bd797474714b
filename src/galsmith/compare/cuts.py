"""Cuts on measured properties before a comparison: off by default, and each says what it removed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.errors import SettingsError
from galsmith.settings import near_miss

Cuts = Mapping[str, tuple[float | None, float | None]]

NAMED_CUTS: dict[str, Cuts] = {
    # The evaluation notebook that Holzschuh et al. (2022) published cuts these; the paper does not say so.
    "holzschuh2022-notebook": {
        "sersic_index": (None, 10.0),
        "asymmetry": (-1.0, 1.0),
        "smoothness": (-0.05, 0.2),
        "r_half_pix": (None, 60.0),
    },
}


@dataclass(frozen=True)
class Cut:
    """A closed range of one column; infinite where open."""

    column: str
    low: float
    high: float


def resolve_cuts(cuts: Cuts | str | None) -> tuple[Cut, ...]:
    """Read cuts given by name, as a mapping of column to (low, high), or not at all.

    Raises
    ------
    SettingsError
        If the name is unknown (the near miss is named) or a range is empty or not a pair.
    """
    if cuts is None:
        return ()
    if isinstance(cuts, str):
        if cuts not in NAMED_CUTS:
            raise SettingsError(
                f"there is no such set of cuts{near_miss(cuts, list(NAMED_CUTS))}",
                argument="cuts",
                came=cuts,
                wanted=f"one of {', '.join(NAMED_CUTS)}",
            )
        cuts = NAMED_CUTS[cuts]
    # In the order given: a galaxy outside of several cuts counts in each of them.
    return tuple(_checked(column, ends) for column, ends in cuts.items())


def outside(table: QTable, cut: Cut) -> NDArray[np.bool_]:
    """Rows whose value lies outside of a cut, [row] bool; what was not measured is not outside.

    Raises
    ------
    SettingsError
        If the table lacks the column (the near miss is named) or it holds no numbers.
    """
    if cut.column not in table.colnames:
        raise SettingsError(
            f"there is no such column{near_miss(cut.column, table.colnames)}",
            argument="cuts",
            came=cut.column,
            wanted=f"one that was measured: {', '.join(table.colnames)}",
        )
    values = np.asarray(getattr(table[cut.column], "value", table[cut.column]))
    if values.dtype.kind not in "iufb":
        raise SettingsError(
            "this column holds text", argument="cuts", came=cut.column, wanted="a column of numbers"
        )
    # Both are false for NaN: what was not measured is not outside.
    beyond: NDArray[np.bool_] = (values < cut.low) | (values > cut.high)
    return beyond


def _checked(column: str, ends: tuple[float | None, float | None]) -> Cut:
    """Check one range."""
    try:
        low, high = (
            fallback if end is None else float(end)
            for end, fallback in zip(ends, (-np.inf, np.inf), strict=True)
        )
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"the range is {ends!r}",
            argument="cuts",
            came=column,
            wanted="(low, high), with None for an open end",
        ) from error
    # Not low > high, which lets NaN pass.
    if not low <= high:
        raise SettingsError(f"the range is {low}..{high}", argument="cuts", came=column, wanted="low <= high")
    return Cut(column, low, high)
