"""Differences of correlations as a small heat map."""

from dataclasses import dataclass

from galsmith.compare.correction import ALARMS
from galsmith.compare.marginal.columns import words_of
from galsmith.compare.records import BeyondMarginals, CorrelationPair

MOST_PAIRS = 20
MOST_COLUMNS = 14
LEAST_FULL = 0.3
CELL, LEFT, TOP, RIGHT = 22, 132, 104, 84


@dataclass(frozen=True)
class Cell:
    """One pair: where it is, how strong (0 to 1) and what it says."""

    x: float
    y: float
    strength: float
    is_higher: bool
    is_certain: bool
    text: str


@dataclass(frozen=True)
class HeatMap:
    """The map.

    Attributes
    ----------
    labels : list of str
        Of rows and columns.
    cells : list of Cell
        Both halves.
    side : float
        Width and height of the drawing without its labels.
    most : float
        Difference at full strength.
    """

    labels: list[str]
    cells: list[Cell]
    side: float
    most: float


def heat_map_of(beyond: BeyondMarginals) -> HeatMap | None:
    """Draw the pairs whose correlation differs most; None where there is none."""
    named = [name for pair in beyond.correlation_pairs[:MOST_PAIRS] for name in (pair.first, pair.second)]
    chosen = set(list(dict.fromkeys(named))[:MOST_COLUMNS])
    columns = [name for name in beyond.columns if name in chosen]
    pairs = [
        pair for pair in beyond.correlation_pairs[:MOST_PAIRS] if {pair.first, pair.second} <= set(columns)
    ]
    if not pairs:
        return None
    most = max(LEAST_FULL, *(abs(pair.difference) for pair in pairs))
    cells = [
        _cell(pair, row, column, most)
        for pair in pairs
        for row, column in (
            (columns.index(pair.first), columns.index(pair.second)),
            (columns.index(pair.second), columns.index(pair.first)),
        )
    ]
    return HeatMap([words_of(name) for name in columns], cells, CELL * len(columns), most)


def _cell(pair: CorrelationPair, row: int, column: int, most: float) -> Cell:
    """Place one pair."""
    return Cell(
        LEFT + CELL * column,
        TOP + CELL * row,
        round(abs(pair.difference) / most, 3),
        pair.difference > 0,
        pair.p_family <= ALARMS,
        f"{words_of(pair.first)}, {words_of(pair.second)}: {pair.reference:+.2f} in the reference set, "
        f"{pair.generated:+.2f} in the generated set",
    )
