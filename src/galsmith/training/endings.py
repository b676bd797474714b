"""How a run ends before its time: interrupted, diverged or out of memory, with what is kept and the way out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from galsmith.errors import DivergedError, GalsmithError
from galsmith.models.devices import is_out_of_memory
from galsmith.training.folder import RunFolder
from galsmith.training.run import TrainingRun
from galsmith.training.settings import RunSettings


def how_to_go_on(run: TrainingRun) -> str:
    """One line for whoever interrupted a run."""
    used = 100 * run.settings.budget.used(run.state)
    return (
        f"{run.folder.path}: stopped at {run.state.images_seen:,} images seen, {used:.0f} % of {run.settings.budget.text}; "
        "all is kept, repeat the command to go on"
    )


def explained_divergence(run: TrainingRun, error: DivergedError) -> DivergedError:
    """Go back to the last good state and say what to change."""
    run.restore()
    run.save_snapshot(is_finished=False)
    lower = _now(run.settings, run.settings.family.rates, otherwise="the learning rate")
    return DivergedError(
        f"{run.folder.path}: {error}; the state of {run.state.images_seen:,} images seen is kept. To get through, "
        f"lower {lower} by `overrides`, or take `precision=float32`, into another `output`"
    )


@contextmanager
def memory_explained(folder: RunFolder, settings: RunSettings, *, is_preparing: bool) -> Iterator[None]:
    """Say which setting to lower where the block runs out of memory, on the device or off it.

    Parameters
    ----------
    folder : RunFolder
        The run.
    settings : RunSettings
        Its settings.
    is_preparing : bool
        Whether the block fits, transforms and keeps the training set, before any step.

    Raises
    ------
    GalsmithError
        In place of the error of whoever ran out.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise GalsmithError(_memory_text(folder, settings, error, is_preparing=is_preparing)) from error


def _memory_text(
    folder: RunFolder, settings: RunSettings, error: BaseException, *, is_preparing: bool
) -> str:
    """One line: where, why, what to halve, and what is kept."""
    first_line = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
    training = settings.training
    parts = 2 * (training.accumulate or 1)
    in_parts = settings.family.in_parts and not is_preparing and training.batch_size % parts == 0
    ways = []
    if is_preparing:
        ways.append(f"training.memory_gb (now {training.memory_gb:g})")
    if training.batch_size > 1:
        ways.append(f"training.batch_size (now {training.batch_size}, so {training.batch_size // 2})")
    ways.append(_now(settings, settings.family.widths, otherwise="the model's widths"))
    kept = (
        "; the state of the last checkpoint is kept, and the same command goes on from it where there is memory"
        if folder.checkpoint_file.exists()
        else ""
    )
    weights = (
        f" (`init_from={folder.path}` takes its weights along)"
        if kept and not settings.family.why_not_from_snapshot
        else ""
    )
    return (
        f"{folder.path}: out of memory ({first_line}); "
        + (
            f"set training.accumulate={parts} by `overrides`, which changes nothing else, or "
            if in_parts
            else ""
        )
        + f"halve {', then '.join(ways)} by `overrides`, into another `output`"
        f"{weights}, or end other programs{kept}"
    )


def _now(settings: RunSettings, names: tuple[str, ...], *, otherwise: str) -> str:
    """Name the first of some settings that the model has, with its value."""
    for name in names:
        value: Any = getattr(settings.model, name, None)
        if value is not None:
            shown = f"{value:g}" if isinstance(value, float) else value
            return f"model.{name} (now {shown})"
    return otherwise
