"""``galsmith train RECIPE``: learn the galaxies of a store."""

import os
import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from galsmith.cli.options import NO_SETTINGS, SHOWN_ALL, Device, Output, Overwrite, Precision, Sets, Shown
from galsmith.cli.outcome import Outcome
from galsmith.cli.premises import (
    TRAIN_SETTINGS,
    check_counts,
    check_folder,
    check_keys,
    check_places,
    check_positive,
    check_run,
)
from galsmith.counts import counted
from galsmith.errors import SettingsError
from galsmith.execution.torchrun import ended_as_first, place_of
from galsmith.models.families import (
    check_model_settings,
    check_tables,
    listed_families,
    recipe_named,
    recipes_by_family,
)
from galsmith.settings import apply_overrides, parse_alternatives

if TYPE_CHECKING:
    from galsmith.execution import ProgressCallback
    from galsmith.judging.snapshot_judge import SnapshotJudge
    from galsmith.training import TrainingSettings

WIDEST = 110
CHOOSE_KEY = "training.choose_snapshot"
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
            help="Start from the weights of a run, snapshot or shipped model of the same family and bands (fine-tuning)."
        ),
    ] = None,
    overrides: Sets = NO_SETTINGS,
    seed: Annotated[int | None, Parameter(help="The integer that fixes all chance.")] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    overwrite: Overwrite = False,
    shown: Shown = SHOWN_ALL,
) -> Outcome:
    """Train a model on the training split of a store; the same command goes on after an interruption."""
    place = place_of(os.environ)
    with ended_as_first(place):
        check_places([recipe, init_from or ""], [output], far=[data])
        check_positive({"minutes": minutes})
        check_counts({"images": images})
        changed = _checked_overrides(recipe, overrides, choose)
        check_folder(data, "there is no such store; make one with galsmith ingest or simulate")
        if init_from is not None:
            check_run(init_from)
        from galsmith.cli.device import choose_device, choose_precision
        from galsmith.training import read_run_settings
        from galsmith.training import train as train_model

        chosen = choose_device(device)
        wanted: dict[str, Any] = {"minutes": minutes, "images": images, "overrides": changed, "seed": seed}
        training = read_run_settings(recipe, **wanted).training
    with (shown if place.is_first else Shown(quiet=True)).progress() as progress:
        run = train_model(
            recipe,
            data,
            output,
            **wanted,
            device=chosen,
            precision=choose_precision(precision, device=chosen),
            overwrite=overwrite,
            init_from=init_from,
            evaluate=_judge_of_snapshots(training, data, device=chosen, progress=progress)
            if place.is_first
            else None,
            progress=progress,
        )
    return _outcome(run) if place.is_first else Outcome("train", is_said_elsewhere=True)


def _checked_overrides(recipe: str, overrides: list[str], choose: str | None) -> list[str]:
    """Refuse settings that there are none of, before anything is loaded that trains; adds the choice of a snapshot."""
    changed = apply_overrides({}, overrides)
    source, values = f"recipe {recipe!r}", apply_overrides(recipe_named(recipe), overrides)
    check_tables(values, source=source)
    for table, known in TRAIN_SETTINGS.items():
        wanted = changed.get(table, {})
        if isinstance(wanted, Mapping):
            check_keys(wanted, known, source=f"{source}, [{table}]")
    where = _table(values, "training").get("where")
    try:
        parse_alternatives(where if isinstance(where, str) else "")
    except SettingsError as error:
        raise SettingsError(
            f"{source}, [training]: setting 'where' is {where!r}; wanted column=low..high or column=value, others after "
            "commas or 'or'"
        ) from error
    if _table(values, "model"):
        check_model_settings(values["model"], source=source)
    if choose is not None and any(entry.partition("=")[0].strip() == CHOOSE_KEY for entry in overrides):
        raise SettingsError(
            f"--set {CHOOSE_KEY} says it too; give one of them", argument="choose", came=choose
        )
    return overrides if choose is None else [*overrides, f"{CHOOSE_KEY}={choose}"]


def _table(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Take a table of a recipe; nothing where it is none."""
    table = values.get(name)
    return table if isinstance(table, Mapping) else {}


def _judge_of_snapshots(
    training: "TrainingSettings", data: Path, *, device: str, progress: "ProgressCallback"
) -> "SnapshotJudge | None":
    """Make a judge where the settings keep the best snapshot."""
    from galsmith.judging.snapshot_judge import snapshot_judge

    if training.choose_snapshot != "best":
        return None
    return snapshot_judge(
        data,
        by=training.choose_by,
        n_drawn=training.evaluation_galaxies,
        device=device,
        progress=progress,
    )


def _outcome(run: Path) -> Outcome:
    """Say how far a run came and where its snapshot is."""
    from galsmith.cli.describe.runs import describe_run

    description = describe_run(run)
    return Outcome(
        verb="train",
        summary=_summary_of_run(description.numbers),
        output=run,
        content_hash=description.content_hash,
        numbers=description.numbers,
    )


def _summary_of_run(numbers: Mapping[str, Any]) -> str:
    """Say how far the run came, and which snapshot it keeps where that is not the last."""
    seen, chosen = numbers.get("images_seen"), numbers.get("chosen")
    if seen is None:
        return "trained"
    if chosen is None:
        return f"trained on {counted(seen, 'images seen')}"
    width = f", averaged with width {chosen['ema_width']:g}" if "ema_width" in chosen else ""
    return (
        f"trained on {chosen['images_seen_by_run']:,} images seen, kept the best of {chosen['n_evaluations']} snapshots "
        f"(at {counted(seen, 'images')}, distance {chosen['distance']:.3g}{width})"
    )


def families_text() -> str:
    """Write a paragraph a family, as wide as the terminal."""
    width = min(shutil.get_terminal_size().columns - 2, WIDEST)
    listed = listed_families()
    indent = max(len(family) for family in listed) + 4
    lines = ["Families, when to choose which, and the recipes that train them:"]
    for family, recipes in recipes_by_family().items():
        advice = listed[family].when_to_choose
        for first, text in ((family, advice), ("", f"recipes {', '.join(recipes)}")):
            lines += textwrap.wrap(
                text,
                max(width, 2 * indent),
                initial_indent=f"  {first}".ljust(indent),
                subsequent_indent=" " * indent,
                break_on_hyphens=False,
            )
    return "\n".join(lines)
