"""What gives a generated set away: classifiers, the columns that tell, and the galaxies most surely told."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.evidence.together import HEADS
from galsmith.compare.marginal.columns import words_of
from galsmith.compare.records import ClassifierTest, Giveaway
from galsmith.report.material import Material, SideMaterial
from galsmith.report.panels.galaxies import Block, pair_of_rows, rows_of_ids

MOST_GIVEAWAYS = 8
MOST_EXAMPLES = 5
LEAST_FULL_BAR = 0.05
ON_PROPERTIES = "properties"


@dataclass(frozen=True)
class GiveawayBar:
    """One telling column; `bar` is in percent of the longest, or of a loss worth speaking of."""

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
    longest = max((LEAST_FULL_BAR, *(item.importance for item in shown)))
    return [
        GiveawayBar(
            item,
            words_of(item.column),
            round(100 * max(item.importance, 0) / longest, 1),
        )
        for item in shown
    ]


def _examples(test: ClassifierTest, material: Material) -> Block | None:
    """Draw the galaxies of both sides that are told most surely."""
    reference, generated = material.reference.images, material.generated.images
    if reference is None or generated is None:
        return None
    told = zip(material.sides, (test.told_reference, test.told_generated), strict=True)
    rows = [_image_rows(side, chosen[:MOST_EXAMPLES], on=test.on) for side, chosen in told]
    if not (rows[0].size and rows[1].size):
        return None
    return pair_of_rows((reference, generated), (rows[0], rows[1]))


def _image_rows(side: SideMaterial, rows: tuple[int, ...], *, on: str) -> NDArray[np.int64]:
    """Find images: features are in the order of the images, the rows of a table are found by object_id."""
    none = np.empty(0, dtype=np.int64)
    if side.images is None:
        return none
    if on != ON_PROPERTIES:
        return np.array([row for row in rows if row < len(side.images)], dtype=np.int64)
    if side.table is None or "object_id" not in side.table.colnames:
        return none
    names = [str(side.table["object_id"][row]) for row in rows if row < len(side.table)]
    return rows_of_ids(side.images, names)
