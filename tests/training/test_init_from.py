"""Starting a run from a snapshot's weights: what is taken along, what is new, and what does not fit."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from galsmith.errors import InputError, InterruptedRunError, OutputExistsError, SettingsError
from galsmith.execution import ProgressEvent
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.models.draws import draw_pixels
from galsmith.models.snapshot import Snapshot, load_snapshot, read_snapshot_page
from galsmith.settings import read_recipe
from galsmith.training import train

MakeRecipe = Callable[..., dict[str, Any]]


def discs(
    n: int, *, scale_pix: tuple[float, float], flux: float = 30.0, seed: int = 0, size_pix: int = 16
) -> ImageSet:
    """Round exponential discs of random size in one band."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size_pix, :size_pix] - (size_pix - 1) / 2
    light = [np.exp(-np.hypot(x, y) / scale) for scale in rng.uniform(*scale_pix, size=n)]
    fluxes = flux * rng.uniform(0.5, 2.0, size=n)
    images = [
        (f * one / one.sum())[np.newaxis].astype(np.float32) for f, one in zip(fluxes, light, strict=True)
    ]
    return image_set_from_arrays(images, ImageHeader(("g",), "nJy", 0.2))


def drawn(snapshot: Snapshot, n: int = 40) -> np.ndarray:
    return np.stack(draw_pixels(snapshot.generator, range(n), snapshot.transform))


def page(run: Path) -> dict[str, Any]:
    return read_snapshot_page(run / "snapshot")


def second_moments(images: np.ndarray) -> np.ndarray:
    """Light-weighted mean squared radius of each image, in square pixels; grows with the discs."""
    y, x = np.mgrid[: images.shape[-1], : images.shape[-1]] - (images.shape[-1] - 1) / 2
    light = images[:, 0].clip(min=0)
    return np.asarray((light * (x**2 + y**2)).sum(axis=(1, 2)) / light.sum(axis=(1, 2)))


@pytest.fixture
def small() -> ImageSet:
    return discs(120, scale_pix=(1.0, 1.6))


@pytest.fixture
def large() -> ImageSet:
    return discs(120, scale_pix=(1.6, 2.4), seed=1)


@pytest.mark.parametrize("family", ["pca_diffusion", "diffusion", "stylegan2"])
def test_the_first_weights_are_those_of_the_snapshot(
    family: str, small: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = train(tiny_recipe(family), small, tmp_path / "parent")

    def stop(*_: Any, **__: Any) -> bool:
        return True

    monkeypatch.setattr("galsmith.training.start.run_loop", stop)
    child = train(tiny_recipe(family), small, tmp_path / "child", init_from=parent, seed=5)
    assert page(child)["tensors_sha256"] == page(parent)["tensors_sha256"]
    assert page(child)["transform"] == page(parent)["transform"]
    first, again = load_snapshot(parent / "snapshot"), load_snapshot(child / "snapshot")
    assert np.array_equal(drawn(first, 3), drawn(again, 3))


@pytest.mark.parametrize("probabilities", [(0.0, 0.3), (0.3, 0.0), (0.2, 0.3)])
def test_augmentation_may_begin_and_end_with_fine_tuning(
    probabilities: tuple[float, float],
    small: ImageSet,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe, (before, now) = tiny_recipe("diffusion"), probabilities
    recipe["model"]["augmentation"] = before
    parent = train(recipe, small, tmp_path / "parent")
    recipe["model"]["augmentation"] = now
    with monkeypatch.context() as patch:
        patch.setattr("galsmith.training.start.run_loop", lambda *_, **__: True)
        halted = train(recipe, small, tmp_path / "halted", init_from=parent)
    first, again = load_snapshot(parent / "snapshot"), load_snapshot(halted / "snapshot")
    assert np.array_equal(drawn(first, 3), drawn(again, 3))
    child = load_snapshot(train(recipe, small, tmp_path / "child", init_from=parent) / "snapshot")
    assert ("unet.augmentation_embed.weight" in child.generator.state_dict()) == (now > 0)
    assert not np.array_equal(drawn(first, 3), drawn(child, 3))


@pytest.mark.slow
def test_a_run_from_a_snapshot_is_nearer_to_a_new_set_than_one_from_nothing(
    small: ImageSet, large: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    recipe = tiny_recipe("diffusion", images=32 * 500, checkpoint_seconds=60.0)
    recipe["model"].update(symmetric=False, dropout=0.0, warmup_images=640, sampler_steps=6)
    parent = train(recipe, small, tmp_path / "parent")
    brief = {**recipe, "training": {**recipe["training"], "images": 32 * 60}}
    child = train(brief, large, tmp_path / "child", init_from=parent / "snapshot")
    scratch = train(brief, large, tmp_path / "scratch")
    off = {
        name: wasserstein_distance(
            second_moments(drawn(load_snapshot(run / "snapshot"), 100)), second_moments(large.stacked())
        )
        for name, run in (("parent", parent), ("child", child), ("scratch", scratch))
    }
    assert off["child"] < 0.7 * off["parent"]
    assert off["child"] < 0.5 * off["scratch"]


def test_the_laws_of_scalars_are_those_of_the_new_set(
    small: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    bright = discs(120, scale_pix=(1.0, 1.6), flux=3000.0)
    parent = train(tiny_recipe(images=3200), small, tmp_path / "parent")
    child = train(tiny_recipe(images=32), bright, tmp_path / "child", init_from=parent)
    fluxes = drawn(load_snapshot(child / "snapshot"), 200).sum(axis=(1, 2, 3))
    assert np.median(fluxes) == pytest.approx(np.median(bright.stacked().sum(axis=(1, 2, 3))), rel=0.3)


def test_card_and_settings_name_the_snapshot(
    small: ImageSet, large: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    parent = train(tiny_recipe(), small, tmp_path / "parent")
    sha = page(parent)["tensors_sha256"]
    child = train(tiny_recipe(), large, tmp_path / "child", init_from=parent)
    named = page(child)["card"]["provenance"]["parents"]
    assert [one["role"] for one in named] == ["training set", "snapshot to start from"]
    assert named[1]["content_hash"] == sha
    assert read_recipe(child / "settings.toml")["run"]["init_from_sha256"] == sha
    assert "init_from" not in read_recipe(parent / "settings.toml")["run"]


def test_a_run_that_goes_on_needs_no_snapshot_and_takes_no_other(
    small: ImageSet, large: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("galsmith.training.listeners.SECONDS_BETWEEN_EVENTS", 0.0)
    pressed = []

    def press(event: ProgressEvent) -> None:
        if event.stage == "training" and event.done >= 128 and not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)

    parent = train(tiny_recipe(), small, tmp_path / "parent")
    other = train(tiny_recipe(seed=9), small, tmp_path / "other")
    whole = train(tiny_recipe(), large, tmp_path / "whole", init_from=parent)
    with pytest.raises(InterruptedRunError, match="repeat the command"):
        train(tiny_recipe(), large, tmp_path / "child", init_from=parent, progress=press)
    with pytest.raises(
        OutputExistsError, match=r"it started from the snapshot .*, now `init_from` asks for the snap"
    ):
        train(tiny_recipe(), large, tmp_path / "child", init_from=other)
    child = train(tiny_recipe(), large, tmp_path / "child")
    assert page(child)["tensors_sha256"] == page(whole)["tensors_sha256"]
    train(tiny_recipe(), small, parent, images=640)  # the snapshot changes; the run started from it does not
    train(tiny_recipe(), large, child, init_from=parent, images=640)
    with pytest.raises(
        OutputExistsError, match=r"it started from first weights, now `init_from` asks for the snapshot"
    ):
        train(tiny_recipe(), small, parent, images=640, init_from=child)


def test_another_beginning_gives_another_model(
    small: ImageSet, large: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    parent = train(tiny_recipe(), small, tmp_path / "parent")
    child = train(tiny_recipe(), large, tmp_path / "child", init_from=parent)
    alone = train(tiny_recipe(), large, tmp_path / "alone")
    assert page(child)["tensors_sha256"] != page(alone)["tensors_sha256"]
    assert page(child)["transform"] == page(parent)["transform"] != page(alone)["transform"]


def two_bands(images: ImageSet) -> ImageSet:
    pixels = np.repeat(images.stacked(), 2, axis=1)
    return image_set_from_arrays(list(pixels), ImageHeader(("g", "r"), "nJy", 0.2))


def in_counts(images: ImageSet) -> ImageSet:
    return image_set_from_arrays(list(images.stacked()), ImageHeader(("g",), "count", 0.2))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (two_bands, r"was trained on the bands g, and the training set has g, r; ingest the same bands"),
        (in_counts, r"was trained on images in nJy, and the training set is in count; ingest it in nJy"),
        (
            lambda _: discs(120, scale_pix=(1, 2), size_pix=24),
            r"draws images of 16 px .* has images of 24 px; ingest with `resize_pix=16`",
        ),
    ],
)
def test_data_that_do_not_fit_the_snapshot_are_refused(
    other: Callable[[ImageSet], ImageSet],
    message: str,
    small: ImageSet,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
) -> None:
    parent = train(tiny_recipe(), small, tmp_path / "parent")
    with pytest.raises(InputError, match=message):
        train(tiny_recipe(), other(small), tmp_path / "child", init_from=parent)
    assert not (tmp_path / "child").exists()


def test_another_family_and_other_widths_are_refused(
    small: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    parent = train(tiny_recipe(), small, tmp_path / "parent")
    with pytest.raises(
        InputError, match=r"of the family 'pca_diffusion', and the recipe trains 'diffusion'; give a"
    ):
        train(tiny_recipe("diffusion"), small, tmp_path / "child", init_from=parent)
    wide = tiny_recipe()
    wide["model"]["width"] = 24
    with pytest.raises(
        SettingsError, match=r"do not fit the model of the recipe: model.width was 16, now 24; take the"
    ):
        train(wide, small, tmp_path / "child", init_from=parent)
    with pytest.raises(InputError, match=r"nowhere: there is no such folder; give the run folder"):
        train(tiny_recipe(), small, tmp_path / "child", init_from=tmp_path / "nowhere")
    assert not (tmp_path / "child").exists()


@pytest.mark.parametrize(("family", "lacks"), [("vae", "encoder"), ("alae", "encoder and discriminator")])
def test_families_that_need_more_than_their_generator_are_refused(
    family: str, lacks: str, small: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    parent = train(tiny_recipe(family, images=64), small, tmp_path / "parent")
    with pytest.raises(
        SettingsError,
        match=rf"{family}' cannot start from .* does not hold its {lacks} \(a .*\); leave `init",
    ):
        train(tiny_recipe(family, images=64), small, tmp_path / "child", init_from=parent)


def test_what_differs_from_the_snapshots_own_run_is_said(
    small: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parent = train(tiny_recipe("stylegan2", images=64), small, tmp_path / "parent")
    train(tiny_recipe("stylegan2", images=64), small, tmp_path / "same", init_from=parent)
    assert "is new" not in caplog.text
    shutil.copytree(parent / "snapshot", tmp_path / "copied")
    train(tiny_recipe("stylegan2", images=64), small, tmp_path / "apart", init_from=tmp_path / "copied")
    assert "the discriminator of stylegan2 is new" in caplog.text
    assert "had other settings" not in caplog.text
    assert "the pixel transform is the snapshot's" not in caplog.text
    changed = tiny_recipe("stylegan2", images=64)
    changed["model"]["learning_rate"] = 1e-4
    changed["transform"] = {"kind": "linear"}
    child = train(changed, small, tmp_path / "child", init_from=parent)
    assert "model.learning_rate was 0.0025, now 0.0001" in caplog.text
    assert "the recipe's is not used: transform.kind was 'asinh', now 'linear'" in caplog.text
    assert read_recipe(child / "settings.toml")["transform"]["kind"] == "asinh"
    train(changed, small, child, images=96)  # goes on, by the same recipe


def test_a_snapshot_that_was_damaged_is_refused(
    small: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    parent = train(tiny_recipe(), small, tmp_path / "parent")
    file = parent / "snapshot" / "snapshot.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 0xFF
    file.write_bytes(bytes(content))
    with pytest.raises(
        InputError, match=r"snapshot\.safetensors: was changed or damaged after it was written"
    ):
        train(tiny_recipe(), small, tmp_path / "child", init_from=parent)


def test_chance_outside_changes_nothing(
    small: ImageSet, large: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    parent = train(tiny_recipe(), small, tmp_path / "parent")
    one = train(tiny_recipe(), large, tmp_path / "one", init_from=parent)
    torch.rand(3)
    two = train(tiny_recipe(), large, tmp_path / "two", init_from=parent)
    assert page(one)["tensors_sha256"] == page(two)["tensors_sha256"]
