"""Measuring galaxies that lie in files: chunk by chunk into a table; a killed run goes on."""

from dataclasses import dataclass
from pathlib import Path

from astropy.table import QTable

from galsmith.data.galaxies.galaxy import FileGalaxies
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import check_output
from galsmith.images import ImageHeader
from galsmith.measure.chunks import PartialTable, write_chunk
from galsmith.measure.colors import settings_of_colors
from galsmith.measure.file_rows import measured_bands
from galsmith.measure.measure import checked_count, engine_versions_of
from galsmith.measure.row import columns_of_rows
from galsmith.measure.running import is_compiled, run_chunks
from galsmith.measure.segmentation import GIVEN_MAPS
from galsmith.measure.settings import MeasureSettings, resolved_settings
from galsmith.measure.table import measurement_table
from galsmith.measure.table_formats import checked_output, write_table
from galsmith.provenance import Provenance, hash_json

# Few, so that a killed run loses little and several threads have work.
GALAXIES_PER_CHUNK = 16


@dataclass
class FileChunk:
    """Some galaxies to measure and the file to write."""

    galaxies: FileGalaxies
    start: int
    stop: int
    file: Path
    settings: MeasureSettings
    engine: str


@dataclass(frozen=True)
class MeasuredFiles:
    """What the table says of the files."""

    header: ImageHeader
    catalog: QTable
    path: str
    content_hash: str

    def __len__(self) -> int:
        """Return how many galaxies there are."""
        return len(self.catalog)


def measure_files(
    galaxies: FileGalaxies,
    output: str | Path,
    *,
    engine: str = "galsmith",
    workers: int = 1,
    limit: int | None = None,
    settings: MeasureSettings | None = None,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> QTable:
    """Measure galaxies that lie in files; an interrupted run goes on when it is called again.

    Parameters
    ----------
    galaxies : FileGalaxies
        As `galsmith.data.galaxies.open_galaxies` gives them.
    output : str or Path
        The table, ``.parquet``, ``.ecsv``, ``.fits`` or ``.csv``; finished chunks lie in ``<output>.partial``.
    engine : {"galsmith", "statmorph"}
        What measures.
    workers : int
        Threads, or processes for statmorph.
    limit : int, optional
        Measure only the first galaxies.
    settings : MeasureSettings, optional
        How to measure; its band is replaced by what `galaxies` were opened with.
    overwrite : bool
        Replace what is at `output`.
    progress : callable
        Called with a `ProgressEvent` after each chunk.

    Returns
    -------
    QTable
        One row a galaxy and band: the catalog's columns, the properties, ``flag``, ``flags`` and ``message``.

    Raises
    ------
    SettingsError
        If a setting or argument is out of range, or statmorph is not installed.
    OutputExistsError
        If the output is there, or an unfinished one of other files or settings.
    InterruptedRunError
        If the user stopped it; the same call goes on.
    """
    path = checked_output(Path(output))
    check_output(path, inputs=[parent.path for parent in galaxies.parents], overwrite=overwrite)
    chosen = resolved_for(
        galaxies, MeasureSettings(quantities=("morphology",)) if settings is None else settings
    )
    n_galaxies = checked_count(len(galaxies), limit, workers, name=galaxies.path)
    provenance = Provenance(
        verb="measure",
        settings={
            **chosen.model_dump(mode="json"),
            "engine": engine,
            "engine_versions": engine_versions_of(engine, chosen),
            "limit": limit,
            "files": dict(galaxies.settings),
            **settings_of_colors(chosen, galaxies),
        },
        parents=galaxies.parents,
    )
    partial = PartialTable(
        path,
        provenance.fingerprint(),
        n_images=n_galaxies,
        chunk_size=GALAXIES_PER_CHUNK,
        overwrite=overwrite,
    )
    tasks = [FileChunk(galaxies, start, stop, file, chosen, engine) for start, stop, file in partial.left()]
    compiled = is_compiled(engine, chosen)
    run_chunks(partial, measure_file_chunk, tasks, compiled=compiled, workers=workers, progress=progress)
    table = measurement_table(
        partial.joined(),
        _measured_files(galaxies),
        settings=chosen,
        provenance=provenance,
        catalog_columns=galaxies.catalog.colnames,
        segmentation=GIVEN_MAPS if galaxies.has_maps else None,
    )
    write_table(path, table)
    partial.remove()
    return table


def resolved_for(galaxies: FileGalaxies, settings: MeasureSettings) -> MeasureSettings:
    """Fill in what depends on the files; the band is the one that they were opened for."""
    chosen = settings.model_copy(update={"band": galaxies.band})
    return resolved_settings(chosen, bands=galaxies.header.bands, flux_unit=galaxies.header.flux_unit)


def measure_file_chunk(task: FileChunk) -> int:
    """Measure one chunk, write its file and return how many galaxies it has; memory holds one at a time."""
    rows = []
    for position in range(task.start, task.stop):
        galaxy = task.galaxies.read([position])[0]
        rows += measured_bands(galaxy, task.settings, task.galaxies.header.bands, engine=task.engine)
    write_chunk(task.file, columns_of_rows(rows))
    return task.stop - task.start


def _measured_files(galaxies: FileGalaxies) -> MeasuredFiles:
    """Say what was measured."""
    return MeasuredFiles(
        header=galaxies.header,
        catalog=galaxies.catalog,
        path=galaxies.path,
        content_hash=hash_json(
            [[parent.content_hash for parent in galaxies.parents], dict(galaxies.settings)]
        ),
    )
