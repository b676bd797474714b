"""The verdict on one generated set: told apart by what, not told apart though a shift would have been, or not judged."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm

from galsmith.compare.correction import ALARMS
from galsmith.compare.evidence.families import FAMILIES, evidence_of
from galsmith.compare.evidence.records import Evidence, Findings
from galsmith.compare.memory.copies import distinct_shares
from galsmith.compare.records import Comparison, Distance

TOLD_APART, NOT_TOLD_APART, NOT_JUDGED = "told_apart", "not_told_apart", "not_judged"

# What a family that tells a set apart says of it; the first of these that does speaks for all.
SAYINGS = {
    "identity": "these are images of the reference",
    "copies": "it gives training images back",
    "repeats": "it has galaxies more than once",
    "near": "it is nearer to the reference than two sets of galaxies can be",
}


@dataclass(frozen=True)
class Rule:
    """From where on something counts.

    Attributes
    ----------
    alarms : float
        The share of fair sets that are told apart by chance: p values corrected over the whole card must be no larger.
    power : float
        How often a difference has to be seen for the card to say that it would have been.
    needed_shift_sd : float
        A card that would not see a shift of one property by so many standard deviations is too small to judge by.
    """

    alarms: float = ALARMS
    power: float = 0.9
    needed_shift_sd: float = 0.5  # Cohen (1988), section 2.2: a medium effect, "visible to the naked eye".


RULE = Rule()


@dataclass(frozen=True)
class VisibleDose:
    """The smallest dose of a fault that a card of these sizes tells apart.

    Attributes
    ----------
    name, words : str
        As in `galsmith.compare.power.doses.Fault`.
    smallest : float
        Interpolated between `between`; NaN where no dose is seen often enough, or none was tried.
    between : tuple of float
        The largest dose that was tried and is seen too seldom, 0 where there is none, and the smallest that is seen.
    tried : tuple of tuple of float
        Each dose that was tried with the share of cards that tell it apart.
    by : str
        Title of the family of evidence that sees the smallest seen dose most often.
    reason : str
        Why it was not tried; empty where it was.
    """

    name: str
    words: str
    smallest: float
    between: tuple[float, float]
    tried: tuple[tuple[float, float], ...]
    by: str = ""
    reason: str = ""


def dose_text(item: VisibleDose, value: float) -> str:
    """Write a dose as a person would: shares in percent."""
    return f"{100 * value:.2g} %" if "{dose} of the galaxies" in item.words else f"{value:.2g}"


def sentence(item: VisibleDose) -> str:
    """Name a fault with the smallest dose that is seen, or the largest that was tried."""
    if not np.isfinite(item.smallest):
        return item.words.format(dose=dose_text(item, max(dose for dose, _ in item.tried)))
    least = "" if item.between[0] > 0 else ", or less"
    return item.words.format(dose=dose_text(item, item.smallest)) + least


@dataclass(frozen=True)
class Power:
    """What a card of these sizes would have seen.

    Attributes
    ----------
    share : float
        How often.
    shift_sd : float
        A shift of a typical property (the median over those of the means) by so many standard deviations of the
        reference is told apart in that share of cards; NaN where no property was compared.
    n_reference, n_generated : int
        Galaxies of each side.
    doses : tuple of VisibleDose
        The smallest dose of known faults that is told apart as often; empty where it was not measured.
    """

    share: float
    shift_sd: float
    n_reference: int
    n_generated: int
    doses: tuple[VisibleDose, ...] = ()


@dataclass(frozen=True)
class FamilyOutcome:
    """What one family of evidence says.

    Attributes
    ----------
    name, title : str
        As in `galsmith.compare.evidence.families.FAMILIES`.
    n_tests, n_told : int
        How many tests there were, and how many tell the sets apart.
    strongest : Evidence
        The test with the smallest p value; of several the one with the largest effect.
    """

    name: str
    title: str
    n_tests: int
    n_told: int
    strongest: Evidence


@dataclass(frozen=True)
class Verdict:
    """Whether a generated set can be told from the reference.

    Attributes
    ----------
    status : str
        ``"told_apart"``, ``"not_told_apart"`` or ``"not_judged"``.
    by : tuple of Evidence
        What tells it apart: the strongest test of each family that does.
    power : Power
        What would have been seen.
    families : tuple of FamilyOutcome
        All families that had a test.
    not_judged : mapping of str to str
        The other families, and why there was none.
    reason : str
        Why the set is not judged; empty where it is.
    rule : Rule
        What it was judged by.
    """

    status: str
    by: tuple[Evidence, ...]
    power: Power
    families: tuple[FamilyOutcome, ...]
    not_judged: Mapping[str, str]
    reason: str
    rule: Rule

    @property
    def n_tests(self) -> int:
        """How many tests there were."""
        return sum(item.n_tests for item in self.families)

    @property
    def n_told(self) -> int:
        """How many of them tell the sets apart."""
        return sum(item.n_told for item in self.families)

    @property
    def is_little(self) -> bool:
        """Whether all that tells the sets apart may be too small to matter."""
        return bool(self.by) and all(item.is_little for item in self.by)

    @property
    def saying(self) -> str:
        """What a told set is, where one of its families says so in a word; else empty."""
        # Simpler galaxies lie nearer to all others: where properties differ too, only identical images are sure copies.
        is_alike = all(item.family in SAYINGS for item in self.by)
        speaking = {item.family for item in self.by if is_alike or item.name.startswith("identical")}
        return next((words for family, words in SAYINGS.items() if family in speaking), "")

    @property
    def summary(self) -> str:
        """The outcome in one line."""
        copies = "; copies not judged" if "copies" in self.not_judged else ""
        if self.status == NOT_JUDGED:
            return f"not judged: {self.reason}"
        if self.status == NOT_TOLD_APART:
            seen = f"a shift of {self.power.shift_sd:.2f} sd would be in {100 * self.power.share:g} % of such cards"
            return f"not told apart ({seen}){copies}"
        more = f" and {len(self.by) - 1} more" if len(self.by) > 1 else ""
        little = ", but by little" if self.is_little else ""
        if self.saying:
            return f"told apart: {self.saying}{copies}"
        return f"told apart{little}: {self.by[0].label} {self.by[0].effect_text}{more}{copies}"

    def is_told_by(self, family: str) -> bool:
        """Whether a family tells the sets apart."""
        return any(item.family == family for item in self.by)


UNJUDGED = Verdict(NOT_JUDGED, (), Power(RULE.power, math.nan, 0, 0), (), {}, "it was not judged yet", RULE)


def verdict_of(findings: Findings, doses: tuple[VisibleDose, ...] = ()) -> Verdict:
    """Judge one generated set by all that was found out about it.

    Parameters
    ----------
    findings : Findings
        Such as a `galsmith.compare.Judgment`.
    doses : tuple of VisibleDose
        Of known faults, from `galsmith.compare.power.measured.measured_doses`.
    """
    evidence = evidence_of(findings)
    families = tuple(_outcomes(evidence))
    by = tuple(item.strongest for item in families if item.n_told)
    power = replace(power_of(findings.comparison, distinct_shares(findings.copies)), doses=doses)
    reason = "" if by else _why_not(findings.comparison, power)
    status = TOLD_APART if by else NOT_JUDGED if reason else NOT_TOLD_APART
    return Verdict(status, by, power, families, _not_judged(findings, families), reason, RULE)


def power_of(comparison: Comparison, shares: tuple[float, float] = (1.0, 1.0)) -> Power:
    """Find the smallest shift of a typical property that a card of these sizes tells apart nine times of ten.

    A shift by d standard deviations makes a W1 of about d, which scatters as the difference of the two means does, by
    sqrt(1/n + 1/m) (del Barrio et al. 1999); it is told where that is more than `Distance.told_from`.

    Parameters
    ----------
    comparison : Comparison
        Of a reference and a generated set.
    shares : tuple of float
        As `galsmith.compare.memory.copies.distinct_shares` gives them, of each side.
    """
    shifts = [_visible_shift(item, shares) for item in comparison.counted]
    known = [shift for shift in shifts if math.isfinite(shift)]
    return Power(
        RULE.power,
        float(np.median(known)) if known else math.nan,
        comparison.reference.n_compared,
        comparison.generated.n_compared,
    )


def _visible_shift(item: Distance, shares: tuple[float, float]) -> float:
    """Shift of one property, in standard deviations of the reference, that is told in 90 % of cards."""
    if not item.reference.sigma > 0:
        return math.nan
    # Of the difference of two means of unit variance, of galaxies that come once.
    scatter = math.sqrt(1 / (item.n_reference * shares[0]) + 1 / (item.n_generated * shares[1]))
    return item.told_from * item.scale / item.reference.sigma + float(norm.ppf(RULE.power)) * scatter


def _outcomes(evidence: Sequence[Evidence]) -> list[FamilyOutcome]:
    """Sum up each family that has evidence, in the order of the table."""
    found = []
    for family in FAMILIES.values():
        members = [item for item in evidence if item.family == family.name]
        if members:
            # Of p values that are 1 over the card the one that is smallest alone; of the smallest, which are often alike,
            # 1 / (deals + 1), the one with the largest effect.
            strongest = min(members, key=lambda item: (item.p_overall, item.p_value, -_size(item)))
            told = sum(item.is_told for item in members)
            found.append(FamilyOutcome(family.name, family.title, len(members), told, strongest))
    return found


def _size(item: Evidence) -> float:
    """Size of an effect, to choose among equally certain ones of a family."""
    return abs(item.effect) if math.isfinite(item.effect) else 0.0


def _why_not(comparison: Comparison, power: Power) -> str:
    """Say why nothing can be said of a set that nothing tells apart; empty where it can."""
    if not comparison.counted:
        return "no property could be compared"
    # NaN, where nothing is known of what would have been seen, is no power either.
    if not power.shift_sd <= RULE.needed_shift_sd:
        return f"too few to tell: a shift below {power.shift_sd:.2f} sd would not have been seen"
    return ""


def _not_judged(findings: Findings, families: Sequence[FamilyOutcome]) -> dict[str, str]:
    """Say of each family without evidence why."""
    judged = {item.name for item in families}
    return {
        family.name: _reason(findings, family.needs, family.way_out)
        for family in FAMILIES.values()
        if family.name not in judged and family.needs
    }


def _reason(findings: Findings, needs: str, way_out: str) -> str:
    """Why there is none of what a family needs: as the card has it, else how to get it."""
    # A card names networks one by one, such as "features of efficientnet-lite0".
    known = [why for name, why in findings.missing.items() if name.startswith(needs)]
    return "; ".join(known) or f"it was not asked for: {way_out}"
