import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch

from galsmith.errors import DivergedError
from galsmith.models.protocols import NetworkBatch, TrainingProgress
from galsmith.training.averages.power_function import PowerFunctionEma
from galsmith.training.budget import Budget, RunState
from galsmith.training.loop import InterruptNote, StepReport, run_loop


class CountingTrainer:
    """Adds one to its weight at each good step; the losses are given beforehand."""

    def __init__(self, losses: list[float]) -> None:
        self.generator = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.generator.weight)
        self.losses = losses
        self.seen: list[TrainingProgress] = []

    def compacted(self, batch: NetworkBatch) -> NetworkBatch:
        return batch

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        loss = self.losses[len(self.seen)] if len(self.seen) < len(self.losses) else 1.0
        self.seen.append(progress)
        if math.isfinite(loss):
            with torch.no_grad():
                self.generator.weight += 1
        return {"loss": loss}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        pass


class OneBatch:
    def at(self, images_seen: int) -> NetworkBatch:
        return NetworkBatch(torch.zeros(4, 1, 2, 2), torch.zeros(4, 0))

    def close(self) -> None:
        pass


def run(
    trainer: CountingTrainer,
    state: RunState,
    budget: Budget,
    *,
    note: InterruptNote | None = None,
    stop_at: int = -1,
) -> tuple[bool, list[StepReport], PowerFunctionEma]:
    reports: list[StepReport] = []
    asked = InterruptNote() if note is None else note
    ema = PowerFunctionEma(trainer.generator, width=0.2)

    def listen(report: StepReport) -> None:
        reports.append(report)
        asked.is_asked = report.images_seen == stop_at

    finished = run_loop(
        trainer,
        OneBatch(),
        averages=[ema],
        state=state,
        budget=budget,
        seed=11,
        batch_size=4,
        listeners=[listen],
        note=asked,
    )
    return finished, reports, ema


def test_loop_spends_an_image_budget_and_tells_each_step() -> None:
    trainer, state = CountingTrainer([]), RunState()
    finished, reports, _ = run(trainer, state, Budget(None, 10))
    assert finished
    assert [report.images_seen for report in reports] == [4, 8, 12]  # the step that crosses the end is whole
    assert [progress.images_seen for progress in trainer.seen] == [0, 4, 8]
    assert [progress.budget_used for progress in trainer.seen] == [0.0, 0.4, 0.8]
    assert {progress.seed for progress in trainer.seen} == {11}
    assert reports[-1].budget_used == 1.0


def test_loop_ends_when_the_minutes_of_all_resumes_are_spent() -> None:
    trainer, state = CountingTrainer([]), RunState(images_seen=400, seconds=59.999)
    finished, reports, _ = run(trainer, state, Budget(1.0, None))
    assert finished
    assert state.seconds >= 60.0
    assert reports[0].budget_before == pytest.approx(59.999 / 60)


def test_loop_stops_after_the_step_in_progress() -> None:
    state = RunState()
    finished, reports, _ = run(CountingTrainer([]), state, Budget(None, 40), stop_at=12)
    assert not finished
    assert (state.images_seen, len(reports)) == (12, 3)


def test_bad_steps_are_counted_and_leave_the_average_alone() -> None:
    trainer, state = CountingTrainer([1.0, math.nan, math.inf, 1.0]), RunState()
    _, reports, ema = run(trainer, state, Budget(None, 12))
    assert [report.is_good for report in reports] == [True, False, False]
    assert (state.bad_steps, state.bad_steps_in_a_row) == (2, 2)
    assert float(ema.average.weight) == 1.0


def test_a_good_step_ends_the_row_of_bad_ones() -> None:
    trainer, state = CountingTrainer([math.nan] * 9 + [1.0] + [math.nan] * 9 + [1.0]), RunState()
    run(trainer, state, Budget(None, 80))
    assert (state.bad_steps, state.bad_steps_in_a_row) == (18, 0)


def test_ten_bad_steps_in_a_row_stop_the_run() -> None:
    state = RunState()
    with pytest.raises(DivergedError, match=r"not finite 10 times in a row, at 52 images"):
        run(CountingTrainer([1.0, 1.0, 1.0] + [math.nan] * 20), state, Budget(None, 400))
