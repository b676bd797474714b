"""Judging on the way and choosing the best snapshot, with a generator that gets better and then worse."""

import contextlib
import dataclasses
import math
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from galsmith.errors import DivergedError, GalsmithError, InterruptedRunError, SettingsError
from galsmith.execution import ProgressEvent
from galsmith.images import ImageSet
from galsmith.models.families import FAMILIES, Listing
from galsmith.models.family import Family
from galsmith.models.protocols import NetworkBatch, TrainingProgress
from galsmith.models.snapshot import load_snapshot, read_snapshot_page
from galsmith.settings import Settings
from galsmith.training import read_log, train
from galsmith.training.budget import Budget, Choice, RunState
from galsmith.training.checkpoint import load_checkpoint

IMAGES, BATCH = 640, 16
BEST_AT = 320  # images seen


class TideConfig(Settings):
    family: Literal["tide"] = "tide"


class TideGenerator(torch.nn.Module):
    """Draws discs whose width is its only weight."""

    galaxies_per_call = 7

    def __init__(self, size_pix: int, n_scalars: int) -> None:
        super().__init__()
        self.width = torch.nn.Parameter(torch.tensor(1.0))
        self.size_pix, self.n_scalars = size_pix, n_scalars

    def sample(self, seeds: Any, conditions: torch.Tensor | None = None) -> NetworkBatch:
        axis = torch.arange(self.size_pix) - (self.size_pix - 1) / 2
        radius = torch.hypot(axis[:, None], axis[None, :])
        own = torch.tensor([1.0 + (seed % 100) / 1000 for seed in seeds]).reshape(-1, 1, 1)
        pixels = torch.exp(-radius / (self.width * own))
        return NetworkBatch(pixels[:, None], torch.zeros(len(seeds), self.n_scalars))


class TideTrainer:
    """Moves the width through its best value, 2, which it passes at `BEST_AT` images seen."""

    def __init__(self, generator: TideGenerator) -> None:
        self.generator = generator

    def compacted(self, batch: NetworkBatch) -> NetworkBatch:
        return batch

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        with torch.no_grad():
            self.generator.width += BATCH / BEST_AT
        return {"loss": 1.0}

    def state_dict(self) -> dict[str, Any]:
        return {"generator": self.generator.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.generator.load_state_dict(state["generator"])


TIDE = Family(
    "tide",
    TideConfig,
    network=lambda plan: TideGenerator(plan.description.size_pix, len(plan.description.scalar_names)),
    trainer=lambda generator, plan: TideTrainer(generator),
)


@pytest.fixture(autouse=True)
def tide_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAMILIES, "tide", Listing("never", TIDE))
    monkeypatch.setattr("galsmith.training.listeners.SECONDS_BETWEEN_EVENTS", 0.0)


def recipe(choose: str = "best", **training: Any) -> dict[str, Any]:
    defaults = {
        "images": IMAGES,
        "batch_size": BATCH,
        "ema_width": 0.02,
        "sample_grids": 0,
        "evaluation_galaxies": 20,
        "choose_snapshot": choose,
    }
    plain = {"kind": "linear", "factor_flux": False}
    return {"transform": plain, "model": {"family": "tide"}, "training": {**defaults, **training}}


def light(images: ImageSet) -> float:
    """Mean flux of the discs, which grows with their width."""
    return float(images.stacked().mean(dtype=np.float64))


class Judge:
    """Compares the light of drawn discs with an aim; remembers what it said."""

    def __init__(self, aim: float) -> None:
        self.aim = aim
        self.said: list[float] = []

    def __call__(self, drawn: ImageSet) -> dict[str, float]:
        self.said.append(abs(light(drawn) - self.aim))
        return {"distance": self.said[-1]}


@pytest.fixture
def judge(discs: ImageSet, tmp_path: Path) -> Judge:
    """Takes the discs drawn at `BEST_AT` images seen for the real ones."""
    found: list[float] = []

    def note(drawn: ImageSet) -> dict[str, float]:
        found.append(light(drawn))
        return {"light": found[-1]}

    train(recipe("last"), discs, tmp_path / "calibration", evaluate=note)
    assert np.all(np.diff(found) > 0)
    return Judge(found[BEST_AT * 8 // IMAGES - 1])


def distances(run: Path) -> dict[int, float | None]:
    return {
        line["images_seen"]: line["distance"] for line in read_log(run / "log.jsonl") if "distance" in line
    }


def weights(run: Path) -> str:
    return str(read_snapshot_page(run / "snapshot")["tensors_sha256"])


def card(run: Path) -> dict[str, Any]:
    return dict(load_snapshot(run / "snapshot").card["training"])


def state(run: Path) -> RunState:
    return load_checkpoint(run / "checkpoint/checkpoint.pt").state


def at(images_seen: int, act: Callable[[], None]) -> Callable[[ProgressEvent], None]:
    """Progress callback that acts once."""
    acted: list[bool] = []

    def tell(event: ProgressEvent) -> None:
        if event.stage == "training" and event.done >= images_seen and not acted:
            acted.append(True)
            act()

    return tell


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def crash() -> None:
    raise SystemError("killed")


def test_the_best_snapshot_is_kept_and_the_last_one_where_that_is_wanted(
    discs: ImageSet, judge: Judge, tmp_path: Path
) -> None:
    best = train(recipe(), discs, tmp_path / "best", evaluate=judge)
    last = train(recipe("last"), discs, tmp_path / "last", evaluate=judge)
    there = train(recipe("last", images=BEST_AT), discs, tmp_path / "there")
    found = distances(best)
    assert list(found) == [80, 160, 240, 320, 400, 480, 560, 640]
    assert found == distances(last)
    assert found[BEST_AT] == 0.0 < min(found[240] or 0.0, found[400] or 0.0)
    assert weights(best) == weights(there) != weights(last)
    chosen = card(best)
    assert (chosen["images_seen"], chosen["is_finished"]) == (BEST_AT, True)
    assert chosen["chosen"] == {
        "distance": 0.0, "n_evaluations": 8, "n_galaxies": 20, "images_seen_by_run": IMAGES,
    }  # fmt: skip
    assert card(last)["images_seen"] == IMAGES
    assert "chosen" not in card(last)


def test_the_judge_sees_images_like_those_of_the_training_set(discs: ImageSet, tmp_path: Path) -> None:
    seen: list[ImageSet] = []

    def look(drawn: ImageSet) -> dict[str, float]:
        seen.append(drawn)
        return {"distance": 1.0}

    train(recipe(evaluations=2), discs, tmp_path / "run", evaluate=look)
    assert [len(drawn) for drawn in seen] == [20, 20]
    for drawn in seen:
        assert (drawn.header.bands, drawn.header.flux_unit, drawn.header.pixel_scale_arcsec) == (
            ("g",),
            "nJy",
            0.2,
        )
        assert set(drawn.catalog["split"]) == {"generated"}
        assert drawn.path == ""
    assert seen[0].stacked().sum() != seen[1].stacked().sum()


def test_every_evaluation_draws_with_the_same_seeds(
    discs: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    sample = TideGenerator.sample

    def note(self: TideGenerator, seeds: Any, conditions: Any = None) -> NetworkBatch:
        drawn.extend(seeds)
        return sample(self, seeds, conditions)

    monkeypatch.setattr(TideGenerator, "sample", note)
    train(recipe(evaluations=3), discs, tmp_path / "run", evaluate=lambda images: {"distance": 1.0})
    assert len(drawn) == 60
    assert drawn[:20] == drawn[20:40] == drawn[40:]
    assert len(set(drawn)) == 20


@pytest.mark.parametrize("stop", [64, 320, 336, 560, 640])
@pytest.mark.parametrize("act", [press_ctrl_c, crash])
def test_stopped_and_resumed_equals_undisturbed(
    act: Callable[[], None], stop: int, discs: ImageSet, judge: Judge, tmp_path: Path
) -> None:
    whole = train(recipe(), discs, tmp_path / "whole", evaluate=judge)
    stopped = tmp_path / "stopped"
    with contextlib.suppress(InterruptedRunError, SystemError):
        train(recipe(checkpoint_seconds=1e9), discs, stopped, evaluate=judge, progress=at(stop, act))
    before = state(stopped)
    if act is crash and stop > BEST_AT:
        assert before.images_seen == BEST_AT  # kept with the improvement, and not since
    if stop > BEST_AT:
        assert card(stopped)["images_seen"] == BEST_AT
    train(recipe(), discs, stopped, evaluate=judge)
    assert weights(stopped) == weights(whole)
    assert distances(stopped) == distances(whole)
    assert card(stopped)["chosen"] == card(whole)["chosen"]
    after = [dataclasses.replace(state(run), seconds=0, evaluation_seconds=0) for run in (stopped, whole)]
    for one in after:
        one.choice = dataclasses.replace(one.choice or Choice(0, 0, 0), seconds=0)
    assert after[0] == after[1]


def test_before_the_first_evaluation_the_snapshot_is_the_latest(
    discs: ImageSet, judge: Judge, tmp_path: Path
) -> None:
    with pytest.raises(InterruptedRunError, match=r"stopped at 48"):
        train(recipe(), discs, tmp_path / "run", evaluate=judge, progress=at(48, press_ctrl_c))
    assert card(tmp_path / "run")["images_seen"] == 48
    assert "chosen" not in card(tmp_path / "run")


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_distance_that_is_not_finite_is_never_chosen(
    value: float, discs: ImageSet, judge: Judge, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def spoiled(drawn: ImageSet) -> dict[str, float]:
        distance = judge(drawn)["distance"]
        return {"distance": distance if distance > 0 else value}

    run = train(recipe(), discs, tmp_path / "run", evaluate=spoiled)
    found = distances(run)
    assert found[BEST_AT] is None
    finite = {seen: distance for seen, distance in found.items() if distance is not None}
    assert card(run)["images_seen"] == min(finite, key=lambda seen: finite[seen]) in (240, 400)
    assert "no distance was finite" not in caplog.text
    none = train(recipe(), discs, tmp_path / "none", evaluate=lambda drawn: {"distance": value})
    assert card(none)["images_seen"] == IMAGES
    assert "no distance was finite, so that no snapshot was chosen; it is the last" in caplog.text


@pytest.mark.parametrize("fails_at", [1, 5, 8])
def test_a_judge_that_fails_stops_the_run_and_loses_nothing(
    fails_at: int, discs: ImageSet, judge: Judge, tmp_path: Path
) -> None:
    whole = train(recipe(), discs, tmp_path / "whole", evaluate=judge)
    calls: list[int] = []

    def failing(drawn: ImageSet) -> dict[str, float]:
        calls.append(1)
        if len(calls) == fails_at:
            raise ZeroDivisionError("no\nlight")
        return judge(drawn)

    seen = fails_at * IMAGES // 8
    message = rf"at {seen} images seen failed \(ZeroDivisionError: no\); the state is kept.*'last'"
    with pytest.raises(GalsmithError, match=message):
        train(recipe(checkpoint_seconds=1e9), discs, tmp_path / "failed", evaluate=failing)
    assert state(tmp_path / "failed").images_seen == seen
    train(recipe(), discs, tmp_path / "failed", evaluate=judge)
    assert distances(tmp_path / "failed") == distances(whole)
    assert weights(tmp_path / "failed") == weights(whole)
    assert card(tmp_path / "failed")["is_finished"] is True


def test_a_judge_without_a_distance_is_refused_where_a_choice_is_wanted(
    discs: ImageSet, tmp_path: Path
) -> None:
    with pytest.raises(GalsmithError, match=r"evaluate returned other; wanted the number 'distance'"):
        train(recipe(), discs, tmp_path / "best", evaluate=lambda drawn: {"other": 1.0})
    run = train(recipe("last"), discs, tmp_path / "last", evaluate=lambda drawn: {"other": 1.0})
    assert sum("other" in line for line in read_log(run / "log.jsonl")) == 8


def test_choosing_without_a_judge_is_refused(discs: ImageSet, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError,
        match=r"`training.choose_snapshot=best`: there is no judge .*; give train .*HeldOutJudge.* last",
    ):
        train(recipe(), discs, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_finished_run_gives_either_snapshot_without_training(
    discs: ImageSet, judge: Judge, tmp_path: Path
) -> None:
    run = train(recipe(), discs, tmp_path / "run", evaluate=judge)
    best, told = weights(run), len(judge.said)
    train(recipe("last"), discs, run)
    assert (card(run)["images_seen"], weights(run) == best) == (IMAGES, False)
    train(recipe(), discs, run, evaluate=judge)
    assert (card(run)["images_seen"], weights(run) == best) == (BEST_AT, True)
    assert len(judge.said) == told
    before = (run / "snapshot/snapshot.safetensors").stat().st_mtime_ns
    train(recipe(), discs, run, evaluate=judge)
    assert (run / "snapshot/snapshot.safetensors").stat().st_mtime_ns == before


def test_a_run_that_ended_unjudged_says_that_nothing_was_chosen(
    discs: ImageSet, judge: Judge, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = train(recipe("last"), discs, tmp_path / "run")
    assert "chosen" not in caplog.text
    train(recipe(), discs, run, evaluate=judge)
    assert "no evaluation was made, so that no snapshot was chosen; it is the last" in caplog.text
    assert judge.said == []


def test_an_extended_run_goes_on_from_its_best(discs: ImageSet, judge: Judge, tmp_path: Path) -> None:
    run = train(recipe(), discs, tmp_path / "run", evaluate=judge)
    train(recipe(), discs, run, images=2 * IMAGES, evaluate=judge)
    assert list(distances(run))[8:] == [800, 960, 1120, 1280]
    assert card(run)["images_seen"] == BEST_AT
    assert card(run)["chosen"]["images_seen_by_run"] == 2 * IMAGES


def test_a_diverged_run_keeps_its_best_snapshot(
    discs: ImageSet, judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = TideTrainer.step

    def diverge(self: TideTrainer, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        return step(self, batch, progress) if progress.images_seen < 420 else {"loss": math.nan}

    monkeypatch.setattr(TideTrainer, "step", diverge)
    with pytest.raises(DivergedError, match=r"not finite 10 times in a row"):
        train(recipe(), discs, tmp_path / "run", evaluate=judge)
    assert card(tmp_path / "run")["images_seen"] == BEST_AT
    assert card(tmp_path / "run")["is_finished"] is False


def test_the_progress_shows_the_last_distance_and_the_least(
    discs: ImageSet, judge: Judge, tmp_path: Path
) -> None:
    events: list[ProgressEvent] = []
    train(recipe(), discs, tmp_path / "run", evaluate=judge, progress=events.append)
    fields = {int(event.done): event.fields for event in events if event.stage == "training"}
    assert "distance" not in fields[80]
    assert fields[96]["distance"] == fields[96]["best"] == f"{judge.said[0]:.3g}"
    assert (fields[640]["distance"], fields[640]["best"]) == (f"{judge.said[6]:.3g}", "0")
    assert sum(event.stage == "judging drawn galaxies" for event in events) == 8


def test_evaluations_come_at_even_marks_and_leave_time_to_train() -> None:
    by_images = Budget(None, 960)
    assert not by_images.is_evaluation_due(RunState(images_seen=319), evaluations=3)
    assert by_images.is_evaluation_due(RunState(images_seen=320, evaluation_seconds=9.0), evaluations=3)
    assert not by_images.is_evaluation_due(RunState(images_seen=639, evaluated_at=320.0), evaluations=3)
    assert by_images.is_evaluation_due(RunState(images_seen=970, evaluated_at=640.0), evaluations=3)
    assert not by_images.is_evaluation_due(RunState(images_seen=970, evaluated_at=970.0), evaluations=3)
    by_minutes = Budget(1.0, None)
    slow = RunState(seconds=31.0, evaluated_at=16.0, evaluation_seconds=8.0)
    assert not by_minutes.is_evaluation_due(slow, evaluations=4)
    assert by_minutes.is_evaluation_due(dataclasses.replace(slow, seconds=33.0), evaluations=4)
    ended = RunState(seconds=60.5, evaluated_at=50.0, evaluation_seconds=40.0)
    assert by_minutes.is_evaluation_due(ended, evaluations=4)
