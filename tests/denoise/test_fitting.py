"""Contract of denoisers that need training: they learn, resume exactly, are saved, and refuse what they are not for."""

import json
import shutil

import numpy as np
import pytest
import torch

from galsmith.denoise import DENOISERS, denoiser_named
from galsmith.denoise.denoisers import denoiser_recipes
from galsmith.denoise.fitting import fit
from galsmith.denoise.looks import LookRange, Looks
from galsmith.denoise.material import CleanImages, LookBatches, LookOrder
from galsmith.denoise.model import (
    Stated,
    Temperature,
    fitted_temperature,
    load_denoiser,
    psf_width_pix,
    read_denoiser_page,
)
from galsmith.denoise.settings import read_fit_settings
from galsmith.errors import InputError, InterruptedRunError, OutputExistsError, SettingsError
from galsmith.images import ImageHeader
from galsmith.images.image_set import image_set_from_arrays
from galsmith.observe import PAPER_SHIFTS, Observation
from galsmith.observe.noise import GaussianNoise
from galsmith.observe.psf import GaussianPsf
from galsmith.seeds import random_stream

HEADER = ImageHeader(("g", "r"), "electron / s")
TRAINED = [name for name in DENOISERS if denoiser_named(name).needs_training]
SMALL = {
    "paper_resnet": {"width": 8, "blocks": 1},
    "filter_bank": {
        "width": 8,
        "blocks": 1,
        "reach_pix": 12,
        "kept_beyond_pix": 4.0,
        "strengths": [10.0, 0.3, 0.01],
    },
}
OBSERVATION = Observation(psf=GaussianPsf(sigma_pix=1.5), noise=GaussianNoise(sigma=4.0))


def blobs(count, seed=0, scale=200.0):
    """Round galaxies of two bands and of several sizes of image."""
    rng = np.random.default_rng(seed)
    images = []
    for number in range(count):
        side = 24 + 4 * (number % 3)
        y, x = np.mgrid[:side, :side] - side / 2 + rng.uniform(-2, 2, (2, 1, 1))
        profile = np.exp(-np.hypot(x, y) / rng.uniform(1.5, 4))
        images.append(scale * rng.uniform(0.3, 1) * profile * np.array([1.0, 0.6])[:, None, None])
    return image_set_from_arrays(images, HEADER)


def recipe(name, **training):
    return {
        "model": {"denoiser": name, **SMALL[name]},
        "observation": OBSERVATION.model_dump(mode="json", exclude_none=True),
        "training": {
            "images": 160,
            "learning_rate": 3e-3,
            "schedule": "linear",
            "validations": 4,
            "validation_looks": 6,
            "largest_gradient": 10.0,
            **training,
        },
    }


@pytest.fixture(scope="module")
def clean():
    return blobs(20)


@pytest.fixture(scope="module", params=TRAINED)
def fitted(request, clean, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "denoiser"
    return request.param, fit(recipe(request.param), clean, folder), folder


def observed(image, position=0, observation=OBSERVATION):
    return observation.observe(image, random_stream(7, "test", position), HEADER)


def test_every_denoiser_that_needs_training_is_tested_here():
    assert sorted(SMALL) == sorted(TRAINED)


def test_what_was_fitted_is_nearer_to_the_truth_than_the_observation(fitted):
    _, denoiser, _ = fitted
    test = [
        observed(image, position) for position, image in enumerate(blobs(8, seed=5).pixels.read(range(8)))
    ]
    before = np.mean([((one.image - one.truth) ** 2).mean() for one in test])
    after = np.mean([((denoiser.denoise(one).image - one.truth) ** 2).mean() for one in test])
    assert after < before


def test_an_observation_is_never_written_into_and_keeps_its_shape(fitted):
    _, denoiser, _ = fitted
    one = observed(blobs(1).pixels[0][:, :23, :])
    copies = {name: np.copy(value) for name, value in vars(one).items() if value is not None}
    found = denoiser.denoise(one)
    assert found.image.shape == one.image.shape
    assert found.image.dtype == np.float32
    for name, copy in copies.items():
        np.testing.assert_array_equal(getattr(one, name), copy)


def test_a_denoiser_is_read_back_to_the_bit_and_names_what_made_it(fitted, clean):
    name, denoiser, folder = fitted
    again = load_denoiser(folder)
    one = observed(blobs(1).pixels[0])
    np.testing.assert_array_equal(again.denoise(one).image, denoiser.denoise(one).image)
    page = read_denoiser_page(folder)
    assert page["denoiser"] == name
    assert page["card"]["provenance"]["parents"][0]["role"] == "clean images"
    assert page["coverage"]["law_hash"] == read_fit_settings(recipe(name)).law_hash
    assert json.loads((folder / "denoiser.json").read_text())["tensors_sha256"] == page["tensors_sha256"]
    assert not list(folder.rglob("*.pkl"))


def test_a_damaged_denoiser_is_refused(fitted, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(fitted[2], folder)
    file = folder / "denoiser.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(InputError, match="damaged"):
        load_denoiser(folder)
    with pytest.raises(InputError, match="galsmith denoise fit"):
        load_denoiser(tmp_path)


def test_another_psf_is_refused_with_the_way_out_and_denoised_by_force(fitted):
    _, denoiser, _ = fitted
    wide = Observation(psf=GaussianPsf(sigma_pix=3.0), noise=GaussianNoise(sigma=4.0))
    one = observed(blobs(1).pixels[0], observation=wide)
    with pytest.raises(InputError, match=r"7\.\d+ px wide.*trained for 3\.\d+ px.*`force`"):
        denoiser.denoise(one)
    assert np.isfinite(denoiser.forced().denoise(one).image).all()


def test_other_noise_is_refused_by_who_knows_one_level_alone(fitted):
    name, denoiser, _ = fitted
    loud = Observation(psf=GaussianPsf(sigma_pix=1.5), noise=GaussianNoise(sigma=16.0))
    one = observed(blobs(1).pixels[0], observation=loud)
    if name == "filter_bank":
        assert np.isfinite(denoiser.denoise(one).image).all()
    else:
        with pytest.raises(InputError, match=r"the noise is 16.*trained for 4.*`force`"):
            denoiser.denoise(one)


def test_other_bands_are_refused(fitted):
    one = observed(blobs(1).pixels[0])
    one = type(one)(one.image[:1], one.ivar[:1], one.psf[:1])
    with pytest.raises(InputError, match=r"1 bands.*trained on 2 \(g, r\)"):
        fitted[1].denoise(one)


def test_masked_pixels_have_an_infinite_sigma(fitted):
    _, denoiser, _ = fitted
    one = observed(blobs(1).pixels[0])
    one.ivar[:, 3:5, 3:5] = 0
    found = denoiser.denoise(one)
    assert np.isfinite(found.image).all()
    if found.sigma is not None:
        assert np.isinf(found.sigma[:, 3:5, 3:5]).all()
        assert np.isfinite(found.sigma[one.ivar > 0]).all()
        assert (found.sigma > 0).all()


def test_tiles_give_what_the_whole_gives(fitted):
    denoiser = fitted[1]
    rng = np.random.default_rng(1)
    large = rng.uniform(0, 50, (2, 151, 170)).astype(np.float32)
    one = observed(large)
    whole = denoiser.denoise(one)
    tiled = type(denoiser)(**{**vars(denoiser), "tile_pix": 32}).denoise(one)
    np.testing.assert_allclose(tiled.image, whole.image, atol=2e-3)
    if whole.sigma is not None:
        np.testing.assert_allclose(tiled.sigma, whole.sigma, rtol=1e-3)


@pytest.mark.parametrize("name", TRAINED)
def test_stopped_and_resumed_equals_never_stopped(name, clean, tmp_path):
    settings = recipe(name, ema_width=0.1, images=24)
    straight = fit(settings, clean, tmp_path / "straight")

    class Stop(BaseException):
        pass

    def stop_at_half(event):
        import os
        import signal

        if event.stage == "training" and event.done >= 1:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(InterruptedRunError, match="repeat the command"):
        fit(settings, clean, tmp_path / "resumed", progress=stop_at_half)
    resumed = fit(settings, clean, tmp_path / "resumed")
    for one, other in zip(
        straight.network.state_dict().values(), resumed.network.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    with pytest.raises(OutputExistsError, match=r"model\.width was 8, now 16"):
        fit(settings, clean, tmp_path / "resumed", overrides=["model.width=16"])


def test_generated_images_are_mixed_in_by_their_share(clean, tmp_path):
    generated = blobs(20, seed=9, scale=1e5)
    order = LookOrder(seed=0, mixing=0.25)
    looks = Looks(PAPER_SHIFTS["none"], LookRange(), HEADER)
    batches = LookBatches(CleanImages(clean, generated), looks, order, device=torch.device("cpu"))
    is_generated = [float(batches.at(seen).truth.max()) > 1e3 for seen in range(200)]
    assert 0.15 < np.mean(is_generated) < 0.35
    with pytest.raises(SettingsError, match="`generated`: none of them would be looked at"):
        fit(recipe("paper_resnet"), clean, tmp_path / "out", generated=generated)
    with pytest.raises(SettingsError, match=r"mixing=0\.5.*nothing to mix in"):
        fit(recipe("paper_resnet"), clean, tmp_path / "out", mixing=0.5)
    other = image_set_from_arrays(
        [np.ones((1, 8, 8)) * k for k in (1, 2)], ImageHeader(("g",), "electron / s")
    )
    with pytest.raises(InputError, match="bands"):
        fit(recipe("paper_resnet"), clean, tmp_path / "out", generated=other, mixing=0.5)


def test_looks_are_a_function_of_seed_and_position_and_buckets_hold_like_sizes(clean):
    looks = Looks(PAPER_SHIFTS["none"], LookRange(noise_factor=(0.5, 2.0), psf_fwhm_pix=(2.0, 4.0)), HEADER)
    order = LookOrder(seed=3, batch_size=4, buckets=8)
    one, other = (LookBatches(CleanImages(clean), looks, order, device=torch.device("cpu")) for _ in range(2))
    other.at(4)
    torch.testing.assert_close(one.at(12).image, other.at(12).image, rtol=0, atol=0)
    shares = [float(one.at(4 * step).weight.mean()) for step in range(8)]
    loose = LookBatches(
        CleanImages(clean), looks, LookOrder(seed=3, batch_size=4), device=torch.device("cpu")
    )
    assert np.mean(shares) > np.mean([float(loose.at(4 * step).weight.mean()) for step in range(8)])
    # every position of a window comes once
    positions = [place for step in range(8) for place in one._positions(4 * step)]
    assert sorted(positions) == list(range(32))
    crops = LookBatches(
        CleanImages(clean), looks, LookOrder(seed=3, batch_size=4, crop_pix=16), device=torch.device("cpu")
    )
    assert crops.at(0).image.shape == (4, 2, 16, 16)


def test_drawn_noise_is_as_loud_as_it_says(clean):
    looks = Looks(PAPER_SHIFTS["none"], LookRange(noise_factor=(3.0, 3.0)), HEADER)
    found = looks.at(np.zeros((2, 64, 64), np.float32), np.random.default_rng(0))
    assert found.image.std() == pytest.approx(12.0, rel=0.05)
    assert np.sqrt(1 / found.ivar) == pytest.approx(12.0, rel=1e-4)
    varied = Looks(PAPER_SHIFTS["none"], LookRange(psf_fwhm_pix=(3.0, 3.0), largest_ellipticity=0.0), HEADER)
    point = np.zeros((2, 33, 33), np.float32)
    point[:, 16, 16] = 1e6
    seen = varied.at(point, np.random.default_rng(0))
    assert psf_width_pix(seen.image[0]) == pytest.approx(psf_width_pix(seen.psf[0]), rel=0.02)
    assert seen.truth[0, 16, 16] == 1e6


def test_a_temperature_brings_stated_sigmas_to_the_shares_of_a_normal_law():
    rng = np.random.default_rng(0)
    truth = rng.exponential(10, 40_000).astype(np.float32)
    estimate = (truth + 2 * rng.standard_normal(40_000)).astype(np.float32)
    stated = Stated(estimate, np.full(40_000, 0.5, np.float32), truth)
    found = fitted_temperature([stated]).calibrated(estimate, stated.sigma)
    assert (np.abs(estimate - truth) < found).mean() == pytest.approx(0.6827, abs=0.01)
    assert (np.abs(estimate - truth) < stated.sigma).mean() < 0.3
    assert Temperature.from_dict(fitted_temperature([stated]).to_dict()) == fitted_temperature([stated])


@pytest.mark.parametrize("name", denoiser_recipes())
def test_shipped_recipes_can_be_read(name):
    settings = read_fit_settings(name)
    assert settings.method.needs_training
    assert read_fit_settings(settings.to_dict()) == settings


def test_the_recipe_of_the_paper_is_the_papers():
    settings = read_fit_settings("holzschuh2022-resnet")
    assert settings.observation.content_hash == PAPER_SHIFTS["none"].content_hash
    assert (settings.training.images, settings.training.batch_size) == (50_000, 1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"modle": {}}, r"unknown table \[modle\] \(did you mean 'model'"),
        ({"model": {"denoiser": "paper_resnet", "widht": 3}}, "did you mean 'width'"),
        ({"model": {}}, "'denoiser' is missing"),
        ({"training": {}}, "wanted a budget"),
        ({"training": {"images": 3, "minutes": 1.0}}, "wanted a budget"),
        ({"range": {"noise_factor": [4.0, 1.0]}}, "wanted the least first"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_said(change, said):
    with pytest.raises(SettingsError, match=said):
        read_fit_settings({**recipe("paper_resnet"), **change})
