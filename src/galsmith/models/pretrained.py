"""Snapshots that come with the package, by name; each folder has weights, their page and a model card."""

from pathlib import Path

from galsmith.errors import SettingsError
from galsmith.settings import near_miss

PRETRAINED_FOLDER = Path(__file__).parents[1] / "pretrained"


def pretrained_names() -> list[str]:
    """Names of the snapshots that come with the package."""
    # as `galsmith.models.snapshot_page.PAGE_FILE`, which loads what reads transforms
    return sorted(file.parent.name for file in PRETRAINED_FOLDER.glob("*/snapshot.json"))


def pretrained_folder(name: str) -> Path:
    """Folder of a snapshot that comes with the package, to give to `galsmith.sampling.sample` as a run.

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


def is_pretrained(place: str | Path) -> bool:
    """Whether a place is the name of a snapshot that comes with the package, and nothing else lies there."""
    return str(place) in pretrained_names() and not Path(place).exists()


def models_text(place: str | Path) -> str:
    """Name the models that come with the package, after an error of a run that is not there."""
    names = pretrained_names()
    return (
        f"or the name of a model that comes with galsmith: {', '.join(names)}{near_miss(str(place), names)}"
    )
