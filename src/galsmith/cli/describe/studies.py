"""Descriptions of studies: of downstream tasks, and of denoising with its cells."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from galsmith.cli.describe.record import Description, provenance_rows
from galsmith.errors import InputError
from galsmith.files import read_json, sha256_of_file
from galsmith.provenance import Provenance

CARD_FILE, ANSWERS_FILE = "study.json", "answers.json"
OF_DENOISING = "galsmith denoising study"


def describe_study(path: Path) -> Description:
    """Describe a study: what each training set does to the task."""
    card = read_json(path / CARD_FILE)
    rows = [
        ("task", f"{card['title']}, {card['loss']} on {card['n_test']:,} images, {card['seeds']} seeds"),
        *((row["title"], _of_mix(row)) for row in card["rows"]),
        *provenance_rows(Provenance.from_dict(card["provenance"])),
    ]
    numbers = {row["mix"]: row["mean_loss"] for row in card["rows"]}
    return Description("study", rows, sha256_of_file(path / CARD_FILE), numbers)


def _of_mix(row: Mapping[str, Any]) -> str:
    """Say what one training set does."""
    if "verdict" not in row:
        return f"{row['mean_loss']:.4g}"
    low, high = row["interval"]
    return f"{row['mean_loss']:.4g}, {row['verdict']} ({row['difference']:+.2g}, interval {low:+.2g} to {high:+.2g})"


def is_study_of_denoising(path: Path) -> bool:
    """Whether a folder is a study of denoising, complete or not."""
    page = path / CARD_FILE
    if not page.is_file():
        return False
    try:
        said = read_json(page)
    except InputError:
        return False
    return isinstance(said, dict) and said.get("format") == OF_DENOISING


def describe_study_of_denoising(path: Path) -> Description:
    """Describe a study of denoising: which cells are done, failed or missing, and what those that are done say."""
    said = read_json(path / CARD_FILE)
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
        ("tested on", f"{factors['n_test']:,} galaxies"),
        *_group_rows(cells, answers),
        *((f"failed: {name}", reason) for name, reason in failed.items()),
        *(("answer", sentence) for sentence in answers.get("sentences", ())),
        *provenance_rows(Provenance.from_dict(said["provenance"])),
    ]
    numbers = {"n_cells": len(cells), "n_done": n_done, "failed": failed}
    return Description("study of denoising", rows, sha256_of_file(path / CARD_FILE), numbers)


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
        done = f"{states.count('')} of {len(states)} cells done"
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
