"""Equalized layers against their definition: unit variance at the start, and steps of equal share."""

import math

import pytest
import torch

from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.style_based.equalized import EqualizedConv, EqualizedLinear, leaky


def chance(seed: int = 1) -> torch.Generator:
    return generator_from_seed(seed)


@pytest.mark.parametrize(("gain", "rate_multiplier"), [(1.0, 1.0), (2.0, 1.0), (1.0, 0.01)])
def test_a_linear_layer_starts_at_its_gain(gain, rate_multiplier):
    layer = EqualizedLinear(256, 64, gain=gain, rate_multiplier=rate_multiplier, chance=chance())
    out = layer(torch.randn(2000, 256, generator=chance(2)))
    assert float(out.detach().std()) == pytest.approx(gain, rel=0.03)


@pytest.mark.parametrize(("kernel", "gain"), [(1, 1.0), (3, 0.5), (3, 1.0)])
def test_a_convolution_starts_at_its_gain(kernel, gain):
    layer = EqualizedConv(32, 64, kernel=kernel, gain=gain, chance=chance())
    out = layer(torch.randn(8, 32, 18, 18, generator=chance(2)))
    assert out.shape == (8, 64, 18, 18)
    inside = out[:, :, 1:-1, 1:-1].detach()
    assert float(inside.std()) == pytest.approx(gain, rel=0.03)


def test_the_first_bias_is_what_is_added_whatever_the_rate():
    layer = EqualizedLinear(4, 3, first_bias=1.5, rate_multiplier=0.01, chance=chance())
    torch.testing.assert_close(layer(torch.zeros(1, 4)), torch.full((1, 3), 1.5))


@pytest.mark.parametrize("n_in", [16, 256])
def test_one_step_of_adam_moves_wide_and_narrow_layers_by_the_same_share(n_in):
    layer = EqualizedLinear(n_in, 8, chance=chance())
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01, betas=(0.0, 0.99))
    before = layer.weight.detach() * layer.weight_scale
    layer(torch.randn(4, n_in, generator=chance(2))).square().sum().backward()
    optimizer.step()
    moved = layer.weight.detach() * layer.weight_scale - before
    share = float(moved.square().mean().sqrt() / before.square().mean().sqrt())
    assert share == pytest.approx(0.01, rel=0.15)


def test_a_rate_multiplier_slows_the_layer():
    shares = []
    for multiplier in (1.0, 0.01):
        layer = EqualizedLinear(64, 8, rate_multiplier=multiplier, chance=chance())
        before = layer(torch.eye(64)).detach()
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01, betas=(0.0, 0.99))
        layer(torch.randn(4, 64, generator=chance(2))).square().sum().backward()
        optimizer.step()
        shares.append(float((layer(torch.eye(64)).detach() - before).norm()))
    assert shares[1] == pytest.approx(0.01 * shares[0], rel=0.02)


def test_leaky_nearly_keeps_the_mean_square():
    values = leaky(torch.randn(200_000, generator=chance()))
    assert float(values.square().mean()) == pytest.approx(1.04, rel=0.02)
    assert float(leaky(torch.tensor(-1.0))) == pytest.approx(-0.2 * math.sqrt(2))


def test_a_convolution_without_bias_has_none():
    layer = EqualizedConv(2, 3, kernel=1, has_bias=False, chance=chance())
    assert sum(value.numel() for value in layer.parameters()) == 6
