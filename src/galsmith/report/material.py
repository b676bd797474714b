"""What a report is made of: the comparison, and the tables and images that it names, as far as they are there."""

from dataclasses import dataclass
from pathlib import Path

from astropy.table import QTable

from galsmith.compare import Comparison, Side, read_comparison
from galsmith.data.store import is_store, open_store
from galsmith.errors import InputError
from galsmith.images import ImageSet
from galsmith.measure import read_measurements


@dataclass(frozen=True)
class SideMaterial:
    """One side of the comparison.

    Attributes
    ----------
    role : str
        ``"reference"`` or ``"generated"``.
    side : Side
        What the comparison says of it.
    table : QTable or None
        Its measurements.
    images : ImageSet or None
        Its galaxies.
    missing : tuple of str
        What could not be read and why, for the page to say.
    """

    role: str
    side: Side
    table: QTable | None
    images: ImageSet | None
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Material:
    """All that a report reads.

    Attributes
    ----------
    comparison : Comparison
        The distances.
    folder : Path
        Where the comparison lies; paths in it start here.
    reference, generated : SideMaterial
        The two sides.
    """

    comparison: Comparison
    folder: Path
    reference: SideMaterial
    generated: SideMaterial

    @property
    def sides(self) -> tuple[SideMaterial, SideMaterial]:
        """Reference first."""
        return self.reference, self.generated

    @property
    def missing(self) -> tuple[str, ...]:
        """What could not be read, on both sides."""
        return self.reference.missing + self.generated.missing


def gather(path: Path) -> Material:
    """Read a comparison and what it names; a table or store that is gone or altered is left out and named.

    Raises
    ------
    InputError
        If the comparison itself cannot be read.
    """
    comparison = read_comparison(path)
    folder = path.resolve().parent
    return Material(
        comparison,
        folder,
        _side("reference", comparison.reference, folder),
        _side("generated", comparison.generated, folder),
    )


def find(hint: str, folder: Path) -> Path | None:
    """Find what a path hint means: seen from `folder`, or from here; None where nothing is there."""
    if not hint:
        return None
    return next((place for place in (folder / hint, Path(hint)) if place.exists()), None)


def _side(role: str, side: Side, folder: Path) -> SideMaterial:
    """Read the table and open the store of one side."""
    missing: list[str] = []
    table: QTable | None = None
    images: ImageSet | None = None
    try:
        table = _table(role, side, folder)
    except InputError as error:
        missing.append(str(error))
    try:
        images = _images(role, side, folder)
    except InputError as error:
        missing.append(str(error))
    return SideMaterial(role, side, table, images, tuple(missing))


def _table(role: str, side: Side, folder: Path) -> QTable:
    """Read the very table that was compared."""
    path = find(side.path, folder)
    if path is None:
        raise InputError(f"The measurements of the {role} set ({_named(side.path)}) are not there any more.")
    table = read_measurements(path)
    if table.meta.get("content_hash") != side.content_hash:
        raise InputError(
            f"The measurements of the {role} set ({_named(side.path)}) have changed since they were compared."
        )
    return table


def _images(role: str, side: Side, folder: Path) -> ImageSet:
    """Open the very store that was measured."""
    path = find(side.images_path, folder)
    if path is None or not is_store(path):
        raise InputError(f"The images of the {role} set ({_named(side.images_path)}) are not there any more.")
    images = open_store(path)
    if images.content_hash != side.images_hash:
        raise InputError(
            f"The images of the {role} set ({_named(side.images_path)}) have changed since they were measured."
        )
    return images


def _named(hint: str) -> str:
    """Name a path hint."""
    return Path(hint).name if hint else "kept in memory only"
