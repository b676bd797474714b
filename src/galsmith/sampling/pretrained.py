"""Snapshots that come with the package, by name; each folder has weights, their page and a model card."""

from pathlib import Path

from galsmith.errors import SettingsError
from galsmith.models.snapshot import WEIGHTS_FILE
from galsmith.settings import near_miss

PRETRAINED_FOLDER = Path(__file__).parents[1] / "pretrained"


def pretrained_names() -> list[str]:
    """Names of the snapshots that come with the package."""
    return sorted(file.parent.name for file in PRETRAINED_FOLDER.glob(f"*/{WEIGHTS_FILE}"))


def pretrained_folder(name: str) -> Path:
    """Folder of a snapshot that comes with the package, to give to `sample` as a run.

    Raises
    ------
    SettingsError
        If there is none of that name; the near miss is named.
    """
    names = pretrained_names()
    if name not in names:
        raise SettingsError(
            f"not found{near_miss(name, names)}",
            argument="pretrained",
            came=name,
            wanted=f"one that comes with galsmith: {', '.join(names)}",
            way_out="train others with galsmith train",
        )
    return PRETRAINED_FOLDER / name
