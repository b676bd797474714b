"""Each family says what it cannot do and how to get there; and what only one family can."""

import pytest
import torch

from galsmith.errors import InputError, SettingsError
from galsmith.models.diffusion.config import DiffusionConfig
from galsmith.models.protocols import NetworkBatch, TrainingProgress


def test_pca_diffusion_refuses_odd_sides(build, blobs):
    with pytest.raises(SettingsError, match="images of 15 px: pca_diffusion needs an even side"):
        build("pca_diffusion", blobs(8, size_pix=15))


def test_pca_diffusion_refuses_equal_images(build, blobs):
    batch = blobs(8)
    equal = NetworkBatch(torch.full_like(batch.pixels, 0.25), batch.scalars)
    with pytest.raises(InputError, match="all training images are equal"):
        build("pca_diffusion", equal)


def test_pca_diffusion_refuses_conditions(build, training_blobs):
    generator = build("pca_diffusion", training_blobs).generator
    with pytest.raises(SettingsError, match="draws scalars and images together; train the family diffusion"):
        generator.sample([1], torch.zeros(1, 2))


def test_pca_diffusion_works_on_sides_that_are_no_power_of_two(build, blobs):
    drawn = build("pca_diffusion", blobs(30, size_pix=22)).generator.eval().sample([1])
    assert drawn.pixels.shape == (1, 2, 22, 22)


@pytest.mark.parametrize(("side", "better"), [(24, 32), (20, 16), (400, 256)])
def test_diffusion_names_the_nearest_side_it_can_take(build, blobs, side, better):
    with pytest.raises(SettingsError, match=f"images of {side} px: .* set transform.size_pix={better}"):
        build("diffusion", blobs(2, size_pix=side))


def test_diffusion_refuses_more_levels_than_the_side_has(build, training_blobs):
    config = DiffusionConfig(channels=(8, 8, 8, 8))
    with pytest.raises(SettingsError, match="16 px leave 1 px on the last level"):
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


@pytest.mark.parametrize("name", ["pca_diffusion", "diffusion", "vae", "alae"])
def test_bfloat16_trains_in_float32_weights_and_stays_near(
    build, training_blobs, name, tiny_configs, description_of
):
    from galsmith.models.families import FAMILIES

    half = FAMILIES[name].build_trainer(
        tiny_configs[name],
        description_of(training_blobs),
        lambda: iter([training_blobs]),
        seed=0,
        device="cpu",
        precision="bfloat16",
    )
    whole = build(name, training_blobs)
    first = TrainingProgress(0, 0, 0.0)
    losses = [trainer.step(trainer.compacted(training_blobs), first)["loss"] for trainer in (half, whole)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert {value.dtype for value in half.generator.parameters()} == {torch.float32}
    assert half.generator.eval().sample([1]).pixels.dtype == torch.float32
