"""Comparing every file of an artifact with its checksum, for ``galsmith info --verify``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from galsmith.data.store import is_store, verify_store
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback
from galsmith.files.seal import unsealed

WITHOUT_CHECKSUMS = ("partial store", "report", "recipe", "submission")
SEALED_SUFFIXES = (".json", ".safetensors", ".pt", ".toml")
NAMES_SHOWN = 3


@dataclass(frozen=True)
class Verification:
    """What was found out about the files of an artifact.

    Attributes
    ----------
    faults : list of str
        A line for each file that is missing, altered or cannot be told.
    unchecked : list of str
        Names of files that have no checksum by their nature, such as logs and pictures.
    """

    faults: list[str]
    unchecked: list[str]

    @property
    def words(self) -> str:
        """What holds where there are no faults."""
        if not self.unchecked:
            return "all files are as they were written"
        more = f" and {len(self.unchecked) - NAMES_SHOWN} more" if len(self.unchecked) > NAMES_SHOWN else ""
        named = ", ".join(self.unchecked[:NAMES_SHOWN])
        return f"all files that have one are as they were written; without: {named}{more}"


def verified(path: Path, kind: str, *, progress: ProgressCallback) -> Verification:
    """Verify an artifact.

    Parameters
    ----------
    path : Path
        Where it is.
    kind : str
        As `galsmith.cli.describe.describe` names it.
    progress : callable
        Told how far it is with the files of a store.

    Raises
    ------
    SettingsError
        If things of this kind have no checksums.
    """
    if kind in WITHOUT_CHECKSUMS:
        raise SettingsError(
            f"--verify {path}: a {kind} has no checksums; give what is read by other commands"
        )
    if kind == "store":
        return Verification(verify_store(path, progress=progress), [])
    if path.is_file():
        return Verification([*unsealed([path]), *(_of_table(path) if kind == "measurements" else ())], [])
    stores = [page.parent for page in path.rglob("dataset.json") if is_store(page.parent)]
    others = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file() and not any(file.is_relative_to(store) for store in stores)
    ]
    sealed = [file for file in others if file.suffix in SEALED_SUFFIXES]
    unchecked = [str(file.relative_to(path)) for file in others if file.suffix not in SEALED_SUFFIXES]
    faults = [fault for store in stores for fault in verify_store(store, progress=progress)]
    return Verification([*unsealed(sealed), *faults], unchecked)


def _of_table(path: Path) -> Iterator[str]:
    """Compare the content hash that a table states with its content."""
    from galsmith.measure import read_measurements
    from galsmith.measure.table import content_hash

    try:
        table = read_measurements(path)
    except InputError:
        return  # said already
    if content_hash(table) != table.meta["content_hash"]:
        yield f"{path}: states a content hash that is not that of its content"
