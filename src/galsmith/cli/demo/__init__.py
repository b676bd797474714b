"""``galsmith demo``: the whole path on simulated galaxies in ten minutes, ending with a page to read."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from galsmith.cli.demo.plan import TRAIN_MINUTES
from galsmith.cli.options import SHOWN_ALL, Device, Overwrite, Shown, Spelled
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_places, check_positive
from galsmith.errors import OutputExistsError

EXAMPLE = "galsmith demo -o demo"


def demo(
    *,
    output: Annotated[
        Path, Parameter(name=["--output", "-o"], help="Folder for everything that is made.")
    ] = Path("demo"),
    minutes: Annotated[float, Parameter(help="Time to train.")] = TRAIN_MINUTES,
    spelling: Spelled,
    device: Device = "auto",
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Simulate galaxies, train on them, draw new ones, measure both, compare, and write a page.

    The comparison is with simulated galaxies that the model has never seen. Steps that are done are
    skipped when the command is repeated, so an interrupted demo goes on.
    """
    check_places([], [output])
    check_positive({"minutes": minutes})
    if output.is_file():
        way_out = "choose another `output`"
        raise OutputExistsError(
            "holds something that is not a demo", argument="output", came=output, way_out=way_out
        )
    from galsmith.cli.demo.steps import run_demo

    return run_demo(
        output, minutes=minutes, spelling=spelling(), device=device, overwrite=overwrite, shown=shown
    )
