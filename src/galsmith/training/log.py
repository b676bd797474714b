"""The run's log: one JSON object a line, and TensorBoard's files where wanted."""

import importlib.util
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from galsmith.files import raise_if_unwritable, written_atomically
from galsmith.training.loop import StepReport
from galsmith.training.memory import memory_mb

logger = logging.getLogger("galsmith")


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
