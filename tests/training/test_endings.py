"""Runs that end before their time: memory that runs out, sets that teach nothing, and what a user is told."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from galsmith.errors import DivergedError, GalsmithError, InputError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.models.devices import is_out_of_memory
from galsmith.models.layers.optimization import DescentTrainer
from galsmith.models.snapshot import read_snapshot_page
from galsmith.training import train
from galsmith.training.checkpoint import load_checkpoint

MakeRecipe = Callable[..., dict[str, Any]]
CPU_REFUSES = (
    "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried to allocate"
)
GPU_REFUSES = "CUDA out of memory. Tried to allocate 2.00 GiB"


def failing_after(monkeypatch: pytest.MonkeyPatch, error: Exception, images_seen: int = 128) -> None:
    real_step = DescentTrainer.step

    def step(self: DescentTrainer, batch: Any, progress: Any) -> Any:
        if progress.images_seen >= images_seen:
            raise error
        return real_step(self, batch, progress)

    monkeypatch.setattr(DescentTrainer, "step", step)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError(GPU_REFUSES), RuntimeError(CPU_REFUSES), MemoryError("no memory")]
)
def test_memory_that_runs_out_is_explained_and_the_run_goes_on(
    error: Exception,
    discs: ImageSet,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        failing_after(patch, error)
        with pytest.raises(
            GalsmithError,
            match=r"run: out of memory \(.*memory.*\); set training.accumulate=2 by `overrides`, which changes nothing "
            r"else, or halve training.batch_size \(now 32, so 16\), then model.width \(now 16\) by `overrides`, into "
            r"another `output` \(`init_from=.*/run` takes its weights along\), "
            r"or end other programs; the state of the last checkpoint is kept",
        ):
            train(tiny_recipe(), discs, run)
    assert load_checkpoint(run / "checkpoint/checkpoint.pt").state.images_seen == 128
    whole = train(tiny_recipe(), discs, tmp_path / "whole")
    train(tiny_recipe(), discs, run)
    assert (
        read_snapshot_page(run / "snapshot")["tensors_sha256"]
        == read_snapshot_page(whole / "snapshot")["tensors_sha256"]
    )


def test_the_smaller_batch_that_is_advised_takes_the_weights_along(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        failing_after(patch, torch.OutOfMemoryError(GPU_REFUSES))
        with pytest.raises(GalsmithError, match="out of memory"):
            train(tiny_recipe(), discs, tmp_path / "run")
    train(tiny_recipe(batch_size=16), discs, tmp_path / "smaller", init_from=tmp_path / "run")
    assert read_snapshot_page(tmp_path / "smaller/snapshot")["card"]["training"]["is_finished"]


def test_memory_that_runs_out_before_the_first_step_names_what_is_kept_in_it(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("galsmith.training.start.make_batches", refuse)
    with pytest.raises(
        GalsmithError, match=r"\(MemoryError\); halve training.memory_gb \(now 4\), then training.batch_size"
    ):
        train(tiny_recipe(), discs, tmp_path / "run")


def test_memory_that_runs_out_in_drawing_for_the_judge_names_its_galaxies(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    def judge(drawn: ImageSet) -> dict[str, float]:
        raise torch.OutOfMemoryError(GPU_REFUSES)

    with pytest.raises(
        GalsmithError, match=r"judging .* failed .*; lower training.evaluation_galaxies \(now 300\)"
    ):
        train(tiny_recipe(), discs, tmp_path / "run", evaluate=judge)


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.OutOfMemoryError(GPU_REFUSES), True),
        (RuntimeError(CPU_REFUSES), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (MemoryError(), True),
        (RuntimeError("size mismatch"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_which_errors_are_of_memory(error: Exception, is_memory: bool) -> None:
    assert is_out_of_memory(error) is is_memory


def test_other_errors_pass_as_they_are(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_after(monkeypatch, RuntimeError("a shape is wrong"))
    with pytest.raises(RuntimeError, match=r"^a shape is wrong$"):
        train(tiny_recipe(), discs, tmp_path / "run")


def one_galaxy_many_times(n: int) -> ImageSet:
    rng = np.random.default_rng(0)
    image = rng.uniform(1, 2, size=(1, 16, 16)).astype(np.float32)
    return image_set_from_arrays([image] * n, ImageHeader(("r",), "nJy"))


@pytest.mark.parametrize("family", ["pca_diffusion", "diffusion", "vae", "alae", "stylegan2"])
def test_a_set_of_one_galaxy_many_times_is_refused(
    family: str, tiny_recipe: MakeRecipe, tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match=r"all 120 training images are equal pixel by pixel; nothing can be learned"
    ):
        train(tiny_recipe(family), one_galaxy_many_times(120), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_other_galaxy_is_enough(tiny_recipe: MakeRecipe, tmp_path: Path) -> None:
    images = list(one_galaxy_many_times(120).stacked())
    images[-1] = images[-1][:, ::-1].copy()
    train(tiny_recipe(), image_set_from_arrays(images, ImageHeader(("r",), "nJy")), tmp_path / "run")


def test_what_to_expect_of_few_images_is_said(
    discs: ImageSet, tiny_recipe: MakeRecipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(tiny_recipe("diffusion", images=64), discs.select(np.arange(40)), tmp_path / "few")
    assert "only 40 training images: expect drawn galaxies that repeat them" in caplog.text
    assert "`init_from`" in caplog.text
    assert "model.dropout" in caplog.text
    caplog.clear()
    train(tiny_recipe(images=64), discs.select(np.arange(40)), tmp_path / "other")
    assert "model.dropout" not in caplog.text


@pytest.mark.parametrize(
    "family_and_setting", [("pca_diffusion", "learning_rate"), ("alae", "learning_rates")]
)
def test_a_run_that_diverges_is_told_what_to_lower(
    family_and_setting: tuple[str, str],
    discs: ImageSet,
    tiny_recipe: MakeRecipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def diverge(*_: Any, **__: Any) -> bool:
        raise DivergedError("the loss was not finite")

    family, named = family_and_setting
    monkeypatch.setattr("galsmith.training.start.run_loop", diverge)
    with pytest.raises(
        DivergedError, match=rf"0 images seen is kept. To get through, lower model.{named} \(now .*\) by "
    ):
        train(tiny_recipe(family), discs, tmp_path / "run")
