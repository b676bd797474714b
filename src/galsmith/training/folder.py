"""The run folder: where its files lie, what it was started with, and whether a command may go on in it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from galsmith.errors import InputError, OutputExistsError, SettingsError
from galsmith.files import refuse_existing, written_atomically
from galsmith.training.settings import differences

SHOWN_DIFFERENCES = 4


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
        return self.path / "settings.toml"

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

    def grid_file(self, images_seen: int) -> Path:
        """Picture of drawn galaxies."""
        return self.path / "samples" / f"grid-{images_seen:010d}.png"


def write_run_settings(folder: RunFolder, tables: dict[str, dict[str, Any]]) -> None:
    """Write ``settings.toml``, atomically."""
    text = "# Settings of one training run; also a recipe: galsmith train settings.toml --data STORE -o RUN\n"
    with written_atomically(folder.settings_file) as temporary:
        temporary.write_text(text + tomli_w.dumps(tables), encoding="utf-8")


def read_run_tables(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Read ``settings.toml``; `InputError` if it is damaged."""
    try:
        return tomllib.loads(folder.settings_file.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{folder.settings_file}: cannot be read ({error}); start anew with --overwrite"
        ) from error


def claim_run(folder: RunFolder, tables: dict[str, dict[str, Any]], *, overwrite: bool) -> bool:
    """Decide whether a command starts a run, goes on with it, or may not touch it; writes nothing.

    Parameters
    ----------
    folder : RunFolder
        The output.
    tables : mapping of table to mapping
        What `write_run_settings` would write.
    overwrite : bool
        Remove what is there, once it is clear that the command can start.

    Returns
    -------
    bool
        Whether there is a run to go on with.

    Raises
    ------
    OutputExistsError
        If something else is there, or a run of other settings or data; the message names what differs.
    """
    if not folder.path.exists() or (folder.path.is_dir() and not any(folder.path.iterdir())):
        return False
    if overwrite:
        return False
    if not folder.settings_file.exists():
        refuse_existing(folder.path, overwrite=False)
    before = read_run_tables(folder)
    found = [*_data_differences(before, tables), *differences(_compared(before), _compared(tables))]
    found += _budget_differences(before, tables)
    if found:
        shown = "; ".join(found[:SHOWN_DIFFERENCES])
        more = f" (and {len(found) - SHOWN_DIFFERENCES} more)" if len(found) > SHOWN_DIFFERENCES else ""
        raise OutputExistsError(
            f"{folder.path}: holds a run of other settings: {shown}{more}; choose another -o, or replace it with "
            "--overwrite"
        )
    return folder.checkpoint_file.exists()


def refuse_data_as_output(folder: RunFolder, data: str) -> None:
    """Raise if a run would take the place of its own training set."""
    if data and Path(data).resolve() == folder.path.resolve():
        raise SettingsError(f"{folder.path}: is the training set itself; choose another -o for the run")


def _compared(tables: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Leave out what says where and with what a run was made, and keep what decides its numbers."""
    run = {key: value for key, value in tables.get("run", {}).items() if key == "precision"}
    return {**{name: tables.get(name, {}) for name in ("transform", "model", "training")}, "run": run}


def _data_differences(before: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    """Say that the data are others."""
    old, new = before.get("data", {}), now["data"]
    if old.get("content_hash") == new["content_hash"]:
        return []
    return [
        f"the data were {old.get('path') or 'in memory'} with hash {str(old.get('content_hash'))[:12]}, "
        f"now {new['path'] or 'in memory'} with hash {new['content_hash'][:12]}"
    ]


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
