"""``galsmith look THING``: a contact sheet of galaxies, or a run's curves and pictures."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from galsmith.cli.options import SHOWN_ALL, Output, Overwrite, Shown
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import FIGURE_ENDINGS, check_counts, check_ending, check_places, check_there
from galsmith.settings import parse_where

EXAMPLE = "galsmith look galaxies -o sheet.png"


def look(
    *things: Annotated[
        str,
        Parameter(help="A store, a table, a run, or image files.", negative=(), required=True),
    ],
    output: Output,
    n: Annotated[int, Parameter(name="-n", help="How many galaxies at most.")] = 40,
    seed: Annotated[
        int | None, Parameter(help="Choose them by chance; the first ones when left out.", show_default=False)
    ] = None,
    where: Annotated[
        str | None, Parameter(help="Only rows like these, such as 'flag=2, r_half_pix=5..'.")
    ] = None,
    sort: Annotated[
        str | None, Parameter(help="A column, such as r_half_pix: its values are written below.")
    ] = None,
    order: Annotated[
        Literal["spread", "smallest", "largest", "extremes"],
        Parameter(help="Which of the sorted: evenly over all, or from the ends."),
    ] = "spread",
    band: Annotated[str | None, Parameter(help="One band, or three from blue to red, such as g,r,i.")] = None,
    stretch: Annotated[
        str,
        Parameter(help="common to all, each its own, or the fluxes of black and white such as 0..5."),
    ] = "common",
    columns: Annotated[int | None, Parameter(help="Galaxies in a row.")] = None,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Draw a contact sheet of galaxies with their names, or the curves and pictures of a training run."""
    check_places(things, [output])
    check_ending(output, FIGURE_ENDINGS, argument="output")
    check_counts({"n": n, "columns": columns})
    parse_where(where or "")
    for thing in things:
        check_there(thing, wanted="a store, a table of galsmith measure, a run, or image files")
    from galsmith.report import look as look_at

    with shown.progress() as progress:
        sheet = look_at(
            list(things),
            output,
            n=n,
            seed=seed,
            where=where,
            sort=sort,
            order=order,
            band=band,
            stretch=stretch,
            columns=columns,
            overwrite=overwrite,
            progress=progress,
        )
    chosen = "" if sheet.n_panels == sheet.n_there else f" of {sheet.n_there:,}"
    shows = "curves and pictures of a run" if sheet.kind == "run" else sheet.kind
    return Outcome(
        verb="look",
        summary=f"{sheet.n_panels:,}{chosen} {shows}",
        output=Path(output),
        numbers={"kind": sheet.kind, "n_panels": sheet.n_panels, "n_there": sheet.n_there},
    )
