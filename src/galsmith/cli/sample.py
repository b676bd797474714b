"""``galsmith sample RUN``: draw new galaxies from a trained model."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from galsmith.cli.options import SHOWN_ALL, Device, Output, Overwrite, Seed, Shown
from galsmith.cli.outcome import Outcome

EXAMPLE = "galsmith sample run -n 2000 --seed 1 -o generated"


def sample(
    run: Annotated[Path, Parameter(help="Run folder of galsmith train, or a snapshot folder.")],
    /,
    *,
    n: Annotated[int, Parameter(name=["-n", "--number"], help="How many galaxies.")],
    output: Output,
    seed: Seed = 0,
    kind: Annotated[
        Literal["store", "fits"],
        Parameter(name="--format", help="A store, or a folder of FITS cutouts with full headers."),
    ] = "store",
    device: Device = "auto",
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Draw galaxies; image k depends on the seed and on k alone, and an interrupted run goes on when repeated."""
    from galsmith.cli.device import choose_device
    from galsmith.cli.stores import outcome_of_store
    from galsmith.sampling import sample as sample_images

    with shown.progress() as progress:
        images = sample_images(
            run,
            output,
            n=n,
            seed=seed,
            kind=kind,
            device=choose_device(device),
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_store("sample", images, output)
