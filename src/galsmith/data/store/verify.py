"""Checking a store's files against the checksums that it states."""

from collections.abc import Iterator
from pathlib import Path

from galsmith.data.store.layout import CATALOG_FILE
from galsmith.data.store.reader import read_description
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import sha256_of_file


def verify_store(path: str | Path, *, progress: ProgressCallback = ignore_progress) -> list[str]:
    """Compare every file of a store with its checksum.

    Returns
    -------
    list of str
        One line for each file that is missing or altered; empty when all is well.
    """
    folder = Path(path)
    description = read_description(folder)
    files = [(description["catalog"]["file"], description["catalog"]["sha256"])]
    files += [(part["file"], part["sha256"]) for part in description["parts"]]
    faults: list[str] = []
    for done, (name, wanted) in enumerate(files, start=1):
        faults.extend(_faults(folder / name, wanted))
        progress(ProgressEvent("verifying", done, len(files), "files"))
    return faults


def _faults(file: Path, wanted: str) -> Iterator[str]:
    """Say what is wrong with one file."""
    if not file.exists():
        yield f"{file}: is missing"
    elif sha256_of_file(file) != wanted:
        made_by = "galsmith" if file.name != CATALOG_FILE else "galsmith or a program that edited the catalog"
        yield f"{file}: its bytes differ from what {made_by} wrote; make the store again or restore the file"
