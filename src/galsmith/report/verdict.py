"""The verdict of a card in words, and what each number is judged by."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from galsmith.compare import Comparison, Distance, Judgment, Verdict
from galsmith.compare.marginal.columns import label_of
from galsmith.compare.records import ClassifierTest, Statistic
from galsmith.compare.verdict import (
    CLOSE,
    COPIES,
    FAIL,
    NOTHING,
    PASS,
    TOLD,
    Check,
    Rule,
    is_within,
    n_identical,
)
from galsmith.report.labels import distance_number, percent, share_text

FEW_GALAXIES = 200
FLOORS, AREA, SHARE = "floors", "area", "share"
KERNEL = (
    "not judged: 0 on average where nothing differs, no floors then; p says how often chance gives as much"
)
NEIGHBORS = "not judged: good is what it would be if nothing differed; p says how often chance gives as much"
BESIDE_AREA = "not judged: the area under the curve is"
BESIDE_SHARE = "not judged: the share is; p says how often chance gives as much"
SHOWN = "not judged: shown only; p says how often chance gives as much"


@dataclass(frozen=True)
class VerdictWords:
    """What a reader should take home of one generated set.

    Attributes
    ----------
    name : str
        Of the generated set.
    verdict : Verdict
        As the card has it.
    title : str
        One line.
    sentences : tuple of str
        What stands below it.
    warnings : tuple of str
        What limits the verdict.
    """

    name: str
    verdict: Verdict
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


def verdict_words(judgment: Judgment) -> VerdictWords:
    """Put the verdict on one generated set in words."""
    comparison, verdict = judgment.comparison, judgment.verdict
    counted, warnings = comparison.counted, _warnings(comparison)
    if verdict.status == NOTHING:
        title = f"{judgment.name}: nothing could be compared"
        return VerdictWords(judgment.name, verdict, title, (_why_nothing(comparison),), warnings)
    sentences = (
        _mean_sentence(comparison),
        _extremes(counted),
        *_beyond_sentences(verdict.checks),
        *_identical_sentences(judgment),
    )
    return VerdictWords(
        judgment.name, verdict, f"{judgment.name} {_title(verdict, counted)}", sentences, warnings
    )


def rule_text(rule: Rule) -> str:
    """Say by what rule a card was judged."""
    return (
        f"A distance fails if it is more than {rule.floors_within:g} floors and if chance alone gives as much in fewer "
        f"than {100 * rule.largest_p:g} of 100 cases, corrected for how many are tested (Holm 1979); it is borderline if "
        "one of the two holds. A classifier fails where it does better than chance and its area under the curve is "
        f"{rule.told_auc:g} or more. Copies fail where more than {100 * rule.closer_share:g} % of the images, and twice "
        "what is expected, lie nearer to a training image than all but 1 % of the held-out ones do, and that is no "
        "chance, or where any is identical to a training image."
    )


def headline_of(verdicts: tuple[VerdictWords, ...]) -> str:
    """One line for the whole card: the set's own, or how many sets pass."""
    if len(verdicts) == 1:
        return verdicts[0].title
    passed = [item.name for item in verdicts if item.verdict.status == PASS]
    if not passed:
        return f"None of {len(verdicts)} generated sets passes"
    if len(passed) == len(verdicts):
        return f"All {len(verdicts)} generated sets pass"
    verb = "passes" if len(passed) == 1 else "pass"
    return f"{len(passed)} of {len(verdicts)} generated sets {verb}: {', '.join(passed)}"


def _title(verdict: Verdict, counted: tuple[Distance, ...]) -> str:
    """Say the outcome after the set's name."""
    if verdict.status == PASS:
        return "passes: nothing here tells it from the reference"
    if verdict.status == CLOSE:
        return "is close: it can be told from the reference, but nothing fails"
    if verdict.is_copy:
        return "fails: it repeats its training images"
    n_failed = verdict.n_counted - verdict.n_passed
    worst = max(counted, key=lambda item: item.in_floors)
    off = f"{n_failed} of {verdict.n_counted} properties are off, {label_of(worst)} by {worst.in_floors:.1f} floors"
    if verdict.status == FAIL:
        return f"fails: {off}"
    return f"is mixed: {off}" if n_failed else "is mixed: each property passes, all together they fail"


def _mean_sentence(comparison: Comparison) -> str:
    """Say the headline and what it means."""
    mean = comparison.headline
    low, high = (distance_number(end) for end in mean.interval)
    return (
        f"On average the two sets are {distance_number(mean.value)} standard deviations of the reference apart; "
        f"sampling alone makes {distance_number(mean.floor)}, so this is {mean.in_floors:.1f} times the floor. "
        f"Without the share of sampling the distance lies in {low} to {high} "
        f"({100 * comparison.settings.get('confidence', 0.95):.0f} % interval)."
    )


def _extremes(counted: tuple[Distance, ...]) -> str:
    """Name the farthest and the closest properties."""
    ranked = sorted(counted, key=lambda item: -item.in_floors)
    far = ", ".join(f"{label_of(item)} ({item.in_floors:.1f} floors)" for item in ranked[:3])
    near = ", ".join(f"{label_of(item)} ({item.in_floors:.1f})" for item in ranked[:-4:-1])
    return f"Farthest: {far}. Closest: {near}."


def _beyond_sentences(checks: tuple[Check, ...]) -> list[str]:
    """Say what classifiers and the search for copies found."""
    told = [check.worst for check in checks if check.scale == TOLD]
    found: list[str] = []
    if told:
        best = max(told, key=lambda mark: mark.value)
        found.append(
            f"A classifier that sees all properties tells the two sets apart with an area under the curve of "
            f"{distance_number(best.value)}, where 0.5 is guessing."
        )
    for check in checks:
        if check.scale == COPIES:
            share = share_text(check.worst.value)
            space = check.title.removeprefix("Copies, looked for in ")
            lead = "No sign of copies: " if check.status == PASS else ""
            found.append(
                f"{lead}{share} of its images are nearer to a training image, in {space}, than all but 1 % of the held-out "
                "images are."
            )
    return found


def _identical_sentences(judgment: Judgment) -> list[str]:
    """Say how many images are training images."""
    counts = [(n_identical(memory), memory) for memory in judgment.memorization]
    return [
        f"{'At least ' if count == len(memory.pairs) else ''}{count} of its {memory.n_generated} images are identical "
        "to a training image."
        for count, memory in counts
        if count
    ]


def _why_nothing(comparison: Comparison) -> str:
    """Give the first reason."""
    reasons = [f"{label_of(item)}: {item.reason}" for item in comparison.distances if item.reason]
    return f"{reasons[0]}." if reasons else "The tables have no property of the headline in common."


def _warnings(comparison: Comparison) -> tuple[str, ...]:
    """Say what limits the verdict: few galaxies, losses, left out properties, cuts."""
    found: list[str] = []
    for role, side in (("reference", comparison.reference), ("generated", comparison.generated)):
        if side.n_compared < FEW_GALAXIES:
            found.append(
                f"The {role} set has only {side.n_compared} galaxies: small differences cannot be seen."
            )
    lost_reference, lost_generated = mean_losses(comparison)
    if abs(lost_generated - lost_reference) > 0.02:
        found.append(
            f"On average {percent(lost_generated, 1)} of the generated galaxies have no value of a property, "
            f"{percent(lost_reference, 1)} of the reference ones: the two sides lose galaxies at different rates."
        )
    wild = [item for item in comparison.counted if item.tail_share > 0.5 and not is_within(item)]
    if wild:
        named = ", ".join(f"{label_of(item)} ({100 * item.tail_share:.0f} %)" for item in wild)
        found.append(f"A few outlying values make most of the distance in {named}; look at flags and cuts.")
    reasons = [label_of(item) for item in comparison.distances if item.reason and item.in_means]
    if reasons:
        found.append(f"Not compared: {', '.join(reasons)}; the table says why.")
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
    """List what was found beyond single properties, with what each is judged by."""
    rule, statuses = judgment.verdict.rule, judgment.verdict.statuses
    return [
        Judged(of, item, statuses.get(name, ""), _rule_words(item, kind, rule), kind == FLOORS)
        for of, name, item, kind in _ruled(judgment)
    ]


def _ruled(judgment: Judgment) -> Iterator[tuple[str, str, Statistic, str]]:
    """List what a statistic is about, the name of its mark, the statistic, and its rule or why there is none."""
    if judgment.beyond is not None:
        judged = judgment.verdict.statuses
        for name, item in judgment.beyond.statistics.items():
            is_judged = name in judged or not math.isfinite(item.value)
            yield "all properties", name, item, FLOORS if is_judged else SHOWN
        yield from _of_classifiers(judgment.beyond.classifiers)
    for one in judgment.features:
        yield one.extractor_id, f"frechet in {one.extractor_id}", one.frechet, FLOORS
        yield one.extractor_id, "", one.kernel, KERNEL
        for item in vars(one.support).values():
            yield one.extractor_id, "", item, NEIGHBORS
        yield from _of_classifiers(one.classifiers)
    for memory in judgment.memorization:
        yield memory.space, f"copies in {memory.space}", memory.share_closer, SHARE
        for item in (memory.authenticity, memory.c_t):
            yield memory.space, "", item, BESIDE_SHARE


def _of_classifiers(tests: tuple[ClassifierTest, ...]) -> Iterator[tuple[str, str, Statistic, str]]:
    """List the two statistics of each classifier."""
    for test in tests:
        name = f"{test.head} on {test.on}"
        yield name, name, test.auc, AREA
        yield name, "", test.accuracy, BESIDE_AREA


def _rule_words(item: Statistic, kind: str, rule: Rule) -> str:
    """Say what decides."""
    has_test = math.isfinite(item.p_value)
    chance = f"p below {rule.largest_p:g} after Holm" if has_test else _by_spread(item.estimate.z, rule)
    if kind == FLOORS:
        return f"more than {rule.floors_within:g} floors, and {chance}"
    if kind == AREA:
        return f"{rule.told_auc:g} or more, and {chance}; floors mean nothing here"
    if kind == SHARE:
        share = 100 * rule.closer_share
        return f"more than {share:g} % and twice what is expected, and {chance}; or any identical image"
    return kind


def _by_spread(z: float, rule: Rule) -> str:
    """Say what stands in for a test."""
    z_text = f" (here {z:.1f})" if math.isfinite(z) else ""
    return f"z above {rule.certain_z:g}{z_text}, as there is no test".replace("-", "−")
