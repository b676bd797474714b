"""Real survey data: a band in which many galaxies are not seen, so that their summed flux is zero or below."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galsmith.errors import InputError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.models.snapshot import read_snapshot_page
from galsmith.sampling import sample
from galsmith.training import train

Recipe = dict[str, Any]
ZERO_POINTS = {"r": 31.4, "z": 31.4}


def faint_survey(n: int = 160, *, sky: float = 0.0) -> ImageSet:
    """Galaxies of 16 px that are bright in r and mostly below the noise in z."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:16, :16] - 7.5
    images = []
    for _ in range(n):
        light = np.exp(-np.hypot(x, y) / rng.uniform(1, 2.5))
        fluxes = 10 ** rng.uniform(1, 2) * np.array([[[1.0]], [[0.1]]]) * light / light.sum()
        noise = np.array([[[0.01]], [[0.4]]]) * rng.normal(size=(2, 16, 16))
        images.append((fluxes + noise + np.array([[[0.0]], [[sky]]])).astype(np.float32))
    return image_set_from_arrays(images, ImageHeader(("r", "z"), "nJy", 0.2, zero_points_mag=ZERO_POINTS))


def sums(images: ImageSet) -> np.ndarray:
    return images.stacked().sum(axis=(2, 3), dtype=np.float64)


@pytest.mark.parametrize("family", ["alae", "diffusion", "pca_diffusion", "stylegan2", "vae"])
def test_every_family_learns_and_draws_a_band_with_fluxes_below_zero(
    family: str, tiny_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    training = faint_survey()
    assert (sums(training)[:, 1] < 0).sum() > 20
    run = train(tiny_recipe(family), training, tmp_path / "run")
    transform = read_snapshot_page(run / "snapshot")["transform"]
    assert transform["flux_softening"][0] == 0.0
    # 1.042 sigma sqrt(pixels), or a little more where fluxes below zero scatter by more
    assert transform["flux_softening"][1] == pytest.approx(1.042 * 0.4 * 16, rel=0.15)
    drawn = sample(run, tmp_path / "drawn", n=64, seed=3)
    assert np.isfinite(drawn.stacked()).all()
    assert np.all(sums(drawn)[:, 0] > 0)


def test_fluxes_of_a_faint_band_are_drawn_as_they_are_and_can_be_asked_for(
    tiny_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    training = faint_survey(400)
    run = train(tiny_recipe("pca_diffusion", images=3_200), training, tmp_path / "run")
    real, drawn = sums(training)[:, 1], sums(sample(run, tmp_path / "drawn", n=400))[:, 1]
    # loose: a network that has seen 3,200 images draws scalars about right
    assert np.median(drawn) == pytest.approx(np.median(real), abs=0.3 * real.std())
    assert np.mean(drawn < 0) == pytest.approx(np.mean(real < 0), abs=0.2)
    dark = sample(run, tmp_path / "dark", n=20, where="flux_z=-15..-3")
    assert np.all((dark.catalog["flux_z"].value >= -15) & (dark.catalog["flux_z"].value <= -3))
    assert sums(dark)[:, 1] == pytest.approx(dark.catalog["flux_z"].value, abs=1e-3)
    bright = sample(run, tmp_path / "bright", n=20, where="magnitude_z=28.5..29")
    magnitudes = bright.catalog["magnitude_z"].value
    assert np.all((magnitudes >= 28.5) & (magnitudes <= 29))
    assert 31.4 - 2.5 * np.log10(sums(bright)[:, 1]) == pytest.approx(magnitudes, abs=1e-3)


def test_a_run_of_bright_galaxies_does_not_start_one_of_faint_ones(
    tiny_recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    parent = train(tiny_recipe("diffusion"), faint_survey(sky=1.0), tmp_path / "parent")
    with pytest.raises(InputError, match=r"whose logarithm the transform takes.*train without `init_from`"):
        train(tiny_recipe("diffusion"), faint_survey(), tmp_path / "child", init_from=parent)
