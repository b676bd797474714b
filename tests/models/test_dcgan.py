"""The small convolutional GAN: its shapes, dropout by seed, and the slip of the published code."""

import pytest
import torch

from galsmith.errors import SettingsError
from galsmith.models.dcgan.config import DcganConfig
from galsmith.models.dcgan.networks import DcganDecoder, DcganDiscriminator, dropped
from galsmith.models.family import Blueprint
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.protocols import DataDescription, NetworkBatch, TrainingProgress


def blueprint(size_pix, **settings):
    description = DataDescription(("gray",), size_pix, (), 10, (0.0, 1.0))
    return Blueprint(DcganConfig(**settings), description, generator_from_seed(0), {})


def layers_of(network):
    return [(layer.weight.shape[1], layer.stride) for layer in (*network.levels, network.leave)]


def test_the_generator_has_the_papers_layers_at_full_size():
    network = DcganDecoder(blueprint(1000))
    assert tuple(network.enter.weight.shape) == (125 * 125 * 2, 100)
    assert layers_of(network) == [(4, 1), (8, 1), (16, 1), (16, 2), (16, 2), (1, 2)]


@pytest.mark.parametrize(
    ("size_pix", "first_side", "doublings"),
    [(500, 125, 2), (250, 125, 1), (125, 125, 0), (256, 64, 2), (16, 16, 0)],
)
def test_smaller_sides_leave_the_last_doublings_out(size_pix, first_side, doublings):
    network = DcganDecoder(blueprint(size_pix, width=1))
    assert network.first_side_pix == first_side
    assert [stride for _, stride in layers_of(network)].count(2) == doublings
    with torch.no_grad():
        assert network.eval()(torch.zeros(1, 100)).shape == (1, 1, size_pix, size_pix)


def test_the_discriminator_has_the_papers_layers():
    network = DcganDiscriminator(blueprint(1000))
    assert [tuple(level.weight.shape[:2]) for level in network.levels] == [
        (8, 1),
        (16, 8),
        (32, 16),
        (16, 32),
        (8, 16),
    ]
    assert {level.stride for level in network.levels} == {2}
    assert tuple(network.leave.weight.shape) == (1, 8 * 32 * 32)


def test_dropout_keeps_the_mean_and_comes_from_its_stream():
    values = torch.ones(200_000)
    first, again, other = (dropped(values, share=0.3, chance=generator_from_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.unique().tolist() == pytest.approx([0.0, 1 / 0.7])
    # 0.3 +- 0.001
    assert float((first == 0).float().mean()) == pytest.approx(0.3, abs=0.005)
    assert torch.equal(dropped(values, share=0.0, chance=generator_from_seed(1)), values)


def test_the_published_generator_reaches_below_black_and_the_right_one_does_not(build, blobs, pictures):
    batch = pictures(blobs(16))
    least = []
    for slip in (False, True):
        trainer = build("dcgan", batch, config=DcganConfig(latent_size=6, width=2, as_published=slip))
        trainer.step(batch, TrainingProgress(0, 0, 0.0))
        drawn = trainer.generator.eval().sample(range(8)).pixels
        least.append(float(drawn.min()))
        assert float(drawn.max()) <= 1
    assert least[0] >= 0
    assert -1 <= least[1] < 0


@pytest.mark.parametrize(("side", "nearest"), [(251, 250), (1001, 1000), (501, 500), (2000, 1000), (7, 8)])
def test_sides_that_are_no_small_one_doubled_are_refused(build, side, nearest):
    one = NetworkBatch(torch.zeros(1, 1, side, side), torch.empty(1, 0))
    with pytest.raises(SettingsError, match=f"images of {side} px: dcgan needs .*`resize_pix={nearest}`"):
        build("dcgan", one)


def test_sets_that_are_no_pictures_are_refused(build, blobs):
    with pytest.raises(SettingsError, match="dcgan learns pictures alone"):
        build("dcgan", blobs(4))
