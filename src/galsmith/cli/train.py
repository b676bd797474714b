"""``galsmith train RECIPE``: learn the galaxies of a store."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from galsmith.cli.options import NO_SETTINGS, SHOWN_ALL, Device, Output, Overwrite, Sets, Shown
from galsmith.cli.outcome import Outcome

EXAMPLE = "galsmith train pca_diffusion --data galaxies -o run --minutes 20"


def train(
    recipe: Annotated[str, Parameter(help="A shipped recipe by name, or a TOML file.")],
    /,
    *,
    data: Annotated[Path, Parameter(help="Store to learn from.")],
    output: Output,
    minutes: Annotated[float | None, Parameter(help="Time budget.")] = None,
    images: Annotated[int | None, Parameter(help="Budget in images seen, instead of time.")] = None,
    settings: Sets = NO_SETTINGS,
    seed: Annotated[int | None, Parameter(help="The integer that fixes all chance.")] = None,
    device: Device = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Parameter(help="auto takes bfloat16 where the device multiplies it itself."),
    ] = "auto",
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Train a model on the training split of a store; the same command goes on after an interruption."""
    from galsmith.cli.device import choose_device, choose_precision
    from galsmith.cli.runs import outcome_of_run
    from galsmith.training import train as train_model

    chosen = choose_device(device)
    with shown.progress() as progress:
        run = train_model(
            recipe,
            data,
            output,
            minutes=minutes,
            images=images,
            overrides=settings,
            seed=seed,
            device=chosen,
            precision=choose_precision(precision, device=chosen),
            overwrite=overwrite,
            progress=progress,
        )
    return outcome_of_run(run)
