"""``galsmith measure IMAGES``: a row of properties for every galaxy of a store, or of anybody's image files."""

from dataclasses import astuple, replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from galsmith.cli.measure_flags import FigureFlags, FileFlags, MethodFlags
from galsmith.cli.options import (
    NO_SETTINGS,
    SHOWN_ALL,
    Limit,
    Overwrite,
    Sets,
    Shown,
    Workers,
    worker_count,
)
from galsmith.cli.outcome import Outcome

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
    workers: Workers = None,
    limit: Limit = None,
    method: MethodFlags = METHOD_OF_SETTINGS,
    files: FileFlags = NO_FILES,
    figure: FigureFlags = NO_FIGURE,
    settings: Sets = NO_SETTINGS,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Measure the galaxies of a store or of image files into a table; an interrupted run goes on when repeated."""
    from galsmith.cli.galaxy_figure import write_figure
    from galsmith.cli.measurable import open_measurable
    from galsmith.files import check_output
    from galsmith.measure.table_formats import checked_output

    figure.check(output)
    if output is not None:
        checked_output(output)
    inputs = [*images, *(str(given) for given in (*astuple(method), *astuple(files)) if given)]
    for made in filter(None, (output, figure.figure)):
        check_output(made, inputs=inputs, overwrite=overwrite)
    with shown.progress() as progress:
        measurable = open_measurable(images, method, files, settings, progress=progress)
        outcomes = []
        if figure.figure is not None:
            which: dict[str, Any] = {"index": figure.index, "name": figure.id}
            outcomes.append(write_figure(measurable, figure.figure, **which, progress=progress))
        if output is not None:
            how: dict[str, Any] = {"limit": limit, "overwrite": overwrite, "progress": progress}
            outcomes.append(measurable.measure(output, workers=worker_count(workers), **how))
    return replace(outcomes[-1], details=tuple(f"{made.summary} -> {made.output}" for made in outcomes[:-1]))
