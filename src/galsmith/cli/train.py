"""``galsmith train RECIPE``: learn the galaxies of a store."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from galsmith.cli.options import NO_SETTINGS, SHOWN_ALL, Device, Output, Overwrite, Sets, Shown
from galsmith.cli.outcome import Outcome

if TYPE_CHECKING:
    from galsmith.execution import ProgressCallback
    from galsmith.judging.in_training import SnapshotJudge
    from galsmith.training import TrainingSettings

EXAMPLE = "galsmith train pca_diffusion --data galaxies -o run --minutes 20"


def train(
    recipe: Annotated[str, Parameter(help="A shipped recipe by name, or a TOML file.")],
    /,
    *,
    data: Annotated[Path, Parameter(help="Store to learn from.")],
    output: Output,
    minutes: Annotated[float | None, Parameter(help="Time budget.")] = None,
    images: Annotated[int | None, Parameter(help="Budget in images seen, instead of time.")] = None,
    choose: Annotated[
        Literal["last", "best"] | None,
        Parameter(
            help="Keep the last snapshot, or the one whose galaxies measure most like those of the split 'validation'."
        ),
    ] = None,
    init_from: Annotated[
        Path | None,
        Parameter(
            help="Start from the weights of this run or snapshot, of the same family and bands (fine-tuning)."
        ),
    ] = None,
    overrides: Sets = NO_SETTINGS,
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
    from galsmith.training import read_run_settings
    from galsmith.training import train as train_model

    chosen = choose_device(device)
    changed = overrides if choose is None else [*overrides, f"training.choose_snapshot={choose}"]
    wanted: dict[str, Any] = {"minutes": minutes, "images": images, "overrides": changed, "seed": seed}
    training = read_run_settings(recipe, **wanted).training
    with shown.progress() as progress:
        run = train_model(
            recipe,
            data,
            output,
            **wanted,
            device=chosen,
            precision=choose_precision(precision, device=chosen),
            overwrite=overwrite,
            init_from=init_from,
            evaluate=_judge_of_snapshots(training, data, device=chosen, progress=progress),
            progress=progress,
        )
    return outcome_of_run(run)


def _judge_of_snapshots(
    training: "TrainingSettings", data: Path, *, device: str, progress: "ProgressCallback"
) -> "SnapshotJudge | None":
    """Make a judge where the settings keep the best snapshot."""
    from galsmith.judging.in_training import snapshot_judge

    if training.choose_snapshot != "best":
        return None
    return snapshot_judge(
        data,
        by=training.choose_by,
        n_drawn=training.evaluation_galaxies,
        device=device,
        progress=progress,
    )
