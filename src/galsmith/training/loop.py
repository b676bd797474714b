"""The training loop: any `Trainer`, any batches; all else that happens on the way are listeners."""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Protocol, TypeVar

import torch

from galsmith.counts import counted
from galsmith.errors import DivergedError
from galsmith.models.protocols import TrainingProgress
from galsmith.training.averages.power_function import WeightAverage
from galsmith.training.batches import Batches
from galsmith.training.budget import Budget, RunState
from galsmith.training.crew import SOLO, Crew

BAD_STEPS_AT_MOST = 10
Batch = TypeVar("Batch")
Batch_contra = TypeVar("Batch_contra", contravariant=True)


class InterruptNote:
    """Whether the run was asked to stop."""

    def __init__(self) -> None:
        self.is_asked = False


@contextlib.contextmanager
def interrupts_noted() -> Iterator[InterruptNote]:
    """Note SIGINT (Ctrl-C) and SIGTERM instead of stopping at once; a second SIGINT does stop at once.

    Outside the main thread, where signals cannot be caught, nothing changes.
    """
    note = InterruptNote()
    if threading.current_thread() is not threading.main_thread():
        yield note
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if note.is_asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        note.is_asked = True

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield note
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class StepReport:
    """One finished step, for the listeners.

    Attributes
    ----------
    images_seen : int
        With this step.
    seconds : float
        Wall-clock training time with this step.
    budget_before, budget_used : float
        Share of the budget spent before and with this step, in [0, 1].
    losses : mapping of str to float
        What the step returned.
    is_good : bool
        Whether all losses are finite; a step that is not good changed nothing.
    """

    images_seen: int
    seconds: float
    budget_before: float
    budget_used: float
    losses: Mapping[str, float]
    is_good: bool


Listener = Callable[[StepReport], None]


class Stepping(Protocol[Batch_contra]):
    """What the loop asks of a trainer, whatever its batches are."""

    @property
    def generator(self) -> torch.nn.Module:
        """The network that is averaged over time."""

    def step(self, batch: Batch_contra, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step and return the losses by name."""


def run_loop(
    trainer: Stepping[Batch],
    batches: Batches[Batch],
    *,
    averages: Sequence[WeightAverage],
    state: RunState,
    budget: Budget,
    seed: int,
    batch_size: int,
    listeners: Sequence[Listener],
    note: InterruptNote,
    crew: Crew = SOLO,
    parts: int = 1,
) -> bool:
    """Take steps until the budget is spent or a stop is asked for.

    Parameters
    ----------
    trainer : Stepping
        Takes the steps: a `Trainer`, or one of other batches.
    batches : Batches
        Gives the images of each.
    averages : sequence of WeightAverage
        Each averages the trainer's generator after every good step.
    state : RunState
        Where to go on from; moved forward in place.
    budget : Budget
        When to end.
    seed : int
        The run's seed.
    batch_size : int
        Images a step.
    listeners : sequence of callable
        Called after every step, in order.
    note : InterruptNote
        Looked at after every step.
    crew : Crew
        The processes that take each step together; all stop after the same one.
    parts : int
        In how many parts a step's gradients are taken.

    Returns
    -------
    bool
        Whether the budget is spent; False after a stop.

    Raises
    ------
    DivergedError
        After ten steps in a row whose loss is not finite.
    """
    started = time.perf_counter() - state.seconds
    while not budget.is_spent(state):
        before = budget.used(state)
        progress = TrainingProgress(seed, state.images_seen, before, crew.ranks, parts=parts)
        losses = trainer.step(batches.at(state.images_seen), progress)
        is_good = all(math.isfinite(value) for value in losses.values())
        state.images_seen += batch_size
        state.seconds, is_stopping = crew.agreed(time.perf_counter() - started, is_asked=note.is_asked)
        _count_bad_steps(state, is_good=is_good)
        if is_good:
            for average in averages:
                average.update(trainer.generator, images_seen=state.images_seen, step_images=batch_size)
        report = StepReport(
            state.images_seen, state.seconds, before, budget.used(state), dict(losses), is_good
        )
        for listener in listeners:
            listener(report)
        # a listener may ask too: alone that ends the run at once, together after the next step
        if is_stopping or (crew.place.count == 1 and note.is_asked):
            return budget.is_spent(state)
    return True


def _count_bad_steps(state: RunState, *, is_good: bool) -> None:
    """Count a step that is not good, and give up after too many in a row."""
    if is_good:
        state.bad_steps_in_a_row = 0
        return
    state.bad_steps += 1
    state.bad_steps_in_a_row += 1
    if state.bad_steps_in_a_row >= BAD_STEPS_AT_MOST:
        raise DivergedError(
            f"the loss was not finite {BAD_STEPS_AT_MOST} times in a row, at {counted(state.images_seen, 'images seen')}"
        )
