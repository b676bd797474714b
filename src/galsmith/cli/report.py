"""``galsmith report COMPARISON``: one page to read."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from galsmith.cli.options import SHOWN_ALL, Output, Overwrite, Shown, Spelled
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_folder, check_places

EXAMPLE = "galsmith report comparison.json -o report"


def report(
    comparison: Annotated[Path, Parameter(help="What galsmith compare wrote.")],
    /,
    *,
    output: Output,
    spelling: Spelled,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Write a folder with one self-contained HTML page: image grids, histograms, spectra and the table."""
    check_places([comparison], [output])
    check_folder(comparison, "there is no such file")
    from galsmith.report import write_report

    with shown.progress() as progress:
        page = write_report(comparison, output, spelling=spelling(), overwrite=overwrite, progress=progress)
    return Outcome(
        verb="report",
        summary=f"a page of {page.stat().st_size / 1e6:.1f} MB",
        output=page,
        numbers={"bytes": page.stat().st_size},
    )
