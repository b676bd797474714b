"""``galsmith snapshot RUN``: make a snapshot of another averaging width, or a smaller one, after training."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from galsmith.cli.options import NO_SETTINGS, SHOWN_ALL, Output, Overwrite, Sets, Shown
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import check_folder, check_places
from galsmith.counts import counted
from galsmith.errors import SettingsError

EXAMPLE = "galsmith snapshot run --ema-width 0.08 -o snapshot"


def snapshot(
    run: Annotated[
        Path,
        Parameter(
            help="Run folder of galsmith train; for another width, one with training.posthoc_averages of 1 or more."
        ),
    ],
    /,
    *,
    output: Output,
    ema_width: Annotated[
        float | None,
        Parameter(help="Width of the average over training, as a share of its length: 0.03 to 0.15."),
    ] = None,
    half: Annotated[
        bool, Parameter(help="Store weights in float16: half the size.", show_default=False)
    ] = False,
    overrides: Sets = NO_SETTINGS,
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Average a run's weights over another stretch, draw otherwise, or store them smaller; the run stays as it is."""
    check_places([run], [output])
    if ema_width is None and not half and not overrides:
        raise SettingsError(
            "nothing to change; wanted `ema_width` for another average, `half` for a smaller file, or settings of drawing"
        )
    check_folder(run, "not a run; give the run folder that galsmith train wrote")
    from galsmith.cli.describe.runs import describe_snapshot
    from galsmith.training import remade_snapshot

    made = remade_snapshot(
        run, output, ema_width=ema_width, half=half, overrides=overrides, overwrite=overwrite
    )
    description = describe_snapshot(made)
    numbers = description.numbers
    averaged = "" if ema_width is None else f", averaged with width {ema_width:g}"
    return Outcome(
        verb="snapshot",
        summary=f"{counted(numbers['images_seen'], 'images seen')}{averaged}{', in half precision' if half else ''}",
        output=made,
        content_hash=description.content_hash,
        numbers=numbers,
    )
