"""Tables of stores that are judged: measured beside the card, or found there from an earlier run."""

from pathlib import Path

from astropy.table import QTable

from galsmith.data.store import is_store, open_store
from galsmith.images import ImageSet
from galsmith.judging.image_stores import Place
from galsmith.judging.workplace import Workplace
from galsmith.measure import measure, read_measurements
from galsmith.measure.settings import resolved_settings
from galsmith.provenance import Provenance


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
    images = open_store(place)
    if work.overwrite or not _is_measured(output, images, work):
        measure(
            images,
            output,
            workers=work.workers,
            limit=work.limit,
            settings=work.settings,
            overwrite=work.overwrite,
            progress=work.progress,
        )
    return output


def _is_measured(output: Path, images: ImageSet, work: Workplace) -> bool:
    """Whether an interrupted judgment left a finished table of these images, settings and limit."""
    if not output.exists():
        return False
    made = Provenance.from_dict(read_measurements(output).meta["provenance"])
    wanted = resolved_settings(work.settings, images.header)
    settings = {**wanted.model_dump(mode="json"), "limit": work.limit}
    made_from = [parent.content_hash for parent in made.parents]
    return made_from == [images.content_hash] and settings.items() <= dict(made.settings).items()
