"""Averages kept on the way, and snapshots of other widths made of them."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from galsmith.errors import GalsmithError, InputError, InterruptedRunError, OutputExistsError, SettingsError
from galsmith.execution import ProgressEvent
from galsmith.images import ImageSet
from galsmith.models.snapshot import load_snapshot, read_snapshot_page
from galsmith.training import read_log, remade_snapshot, train
from galsmith.training.averages.folder import KEPT_WIDTHS
from galsmith.training.evaluation import JUDGED_WIDTHS

MakeRecipe = Callable[..., dict[str, Any]]


@pytest.fixture
def recipe(tiny_recipe: MakeRecipe) -> MakeRecipe:
    """Makes recipes of a run that keeps averages eight times."""

    def make(**training: Any) -> dict[str, Any]:
        return tiny_recipe(**{"posthoc_averages": 8, "checkpoint_seconds": 60.0, "images": 512, **training})

    return make


def sha(folder: Path) -> str:
    return str(read_snapshot_page(folder)["tensors_sha256"])


def card(folder: Path) -> dict[str, Any]:
    return dict(read_snapshot_page(folder)["card"]["training"])


def files(run: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted((run / "averages").iterdir())}


def weights(folder: Path) -> torch.Tensor:
    generator = load_snapshot(folder).generator
    return torch.cat([value.flatten() for value in generator.parameters()])


@pytest.mark.parametrize("width", [0.03, 0.08, 0.15])
def test_a_snapshot_made_afterwards_is_that_of_a_run_of_this_width(
    width: float, discs: ImageSet, recipe: MakeRecipe, tmp_path: Path
) -> None:
    images = 64 * 32
    true = train(recipe(images=images, ema_width=width, posthoc_averages=0), discs, tmp_path / "true")
    run = train(recipe(images=images, posthoc_averages=64), discs, tmp_path / "run")
    made = weights(remade_snapshot(run, tmp_path / "made", ema_width=width))
    few = train(recipe(images=images), discs, tmp_path / "few")
    rough = weights(remade_snapshot(few, tmp_path / "rough", ema_width=width))
    aim, other = weights(true / "snapshot"), weights(run / "snapshot")
    assert torch.allclose(made, aim, atol=2e-6, rtol=0)
    assert (rough - aim).norm() < 0.1 * (other - aim).norm()


def test_kept_widths_are_given_back_to_the_last_digit(
    discs: ImageSet, recipe: MakeRecipe, tmp_path: Path
) -> None:
    run = train(recipe(ema_width=0.2), discs, tmp_path / "run")
    for width in KEPT_WIDTHS:
        true = train(recipe(ema_width=width, posthoc_averages=0), discs, tmp_path / f"true{width}")
        made = weights(remade_snapshot(run, tmp_path / f"made{width}", ema_width=width))
        assert torch.allclose(made, weights(true / "snapshot"), atol=1e-7, rtol=0)


def test_a_half_life_in_place_of_a_width_is_trained_kept_and_resumed(
    discs: ImageSet, recipe: MakeRecipe, tmp_path: Path
) -> None:
    run = train(recipe(ema_half_life=100.0), discs, tmp_path / "run")
    wide = train(recipe(), discs, tmp_path / "wide")
    assert sha(run / "snapshot") != sha(wide / "snapshot")
    card = read_snapshot_page(run / "snapshot")["card"]
    assert card["training"]["ema_width"] is None
    made = weights(
        remade_snapshot(run, tmp_path / "made", ema_width=KEPT_WIDTHS[0])
    )  # which are kept beside it
    assert torch.allclose(
        made, weights(remade_snapshot(wide, tmp_path / "again", ema_width=KEPT_WIDTHS[0])), atol=1e-7
    )


def test_settings_of_drawing_are_changed_after_training_and_no_others(
    discs: ImageSet, recipe: MakeRecipe, tmp_path: Path
) -> None:
    run = train(recipe(), discs, tmp_path / "run")
    made = remade_snapshot(run, tmp_path / "made", overrides=["model.sampler_steps=2"])
    config = load_snapshot(made).config
    assert config == load_snapshot(run / "snapshot").config.model_copy(update={"sampler_steps": 2})
    assert torch.equal(weights(made), weights(run / "snapshot"))
    for entry in ("model.width=8", "training.seed=3"):
        with pytest.raises(
            SettingsError, match=rf"{entry.partition('=')[0]} is no setting of drawing; those of"
        ):
            remade_snapshot(run, tmp_path / "none", overrides=[entry])


def test_a_snapshot_tuned_to_few_steps_keeps_the_noise_levels_that_it_jumps_between(
    discs: ImageSet, recipe: MakeRecipe, tmp_path: Path
) -> None:
    run = train(recipe(), discs, tmp_path / "run")
    few = ("model.tuned_steps=[1,2]", "model.sampler_steps=2")
    tuned = train(recipe(), discs, tmp_path / "tuned", init_from=run, overrides=few)
    with pytest.raises(SettingsError, match="tuned to few steps between its own noise levels") as error:
        remade_snapshot(tuned, tmp_path / "none", overrides=["model.lowest_noise_level=0.2"])
    assert error.value.argument == "model.lowest_noise_level"
    made = remade_snapshot(tuned, tmp_path / "one", overrides=["model.sampler_steps=1"])
    assert load_snapshot(made).config.sampler_steps == 1
    # an ordinary snapshot may be drawn between others
    other = remade_snapshot(run, tmp_path / "other", overrides=["model.lowest_noise_level=0.2"])
    assert load_snapshot(other).config.lowest_noise_level == 0.2


def test_they_are_kept_evenly_and_change_nothing_else(
    discs: ImageSet, recipe: MakeRecipe, tmp_path: Path
) -> None:
    run = train(recipe(), discs, tmp_path / "run")
    assert list(files(run)) == [f"average-{64 * (k + 1):010d}.safetensors" for k in range(8)]
    none = train(recipe(posthoc_averages=0), discs, tmp_path / "none")
    assert not (none / "averages").exists()
    assert sha(run / "snapshot") == sha(none / "snapshot")


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def crash() -> None:
    raise SystemError("killed")


@pytest.mark.parametrize("act", [interrupt, crash])
def test_stopped_and_resumed_keeps_the_same(
    act: Callable[[], None],
    discs: ImageSet,
    recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("galsmith.training.listeners.SECONDS_BETWEEN_EVENTS", 0.0)
    acted = []

    def tell(event: ProgressEvent) -> None:
        if event.stage == "training" and event.done >= 288 and not acted:
            acted.append(True)
            act()

    whole, stopped = train(recipe(), discs, tmp_path / "whole"), tmp_path / "stopped"
    with pytest.raises((InterruptedRunError, SystemError)):
        train(recipe(), discs, stopped, progress=tell)
    assert len(files(stopped)) == 4
    train(recipe(), discs, stopped)
    assert files(stopped) == files(whole)


def test_what_a_killed_run_kept_too_much_is_removed(
    discs: ImageSet, recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("galsmith.training.listeners.SECONDS_BETWEEN_EVENTS", 0.0)

    def tell(event: ProgressEvent) -> None:
        if event.stage == "training" and event.done >= 288:
            crash()

    with pytest.raises(SystemError):
        train(recipe(), discs, tmp_path / "run", progress=tell)
    assert len(files(tmp_path / "run")) == 4  # the checkpoint is of the start
    with pytest.raises(SystemError):
        train(
            recipe(),
            discs,
            tmp_path / "run",
            progress=lambda event: crash() if event.stage == "training" else None,
        )
    assert files(tmp_path / "run") == {}


class Judge:
    """Says a given number at each call, 9 when there are no more."""

    def __init__(self, *numbers: float) -> None:
        self.left = list(numbers)

    def __call__(self, drawn: ImageSet) -> dict[str, float]:
        return {"distance": self.left.pop(0) if self.left else 9.0}


def test_the_best_width_is_kept(discs: ImageSet, recipe: MakeRecipe, tmp_path: Path) -> None:
    best = recipe(choose_snapshot="best", evaluations=2, evaluation_galaxies=4)
    run = train(best, discs, tmp_path / "run", evaluate=Judge(5.0, 4.0, 3.0, 2.0, 1.0))
    lines = [line for line in read_log(run / "log.jsonl") if "distance" in line]
    assert [(line.get("ema_width"), line["distance"]) for line in lines] == [
        (None, 5.0), (None, 4.0), (0.03, 3.0), (0.05, 2.0), (0.08, 1.0), (0.15, 9.0),
    ]  # fmt: skip
    assert {line["images_seen"] for line in lines[1:]} == {512}
    kept = card(run / "snapshot")
    assert (kept["ema_width"], kept["images_seen"]) == (0.08, 512)
    assert kept["chosen"] == {
        "distance": 1.0, "ema_width": 0.08, "n_evaluations": 6, "n_galaxies": 4, "images_seen_by_run": 512,
    }  # fmt: skip
    assert sha(run / "snapshot") == sha(remade_snapshot(run, tmp_path / "made", ema_width=0.08))
    train(best, discs, run, evaluate=Judge())  # finished: nothing is judged again
    assert len([line for line in read_log(run / "log.jsonl") if "distance" in line]) == 6
    last = train(recipe(choose_snapshot="last", evaluations=2, evaluation_galaxies=4), discs, run)
    assert card(last / "snapshot")["ema_width"] == 0.1
    again = train(best, discs, run, evaluate=Judge())
    assert card(again / "snapshot")["ema_width"] == 0.08


def test_averages_that_cannot_be_read_leave_the_run_as_it_is(
    discs: ImageSet, recipe: MakeRecipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = tmp_path / "run"

    def spoil(drawn: ImageSet) -> dict[str, float]:
        (run / "averages" / "average-0000000064.safetensors").write_bytes(b"rubbish")
        return {"distance": 1.0}

    train(recipe(choose_snapshot="best", evaluations=1, evaluation_galaxies=4), discs, run, evaluate=spoil)
    assert "the width 0.03 is not judged: " in caplog.text
    assert card(run / "snapshot")["is_finished"] is True


def test_a_judge_that_fails_on_a_width_is_asked_again(
    discs: ImageSet, recipe: MakeRecipe, tmp_path: Path
) -> None:
    best = recipe(choose_snapshot="best", evaluations=1, evaluation_galaxies=4)
    numbers = [5.0, 4.0]
    with pytest.raises(GalsmithError, match=r"judging the galaxies drawn at 512 .* failed \(IndexError"):
        train(best, discs, tmp_path / "run", evaluate=lambda _: {"distance": numbers.pop(0)})
    run = train(best, discs, tmp_path / "run", evaluate=Judge(2.0))
    kept = card(run / "snapshot")
    assert (kept["is_finished"], kept["chosen"]["distance"], kept["ema_width"]) == (True, 2.0, 0.03)


def test_widths_are_judged_only_where_the_best_is_wanted(
    discs: ImageSet, recipe: MakeRecipe, tmp_path: Path
) -> None:
    asked = recipe(choose_snapshot="last", evaluations=2, evaluation_galaxies=4)
    run = train(asked, discs, tmp_path / "run", evaluate=Judge())
    assert len([line for line in read_log(run / "log.jsonl") if "distance" in line]) == 2
    worse = train(
        recipe(choose_snapshot="best", evaluations=2, evaluation_galaxies=4),
        discs, tmp_path / "worse", evaluate=Judge(5.0, 4.0),
    )  # fmt: skip
    kept = card(worse / "snapshot")
    assert "ema_width" not in kept["chosen"]
    assert kept["chosen"]["n_evaluations"] == 2 + len([width for width in JUDGED_WIDTHS if width != 0.1])


def test_the_card_says_how_a_snapshot_was_made(discs: ImageSet, recipe: MakeRecipe, tmp_path: Path) -> None:
    run = train(recipe(), discs, tmp_path / "run")
    page = read_snapshot_page(remade_snapshot(run, tmp_path / "made", ema_width=0.08))
    training, made_by = page["card"]["training"], page["card"]["provenance"]
    assert (training["ema_width"], training["images_seen"]) == (0.08, 512)
    assert training["made_from"]["n_averages"] == 16
    assert 0.001 < training["made_from"]["profile_error"] < 0.05
    assert made_by["verb"] == "snapshot"
    assert [parent["role"] for parent in made_by["parents"]] == ["snapshot of the run", "training set"]


def test_what_cannot_be_made_is_refused(discs: ImageSet, recipe: MakeRecipe, tmp_path: Path) -> None:
    run = train(recipe(), discs, tmp_path / "run")
    none = train(recipe(posthoc_averages=0), discs, tmp_path / "none")
    made = tmp_path / "made"
    for width in (0.0, 0.3, -1.0):
        with pytest.raises(
            SettingsError, match=r"`ema_width=.*`: wanted a share of the training's length between 0"
        ):
            remade_snapshot(run, made, ema_width=width)
    with pytest.raises(
        InputError, match=r"no averages were kept on the way; train with training.posthoc_aver"
    ):
        remade_snapshot(none, made, ema_width=0.08)
    with pytest.raises(InputError, match=r"not a run; give the run folder"):
        remade_snapshot(run / "snapshot", made, ema_width=0.08)
    assert not made.exists()
    remade_snapshot(run, made, ema_width=0.08)
    with pytest.raises(OutputExistsError, match=r"already exists; choose another `output`"):
        remade_snapshot(run, made, ema_width=0.05)
    before = sha(made)
    remade_snapshot(run, made, ema_width=0.05, overwrite=True)
    assert sha(made) != before
    (run / "averages" / "average-0000000256.safetensors").write_bytes(b"rubbish")
    with pytest.raises(InputError, match=r"average-0000000256.* not a readable file of averages .*remove it"):
        remade_snapshot(run, tmp_path / "other", ema_width=0.08)
    assert not (tmp_path / "other").exists()
