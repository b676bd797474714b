"""What gives a generated set away: classifiers, the columns that tell, and the galaxies most surely told."""

from dataclasses import dataclass

import numpy as np

from galsmith.compare.evidence import ClassifierTest, Giveaway
from galsmith.report.checks import HEADS
from galsmith.report.galaxies import Block, pair_of_rows, rows_of_ids
from galsmith.report.labels import words_of
from galsmith.report.material import Material, SideMaterial

MOST_GIVEAWAYS = 8
MOST_EXAMPLES = 5


@dataclass(frozen=True)
class GiveawayBar:
    """One telling column; `bar` and `spread` are in percent of the longest bar."""

    giveaway: Giveaway
    label: str
    bar: float


@dataclass(frozen=True)
class ClassifierPanel:
    """One classifier.

    Attributes
    ----------
    test : ClassifierTest
        What was found.
    title : str
        In words.
    bars : list of GiveawayBar
        The most telling columns.
    examples : Block or None
        The galaxies most surely told; None where they cannot be shown.
    """

    test: ClassifierTest
    title: str
    bars: list[GiveawayBar]
    examples: Block | None


def classifier_panels(
    tests: tuple[ClassifierTest, ...], material: Material, *, on: str
) -> list[ClassifierPanel]:
    """Lay out classifiers that saw `on`, in words."""
    return [
        ClassifierPanel(
            test,
            f"{HEADS.get(test.head, test.head).capitalize()} on {on}",
            _bars(test),
            _examples(test, material),
        )
        for test in tests
    ]


def _bars(test: ClassifierTest) -> list[GiveawayBar]:
    """Scale the most telling columns."""
    shown = test.giveaways[:MOST_GIVEAWAYS]
    longest = max((item.importance for item in shown), default=0.0)
    return [
        GiveawayBar(
            item,
            words_of(item.column),
            round(100 * max(item.importance, 0) / longest, 1) if longest > 0 else 0.0,
        )
        for item in shown
    ]


def _examples(test: ClassifierTest, material: Material) -> Block | None:
    """Draw the galaxies of both sides that are told most surely."""
    reference, generated = material.reference.images, material.generated.images
    if reference is None or generated is None:
        return None
    rows = (
        _image_rows(material.reference, test.told_reference[:MOST_EXAMPLES]),
        _image_rows(material.generated, test.told_generated[:MOST_EXAMPLES]),
    )
    if not (rows[0].size and rows[1].size):
        return None
    return pair_of_rows((reference, generated), rows)


def _image_rows(side: SideMaterial, rows: tuple[int, ...]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Find the images of rows of a table, by object_id."""
    none = np.empty(0, dtype=np.int64)
    if side.table is None or side.images is None or "object_id" not in side.table.colnames:
        return none
    names = [str(side.table["object_id"][row]) for row in rows if row < len(side.table)]
    return rows_of_ids(side.images, names) if names else none
