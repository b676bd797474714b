"""The snapshot that a run starts from (fine-tuning): which one it is, whether it fits, and what the run takes from it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from galsmith.data.transforms import TransformSettings
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageSet
from galsmith.models.snapshot import Snapshot, find_snapshot, load_snapshot, read_snapshot_page
from galsmith.settings import Settings, typed_settings
from galsmith.training.checkpoint import load_checkpoint
from galsmith.training.folder import RunFolder, read_run_tables
from galsmith.training.settings import RunSettings, differences, listed

logger = logging.getLogger("galsmith")

PATH_KEY, HASH_KEY = "init_from", "init_from_sha256"


@dataclass(frozen=True)
class StartingPoint:
    """Which snapshot a run starts from.

    Attributes
    ----------
    path : str
        Its folder, absolute.
    sha256 : str
        Hash of its weights.
    transform : mapping
        The table ``[transform]`` that its own run was started with.
    """

    path: str
    sha256: str
    transform: Mapping[str, Any]

    def to_table(self) -> dict[str, str]:
        """Return what the table ``[run]`` of ``settings.toml`` says of it."""
        return {PATH_KEY: self.path, HASH_KEY: self.sha256}


@dataclass(frozen=True)
class Beginning:
    """What a run starts from, read.

    Attributes
    ----------
    snapshot : Snapshot
        Its generator and transform.
    beside : mapping of str to mapping
        States of the networks that its run trained beside the generator, by name; empty where the snapshot does not lie in
        its run any more.
    """

    snapshot: Snapshot
    beside: Mapping[str, Any]


def find_parent(init_from: str | Path | None, folder: RunFolder) -> StartingPoint | None:
    """Find out which snapshot a run starts from, or was started from.

    Parameters
    ----------
    init_from : str, Path or None
        A run or a snapshot's folder; None takes what an existing run says of itself.
    folder : RunFolder
        The run.

    Raises
    ------
    InputError
        If there is no such snapshot, or it is damaged.
    """
    recorded = _recorded(folder) if folder.settings_file.exists() else None
    if init_from is None or (recorded is not None and _is_place_of(recorded, init_from)):
        return recorded  # which also holds where the snapshot changed or went away since
    place = find_snapshot(init_from)
    page = read_snapshot_page(place)
    return StartingPoint(str(place.resolve()), page["tensors_sha256"], _transform_settings(page))


def with_transform_of(parent: StartingPoint | None, settings: RunSettings) -> RunSettings:
    """Take the pixel transform's settings from the snapshot, whose weights know no other.

    The fitted transform itself is the snapshot's too.
    """
    if parent is None:
        return settings
    transform = typed_settings(
        TransformSettings, parent.transform, source=f"{parent.path}, the snapshot's transform"
    )
    return replace(settings, transform=transform)


def load_parent(
    parent: StartingPoint, settings: RunSettings, images: ImageSet, *, asked: TransformSettings
) -> Beginning:
    """Read the snapshot's weights, and the networks beside them, once it is clear that the run can start from them.

    Parameters
    ----------
    parent : StartingPoint
        Which one.
    settings : RunSettings
        Of the new run.
    images : ImageSet
        The training split.
    asked : TransformSettings
        What the recipe says, to tell where it is not used.

    Raises
    ------
    InputError
        If it is of another family, bands, unit or size, or changed since the run was planned.
    SettingsError
        If its family cannot start from a snapshot.
    """
    snapshot = load_snapshot(Path(parent.path))
    if read_snapshot_page(Path(parent.path))["tensors_sha256"] != parent.sha256:
        raise InputError(
            f"{parent.path}: is not the snapshot that this run was to start from; give `overwrite` to start anew"
        )
    _refuse_family(parent, snapshot, settings)
    _refuse_data(parent, snapshot, images)
    beginning = Beginning(snapshot, _networks_beside(parent, settings))
    _say_what_is_taken(parent, beginning, settings, asked=asked, images=images)
    return beginning


def starting_state(new: Mapping[str, Any], beginning: Beginning) -> dict[str, Any]:
    """Put a snapshot's generator, and networks beside it, in the place of a new trainer's; no optimizer has stepped.

    The laws of the scalars stay those of the new training set: flux and size are drawn right from the start,
    and networks see their normal numbers, of the same law in both sets. What only training needs may be new, or
    fall away: a model of a large set that was not augmented can be fine-tuned on a small one that is.

    Parameters
    ----------
    new : mapping
        What ``state_dict`` of a trainer built on the new set gave.
    beginning : Beginning
        What to start from.
    """
    snapshot, family = beginning.snapshot, beginning.snapshot.family
    fresh, known = new["generator"], snapshot.generator.state_dict()
    fitted = _parts_of(fresh, family.fitted_to_set)
    added = _parts_of(fresh, (*family.only_in_training, *family.new_in_start))
    dropped = {*_parts_of(known, family.only_in_training)} - {*fresh}
    kept = {name: value for name, value in known.items() if name not in dropped}
    taught_by = {name: _inner(known, part) for name, part in family.teachers.items() if name in new}
    return {**new, **beginning.beside, **taught_by, "generator": {**added, **kept, **fitted}}


def _networks_beside(parent: StartingPoint, settings: RunSettings) -> dict[str, Any]:
    """Read from the checkpoint of a snapshot's own run what the run trained beside the generator."""
    place = Path(parent.path)
    run = RunFolder(place.parent)
    names = settings.family.beside_generator
    if not names or run.snapshot_folder != place or not run.checkpoint_file.is_file():
        return {}
    trained = load_checkpoint(run.checkpoint_file).trainer
    return {name: trained[name] for name in names}


def _parts_of(state: Mapping[str, Any], parts: Sequence[str]) -> dict[str, Any]:
    """Give the tensors of some parts of a network, by the names along their path."""
    return {name: value for name, value in state.items() if not {*parts}.isdisjoint(name.split("."))}


def _inner(state: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Give the state of a part of a network by itself."""
    return {
        name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(f"{part}.")
    }


def explained_misfit(snapshot: Snapshot, settings: RunSettings) -> SettingsError:
    """Say which settings of the model keep a snapshot's weights from fitting."""
    found = _differences("model", snapshot.config, settings.model)
    return SettingsError(
        f"the weights of `init_from` do not fit the model of the recipe: {found or 'their shapes differ'}; "
        "take the settings.toml of the snapshot's own run as the recipe, or change these by `overrides`"
    )


def _recorded(folder: RunFolder) -> StartingPoint | None:
    """Read which snapshot an existing run was started from."""
    tables = read_run_tables(folder)
    run = tables.get("run", {})
    if HASH_KEY not in run:
        return None
    return StartingPoint(run[PATH_KEY], run[HASH_KEY], tables.get("transform", {}))


def _is_place_of(parent: StartingPoint, init_from: str | Path) -> bool:
    """Whether a path is that of a run or snapshot folder known before."""
    path = Path(init_from).resolve()
    return str(path) == parent.path or str(path / "snapshot") == parent.path


def _transform_settings(page: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings of a snapshot's transform: its run's where the card says them, else what the transform is."""
    told = page["card"].get("recipe", {}).get("transform")
    if told is not None:
        return dict(told)
    return {name: page["transform"][name] for name in ("kind", "factor_flux", "size_pix")}


def _refuse_family(parent: StartingPoint, snapshot: Snapshot, settings: RunSettings) -> None:
    """Refuse a snapshot of another family, or of one that needs more than its generator."""
    family, name = settings.family, snapshot.family.name
    if name != family.name:
        raise InputError(
            f"{parent.path}: is a snapshot of the family {name!r}, and the recipe trains {family.name!r}; give a recipe of "
            f"{name!r}, or leave `init_from` out"
        )
    family.check_start(settings.model, snapshot.config)
    if family.why_not_from_snapshot:
        raise SettingsError(
            f"{parent.path}: a run of the family {family.name!r} cannot start from a snapshot, which does not hold its "
            f"{' and '.join(family.beside_generator)} ({family.why_not_from_snapshot}); leave `init_from` out, or take "
            "another family"
        )


def _refuse_data(parent: StartingPoint, snapshot: Snapshot, images: ImageSet) -> None:
    """Refuse images that the snapshot's networks and transform cannot take."""
    if images.header.bands != snapshot.description.bands:
        raise InputError(
            f"{parent.path}: was trained on the bands {', '.join(snapshot.description.bands)}, and the training set has "
            f"{', '.join(images.header.bands)}; ingest the same bands in the same order, or leave `init_from` out"
        )
    unit = snapshot.card.get("flux_unit", images.header.flux_unit)
    if unit != images.header.flux_unit:
        raise InputError(
            f"{parent.path}: was trained on images in {unit}, and the training set is in "
            f"{images.header.flux_unit}; ingest it in {unit}, or leave `init_from` out"
        )
    size = snapshot.transform.size_pix
    others = sorted({int(side) for side in images.shapes.ravel()} - {size})
    if others and snapshot.transform.native_size is None:
        raise InputError(
            f"{parent.path}: draws images of {size} px and knows no other size, and the training set has images of "
            f"{others[0]} px; ingest with `resize_pix={size}` or `crop_pix={size}`, or leave `init_from` out"
        )


def _say_what_is_taken(
    parent: StartingPoint,
    beginning: Beginning,
    settings: RunSettings,
    *,
    asked: TransformSettings,
    images: ImageSet,
) -> None:
    """Tell where the new run differs from the snapshot's own, and what starts from nothing."""
    snapshot = beginning.snapshot
    new = [name for name in settings.family.beside_generator if name not in beginning.beside]
    if new:
        logger.warning(
            "%s: holds the generator only, and does not lie in its run: the %s of %s is new, and until it has learned "
            "something the generator may forget some of what it knows; look at the first pictures in samples/",
            parent.path,
            " and ".join(new),
            settings.family.name,
        )
    found = _differences("model", snapshot.config, settings.model)
    if found:
        logger.warning("%s: its own run had other settings: %s", parent.path, found)
    found = _differences("transform", settings.transform, asked)
    if found:
        logger.warning(
            "%s: the pixel transform is the snapshot's, the recipe's is not used: %s", parent.path, found
        )
    scale = snapshot.card.get("pixel_scale_arcsec")
    if scale != images.header.pixel_scale_arcsec:
        logger.warning(
            "%s: was trained at %s arcsec a pixel, and the training set has %s",
            parent.path,
            scale,
            images.header.pixel_scale_arcsec,
        )


def _differences(table: str, before: Settings, now: Settings) -> str:
    """Name the settings of a table that differ."""
    return listed(differences(*({table: record.model_dump(mode="json")} for record in (before, now))))
