"""`Evidence`: one test of a card with its size and its corrected p values; and what families gather it from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypedDict

from galsmith.compare.correction import ALARMS
from galsmith.compare.memory.copies import Copies
from galsmith.compare.records import (
    BeyondMarginals,
    Comparison,
    Distance,
    FeatureComparison,
    Mean,
    Memorization,
    Statistic,
)

NAN = float("nan")
NO_INTERVAL = (NAN, NAN)
BY_DEALS, BY_HOLM = "deals", "holm"
TOLD, BORDERLINE, NOT_TOLD = "told", "borderline", "not_told"
STATUSES = (NOT_TOLD, BORDERLINE, TOLD)  # The worst last.
SD, FLOORS, AREA, SHARE, CORRELATION = "sd", "floors", "AUC", "share", "correlation"
HALF = "share of two"  # that are alike if nothing differs


class Findings(Protocol):
    """What was found out about one generated set, from which evidence is gathered; a `Judgment` is one."""

    @property
    def comparison(self) -> Comparison:
        """Property by property."""

    @property
    def beyond(self) -> BeyondMarginals | None:
        """What all properties together tell."""

    @property
    def features(self) -> tuple[FeatureComparison, ...]:
        """In the features of networks."""

    @property
    def memorization(self) -> tuple[Memorization, ...]:
        """Searches for copies, pixel by pixel."""

    @property
    def copies(self) -> Copies | None:
        """Altered copies, twins and repeats."""

    @property
    def missing(self) -> Mapping[str, str]:
        """What was not judged, and why."""


class Numbers(TypedDict):
    """What a test found, as `Evidence` names it."""

    value: float
    interval: tuple[float, float]
    floor: float
    p_value: float


def numbers_of(item: Distance | Mean | Statistic) -> Numbers:
    """Take what a test found from the record of a distance, a mean or another statistic."""
    return Numbers(value=item.value, interval=item.interval, floor=item.floor, p_value=item.p_value)


@dataclass(frozen=True)
class Evidence:
    """One test: what it found, how large that is, and how likely if nothing differs.

    Attributes
    ----------
    family, block : str
        Its family in `FAMILIES`; and its tests that were corrected together there.
    title, name, label : str
        The heading it stands under, its own name in the card (no other evidence has it), and its words.
    value : float
        The number that is tested.
    interval : tuple of float
        Of it; NaN where there is none.
    floor : float
        What it is if nothing differs; NaN where that is not known.
    p_value : float
        Of this test alone.
    effect : float
        Its size in `unit`.
    unit : str
        ``"sd"`` (standard deviations of the reference), ``"floors"``, ``"AUC"``, ``"share"``, ``"share of two"`` (sets, a
        half each if nothing differs), ``"correlation"``, or the statistic's own name.
    floor_sigma : float
        Spread of that number about the floor if nothing differs; NaN where that is not known.
    told_from : float
        From where on the value is told, where the deals say it; NaN elsewhere.
    is_little : bool
        Whether it may be too small to matter, however certain it is.
    corrected_by : {"deals", "holm"}
        How the tests of the block were corrected: by their joint law over the same deals, or by Holm (1979).
    p_block, p_family, p_overall : float
        Corrected for all tests of the block, of the family, of the card; NaN until `weigh` has seen all.
    """

    family: str
    block: str
    title: str
    name: str
    label: str
    value: float
    interval: tuple[float, float]
    floor: float
    p_value: float
    effect: float
    unit: str
    floor_sigma: float = NAN
    told_from: float = NAN
    is_little: bool = False
    corrected_by: str = BY_HOLM
    p_block: float = NAN
    p_family: float = NAN
    p_overall: float = NAN

    @property
    def is_told(self) -> bool:
        """Whether it tells the two sets apart: among all tests of the card it is no chance."""
        return self.p_overall <= ALARMS

    @property
    def status(self) -> str:
        """``"told"``, ``"borderline"`` (no chance in its family, but among all families) or ``"not_told"``."""
        if self.is_told:
            return TOLD
        return BORDERLINE if self.p_family <= ALARMS else NOT_TOLD

    @property
    def effect_text(self) -> str:
        """How large what the test found is, in words."""
        if self.unit == SD:
            return f"{self.effect:.2f} sd ({self.in_floors:.1f} floors)"
        if self.unit == FLOORS:
            return f"{self.effect:.1f} floors"
        if self.unit == AREA:
            low, high = self.interval
            return f"AUC {self.value:.2f} ({low:.2f} to {high:.2f})"
        if self.unit == SHARE:
            return f"{100 * self.value:.1f} %, against {100 * self.floor:.1f} %"
        if self.unit == HALF:
            return f"{100 * self.value:.0f} %, half if nothing differs"
        return f"{self.effect:+.2f}" if self.unit == CORRELATION else f"{self.value:.3g}"

    @property
    def in_floors(self) -> float:
        """The value in units of what sampling alone makes; NaN where that means nothing."""
        return self.value / self.floor if math.isfinite(self.floor) and self.floor > 0 else NAN
