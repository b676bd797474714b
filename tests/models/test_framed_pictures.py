"""Style-based families on pictures of any side: framed in black, cut out again, with the channels of a recipe."""

import pytest
import torch

from galsmith.errors import SettingsError
from galsmith.models.families import family_named, model_settings
from galsmith.models.layers.adversarial import hinge_discriminator_loss, hinge_generator_loss
from galsmith.models.protocols import DataDescription, NetworkBatch, TrainingProgress
from galsmith.models.style_based.generator import framed, unframed
from galsmith.models.style_based.settings import Stylegan2Config
from galsmith.settings import read_recipe

TINY = Stylegan2Config(latent_width=8, z_width=4, channels=(3, 4), game="hinge", r1_every=2)


def pictures_of(blobs, pictures, side, n=6):
    return pictures(blobs(n, n_bands=1, size_pix=side))


def test_a_frame_of_1000_in_1024_is_12_to_1012():
    image = torch.rand(1, 1, 1000, 1000)
    wide = framed(image, 1024)
    assert wide.shape == (1, 1, 1024, 1024)
    assert torch.equal(wide[:, :, 12:1012, 12:1012], image)
    assert float(wide.sum()) == pytest.approx(float(image.sum()), rel=1e-5)
    assert torch.equal(unframed(wide, 1000), image)


@pytest.mark.parametrize("side", [16, 17, 20, 33])
def test_any_side_is_trained_and_drawn(build, blobs, pictures, side):
    batch = pictures_of(blobs, pictures, side)
    trainer = build("stylegan2", batch, config=TINY)
    for number in range(2):
        losses = trainer.step(batch, TrainingProgress(0, 6 * number, 0.0))
        assert all(torch.isfinite(torch.tensor(list(losses.values()))))
    assert trainer.generator.eval().sample([1, 2]).pixels.shape == (2, 1, side, side)


def test_sides_of_what_is_not_a_picture_are_refused_as_before(build, blobs):
    with pytest.raises(SettingsError, match="images of 20 px: stylegan2 needs 16, 32, 64, 128 or 256 px"):
        build("stylegan2", blobs(4, size_pix=20), config=TINY)


@pytest.mark.parametrize(("side", "nearest"), [(15, 16), (1025, 1024)])
def test_pictures_out_of_reach_are_refused(build, side, nearest):
    one = NetworkBatch(torch.zeros(1, 1, side, side), torch.empty(1, 0))
    with pytest.raises(
        SettingsError, match=f"stylegan2 needs pictures of 16 to 1024 px; .*`resize_pix={nearest}`"
    ):
        build("stylegan2", one, config=TINY)


def test_the_recipe_of_fields_has_the_papers_networks():
    family, config = model_settings(read_recipe("stylegan2-fields")["model"], source="x")
    ladder = {1024: 8, 512: 16, 256: 32, 128: 48, 64: 64, 32: 128, 16: 256, 8: 256, 4: 256}
    assert config.level_widths(1024) == ladder
    description = DataDescription(("gray",), 1000, (), 10, (0.0, 1.0))
    trainer = family.build_trainer(config, description, lambda: iter(()), seed=0)
    generator = trainer.generator
    assert [layer.weight.shape for layer in generator.mapping.layers] == [(512, 128), *[(512, 512)] * 3]
    discriminator = trainer.state_dict()["discriminator"]
    blocks = [discriminator[f"blocks.{number}.second.weight"].shape[:2] for number in range(8)]
    assert blocks == [(16, 8), (32, 16), (48, 32), (64, 48), (128, 64), (256, 128), (256, 256), (256, 256)]
    assert discriminator["enter.weight"].shape == (8, 1, 1, 1)
    assert [layer.weight.shape[0] for layer in list(generator.synthesis.convs)[-4:]] == [16, 16, 8, 8]
    assert generator.galaxies_per_call == 2
    assert family_named("stylegan2").config().level_widths(256)[256] == 64


def test_the_hinge_wins_nothing_beyond_one():
    real, drawn = torch.tensor([[0.5], [3.0]]), torch.tensor([[-2.0], [0.0]])
    # halves of what is missing: 0.5 of the real ones, 1 of the drawn ones
    assert float(hinge_discriminator_loss(real, drawn)) == pytest.approx(0.75)
    assert float(hinge_discriminator_loss(real + 9, drawn - 9)) == 0
    assert float(hinge_generator_loss(drawn)) == 1


def test_the_game_and_the_decay_change_the_steps(build, blobs, pictures):
    batch = pictures_of(blobs, pictures, 16)
    weights = []
    for change in ({}, {"game": "logistic"}, {"adam_beta2": 0.5}):
        trainer = build("stylegan2", batch, config=TINY.model_copy(update=change))
        for number in range(2):
            trainer.step(batch, TrainingProgress(0, 6 * number, 0.0))
        weights.append(torch.cat([value.flatten() for value in trainer.generator.state_dict().values()]))
    assert not torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
