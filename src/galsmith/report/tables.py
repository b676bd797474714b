"""The tables of a report as files: ECSV to read by program, LaTeX to put into a paper."""

from pathlib import Path

from astropy.table import Table

from galsmith.compare import Comparison, Distance, Estimate, Judgment, ReportCard
from galsmith.compare.evidence import ClassifierTest, Statistic
from galsmith.report.labels import distance_number, file_name, group_title, label_of, mean_title, number

LATEX_SPECIALS = str.maketrans({c: f"\\{c}" for c in "&%$#_{}"} | {"–": "--", "−": "$-$", "\\": ""})
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
        {"mean": item.name, "n_properties": item.n_properties, **_estimate(item)} for item in comparison.means
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
    """All statistics beyond single properties, one row each; no rows where there are none."""
    rows = [
        {
            "of": of,
            "name": item.name,
            **_estimate(item),
            "p_value": item.p_value,
            "n_reference": item.n_reference,
            "n_generated": item.n_generated,
            "definition": item.definition,
        }
        for of, item in named_statistics(judgment)
    ]
    return Table(rows=rows) if rows else Table()


def named_statistics(judgment: Judgment) -> list[tuple[str, Statistic]]:
    """List what was judged beyond single properties, with what it is about."""
    found: list[tuple[str, Statistic]] = []
    if judgment.beyond is not None:
        beyond = judgment.beyond
        found += [("all properties", item) for item in (beyond.sliced, beyond.energy, beyond.correlation)]
        found += [item for test in beyond.classifiers for item in _of_classifier(test)]
    for one in judgment.features:
        numbers = (one.frechet, one.kernel, one.precision, one.recall, one.density, one.coverage)
        found += [(one.extractor_id, item) for item in numbers]
        found += [item for test in one.classifiers for item in _of_classifier(test)]
    for memory in judgment.memorization:
        found += [(memory.space, item) for item in (memory.share_closer, memory.authenticity, memory.c_t)]
    return found


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


def _of_classifier(test: ClassifierTest) -> list[tuple[str, Statistic]]:
    """Name the two statistics of a classifier."""
    return [(f"{test.head} on {test.on}", item) for item in (test.auc, test.accuracy)]


def _short_statistics(judgment: Judgment) -> Table:
    """Statistics for a paper."""
    rows = [
        {"of": of, "statistic": item.name, **_latex_estimate(item)} for of, item in named_statistics(judgment)
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
        **_estimate(item),
        "normalization": item.normalization,
        "p_value": item.p_value,
        "p_holm": item.p_holm,
        "scale": item.scale,
        "floor_scale": item.floor_scale,
        "n_reference": item.n_reference,
        "lost_reference": item.lost_reference.count,
        "n_generated": item.n_generated,
        "lost_generated": item.lost_generated.count,
        **{f"reference_{key}": value for key, value in vars(item.reference).items()},
        **{f"generated_{key}": value for key, value in vars(item.generated).items()},
        "reason": item.reason,
    }


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
                    **_latex_estimate(item),
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
    rows = [{"mean": mean_title(item.name), **_latex_estimate(item)} for item in comparison.means]
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
