"""Measuring an image set: `measure` turns galaxies into a table of properties."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from astropy.table import QTable

from galsmith.data.store import open_store
from galsmith.errors import InputError, InterruptedRunError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress, map_tasks
from galsmith.files import refuse_existing
from galsmith.images import ImageSet
from galsmith.measure.chunks import PartialTable, chunk_size_for, chunk_tasks, measure_chunk
from galsmith.measure.compiled_engine import engine_versions, load_kernels
from galsmith.measure.galaxies import MORPHOLOGY_ENGINES
from galsmith.measure.measure_settings import MeasureSettings, chosen_sky, resolved_settings
from galsmith.measure.statmorph_engine import require_statmorph
from galsmith.measure.table import measurement_table, write_measurements
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
        The Parquet file to write; while it is made, finished chunks lie in ``<output>.partial``.
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
        ``split``, ``native_size_pix``, one column a property, ``flag`` (0 good, 1 suspect, 2 bad, 4 not measured),
        ``flag_sersic``, ``flags`` (their names) and ``message``. What could not be measured is NaN. Its ``meta``
        says what the columns mean and what made them.

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
    path = _checked_output(Path(output))
    chosen = MeasureSettings() if settings is None else settings
    versions = _engine_versions(engine, chosen)
    image_set = images if isinstance(images, ImageSet) else open_store(images)
    n_images = _checked_count(image_set, limit, workers)
    chosen = resolved_settings(chosen, bands=image_set.bands, flux_unit=image_set.flux_unit)
    provenance = Provenance(
        verb="measure",
        settings={
            **chosen.model_dump(mode="json"),
            "engine": engine,
            "engine_versions": versions,
            "limit": limit,
        },
        parents=(image_set.as_parent("measured images"),),
    )
    refuse_existing(path, overwrite=overwrite)
    partial = PartialTable(
        path,
        provenance.fingerprint(),
        n_images=n_images,
        chunk_size=chunk_size_for(image_set, chosen.quantities, engine=engine),
        overwrite=overwrite,
    )
    _measure_chunks(partial, image_set, chosen, engine=engine, workers=workers, progress=progress)
    table = measurement_table(partial.joined(), image_set, settings=chosen, provenance=provenance)
    write_measurements(path, table)
    partial.remove()
    return table


def _measure_chunks(
    partial: PartialTable,
    images: ImageSet,
    settings: MeasureSettings,
    *,
    engine: str,
    workers: int,
    progress: ProgressCallback,
) -> None:
    """Measure the chunks that are left."""
    tasks, n_done = chunk_tasks(partial, images, settings, engine=engine)
    compiled = engine == "galsmith" and "morphology" in settings.quantities
    if compiled and tasks:
        load_kernels(progress)
    progress(ProgressEvent("measuring", n_done, partial.n_images, "galaxies"))
    try:
        with _threads(workers if compiled else 1) as threads:
            for _, n_measured in map_tasks(measure_chunk, tasks, workers=workers, executor=threads):
                n_done += n_measured
                progress(ProgressEvent("measuring", n_done, partial.n_images, "galaxies"))
    except KeyboardInterrupt as error:
        raise InterruptedRunError(
            f"measuring stopped at {n_done} of {partial.n_images} galaxies; they are kept in {partial.folder}, "
            "and the same command goes on"
        ) from error


@contextlib.contextmanager
def _threads(workers: int) -> Iterator[Executor | None]:
    """Threads for kernels, which run without the interpreter's lock; what waits is dropped at an interruption."""
    if workers <= 1:
        yield None
        return
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _checked_output(path: Path) -> Path:
    """Refuse an output that is not named as a Parquet file."""
    if path.suffix != ".parquet":
        raise SettingsError(f"output {path}: wanted a name that ends in .parquet")
    return path


def _engine_versions(engine: str, settings: MeasureSettings) -> dict[str, str]:
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


def _checked_count(images: ImageSet, limit: int | None, workers: int) -> int:
    """Count the images to measure, before anything is written."""
    if workers < 1:
        raise SettingsError(f"workers is {workers}; wanted 1 or more")
    if limit is not None and limit < 1:
        raise SettingsError(f"limit is {limit}; wanted 1 or more, or none for all images")
    if len(images) == 0:
        raise InputError(f"{images.path or 'images'}: an empty set, there is nothing to measure")
    return len(images) if limit is None else min(limit, len(images))
