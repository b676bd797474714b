"""Slopes of piecewise linear networks: the gradients of torch's own double backward; what bends otherwise is refused."""

import pytest
import torch
from torch.nn import functional

from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.piecewise_linear import PiecewiseLinear
from galsmith.models.wgan.networks import Critic


def gradients(network, weights, *, is_inside: bool):
    """Differentiate the sum of squared slopes in the weights, in double precision."""
    images = torch.rand(3, 1, 40, 40, generator=generator_from_seed(1), dtype=torch.float64).requires_grad_()
    if is_inside:
        with PiecewiseLinear():
            scores = network(images)
    else:
        scores = network(images)
    (slope,) = torch.autograd.grad(scores.sum(), images, create_graph=True)
    found = torch.autograd.grad((slope**2).sum().sqrt(), weights, allow_unused=True, materialize_grads=True)
    return scores.detach(), found


def critic_and_weights(layout):
    critic = Critic(1, 40, width=4, chance=generator_from_seed(0)).double().to(memory_format=layout)
    return (lambda images: critic.leave(critic.trunk(images).flatten(1))), list(critic.parameters())


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_a_critic_has_the_gradients_that_torch_finds(layout):
    critic, weights = critic_and_weights(layout)
    scores, wanted = gradients(critic, weights, is_inside=False)
    same_scores, found = gradients(critic, weights, is_inside=True)
    torch.testing.assert_close(same_scores, scores, rtol=0, atol=0)
    assert any(float(one.abs().max()) > 0 for one in wanted)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-14)


def test_equal_pixels_are_pooled_as_torch_pools_them():
    weight = torch.rand(2, 1, 3, 3, generator=generator_from_seed(2), dtype=torch.float64).requires_grad_()

    def network(images):
        # each second pixel is the same as the one before
        twins = functional.conv2d(images, weight, None, 1, 1).repeat_interleave(2, dim=-1)
        return functional.max_pool2d(twins, 2).sum(dim=(1, 2, 3))

    wanted = gradients(network, [weight], is_inside=False)
    torch.testing.assert_close(gradients(network, [weight], is_inside=True), wanted)


def test_a_network_that_bends_otherwise_is_refused():
    weight = torch.rand(2, 1, 3, 3, generator=generator_from_seed(2), dtype=torch.float64).requires_grad_()

    def network(images):
        return functional.conv2d(images, weight, None).square().sum(dim=(1, 2, 3))

    gradients(network, [weight], is_inside=False)
    with pytest.raises(RuntimeError, match="not piecewise linear"):
        gradients(network, [weight], is_inside=True)
