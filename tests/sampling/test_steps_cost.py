"""Drawing in other step counts than a model was made for: it is done, and what it costs is said."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from galsmith.errors import SettingsError
from galsmith.images import ImageSet
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.snapshot import load_snapshot
from galsmith.sampling import sample
from galsmith.sampling.steps_cost import fine_power
from galsmith.training import train


def pixels(images: ImageSet) -> np.ndarray:
    return np.stack(list(images.pixels))


def test_other_steps_are_drawn_and_their_cost_is_said(any_run: Path, tmp_path: Path, caplog) -> None:
    own = load_snapshot(any_run / "snapshot").generator.own_steps[0]
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        plain = sample(any_run, tmp_path / "plain", n=4)
        same = sample(any_run, tmp_path / "same", n=4, steps=own)
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        other = sample(any_run, tmp_path / "other", n=4, steps=1)
    assert f"`steps=1`: this model was made to draw in {own} steps; " in caplog.text
    assert "galaxies of the same seeds differ by 0." in caplog.text
    np.testing.assert_array_equal(pixels(same), pixels(plain))
    assert np.abs(pixels(other) - pixels(plain)).max() > 1e-3


def test_a_solver_can_be_asked_of_principal_components(pca_run: Path, tmp_path: Path) -> None:
    heun, multistep = (
        sample(pca_run, tmp_path / name, n=4, solver=name, steps=40) for name in ("heun", "multistep")
    )
    gap = np.abs(pixels(heun) - pixels(multistep)).max()
    assert 0 < gap < 0.1 * np.ptp(pixels(heun))


def test_a_model_tuned_to_few_steps_draws_in_them(tuned_run: Path, tmp_path: Path, caplog) -> None:
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        one, two = (sample(tuned_run, tmp_path / str(count), n=4, steps=count) for count in (1, 2))
        default = sample(tuned_run, tmp_path / "default", n=4)
    assert caplog.text == ""
    np.testing.assert_array_equal(pixels(two), pixels(default))
    assert np.abs(pixels(one) - pixels(two)).max() > 1e-4
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        sample(tuned_run, tmp_path / "three", n=4, steps=3)
    assert "`steps=3`: this model was made to draw in 1 and 2 steps" in caplog.text
    with pytest.raises(SettingsError, match=r"`solver=heun`: this model is tuned to few steps"):
        sample(tuned_run, tmp_path / "heun", n=4, solver="heun")


def test_few_steps_are_learned_from_a_snapshot_alone(tuned_run: Path, few_recipe, tmp_path: Path) -> None:
    images = few_recipe.images
    with pytest.raises(SettingsError, match=r"model.tuned_steps.*give `init_from`"):
        train(few_recipe.tables, images, tmp_path / "run")
    assert not (tmp_path / "run" / "settings.toml").exists()
    again = few_recipe.tables
    with pytest.raises(SettingsError, match=r"is itself tuned to \[1, 2\] steps and cannot denoise"):
        train(again, images, tmp_path / "again", init_from=tuned_run)


def test_fine_power_is_that_of_fine_scales() -> None:
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    smooth = torch.exp(-((x - 15.5) ** 2 + (y - 15.5) ** 2) / 50)[None]
    noise = torch.randn(1, 32, 32, generator=generator_from_seed(2))
    assert fine_power(smooth) < 1e-6 * smooth.pow(2).mean()
    # white noise has the same in every coefficient, three quarters of which are counted
    assert float(fine_power(noise) / noise.pow(2).mean()) == pytest.approx(0.75, abs=0.1)
