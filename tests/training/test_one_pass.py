"""Before the first step each image is read once for all fits, and once more to be kept; large sets are announced."""

import logging

import pytest

from galsmith.images import ImageSet
from galsmith.training import train
from galsmith.training.batches import IMAGES_PER_LOOK, warn_of_memory
from galsmith.training.settings import read_run_settings


@pytest.mark.parametrize("family", ["pca_diffusion", "diffusion", "vae"])
def test_each_image_is_read_once_to_fit_and_once_to_be_kept(
    family, discs, tiny_recipe, tmp_path, counted_pixels
):
    pixels = counted_pixels(discs.pixels)
    images = ImageSet(pixels, discs.header, discs.catalog, discs.provenance, content_hash="counted")
    train(tiny_recipe(family, images=64), images, tmp_path / "run")
    assert pixels.reads.min() == 2
    # 1 + 64 are looked at to see that not all are equal, and eight to see how large they are when they are kept
    assert (pixels.reads - 2).sum() == IMAGES_PER_LOOK + 1 + 8


def announced(discs, caplog, recipe):
    settings = read_run_settings(recipe, overrides=(), minutes=None, images=None, seed=None)
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        warn_of_memory(discs, settings)
    return caplog.text


def test_a_set_larger_than_the_memory_it_may_take_is_announced_with_the_setting(
    discs, tiny_recipe, caplog, monkeypatch
):
    size = int(discs.shapes.max())
    wanted_gb = 4e-9 * len(discs) * size**2
    said = announced(discs, caplog, tiny_recipe("diffusion", memory_gb=0.9 * wanted_gb))
    assert f"{len(discs)} images of {size} px" in said
    assert "training.memory_gb=1 to keep them" in said
    assert f"transform.size_pix={size // 2}" in said
    assert announced(discs, caplog, tiny_recipe("diffusion", memory_gb=1.1 * wanted_gb)) == ""
    assert announced(discs, caplog, tiny_recipe("pca_diffusion", memory_gb=0.9 * wanted_gb)) == ""
    monkeypatch.setattr("os.sysconf", lambda name: 1)  # a machine of one byte
    said = announced(discs, caplog, tiny_recipe("diffusion", memory_gb=0.0))
    assert "to keep them" not in said
    assert f"transform.size_pix={size // 2}" in said
