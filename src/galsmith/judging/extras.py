"""What is gathered from images besides tables: learned features, copies, twins and repeats."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from galsmith.compare import (
    Chance,
    Extras,
    compare_features,
    find_copies,
    memorization,
    pixels_of,
    stretch_of,
)
from galsmith.compare.correction import deals_of
from galsmith.compare.memory.copies import MINIMUM_IMAGES, TRAINING, Copies, groups_of, is_too_much
from galsmith.compare.memory.repeats import identity_labels
from galsmith.compare.records import Memorization
from galsmith.compare.resampling import GalaxyGroups
from galsmith.counts import counted
from galsmith.errors import GalsmithError, InputError
from galsmith.execution import one_thread
from galsmith.images import ImageSet
from galsmith.judging.image_stores import Place, Workplace, images_at
from galsmith.judging.lineage import Trainings
from galsmith.provenance import Parent

if TYPE_CHECKING:
    from galsmith.features import FeatureSet

Missing = dict[str, str]
"""What could not be had, and why."""


def asked_extras(features: Sequence[str], trainings: Trainings, limit: int | None) -> list[Any]:
    """Say what decides extras, besides the sets that are judged, as plain JSON values."""
    return [list(features), trainings.hashes, limit]


def training_images(training: Place) -> ImageSet:
    """Open the images that were trained on; `InputError` if there are none."""
    images = images_at(training, None).in_split("train")
    if not len(images):
        raise InputError(
            "no image of it is in the split 'train'",
            argument="training",
            came=training,
            wanted="the store that the generator was trained on",
        )
    return images


def refuse_unusable_training(
    training: Place, reference: Place, generated: Mapping[str, Place], work: Workplace
) -> None:
    """Refuse training images that copies cannot be looked for in, before anything is measured.

    Raises
    ------
    InputError
        If there are none, they or what they are compared by are too few, have other bands, or were all trained on.
    """
    trained = training_images(training)
    held_out = _held_out(images_at(training, None), reference, work.limit)
    sets = {"training": trained, "held_out": held_out}
    sets |= {name: images_at(place, work.limit) for name, place in generated.items()}
    for name, images in sets.items():
        if len(images) < MINIMUM_IMAGES:
            raise InputError(
                f"copies of {training} cannot be looked for: {name} has {counted(len(images), 'images')}",
                argument="training",
                wanted=f"{MINIMUM_IMAGES} or more of each set",
                way_out="give more images, or leave `training` out",
            )
        if len(images.header.bands) != len(trained.header.bands):
            raise InputError(
                f"copies of {training} cannot be looked for: it has {trained.bands_text}, {name} {images.bands_text}",
                argument="training",
                wanted="images of the same bands",
            )
    known, others = identity_labels(trained, held_out)
    overlap = int(np.isin(others, known).sum())
    if is_too_much(overlap, len(held_out)):
        raise InputError(
            f"copies of {training} cannot be looked for: {overlap} of {len(held_out)} images that these would be compared "
            "by were trained on",
            argument="training",
            wanted="a store with held-out splits, or a reference that was not trained on",
        )


def gather_extras(
    reference: Place,
    generated: Mapping[str, Place],
    work: Workplace,
    *,
    features: Sequence[str] = (),
    trainings: Trainings,
) -> dict[str, Extras]:
    """Gather features and memorization of every generated set; what cannot be had is named with its reason.

    Parameters
    ----------
    reference : path or QTable
        A store, or a table of the images of one.
    generated : mapping of name to path or QTable
        The same of each generated set.
    work : Workplace
        Where features are kept.
    features : sequence of str
        Names of feature extractors.
    trainings : Trainings
        What the sets were trained on.
    """
    return {
        name: _extras(name, place, reference, work, features=features, trainings=trainings)
        for name, place in generated.items()
    }


def _extras(
    name: str,
    place: Place,
    reference: Place,
    work: Workplace,
    *,
    features: Sequence[str],
    trainings: Trainings,
) -> Extras:
    """Gather all of one generated set."""
    missing: Missing = {}
    training = trainings.places.get(name)
    if training is None:
        missing["memorization"] = trainings.unknown[name]
    # Copies first: what repeats within a set is seen once by everything else.
    copies = _copies(place, reference, training, work, missing)
    groups = None if copies is None else _groups(copies, reference, place, work)
    compared = []
    # Blocks of one family: the kernel distance and the support of each network and rendering.
    renderings = _renderings(reference, work) if features else ()
    deals = deals_of(2 * len(features) * len(renderings))
    for extractor, rendering in itertools.product(features, renderings):
        try:
            of_reference = _features(extractor, rendering, "reference", reference, work)
            of_generated = _features(extractor, rendering, name, place, work)
            compared.append(
                compare_features(
                    of_reference,
                    of_generated,
                    groups,
                    chance=Chance(seed=work.seed, permutations=deals),
                    workers=work.workers,
                    progress=work.progress,
                )
            )
        except (GalsmithError, ImportError) as error:
            missing[f"features of {extractor}"] = str(error)
    galaxies = None if groups is None else groups.generated
    found, parents = _memorization(place, reference, training, work, missing, galaxies=galaxies)
    if copies is not None and not found:
        # What the one search could not use, the other cannot either; the reference and repeats are always looked at.
        copies = copies.without(TRAINING)
    return Extras(tuple(compared), found, copies, missing, parents)


def _renderings(reference: Place, work: Workplace) -> tuple[str, ...]:
    """Name the ways in which networks see the images: in color where they have three bands, and in gray."""
    from galsmith.features.rendering import usual_renderings

    return usual_renderings(images_at(reference, work.limit).header)


def _features(extractor: str, rendering: str, name: str, place: Place, work: Workplace) -> "FeatureSet":
    """Extract features, or read those of an earlier run."""
    from galsmith.features import extract

    output = work.folder / f"{name}.{extractor}.{rendering}.h5"

    def extract_again(overwrite: bool) -> "FeatureSet":  # noqa: FBT001
        return extract(
            images_at(place, work.limit),
            output,
            extractor=extractor,
            rendering=rendering,
            overwrite=overwrite,
            progress=work.progress,
        )

    return work.made(output, extract_again)


@one_thread()
def _memorization(
    generated: Place,
    reference: Place,
    training: Place | None,
    work: Workplace,
    missing: Missing,
    *,
    galaxies: NDArray[np.int64] | None,
) -> tuple[tuple[Memorization, ...], tuple[Parent, ...]]:
    """Compare the distances to the training images, in pixels."""
    if training is None:
        return (), ()
    try:
        trained = training_images(training)
        held_out = _held_out(images_at(training, None), reference, work.limit)
        stretch = stretch_of(trained)
        pictures = [
            pixels_of(images, stretch=stretch)
            for images in (images_at(generated, work.limit), trained, held_out)
        ]
        found = memorization(*pictures, galaxies=galaxies, seed=work.seed, progress=work.progress)
        return (found,), (trained.as_parent("training images"),)
    except GalsmithError as error:
        missing["memorization"] = str(error)
        return (), ()


@one_thread()
def _copies(
    generated: Place, reference: Place, training: Place | None, work: Workplace, missing: Missing
) -> Copies | None:
    """Look for altered copies, twins and repeats; None, with the reason, where there are no images."""
    try:
        ours, theirs = (images_at(place, work.limit) for place in (generated, reference))
        trained = held_out = None
        if training is not None:
            trained = training_images(training)
            held_out = _held_out(images_at(training, None), reference, work.limit)
        return find_copies(
            ours,
            theirs,
            training=trained,
            held_out=held_out,
            seed=work.seed,
            workers=work.workers,
            progress=work.progress,
        )
    except GalsmithError as error:
        if training is None:
            missing["copies"] = str(error)
            return None
    # Why the training images cannot be used the search pixel by pixel says.
    return _copies(generated, reference, None, work, missing)


def _groups(copies: Copies, reference: Place, generated: Place, work: Workplace) -> GalaxyGroups:
    """Find which images of either set are of one galaxy."""
    theirs, ours = (images_at(place, work.limit).catalog for place in (reference, generated))
    return groups_of(copies, (theirs, ours))


def _held_out(training: ImageSet, reference: Place, limit: int | None) -> ImageSet:
    """Take what was kept from training: the store's other splits, else the reference set."""
    others = np.flatnonzero(np.asarray(training.catalog["split"]) != "train")
    if len(others):
        return training.select(others if limit is None else others[:limit])
    return images_at(reference, limit)
