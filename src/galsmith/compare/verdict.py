"""What passes and what fails: one rule for distances, joint statistics, classifiers, features and copies."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from galsmith.compare.estimates import holm
from galsmith.compare.joint.statistics import IN_FLOORS, joint_named
from galsmith.compare.marginal.columns import band_of, group_title, label_of
from galsmith.compare.records import (
    BeyondMarginals,
    ClassifierTest,
    Comparison,
    Distance,
    Estimate,
    FeatureComparison,
    Memorization,
    Statistic,
)

PASS, BORDERLINE, FAIL = "pass", "borderline", "fail"
STATUSES = (PASS, BORDERLINE, FAIL)
CLOSE, MIXED, NOTHING = "close", "mixed", "nothing"
DISTANCES, TOLD, COPIES = IN_FLOORS, "auc", "share"
HEADS = {"trees": "boosted trees", "pairs": "products of two"}


@dataclass(frozen=True)
class Rule:
    """From where on a number counts.

    Attributes
    ----------
    floors_within : float
        A distance of more floors is large.
    largest_p : float
        A smaller p value, corrected for how many are tested (Holm 1979), is no chance.
    certain_z : float
        Where there is no test: an excess of more standard deviations of the floor is no chance.
    told_auc : float
        A classifier's area under the curve from here on is large.
    closer_share : float
        A larger share of images nearer to the training set than 99 % of the held-out ones, and twice what is
        expected, is large.
    identical : float
        An image is identical to a training image within this share of the nearest held-out image's distance.
    """

    floors_within: float = 2.0
    largest_p: float = 0.05  # The usual 5 %, which Holm keeps for all tests of a family together.
    certain_z: float = 3.0  # 0.13 % of a normal law lie beyond.
    told_auc: float = 0.6
    closer_share: float = 0.02
    identical: float = 1e-6


RULE = Rule()


@dataclass(frozen=True)
class Mark:
    """One number that is judged.

    Attributes
    ----------
    name : str
        Of the `Distance`, of the statistic in `JOINT`, ``"trees on properties"``, ``"frechet in <extractor>"`` or
        ``"copies in <space>"``.
    label : str
        In words.
    value, low, high : float
        On the check's scale: floors, area under the curve, or share; with its interval.
    p_holm : float
        Of no difference, corrected for the number of tests of its kind; NaN where there is no test.
    status : str
        ``"pass"``, ``"borderline"`` or ``"fail"``.
    """

    name: str
    label: str
    value: float
    low: float
    high: float
    p_holm: float
    status: str


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
    largest: float
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


@dataclass(frozen=True)
class Verdict:
    """What passes and what fails of one generated set.

    Attributes
    ----------
    status : str
        ``"pass"``, ``"close"`` (can be told from the reference, but nothing fails), ``"mixed"``, ``"fail"`` or
        ``"nothing"`` (nothing could be compared).
    checks : tuple of Check
        What it rests on: properties first, then what goes beyond them.
    n_passed, n_counted : int
        Properties that do not fail, and all that count.
    rule : Rule
        What it was judged by.
    """

    status: str
    checks: tuple[Check, ...]
    n_passed: int
    n_counted: int
    rule: Rule

    @property
    def is_copy(self) -> bool:
        """Whether the set gives training images back."""
        return _repeats(self.checks)

    @property
    def statuses(self) -> dict[str, str]:
        """Status of each number beyond single properties that is judged, by the name of its mark."""
        return {mark.name: mark.status for check in self.checks if check.is_joint for mark in check.marks}


@dataclass(frozen=True)
class _Joint:
    """A number about all properties or all pixels, before it is judged."""

    title: str
    scale: str
    name: str
    label: str
    statistic: Statistic
    largest: float
    is_certain: bool = False


def verdict_of(
    comparison: Comparison,
    beyond: BeyondMarginals | None = None,
    features: Sequence[FeatureComparison] = (),
    memorization: Sequence[Memorization] = (),
) -> Verdict:
    """Judge one generated set by all that was found out about it.

    Parameters
    ----------
    comparison : Comparison
        Property by property.
    beyond : BeyondMarginals or None
        What all properties together tell.
    features : sequence of FeatureComparison
        In the features of networks.
    memorization : sequence of Memorization
        Searches for copies.
    """
    counted = comparison.counted
    by_title: dict[str, list[tuple[_Joint, float]]] = {}
    for item, p_holm in _tested(_joint_numbers(beyond, features, memorization)):
        by_title.setdefault(item.title, []).append((item, p_holm))
    checks = (*_property_checks(counted), *(_check(members) for members in by_title.values()))
    n_failed = sum(distance_status(item) == FAIL for item in counted)
    return Verdict(_outcome(counted, checks, n_failed), checks, len(counted) - n_failed, len(counted), RULE)


def is_within(distance: Distance) -> bool:
    """Whether a distance is at most two floors: hardly more than sampling alone makes."""
    return bool(distance.in_floors <= RULE.floors_within)


def distance_status(distance: Distance) -> str:
    """Judge one property."""
    is_large = distance.in_floors > RULE.floors_within
    return _status(distance.p_holm, distance.estimate.z, is_large=is_large)


def n_identical(memory: Memorization) -> int:
    """Count the listed pairs that are identical, as no held-out image is."""
    # Distances of resampled pictures are not exactly 0: rounding, relative to the nearest image nobody copied.
    nearest = min(memory.distances_held_out, default=0.0)
    return sum(pair.distance <= RULE.identical * nearest for pair in memory.pairs) if nearest > 0 else 0


def is_measurable(p_value: float, z: float) -> bool:
    """Whether chance is too rare to explain it: by the test where there is one, else by the floor's spread."""
    # The Fréchet distance has no test: its draws are dear.
    return p_value < RULE.largest_p if math.isfinite(p_value) else z > RULE.certain_z


def network_of(extractor_id: str) -> str:
    """Name the network of a feature extractor's id, or pixels."""
    return re.split(r"[\s:;,|/@]", extractor_id.strip(), maxsplit=1)[0][:32]


def _outcome(counted: tuple[Distance, ...], checks: tuple[Check, ...], n_failed: int) -> str:
    """Sum up the checks."""
    if not counted:
        return NOTHING
    if _repeats(checks) or 2 * n_failed >= len(counted):  # Half of the properties.
        return FAIL
    if any(check.status == FAIL for check in checks):
        return MIXED
    is_told = any(is_measurable(item.p_holm, item.estimate.z) for item in counted)
    is_told_jointly = any(check.is_joint and check.status != PASS for check in checks)
    return CLOSE if is_told or is_told_jointly else PASS


def _repeats(checks: tuple[Check, ...]) -> bool:
    """Whether a search for copies fails."""
    return any(check.scale == COPIES and check.status == FAIL for check in checks)


def _status(p_value: float, z: float, *, is_large: bool) -> str:
    """Fail if large and measurable, borderline if one of the two."""
    return STATUSES[int(is_large) + int(is_measurable(p_value, z))]


def _property_checks(counted: tuple[Distance, ...]) -> list[Check]:
    """One check a group of properties and band."""
    members: dict[str, list[Mark]] = {}
    for item in counted:
        band = band_of(item.column)
        title = group_title(item.group) + (f", {band} band" if band else "")
        label = label_of(item, with_band=False)
        mark = _mark_in_floors(item.name, label, item.estimate, item.p_holm, distance_status(item))
        members.setdefault(title, []).append(mark)
    return [
        Check(title, DISTANCES, tuple(marks), 1.0, 0.0, RULE.floors_within, is_joint=False)
        for title, marks in members.items()
    ]


def _tested(numbers: Sequence[_Joint]) -> list[tuple[_Joint, float]]:
    """Correct the p values of what is judged beyond single properties for their number."""
    # A statistic that could not be had is not tested, and costs the others nothing.
    joint = [item for item in numbers if math.isfinite(item.statistic.value)]
    # Holm (1979), over all that is judged beyond single properties.
    p_values = holm(np.array([item.statistic.p_value for item in joint]))
    return [(item, float(p_value)) for item, p_value in zip(joint, p_values, strict=True)]


def _joint_numbers(
    beyond: BeyondMarginals | None,
    features: Sequence[FeatureComparison],
    memorization: Sequence[Memorization],
) -> list[_Joint]:
    """Collect what is judged beyond single properties."""
    found: list[_Joint] = []
    if beyond is not None:
        title = "All properties together"
        found += [
            _Joint(title, DISTANCES, name, item.name, item, RULE.floors_within)
            for name, item in beyond.statistics.items()
            if joint_named(name).judged_by == IN_FLOORS
        ]
        found += [_told(test, "properties") for test in beyond.classifiers]
    for one in features:
        # The kernel distance is 0 on average where nothing differs: it has no floor to be counted in.
        network = network_of(one.extractor_id)
        title, name = f"Features of {network}", f"frechet in {one.extractor_id}"
        found.append(_Joint(title, DISTANCES, name, one.label, one.frechet, RULE.floors_within))
        found += [_told(test, network) for test in one.classifiers]
    for memory in memorization:
        title, name = f"Copies, looked for in {network_of(memory.space)}", f"copies in {memory.space}"
        share, least = memory.share_closer, RULE.closer_share
        # With few held-out images the expected share itself may be more than 1 %.
        largest = max(least, 2 * share.floor) if math.isfinite(share.floor) else least
        found.append(_Joint(title, COPIES, name, "share nearer", share, largest, n_identical(memory) > 0))
    return found


def _told(test: ClassifierTest, on: str) -> _Joint:
    """State how well a classifier tells the sets apart."""
    label = HEADS.get(test.head, test.head)
    return _Joint(f"Classifier on {on}", TOLD, f"{test.head} on {test.on}", label, test.auc, RULE.told_auc)


def _check(members: list[tuple[_Joint, float]]) -> Check:
    """Put numbers of one title into a check."""
    first = members[0][0]
    if first.scale == DISTANCES:
        marks = tuple(
            _mark_in_floors(
                item.name, item.label, item.statistic.estimate, p_holm, _joint_status(item, p_holm)
            )
            for item, p_holm in members
        )
        return Check(first.title, DISTANCES, marks, 1.0, 0.0, first.largest)
    marks = tuple(
        Mark(
            item.name,
            item.label,
            item.statistic.value,
            *item.statistic.interval,
            p_holm,
            _joint_status(item, p_holm),
        )
        for item, p_holm in members
    )
    expected = first.statistic.estimate
    return Check(first.title, first.scale, marks, expected.floor, expected.floor_sigma, first.largest)


def _joint_status(item: _Joint, p_holm: float) -> str:
    """Judge a number about all; few copies that chance makes, or a few more, are nothing to speak of."""
    if item.is_certain:
        return FAIL
    size = item.statistic.in_floors if item.scale == DISTANCES else item.statistic.value
    if item.scale == COPIES and size <= item.largest:  # A small share is no copy, however certain it is.
        return PASS
    return _status(p_holm, item.statistic.estimate.z, is_large=size > item.largest)


def _mark_in_floors(name: str, label: str, item: Estimate, p_holm: float, status: str) -> Mark:
    """Write a distance in floors."""
    floor = item.floor if item.floor > 0 else math.nan
    low, high = (end / floor for end in item.interval)
    return Mark(name, label, item.in_floors, low, high, p_holm, status)
