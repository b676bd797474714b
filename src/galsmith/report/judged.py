"""How each statistic beyond single properties is judged: its status, and by what, in words."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from galsmith.compare import Judgment
from galsmith.compare.records import ClassifierTest, Statistic
from galsmith.report.checks import CERTAIN_Z, CLOSER_SHARE, FLOORS_WITHIN, LARGEST_P, TOLD_AUC, joint_statuses

FLOORS, AREA, SHARE = "floors", "area", "share"
KERNEL = (
    "not judged: 0 on average where nothing differs, no floors then; p says how often chance gives as much"
)
NEIGHBORS = "not judged: good is what it would be if nothing differed; p says how often chance gives as much"
BESIDE_AREA = "not judged: the area under the curve is"
BESIDE_SHARE = "not judged: the share is; p says how often chance gives as much"


@dataclass(frozen=True)
class Judged:
    """One statistic with its status.

    Attributes
    ----------
    of : str
        What it is about: all properties, a network, a classifier.
    statistic : Statistic
        The number.
    status : str
        ``"pass"``, ``"borderline"`` or ``"fail"``; empty where it is shown, not judged.
    by : str
        What decides, in words; or why nothing does.
    has_floors : bool
        Whether it may be counted in floors.
    """

    of: str
    statistic: Statistic
    status: str
    by: str
    has_floors: bool


def judged_statistics(judgment: Judgment) -> list[Judged]:
    """List what was found beyond single properties, with what each is judged by."""
    statuses = joint_statuses(judgment)
    return [
        Judged(of, item, statuses.get(item, ""), _words(item, rule), rule == FLOORS)
        for of, item, rule in _ruled(judgment)
    ]


def _ruled(judgment: Judgment) -> Iterator[tuple[str, Statistic, str]]:
    """List what a statistic is about, the statistic, and its rule or why there is none."""
    if judgment.beyond is not None:
        beyond = judgment.beyond
        for item in (beyond.sliced, beyond.energy, beyond.correlation):
            yield "all properties", item, FLOORS
        yield from _of_classifiers(beyond.classifiers)
    for one in judgment.features:
        yield one.extractor_id, one.frechet, FLOORS
        yield one.extractor_id, one.kernel, KERNEL
        for item in (one.precision, one.recall, one.density, one.coverage):
            yield one.extractor_id, item, NEIGHBORS
        yield from _of_classifiers(one.classifiers)
    for memory in judgment.memorization:
        yield memory.space, memory.share_closer, SHARE
        for item in (memory.authenticity, memory.c_t):
            yield memory.space, item, BESIDE_SHARE


def _of_classifiers(tests: tuple[ClassifierTest, ...]) -> Iterator[tuple[str, Statistic, str]]:
    """List the two statistics of each classifier."""
    for test in tests:
        yield f"{test.head} on {test.on}", test.auc, AREA
        yield f"{test.head} on {test.on}", test.accuracy, BESIDE_AREA


def _words(item: Statistic, rule: str) -> str:
    """Say what decides."""
    chance = f"p below {LARGEST_P:g} after Holm" if math.isfinite(item.p_value) else _by_spread(item)
    if rule == FLOORS:
        return f"more than {FLOORS_WITHIN:g} floors, and {chance}"
    if rule == AREA:
        return f"{TOLD_AUC:g} or more, and {chance}; floors mean nothing here"
    if rule == SHARE:
        return f"more than {100 * CLOSER_SHARE:g} % and twice what is expected, and {chance}; or any identical image"
    return rule


def _by_spread(item: Statistic) -> str:
    """Say what stands in for a test."""
    z_text = f" (here {item.z:.1f})" if math.isfinite(item.z) else ""
    return f"z above {CERTAIN_Z:g}{z_text}, as there is no test".replace("-", "−")
