"""The tables of a report: rows of the page, and files, ECSV to read by program and LaTeX to put into a paper."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from astropy.table import Table
from markupsafe import Markup

from galsmith.compare import Comparison, Distance, Estimate, Evidence, Judgment, Losses, ReportCard
from galsmith.compare.marginal.columns import group_title, label_of
from galsmith.report.labels import (
    distance_number,
    file_name,
    mean_title,
    number,
    p_text,
    percent,
    symbol_beside_label,
    unit_text,
)
from galsmith.report.panels.distances import grouped
from galsmith.report.verdict import judged_statistics, status_of

LATEX_SPECIALS = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"} | {"–": "--", "−": "$-$", "<": "$<$", ">": "$>$", "\\": ""}
)
TABLES = ("distances", "means", "flags", "statistics", "paired_differences")
ESTIMATES = ("value", "corrected", "uncertainty", "floor", "floor_sigma", "excess", "in_floors", "z")


def write_tables(folder: Path, card: ReportCard) -> None:
    """Write the tables of a card, each as ``.ecsv`` and ``.tex``; several generated sets have a folder each."""
    for judgment in card.judgments:
        _write_set(folder if len(card.judgments) == 1 else folder / file_name(judgment.name), judgment)
    if card.paired:
        paired = paired_table(card)
        _write(folder / "paired_differences", paired, _escaped(paired))


def _write_set(folder: Path, judgment: Judgment) -> None:
    """Write distances, means, flags, and what was judged beyond these."""
    comparison = judgment.comparison
    folder.mkdir(parents=True)
    statistics = statistic_table(judgment)
    if len(statistics):
        _write(folder / "statistics", statistics, _escaped(_short_statistics(judgment)))
    _write(folder / "distances", distance_table(comparison), _latex_distances(comparison))
    _write(folder / "means", mean_table(comparison), _latex_means(comparison))
    flags = flag_table(comparison)
    _write(folder / "flags", flags, _escaped(flags))


def distance_table(comparison: Comparison) -> Table:
    """All that is known of every distance, one row each."""
    rows = [_distance_row(item) for item in comparison.distances]
    table = Table(rows=rows)
    table.meta = {
        "made by": "galsmith report",
        "confidence": comparison.settings.get("confidence"),
        "normalization": dict(comparison.settings.get("normalization", {})),
        "reference": comparison.reference.content_hash,
        "generated": comparison.generated.content_hash,
    }
    return table


def mean_table(comparison: Comparison) -> Table:
    """All means, one row each."""
    names = ("mean", "n_properties", "value", "corrected", "uncertainty", "interval_low", "interval_high")
    rows = [
        {"mean": item.name, "n_properties": item.n_properties, **_estimate(item.estimate)}
        for item in comparison.means
    ]
    return Table(rows=rows) if rows else Table(names=names)


def flag_table(comparison: Comparison) -> Table:
    """How many galaxies of both sides carry each flag."""
    names = sorted({*comparison.reference.flags, *comparison.generated.flags})
    return Table(
        {
            "flag": [*names, "(galaxies)"],
            "reference": [
                *(comparison.reference.flags.get(name, 0) for name in names),
                comparison.reference.n_compared,
            ],
            "generated": [
                *(comparison.generated.flags.get(name, 0) for name in names),
                comparison.generated.n_compared,
            ],
        }
    )


def statistic_table(judgment: Judgment) -> Table:
    """All statistics beyond single properties, one row each; no rows where there are none.

    What may not be counted in floors has no number there; `told_by` has the p values, or says why there are none.
    """
    rows = [
        {
            "of": one.of,
            "name": one.statistic.name,
            **_estimate(one.statistic.estimate),
            **({} if one.has_floors else {"in_floors": math.nan}),
            "p_value": one.statistic.p_value,
            "status": one.status or "not tested",
            "told_by": one.by,
            "n_reference": one.statistic.n_reference,
            "n_generated": one.statistic.n_generated,
            "definition": one.statistic.definition,
        }
        for one in judged_statistics(judgment)
    ]
    return Table(rows=rows) if rows else Table()


def paired_table(card: ReportCard) -> Table:
    """Which of two generated sets is nearer, one row a property or mean."""
    return Table(
        rows=[
            {
                "name": item.name,
                "first": item.first,
                "second": item.second,
                "difference": item.value,
                "uncertainty": item.uncertainty,
                "interval_low": item.interval[0],
                "interval_high": item.interval[1],
                "p_value": item.p_value,
            }
            for item in card.paired
        ]
    )


def _short_statistics(judgment: Judgment) -> Table:
    """Statistics for a paper."""
    rows = [
        {
            "of": one.of,
            "statistic": one.statistic.name,
            **_latex_estimate(one.statistic.estimate),
            **({} if one.has_floors else {"in floors": "–"}),
            "p": p_text(one.statistic.p_value),
            "status": one.status or "not tested",
        }
        for one in judged_statistics(judgment)
    ]
    return Table(
        rows=[{("value" if key == "W1" else key): value for key, value in row.items()} for row in rows]
    )


def _distance_row(item: Distance) -> dict[str, object]:
    """One distance as plain values."""
    return {
        "name": item.name,
        "group": item.group,
        "unit": item.unit,
        "metric": item.metric,
        "in_means": item.in_means,
        **_estimate(item.estimate),
        "normalization": item.normalization,
        "p_value": item.p_value,
        "p_family": item.p_family,
        "p_near": item.p_near,
        "told_from": item.told_from,
        "scale": item.scale,
        "floor_scale": item.floor_scale,
        "n_reference": item.n_reference,
        "lost_reference": item.lost_reference.count,
        "n_generated": item.n_generated,
        "lost_generated": item.lost_generated.count,
        **{f"reference_{key}": value for key, value in vars(item.reference).items()},
        **{f"generated_{key}": value for key, value in vars(item.generated).items()},
        "reason": item.reason,
        **_beside(item),
    }


def _beside(item: Distance) -> dict[str, float]:
    """Other distances of the same property: value, ends of the interval, floor and p value of each."""
    found: dict[str, float] = {}
    for name, one in item.beside.items():
        low, high = one.interval
        numbers = {"": one.value, "_interval_low": low, "_interval_high": high, "_floor": one.floor}
        found |= {f"{name}{key}": value for key, value in {**numbers, "_p_value": one.p_value}.items()}
    return found


def _estimate(item: Estimate) -> dict[str, float]:
    """Numbers of an estimate."""
    low, high = item.interval
    numbers = {name: float(getattr(item, name)) for name in ESTIMATES}
    return {**numbers, "interval_low": low, "interval_high": high}


def _latex_distances(comparison: Comparison) -> Table:
    """Rows for a paper: those that enter the means."""
    return _escaped(
        Table(
            rows=[
                {
                    "group": group_title(item.group),
                    "property": label_of(item),
                    **_latex_estimate(item.estimate),
                    "median, reference": number(item.reference.median),
                    "median, generated": number(item.generated.median),
                }
                for item in comparison.distances
                if item.in_means
            ]
        )
    )


def _latex_means(comparison: Comparison) -> Table:
    """Rows for a paper."""
    rows = [{"mean": mean_title(item.name), **_latex_estimate(item.estimate)} for item in comparison.means]
    return _escaped(Table(rows=rows))


def _latex_estimate(item: Estimate) -> dict[str, str]:
    """Write an estimate in three decimals."""
    low, high = item.interval
    return {
        "W1": distance_number(item.value),
        "interval": f"{distance_number(low)}–{distance_number(high)}",
        "floor": distance_number(item.floor),
        "in floors": distance_number(item.in_floors),
    }


def _escaped(table: Table) -> Table:
    """Escape what LaTeX would read as commands."""
    escaped = Table()
    for name in table.colnames:
        escaped[name.translate(LATEX_SPECIALS)] = [
            str(value).translate(LATEX_SPECIALS) for value in table[name]
        ]
    return escaped


def _write(stem: Path, full: Table, latex: Table) -> None:
    """Write one table in both forms."""
    full.write(stem.with_suffix(".ecsv"), format="ascii.ecsv")
    rules = {"tabletype": "table", "header_start": r"\hline", "header_end": r"\hline", "data_end": r"\hline"}
    if latex.colnames:
        latex.write(stem.with_suffix(".tex"), format="ascii.latex", latexdict=rules)


@dataclass(frozen=True)
class Row:
    """One row of the table of distances.

    Attributes
    ----------
    distance : Distance
        What the row states.
    label, unit : str
        In words.
    symbol : Markup
        The property's symbol as HTML.
    status : str
        ``"told"``, ``"borderline"`` or ``"not_told"``.
    p_overall : float
        Of no difference, among all tests of the card; NaN where there is no test.
    bar : float
        Length in percent.
    """

    distance: Distance
    label: str
    symbol: Markup
    unit: str
    status: str
    p_overall: float
    bar: float


@dataclass(frozen=True)
class FlagRow:
    """How often both sides carry a flag."""

    name: str
    reference: int
    generated: int
    reference_share: str
    generated_share: str


def rows_of(comparison: Comparison, evidence: Mapping[str, Evidence], *, in_means: bool) -> list[Row]:
    """Rows of the table, the farthest first."""
    chosen = tuple(item for item in comparison.distances if item.in_means == in_means)
    longest = max((item.value for item in chosen if not item.reason), default=1.0)
    ordered = [item for _, members in grouped(chosen) for item in members]
    return [
        Row(
            distance=item,
            label=label_of(item),
            symbol=symbol_beside_label(item),
            unit=unit_text(item.unit, comparison.reference.flux_unit),
            status=status_of(evidence, item.name),
            p_overall=evidence[item.name].p_overall if item.name in evidence else math.nan,
            bar=0.0 if item.reason or longest <= 0 else round(100 * item.value / longest, 1),
        )
        for item in ordered
    ]


def flag_rows(comparison: Comparison) -> list[FlagRow]:
    """Count flags on both sides."""
    one, other = comparison.reference, comparison.generated
    names = sorted(
        {*one.flags, *other.flags},
        key=lambda name: (-max(one.flags.get(name, 0), other.flags.get(name, 0)), name),
    )
    return [
        FlagRow(
            name.replace("_", " "),
            one.flags.get(name, 0),
            other.flags.get(name, 0),
            percent(one.flags.get(name, 0), one.n_compared),
            percent(other.flags.get(name, 0), other.n_compared),
        )
        for name in names
    ]


def lossy_distances(comparison: Comparison) -> list[Distance]:
    """Properties that could not be measured on all galaxies."""
    return [item for item in comparison.distances if item.lost_reference.count or item.lost_generated.count]


def reasons_text(losses: Losses) -> str:
    """List the flags of lost galaxies."""
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in losses.reasons.items())
