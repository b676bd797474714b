"""Generated sets side by side: their distances and means, what a paper found, and which of two is nearer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from galsmith.compare import (
    Comparison,
    Distance,
    Estimate,
    Judgment,
    Mean,
    PairedDifference,
    PublishedColumn,
    ReportCard,
    evidence_of,
)
from galsmith.compare.correction import ALARMS
from galsmith.report.verdict import evidence_by_name, status_of

Named = TypeVar("Named", Mean, Distance)


@dataclass(frozen=True)
class MeanRow:
    """One mean or property: the user's sets, then the paper's models; None where there is no number."""

    name: str
    is_mean: bool
    ours: list[Estimate | None]
    published: list[float | None]


@dataclass(frozen=True)
class PropertyCell:
    """One property of one set; `bar` is in percent of the longest."""

    distance: Distance
    status: str
    bar: float


@dataclass(frozen=True)
class PropertyRow:
    """One property of every set; None where a set was not compared in it."""

    distance: Distance
    cells: list[PropertyCell | None]


@dataclass(frozen=True)
class SetsTable:
    """Means by set, with the paper's columns.

    Attributes
    ----------
    names : list of str
        Of the generated sets.
    published : tuple of PublishedColumn
        Columns of the paper that hold distances.
    rows : list of MeanRow
        Means; then, where a paper stands beside them, the properties that it lists.
    differences : list of PairedDifference
        Of the means.
    properties : list of PropertyRow
        Every property that enters a mean, of all sets.
    """

    names: list[str]
    published: tuple[PublishedColumn, ...]
    rows: list[MeanRow]
    differences: list[PairedDifference]
    properties: list[PropertyRow]


def sets_table(card: ReportCard) -> SetsTable:
    """Put all sets of a card side by side."""
    comparisons = [item.comparison for item in card.judgments]
    published = tuple(column for column in card.published if not column.sigmas)
    means = list(dict.fromkeys(mean.name for item in comparisons for mean in item.means))
    ours: dict[str, list[Estimate | None]] = {
        name: [_estimate_named(name, item.means) for item in comparisons] for name in means
    }
    if published:
        for name in _counted_names(comparisons):
            ours[name] = [_estimate_named(name, item.counted) for item in comparisons]
        for label in dict.fromkeys(one.label for item in card.judgments for one in item.features):
            ours[label] = [
                next((one.frechet.estimate for one in item.features if one.label == label), None)
                for item in card.judgments
            ]
    rows = [
        MeanRow(name, name in means, found, [published_value(column, name) for column in published])
        for name, found in ours.items()
    ]
    rows = [row for row in rows if row.is_mean or any(value is not None for value in row.published)]
    differences = [item for item in card.paired if item.name in means]
    names = [item.name for item in card.judgments]
    return SetsTable(names, published, rows, differences, _property_rows(card.judgments))


@dataclass(frozen=True)
class ValuesTable:
    """What the properties are, ours and a paper's: mean and standard deviation, or None.

    Attributes
    ----------
    heads : list of str
        Of the columns.
    rows : list of (Distance, list of (mean, standard deviation) or None)
        One a property.
    """

    heads: list[str]
    rows: list[tuple[Distance, list[tuple[float, float] | None]]]


def values_table(card: ReportCard) -> ValuesTable | None:
    """Put means of properties beside a paper's; None where no paper gave any."""
    published = [column for column in card.published if column.sigmas]
    if not published:
        return None
    first = card.judgments[0].comparison
    rows = []
    for item in first.counted:
        theirs = [_mean_and_sigma(column, item.name) for column in published]
        if any(theirs):
            rows.append((item, [*_our_values(card, item.name), *theirs]))
    heads = ["reference", *(item.name for item in card.judgments)]
    return ValuesTable([*heads, *(f"{one.model}, {one.data} ({one.table})" for one in published)], rows)


def published_value(column: PublishedColumn, name: str) -> float | None:
    """Find a paper's number for a property, a group's mean or the mean of those; None where it has none."""
    return next((column.values[key] for key in (name, f"mean {name}") if key in column.values), None)


def difference_text(item: PairedDifference) -> str:
    """Say which of two sets is nearer, or that it cannot be said."""
    if not item.p_value < ALARMS:
        return "cannot be told"
    return f"{item.first if item.value < 0 else item.second} is nearer"


def _named(name: str, items: Iterable[Named]) -> Named | None:
    """Find a mean or a distance by its name."""
    return next((item for item in items if item.name == name), None)


def _estimate_named(name: str, items: Iterable[Named]) -> Estimate | None:
    """Find the estimate of a mean or a distance by its name."""
    found = _named(name, items)
    return None if found is None else found.estimate


def _counted_names(comparisons: list[Comparison]) -> list[str]:
    """Names of the properties that enter the means of any set."""
    return list(dict.fromkeys(item.name for one in comparisons for item in one.counted))


def _property_rows(judgments: Sequence[Judgment]) -> list[PropertyRow]:
    """Put every property of the means side by side."""
    comparisons = [item.comparison for item in judgments]
    weighed = [evidence_by_name(evidence_of(item)) for item in judgments]
    longest = max((one.value for item in comparisons for one in item.counted), default=0.0)
    rows = []
    for name in _counted_names(comparisons):
        found = [_named(name, item.counted) for item in comparisons]
        first = next(one for one in found if one is not None)
        cells = [
            None if one is None else _property_cell(one, status_of(evidence, name), longest)
            for one, evidence in zip(found, weighed, strict=True)
        ]
        rows.append(PropertyRow(first, cells))
    return rows


def _property_cell(distance: Distance, status: str, longest: float) -> PropertyCell:
    """Scale the bar of one distance."""
    bar = round(100 * distance.value / longest, 1) if longest > 0 else 0.0
    return PropertyCell(distance, status, bar)


def _mean_and_sigma(column: PublishedColumn, name: str) -> tuple[float, float] | None:
    """Find a paper's mean and standard deviation of a property."""
    if name not in column.values:
        return None
    return column.values[name], column.sigmas.get(name, float("nan"))


def _our_values(card: ReportCard, name: str) -> list[tuple[float, float] | None]:
    """Means and standard deviations of the reference and of every generated set."""
    found = [_named(name, item.comparison.counted) for item in card.judgments]
    first = next(one for one in found if one is not None)
    return [
        (first.reference.mean, first.reference.sigma),
        *(None if one is None else (one.generated.mean, one.generated.sigma) for one in found),
    ]
