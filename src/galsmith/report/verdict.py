"""The verdict of a card in words, and what each number is told by."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from galsmith.compare import Comparison, Evidence, Judgment, Verdict, evidence_of
from galsmith.compare.conditions import unlike_text
from galsmith.compare.evidence.families import FAMILIES
from galsmith.compare.marginal.columns import label_of
from galsmith.compare.records import ClassifierTest, Statistic
from galsmith.compare.verdict import NOT_JUDGED, NOT_TOLD_APART, TOLD_APART, Rule, sentence
from galsmith.report.labels import chance_text, distance_number, percent

FEW_GALAXIES = 200
WILD_FLOORS = 2.0
MOST_NAMED = 3
UNTESTED = "it has no test; the kernel distance of the same features has"
SHOWN = "shown only"
STATUS_TITLES = {
    TOLD_APART: "told apart",
    NOT_TOLD_APART: "not told apart",
    NOT_JUDGED: "not judged",
}


@dataclass(frozen=True)
class VerdictWords:
    """What a reader should take home of one generated set.

    Attributes
    ----------
    name : str
        Of the generated set.
    verdict : Verdict
        As the card has it.
    evidence : tuple of Evidence
        All tests of the card.
    title : str
        One line.
    sentences : tuple of str
        What stands below it.
    warnings : tuple of str
        What limits the verdict.
    """

    name: str
    verdict: Verdict
    evidence: tuple[Evidence, ...]
    title: str
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]


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
        ``"told"``, ``"borderline"`` or ``"not_told"``; empty where it is shown, not tested.
    by : str
        Its p values, in words; or why there are none.
    has_floors : bool
        Whether it may be counted in floors.
    """

    of: str
    statistic: Statistic
    status: str
    by: str
    has_floors: bool


@dataclass(frozen=True)
class FamilyRow:
    """One family of evidence, as the table at the top of a page has it.

    Attributes
    ----------
    title, asks : str
        What it is, and the question it answers.
    status : str
        Of its strongest test; empty where it was not judged.
    counted : str
        How many of its tests tell the sets apart.
    strongest, effect, chance : str
        Its strongest test, how large that is, and its p values; where it was not judged, the reason comes first.
    """

    title: str
    asks: str
    status: str
    counted: str
    strongest: str
    effect: str
    chance: str


def verdict_words(judgment: Judgment) -> VerdictWords:
    """Put the verdict on one generated set in words."""
    comparison, verdict = judgment.comparison, judgment.verdict
    sentences = [
        *_unlike_sentences(comparison),
        *_copies_sentence(verdict),
        *_by_sentences(verdict),
        power_text(verdict, judgment.comparison.images_name),
        doses_text(verdict),
    ]
    if comparison.counted:
        sentences.append(_mean_sentence(comparison))
    else:
        sentences.append(_why_nothing(comparison))
    return VerdictWords(
        judgment.name,
        verdict,
        evidence_of(judgment),
        f"{judgment.name}{_unlike_title(comparison)} {_title(verdict)}",
        tuple(text for text in sentences if text),
        _warnings(comparison),
    )


def rule_text(rule: Rule) -> str:
    """Say by what rule a card was judged."""
    return (
        "Two sets are told apart where a test is no chance among all tests of the card: of fair sets "
        f"{100 * rule.alarms:g} in 100 are, or fewer. Within a block of tests p values are corrected by the same deals of "
        "images (Westfall & Young 1993) or by Holm's steps, between blocks and families by their number. A test is "
        "borderline where it is no chance within its family alone. A set that nothing tells apart is not judged where a "
        f"shift of {rule.needed_shift_sd:g} standard deviations would not have been seen in {100 * rule.power:g} of 100 "
        "cards."
    )


def headline_of(verdicts: tuple[VerdictWords, ...]) -> str:
    """One line for the whole card: the set's own, or how many sets are told apart."""
    if len(verdicts) == 1:
        return verdicts[0].title
    told = [item.name for item in verdicts if item.verdict.status == TOLD_APART]
    unjudged = [item.name for item in verdicts if item.verdict.status == NOT_JUDGED]
    said = f"{len(told) or 'None'} of {len(verdicts)} generated sets can be told apart"
    if 0 < len(told) < len(verdicts):
        said += f": {', '.join(told)}"
    return said + (f"; not judged: {', '.join(unjudged)}" if unjudged else "")


NO_DOSES = (
    "No dose is stated for joint statistics, classifiers and features: they have no part in this, and a whole card sees a "
    "little more."
)


def power_text(verdict: Verdict, shown: str) -> str:
    """Say what would have been seen; nothing where no property was compared."""
    power = verdict.power
    if not math.isfinite(power.shift_sd):
        return ""
    return (
        f"With {power.n_generated:,} against {power.n_reference:,} {shown}, a shift of one property by "
        f"{power.shift_sd:.2f} standard deviations is told apart in {100 * power.share:g} of 100 cards; smaller ones may "
        "go unseen."
    )


def doses_text(verdict: Verdict) -> str:
    """Say which known faults would have been seen; nothing where it was not measured."""
    power = verdict.power
    seen = [sentence(item) for item in power.doses if math.isfinite(item.smallest)]
    unseen = [sentence(item) for item in power.doses if not item.reason and not math.isfinite(item.smallest)]
    untried = [f"{item.name} ({item.reason})" for item in power.doses if item.reason]
    parts = [
        f"Put into the reference on purpose, {100 * power.share:g} of 100 cards would have seen {', '.join(seen)}."
        if seen
        else "",
        f"They might have missed {', '.join(unseen)}." if unseen else "",
        f"Not tried: {', '.join(untried)}." if untried else "",
        NO_DOSES if power.doses else "",
    ]
    return " ".join(part for part in parts if part)


def family_rows(words: VerdictWords) -> list[FamilyRow]:
    """List all families: those that tell the sets apart first, those that were not judged last."""
    found = []
    for item in words.verdict.families:
        best = item.strongest
        counted = f"{item.n_told} of {item.n_tests:,}"
        place = f"{best.title}: " if best.title != item.title else ""
        family = FAMILIES[item.name]
        found.append(
            FamilyRow(
                item.title,
                family.asks,
                best.status,
                counted,
                f"{place}{best.label}",
                best.effect_text.replace("-", "−"),
                chance_text(best),
            )
        )
    order = {"told": 0, "borderline": 1, "not_told": 2}
    found.sort(key=lambda row: order[row.status])
    for name, reason in words.verdict.not_judged.items():
        family = FAMILIES[name]
        found.append(FamilyRow(family.title, family.asks, "", "not judged", reason, "", ""))
    return found


def evidence_by_name(evidence: tuple[Evidence, ...]) -> Mapping[str, Evidence]:
    """Find evidence by its name."""
    return {item.name: item for item in evidence}


def status_of(evidence: Mapping[str, Evidence], name: str) -> str:
    """Status of a number by its name in the card; ``"not_told"`` where it has no test."""
    return evidence[name].status if name in evidence else "not_told"


def _title(verdict: Verdict) -> str:
    """Say the outcome after the set's name."""
    copies = "; copies not judged" if "copies" in verdict.not_judged else ""
    if verdict.status == NOT_JUDGED:
        return f"is not judged: {verdict.reason}"
    if verdict.status == NOT_TOLD_APART:
        return f"is not told apart from the reference{copies}"
    if verdict.saying:
        return f"is told apart: {verdict.saying}"
    little = ", but by little" if verdict.is_little else ""
    return f"is told apart from the reference{little}{copies}"


def _unlike_title(comparison: Comparison) -> str:
    """Say after a set's name in what it was not taken as the reference was."""
    unlike = unlike_text(comparison.conditions)
    return f", {unlike}," if unlike else ""


def _unlike_sentences(comparison: Comparison) -> list[str]:
    """Say what was not alike before any galaxy was compared, and what makes it alike."""
    return [
        f"Not taken alike: {item.problem}. To make both alike: {item.way_out}."
        for item in comparison.conditions
    ]


def _copies_sentence(verdict: Verdict) -> list[str]:
    """Say why copies were not looked for."""
    reason = verdict.not_judged.get("copies", "")
    return [f"Copies: not judged, because {reason}."] if reason else []


def _by_sentences(verdict: Verdict) -> list[str]:
    """Say what tells the set apart and by how much, the largest in each family."""
    if not verdict.by:
        return []
    said = "; ".join(_by_text(item) for item in verdict.by)
    told = [item for item in verdict.families if item.n_told]
    return [
        f"{verdict.n_told:,} of {verdict.n_tests:,} tests tell it apart, in {len(told)} of {len(verdict.families)} "
        f"families: {said}.",
        *_nearer_sentences(verdict),
    ]


def _nearer_sentences(verdict: Verdict) -> list[str]:
    """Say of images nearer to training images why that need not make them copies."""
    if verdict.saying or not verdict.is_told_by("copies"):
        return []
    return [
        "Its images lie nearer to training images than held-out ones do. Its properties differ too, which alone can do "
        "that, as simple galaxies are near to all others: look at the closest pairs."
    ]


def _by_text(item: Evidence) -> str:
    """Name one test with its size."""
    return f"{item.label} {item.effect_text}"


def _mean_sentence(comparison: Comparison) -> str:
    """Say the headline and what it means."""
    mean = comparison.headline
    low, high = (distance_number(end) for end in mean.interval)
    return (
        f"On average the properties of the two sets are {distance_number(mean.value)} standard deviations of the reference "
        f"apart. Two sets of {comparison.images_name} of one kind would be {distance_number(mean.floor)} apart at these "
        f"sizes, by sampling alone: this is {mean.in_floors:.1f} times that floor. With what sampling adds taken off, "
        f"the true distance lies in {low} to {high} ({100 * comparison.settings.get('confidence', 0.95):.0f} % interval)."
    )


def _why_nothing(comparison: Comparison) -> str:
    """Give the first reason."""
    reasons = [f"{label_of(item)}: {item.reason}" for item in comparison.distances if item.reason]
    return f"{reasons[0]}." if reasons else "The tables have no property of the headline in common."


def _observed(corrections: Mapping[str, Sequence[str]]) -> list[str]:
    """Say what was done to each set before it was measured."""
    return [
        f"Before it was measured, the set {name} was brought under one observation: {'; '.join(lines)}."
        for name, lines in corrections.items()
    ]


def _warnings(comparison: Comparison) -> tuple[str, ...]:
    """Say what limits the verdict: part of a reference, few galaxies, losses, left out properties, cuts."""
    part = comparison.settings.get("reference_part")
    found = [f"The reference is {part}."] if part else []
    found += _observed(comparison.settings.get("observed", {}))
    shown = comparison.images_name
    for role, side in (("reference", comparison.reference), ("generated", comparison.generated)):
        if side.n_compared < FEW_GALAXIES:
            found.append(
                f"The {role} set has only {side.n_compared} {shown}: small differences cannot be seen."
            )
    lost_reference, lost_generated = mean_losses(comparison)
    if abs(lost_generated - lost_reference) > 0.02:
        found.append(
            f"On average {percent(lost_generated, 1)} of the generated {shown} have no value of a property, "
            f"{percent(lost_reference, 1)} of the reference ones: the two sides lose {shown} at different rates."
        )
    wild = [item for item in comparison.counted if item.tail_share > 0.5 and item.in_floors > WILD_FLOORS]
    if wild:
        named = ", ".join(f"{label_of(item)} ({100 * item.tail_share:.0f} %)" for item in wild)
        found.append(f"A few outlying values make most of the distance in {named}; look at flags and cuts.")
    reasons = [label_of(item) for item in comparison.distances if item.reason and item.in_means]
    if reasons:
        found.append(f"Not compared: {', '.join(reasons)}; the table says why.")
    found += [f"{label_of(item).capitalize()}: {item.note}." for item in comparison.distances if item.note]
    if comparison.left_out:
        found.append(
            f"{len(comparison.left_out)} properties were measured on one side only and are left out."
        )
    if any(cut.removed_reference or cut.removed_generated for cut in comparison.cuts):
        found.append("Outliers were cut before the comparison; the settings say how many.")
    return tuple(found)


def mean_losses(comparison: Comparison) -> tuple[float, float]:
    """Mean share of galaxies without a value, over the properties that count: reference, generated."""
    shares = [
        (
            item.lost_reference.count / comparison.reference.n_compared,
            item.lost_generated.count / comparison.generated.n_compared,
        )
        for item in comparison.distances
        if item.in_means
    ]
    return tuple(np.mean(shares, axis=0)) if shares else (0.0, 0.0)


def warnings_of(verdicts: tuple[VerdictWords, ...]) -> list[str]:
    """Warnings of all sets: those that all share once, the others with the set's name."""
    if len(verdicts) == 1:
        return list(verdicts[0].warnings)
    shared = [text for text in verdicts[0].warnings if all(text in item.warnings for item in verdicts)]
    others = [f"{item.name}: {text}" for item in verdicts for text in item.warnings if text not in shared]
    return shared + others


def judged_statistics(judgment: Judgment) -> list[Judged]:
    """List what was found beyond single properties, with what each is told by."""
    evidence = evidence_by_name(evidence_of(judgment))
    return [
        Judged(
            of,
            item,
            evidence[name].status if name in evidence else "",
            chance_text(evidence[name]) if name in evidence else why,
            has_floors,
        )
        for of, name, item, why, has_floors in _named_statistics(judgment)
    ]


def _named_statistics(judgment: Judgment) -> Iterator[tuple[str, str, Statistic, str, bool]]:
    """List what a statistic is about, its name as evidence, itself, why it may be untested, and whether it has floors."""
    if judgment.beyond is not None:
        for name, item in judgment.beyond.statistics.items():
            yield "all properties", name, item, SHOWN, True
        yield from _of_classifiers(judgment.beyond.classifiers)
    for one in judgment.features:
        yield one.extractor_id, "", one.frechet, UNTESTED, True
        yield one.extractor_id, f"kernel in {one.extractor_id}", one.kernel, SHOWN, False
        for name, item in one.support.statistics.items():
            yield one.extractor_id, f"{name} in {one.extractor_id}", item, SHOWN, False
        yield from _of_classifiers(one.classifiers)
    for memory in judgment.memorization:
        named = (("share nearer", memory.share_closer), ("AuthPct", memory.authenticity), ("C_T", memory.c_t))
        for label, item in named:
            yield memory.space, f"{label} in {memory.space}", item, SHOWN, False


def _of_classifiers(
    tests: tuple[ClassifierTest, ...],
) -> Iterator[tuple[str, str, Statistic, str, bool]]:
    """List the two statistics of each classifier."""
    for test in tests:
        name = f"{test.head} on {test.on}"
        yield name, name, test.auc, SHOWN, False
        yield name, f"{name}, accuracy", test.accuracy, SHOWN, False
