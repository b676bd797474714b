"""The denoiser as a task of a study: what it learns from, what it is tested on, and what it refuses."""

import numpy as np
import pytest
from astropy.table import QTable

from galsmith import study
from galsmith.data.store import write_store
from galsmith.denoise.method import Denoised
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.study import denoiser as room
from galsmith.study.tasks import task_named

SIDE, SIGMA = 16, 1.0
TINY = (
    "model.width=2",
    "model.blocks=0",
    "observation.psf.sigma_pix=1.0",
    f"observation.noise.sigma={SIGMA}",
)
SHORT = (*TINY, "images=4", "training.validation_looks=1")


def galaxies(n, *, seed, split=None, kind="galaxies"):
    """Round galaxies, or noise of their flux."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    images = []
    for scale, flux in zip(rng.uniform(1, 2.5, n), rng.uniform(50, 500, n), strict=True):
        light = np.exp(-np.hypot(x, y) / scale) if kind == "galaxies" else rng.random(x.shape)
        images.append((flux * light / light.sum())[np.newaxis])
    catalog = QTable({"number": np.arange(n)})
    if split is not None:
        catalog["split"] = np.repeat(["train", "validation", "test"], split)
    return image_set_from_arrays(images, ImageHeader(("r",), "electron / s"), catalog=catalog)


class Given:
    """A denoiser that gives a known result."""

    def __init__(self, result):
        self._result = result

    def denoise(self, observed):
        return Denoised(self._result(observed))


def test_losses_are_those_of_known_results():
    task, test = task_named("denoiser", TINY), galaxies(30, seed=1)
    assert (task.score(Given(lambda observed: observed.truth), test) == 0).all()
    # two standard deviations off in each pixel: 4
    off = task.score(Given(lambda observed: observed.truth + np.float32(2 * SIGMA)), test)
    np.testing.assert_allclose(off, 4, rtol=1e-4)
    # the observation itself: its noise, and what the PSF did
    left = task.score(Given(lambda observed: observed.image), test)
    assert 1 < left.mean() < 3
    np.testing.assert_array_equal(left, task.score(Given(lambda observed: observed.image), test))


def test_a_fit_learns_from_all_images_but_one_and_repeats(monkeypatch):
    task, images = task_named("denoiser", SHORT), galaxies(6, seed=1, split=(2, 2, 2))
    seen, fitted = [], room.fit

    def spied(recipe, data, output, **how):
        seen.append((np.asarray(data.catalog["split"], dtype=str), sorted(data.catalog["number"])))
        return fitted(recipe, data, output, **how)

    monkeypatch.setattr(room, "fit", spied)
    models = [task.fit(images, seed) for seed in (1, 1, 2)]
    splits, numbers = seen[0]
    assert sorted(splits) == ["train"] * 5 + ["validation"]
    assert numbers == list(range(6))
    losses = [task.score(model, images) for model in models]
    np.testing.assert_array_equal(losses[0], losses[1])
    assert not np.array_equal(losses[0], losses[2])


def test_a_study_of_a_denoiser_is_a_card(tmp_path):
    write_store(tmp_path / "real", galaxies(64, seed=1, split=(2, 2, 60)))
    write_store(tmp_path / "drawn", galaxies(2, seed=2))
    stores = tmp_path / "real", tmp_path / "drawn"
    card = study.study("denoiser", *stores, tmp_path / "study", seeds=1, overrides=SHORT)
    assert [len(values[0]) for values in card["losses"].values()] == [60] * 5
    assert [group["name"] for group in card["groups"]] == ["bright third", "faint third", "middle third"]
    assert card["task"]["fit"]["model"]["width"] == 2
    assert card["task"]["fit"]["training"]["images"] == 4
    again = study.study("denoiser", *stores, tmp_path / "again", seeds=1, overrides=SHORT)
    assert again["losses"] == card["losses"]


def test_galaxies_teach_more_than_noise_does():
    task = task_named(
        "denoiser", (*TINY, "model.width=4", "model.blocks=1", "images=400", "training.learning_rate=3e-3")
    )
    test = galaxies(30, seed=1)
    good, bad = (
        task.score(task.fit(galaxies(40, seed=2, kind=kind), 0), test).mean()
        for kind in ("galaxies", "noise")
    )
    assert good < 0.8 * bad
    assert good < task.score(Given(lambda observed: observed.image), test).mean()


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (("recipe=filter_bnk",), SettingsError, "filter_bank"),
        (("model.widht=3",), SettingsError, "widht.*did you mean 'width'"),
        (("observation.pixel_scale_arcsec=0.4",), InputError, "real: cannot be observed: .*size of a pixel"),
    ],
)
def test_what_cannot_be_fitted_is_refused(overrides, error, message):
    task, images = task_named("denoiser", overrides), galaxies(3, seed=1)
    with pytest.raises(error, match=message):
        task.check(images, "real")


def test_one_image_is_too_few():
    task = task_named("denoiser", TINY)
    task.check(galaxies(2, seed=1), "real")
    with pytest.raises(InputError, match="real: has 1 image; wanted 2 or more"):
        task.check(galaxies(1, seed=1), "real")
