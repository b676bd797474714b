"""The verdict of a report in words."""

from dataclasses import dataclass

import numpy as np

from galsmith.compare import Comparison, Distance
from galsmith.report.labels import distance_number, label_of, percent

FLOORS_WITHIN = 2.0
FEW_GALAXIES = 200


@dataclass(frozen=True)
class Verdict:
    """What a reader should take home.

    Attributes
    ----------
    title : str
        One line.
    sentences : tuple of str
        What stands below it.
    warnings : tuple of str
        What limits the verdict.
    n_within, n_counted : int
        Properties within two floors, and all that count.
    """

    title: str
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    n_within: int
    n_counted: int


def is_within(distance: Distance) -> bool:
    """Whether a distance is at most two floors: hardly more than sampling alone makes."""
    return bool(distance.in_floors <= FLOORS_WITHIN)


def verdict_of(comparison: Comparison) -> Verdict:
    """Put a comparison in words."""
    counted = comparison.counted
    warnings = _warnings(comparison)
    if not counted:
        return Verdict("Nothing could be compared", (_why_nothing(comparison),), warnings, 0, 0)
    n_within = sum(is_within(item) for item in counted)
    title = f"{n_within} of {len(counted)} properties within {FLOORS_WITHIN:.0f} floors"
    return Verdict(title, (_mean_sentence(comparison), _extremes(counted)), warnings, n_within, len(counted))


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
