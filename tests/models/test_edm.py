"""Preconditioning against the perfect denoiser of Gaussian data, and the noise levels of training."""

import math

import pytest
import torch
from scipy import stats

from galsmith.models.layers.edm import (
    denoised,
    draw_noise_levels,
    fitted_noise_levels,
    loss_weight,
)
from galsmith.models.layers.noise import generator_from_seed


def test_without_a_network_preconditioning_is_the_wiener_filter():
    chance = generator_from_seed(2)
    sigma_data = torch.tensor([1.0, 0.3, 0.05])
    noisy, level = torch.randn(5, 3, generator=chance), torch.rand(5, generator=chance) + 0.1
    estimate = denoised(lambda values, _: torch.zeros_like(values), noisy, level, sigma_data=sigma_data)
    wiener = noisy * sigma_data**2 / (sigma_data**2 + level[:, None] ** 2)
    torch.testing.assert_close(estimate, wiener)


def test_network_inputs_and_weighted_targets_have_unit_variance():
    chance = generator_from_seed(3)
    sigma_data = torch.tensor([1.0, 0.2])
    for value in (0.05, 0.5, 5.0):
        clean = torch.randn(40_000, 2, generator=chance) * sigma_data
        level = torch.full((40_000,), value)
        seen = []

        def network(values, condition, seen=seen):
            seen.append((values, condition))
            return torch.zeros_like(values)

        noisy = clean + torch.randn(clean.shape, generator=chance) * value
        error = denoised(network, noisy, level, sigma_data=sigma_data) - clean
        weighted = error**2 * loss_weight(level, clean, sigma_data=sigma_data)
        assert seen[0][0].std(dim=0).tolist() == pytest.approx([1.0, 1.0], abs=0.02)
        assert seen[0][1][0] == pytest.approx(math.log(value) / 4)
        assert weighted.mean(dim=0).tolist() == pytest.approx([1.0, 1.0], abs=0.04)


def test_noise_levels_follow_the_log_normal_law_and_cover_it_evenly():
    levels = draw_noise_levels(512, mean=-0.8, std=1.4, chance=generator_from_seed(4)).double().log()
    assert levels.mean() == pytest.approx(-0.8, abs=0.01)  # independent draws scatter by 0.06
    assert levels.std() == pytest.approx(1.4, abs=0.02)
    assert stats.kstest(((levels + 0.8) / 1.4).numpy(), "norm").statistic < 2 / 512
    assert levels[:256].mean() == pytest.approx(-0.8, abs=0.3)  # in random order


def test_fitted_noise_levels_follow_the_amplitudes():
    assert fitted_noise_levels(torch.full((5,), math.exp(-1.5))) == pytest.approx((-1.5, 1.0))
    mean, std = fitted_noise_levels(torch.tensor([1.0, 0.1, 0.01]))
    assert -math.log(100) < mean < 0
    assert std > 1
    shifted = fitted_noise_levels(10 * torch.tensor([1.0, 0.1, 0.01]))
    assert shifted == pytest.approx((mean + math.log(10), std))
