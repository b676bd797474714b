"""What ``galsmith compare`` gathers from images besides tables: learned features, and closeness to the training images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from galsmith.errors import GalsmithError, InputError

if TYPE_CHECKING:
    from galsmith.compare import Extras
    from galsmith.compare.records import FeatureComparison, Memorization
    from galsmith.execution import ProgressCallback
    from galsmith.features import FeatureSet
    from galsmith.images import ImageSet
    from galsmith.provenance import Parent


@dataclass
class Wanted:
    """What is to be gathered.

    Attributes
    ----------
    extractors : sequence of str
        Names of feature extractors.
    training : Path or None
        The store that the generator was trained on.
    folder : Path
        Where features are kept.
    limit : int or None
        Take only the first images of each set.
    seed : int
        Fixes chance.
    progress : callable
        Told of each step.
    """

    extractors: Sequence[str]
    training: Path | None
    folder: Path
    limit: int | None
    seed: int
    progress: "ProgressCallback"


@dataclass
class Found:
    """What one generated set gave."""

    features: "list[FeatureComparison]" = field(default_factory=list)
    memorization: "list[Memorization]" = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    parents: "list[Parent]" = field(default_factory=list)

    def as_extras(self) -> "Extras":
        """Return the library's record of the same."""
        from galsmith.compare import Extras

        return Extras(tuple(self.features), tuple(self.memorization), dict(self.missing), tuple(self.parents))


def gather_extras(reference: Path, generated: Mapping[str, Path], wanted: Wanted) -> "dict[str, Extras]":
    """Gather features and memorization of every generated set; what cannot be had is named with its reason."""
    found = {name: Found() for name in generated}
    for extractor in wanted.extractors:
        _gather_features(extractor, reference, generated, wanted, found)
    for name, path in generated.items():
        _gather_memorization(path, reference, wanted, found[name])
    return {name: item.as_extras() for name, item in found.items()}


def images_of(path: Path, limit: int | None) -> "ImageSet":
    """Open the images of a store, or those that a table was measured on.

    Raises
    ------
    InputError
        If there are none.
    """
    from galsmith.data.store import is_store, open_store
    from galsmith.measure import read_measurements

    place = path
    if not is_store(path):
        source = str(read_measurements(path).meta.get("source", {}).get("path", ""))
        place = next((item for item in (Path(source), path.parent / source) if is_store(item)), Path(source))
        if not source or not is_store(place):
            raise InputError(
                f"{path}: its images are in no store that is there; compare the images themselves, not their table"
            )
    images = open_store(place)
    return images if limit is None else images.select(np.arange(min(limit, len(images))))


def _gather_features(
    extractor: str, reference: Path, generated: Mapping[str, Path], wanted: Wanted, found: dict[str, Found]
) -> None:
    """Compare all sets in the features of one network."""
    from galsmith.compare import Chance, compare_features

    try:
        of_reference = _features(extractor, "reference", reference, wanted)
        for name, path in generated.items():
            of_generated = _features(extractor, name, path, wanted)
            found[name].features.append(
                compare_features(
                    of_reference, of_generated, chance=Chance(seed=wanted.seed), progress=wanted.progress
                )
            )
    except (GalsmithError, ImportError) as error:
        for item in found.values():
            item.missing[f"features of {extractor}"] = str(error)


def _features(extractor: str, name: str, path: Path, wanted: Wanted) -> "FeatureSet":
    """Extract features, or read those of an earlier run."""
    from galsmith.features import extract

    return extract(
        images_of(path, wanted.limit),
        wanted.folder / f"{name}.{extractor}.h5",
        extractor=extractor,
        progress=wanted.progress,
    )


def _gather_memorization(generated: Path, reference: Path, wanted: Wanted, found: Found) -> None:
    """Compare the distances to the training images, in pixels."""
    if wanted.training is None:
        found.missing["memorization"] = "the training images are not known; name their store with --training"
        return
    from galsmith.compare import memorization, pixels_of, stretch_of

    try:
        training = images_of(wanted.training, None)
        held_out = _held_out(training, reference, wanted.limit)
        in_training = training.in_split("train")
        stretch = stretch_of(in_training)
        pictures = [
            pixels_of(images, stretch=stretch)
            for images in (images_of(generated, wanted.limit), in_training, held_out)
        ]
        found.memorization.append(memorization(*pictures, seed=wanted.seed, progress=wanted.progress))
        found.parents.append(in_training.as_parent("training images"))
    except GalsmithError as error:
        found.missing["memorization"] = str(error)


def _held_out(training: "ImageSet", reference: Path, limit: int | None) -> "ImageSet":
    """Take what was kept from training: the store's other splits, else the reference set."""
    others = np.flatnonzero(np.asarray(training.catalog["split"]) != "train")
    if len(others):
        return training.select(others if limit is None else others[:limit])
    return images_of(reference, limit)
