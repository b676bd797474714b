"""Losses at a draw, R1 of a linear critic in closed form, the group deviation against numpy."""

import math

import numpy as np
import pytest
import torch

from galsmith.models.layers.adversarial import (
    discriminator_loss,
    generator_loss,
    squared_gradients,
    with_group_deviation,
)
from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.protocols import DataDescription
from galsmith.models.style_based.generator import plane_units


def test_losses_at_a_draw_and_where_the_discriminator_wins():
    even = torch.zeros(4, 1)
    assert float(discriminator_loss(even, even)) == pytest.approx(2 * math.log(2))
    assert float(generator_loss(even)) == pytest.approx(math.log(2))
    sure = torch.full((4, 1), 20.0)
    assert float(discriminator_loss(sure, -sure)) == pytest.approx(0, abs=1e-8)
    assert float(discriminator_loss(-sure, sure)) == pytest.approx(40)
    assert float(generator_loss(-sure)) == pytest.approx(20)


def test_r1_of_a_linear_critic_is_the_squared_norm_of_its_weights():
    weight = torch.randn(3, 4, 4, generator=generator_from_seed(1), requires_grad=True)
    images = torch.randn(5, 3, 4, 4, generator=generator_from_seed(2), requires_grad=True)
    logits = (images * weight).sum(dim=(1, 2, 3), keepdim=True) + 7
    penalty = squared_gradients(logits, images)
    torch.testing.assert_close(penalty, weight.detach().square().sum().expand(5))
    (gradient,) = torch.autograd.grad(penalty.mean(), weight)
    torch.testing.assert_close(gradient, 2 * weight.detach())


def test_r1_of_a_quadratic_critic_differs_from_image_to_image():
    images = torch.randn(5, 2, 4, 4, generator=generator_from_seed(2), requires_grad=True)
    penalty = squared_gradients(images.square().sum(dim=(1, 2, 3)), images)
    torch.testing.assert_close(penalty, 4 * images.detach().square().sum(dim=(1, 2, 3)))


@pytest.mark.parametrize(("galaxies", "size"), [(8, 4), (6, 3), (7, 1), (2, 2), (1, 1)])
def test_the_group_deviation_is_numpys(galaxies, size):
    values = torch.randn(galaxies, 3, 4, 4, generator=generator_from_seed(galaxies))
    out = with_group_deviation(values)
    assert out.shape == (galaxies, 4, 4, 4)
    assert torch.equal(out[:, :3], values)
    n_groups = galaxies // size
    for group in range(n_groups):
        members = values.numpy()[group::n_groups]
        wanted = np.std(members, axis=0).mean()
        assert len(members) == size
        np.testing.assert_allclose(out[group::n_groups, 3].numpy(), wanted, atol=2e-4)


def test_equal_images_have_no_deviation_and_a_gradient():
    values = torch.ones(4, 2, 4, 4, requires_grad=True)
    out = with_group_deviation(values)
    assert float(out[:, 2].detach().abs().max()) == pytest.approx(1e-4)
    out.sum().backward()
    assert torch.isfinite(values.grad).all()


def test_no_images_give_no_planes():
    assert with_group_deviation(torch.empty(0, 2, 4, 4)).shape == (0, 3, 4, 4)


def test_the_penalty_is_in_the_paper_s_units():
    """Of a paper's pixels of unit deviation x = 2 p the gradient is half that of the network's p; scalars stay."""
    description = DataDescription(("g", "r"), 4, ("size",), 10, pixel_unit=0.5)
    slopes = torch.tensor([3.0, 4.0, 5.0])[None, :, None, None].expand(2, -1, 4, 4)
    planes = torch.randn(2, 3, 4, 4).requires_grad_()
    penalty = squared_gradients((planes * slopes).sum(dim=(1, 2, 3)), planes, units=plane_units(description))
    assert penalty.tolist() == pytest.approx([16 * (9 / 4 + 16 / 4 + 25)] * 2)
    plain = squared_gradients((planes * slopes).sum(dim=(1, 2, 3)), planes)
    assert plain.tolist() == pytest.approx(
        [16 * (9 + 16 + 25)] * 2
    )  # must fail: four times too strong on pixels
