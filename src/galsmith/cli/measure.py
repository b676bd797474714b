"""``galsmith measure IMAGES``: a row of properties for every galaxy of a store, or of anybody's image files."""

from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from galsmith.cli.measure_flags import FigureFlags, FileFlags, MethodFlags
from galsmith.cli.options import (
    HERE_OR_LOCAL,
    NO_SETTINGS,
    SHOWN_ALL,
    Limit,
    Overwrite,
    Sets,
    Shown,
    Spelled,
    WorkFlags,
)
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import (
    TABLE_ENDINGS,
    check_counts,
    check_ending,
    check_places,
)
from galsmith.errors import SettingsError

if TYPE_CHECKING:
    from galsmith.data.galaxies import Galaxies
    from galsmith.execution import ProgressCallback
    from galsmith.measure import MeasureSettings

EXAMPLE = "galsmith measure galaxies -o galaxies.parquet --workers 2 --limit 500"
NO_FILES, METHOD_OF_SETTINGS, NO_FIGURE = FileFlags(), MethodFlags(), FigureFlags()


def measure(
    images: Annotated[
        list[str],
        Parameter(
            help="A store; FITS, PNG or JPEG files, a folder, a glob in quotes, FILE[HDU]; set.h5:/images."
        ),
    ],
    /,
    *,
    output: Annotated[
        Path | None,
        Parameter(name=["--output", "-o"], help="Table: .parquet, .ecsv, .fits, or .csv (loses units)."),
    ] = None,
    work: WorkFlags = HERE_OR_LOCAL,
    limit: Limit = None,
    method: MethodFlags = METHOD_OF_SETTINGS,
    files: FileFlags = NO_FILES,
    figure: FigureFlags = NO_FIGURE,
    overrides: Sets = NO_SETTINGS,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
    spelled: Spelled,
) -> Outcome:
    """Measure the galaxies of a store or of image files into a table; an interrupted run goes on when repeated."""
    figure.check(output, of_table={"limit": limit, **vars(work), "engine": method.oracle})
    inputs = _checked_inputs(images, method, files, output=output, figure=figure.figure)
    check_ending(output, TABLE_ENDINGS, argument="output")
    check_counts({"limit": limit})
    work.check()
    method.check(overrides)
    files.check(images)
    from galsmith.cli.summaries import outcome_of_table
    from galsmith.files import check_output
    from galsmith.measure import measure as measure_into
    from galsmith.measure.table import TABLE
    from galsmith.measure.table_formats import checked_output

    if output is not None:
        checked_output(output)
        check_output(output, TABLE, inputs=inputs, overwrite=overwrite)
    if figure.figure is not None:
        from galsmith.report.figures.painting import FIGURE

        check_output(figure.figure, FIGURE, inputs=inputs, overwrite=overwrite)
    with shown.progress() as progress, work.engine() as engine:
        chosen = method.to_settings(overrides)
        galaxies = _opened(images, files, progress=progress)
        outcomes = []
        how: dict[str, Any] = {"overwrite": overwrite, "progress": progress}
        if figure.figure is not None:
            outcomes.append(_drawn(galaxies, figure, figure.figure, chosen, spelled=spelled, **how))
        if output is not None:
            how |= {
                "limit": limit,
                "engine": method.engine,
                "settings": chosen,
                "columns": files.table_columns,
                "workers": engine.workers,
                "executor": engine.executor,
            }
            outcomes.append(outcome_of_table(measure_into(galaxies, output, **how), output, spelled))
    drawn = tuple(f"{made.summary} -> {made.output}" for made in outcomes[:-1])
    return replace(outcomes[-1], details=(*drawn, *outcomes[-1].details))


def _checked_inputs(
    images: list[str], method: MethodFlags, files: FileFlags, *, output: Path | None, figure: Path | None
) -> list[str]:
    """Give all that is read, as it was typed; images and tables may be at addresses, nothing else."""
    beside = [str(given) for given in (*astuple(method), *astuple(files)) if given]
    # a table of CSV has a second file beside it
    is_alone = output is None or output.suffix != ".csv"
    check_places(
        beside,
        [figure] if is_alone else [figure, output],
        far=images,
        far_outputs=[output] if is_alone else [],
    )
    return [*images, *beside]


def _drawn(
    galaxies: "Galaxies",
    wanted: FigureFlags,
    place: Path,
    settings: "MeasureSettings",
    *,
    spelled: Callable[[str], str],
    overwrite: bool,
    progress: "ProgressCallback",
) -> Outcome:
    """Draw one galaxy."""
    from galsmith.report.galaxy.figure import draw_galaxy

    row = draw_galaxy(
        galaxies,
        place,
        settings=settings,
        index=wanted.index,
        object_id=wanted.object_id,
        spelled=spelled,
        overwrite=overwrite,
        progress=progress,
    )
    name = galaxies.catalog["object_id"][row]
    return Outcome("measure", summary=f"drew galaxy {name}", output=place, numbers={"index": row})


def _opened(images: list[str], files: FileFlags, *, progress: "ProgressCallback") -> "Galaxies":
    """Open a store, or image files with all that was given beside them."""
    from galsmith.data.galaxies import StoreGalaxies, open_galaxies
    from galsmith.data.store import is_store, open_store

    if len(images) == 1 and is_store(images[0]):
        files.refuse_for_store(images[0])
        return StoreGalaxies(open_store(images[0]))
    stores = [image for image in images if is_store(image)]
    if stores:
        raise SettingsError(f"{stores[0]}: a store among {len(images)} inputs; measure each store by itself")
    return open_galaxies(files.to_request(images), progress=progress)
