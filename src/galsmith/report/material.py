"""What a report is made of: the report card, and the tables and images that it names, as far as they are there."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from astropy.table import QTable

from galsmith.compare import (
    Comparison,
    CutCount,
    Evidence,
    Judgment,
    ReportCard,
    Side,
    evidence_of,
    read_card,
)
from galsmith.compare.cuts import Cut, outside
from galsmith.data.store import is_store, open_store
from galsmith.errors import InputError
from galsmith.images import ImageSet
from galsmith.measure import read_measurements
from galsmith.provenance import Parent

TRAINING_ROLE, TRAINING_SPLIT = "training images", "train"


@dataclass(frozen=True)
class SideMaterial:
    """One side of a comparison.

    Attributes
    ----------
    role : str
        ``"reference"`` or ``"generated"``.
    side : Side
        What the comparison says of it.
    table : QTable or None
        The rows that were compared: those that the cuts left.
    images : ImageSet or None
        Its galaxies.
    missing : tuple of str
        What could not be read and why, for the page to say.
    name : str
        Of the generated set, where there are several; else empty.
    """

    role: str
    side: Side
    table: QTable | None
    images: ImageSet | None
    missing: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True)
class Material:
    """All that a report reads of one generated set and its reference.

    Attributes
    ----------
    judgment : Judgment
        What was found out.
    folder : Path
        Where the card lies; paths in it start here.
    reference, generated : SideMaterial
        The two sides.
    training : ImageSet or None
        The images that memorization was looked for in.
    """

    judgment: Judgment
    folder: Path
    reference: SideMaterial
    generated: SideMaterial
    training: ImageSet | None

    @property
    def name(self) -> str:
        """Name of the generated set."""
        return self.judgment.name

    @property
    def comparison(self) -> Comparison:
        """The distances, property by property."""
        return self.judgment.comparison

    @cached_property
    def evidence(self) -> Mapping[str, Evidence]:
        """All tests of the card, by name."""
        return {item.name: item for item in evidence_of(self.judgment)}

    @property
    def sides(self) -> tuple[SideMaterial, SideMaterial]:
        """Reference first."""
        return self.reference, self.generated


@dataclass(frozen=True)
class CardMaterial:
    """All that a report reads.

    Attributes
    ----------
    card : ReportCard
        What was found out.
    sets : tuple of Material
        One a generated set; they share the reference.
    """

    card: ReportCard
    sets: tuple[Material, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """What could not be read, each said once."""
        said = [text for item in self.sets for text in item.reference.missing + item.generated.missing]
        return tuple(dict.fromkeys(said))


def gather(path: Path) -> CardMaterial:
    """Read a card and what it names; a table or store that is gone or altered is left out and named.

    Raises
    ------
    InputError
        If the card itself cannot be read.
    """
    card = read_card(path)
    folder = path.resolve().parent
    read: dict[tuple[str, str], SideMaterial] = {}

    def side_of(role: str, name: str, comparison: Comparison) -> SideMaterial:
        side = comparison.reference if role == "reference" else comparison.generated
        key = role, f"{side.path} {side.content_hash} {side.images_path} {side.n_compared}"
        if key not in read:
            read[key] = _side(role, name, side, comparison.cuts, folder)
        return read[key]

    training = _training(card.provenance.parents, folder)
    several = len(card.judgments) > 1
    sets = tuple(
        Material(
            judgment,
            folder,
            side_of("reference", "", judgment.comparison),
            side_of("generated", judgment.name if several else "", judgment.comparison),
            training,
        )
        for judgment in card.judgments
    )
    return CardMaterial(card, sets)


def find(hint: str, folder: Path) -> Path | None:
    """Find what a path hint means: seen from `folder`, or from here; None where nothing is there."""
    if not hint:
        return None
    return next((place for place in (folder / hint, Path(hint)) if place.exists()), None)


def _side(role: str, name: str, side: Side, cuts: tuple[CutCount, ...], folder: Path) -> SideMaterial:
    """Read the table and open the store of one side."""
    missing: list[str] = []
    table: QTable | None = None
    images: ImageSet | None = None
    called = f"{role} set {name}".strip()
    try:
        table = _without_cut_rows(_table(called, side, folder), cuts)
    except InputError as error:
        missing.append(str(error))
    try:
        images = _images(called, side, folder)
    except InputError as error:
        missing.append(str(error))
    return SideMaterial(role, side, table, images, tuple(missing), name)


def _table(called: str, side: Side, folder: Path) -> QTable:
    """Read the very table that was compared."""
    path = find(side.path, folder)
    if path is None:
        raise InputError(f"The measurements of the {called} ({_named(side.path)}) are not there any more.")
    table = read_measurements(path)
    if table.meta.get("content_hash") != side.content_hash:
        raise InputError(
            f"The measurements of the {called} ({_named(side.path)}) have changed since they were compared."
        )
    return table


def _without_cut_rows(table: QTable, cuts: tuple[CutCount, ...]) -> QTable:
    """Keep the rows that were compared, so that rows count as in the card."""
    if not cuts:
        return table
    beyond = [outside(table, Cut(cut.column, cut.low, cut.high)) for cut in cuts]
    return table[~np.any(beyond, axis=0)]


def _images(called: str, side: Side, folder: Path) -> ImageSet:
    """Open the very store that was measured."""
    path = find(side.images_path, folder)
    if path is None or not is_store(path):
        raise InputError(f"The images of the {called} ({_named(side.images_path)}) are not there any more.")
    images = open_store(path)
    if images.content_hash != side.images_hash:
        raise InputError(
            f"The images of the {called} ({_named(side.images_path)}) have changed since they were measured."
        )
    return images


def _training(parents: tuple[Parent, ...], folder: Path) -> ImageSet | None:
    """Open the store that memorization was looked for in, if the card names one that is still the same."""
    for parent in parents:
        path = find(parent.path, folder)
        if parent.role != TRAINING_ROLE or path is None or not is_store(path):
            continue
        whole = open_store(path)
        for images in (whole, whole.in_split(TRAINING_SPLIT)):
            if images.content_hash == parent.content_hash:
                return images
    return None


def _named(hint: str) -> str:
    """Name a path hint."""
    return Path(hint).name if hint else "kept in memory only"
