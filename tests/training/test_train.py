import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from galsmith.data.store import write_store
from galsmith.errors import (
    DivergedError,
    InputError,
    InterruptedRunError,
    OutputExistsError,
    SettingsError,
)
from galsmith.execution import ProgressEvent
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.models.layers.optimization import DescentTrainer
from galsmith.models.snapshot import load_snapshot, read_snapshot_page
from galsmith.settings import read_recipe
from galsmith.training import read_log, train
from galsmith.training.checkpoint import load_checkpoint

FAMILIES = ("pca_diffusion", "diffusion", "vae", "alae")
MakeRecipe = Callable[..., dict[str, Any]]


def weights_hash(run: Path) -> str:
    return str(read_snapshot_page(run / "snapshot")["tensors_sha256"])


def interrupt_at(images_seen: int) -> Callable[[ProgressEvent], None]:
    """Progress callback that presses Ctrl-C once."""
    pressed = []

    def press(event: ProgressEvent) -> None:
        if event.stage == "training" and event.done >= images_seen and not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)

    return press


@pytest.fixture(autouse=True)
def tell_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("galsmith.training.listeners.SECONDS_BETWEEN_EVENTS", 0.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_run_leaves_all_its_files(
    family: str, discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    events: list[ProgressEvent] = []
    store = write_store(tmp_path / "discs", discs)
    recipe = tiny_recipe(family, sample_grids=3, grid_images=4, data_license="CC0-1.0")
    run = train(recipe, tmp_path / "discs", tmp_path / "run", seed=3, progress=events.append)
    assert run == tmp_path / "run"
    assert sorted(path.name for path in run.iterdir()) == [
        "checkpoint", "log.jsonl", "samples", "settings.toml", "snapshot",
    ]  # fmt: skip
    assert sorted(path.name for path in (run / "samples").iterdir()) == [
        "grid-0000000096.png", "grid-0000000160.png", "grid-0000000320.png",
    ]  # fmt: skip
    card = load_snapshot(run / "snapshot").card
    assert (card["flux_unit"], card["bands"], card["pixel_scale_arcsec"]) == ("nJy", ["g"], 0.2)
    assert card["training"]["is_finished"] is True
    assert card["training"]["images_seen"] == 320
    assert card["data_license"] == "CC0-1.0"
    assert card["provenance"]["seed"] == 3
    assert card["provenance"]["parents"][0]["content_hash"] == store.content_hash
    settings = read_recipe(run / "settings.toml")
    assert settings["data"] == {
        "path": str(tmp_path / "discs"),
        "content_hash": store.content_hash,
        "bands": ["g"],
        "n_images": 120,
    }
    assert settings["model"]["family"] == family
    assert read_log(run / "log.jsonl")[-1]["images_seen"] == 320
    told = [event for event in events if event.stage == "training"]
    assert (told[-1].done, told[-1].total, told[-1].unit) == (320.0, 320.0, "images")
    assert {"loss", "images/s", "memory", "left"} <= set(told[-1].fields)


@pytest.mark.parametrize("family", FAMILIES)
def test_interrupted_and_resumed_equals_undisturbed(
    family: str, discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe(family)
    train(recipe, discs, tmp_path / "whole")
    for stop in (64, 224):
        with pytest.raises(InterruptedRunError, match=r"stopped at .* of 320 images; .*repeat the command"):
            train(recipe, discs, tmp_path / "stopped", progress=interrupt_at(stop))
        assert load_checkpoint(tmp_path / "stopped/checkpoint/checkpoint.pt").state.images_seen == stop
        assert read_snapshot_page(tmp_path / "stopped/snapshot")["card"]["training"]["images_seen"] == stop
    train(recipe, discs, tmp_path / "stopped")
    assert weights_hash(tmp_path / "stopped") == weights_hash(tmp_path / "whole")
    states = [
        load_checkpoint(tmp_path / name / "checkpoint/checkpoint.pt").trainer for name in ("whole", "stopped")
    ]
    for one, other in zip(*(flat_tensors(state) for state in states), strict=True):
        assert torch.equal(one, other)


def flat_tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    return [tensor for item in items for tensor in flat_tensors(item)]


def test_another_seed_gives_other_weights(discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path) -> None:
    runs = [train(tiny_recipe(), discs, tmp_path / f"run{seed}", seed=seed) for seed in (0, 1, 0)[:2]]
    again = train(tiny_recipe(), discs, tmp_path / "again", seed=0)
    assert weights_hash(again) == weights_hash(runs[0]) != weights_hash(runs[1])


def test_reading_from_disk_gives_the_run_of_memory(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    write_store(tmp_path / "discs", discs)
    runs = [
        train(tiny_recipe("diffusion", memory_gb=memory_gb), tmp_path / "discs", tmp_path / f"run{memory_gb}")
        for memory_gb in (1.0, 0.0)
    ]
    assert weights_hash(runs[0]) == weights_hash(runs[1])


def test_a_finished_run_says_so_and_stays(discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path) -> None:
    run = train(tiny_recipe(sample_grids=1, grid_images=2), discs, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    events: list[ProgressEvent] = []
    train(tiny_recipe(sample_grids=1, grid_images=2), discs, run, progress=events.append)
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    assert [event.fields for event in events] == [{"state": "finished before"}]  # nothing is prepared


def test_a_run_killed_before_its_last_picture_draws_it(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    run = train(tiny_recipe(sample_grids=1, grid_images=2), discs, tmp_path / "run")
    picture = run / "samples" / "grid-0000000320.png"
    picture.unlink()
    train(tiny_recipe(sample_grids=1, grid_images=2), discs, run)
    assert picture.exists()


def test_a_larger_budget_extends_a_run_and_a_smaller_one_is_refused(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    run = train(tiny_recipe(), discs, tmp_path / "run")
    train(tiny_recipe(), discs, run, images=640)
    assert load_checkpoint(run / "checkpoint/checkpoint.pt").state.images_seen == 640
    assert read_recipe(run / "settings.toml")["training"]["images"] == 640
    with pytest.raises(
        OutputExistsError, match=r"training.images was 640, now 320 \(a budget can only be raised\)"
    ):
        train(tiny_recipe(), discs, run)


def test_a_budget_of_minutes_is_kept_to(discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path) -> None:
    run = train(tiny_recipe(), discs, tmp_path / "run", minutes=0.01)
    state = load_checkpoint(run / "checkpoint/checkpoint.pt").state
    assert state.seconds >= 0.6
    with pytest.raises(OutputExistsError, match=r"budget was in minutes, now in images"):
        train(tiny_recipe(), discs, run)


def test_other_settings_and_other_data_are_refused(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    run = train(tiny_recipe(), discs, tmp_path / "run")
    with pytest.raises(
        OutputExistsError, match=r"training.batch_size was 32, now 16; choose another `output`"
    ):
        train(tiny_recipe(batch_size=16), discs, run)
    with pytest.raises(
        OutputExistsError,
        match=r"the data were in memory \(120 images, hash \w{12}\), now in memory \(110 .*overwrite",
    ):
        train(tiny_recipe(), discs.select(np.arange(110)), run)
    pixels = np.repeat(discs.stacked(), 2, axis=1)
    changed = image_set_from_arrays(list(pixels), ImageHeader(("g", "r"), "nJy", 0.2))
    with pytest.raises(
        OutputExistsError, match=r"the data were .*; bands were g, now g, r; choose another `output`"
    ):
        train(tiny_recipe(), changed, run)
    with pytest.raises(
        OutputExistsError,
        match=r"the data were .* now .*; model.family was 'pca_diffusion', now 'vae'; choose another `output`",
    ):
        train(tiny_recipe("vae"), changed.select(np.arange(110)).select(np.arange(100)), run)
    before = weights_hash(run)
    train(tiny_recipe(batch_size=16), discs, run, overwrite=True)
    assert weights_hash(run) != before


def test_a_folder_that_is_no_run_is_refused(discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path) -> None:
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "note.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"already exists; choose another `output`"):
        train(tiny_recipe(), discs, tmp_path / "thing")


def test_the_training_set_is_not_overwritten_by_its_run(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    write_store(tmp_path / "discs", discs)
    with pytest.raises(SettingsError, match=r"discs`: is the input .*discs, which would be harmed"):
        train(tiny_recipe(), tmp_path / "discs", tmp_path / "discs", overwrite=True)


def test_a_damaged_checkpoint_is_refused(discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path) -> None:
    run = train(tiny_recipe(), discs, tmp_path / "run")
    (run / "checkpoint/checkpoint.pt").write_bytes(b"rubbish")
    with pytest.raises(InputError, match=r"not a readable checkpoint"):
        train(tiny_recipe(), discs, run)


def test_a_checkpoint_of_another_run_is_refused(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    one = train(tiny_recipe(), discs, tmp_path / "one")
    other = train(tiny_recipe(), discs, tmp_path / "other", seed=1)
    (one / "checkpoint/checkpoint.pt").write_bytes((other / "checkpoint/checkpoint.pt").read_bytes())
    with pytest.raises(InputError, match=r"made by other settings or data"):
        train(tiny_recipe(), discs, one, images=640)


def test_a_diverged_run_keeps_its_last_good_state(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_step = DescentTrainer.step

    def step(self: DescentTrainer, batch: Any, progress: Any) -> Any:
        if progress.images_seen < 128:
            return real_step(self, batch, progress)
        with torch.no_grad():
            next(self.generator.parameters()).fill_(torch.nan)
        return {"loss": float("nan")}

    monkeypatch.setattr(DescentTrainer, "step", step)
    with pytest.raises(
        DivergedError, match=r"10 times in a row, at 448 images .* of 128 images .*lower model.learning_rate"
    ):
        train(tiny_recipe(images=3200), discs, tmp_path / "run")
    snapshot = load_snapshot(tmp_path / "run/snapshot")
    assert snapshot.card["training"]["images_seen"] == 128
    assert all(bool(torch.isfinite(value).all()) for value in snapshot.generator.parameters())


def test_a_run_that_ends_on_bad_steps_is_kept_and_one_on_bad_weights_is_not(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_step = DescentTrainer.step
    spoils = False

    def step(self: DescentTrainer, batch: Any, progress: Any) -> Any:
        if progress.images_seen < 288:
            return real_step(self, batch, progress)
        if spoils:
            with torch.no_grad():
                next(self.generator.parameters()).fill_(torch.nan)
        return {"loss": float("nan")}

    monkeypatch.setattr(DescentTrainer, "step", step)
    kept = train(tiny_recipe(), discs, tmp_path / "kept")
    assert read_snapshot_page(kept / "snapshot")["card"]["training"]["images_seen"] == 320
    spoils = True
    with pytest.raises(
        DivergedError, match=r"a weight is not finite at 320 .* the state of 288 images seen is kept"
    ):
        train(tiny_recipe(), discs, tmp_path / "spoiled")


def test_bfloat16_trains_and_is_not_mixed_with_float32(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    run = train(tiny_recipe("diffusion", images=64), discs, tmp_path / "run", precision="bfloat16")
    tensors = load_snapshot(run / "snapshot").generator.state_dict().values()
    assert {value.dtype for value in tensors if value.is_floating_point()} == {torch.float32}
    with pytest.raises(OutputExistsError, match=r"run.precision was 'bfloat16', now 'float32'"):
        train(tiny_recipe("diffusion", images=64), discs, run)


def test_few_images_are_warned_about(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(tiny_recipe(), discs.select(np.arange(40)), tmp_path / "few")
    assert "only 40 training images" in caplog.text
    caplog.clear()
    train(tiny_recipe(), discs, tmp_path / "enough")
    assert "training images" not in caplog.text


def broken_set(kind: str) -> ImageSet:
    rng = np.random.default_rng(0)
    images = rng.uniform(1, 2, size=(120, 1, 12, 12))
    if kind == "equal":
        images[:] = 1.0
    if kind == "nan":
        images[7, 0, 3, 3] = np.nan
    if kind == "oblong":
        images = images[:, :, :8]
    found = image_set_from_arrays(list(images), ImageHeader(("r",), "nJy"))
    if kind == "empty":
        found.catalog["split"] = "test"
    return found


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("equal", r"all training pixels of band 'r' are equal"),
        ("nan", r"image 7 has NaN or infinite pixels"),
        ("oblong", r"8x12 px: networks want square ones"),
        ("empty", r"the training split is empty"),
    ],
)
def test_data_that_cannot_be_learned_leave_nothing_behind(
    kind: str, message: str, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        train(tiny_recipe(), broken_set(kind), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"device": "quantum"}, r"`device=quantum`: cannot be used here .*; take `device=cpu`"),
        ({"precision": "float8"}, r"`precision=float8`: wanted float32 or bfloat16"),
    ],
)
def test_unusable_device_and_precision_are_refused(
    arguments: dict[str, str], message: str, discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match=message):
        train(tiny_recipe(), discs, tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_settings_of_a_run_are_a_recipe(discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path) -> None:
    run = train(tiny_recipe(), discs, tmp_path / "run")
    again = train(run / "settings.toml", discs, tmp_path / "again")
    assert weights_hash(run) == weights_hash(again)


def test_global_chance_changes_nothing_and_is_left_alone(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    state = torch.get_rng_state()
    one = train(tiny_recipe("diffusion"), discs, tmp_path / "one")
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    other = train(tiny_recipe("diffusion"), discs, tmp_path / "other")
    assert weights_hash(one) == weights_hash(other)
