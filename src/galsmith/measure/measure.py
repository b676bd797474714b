"""Measuring galaxies, of a store, of files or in memory: into a table on disk, chunk by chunk, or in memory at once."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from astropy.table import QTable

from galsmith.counts import counted
from galsmith.data.galaxies import FileRequest, Galaxies, StoreGalaxies, open_galaxies
from galsmith.data.readers.listing import has_glob
from galsmith.data.store import is_store, open_store
from galsmith.errors import InputError, InterruptedRunError, SettingsError
from galsmith.execution import Briefing, Engine, ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import Partial, check_output, place_of
from galsmith.images import ImageSet
from galsmith.measure.chunks import (
    Chunk,
    ChunkFiles,
    Measuring,
    chunk_size_for,
    joined_columns,
    measure_chunk,
    measure_into_file,
)
from galsmith.measure.colors import settings_of_colors
from galsmith.measure.compiled_engine import engine_versions, kernels_of, load_kernels
from galsmith.measure.galaxies import MORPHOLOGY_ENGINES, Method
from galsmith.measure.properties.registry import computed_properties
from galsmith.measure.settings import MeasureSettings, chosen_sky, refuse_idle_settings, resolved_settings
from galsmith.measure.statmorph.engine import require_statmorph
from galsmith.measure.table import COLUMNS, TABLE, Columns, measurement_table, shortened
from galsmith.measure.table_formats import (
    check_texts,
    checked_output,
    read_csv,
    read_table,
    write_beside_csv,
    write_table,
)
from galsmith.provenance import Provenance
from galsmith.settings import near_miss

Result = TypeVar("Result")
# Nothing is lost in memory by a kill; chunks are small so that each thread has some.
CHUNKS_PER_WORKER = 4
GRAY_LEVELS = "display"


@dataclass(frozen=True)
class Plan:
    """A measurement that was checked and not begun.

    Attributes
    ----------
    galaxies : Galaxies
        What is measured: the first `count`.
    method : Method
        How.
    count : int
        How many galaxies.
    engine : Engine
        Threads or processes, or somebody's executor.
    provenance : Provenance
        Of the table.
    given : frozenset of str
        What is given beside the images and used, as `galsmith.data.galaxies.GalaxyOrigin` names it.
    """

    galaxies: Galaxies
    method: Method
    count: int
    engine: Engine
    provenance: Provenance
    given: frozenset[str] = frozenset()


def measure(
    images: Galaxies | ImageSet | str | Path,
    output: str | Path,
    *,
    engine: str = "galsmith",
    workers: int = 1,
    executor: Executor | None = None,
    limit: int | None = None,
    settings: MeasureSettings | None = None,
    columns: Columns = "all",
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> QTable:
    """Measure galaxies and write the table; an interrupted run goes on when it is called again.

    Parameters
    ----------
    images : Galaxies, ImageSet, str or Path
        What to measure: galaxies as `galsmith.data.galaxies.open_galaxies` gives them out of files, with their maps;
        an image set; or the path of a store, of image files, of a folder or a glob of these.
    output : str or Path
        The table to write, ``.parquet``, ``.ecsv``, ``.fits`` or ``.csv``; while it is made, finished chunks
        lie in ``<output>.partial``.
    engine : {"galsmith", "statmorph"}
        What measures morphology: the compiled engine, or statmorph itself, its slow oracle, which always fits
        in its own way and takes the sky from its box.
    workers : int
        Threads of the compiled engine, local processes otherwise; the table does not depend on their number.
    executor : concurrent.futures.Executor, optional
        Used in place of them, such as that of a Dask client.
    limit : int, optional
        Measure only the first `limit` images.
    settings : MeasureSettings, optional
        How to measure; the defaults where left out, which are the same for stores, files and arrays.
    columns : {"all", "short"}
        Which columns the table gets: ``"short"`` those that are looked at first, as `galsmith.measure.table.SHORT` has
        them; sets are compared by all.
    overwrite : bool
        Replace what is at `output`.
    progress : callable
        Called with a `ProgressEvent` after each chunk.

    Returns
    -------
    QTable
        One row an image, or one an image and ``band`` where the setting `band` is ``"all"``: ``object_id``,
        ``native_size_pix`` and the like; the catalog's other columns, with ``catalog_`` before their names; one column a
        property, fluxes and colors of several bands; ``flag`` (0 good, 1 suspect, 2 bad, 4 not measured),
        ``flag_sersic``, ``flags`` (their names) and ``message``.
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
    checked_output(Path(output))
    check_output(output, TABLE, inputs=_paths_of(images), overwrite=overwrite)
    path = place_of(output)
    if columns not in COLUMNS:
        raise SettingsError(argument="columns", came=columns, wanted=f"one of {', '.join(COLUMNS)}")
    plan = _planned(galaxies_of(images), settings, engine=engine, work=Engine(workers, executor), limit=limit)
    if columns != "all":
        recorded = {**plan.provenance.settings, "columns": columns}
        plan = replace(plan, provenance=replace(plan.provenance, settings=recorded))
    check_texts(path, plan.galaxies.catalog, plan.galaxies.header.bands)
    size = chunk_size_for(plan.galaxies, plan.method)
    with Partial(
        path,
        TABLE,
        plan.provenance.fingerprint(),
        layout={"n_images": plan.count, "chunk_size": size},
        inputs=plan.galaxies.origin.inputs,
        overwrite=overwrite,
    ) as partial:
        if partial.is_complete:
            return read_csv(path) if path.suffix == ".csv" else read_table(path)
        files = ChunkFiles(partial.folder, plan.count, size)
        _fill(files, plan, progress)
        table = measurement_table(files.joined(), plan.galaxies, plan.method, provenance=plan.provenance)
        if columns == "short":
            table = shortened(table)
        write_table(partial.content, table, suffix=path.suffix)
        if path.suffix == ".csv":
            write_beside_csv(path, partial.content, table)
        partial.finish()
    return table


def _fill(files: ChunkFiles, plan: Plan, progress: ProgressCallback) -> None:
    """Measure the chunks that are left."""
    briefing = _briefing(plan, files.folder)
    chunks = [Chunk(briefing, start, stop, file) for start, stop, file in files.left()]
    n_done = files.n_done()
    try:
        for _, n_measured in _run(plan, chunks, measure_into_file, n_done=n_done, progress=progress):
            n_done += n_measured
    except KeyboardInterrupt as error:
        raise InterruptedRunError(
            f"measuring stopped at {n_done} of {counted(plan.count, 'galaxies')}; they are kept in {files.folder}, "
            "and the same command goes on"
        ) from error


def _paths_of(images: Galaxies | ImageSet | str | Path) -> Sequence[str | Path]:
    """Paths among what was given to be measured."""
    if isinstance(images, ImageSet):
        return [images.path] if images.path else []
    return [images] if isinstance(images, str | Path) else images.origin.inputs


def measured(
    images: Galaxies | ImageSet | str | Path,
    *,
    engine: str = "galsmith",
    workers: int = 1,
    limit: int | None = None,
    settings: MeasureSettings | None = None,
    progress: ProgressCallback = ignore_progress,
) -> QTable:
    """Measure some hundreds of galaxies at once: the table that `measure` would write, in memory alone.

    Parameters
    ----------
    images, engine, workers, limit, settings, progress
        As `measure` has them.

    Returns
    -------
    QTable
        As `measure` returns it.

    Raises
    ------
    SettingsError
        If a setting or argument is out of range, or statmorph is not installed.
    InputError
        If there is no image, or one cannot be read.
    """
    return _in_memory(
        _planned(galaxies_of(images), settings, engine=engine, work=Engine(workers), limit=limit), progress
    )


def _in_memory(plan: Plan, progress: ProgressCallback) -> QTable:
    """Measure all at once."""
    workers = plan.engine.workers
    most = -(-plan.count // (CHUNKS_PER_WORKER * workers)) if workers > 1 else plan.count
    size = min(chunk_size_for(plan.galaxies, plan.method), most)
    with tempfile.TemporaryDirectory(prefix="galsmith-") as folder:
        briefing = _briefing(plan, Path(folder))
        chunks = [
            Chunk(briefing, start, min(start + size, plan.count)) for start in range(0, plan.count, size)
        ]
        parts = dict(_run(plan, chunks, measure_chunk, n_done=0, progress=progress))
    columns = joined_columns([parts[place] for place in range(len(chunks))])
    return measurement_table(columns, plan.galaxies, plan.method, provenance=plan.provenance)


def _briefing(plan: Plan, folder: Path) -> Briefing[Measuring]:
    """Tell the workers what is measured and how; threads know it."""
    work = Measuring(plan.galaxies, plan.method)
    return Briefing.kept(work) if _is_threaded(plan) else plan.engine.brief(work, folder)


def _is_threaded(plan: Plan) -> bool:
    """Whether kernels run on threads of this process, which needs no executor."""
    return plan.method.is_compiled and plan.engine.executor is None


def galaxies_of(images: Galaxies | ImageSet | str | Path) -> Galaxies:
    """Open what is to be measured.

    Raises
    ------
    InputError
        If there is no such store or file, or it cannot be read.
    """
    if isinstance(images, ImageSet):
        return StoreGalaxies(images)
    if not isinstance(images, str | Path):
        return images
    if is_store(images) or not (place_of(images).exists() or has_glob(str(images))):
        return StoreGalaxies(open_store(images))
    return open_galaxies(FileRequest((str(images),)))


def method_for(galaxies: Galaxies, settings: MeasureSettings | None, *, engine: str = "galsmith") -> Method:
    """Fill in what a method leaves open, from the galaxies that are measured by it.

    Raises
    ------
    SettingsError
        If a setting does not fit the galaxies.
    InputError
        If the images show fields in another unit than gray levels, or nobody said which plane of a cube is to be measured.
    """
    header, origin = galaxies.header, galaxies.origin
    if header.shows_fields and header.flux_unit != GRAY_LEVELS:
        raise InputError(
            f"{origin.path or 'images'}: fields in {header.flux_unit or 'no unit'!r}; they are measured in gray levels "
            f"from 0 to 255, the unit {GRAY_LEVELS!r}: bring them to it first, as a picture of 8 bits"
        )
    wanted = MeasureSettings() if settings is None else settings
    if wanted.band is None and not origin.has_named_bands and len(header.bands) > 1:
        raise InputError(
            f"{origin.path}: a cube of {len(header.bands)} planes ({', '.join(header.bands)}); choose one with "
            f"`band={header.bands[0]}`, or take all with `band=all`; name the planes with `bands`"
        )
    chosen = resolved_settings(wanted, header, is_central=origin.is_central)
    return Method(chosen, header, engine, computed_properties() if "morphology" in chosen.quantities else ())


def _planned(
    galaxies: Galaxies, settings: MeasureSettings | None, *, engine: str, work: Engine, limit: int | None
) -> Plan:
    """Check all before anything is written."""
    method = method_for(galaxies, settings, engine=engine)
    given = given_beside(galaxies, method.settings)
    asked = MeasureSettings() if settings is None else settings
    of_files = bool(galaxies.origin.inputs)
    are_named = bool(galaxies.origin.settings)  # which a store has not
    refuse_idle_settings(
        asked, method.settings, given=given, is_known=of_files, are_named=are_named, engine=engine
    )
    versions = _engine_versions(engine, method.settings)
    count = _checked_count(len(galaxies), limit, name=galaxies.origin.path or "images")
    recorded = {
        **method.settings.model_dump(mode="json"),
        "engine": engine,
        "engine_versions": versions,
        "limit": limit,
        **settings_of_colors(method.settings, galaxies.header),
    }
    if not method.settings.uncertainties:
        del recorded["uncertainties"]  # what was measured without them was made by the same
    if not method.settings.corrections:
        del recorded["corrections"]
    if not method.settings.ignore:
        del recorded["ignore"]
    if given:
        recorded["beside"] = sorted(given)
    if galaxies.origin.given.get("unusable"):
        recorded["given"] = dict(galaxies.origin.given)
    if galaxies.origin.settings:
        recorded["files"] = dict(galaxies.origin.settings)
    if method.computed:
        recorded["computed"] = [entry.name for entry in method.computed]
    provenance = Provenance("measure", recorded, parents=galaxies.origin.parents)
    return Plan(galaxies, method, count, work, provenance, given)


def _run(
    plan: Plan,
    chunks: Sequence[Chunk],
    function: Callable[[Chunk], Result],
    *,
    n_done: int,
    progress: ProgressCallback,
) -> Iterator[tuple[int, Result]]:
    """Measure chunks on threads or processes, and give (place, result) as each one ends."""
    if plan.method.has_engine and chunks:
        load_kernels(progress, kernels_of(plan.method.settings, has_psf="psf" in plan.given))
    unit = plan.method.header.images_name
    progress(ProgressEvent("measuring", n_done, plan.count, unit))
    with _threads(plan.engine.workers if _is_threaded(plan) else 1) as threads:
        engine = plan.engine if threads is None else Engine(executor=threads)
        for place, result in engine.map(
            function, chunks, name_of=lambda place: _name_of(chunks[place], unit)
        ):
            n_done += chunks[place].stop - chunks[place].start
            yield place, result
            progress(ProgressEvent("measuring", n_done, plan.count, unit))


def _name_of(chunk: Chunk, unit: str) -> str:
    """Name a chunk by the rows of its galaxies."""
    return f"{unit} {chunk.start} to {chunk.stop - 1}"


def given_beside(galaxies: Galaxies, settings: MeasureSettings) -> frozenset[str]:
    """Say what is given beside the images and used: a gain is not where the noise of pixels or another gain is."""
    given = frozenset(galaxies.origin.beside) - set(settings.ignore)
    return given - {"gain"} if "noise" in given or settings.gain is not None else given


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


def _engine_versions(engine: str, settings: MeasureSettings) -> dict[str, str]:
    """Check the engine and name what decides its numbers."""
    if engine not in MORPHOLOGY_ENGINES:
        raise SettingsError(
            f"engine {engine!r}: unknown{near_miss(engine, list(MORPHOLOGY_ENGINES))}; "
            f"known: {', '.join(MORPHOLOGY_ENGINES)}"
        )
    if "field" in settings.quantities and engine != "galsmith":
        raise SettingsError(
            "it measures galaxies, and the images show fields",
            argument="engine",
            came=engine,
            way_out="leave it out",
        )
    if "morphology" not in settings.quantities:
        return {}
    if engine == "galsmith":
        return engine_versions()
    if settings.uncertainties:
        raise SettingsError(
            f"setting 'uncertainties' is {settings.uncertainties}: engine 'statmorph' has none; set it to 0, or take "
            "engine 'galsmith'"
        )
    if settings.corrections:
        raise SettingsError(
            "setting 'corrections' is true: they were made for engine 'galsmith'; set it to false, or take that engine"
        )
    if chosen_sky(settings) != "box":
        raise SettingsError(
            "setting 'sky' is 'annulus' (as segmentation 'survey' has it): engine 'statmorph' knows 'box' only; "
            "set sky to 'box', or take engine 'galsmith'"
        )
    return require_statmorph()


def _checked_count(n_images: int, limit: int | None, *, name: str) -> int:
    """Count the images to measure, before anything is written."""
    if limit is not None and limit < 1:
        raise SettingsError(f"limit is {limit}; wanted 1 or more, or none for all images")
    if n_images == 0:
        raise InputError(f"{name}: an empty set, there is nothing to measure")
    return n_images if limit is None else min(limit, n_images)
