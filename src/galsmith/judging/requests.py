"""Refusing what was asked of a judgment and cannot be done, before anything long is done."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from astropy.table import QTable

from galsmith.data.readers.registry import is_image_place
from galsmith.data.store import is_store
from galsmith.errors import InputError, SettingsError, argument_text
from galsmith.files import place_of
from galsmith.judging.image_stores import Place, images_at, takes_bands
from galsmith.measure import MeasureSettings, read_measurements


def refuse_unusable_networks(features: Sequence[str]) -> None:
    """Refuse networks that are not there, or whose weights are not, as `galsmith.features.extractors` knows them."""
    if not features:
        return
    from galsmith.features.extractors import require_extractor

    for name in features:
        require_extractor(name)


def refuse_idle_requests(
    sets: Sequence[Any],
    *,
    bands: Sequence[str] | None,
    limit: int | None,
    measure_settings: MeasureSettings | None,
) -> None:
    """Refuse what has no effect on the sets that were given.

    Parameters
    ----------
    sets : sequence
        All that are judged, and the reference, as `galsmith.judging.judge` takes them.
    bands, limit, measure_settings
        As `galsmith.judging.judge` takes them.

    Raises
    ------
    SettingsError
        With the way out.
    """
    if bands is not None and not any(map(takes_bands, sets)):
        raise SettingsError(
            "no set is of files or arrays whose bands can be named; stores and tables have their own",
            argument="bands",
            came=list(bands),
            way_out="leave it out",
        )
    if any(map(is_measured_here, sets)):
        return
    if limit is not None:
        raise SettingsError(
            "all sets are tables, of which every row is compared",
            argument="limit",
            came=limit,
            way_out="leave it out, or give the images",
        )
    if measure_settings is not None:
        _refuse_other_method(sets, measure_settings)


def _refuse_other_method(tables: Sequence[Any], wanted: MeasureSettings) -> None:
    """Refuse settings with which tables were not measured."""
    asked = wanted.model_dump(mode="json", include=wanted.model_fields_set)
    for table in tables:
        meta = (table if isinstance(table, QTable) else read_measurements(table)).meta
        settings = meta.get("provenance", {}).get("settings", {})
        for name, value in asked.items():
            if name in settings and settings[name] != value:
                raise SettingsError(
                    f"{argument_text(name, value)}: all sets are tables, measured before with {name} = {settings[name]}; "
                    "give the images, or leave it out"
                )


def refuse_tables_without_images(places: Sequence[Place], features: Sequence[str]) -> None:
    """Refuse tables whose images are not there where features of these are wanted.

    Raises
    ------
    InputError
        With the table.
    """
    for place in places if features else ():
        try:
            images_at(place, None)
        except InputError as error:
            raise InputError(
                f"features are of images, and these are not there: {error}",
                argument="features",
                came=features,
            ) from error


def is_measured_here(images: Any) -> bool:
    """Whether a set comes as images; what is not there is refused later, by its name."""
    if isinstance(images, str | Path):
        return is_store(images) or is_image_place(images) or not place_of(images).exists()
    return not isinstance(images, QTable)
