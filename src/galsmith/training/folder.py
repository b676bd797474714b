"""The run folder: where its files lie, what it was started with, and whether a command may go on in it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from galsmith.counts import counted
from galsmith.errors import InputError, OutputExistsError
from galsmith.files import Kind, is_empty_tree, refuse_existing, written_atomically
from galsmith.files.seal import BLANK, KEY, sealed
from galsmith.models.snapshot import SNAPSHOT
from galsmith.training.settings import differences, listed

SETTINGS_FILE = "settings.toml"
FIRST_LINE = "# Settings of one training run; also a recipe that starts the same run\n"


@dataclass(frozen=True)
class RunFolder:
    """Names of a run's files.

    Attributes
    ----------
    path : Path
        The folder.
    """

    path: Path

    @property
    def settings_file(self) -> Path:
        """All settings and the data's hash; also a recipe that starts the same run."""
        return self.path / SETTINGS_FILE

    @property
    def log_file(self) -> Path:
        """Losses and speed, one JSON object a line."""
        return self.path / "log.jsonl"

    @property
    def checkpoint_file(self) -> Path:
        """For whoever goes on."""
        return self.path / "checkpoint" / "checkpoint.pt"

    @property
    def snapshot_folder(self) -> Path:
        """For whoever samples."""
        return self.path / "snapshot"

    @property
    def tensorboard_folder(self) -> Path:
        """TensorBoard's files."""
        return self.path / "tensorboard"

    @property
    def averages_folder(self) -> Path:
        """Averages of two widths at some times, to make others from."""
        return self.path / "averages"

    def grid_file(self, images_seen: int) -> Path:
        """Picture of drawn galaxies."""
        return self.path / "samples" / f"grid-{images_seen:010d}.png"


def _made_from(page: Path) -> str | None:
    """Empty for the settings of a run: `goes_on` tells whether a command is its own."""
    text = page.read_text(encoding="utf-8")
    return "" if text.startswith(FIRST_LINE) and {"run", "data"} <= set(tomllib.loads(text)) else None


RUN = Kind(
    "run",
    _made_from,
    SETTINGS_FILE,
    (
        SETTINGS_FILE,
        "log.jsonl",
        "checkpoint/checkpoint.pt",
        "averages/average-*.safetensors",
        "samples/grid-*.png",
        "tensorboard/events.*",
    ),
    {"snapshot": SNAPSHOT},
)


def write_run_settings(folder: RunFolder, tables: dict[str, dict[str, Any]]) -> None:
    """Write ``settings.toml``, atomically."""
    with written_atomically(folder.settings_file) as temporary:
        temporary.write_bytes(sealed(f"{FIRST_LINE}{tomli_w.dumps(tables)}\n# {KEY}: {BLANK}\n".encode()))


def read_run_tables(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Read ``settings.toml``; `InputError` if it is damaged."""
    try:
        return tomllib.loads(folder.settings_file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{folder.settings_file}: cannot be read ({error}); start anew with `overwrite`"
        ) from error


def goes_on(folder: RunFolder, tables: dict[str, dict[str, Any]]) -> bool:
    """Decide whether a command starts a run, goes on with it, or may not touch it; writes nothing.

    Parameters
    ----------
    folder : RunFolder
        The output.
    tables : mapping of table to mapping
        What `write_run_settings` would write.

    Returns
    -------
    bool
        Whether there is a run to go on with.

    Raises
    ------
    OutputExistsError
        If something else is there, or a run of other settings or data; the message names what differs.
    """
    if not folder.path.exists() or is_empty_tree(folder.path):
        return False
    if not folder.settings_file.exists():
        refuse_existing(folder.path, RUN, overwrite=False)
    before = read_run_tables(folder)
    found = [*_data_differences(before, tables), *_start_differences(before, tables)]
    found += [*_model_differences(before, tables), *_budget_differences(before, tables)]
    if found:
        raise OutputExistsError(
            f"{folder.path}: holds a run of other settings: {listed(found)}; choose another `output`, or replace it with "
            "`overwrite`"
        )
    return folder.checkpoint_file.exists()


def _compared(tables: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Leave out what says where and with what a run was made, and keep what decides its numbers."""
    run = {key: value for key, value in tables.get("run", {}).items() if key == "precision"}
    return {**{name: tables.get(name, {}) for name in ("transform", "model", "training")}, "run": run}


def _data_differences(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    """Say that the data are others."""
    old, new = before.get("data", {}), now["data"]
    if old.get("content_hash") == new["content_hash"]:
        return []
    found = [f"the data were {_data_text(old)}, now {_data_text(new)}"]
    if "bands" in old and old["bands"] != new["bands"]:
        found.append(f"bands were {', '.join(old['bands'])}, now {', '.join(new['bands'])}")
    return found


def _data_text(data: dict[str, Any]) -> str:
    """Name a set by its path, number of images and hash."""
    count = f"{counted(data['n_images'], 'images')}, " if "n_images" in data else ""
    return f"{data.get('path') or 'in memory'} ({count}hash {str(data.get('content_hash'))[:12]})"


def _start_differences(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    """Say that the run started from another snapshot, or from none."""
    old, new = before.get("run", {}), now["run"]
    if old.get("init_from_sha256") == new.get("init_from_sha256"):
        return []
    was, asked = (
        f"the snapshot {run['init_from']} with hash {run['init_from_sha256'][:12]}"
        if "init_from_sha256" in run
        else "first weights"
        for run in (old, new)
    )
    return [f"it started from {was}, now `init_from` asks for {asked} (without `init_from` it goes on)"]


def _model_differences(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    """Say which settings differ; of another family nothing but its name is worth saying."""
    old, new = before.get("model", {}).get("family"), now["model"]["family"]
    if old != new:
        return [f"model.family was {old!r}, now {new!r}"]
    return differences(_compared(before), _compared(now))


def _budget_differences(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    """Say that the budget is of another kind or smaller; a larger one of the same kind extends the run."""
    old, new = before.get("training", {}), now["training"]
    for kind in ("minutes", "images"):
        if kind in old and kind in new:
            if new[kind] >= old[kind]:
                return []
            return [f"training.{kind} was {old[kind]}, now {new[kind]} (a budget can only be raised)"]
    return [
        "the budget was in " + ("minutes, now in images" if "minutes" in old else "images, now in minutes")
    ]
