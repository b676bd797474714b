"""Each family says what it cannot do and how to get there; and what only one family can."""

import math

import pytest
import torch

from galsmith.errors import InputError, SettingsError
from galsmith.models.diffusion.config import DiffusionConfig
from galsmith.models.families import FAMILIES
from galsmith.models.protocols import NetworkBatch, TrainingProgress

OF_PICTURES = {"wgan", "cvae", "dcgan", "field_composer"}  # their sides are tested with them
# components, and the noise levels of all diffusions
FITTED_ON_IMAGES = {
    "pca_diffusion",
    "pca_diffusion, place and texture",
    "relay_diffusion",
    "relay_diffusion, small patches",
} | {"diffusion" + variant for variant in ("", ", spectral", ", flow", ", haar", ", small set")}


def test_pca_diffusion_refuses_odd_sides(build, blobs):
    with pytest.raises(SettingsError, match="images of 15 px: pca_diffusion needs an even side"):
        build("pca_diffusion", blobs(8, size_pix=15))


@pytest.mark.parametrize("flat", [False, True])
def test_equal_images_and_scalars_are_refused_or_trained_on_without_a_bad_number(family, flat, build, blobs):
    """Images that differ in flux alone are equal as networks see them; equal pictures no family gets to see.

    A family that fits spatial components has none on flat images; eight orientations of anything else are some.
    """
    one = blobs(1)
    pixels = torch.full_like(one.pixels, 0.25) if flat else one.pixels
    equal = NetworkBatch(pixels.repeat(16, 1, 1, 1), one.scalars.repeat(16, 1))
    if flat and family in FITTED_ON_IMAGES:
        with pytest.raises(InputError, match="all training images are equal"):
            build(family, equal)
        return
    if family == "field_composer":
        with pytest.raises(SettingsError, match="16 training fields: field_composer needs 50 at least"):
            build(family, equal)
        return
    trainer = build(family, equal)
    rows = trainer.compacted(equal)
    for number in range(12):
        losses = trainer.step(rows, TrainingProgress(0, 16 * number, 0.05 * number))
        assert all(math.isfinite(loss) for loss in losses.values()), (number, losses)
    drawn = trainer.generator.eval().sample([1, 2])
    assert torch.isfinite(drawn.pixels).all()
    torch.testing.assert_close(drawn.scalars, equal.scalars[:2])


def test_pca_diffusion_refuses_conditions(build, training_blobs):
    generator = build("pca_diffusion", training_blobs).generator
    with pytest.raises(SettingsError, match="draws scalars and images together; train the family diffusion"):
        generator.sample([1], torch.zeros(1, 2))


def test_pca_diffusion_works_on_sides_that_are_no_power_of_two(build, blobs):
    drawn = build("pca_diffusion", blobs(30, size_pix=22)).generator.eval().sample([1])
    assert drawn.pixels.shape == (1, 2, 22, 22)


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - {"pca_diffusion", *OF_PICTURES}))
@pytest.mark.parametrize(("side", "better"), [(8, 16), (20, 16), (24, 32), (63, 64), (300, 256)])
def test_all_but_pca_diffusion_name_the_nearest_side_they_can_take(build, blobs, name, side, better):
    wanted = f"images of {side} px: {name} needs .* set transform.size_pix={better}, or ingest with `resize_pix={better}`"
    with pytest.raises(SettingsError, match=wanted):
        build(name, blobs(2, size_pix=side))


def test_diffusion_refuses_more_levels_than_the_side_has(build, training_blobs):
    config = DiffusionConfig(channels=(8, 8, 8, 8))
    with pytest.raises(
        SettingsError, match=r"`model.channels=8,8,8,8`: 16 px leave 1 px on the last of 4 levels"
    ):
        build("diffusion", training_blobs, config=config)


def test_diffusion_draws_for_given_scalars(build, training_blobs):
    generator = build("diffusion", training_blobs).generator.eval()
    wanted = torch.tensor([[0.5, -1.0], [2.0, 0.0]])
    drawn = generator.sample([1, 2], wanted)
    torch.testing.assert_close(drawn.scalars, wanted)


def test_diffusion_refuses_conditions_of_another_shape(build, training_blobs):
    generator = build("diffusion", training_blobs).generator
    with pytest.raises(ValueError, match=r"conditions has shape \(1, 3\); wanted \(1, 2\)"):
        generator.sample([1], torch.zeros(1, 3))


def test_diffusion_uses_its_scalars(build, training_blobs):
    trainer = build("diffusion", training_blobs)
    for number in range(3):
        trainer.step(training_blobs, TrainingProgress(0, 96 * number, 0.0))
    generator = trainer.generator.eval()
    one = generator.sample([1], torch.zeros(1, 2)).pixels
    other = generator.sample([1], torch.full((1, 2), 3.0)).pixels
    assert not torch.allclose(one, other, atol=1e-4)
