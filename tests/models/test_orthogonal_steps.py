"""Orthogonalized steps turn all directions alike."""

import pytest
import torch

from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.orthogonal_steps import OrthogonalSteps, orthogonalized


@pytest.mark.parametrize("shape", [(24, 96), (96, 24), (32, 32)])
def test_singular_values_come_near_each_other_and_directions_stay(shape):
    chance = generator_from_seed(2)
    left, _ = torch.linalg.qr(torch.randn(shape[0], shape[0], generator=chance))
    right, _ = torch.linalg.qr(torch.randn(shape[1], shape[1], generator=chance))
    n_values = min(shape)
    steep = torch.logspace(0, -1.5, n_values)  # a factor of 30 between the strongest and the weakest
    matrix = left[:, :n_values] @ torch.diag(steep) @ right[:n_values]
    turned = orthogonalized(matrix)
    values = torch.linalg.svdvals(turned)
    assert float(values.max() / values.min()) < 2.0
    assert float(turned.square().sum(dim=1).mean()) == pytest.approx(1.0, rel=1e-5)
    # the polar factor U V^T is what exact orthogonalization gives
    exact = left[:, :n_values] @ right[:n_values]
    likeness = (turned * exact).sum() / (turned.norm() * exact.norm())
    assert float(likeness) > 0.97
    assert float((matrix * exact).sum() / (matrix.norm() * exact.norm())) < 0.85


def test_a_step_does_not_depend_on_the_unit_of_the_loss_and_lowers_it():
    chance = generator_from_seed(3)
    wanted, start = torch.randn((2, 12, 8, 3, 3), generator=chance)
    weights = []
    for unit in (1.0, 1e3):
        weight = torch.nn.Parameter(start.clone())
        optimizer = OrthogonalSteps([weight], lr=0.02, per_rate=2.0)
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            loss = unit * (weight - wanted).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()) / unit)
        assert losses[-1] < 0.5 * losses[0]
        weights.append(weight.detach())
    torch.testing.assert_close(weights[0], weights[1], rtol=0.02, atol=0.02)


def test_the_first_step_turns_rows_by_the_rate():
    weight = torch.nn.Parameter(torch.randn(12, 48, generator=generator_from_seed(4)))
    before = weight.detach().clone()
    optimizer = OrthogonalSteps([weight], lr=0.01, per_rate=2.0)
    (weight * torch.randn(12, 48, generator=generator_from_seed(5))).sum().backward()
    optimizer.step()
    step = (weight.detach() - before).square().mean().sqrt()
    assert float(step) == pytest.approx(0.02, rel=1e-3)
