"""Training on a device: the transform of the CPU, memory that is shared, snapshots of half the size, slices that go on."""

import time
from pathlib import Path

import device_training
import numpy as np
import pytest
import torch
from device_set import compacted_set, forward_on_device, paper_settings, rendered_images, rendered_set
from device_speed import PUBLISHED_BATCH, PUBLISHED_IMAGES_PER_S, as_published
from device_training import SliceEnd, family_plan, read_standing, train_slice

from galsmith.data.sersic import draw_parameters
from galsmith.data.transforms import TransformSettings, fit_pixel_transform
from galsmith.errors import GalsmithError
from galsmith.models.families import FAMILIES
from galsmith.models.protocols import NetworkBatch
from galsmith.models.snapshot import load_snapshot
from galsmith.settings import recipe_names
from galsmith.training.settings import read_run_settings

CPU = torch.device("cpu")
OF_FIELDS = {
    "wgan",
    "cvae",
    "dcgan",
    "field_composer",
}  # they take no galaxies, which are drawn on the device here
RECIPES = ("pca_diffusion", "diffusion", "flow", "relay_diffusion", "vae", "alae", "stylegan", "stylegan2")


def small_plan(**changes):
    settings = {
        "size_pix": 32,
        "minutes": 1e6,
        "seed": 0,
        "precision": "float32",
        "overrides": {"n_components": 16, "width": 32},
    }
    return family_plan("pca_diffusion", **{**settings, **changes})


def plans_at(size_pix):
    given = {"minutes": 1.0, "seed": 0, "precision": "float32", "overrides": {}}
    return {name: family_plan(name, size_pix=size_pix, **given) for name in RECIPES}


@pytest.mark.parametrize("size_pix", [32, 64, 128, 256])
def test_every_family_trains_by_the_shipped_recipe_of_its_side(size_pix):
    plans = plans_at(size_pix)
    assert {plan.config.model_dump()["family"] for plan in plans.values()} == set(FAMILIES) - OF_FIELDS
    for name, plan in plans.items():
        shipped = f"{name}-{size_pix}" if f"{name}-{size_pix}" in recipe_names() else name
        given = read_run_settings(shipped, overrides=(), minutes=None, images=None, seed=None)
        assert plan.config == given.model
        assert (plan.batch_size, plan.ema_width) == (given.training.batch_size, given.training.ema_width)


def test_no_settings_of_models_are_kept_beside_the_benchmark():
    folder = Path(device_training.__file__).parent
    assert not list(folder.rglob("*.toml"))
    centered = plans_at(256)["pca_diffusion"].config
    assert centered.largest_shift_pix > 25  # what a stale copy had not: the paper's centers lie 25 px off
    assert plans_at(256)["diffusion"].config.preconditioning == "spectral"


def test_the_paper_keeps_its_field_on_fewer_pixels():
    small, whole = paper_settings(32), paper_settings(256)
    assert small.size_pix * small.pixel_scale_arcsec == pytest.approx(10.24)
    assert whole.pixel_scale_arcsec == pytest.approx(0.04)
    assert whole.magnitude.low == whole.magnitude.high == 22.0


def test_the_transform_on_the_device_is_that_of_the_cpu():
    settings = paper_settings(32)
    images = rendered_images(draw_parameters(settings, n=20, seed=5), settings, CPU)
    transform = fit_pixel_transform(images, TransformSettings())
    wanted = transform.forward([images[row] for row in range(20)])
    pixels, scalars = forward_on_device(transform, torch.from_numpy(images.stacked()))
    np.testing.assert_allclose(pixels.numpy(), wanted.pixels, atol=2e-6)
    np.testing.assert_allclose(scalars.numpy(), wanted.scalars, atol=2e-6)


def test_pixels_that_nothing_changes_are_shared_and_others_are_not():
    batch = NetworkBatch(torch.randn(300, 1, 4, 4), torch.randn(300, 1))
    kept = compacted_set(batch, lambda part: NetworkBatch(part.pixels, part.scalars + 1))
    assert kept.pixels is batch.pixels
    assert torch.equal(kept.scalars, batch.scalars + 1)
    smaller = compacted_set(batch, lambda part: NetworkBatch(part.pixels.mean(dim=(2, 3)), part.scalars))
    assert torch.equal(smaller.pixels, batch.pixels.mean(dim=(2, 3)))


def test_a_training_goes_on_over_slices_and_leaves_a_snapshot_of_half_precision(tmp_path):
    device_set = rendered_set(64, size_pix=16, device=CPU)
    over = SliceEnd(time.monotonic() - 1.0)
    first = train_slice(small_plan(), device_set, tmp_path, device=CPU, slice_end=over)
    assert (first["is_finished"], first["images_seen"]) == (False, 512)
    second = train_slice(small_plan(), device_set, tmp_path, device=CPU, slice_end=over)
    assert second["images_seen"] == 2 * first["images_seen"]
    with pytest.raises(GalsmithError, match="is of other settings; name another --work"):
        train_slice(small_plan(seed=1), device_set, tmp_path, device=CPU, slice_end=over)
    assert read_standing(tmp_path, "pca_diffusion") == second
    snapshot = load_snapshot(tmp_path / "pca_diffusion" / "snapshot")
    assert snapshot.card["training"]["images_seen"] == second["images_seen"]
    assert bool(torch.isfinite(snapshot.generator.sample([1, 2]).pixels).all())
    ended = train_slice(small_plan(minutes=1e-9), device_set, tmp_path, device=CPU, slice_end=over)
    assert (ended["is_finished"], ended["images_seen"]) == (True, second["images_seen"])


def test_the_published_widths_are_those_of_the_auto_configuration():
    plan = as_published(plans_at(256)["stylegan2"])
    assert (plan.config.channel_base, plan.config.channel_max, plan.batch_size) == (
        16384,
        512,
        PUBLISHED_BATCH,
    )
    assert pytest.approx(PUBLISHED_IMAGES_PER_S, abs=0.05) == (1000 / 24.2, 1000 / 21.6)
