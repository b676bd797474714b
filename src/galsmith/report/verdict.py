"""The verdict of a report in words."""

from dataclasses import dataclass

import numpy as np

from galsmith.compare import Comparison, Distance, Judgment
from galsmith.report.checks import (
    COPIES,
    FAIL,
    PASS,
    TOLD,
    Check,
    checks_of,
    distance_status,
    is_measurable,
    is_within,
    n_identical,
)
from galsmith.report.labels import distance_number, label_of, percent, share_text

FEW_GALAXIES = 200
CLOSE, MIXED, NOTHING = "close", "mixed", "nothing"


@dataclass(frozen=True)
class Verdict:
    """What a reader should take home of one generated set.

    Attributes
    ----------
    name : str
        Of the generated set.
    outcome : str
        ``"pass"``, ``"close"`` (can be told from the reference, but nothing fails), ``"mixed"``, ``"fail"`` or
        ``"nothing"`` (nothing could be compared).
    title : str
        One line.
    sentences : tuple of str
        What stands below it.
    warnings : tuple of str
        What limits the verdict.
    checks : tuple of Check
        What it rests on.
    n_passed, n_counted : int
        Properties that do not fail, and all that count.
    """

    name: str
    outcome: str
    title: str
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    checks: tuple[Check, ...]
    n_passed: int
    n_counted: int


def verdict_of(judgment: Judgment) -> Verdict:
    """Put what was found out about one generated set in words."""
    comparison = judgment.comparison
    counted = comparison.counted
    warnings = _warnings(comparison)
    checks = checks_of(judgment)
    if not counted:
        title = f"{judgment.name}: nothing could be compared"
        return Verdict(judgment.name, NOTHING, title, (_why_nothing(comparison),), warnings, checks, 0, 0)
    n_failed = sum(distance_status(item) == FAIL for item in counted)
    outcome = _outcome(counted, checks, n_failed)
    sentences = (
        _mean_sentence(comparison),
        _extremes(counted),
        *_beyond_sentences(checks),
        *_identical_sentences(judgment),
    )
    title = f"{judgment.name} {_title(outcome, counted, checks, n_failed)}"
    return Verdict(
        judgment.name, outcome, title, sentences, warnings, checks, len(counted) - n_failed, len(counted)
    )


def headline_of(verdicts: tuple[Verdict, ...]) -> str:
    """One line for the whole card: the set's own, or how many sets pass."""
    if len(verdicts) == 1:
        return verdicts[0].title
    passed = [item.name for item in verdicts if item.outcome == PASS]
    if not passed:
        return f"None of {len(verdicts)} generated sets passes"
    if len(passed) == len(verdicts):
        return f"All {len(verdicts)} generated sets pass"
    verb = "passes" if len(passed) == 1 else "pass"
    return f"{len(passed)} of {len(verdicts)} generated sets {verb}: {', '.join(passed)}"


def _outcome(counted: tuple[Distance, ...], checks: tuple[Check, ...], n_failed: int) -> str:
    """Sum up the checks."""
    copies = any(check.scale == COPIES and check.status == FAIL for check in checks)
    if copies or 2 * n_failed >= len(counted):
        return FAIL
    if any(check.status == FAIL for check in checks):
        return MIXED
    is_told = any(is_measurable(item.p_holm, item.z) for item in counted)
    is_told_jointly = any(check.is_joint and check.status != PASS for check in checks)
    return CLOSE if is_told or is_told_jointly else PASS


def _title(outcome: str, counted: tuple[Distance, ...], checks: tuple[Check, ...], n_failed: int) -> str:
    """Say the outcome after the set's name."""
    if outcome == PASS:
        return "passes: nothing here tells it from the reference"
    if outcome == CLOSE:
        return "is close: it can be told from the reference, but nothing fails"
    if any(check.scale == COPIES and check.status == FAIL for check in checks):
        return "fails: it repeats its training images"
    worst = max(counted, key=lambda item: item.in_floors)
    off = (
        f"{n_failed} of {len(counted)} properties are off, {label_of(worst)} by {worst.in_floors:.1f} floors"
    )
    if outcome == FAIL:
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
            found.append(
                f"{share} of its images are nearer to a training image, in {space}, than all but 1 % of the held-out "
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


def warnings_of(verdicts: tuple[Verdict, ...]) -> list[str]:
    """Warnings of all sets: those that all share once, the others with the set's name."""
    if len(verdicts) == 1:
        return list(verdicts[0].warnings)
    shared = [text for text in verdicts[0].warnings if all(text in item.warnings for item in verdicts)]
    others = [f"{item.name}: {text}" for item in verdicts for text in item.warnings if text not in shared]
    return shared + others
