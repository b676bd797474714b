"""The networks of cosmology fields: published shapes and counts, and the rule for other sides."""

import pytest
import torch
from torch.nn import functional

from galsmith.models.families import family_named
from galsmith.models.family import Blueprint
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.doublings import Doublings
from galsmith.models.layers.mixed_blocks import MixedBlock, MixedTrunk, halvings_of
from galsmith.models.layers.same_padding import SamePaddedConv, SamePaddedTranspose
from galsmith.models.protocols import DataDescription
from galsmith.models.wgan.config import WganConfig
from galsmith.models.wgan.networks import Critic, FieldDecoder


def chance():
    return generator_from_seed(0)


def n_weights(network):
    return sum(parameter.numel() for parameter in network.parameters())


def decoder(size_pix, *, width=8):
    description = DataDescription(("gray",), size_pix, (), 10, (0.0, 1.0))
    return FieldDecoder(Blueprint(WganConfig(width=width), description, chance(), {}))


def test_the_generator_has_the_published_count():
    network = decoder(1000)
    assert n_weights(network) == 2_487_617
    counts = [n_weights(layer) for layer in (network.enter, *network.levels, network.leave)]
    assert counts == [1_638_400, 409_728, 204_864, 102_464, 100_384, 25_104, 6_280, 393]


@pytest.mark.parametrize("size_pix", [1000, 500, 250, 125])
def test_the_critic_has_the_published_count_whatever_the_side(size_pix):
    critic = Critic(1, size_pix, chance=chance())
    assert n_weights(critic) == 2_283_977
    assert n_weights(critic.trunk) == 2_271_432
    assert [n_weights(layer) for layer in critic.trunk.stem] == [80, 584]
    assert [n_weights(block) for block in critic.trunk.blocks] == [48_784, 283_936, 1_938_048]
    assert n_weights(critic.leave) == 12_545


def test_a_last_strided_path_of_half_the_width_would_not_give_the_published_count():
    """The table's label B = 128, A = 64 suggests S = 64."""
    block = MixedBlock(128, (64, 128, 64), is_halving=(True, True), chance=chance())
    assert n_weights(block) != 1_938_048


def shapes_of(network, values):
    """Shapes [channel, y, x] after every block or transposed convolution, and of what comes out."""
    found = []
    hooks = [
        layer.register_forward_hook(lambda _, __, out: found.append(tuple(out.shape[1:])))
        for name, layer in network.named_modules()
        if isinstance(layer, MixedBlock | SamePaddedTranspose)
    ]
    with torch.no_grad():
        out = network(values)
    for hook in hooks:
        hook.remove()
    return found, tuple(out.shape[1:])


def test_the_trunk_has_the_published_shapes():
    found, last = shapes_of(
        MixedTrunk(1, 1000, chance=chance()).to("meta"), torch.empty(1, 1, 1000, 1000).to("meta")
    )
    assert found == [(64, 125, 125), (128, 31, 31), (256, 7, 7)]
    assert last == (256, 7, 7)


def test_the_generator_has_the_published_shapes():
    found, last = shapes_of(decoder(1000), torch.zeros(1, 200))
    assert found == [
        (128, 16, 16),
        (64, 32, 32),
        (64, 64, 64),
        (32, 128, 128),
        (16, 250, 250),
        (8, 500, 500),
        (1, 1000, 1000),
    ]
    assert last == (1, 1000, 1000)


@pytest.mark.parametrize(
    ("size_pix", "last"),
    [(500, [(16, 250, 250), (1, 500, 500)]), (250, [(32, 128, 128), (1, 250, 250)])],
)
def test_smaller_sides_leave_the_last_levels_of_the_generator_out(size_pix, last):
    whole, small = decoder(1000), decoder(size_pix)
    found, _ = shapes_of(small, torch.zeros(1, 200))
    assert found[-2:] == last
    kept = small.levels.state_dict()
    assert {name: value.shape for name, value in kept.items()} == {
        name: value.shape for name, value in whole.levels.state_dict().items() if name in kept
    }


@pytest.mark.parametrize("size_pix", [16, 17, 20, 63, 125, 200, 250, 333, 500, 512, 1000, 1024])
def test_any_side_is_reached_and_read(size_pix):
    found, last = shapes_of(decoder(size_pix, width=1), torch.zeros(1, 200))
    assert last == (1, size_pix, size_pix)
    assert len(found) == Doublings.of(size_pix).count <= 7
    trunk = MixedTrunk(1, size_pix, width=1, chance=chance())
    side = shapes_of(trunk.to("meta"), torch.empty(1, 1, size_pix, size_pix).to("meta"))[1][-1]
    assert side == trunk.side_pix
    assert 7 <= side < 16


def test_halvings_are_left_out_from_the_end():
    assert [sum(halvings_of(side)) for side in (1024, 1000, 500, 250, 125, 64, 16)] == [7, 7, 6, 5, 4, 3, 1]
    assert halvings_of(250) == (True, True, True, True, True, False, False)


@pytest.mark.parametrize("side", [7, 8, 31, 32])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (7, 2), (5, 2)])
def test_same_padding_puts_the_odd_zero_at_the_end(side, kernel, stride):
    """Keras' rule, written out for one axis after the other."""
    layer = SamePaddedConv(2, 3, kernel=kernel, stride=stride, chance=chance())
    values = torch.randn(1, 2, side, side, generator=chance())
    out = layer(values)
    assert out.shape[-1] == -(-side // stride)
    total = max((out.shape[-1] - 1) * stride + kernel - side, 0)
    before = total // 2
    row, column = 2, 1
    window = torch.zeros(2, kernel, kernel)
    for y in range(kernel):
        for x in range(kernel):
            here = (row * stride - before + y, column * stride - before + x)
            if all(0 <= place < side for place in here):
                window[:, y, x] = values[0][:, here[0], here[1]]
    expected = (layer.weight * window).sum(dim=(1, 2, 3)) + layer.bias
    torch.testing.assert_close(out[0, :, row, column], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kernel", [5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_transpose_is_the_adjoint_of_the_convolution_of_keras(kernel, stride):
    """<conv(x), y> = <x, transpose(y)> for the same kernel: how Keras defines its transposed layer."""
    transpose = SamePaddedTranspose(3, 2, kernel=kernel, stride=stride, chance=chance())
    conv = SamePaddedConv(2, 3, kernel=kernel, stride=stride, chance=chance())
    with torch.no_grad():
        conv.weight.copy_(transpose.weight)
    stream = chance()
    small, large = (
        torch.randn(1, 3, 6, 6, generator=stream),
        torch.randn(1, 2, 6 * stride, 6 * stride, generator=stream),
    )
    assert transpose(small).shape == large.shape
    assert float((conv(large) * small).sum().detach()) == pytest.approx(
        float((large * transpose(small)).sum().detach()), rel=1e-4
    )


def test_the_pooled_path_alone_is_max_pooling_of_two_convolutions():
    block = MixedBlock(2, (2, 4, 2), is_halving=(True, False), chance=chance())
    values = torch.randn(1, 2, 9, 9, generator=chance())
    first, second, third, fourth = block.pooled
    half = functional.max_pool2d(functional.relu(second(functional.relu(first(values)))), 2)
    expected = functional.relu(fourth(functional.relu(third(half))))
    out = block(values)
    assert out.shape == (1, 8, 4, 4)
    torch.testing.assert_close(out[:, :4], expected)


def test_first_weights_are_glorots():
    layer = SamePaddedConv(16, 8, kernel=7, chance=chance())
    bound = (6 / ((16 + 8) * 49)) ** 0.5
    assert float(layer.weight.detach().abs().max()) <= bound
    assert float(layer.weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.02)
    assert (layer.bias == 0).all()


def test_the_record_builds_the_published_networks():
    family = family_named("wgan")
    trainer = family.build_trainer(
        family.config(), DataDescription(("gray",), 1000, (), 10, (0.0, 1.0)), lambda: iter(()), seed=0
    )
    assert n_weights(trainer.generator) == 2_487_617
    assert n_weights(trainer.critic) == 2_283_977
