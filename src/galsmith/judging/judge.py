"""Judging generated galaxies against a reference set in one call, from images to the report card: `judge`."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from astropy.table import QTable

from galsmith.compare import Chance, ReportCard
from galsmith.compare.conditions import Condition, tell_conditions
from galsmith.compare.cuts import Cuts
from galsmith.compare.judge import LateExtras, NamedSet, card_of, check_card_output, named_sets, with_paths
from galsmith.compare.normalization import Normalization
from galsmith.compare.papers import Choices, choices_of
from galsmith.compare.tables import paths_of, ready_pairs, refuse_unlike_images, refuse_unmeasured
from galsmith.data.readers.listing import array_place
from galsmith.data.store import is_store
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import claimed_folder, refuse_harm, settle
from galsmith.images import ImageHeader, ImageSet
from galsmith.judging.conditions import LookedAt, refuse_fields, unlike_conditions
from galsmith.judging.extras import asked_extras, gather_extras, refuse_unusable_training
from galsmith.judging.faulty_images import FaultyImages
from galsmith.judging.generator import Generator, drawn_images
from galsmith.judging.image_stores import (
    Images,
    Place,
    Workplace,
    header_of,
    images_at,
    known_of_images,
    measured_alike,
    measured_table,
    noted_refusal,
    stored,
)
from galsmith.judging.lineage import Trainings, reference_part
from galsmith.judging.observed_sets import observed_places
from galsmith.judging.requests import (
    is_measured_here,
    refuse_idle_requests,
    refuse_tables_without_images,
    refuse_unusable_networks,
)
from galsmith.measure import MeasureSettings
from galsmith.observe import Observation
from galsmith.observe.presets import stated_observation
from galsmith.settings import typed_settings

logger = logging.getLogger("galsmith")
DRAWN, TRAINING = "generated", "training-images"
KNOWN = (str, Path, QTable, ImageSet)


def judge(
    reference: Images,
    generated: Images | Sequence[Images] | Mapping[str, Images] | None = None,
    output: str | Path | None = None,
    *,
    generator: Generator | None = None,
    n: int | None = None,
    training: Images | None = None,
    split: str | None = None,
    features: Sequence[str] = (),
    paper: str | None = None,
    observe: str | Path | Observation | None = None,
    beyond: bool = True,
    power: bool = False,
    normalization: Normalization | None = None,
    cuts: Cuts | str | None = None,
    seed: int = 0,
    replicates: int = 1000,
    splits: int = 200,
    permutations: int = 1000,
    confidence: float = 0.95,
    workers: int = 1,
    limit: int | None = None,
    bands: Sequence[str] | None = None,
    measure_settings: MeasureSettings | None = None,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> ReportCard:
    """Judge one or several generated sets against a reference: all that ``galsmith compare`` does.

    What can be known beforehand is checked first, so that nothing long is done in vain. What is not measured is measured
    then. Stores, tables and features that are made on the way lie in ``<output stem>.measurements/`` beside the output,
    and an interrupted call goes on from them.

    Parameters
    ----------
    reference : path, QTable, ImageSet or array
        A table of `galsmith.measure.measure` or its file; a store; a folder of pictures or FITS cutouts; an array in a
        file, ``"set.h5:/images"``; or images in memory, [galaxy, y, x] or [galaxy, band, y, x].
    generated : the same, or several of these, optional
        By name in a mapping, else named after their files. Arrays in memory are in the bands, unit and scale of the
        reference.
    output : path, optional
        The card, as JSON. Without one, all is done in a temporary folder and nothing of it is kept.
    generator : callable, optional
        In place of `generated`: given seeds, int64 [galaxy], it draws images, [galaxy, band, y, x], a list of
        [band, y, x], or an `ImageSet`.
    n : int, optional
        How many galaxies the generator draws.
    training : as `reference`, optional
        Images that the generator was trained on: copies of them are looked for. Left out, they are found by what made
        the generated set, if its model and their store are still there. The yardstick is what the set has in other
        splits, else the reference.
    split : str, optional
        Of a reference that is a store: its split that is compared with, or ``"all"``. Left out, a store with other splits
        besides ``"train"`` is compared by these, but for sets that are known to have been trained on another one.
    features : sequence of str
        Also compare features of these networks, such as ``"efficientnet-lite0"`` (needs torch).
    paper : str, optional
        Follow a paper's choices and print its numbers beside; a name of `galsmith.compare.PAPERS`.
    observe : str, Path or Observation, optional
        Bring all sets under one point spread function, size of a pixel and depth before they are measured: a name of
        `galsmith.observe.PRESETS`, a TOML file with a table ``[observation]``, or the observation itself. Each set gets as
        much less as it has already, and noise of its own; what was done is told, and stands in the card's settings. The
        paper's, where it has one, when left out.
    beyond : bool
        Also judge what all properties together tell: sliced distances, correlations, classifiers.
    power : bool
        Also put known faults (blur, noise, shifts, lost kinds, ...) into the reference, to find the smallest that nine of
        ten cards of these sizes would have seen.
    normalization, cuts, replicates, splits, permutations, confidence
        As `galsmith.compare.judge_tables` takes them.
    seed : int
        Fixes all chance, also the seeds that a generator is given.
    bands : sequence of str, optional
        Names of the bands of images in files and arrays that do not say them, such as NPY and NPZ; stores and tables have
        their own.
    workers, limit, measure_settings
        As `galsmith.measure.measure` takes them; the paper's settings where not given, or where `measure_settings` leaves
        one out.
    overwrite : bool
        Replace the output, and what lies beside it, if they are there.
    progress : callable
        Told of each step.

    Returns
    -------
    ReportCard

    Raises
    ------
    SettingsError
        If an argument is out of range, the output exists, two generated sets have one name, or `power` is asked for of
        fields.
    InputError
        If a set cannot be read or measured, has fewer than 10 galaxies, or is not like the reference in bands,
        scale, unit or settings of the measurement.
    """
    chance = Chance(seed, replicates, splits, confidence, permutations)
    choices = choices_of(paper, chance, beyond=beyond, power=power, normalization=normalization, cuts=cuts)
    refuse_unusable_networks(features)
    place = None if output is None else Path(output)
    named = named_sets(_given(generated, generator, n), name_of=name_of)
    _refuse_names_of_files(named)
    refuse_idle_requests(
        (reference, *named.values()), bands=bands, limit=limit, measure_settings=measure_settings
    )
    if place is not None:
        _refuse_output(place, (reference, training, *named.values()), overwrite=overwrite)
    settings = _measured_as(choices.paper.measure, measure_settings)
    with (
        _folder_beside(place) as folder,
        noted_refusal(folder, (reference, training, *named.values())) as left,
    ):
        band_names = None if bands is None else tuple(bands)
        work = Workplace(folder, settings, seed, workers, limit, overwrite, progress, band_names, left)
        against = stored(reference, "reference", work)
        _refuse_faults_of_galaxies(header_of(against), power=power)
        places = {name: _stored_like(given, name, against, work) for name, given in named.items()}
        trained = None if training is None else _stored_like(training, TRAINING, against, work)
        sides = _Sides(against, places, trained, Trainings.of(places, trained), choices)
        (against, places, trained, trainings, choices), work = _compared(sides, split, observe, work)
        refuse_tables_without_images((against, *places.values()), features)
        conditions = _unlike_conditions(against, places, trained, work)
        reference_table = measured_table(against, "reference", work)
        tables = {name: measured_table(item, name, work) for name, item in places.items()}
        pairs = ready_pairs(reference_table, tables, choices, conditions)
        for name, pair in pairs.items():
            if tables[name] is not places[name]:  # measured here
                refuse_unmeasured(pair.sides[1], pair.columns)
        extras = LateExtras(
            asked_extras(features, trainings, limit),
            lambda: gather_extras(against, places, work, features=features, trainings=trainings),
            FaultyImages(against, reference_table, work) if power else None,
        )
        card = card_of(
            pairs,
            choices,
            extras,
            place,
            inputs=paths_of(reference_table, *tables.values()),
            workers=workers,
            overwrite=overwrite,
            progress=progress,
        )
    if place is not None:
        return card
    return with_paths(card, lambda path: "" if Path(path).is_relative_to(folder) else path)


class _Sides(NamedTuple):
    """All sets of a comparison, and how they are compared."""

    reference: Place
    generated: dict[str, Place]
    trained: Place | None
    trainings: Trainings
    choices: Choices


@dataclass(frozen=True)
class _Drawing:
    """A set that is yet to be drawn."""

    generator: Generator
    n: int


def _refuse_faults_of_galaxies(header: ImageHeader, *, power: bool) -> None:
    """Refuse to put faults of galaxies into fields."""
    if power and header.shows_fields:
        raise SettingsError(
            "the faults that it puts into the reference are those of galaxies, and the images show fields",
            argument="power",
            came=power,
            way_out="leave it out",
        )


def _compared_part(
    reference: Place, trainings: Trainings, split: str | None, choices: Choices, work: Workplace
) -> tuple[Place, Choices]:
    """Take the part of the reference that is compared with, and note which it is."""
    part, said = reference_part(reference, trainings, split, work)
    return part, replace(choices, reference_part=said)


def _observation_of(
    asked: str | Path | Observation | None, of_paper: Mapping[str, Any], places: Mapping[str, Place]
) -> Observation | None:
    """Give the observation that was asked for, or the paper's where all sets are images."""
    if isinstance(asked, Observation):
        return asked
    if asked is not None:
        is_name = isinstance(asked, str) and not Path(asked).exists() and not asked.endswith(".toml")
        try:
            return (
                stated_observation(preset=str(asked)) if is_name else stated_observation(recipe=Path(asked))
            )
        except SettingsError as error:
            raise SettingsError(f"{error}", argument="observe", came=asked) from error
    tables = [name for name, place in places.items() if isinstance(place, QTable) or not is_store(place)]
    if of_paper and tables:
        logger.warning(
            "the paper observed its images before it measured them; %s came as a table, so nothing is observed here",
            tables[0],
        )
    return typed_settings(Observation, dict(of_paper), source="`paper`") if of_paper and not tables else None


def _compared(
    sides: _Sides, split: str | None, observe: str | Path | Observation | None, work: Workplace
) -> tuple[_Sides, Workplace]:
    """Give what is compared, and how it is measured: all with what lies beside the images of all."""
    seen = _observed(sides, split, observe, work)
    places = {"reference": seen.reference, **seen.generated}
    return seen, measured_alike(places, work, faults=seen.choices.power)


def _observed(
    sides: _Sides, split: str | None, observe: str | Path | Observation | None, work: Workplace
) -> _Sides:
    """Take the part of the reference that is compared with, and bring all sets under an observation where there is one."""
    reference, choices = _compared_part(sides.reference, sides.trainings, split, sides.choices, work)
    places = {"reference": reference, **sides.generated}
    observation = _observation_of(observe, choices.paper.observe, places)
    if observation is None:
        return sides._replace(reference=reference, choices=choices)
    seen, said = observed_places(places, observation, work)
    # among the training images copies are looked for, so these have to look the same
    trained = dict.fromkeys(place for place in sides.trainings.places.values() if isinstance(place, Path))
    names = {
        place: TRAINING if number == 0 else f"{TRAINING}-{number}" for number, place in enumerate(trained)
    }
    copied, _ = observed_places({name: place for place, name in names.items()}, observation, work)
    of_set = {
        name: copied[names[place]] if isinstance(place, Path) else place
        for name, place in sides.trainings.places.items()
    }
    return _Sides(
        seen.pop("reference"),
        dict(seen),
        copied.get(TRAINING) if isinstance(sides.trained, Path) else sides.trained,
        replace(sides.trainings, places=of_set),
        replace(choices, observed=said),
    )


def _measured_as(paper: Mapping[str, Any], chosen: MeasureSettings | None) -> MeasureSettings:
    """Measure as the paper did, but for what was chosen otherwise."""
    asked = {} if chosen is None else chosen.model_dump(include=chosen.model_fields_set)
    if "morphology" not in asked.get("quantities", ("morphology",)):
        paper = {}  # which says how morphology is measured
    return typed_settings(MeasureSettings, {**paper, **asked}, source="`measure_settings`")


def _given(generated: Any, generator: Generator | None, n: int | None) -> Any:
    """Take the sets or the generator, whichever was given."""
    if (generated is None) == (generator is None):
        which = "neither `generated` nor" if generator is None else "both `generated` and"
        raise SettingsError(
            f"{which} `generator` were given",
            wanted="one of them: sets to judge, or a function that draws `n` galaxies",
        )
    if callable(generated):
        raise SettingsError(
            "is a function; give it as `generator`, with how many it shall draw as `n`", argument="generated"
        )
    if generator is not None:
        if n is None or n < 1:
            raise SettingsError(
                argument="n", came=n, wanted="how many galaxies the generator shall draw, such as n=2000"
            )
        return {DRAWN: _Drawing(generator, n)}
    several = isinstance(generated, list | tuple) and not any(
        isinstance(item, (*KNOWN, NamedSet)) for item in generated
    )
    return {DRAWN: generated} if several and len(generated) else generated


def name_of(images: Images, number: int = 1) -> str:
    """Name a set after its file, also where an array of it is meant, as in ``set.h5:/images``."""
    if isinstance(images, str | Path):
        array = array_place(images)
        return Path(images).stem if array is None else array.path.stem
    return f"{DRAWN}-{number}"


def _refuse_names_of_files(named: Mapping[str, Any]) -> None:
    """Refuse a set whose tables, stores or features would lie elsewhere, or be those of another set."""
    for name in named:
        if name in ("", ".", "..", TRAINING) or Path(name).name != name:
            raise SettingsError(
                "files beside the card are named after the sets",
                argument="generated",
                came=name,
                wanted=f"names that are file names, and neither reference nor {TRAINING}",
            )


def _unlike_conditions(
    reference: Place, generated: Mapping[str, Place], training: Place | None, work: Workplace
) -> dict[str, tuple[Condition, ...]]:
    """Refuse images of other kinds, and training images of no use; say where sets were not taken alike, as some tell."""
    if training is not None:
        refuse_unusable_training(training, reference, generated, work)
    ours = known_of_images(reference, work)
    stated = {
        name: refuse_unlike_images(ours, known_of_images(item, work)) for name, item in generated.items()
    }
    against = _looked_at(reference, work)
    if against is not None and is_measured_here(reference):
        refuse_fields(against)
    found = {}
    for name, item in generated.items():
        side = None if against is None else _looked_at(item, work)
        seen = () if against is None or side is None else unlike_conditions(against, side)
        found[name] = (*seen, *stated[name])
        tell_conditions(name, found[name])
    return found


def _looked_at(place: Place, work: Workplace) -> LookedAt | None:
    """Look at the images of a set, where they are."""
    try:
        return LookedAt.at(images_at(place, work.limit))
    except InputError:
        return None


def _stored_like(images: Images | _Drawing, name: str, reference: Place, work: Workplace) -> Place:
    """Give a place of images; those in memory are in the reference's bands, unit and scale, files show what it shows."""
    if isinstance(images, _Drawing):
        images = drawn_images(images.generator, n=images.n, seed=work.seed, progress=work.progress)
    says_nothing = isinstance(images, str | Path) or not isinstance(images, KNOWN)
    return stored(images, name, work, header=header_of(reference) if says_nothing else None)


def _refuse_output(output: Path, sets: Sequence[Any], *, overwrite: bool) -> None:
    """Refuse a card that may not be made; to replace what lies beside it, also where a set itself lies there."""
    given = [item for item in sets if isinstance(item, str | Path)]
    settle(_beside(output))
    check_card_output(output, inputs=given, overwrite=overwrite)
    if overwrite:
        refuse_harm(_beside(output), given)


def _beside(output: Path) -> Path:
    """Name the folder of what is measured on the way to a card."""
    return output.with_name(f"{output.stem}.measurements")


@contextmanager
def _folder_beside(output: Path | None) -> Iterator[Path]:
    """Claim the folder beside the card before anything long starts, or make one that does not stay."""
    if output is not None:
        beside = _beside(output)
        with claimed_folder(beside):
            yield beside
        return
    with TemporaryDirectory(prefix="galsmith-") as folder:
        yield Path(folder)
