"""Tables of stores that are judged: measured beside the card, or found there from an earlier run."""

from collections.abc import Mapping
from typing import Any

from astropy.table import QTable

from galsmith.data.store import is_store, open_store
from galsmith.judging.image_stores import Place
from galsmith.judging.workplace import Workplace
from galsmith.measure import measure, read_measurements
from galsmith.measure.settings import resolved_settings


def measured_table(place: Place, name: str, work: Workplace) -> Place:
    """Give a table as it is; measure a store, or find it measured already by the same settings.

    Raises
    ------
    InputError
        If the store cannot be read or measured.
    OutputExistsError
        If a table of other images or settings is there, and may not be replaced.
    """
    if isinstance(place, QTable) or not is_store(place):
        return place
    output = work.folder / f"{name}.parquet"
    measure(
        open_store(place),
        output,
        workers=work.workers,
        limit=work.limit,
        settings=work.settings,
        overwrite=work.overwrite,
        progress=work.progress,
    )
    return output


def known_of_images(place: Place, work: Workplace) -> Mapping[str, Any]:
    """Say what a table says of its images, or would say if a store were measured."""
    if isinstance(place, QTable) or not is_store(place):
        return (place if isinstance(place, QTable) else read_measurements(place)).meta
    header = open_store(place).header
    return {**header.to_dict(), "band": resolved_settings(work.settings, header).band}
