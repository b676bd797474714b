"""What happens beside the steps: the log, live progress, checkpoints, averages for later, and pictures."""

import importlib.util
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from galsmith.execution import ProgressCallback, ProgressEvent
from galsmith.files import raise_if_unwritable, written_atomically
from galsmith.models.devices import memory_mb
from galsmith.training.averages.folder import remove_averages_after, write_averages
from galsmith.training.budget import Budget
from galsmith.training.loop import StepReport
from galsmith.training.run import TrainingRun

logger = logging.getLogger("galsmith")


SECONDS_BETWEEN_EVENTS = 0.5
LOSS_MEMORY = 0.98


class TrainingLog:
    """Averages losses and writes a line every few seconds; a loop listener.

    Parameters
    ----------
    path : Path
        ``log.jsonl``; lines after `images_seen` (of steps that a killed run lost) are dropped.
    images_seen : int
        Where the run goes on.
    log_seconds : float
        Time between lines.
    device : torch.device
        Whose memory is logged.
    tensorboard : Path or None
        Folder for TensorBoard's files.
    """

    def __init__(
        self,
        path: Path,
        *,
        images_seen: int,
        log_seconds: float,
        device: torch.device,
        tensorboard: Path | None = None,
    ) -> None:
        self._path, self._log_seconds, self._device = path, log_seconds, device
        self._sums: dict[str, float] = {}
        self._n_good, self._n_bad = 0, 0
        self._last: StepReport | None = None
        self._line_at: tuple[float, int] | None = None
        _drop_lines_after(path, images_seen)
        self._board = _tensorboard_writer(tensorboard, images_seen) if tensorboard is not None else None

    def __call__(self, report: StepReport) -> None:
        """Take in a step; write a line when it is time."""
        if self._line_at is None:
            self._line_at = (report.seconds, report.images_seen)
        if report.is_good:
            self._n_good += 1
            for name, value in report.losses.items():
                self._sums[name] = self._sums.get(name, 0.0) + value
        else:
            self._n_bad += 1
        self._last = report
        if report.seconds - self._line_at[0] >= self._log_seconds:
            self.flush()

    def flush(self) -> None:
        """Write a line for the steps since the last one."""
        if self._last is None or self._n_good + self._n_bad == 0:
            return
        self.write(self._line(self._last))
        self._line_at = (self._last.seconds, self._last.images_seen)
        self._sums, self._n_good, self._n_bad = {}, 0, 0

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one JSON object, which has ``images_seen``."""
        try:
            with self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(dict(line), allow_nan=False) + "\n")
        except OSError as error:
            raise_if_unwritable(error, self._path)
            raise
        if self._board is not None:
            for name, value in line.items():
                if isinstance(value, int | float):
                    self._board.add_scalar(name, value, line["images_seen"])

    def close(self) -> None:
        """Write what is left and close TensorBoard's files."""
        self.flush()
        if self._board is not None:
            self._board.close()

    def _line(self, report: StepReport) -> dict[str, Any]:
        """Content of a line: averages since the one before."""
        seconds, images = self._line_at if self._line_at is not None else (0.0, 0)
        elapsed = report.seconds - seconds
        speed = {"images_per_s": round((report.images_seen - images) / elapsed, 2)} if elapsed > 0 else {}
        return {
            "images_seen": report.images_seen,
            "seconds": round(report.seconds, 3),
            "budget_used": round(report.budget_used, 6),
            **{name: total / self._n_good for name, total in self._sums.items()},
            **speed,
            "memory_mb": round(memory_mb(self._device)),
            "bad_steps": self._n_bad,
        }


def read_log(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a log; a last line that a killed run left half-written is left out."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def _drop_lines_after(path: Path, images_seen: int) -> None:
    """Keep only the lines up to a checkpoint, so that a resumed log tells each step once."""
    lines = read_log(path)
    kept = [line for line in lines if line.get("images_seen", 0) <= images_seen]
    with written_atomically(path) as temporary:
        temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")


def _tensorboard_writer(folder: Path, images_seen: int) -> Any:
    """Open TensorBoard's writer, or say that it is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        logger.warning(
            "training.tensorboard is true but TensorBoard is not installed; the log goes to log.jsonl only "
            "(pip install 'galsmith[tensorboard]')"
        )
        return None
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=images_seen)


class Watched(Protocol):
    """Has more to show beside the loss."""

    @property
    def fields(self) -> Mapping[str, str]:
        """Words by name."""


class LiveProgress:
    """Tells a progress callback how training goes, twice a second; a loop listener.

    Parameters
    ----------
    progress : callable
        Gets the events.
    budget : Budget
        Sets unit and total.
    device : torch.device
        Whose memory is shown.
    watched : Watched
        What else is shown.
    """

    def __init__(
        self, progress: ProgressCallback, *, budget: Budget, device: torch.device, watched: Watched
    ) -> None:
        self._progress, self._budget, self._device, self._watched = progress, budget, device, watched
        self._loss: float | None = None
        self._first: StepReport | None = None
        self._told_at: float | None = None

    def __call__(self, report: StepReport) -> None:
        """Take in a step; tell when it is time, and after the last step."""
        if report.is_good:
            self._take_in(next(iter(report.losses.values()), 0.0))
        if self._first is None:
            self._first = report
        is_due = self._told_at is None or report.seconds - self._told_at >= SECONDS_BETWEEN_EVENTS
        if is_due or report.budget_used >= 1.0:
            self._told_at = report.seconds
            self._progress(self._event(report))

    def _take_in(self, loss: float) -> None:
        """Smooth the loss over some fifty steps."""
        self._loss = loss if self._loss is None else LOSS_MEMORY * self._loss + (1.0 - LOSS_MEMORY) * loss

    def _event(self, report: StepReport) -> ProgressEvent:
        """Say what to show."""
        is_timed = self._budget.minutes is not None
        done = report.seconds if is_timed else float(report.images_seen)
        fields = {"loss": "-" if self._loss is None else f"{self._loss:.4g}"}
        fields.update(self._watched.fields)
        first = self._first if self._first is not None else report
        elapsed = report.seconds - first.seconds
        if elapsed > 0:
            fields["images/s"] = f"{(report.images_seen - first.images_seen) / elapsed:.0f}"
        fields["images"] = f"{report.images_seen:,}"
        fields["memory"] = f"{memory_mb(self._device):.0f} MB"
        left = max(self._budget.total - done, 0.0)
        fields["left"] = f"{left / 60:.1f} min" if is_timed else f"{left:,.0f} images"
        return ProgressEvent(
            "training", min(done, self._budget.total), self._budget.total, self._budget.unit, fields
        )


class Keeper:
    """Writes checkpoint and snapshot every so often; a loop listener."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        self._kept_at = run.state.seconds

    def __call__(self, report: StepReport) -> None:
        """Keep the run when it is time and its last step was good; the end is kept by whoever runs the loop."""
        if report.seconds - self._kept_at < self._run.settings.training.checkpoint_seconds:
            return
        if report.is_good and report.budget_used < 1.0:
            self._run.save(is_finished=False)
        self._kept_at = report.seconds


class AverageKeeper:
    """Keeps averages to make others from, evenly over the budget; a loop listener.

    Files of a time that the run has not reached are of steps that a killed run lost; they are removed.
    """

    def __init__(self, run: TrainingRun) -> None:
        self._run = run
        remove_averages_after(run.folder.averages_folder, run.state.images_seen)

    def __call__(self, report: StepReport) -> None:
        """Write a file when it is time and the step was good."""
        run, state = self._run, self._run.state
        count, budget = run.settings.training.posthoc_averages, run.settings.budget
        if not run.kept_averages or not count or not report.is_good:
            return
        if budget.is_mark_passed(state, since=state.averaged_at, marks=count):
            write_averages(run.folder.averages_folder, run.kept_averages, images_seen=state.images_seen)
            state.averaged_at = budget.done(state)


class GridPainter:
    """Draws a picture of galaxies at a few times, each at twice the budget of the one before; a loop listener."""

    def __init__(self, run: TrainingRun) -> None:
        self._run = run

    def __call__(self, report: StepReport) -> None:
        """Draw when it is time; the last picture is drawn after the loop."""
        if is_picture_time(report, self._run.settings.training.sample_grids):
            self._run.draw_grid()


def is_picture_time(report: StepReport, n_pictures: int) -> bool:
    """Whether a step crossed 1/2, 1/4, ... of the budget, the end not counted among the `n_pictures`."""
    marks = [2.0**-power for power in range(1, n_pictures)]
    return report.budget_used < 1.0 and any(
        report.budget_before < mark <= report.budget_used for mark in marks
    )
