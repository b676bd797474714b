"""Descriptions of recipes, training runs and snapshots."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from galsmith.cli.describe.record import Description, flat_settings, provenance_rows
from galsmith.data.transforms import PixelTransform, scalar_columns
from galsmith.errors import InputError
from galsmith.files import read_json
from galsmith.images import ImageHeader
from galsmith.models.families import model_settings, recipe_named
from galsmith.models.pretrained import pretrained_folder
from galsmith.models.snapshot_page import FORMAT_NAME, PAGE_FILE, check_snapshot_page
from galsmith.provenance import Provenance
from galsmith.settings import recipe_names

SHOWN_ELSEWHERE = ("provenance", "recipe")  # the provenance states the same settings


def describe_recipe(path: Path) -> Description:
    """Describe a recipe: its settings as they stand in the file, or those of the family that it names."""
    recipe = recipe_named(path)
    if recipe.get("model", {}).keys() == {"family"}:
        settings = model_settings(recipe["model"], source=f"recipe {path}")[1]
        recipe = {**recipe, "model": settings.model_dump(mode="json")}
    return Description("recipe", list(flat_settings(recipe)))


def describe_pretrained(path: Path) -> Description:
    """Describe a model that comes with the package, by its name: how to use it, and what its snapshot says."""
    name = str(path)
    folder = pretrained_folder(name)
    same_shape, *changed = _recipe_of_same_shape(read_json(folder / PAGE_FILE))
    sets = "".join(f" --set {setting}" for setting in changed)
    snapshot = describe_snapshot(folder)
    rows = [
        ("where", str(folder)),
        ("to draw", f"galsmith sample {name} -n 1000 -o generated"),
        ("to fine-tune", f"galsmith train {same_shape}{sets} --data galaxies -o run --init-from {name}"),
        ("what it is", f"{folder / 'README.md'}"),
        *snapshot.rows,
    ]
    if name in recipe_names():
        rows += [("recipe", "of the same name, which simulates:"), *describe_recipe(path).rows]
    return Description("model that comes with galsmith", rows, snapshot.content_hash, snapshot.numbers)


def _recipe_of_same_shape(page: Mapping[str, Any]) -> list[str]:
    """Name the recipe that trains a model of a snapshot's shape, and those of its settings that are other ones."""
    name = str(page["card"]["recipe"]["run"]["recipe"])
    usual = model_settings(recipe_named(name)["model"], source=f"recipe {name!r}")[1].model_dump(mode="json")
    return [
        name,
        *(f"model.{key}={value}" for key, value in page["model"].items() if usual.get(key) != value),
    ]


def describe_run(path: Path) -> Description:
    """Describe a training run: settings, how far it came, and its snapshot."""
    try:
        settings = tomllib.loads((path / "settings.toml").read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path / 'settings.toml'}: not valid TOML ({error}); train again") from error
    last = _last_log_line(path / "log.jsonl")
    log = ("last log line", ", ".join(f"{name} {_short(value)}" for name, value in last.items()))
    if not (path / "snapshot" / PAGE_FILE).is_file():
        return Description("run without a snapshot yet", [log, *flat_settings(settings)], numbers=last)
    snapshot = describe_snapshot(path / "snapshot")
    return Description("run", [log, *snapshot.rows], snapshot.content_hash, {**last, **snapshot.numbers})


def describe_snapshot(path: Path) -> Description:
    """Describe a snapshot by the page beside its weights."""
    page = read_json(path / PAGE_FILE)
    if page.get("format") != FORMAT_NAME:
        raise InputError(f"{path / PAGE_FILE}: not a galsmith snapshot; wanted one that galsmith train wrote")
    check_snapshot_page(page, path / PAGE_FILE)
    card, made_by = page["card"], page["card"].get("provenance")
    facts = {name: value for name, value in card.items() if name not in SHOWN_ELSEWHERE and value is not None}
    rows = [
        ("family", str(page["model"]["family"])),
        ("can be asked for", _askable(page)),
        *flat_settings(facts),
        *provenance_rows(Provenance.from_dict(made_by) if made_by else None),
    ]
    training = card.get("training", {})
    numbers = {name: training[name] for name in ("is_finished", "images_seen", "chosen") if name in training}
    return Description(
        "snapshot", rows, str(page["tensors_sha256"]), {**numbers, "family": page["model"]["family"]}
    )


def _askable(page: Mapping[str, Any]) -> str:
    """Columns that `galsmith sample --where` takes, with the range of each in the training set."""
    columns = scalar_columns(PixelTransform.from_dict(page["transform"]), ImageHeader.from_dict(page["card"]))
    described = []
    for name, column in sorted(columns.items()):
        if name == column.name:  # and not a short name for another
            trained, unit = column.trained, column.encoding.unit
            reach = (
                "" if trained is None else f" {trained.minimum:.4g} to {trained.maximum:.4g} {unit}".rstrip()
            )
            described.append(name + reach)
    return ", ".join(described) or "nothing"


def _last_log_line(path: Path) -> dict[str, Any]:
    """Last whole line of a run's log; a line that was being written when the run was killed is passed over."""
    if not path.is_file():
        return {}
    for line in reversed(path.read_text(encoding="utf-8").splitlines()):
        try:
            value = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(value, dict):
            return value
    return {}


def _short(value: Any) -> str:
    """Write a number with few digits, anything else as it is."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
