"""What a generated set was trained on, by the chain of what made it; and which part of a reference nobody trained on."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import QTable

from galsmith.counts import counted
from galsmith.data.store import is_store, open_store
from galsmith.errors import InputError, SettingsError
from galsmith.files import is_remote, place_of, read_json
from galsmith.judging.image_stores import Place, Workplace, images_at, stored
from galsmith.provenance import Parent, Provenance, hash_json

logger = logging.getLogger("galsmith")

SNAPSHOT, TRAINING_SET, COPIED = "snapshot", "training set", "images"
SNAPSHOT_FILES = ("snapshot/snapshot.json", "snapshot.json")
# What decides the content of a snapshot, in the order in which its hash takes it.
DECISIVE = ("model", "description", "transform", "tensors_sha256")
DEEPEST = 8
TRAIN, ALL, HELD_OUT = "train", "all", "held out"
FEWEST = 10


def training_store(generated: Place) -> Path:
    """Find the store that a generated set's model was trained on: generated, snapshot, training set, each by its hash.

    Parameters
    ----------
    generated : path or QTable
        A store that `galsmith.sampling.sample` made, or a table of its images.

    Returns
    -------
    Path
        Of the store, the very one that was trained on.

    Raises
    ------
    InputError
        If the chain breaks, with the place where it does.
    """
    images = images_at(generated, None)
    near, made_by = place_of(images.path), images.provenance
    for _ in range(DEEPEST):
        parent = _parent(made_by, (SNAPSHOT, TRAINING_SET, COPIED))
        if parent is None:
            raise InputError("the training images are not known: no model is named in what made the set")
        near, made_by = _followed(parent, near)
        if parent.role == TRAINING_SET:
            return near
    raise InputError("the training images are not known: what made the set goes back too far")


@dataclass(frozen=True)
class Trainings:
    """What the generated sets were trained on.

    Attributes
    ----------
    places : mapping of name to path or QTable
        Of the sets of which it is known.
    unknown : mapping of name to str
        Of the others, why it is not.
    """

    places: Mapping[str, Place]
    unknown: Mapping[str, str]

    @classmethod
    def of(cls, generated: Mapping[str, Place], given: Place | None) -> "Trainings":
        """Take what was given for all sets, else look for it set by set."""
        if given is not None:
            return cls(dict.fromkeys(generated, given), {})
        places: dict[str, Place] = {}
        unknown: dict[str, str] = {}
        for name, place in generated.items():
            try:
                places[name] = training_store(place)
            except InputError as error:
                unknown[name] = str(error)
        return cls(places, unknown)

    @property
    def hashes(self) -> dict[str, str]:
        """Of the images, by the name of the set."""
        return {name: images_at(place, None).content_hash for name, place in self.places.items()}


def reference_part(
    reference: Place, trainings: Trainings, split: str | None, work: Workplace
) -> tuple[Place, str]:
    """Take the part of a reference that is compared with.

    Parameters
    ----------
    reference : path or QTable
        A store, or a table of the images of one.
    trainings : Trainings
        Of the sets that are judged.
    split : str, optional
        ``"all"``, or the name of a split. Left out, a store with other splits besides ``"train"`` is compared by these, but
        for sets that are known to have been trained on another one.
    work : Workplace
        Where a part is kept.

    Returns
    -------
    reference : path or QTable
        The part.
    said : str
        What it is, in words; empty for all of it where nothing else was to be chosen.

    Raises
    ------
    SettingsError
        If there is no such split, or the reference is a table.
    InputError
        If the part has fewer than 10 galaxies.
    """
    if isinstance(reference, QTable) or not is_store(reference):
        _refuse_split_of_table(reference, trainings, split)
        return reference, ""
    images = open_store(reference)
    names = list(images.n_by_split)
    if split not in (None, ALL) and split not in names:
        raise SettingsError(
            "the reference has no image in it",
            argument="split",
            came=split,
            wanted=f"one of {', '.join([*names, ALL])}",
        )
    if split == ALL or (split is None and (TRAIN not in names or len(names) == 1)):
        return reference, ""
    if split is None and not (trainings.unknown or images.content_hash in trainings.hashes.values()):
        return (
            reference,
            f"all {counted(len(images), images.header.images_name)}: the model is known to have been trained on others",
        )
    is_in = np.asarray(images.catalog["split"], dtype=str)
    part = images.select(is_in != TRAIN if split is None else is_in == split)
    chosen = (
        f"{HELD_OUT} ({', '.join(name for name in names if name != TRAIN)})"
        if split is None
        else f"in the split {split}"
    )
    said = f"the {len(part):,} of {counted(len(images), images.header.images_name)} that are {chosen}"
    if len(part) < FEWEST:
        raise InputError(
            f"is compared by {said}", argument="reference", wanted=f"{FEWEST} or more",
            way_out="hold out more, or compare with all of them by split=all",
        )  # fmt: skip
    return stored(part, "reference-part", work), said


def _refuse_split_of_table(reference: Place, trainings: Trainings, split: str | None) -> None:
    """Refuse to choose among the rows of a table; warn where it holds what was trained on."""
    if split not in (None, ALL):
        raise SettingsError(
            "the reference is a table, of which every row is compared",
            argument="split", came=split, way_out="give its store",
        )  # fmt: skip
    try:
        images = images_at(reference, None)
    except InputError:
        return
    trained = images.n_by_split.get(TRAIN, 0)
    if split is None and images.content_hash in trainings.hashes.values():
        logger.warning(
            "the reference is a table of images of which %d of %d were trained on; its store would be compared by the "
            "others alone",
            trained,
            len(images),
        )


def _parent(made_by: Provenance, roles: Sequence[str]) -> Parent | None:
    """Find the parent that leads to the training set."""
    return next((parent for role in roles for parent in made_by.parents if parent.role == role), None)


def _followed(parent: Parent, near: Path) -> tuple[Path, Provenance]:
    """Open what a parent names, if it is still what it was, and say what made it."""
    is_there = False
    for place in _places(parent.path, near):
        if parent.role == SNAPSHOT:
            page = next((place / name for name in SNAPSHOT_FILES if (place / name).is_file()), None)
            if page is None:
                continue
            is_there, value = True, read_json(page)
            if hash_json([value.get(key) for key in DECISIVE]) == parent.content_hash:
                return place, Provenance.from_dict(value["card"]["provenance"])
        elif is_store(place):
            is_there, images = True, open_store(place)
            # Some images of a store have another hash than it; what made them is the same.
            if parent.role == COPIED or images.content_hash == parent.content_hash:
                return place, images.provenance
    why = "has changed since" if is_there else "is not there any more"
    named = "/".join(Path(parent.path).parts[-2:]) or "nowhere"
    raise InputError(
        f"the training images are not known: the {parent.role} ({named}) {why}; give them as `training`"
    )


def _places(hint: str, near: Path) -> Iterator[Path]:
    """Places that a hint may mean: as it says, and beside what names it, where all were moved together."""
    if not hint:
        return
    if not is_remote(hint):  # an address that a file of others names is not asked for
        yield Path(hint)
    parts = Path(hint).parts
    for folder in (near, *near.parents[:4]):
        for kept in range(1, min(len(parts), 4) + 1):
            yield folder.joinpath(*parts[-kept:])
