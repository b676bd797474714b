"""``galsmith measure STORE``: a row of properties for every galaxy."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from galsmith.cli.options import (
    NO_SETTINGS,
    SHOWN_ALL,
    Limit,
    Output,
    Overwrite,
    Sets,
    Shown,
    Workers,
    worker_count,
)
from galsmith.cli.outcome import Outcome

EXAMPLE = "galsmith measure galaxies -o galaxies.parquet --workers 2 --limit 500"


def measure(
    store: Annotated[Path, Parameter(help="Store of galaxies, source or generated.")],
    /,
    *,
    output: Output,
    workers: Workers = None,
    limit: Limit = None,
    engine: Annotated[Literal["statmorph"], Parameter(help="What measures.")] = "statmorph",
    settings: Sets = NO_SETTINGS,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Measure the galaxies of a store into a Parquet table; an interrupted run goes on when repeated."""
    from galsmith.cli.tables import outcome_of_table
    from galsmith.measure import MeasureSettings
    from galsmith.measure import measure as measure_images
    from galsmith.settings import apply_overrides, typed_settings

    chosen = typed_settings(MeasureSettings, apply_overrides({}, settings), source="--set")
    with shown.progress() as progress:
        table = measure_images(
            store,
            output,
            engine=engine,
            workers=worker_count(workers),
            limit=limit,
            settings=chosen,
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_table(table, output)
