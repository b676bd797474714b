"""Measuring an image set: `measure` turns galaxies into a table of properties."""

from pathlib import Path

from astropy.table import QTable

from galsmith.data.store import open_store
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import check_output
from galsmith.images import ImageSet
from galsmith.measure.chunks import PartialTable, chunk_size_for, chunk_tasks, measure_chunk
from galsmith.measure.colors import settings_of_colors
from galsmith.measure.compiled_engine import engine_versions
from galsmith.measure.galaxies import MORPHOLOGY_ENGINES
from galsmith.measure.running import is_compiled, run_chunks
from galsmith.measure.settings import MeasureSettings, chosen_sky, resolved_settings
from galsmith.measure.statmorph.engine import require_statmorph
from galsmith.measure.table import measurement_table
from galsmith.measure.table_formats import checked_output, write_table
from galsmith.provenance import Provenance
from galsmith.settings import near_miss


def measure(
    images: ImageSet | str | Path,
    output: str | Path,
    *,
    engine: str = "galsmith",
    workers: int = 1,
    limit: int | None = None,
    settings: MeasureSettings | None = None,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> QTable:
    """Measure galaxies and write the table; an interrupted run goes on when it is called again.

    Parameters
    ----------
    images : ImageSet, str or Path
        What to measure, or the path of a store.
    output : str or Path
        The table to write, ``.parquet``, ``.ecsv``, ``.fits`` or ``.csv``; while it is made, finished chunks
        lie in ``<output>.partial``.
    engine : {"galsmith", "statmorph"}
        What measures morphology: the compiled engine, or statmorph itself, its slow oracle, which always fits
        in its own way and takes the sky from its box.
    workers : int
        Threads of the compiled engine, local processes otherwise.
    limit : int, optional
        Measure only the first `limit` images.
    settings : MeasureSettings, optional
        How to measure; the defaults where left out.
    overwrite : bool
        Replace what is at `output`.
    progress : callable
        Called with a `ProgressEvent` after each chunk.

    Returns
    -------
    QTable
        One row an image, or one an image and ``band`` where the setting `band` is ``"all"``: ``object_id``,
        ``split``, ``native_size_pix``, one column a property, the fluxes and colors of several bands, ``flag``
        (0 good, 1 suspect, 2 bad, 4 not measured), ``flag_sersic``, ``flags`` (their names) and ``message``.
        What could not be measured is NaN. Its ``meta`` says what the columns mean and what made them.

    Raises
    ------
    SettingsError
        If a setting or argument is out of range, or statmorph is not installed.
    OutputExistsError
        If the output is there, or an unfinished one of other images or settings.
    InputError
        If the images cannot be read.
    InterruptedRunError
        If the user stopped it; the same call goes on.
    """
    path = checked_output(Path(output))
    chosen = MeasureSettings() if settings is None else settings
    versions = engine_versions_of(engine, chosen)
    image_set = images if isinstance(images, ImageSet) else open_store(images)
    check_output(path, inputs=[image_set.path or None], overwrite=overwrite)
    n_images = checked_count(len(image_set), limit, workers, name=image_set.path or "images")
    chosen = resolved_settings(chosen, bands=image_set.header.bands, flux_unit=image_set.header.flux_unit)
    provenance = Provenance(
        verb="measure",
        settings={
            **chosen.model_dump(mode="json"),
            "engine": engine,
            "engine_versions": versions,
            "limit": limit,
            **settings_of_colors(chosen, image_set),
        },
        parents=(image_set.as_parent("measured images"),),
    )
    partial = PartialTable(
        path,
        provenance.fingerprint(),
        n_images=n_images,
        chunk_size=chunk_size_for(image_set, chosen.quantities, engine=engine),
        overwrite=overwrite,
    )
    tasks = chunk_tasks(partial, image_set, chosen, engine=engine)
    run_chunks(
        partial,
        measure_chunk,
        tasks,
        compiled=is_compiled(engine, chosen),
        workers=workers,
        progress=progress,
    )
    table = measurement_table(partial.joined(), image_set, settings=chosen, provenance=provenance)
    write_table(path, table)
    partial.remove()
    return table


def engine_versions_of(engine: str, settings: MeasureSettings) -> dict[str, str]:
    """Check the engine and name what decides its numbers."""
    if engine not in MORPHOLOGY_ENGINES:
        raise SettingsError(
            f"engine {engine!r}: unknown{near_miss(engine, list(MORPHOLOGY_ENGINES))}; "
            f"known: {', '.join(MORPHOLOGY_ENGINES)}"
        )
    if "morphology" not in settings.quantities:
        return {}
    if engine == "galsmith":
        return engine_versions()
    if chosen_sky(settings) != "box":
        raise SettingsError(
            "setting 'sky' is 'annulus' (as segmentation 'survey' has it): engine 'statmorph' knows 'box' only; "
            "set sky to 'box', or take engine 'galsmith'"
        )
    return require_statmorph()


def checked_count(n_images: int, limit: int | None, workers: int, *, name: str) -> int:
    """Count the images to measure, before anything is written."""
    if workers < 1:
        raise SettingsError(f"workers is {workers}; wanted 1 or more")
    if limit is not None and limit < 1:
        raise SettingsError(f"limit is {limit}; wanted 1 or more, or none for all images")
    if n_images == 0:
        raise InputError(f"{name}: an empty set, there is nothing to measure")
    return n_images if limit is None else min(limit, n_images)
