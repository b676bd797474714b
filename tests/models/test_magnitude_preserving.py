"""Layers keep unit variance, and only the direction of weights matters."""

import pytest
import torch

from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.dense import FourierFeatures
from galsmith.models.layers.magnitude_preserving import (
    MagnitudePreservingConv,
    blend,
    force_unit_weights,
    joined,
    silu,
    unit_pixels,
)


@pytest.fixture
def chance() -> torch.Generator:
    return generator_from_seed(8)


@pytest.fixture
def values(chance) -> torch.Tensor:
    return torch.randn(16, 24, 32, 32, generator=chance)


@pytest.mark.parametrize("kernel", [1, 3])
def test_convolutions_keep_unit_variance(kernel, chance, values):
    layer = MagnitudePreservingConv(24, 40, kernel=kernel, chance=chance)
    inside = layer(values).detach()[..., 1:-1, 1:-1]  # the border sees zeros
    assert float(inside.std()) == pytest.approx(1.0, abs=0.02)


def test_linear_layers_keep_unit_variance_and_gain_scales_it(chance):
    layer = MagnitudePreservingConv(64, 48, kernel=1, chance=chance)
    vectors = torch.randn(4000, 64, generator=chance)
    assert float(layer(vectors).detach().std()) == pytest.approx(1.0, abs=0.02)
    assert float(layer(vectors, gain=0.25).detach().std()) == pytest.approx(0.25, abs=0.01)


def test_the_length_of_weights_does_not_matter(chance, values):
    layer = MagnitudePreservingConv(24, 8, kernel=3, chance=chance)
    before = layer(values)
    with torch.no_grad():
        layer.weight.mul_(3.7)
    torch.testing.assert_close(layer(values), before, rtol=1e-3, atol=1e-3)


def test_forced_weights_have_unit_mean_square(chance):
    layer = MagnitudePreservingConv(24, 8, kernel=3, chance=chance)
    with torch.no_grad():
        layer.weight.mul_(5.0)
    force_unit_weights(torch.nn.Sequential(layer))
    mean_square = layer.weight.detach().square().mean(dim=(1, 2, 3))
    assert mean_square.tolist() == pytest.approx([1.0] * 8, rel=1e-3)


def test_silu_and_blend_and_joined_keep_unit_variance(chance, values):
    other = torch.randn(16, 8, 32, 32, generator=chance)
    assert float(silu(values).square().mean()) == pytest.approx(1.0, abs=0.02)
    assert float(blend(values, values.flip(0), share=0.3).std()) == pytest.approx(1.0, abs=0.02)
    both = joined(values, other)
    assert float(both.square().mean()) == pytest.approx(1.0, abs=0.02)
    sides = both[:, :24].square().sum() / both[:, 24:].square().sum()
    assert float(sides) == pytest.approx(1.0, abs=0.03)


def test_a_plain_sum_would_not_keep_it(values):
    assert float((values + values.flip(0)).std()) > 1.3


def test_unit_pixels_have_unit_mean_square_in_every_pixel(values):
    scaled = unit_pixels(7.0 * values)
    assert float((scaled.square().mean(dim=1) - 1).abs().max()) < 1e-3


def test_fourier_features_have_unit_variance(chance):
    features = FourierFeatures(256, bandwidth=1.0, chance=chance)
    embedded = features(torch.randn(4000, generator=chance) * 3)
    assert embedded.shape == (4000, 256)
    assert float(embedded.square().mean()) == pytest.approx(1.0, abs=0.03)
