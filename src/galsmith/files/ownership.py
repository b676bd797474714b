"""What galsmith made, by its marks and formats: nothing else may be replaced, however it is asked for."""

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from galsmith.errors import OutputExistsError
from galsmith.files.atomic import TEMPORARY_SUFFIX


@dataclass(frozen=True)
class OwnFolder:
    """One kind of folder that galsmith makes.

    Attributes
    ----------
    mark : str
        The file that tells what the folder is.
    says : bytes
        What stands in that file and in nobody else's.
    holds : tuple of str
        Patterns of the paths of all files that belong to it, ``*`` also for several folders.
    """

    mark: str
    says: bytes
    holds: tuple[str, ...]


SNAPSHOT_FILES = ("snapshot.safetensors", "snapshot.json")
STORE_FILES = ("dataset.json", "catalog.parquet", "images/part-*.h5")
RUN_FILES = (
    "settings.toml",
    "log.jsonl",
    "checkpoint/checkpoint.pt",
    "averages/average-*.safetensors",
    "samples/grid-*.png",
    "tensorboard/events.*",
    *(f"snapshot/{name}" for name in SNAPSHOT_FILES),
)
REPORT_FILES = ("index.html", "figures/*", "tables/*")

FOLDERS = {
    "store": OwnFolder("dataset.json", b'"galsmith-store"', STORE_FILES),
    "folder of FITS cutouts": OwnFolder(
        "sampling.json", b'"galsmith cutouts"', ("sampling.json", "catalog.ecsv", "galaxy-*.fits")
    ),
    "run": OwnFolder("settings.toml", b"# Settings of one training run", RUN_FILES),
    "snapshot": OwnFolder("snapshot.json", b'"galsmith snapshot"', SNAPSHOT_FILES),
    "report": OwnFolder("index.html", b"<title>galsmith report", REPORT_FILES),
    "demo": OwnFolder(
        "plan.json",
        b'"n_training"',
        (
            "plan.json",
            *(f"{name}.parquet" for name in ("timing", "reference", "generated")),
            "comparison.json",
            "comparison.measurements/*",
            *(f"run/{name}" for name in RUN_FILES),
            *(f"report/{name}" for name in REPORT_FILES),
            *(f"{name}/{file}" for name in ("galaxies", "reference", "generated") for file in STORE_FILES),
            "*.partial/*",
        ),
    ),
}
# What stands in a file of that ending, besides its name, when galsmith made it.
FILES = {
    ".parquet": ("table", b"galsmith-measurements"),
    ".ecsv": ("table", b"galsmith-measurements"),
    ".fits": ("table", b"galsmith-measurements"),
    ".csv": ("table", b",flags,message"),
    ".h5": ("file of features", b"galsmith features"),
    ".hdf5": ("file of features", b"galsmith features"),
    ".json": ("comparison", b'"galsmith-comparison"'),
    ".png": ("figure", b"galsmith"),
    ".pdf": ("figure", b"galsmith"),
    ".svg": ("figure", b"galsmith"),
}


def kind_of(path: Path) -> str | None:
    """Name what galsmith made at a path, such as ``"store"``; None for anything else."""
    if path.is_dir():
        return next((name for name, kind in FOLDERS.items() if _says(path / kind.mark, kind.says)), None)
    suffix = path.suffix.lower()
    kinds = [FILES[suffix]] if suffix in FILES else [FILES[".h5"], FILES[".json"]]
    return next((name for name, says in kinds if _says(path, says)), None)


def is_empty_tree(path: Path) -> bool:
    """Whether a path is a folder in which no file lies, at any depth, but half-written ones: nothing is lost with it."""
    if path.is_symlink() or not path.is_dir():
        return False
    return all(_is_half_written(name) for name in _files_below(path))


def refuse_foreign(path: Path) -> None:
    """Raise unless all that is at a path was made by galsmith.

    Raises
    ------
    OutputExistsError
        It names what galsmith did not make.
    """
    kind = kind_of(path)
    if kind is None:
        if path.is_symlink() and not path.exists():
            return  # a link that leads nowhere
        raise OutputExistsError(
            f"{path}: was not made by galsmith, so `overwrite` leaves it; choose another `output`, or remove it yourself"
        )
    if kind in FOLDERS and not path.is_symlink():
        foreign = next((name for name in _files_below(path) if not _belongs(name, FOLDERS[kind])), None)
        if foreign is not None:
            raise OutputExistsError(
                f"{path}: a {kind}, in which {foreign} was not made with it, so `overwrite` leaves both; move that file "
                "elsewhere, or choose another `output`"
            )


def _belongs(name: str, kind: OwnFolder) -> bool:
    """Whether a file is part of a folder of some kind, or the half-written rest of one."""
    return _is_half_written(name) or any(fnmatchcase(name, pattern) for pattern in kind.holds)


def _is_half_written(name: str) -> bool:
    """Whether a file has the name that `written_atomically` gives while it writes."""
    last = name.rpartition("/")[2]
    return last.startswith(".") and last.endswith(TEMPORARY_SUFFIX)


def _files_below(folder: Path) -> Iterator[str]:
    """Paths of all that is no folder below one, relative to it; a link to a folder counts as a file."""
    for found, folders, files in os.walk(folder):
        links = [name for name in folders if Path(found, name).is_symlink()]
        for name in sorted((*files, *links)):
            yield Path(found, name).relative_to(folder).as_posix()


def _says(file: Path, wanted: bytes) -> bool:
    """Whether some bytes stand in a file."""
    try:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(wanted) >= 0
    except (OSError, ValueError):  # ValueError: an empty file cannot be mapped
        return False
