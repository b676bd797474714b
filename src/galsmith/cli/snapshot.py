"""``galsmith snapshot RUN``: make a snapshot of another averaging width after training."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from galsmith.cli.options import SHOWN_ALL, Output, Overwrite, Shown
from galsmith.cli.outcome import Outcome

EXAMPLE = "galsmith snapshot run --ema-width 0.08 -o snapshot"


def snapshot(
    run: Annotated[
        Path, Parameter(help="Run folder of galsmith train, with training.posthoc_averages of 1 or more.")
    ],
    /,
    *,
    ema_width: Annotated[
        float, Parameter(help="Width of the average over training, as a share of its length: 0.03 to 0.15.")
    ],
    output: Output,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Average a run's weights over another stretch of its training; nothing is trained, and the run stays as it is."""
    from galsmith.cli.describe.runs import describe_snapshot
    from galsmith.training import snapshot_of_width

    made = snapshot_of_width(run, output, ema_width=ema_width, overwrite=overwrite)
    description = describe_snapshot(made)
    numbers = description.numbers
    return Outcome(
        verb="snapshot",
        summary=f"averaged {numbers['images_seen']:,} images seen with width {ema_width:g}",
        output=made,
        content_hash=description.content_hash,
        numbers=numbers,
    )
