"""The live progress of training: loss, speed, memory and what is left of the budget, as progress events."""

from collections.abc import Mapping
from typing import Protocol

import torch

from galsmith.execution import ProgressCallback, ProgressEvent
from galsmith.training.budget import Budget
from galsmith.training.loop import StepReport
from galsmith.training.memory import memory_mb

SECONDS_BETWEEN_EVENTS = 0.5
LOSS_MEMORY = 0.98


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
