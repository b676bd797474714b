"""Descriptions of measurement tables, comparisons, reports, studies, scorers, denoisers, judged scores, submissions."""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from galsmith.cli.describe.record import Description, provenance_rows
from galsmith.cli.summaries import mean_numbers, outcome_of_table
from galsmith.counts import counted
from galsmith.errors import InputError
from galsmith.files import read_json, sha256_of_file
from galsmith.provenance import Provenance

STUDY_FILE, ANSWERS_FILE = "study.json", "answers.json"
OF_DENOISING = "galsmith denoising study"


def describe_table(path: Path) -> Description:
    """Describe a table of measurements."""
    from galsmith.measure import read_measurements

    table = read_measurements(path)
    outcome = outcome_of_table(table, path)
    made_by = table.meta.get("provenance")
    rows = [
        ("measured", outcome.summary),
        ("segmentation", str(table.meta.get("segmentation", ""))),
        ("columns", f"{len(table.colnames)}, by group:"),
        *_groups_of_columns(table),
        *provenance_rows(Provenance.from_dict(made_by) if made_by else None),
    ]
    return Description("table of measurements", rows, outcome.content_hash, outcome.numbers)


def describe_comparison(path: Path) -> Description:
    """Describe a comparison: both sides, the means, and every distance."""
    from galsmith.compare import read_comparison

    comparison = read_comparison(path)
    sides = [("reference", comparison.reference), ("generated", comparison.generated)]
    rows = [
        *(
            (name, f"{side.n_compared:,} of {counted(side.n_measured, 'galaxies')} of {side.images_path}")
            for name, side in sides
        ),
        *((f"W1 {mean.name}", f"{mean.value:.3f} (floor {mean.floor:.3f})") for mean in comparison.means),
        *((f"  {item.name}", f"{item.value:.3f} (floor {item.floor:.3f})") for item in comparison.distances),
        *provenance_rows(comparison.provenance),
    ]
    return Description("comparison", rows, sha256_of_file(path), mean_numbers(comparison))


def describe_report(path: Path) -> Description:
    """Describe a report's folder."""
    files = sorted(file for file in path.rglob("*") if file.is_file())
    rows = [
        ("page", f"{path / 'index.html'}, {(path / 'index.html').stat().st_size / 1e6:.1f} MB"),
        ("files", " ".join(str(file.relative_to(path)) for file in files)),
    ]
    return Description("report", rows, numbers={"n_files": len(files)})


def describe_study(path: Path) -> Description:
    """Describe a study: what each training set does to the task."""
    from galsmith.study.page import read_card

    card = read_card(path)
    rows = [
        (
            "task",
            f"{card['title']}, {card['loss']} on {counted(card['n_test'], 'images')}, {card['seeds']} seeds",
        ),
        *((row["title"], _of_mix(row)) for row in card["rows"]),
        *provenance_rows(Provenance.from_dict(card["provenance"])),
    ]
    numbers = {row["mix"]: row["mean_loss"] for row in card["rows"]}
    return Description("study", rows, sha256_of_file(path / STUDY_FILE), numbers)


def _of_mix(row: Mapping[str, Any]) -> str:
    """Say what one training set does."""
    if "verdict" not in row:
        return f"{row['mean_loss']:.4g}"
    low, high = row["interval"]
    return f"{row['mean_loss']:.4g}, {row['verdict']} ({row['difference']:+.2g}, interval {low:+.2g} to {high:+.2g})"


def is_study_of_denoising(path: Path) -> bool:
    """Whether a folder is a study of denoising, complete or not."""
    page = path / STUDY_FILE
    if not page.is_file():
        return False
    try:
        said = read_json(page)
    except InputError:
        return False
    return isinstance(said, dict) and said.get("format") == OF_DENOISING


def describe_study_of_denoising(path: Path) -> Description:
    """Describe a study of denoising: which cells are done, failed or missing, and what those that are done say."""
    from galsmith.denoise.page import check_study_page

    said = read_json(path / STUDY_FILE)
    check_study_page(said, path / STUDY_FILE)
    factors = said["settings"]["study"]
    cells = {name: _state_of(path, name) for name in said["cells"]}
    failed = {name: reason for name, reason in cells.items() if reason}
    n_done = sum(reason == "" for reason in cells.values())
    answers = read_json(path / ANSWERS_FILE) if (path / ANSWERS_FILE).is_file() else {}
    rows = [
        ("cells", f"{n_done} of {len(cells)} done" + (f", {len(failed)} failed" if failed else "")),
        ("networks", ", ".join(factors["networks"])),
        ("methods", ", ".join(factors["methods"])),
        ("shifts", ", ".join(factors["shifts"])),
        ("tested on", counted(factors["n_test"], "galaxies")),
        *_group_rows(cells, answers),
        *((f"failed: {name}", reason) for name, reason in failed.items()),
        *(("answer", sentence) for sentence in answers.get("sentences", ())),
        *provenance_rows(Provenance.from_dict(said["provenance"])),
    ]
    numbers = {"n_cells": len(cells), "n_done": n_done, "failed": failed}
    return Description("study of denoising", rows, sha256_of_file(path / STUDY_FILE), numbers)


def _state_of(path: Path, cell: str) -> str | None:
    """Say why a cell failed; nothing where it is done, None where it is not yet."""
    if (path / "cells" / f"{cell}.json").is_file():
        return ""
    failure = path / "failed" / f"{cell}.json"
    return str(read_json(failure)["reason"]) if failure.is_file() else None


def _group_rows(cells: Mapping[str, str | None], answers: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give a row for the cells that differ in their seeds alone: how many are done, and their error by shift."""
    groups: dict[str, list[str | None]] = {}
    for name, state in cells.items():
        groups.setdefault(_group_of(name), []).append(state)
    errors: dict[str, list[str]] = {}
    for one in answers.get("groups", ()):
        ratio = one["to_baseline"].get("mse_mean")
        if ratio and ratio["value"] is not None:
            errors.setdefault(_name_of(one["group"]), []).append(f"{ratio['value']:.3g} ({one['shift']})")
    for name, states in groups.items():
        done = f"{states.count('')} of {counted(len(states), 'cells')} done"
        told = ", ".join(errors.get(name, ()))
        yield f"  {name}", done + (f"; squared error over the baseline's {told}" if told else "")


def _group_of(cell: str) -> str:
    """Leave the seed out of a cell's name; those of methods have none."""
    return cell if cell.startswith("method.") else cell.rpartition(".s")[0]


def _name_of(group: Mapping[str, Any]) -> str:
    """Name a group of the answers as its cells are named."""
    if not group["training_set"]:
        return f"method.{group['denoiser']}"
    return f"{group['denoiser']}.{group['training_set']}.a{group['mixing']:g}"


def describe_scorer(path: Path) -> Description:
    """Describe a scorer: its method and settings, and its error on held-out fields."""
    from galsmith.score.accuracy import accuracy_of
    from galsmith.score.scorer import read_held_out, read_scorer_page

    page = read_scorer_page(path)
    held_out = read_held_out(path, page)
    provenance = Provenance.from_dict(page["provenance"])
    numbers: dict[str, Any] = {"method": page["method"], "side_pix": page["side_pix"]}
    error = "no fields were held out"
    if len(held_out):
        found = accuracy_of(held_out)
        numbers |= {"mae": found.mae, "standard_error": found.standard_error}
        error = (
            f"{found.mae:.3f} +- {found.standard_error:.3f} on {counted(found.n_fields, 'held-out fields')}"
        )
    rows = [
        ("method", page["method"]),
        ("fields", f"{page['side_pix']}x{page['side_pix']} px"),
        ("mean absolute error", error),
        *provenance_rows(provenance),
    ]
    return Description("scorer", rows, provenance.fingerprint(), numbers)


def is_denoiser(path: Path) -> bool:
    """Whether a folder is a denoiser, finished or in training."""
    settings = path / "settings.toml"
    return settings.is_file() and "\ndenoiser = " in settings.read_text(encoding="utf-8", errors="replace")


def describe_denoiser(path: Path) -> Description:
    """Describe a denoiser: what it is for, what it learned from, and how far it came."""
    page_file = path / "denoiser.json"
    if not page_file.is_file():
        return Description("denoiser", [("training", "not finished; repeat its command to go on")])
    from galsmith.denoise.page import check_denoiser_page

    page = read_json(page_file)
    check_denoiser_page(page, page_file)
    coverage, training = page["coverage"], page["card"]["training"]
    low, high = coverage["psf_width_pix"]
    noise = coverage["noise_sigma"]
    provenance = Provenance.from_dict(page["card"]["provenance"])
    loss = training["validation_loss"]
    rows = [
        ("denoiser", f"{page['denoiser']}, bands {' '.join(page['bands'])}"),
        ("PSF", f"{low:.2f} to {high:.2f} px wide" if high > low else f"{low:.2f} px wide"),
        ("noise", "any" if noise is None else f"{noise[0]:.4g} to {noise[1]:.4g} {coverage['flux_unit']}"),
        (
            "trained",
            f"{counted(training['images_seen'], 'images seen')} of {training['n_training_images']:,}",
        ),
        (
            "validation loss",
            "none" if loss is None else f"{loss:.4g} at {counted(training['chosen_at_images'], 'images')}",
        ),
        *provenance_rows(provenance),
    ]
    return Description("denoiser", rows, provenance.fingerprint(), {"denoiser": page["denoiser"], **training})


def is_judged(path: Path) -> bool:
    """Whether a file is what ``score judge`` wrote."""
    if not path.is_file() or path.suffix != ".json":
        return False
    from galsmith.score.judged_sets import JUDGED

    return JUDGED.fingerprint_of(path) is not None


def describe_judged(path: Path) -> Description:
    """Describe judged scores: the law of the source, and how far each set's is from it."""
    from galsmith.score.judged_sets import read_judged

    found = read_judged(path)
    rows = [
        ("scorer", f"{found.method}, fields of {found.side_pix}x{found.side_pix} px"),
        (
            "source",
            f"{found.source.mean:.3f} +- {found.source.deviation:.3f} ({counted(found.source.n, 'fields')})",
        ),
    ]
    for one in found.sets:
        law, distance = one.law, one.distance
        rows.append(
            (
                law.name,
                f"{law.mean:.3f} +- {law.deviation:.3f} ({counted(law.n, 'fields')}), "
                f"W1 {distance.value:.3f} (floor {distance.floor:.3f})",
            )
        )
    numbers = {one.law.name: {"w1": one.distance.value, "floor": one.distance.floor} for one in found.sets}
    rows += provenance_rows(found.provenance)
    return Description("judged scores", rows, sha256_of_file(path), numbers)


def is_submission(path: Path) -> bool:
    """Whether a file is what ``score predict`` wrote."""
    if not path.is_file() or path.suffix != ".csv":
        return False
    from galsmith.score.submission import SUBMISSION

    return SUBMISSION.fingerprint_of(path) is not None


def describe_submission(path: Path) -> Description:
    """Describe predicted scores: how many, and their mean; the file says no more."""
    from galsmith.score.submission import read_submission

    scores = read_submission(path)["Predicted"]
    rows = [("predicted scores", f"{counted(len(scores), 'fields')}, mean {scores.mean():.3f}")]
    numbers = {"n": len(scores), "mean": float(scores.mean())}
    return Description("submission", rows, sha256_of_file(path), numbers)


def _groups_of_columns(table: Any) -> Iterator[tuple[str, str]]:
    """Give a row a group of columns; numbered ones of one name are joined."""
    described = table.meta.get("properties", {})
    groups: dict[str, list[Any]] = {}
    for column in table.itercols():
        name = str(column.info.name)
        groups.setdefault(_group_of_column(name, described), []).append(column)
    for group, columns in groups.items():
        yield f"  {group} ({len(columns)})", " ".join(_joined(columns))


def _group_of_column(name: str, described: Mapping[str, Any]) -> str:
    """Name the group of a column: that of its property, of a catalog, of the verdicts on a row, or of the rest."""
    if name in described:
        return str(described[name]["group"]).replace("_", " ")
    if name.startswith("catalog_"):
        return "catalog"
    return "flags" if name in ("flag", "flag_sersic", "flags", "message") else "row"


def _joined(columns: list[Any]) -> Iterator[str]:
    """Write names with units, and of those that differ in a number at the end, several in a row, the first and the last."""
    stems = [re.sub(r"_\d\d$", "", str(column.info.name)) for column in columns]
    for _, run in groupby(zip(stems, columns, strict=True), key=lambda pair: pair[0]):
        same = [_with_unit(column) for _, column in run]
        yield from same if len(same) < 3 else [f"{same[0]}..{same[-1].rpartition('_')[2]}"]


def _with_unit(column: Any) -> str:
    """Join a column's name and its unit."""
    unit = getattr(column, "unit", None)
    return f"{column.info.name} [{unit}]" if unit else str(column.info.name)
