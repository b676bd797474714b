"""The race's table: one row a family, the nearest first, as records, Markdown and ECSV."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import astropy.units as u
from astropy.table import QTable
from scipy.stats import norm

from galsmith.compare import Estimate, Judgment, PairedDifference, ReportCard
from galsmith.compare.marginal.columns import group_title
from galsmith.files import written_atomically
from galsmith.report.verdict import verdict_words

HEADLINE = "headline"
HEADS = ("trees", "pairs")
LARGEST_P = 0.05
NAN = float("nan")


@dataclass(frozen=True)
class Row:
    """One family of a race.

    Attributes
    ----------
    name : str
        Of the family, as it raced.
    training, drawing : mapping
        What ``training.json`` and ``drawing.json`` say.
    groups : mapping of str to float
        Mean W1 of each group of properties.
    mean : Estimate
        Mean of the groups' means.
    interval : tuple of float
        Of the excess over the floor, by the bootstrap's standard deviation.
    accuracies : mapping of str to float
        Of each classifier, on galaxies that it has not seen; 0.5 is guessing.
    features : tuple of str, float, float
        Name, value and floor of the distance of learned features; empty and NaN without.
    next_p : float
        Two-sided p value of no difference to the next row, paired; NaN in the last row.
    verdict : str
        The card's.
    n_properties : int
        How many were compared; too few galaxies of a poor model can be measured for all.
    """

    name: str
    training: Mapping[str, Any]
    drawing: Mapping[str, Any]
    groups: Mapping[str, float]
    mean: Estimate
    interval: tuple[float, float]
    accuracies: Mapping[str, float]
    features: tuple[str, float, float]
    next_p: float
    verdict: str
    n_properties: int


def rows_of(
    card: ReportCard, trainings: Mapping[str, Mapping[str, Any]], drawings: Mapping[str, Mapping[str, Any]]
) -> list[Row]:
    """Make one row a family, the least excess first; behind all others those that lack properties others have."""
    most = max(len(item.comparison.counted) for item in card.judgments)
    judgments = sorted(
        card.judgments,
        key=lambda item: (len(item.comparison.counted) < most, item.comparison.headline.estimate.excess),
    )
    names = [item.name for item in judgments]
    return [
        _row(item, trainings.get(item.name, {}), drawings.get(item.name, {}), _p_to_next(card, names, place))
        for place, item in enumerate(judgments)
    ]


def between(card: ReportCard, first: str, second: str) -> PairedDifference | None:
    """Find the paired difference of two families' headlines, of the first less the second; None where there is none."""
    for item in card.paired:
        if item.name != HEADLINE:
            continue
        if (item.first, item.second) == (first, second):
            return item
        if (item.first, item.second) == (second, first):
            low, high = item.interval
            return PairedDifference(
                item.name, first, second, -item.value, item.uncertainty, (-high, -low), item.p_value
            )
    return None


def excess_interval(estimate: Estimate, *, confidence: float) -> tuple[float, float]:
    """Interval of the excess over the floor: as wide as the bootstrap's standard deviation makes it, if normal."""
    reach = float(norm.ppf(0.5 + confidence / 2)) * estimate.uncertainty
    return estimate.excess - reach, estimate.excess + reach


def winner_sentence(rows: Sequence[Row], card: ReportCard) -> str:
    """Say who is first, and whether that is more than the noise of drawing."""
    if len(rows) < 2:
        return f"{rows[0].name} raced alone." if rows else "Nobody raced."
    first, second = rows[0].name, rows[1].name
    difference = between(card, first, second)
    if difference is None:
        return f"{first} is first; the difference to {second} could not be tested."
    low, high = difference.interval
    told = "beyond" if difference.p_value < LARGEST_P else "**inside**"
    return (
        f"First is `{first}`, by {-difference.value:.3f} in mean W1 (paired difference to `{second}`: interval "
        f"{low:+.3f} to {high:+.3f}, p = {difference.p_value:.2g}): {told} the noise of drawing {_n_of(card)} "
        "galaxies of each. How much another seed of training would change is not in this."
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """Write the table for readers, with the verdicts below it."""
    groups = all_groups(rows)
    feature = next((row.features[0] for row in rows if row.features[0]), "")
    heads = [
        *("family", "parameters", "images seen", "images/s", "CPU s", "drawn/s"),
        *(f"W1 {group_title(group).lower()}" for group in groups),
        *("mean W1", "floor", "**excess over the floor**", "told by trees", "told by pairs"),
        *([feature + " (floor)"] if feature else []),
    ]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" + "---:|" * (len(heads) - 1)]
    lines += ["| " + " | ".join(_cells(row, groups, with_feature=bool(feature))) + " |" for row in rows]
    most = max((row.n_properties for row in rows), default=0)
    notes = [
        f"- `{row.name}` could be compared in {row.n_properties} of {most} properties alone, and comes behind the others."
        for row in rows
        if row.n_properties < most
    ]
    return "\n".join([*lines, "", *(f"- {row.verdict}" for row in rows), *notes]) + "\n"


def as_table(rows: Sequence[Row], *, meta: Mapping[str, Any]) -> QTable:
    """Put the rows into a table for programs; W1 is in standard deviations of the reference."""
    columns: dict[str, list[Any]] = {
        "family": [row.name for row in rows],
        "n_parameters": [row.training.get("parameters", 0) for row in rows],
        "images_seen": [row.training.get("images_seen", 0) for row in rows],
        "images_per_s": [images_per_second(row) for row in rows],
        "trained": [float(row.training.get("seconds", NAN)) for row in rows],
        "cpu": [float(row.training.get("cpu_s", NAN)) for row in rows],
        "preparing_cpu": [float(row.training.get("preparing_cpu_s", NAN)) for row in rows],
        "drawn_per_s": [float(row.drawing.get("galaxies_per_s", NAN)) for row in rows],
    }
    for group in all_groups(rows):
        columns[f"mean_w1_{group}"] = [row.groups.get(group, NAN) for row in rows]
    columns |= {
        "n_properties": [row.n_properties for row in rows],
        "mean_w1": [row.mean.value for row in rows],
        "mean_w1_corrected": [row.mean.corrected for row in rows],
        "floor": [row.mean.floor for row in rows],
        "excess": [row.mean.excess for row in rows],
        "excess_low": [row.interval[0] for row in rows],
        "excess_high": [row.interval[1] for row in rows],
        "p_same_as_next": [row.next_p for row in rows],
        **{f"accuracy_{head}": [row.accuracies.get(head, NAN) for row in rows] for head in HEADS},
        "feature_distance": [row.features[1] for row in rows],
        "feature_floor": [row.features[2] for row in rows],
        "verdict": [row.verdict for row in rows],
    }
    table = QTable(columns, meta=dict(meta))
    for name, unit in (
        ("images_per_s", 1 / u.s),
        ("drawn_per_s", 1 / u.s),
        *((key, u.s) for key in ("trained", "cpu")),
    ):
        table[name].unit = unit
    table["preparing_cpu"].unit = u.s
    return table


def write_table(rows: Sequence[Row], path: Path, *, winner: str, meta: Mapping[str, Any]) -> None:
    """Write ``table.ecsv`` and ``table.md`` beside it."""
    with written_atomically(path) as temporary:
        as_table(rows, meta=meta).write(temporary, format="ascii.ecsv", overwrite=True)
    with written_atomically(path.with_suffix(".md")) as temporary:
        temporary.write_text(f"{winner}\n\n{as_markdown(rows)}", encoding="utf-8")


def all_groups(rows: Sequence[Row]) -> list[str]:
    """Groups of properties that any family was compared in."""
    return list(dict.fromkeys(group for row in rows for group in row.groups))


def images_per_second(row: Row) -> float:
    """Training images shown a second of the clock."""
    seconds = row.training.get("seconds", 0.0)
    return row.training["images_seen"] / seconds if seconds else NAN


def _row(judgment: Judgment, training: Mapping[str, Any], drawing: Mapping[str, Any], next_p: float) -> Row:
    """Gather what is known of one family."""
    comparison = judgment.comparison
    confidence = float(comparison.settings.get("confidence", 0.95))
    tests = () if judgment.beyond is None else judgment.beyond.classifiers
    seen = judgment.features[0] if judgment.features else None
    return Row(
        name=judgment.name,
        training=training,
        drawing=drawing,
        groups={
            mean.name: mean.value
            for mean in comparison.means
            if mean.name not in (HEADLINE, "all properties")
        },
        mean=comparison.headline.estimate,
        interval=excess_interval(comparison.headline.estimate, confidence=confidence),
        accuracies={test.head: test.accuracy.value for test in tests},
        features=("", NAN, NAN) if seen is None else (seen.label, seen.frechet.value, seen.frechet.floor),
        next_p=next_p,
        verdict=verdict_words(judgment).title,
        n_properties=len(comparison.counted),
    )


def _p_to_next(card: ReportCard, names: Sequence[str], place: int) -> float:
    """P value of no difference to the next family."""
    if place + 1 >= len(names):
        return NAN
    difference = between(card, names[place], names[place + 1])
    return NAN if difference is None else difference.p_value


def _cells(row: Row, groups: Sequence[str], *, with_feature: bool) -> list[str]:
    """Write one row of the Markdown table."""
    training, drawing = row.training, row.drawing
    low, high = row.interval
    cells = [
        f"`{row.name}`" + (" (diverged)" if training.get("error") else ""),
        _whole(training.get("parameters")),
        _whole(training.get("images_seen")),
        _three(images_per_second(row)) if training else "–",
        _whole(training.get("cpu_s")),
        _three(drawing.get("galaxies_per_s", NAN)),
        *(_distance(row.groups.get(group, NAN)) for group in groups),
        f"{row.mean.value:.3f}",
        f"{row.mean.floor:.3f}",
        f"**{row.mean.excess:.3f}** ({low:.3f} to {high:.3f})",
        *(_share(row.accuracies.get(head, NAN)) for head in HEADS),
    ]
    return [*cells, f"{_three(row.features[1])} ({_three(row.features[2])})"] if with_feature else cells


def _n_of(card: ReportCard) -> str:
    """How many galaxies of each generated set were compared."""
    counts = sorted({item.comparison.generated.n_compared for item in card.judgments})
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"


def _whole(value: float | None) -> str:
    """Write a count."""
    return "–" if value is None or not math.isfinite(value) else f"{value:,.0f}"


def _three(value: float) -> str:
    """Write a number with three digits that count, without an exponent."""
    if not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _distance(value: float) -> str:
    """Write a mean distance."""
    return "–" if not math.isfinite(value) else f"{value:.3f}"


def _share(value: float) -> str:
    """Write the accuracy of a classifier."""
    return "–" if not math.isfinite(value) else f"{value:.2f}"
