"""Batch normalization against torch's own, and what its running averages are made of."""

import pytest
import torch

from galsmith.models.layers.batch_normalization import BatchNormalization, keep_statistics
from galsmith.models.layers.chance import generator_from_seed


def values(*, mean: float = 0.0, spread: float = 1.0, seed: int = 0) -> torch.Tensor:
    return mean + spread * torch.randn(6, 3, 4, 4, generator=generator_from_seed(seed))


def test_a_batch_is_normalized_as_by_torch():
    own, theirs = BatchNormalization(3), torch.nn.BatchNorm2d(3)
    with torch.no_grad():
        for layer in (own.gain, theirs.weight):
            layer.copy_(torch.tensor([1.0, 2.0, 3.0]))
    batch = values(mean=2.0, spread=3.0)
    torch.testing.assert_close(own(batch), theirs(batch))
    assert {name for name, value in own.named_parameters() if value.requires_grad} == {"gain", "bias"}


def test_the_first_batches_are_averaged_evenly_and_later_ones_take_5_percent():
    layer = BatchNormalization(3)
    for number in range(20):
        layer(values(mean=float(number)))
        layer.keep_seen()
    offset = values().mean(dim=(0, 2, 3))
    torch.testing.assert_close(layer.mean.detach(), offset + 9.5)
    layer(values(mean=109.5))
    layer.keep_seen()
    torch.testing.assert_close(layer.mean.detach(), offset + 9.5 + 0.05 * 100, rtol=1e-5, atol=1e-4)


def test_statistics_are_taken_in_only_when_told_and_only_in_training():
    network = torch.nn.Sequential(BatchNormalization(3), BatchNormalization(3))
    network(values(mean=5.0))
    assert (network[0].mean == 0).all()
    keep_statistics(network)
    kept = network[0].mean.clone()
    assert (kept > 4).all()
    keep_statistics(network)
    assert torch.equal(network[0].mean, kept)
    network.eval()(values(mean=50.0))
    keep_statistics(network)
    assert torch.equal(network[0].mean, kept)


def test_in_evaluation_an_image_does_not_depend_on_its_batch():
    layer = BatchNormalization(3)
    layer(values(mean=1.0, spread=2.0))
    layer.keep_seen()
    batch = values(seed=1)
    assert not torch.allclose(layer(batch)[:1], layer(batch[:1]), atol=1e-3)
    layer.eval()
    torch.testing.assert_close(layer(batch)[:1], layer(batch[:1]))
    assert layer(values(mean=1.0, spread=2.0)).std().item() == pytest.approx(1.0, rel=0.02)


def test_one_value_a_channel_is_left_finite():
    layer = BatchNormalization(3)
    assert torch.isfinite(layer(torch.ones(1, 3, 1, 1))).all()
