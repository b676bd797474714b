"""What passes and what fails: one rule for distances, joint statistics, classifiers, features and copies."""

import math
import re
from dataclasses import dataclass

import numpy as np

from galsmith.compare import Distance, Estimate, Judgment
from galsmith.compare.estimates import holm
from galsmith.compare.records import ClassifierTest, Memorization, Statistic
from galsmith.report.labels import band_of, group_title, label_of

PASS, BORDERLINE, FAIL = "pass", "borderline", "fail"
STATUSES = (PASS, BORDERLINE, FAIL)
FLOORS_WITHIN = 2.0
LARGEST_P = 0.05
CERTAIN_Z = 3.0
TOLD_AUC = 0.6
CLOSER_SHARE = 0.02
IDENTICAL = 1e-6
HEADS = {"trees": "boosted trees", "pairs": "products of two"}
DISTANCES, TOLD, COPIES = "floors", "auc", "share"
RULE = (
    f"A distance fails if it is more than {FLOORS_WITHIN:g} floors and if chance alone gives as much in fewer than "
    f"{100 * LARGEST_P:g} of 100 cases, corrected for how many are tested (Holm 1979); it is borderline if one of the "
    f"two holds. A classifier fails where it does better than chance and its area under the curve is {TOLD_AUC:g} or "
    f"more. Copies fail where more than {100 * CLOSER_SHARE:g} % of the images, and twice what is expected, lie nearer "
    "to a training image than all but 1 % of the held-out ones do, and that is no chance, or where any is identical "
    "to a training image."
)


@dataclass(frozen=True)
class Mark:
    """One number in the verdict's picture.

    Attributes
    ----------
    label : str
        In words.
    value, low, high : float
        On the check's scale: floors, area under the curve, or share; with its interval.
    status : str
        ``"pass"``, ``"borderline"`` or ``"fail"``.
    """

    label: str
    value: float
    low: float
    high: float
    status: str


@dataclass(frozen=True)
class _Joint:
    """A number about all properties or all pixels, before it is judged."""

    title: str
    scale: str
    label: str
    statistic: Statistic
    largest: float
    is_certain: bool = False


@dataclass(frozen=True)
class Check:
    """Numbers that are judged together.

    Attributes
    ----------
    title : str
        Such as ``"Morphology"``.
    scale : str
        ``"floors"``, ``"auc"`` or ``"share"``.
    marks : tuple of Mark
        One or more.
    expected, expected_sigma : float
        What the numbers are if nothing differs, and its spread; on the scale.
    largest : float
        From where on a number counts as large.
    is_joint : bool
        Whether it goes beyond single properties.
    """

    title: str
    scale: str
    marks: tuple[Mark, ...]
    expected: float
    expected_sigma: float
    largest: float = FLOORS_WITHIN
    is_joint: bool = True

    @property
    def status(self) -> str:
        """The worst of its marks."""
        return max((mark.status for mark in self.marks), key=STATUSES.index)

    @property
    def worst(self) -> Mark:
        """The mark that is farthest off."""
        return max(self.marks, key=lambda mark: (STATUSES.index(mark.status), mark.value))

    def count(self, status: str) -> int:
        """How many marks have a status."""
        return sum(mark.status == status for mark in self.marks)


def checks_of(judgment: Judgment) -> tuple[Check, ...]:
    """List all that was judged of one generated set: properties first, then what goes beyond them."""
    by_title: dict[str, list[tuple[_Joint, float]]] = {}
    for item, p_value in _tested(judgment):
        by_title.setdefault(item.title, []).append((item, p_value))
    return (
        *_property_checks(judgment.comparison.counted),
        *(_check(members) for members in by_title.values()),
    )


def joint_statuses(judgment: Judgment) -> dict[Statistic, str]:
    """Find the status of each statistic beyond single properties that is judged."""
    return {item.statistic: _joint_status(item, p_value) for item, p_value in _tested(judgment)}


def is_within(distance: Distance) -> bool:
    """Whether a distance is at most two floors: hardly more than sampling alone makes."""
    return bool(distance.in_floors <= FLOORS_WITHIN)


def distance_status(distance: Distance) -> str:
    """Judge one property."""
    return _status(distance.p_holm, distance.z, is_large=distance.in_floors > FLOORS_WITHIN)


def n_identical(memory: Memorization) -> int:
    """Count the listed pairs that are identical, as no held-out image is."""
    nearest = min(memory.distances_held_out, default=0.0)
    return sum(pair.distance <= IDENTICAL * nearest for pair in memory.pairs) if nearest > 0 else 0


def is_measurable(p_value: float, z: float) -> bool:
    """Whether chance is too rare to explain it: by the test where there is one, else by the floor's spread."""
    return p_value < LARGEST_P if math.isfinite(p_value) else z > CERTAIN_Z


def _status(p_value: float, z: float, *, is_large: bool) -> str:
    """Fail if large and measurable, borderline if one of the two."""
    return STATUSES[int(is_large) + int(is_measurable(p_value, z))]


def _property_checks(counted: tuple[Distance, ...]) -> list[Check]:
    """One check a group of properties and band."""
    members: dict[str, list[Mark]] = {}
    for item in counted:
        band = band_of(item.column)
        title = group_title(item.group) + (f", {band} band" if band else "")
        mark = _mark(label_of(item, with_band=False), item, distance_status(item))
        members.setdefault(title, []).append(mark)
    return [
        Check(title, DISTANCES, tuple(marks), 1.0, 0.0, is_joint=False) for title, marks in members.items()
    ]


def _tested(judgment: Judgment) -> list[tuple[_Joint, float]]:
    """Collect what is judged beyond single properties, with its probability corrected for their number."""
    joint = [item for item in _joint_numbers(judgment) if math.isfinite(item.statistic.value)]
    p_values = holm(np.array([item.statistic.p_value for item in joint]))
    return [(item, float(p_value)) for item, p_value in zip(joint, p_values, strict=True)]


def _joint_numbers(judgment: Judgment) -> list[_Joint]:
    """Collect what is judged beyond single properties."""
    found: list[_Joint] = []
    if judgment.beyond is not None:
        beyond = judgment.beyond
        for item in (beyond.sliced, beyond.energy, beyond.correlation):
            found.append(_Joint("All properties together", DISTANCES, item.name, item, FLOORS_WITHIN))
        found += [_told(test, "properties") for test in beyond.classifiers]
    for features in judgment.features:
        # The kernel distance is 0 on average where nothing differs: it has no floor to be counted in.
        title = f"Features of {network_of(features.extractor_id)}"
        found.append(_Joint(title, DISTANCES, features.label, features.frechet, FLOORS_WITHIN))
        found += [_told(test, network_of(features.extractor_id)) for test in features.classifiers]
    for memory in judgment.memorization:
        title = f"Copies, looked for in {network_of(memory.space)}"
        share = memory.share_closer
        largest = max(CLOSER_SHARE, 2 * share.floor) if math.isfinite(share.floor) else CLOSER_SHARE
        found.append(_Joint(title, COPIES, "share nearer", share, largest, n_identical(memory) > 0))
    return found


def _told(test: ClassifierTest, on: str) -> _Joint:
    """State how well a classifier tells the sets apart."""
    head = HEADS.get(test.head, test.head)
    return _Joint(f"Classifier on {on}", TOLD, head, test.auc, TOLD_AUC)


def _check(members: list[tuple[_Joint, float]]) -> Check:
    """Put numbers of one title into a check."""
    first = members[0][0]
    if first.scale == DISTANCES:
        marks = tuple(
            _mark(item.label, item.statistic, _joint_status(item, p_value)) for item, p_value in members
        )
        return Check(first.title, DISTANCES, marks, 1.0, 0.0)
    marks = tuple(
        Mark(item.label, item.statistic.value, *item.statistic.interval, _joint_status(item, p_value))
        for item, p_value in members
    )
    return Check(
        first.title, first.scale, marks, first.statistic.floor, first.statistic.floor_sigma, first.largest
    )


def _joint_status(item: _Joint, p_value: float) -> str:
    """Judge a number about all; few copies that chance makes, or a few more, are nothing to speak of."""
    if item.is_certain:
        return FAIL
    size = item.statistic.in_floors if item.scale == DISTANCES else item.statistic.value
    if item.scale == COPIES and size <= item.largest:
        return PASS
    return _status(p_value, item.statistic.z, is_large=size > item.largest)


def _mark(label: str, item: Estimate, status: str) -> Mark:
    """Write a distance in floors."""
    floor = item.floor if item.floor > 0 else math.nan
    return Mark(label, item.in_floors, item.interval[0] / floor, item.interval[1] / floor, status)


def network_of(extractor_id: str) -> str:
    """Name the network of a feature extractor's id, or pixels."""
    return re.split(r"[\s:;,|/@]", extractor_id.strip(), maxsplit=1)[0][:32]
