"""Preconditioning against the perfect denoiser of Gaussian data, and the noise levels of training."""

import math

import pytest
import torch
from scipy import stats

from galsmith.models.layers.chance import generator_from_seed
from galsmith.models.layers.edm import (
    NoiseLaw,
    denoised,
    draw_noise_levels,
    fitted_noise_law,
    fitted_noise_levels,
    half_whitened,
    loss_weight,
)
from galsmith.models.layers.solvers import noise_schedule, sample_heun
from galsmith.models.pca_diffusion.config import PcaDiffusionConfig


def test_without_a_network_preconditioning_is_the_wiener_filter():
    chance = generator_from_seed(2)
    sigma_data = torch.tensor([1.0, 0.3, 0.05])
    noisy, level = torch.randn(5, 3, generator=chance), torch.rand(5, generator=chance) + 0.1
    estimate = denoised(lambda values, _: torch.zeros_like(values), noisy, level, sigma_data=sigma_data)
    wiener = noisy * sigma_data**2 / (sigma_data**2 + level[:, None] ** 2)
    torch.testing.assert_close(estimate, wiener)


def test_one_deviation_for_all_components_is_the_scalar_preconditioning():
    chance = generator_from_seed(6)
    noisy, level = torch.randn(5, 2, 4, 4, generator=chance), torch.rand(5, generator=chance) + 0.1
    for parametrization in ("edm", "flow"):
        one, many = (
            denoised(
                lambda values, _: values.tanh(),
                noisy,
                level,
                sigma_data=sigma_data,
                parametrization=parametrization,
            )
            for sigma_data in (torch.tensor(0.5), torch.full((2, 4, 4), 0.5))
        )
        torch.testing.assert_close(one, many, atol=1e-6, rtol=0)


def velocity_of_gaussian(level: torch.Tensor, sigma_data: torch.Tensor):
    """Exact velocity noise - x of a Gaussian in its own units: E[noise - x | x_t] = x_t (t - (1 - t)) / var(x_t)."""
    t = level / (level + sigma_data)
    return lambda values, _: values * (2 * t - 1) / (t**2 + (1 - t) ** 2)


def test_the_exact_velocity_of_a_gaussian_gives_its_posterior_mean():
    chance = generator_from_seed(7)
    sigma_data = torch.tensor([1.0, 0.3, 0.05])
    noisy, level = torch.randn(5, 3, generator=chance), torch.rand(5, generator=chance) + 0.1
    estimate = denoised(
        velocity_of_gaussian(level[:, None], sigma_data),
        noisy,
        level,
        sigma_data=sigma_data,
        parametrization="flow",
    )
    wiener = noisy * sigma_data**2 / (sigma_data**2 + level[:, None] ** 2)
    torch.testing.assert_close(estimate, wiener)


def test_the_exact_velocity_of_a_gaussian_draws_that_gaussian():
    sigma_data = torch.tensor([1.0, 0.3, 0.05])
    schedule = noise_schedule(64, lowest=1e-3, highest=50.0)
    normal = torch.randn(4000, 3, generator=generator_from_seed(8))

    def denoise(noisy, level):
        network = velocity_of_gaussian(level[:, None], sigma_data)
        return denoised(network, noisy, level, sigma_data=sigma_data, parametrization="flow")

    start = normal * (schedule[0] ** 2 + sigma_data**2).sqrt().float()
    drawn = sample_heun(denoise, start, schedule, sigma_data=sigma_data)
    torch.testing.assert_close(drawn, normal * sigma_data, atol=5e-3, rtol=5e-3)


def test_weighted_errors_of_flow_are_errors_of_the_velocity():
    chance = generator_from_seed(9)
    sigma_data, clean = torch.tensor([1.0, 0.2]), torch.randn(50, 2, generator=chance)
    clean = clean * sigma_data
    level, normal = torch.rand(50, generator=chance) + 0.05, torch.randn(50, 2, generator=chance)
    error = (
        denoised(
            lambda values, _: torch.full_like(values, 0.7),
            clean + normal * level[:, None],
            level,
            sigma_data=sigma_data,
            parametrization="flow",
        )
        - clean
    )
    weighted = error**2 * loss_weight(level, clean, sigma_data=sigma_data, parametrization="flow")
    torch.testing.assert_close(weighted, (0.7 - (normal - clean / sigma_data)) ** 2, rtol=1e-3, atol=1e-4)


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


LAW = NoiseLaw(mean=-0.8, std=1.4, lowest=1e-4, highest=100.0)


def test_noise_levels_follow_their_law_and_cover_it_evenly():
    levels = draw_noise_levels(512, LAW, chance=generator_from_seed(4)).double().log()

    def cdf(value):
        even = (value - math.log(LAW.lowest)) / math.log(LAW.highest / LAW.lowest)
        return 0.9 * stats.norm(LAW.mean, LAW.std).cdf(value) + 0.1 * even.clip(0, 1)

    assert stats.kstest(levels.numpy(), cdf).statistic < 4 / 512  # independent draws have 20
    assert float(levels[:256].mean()) == pytest.approx(float(levels.mean()), abs=0.3)  # in random order


def test_all_that_drawing_visits_is_learned():
    levels = draw_noise_levels(5000, LAW, chance=generator_from_seed(4))
    assert float(levels.min()) >= LAW.lowest
    edges = torch.tensor([LAW.lowest * 10**k for k in range(7)])
    assert int(torch.histogram(levels, edges).hist.min()) > 0.012 * 5000  # in each decade
    # must fail: by the log-normal law alone
    assert stats.norm(LAW.mean, LAW.std).cdf(math.log(1e-3)) < 1e-5


def test_the_law_is_in_units_of_the_data():
    config = PcaDiffusionConfig()
    amplitudes = torch.tensor([1.0, 0.1, 0.01])
    law = fitted_noise_law(amplitudes, config)
    assert (law.mean, law.std) == pytest.approx(fitted_noise_levels(amplitudes))
    assert (law.lowest, law.highest) == pytest.approx((0.1 * 0.01, 20.0))
    louder = fitted_noise_law(3 * amplitudes, config)
    assert (louder.lowest / law.lowest, louder.highest / law.highest) == pytest.approx((3.0, 3.0))
    assert louder.mean - law.mean == pytest.approx(math.log(3))
    given = fitted_noise_law(amplitudes, config.model_copy(update={"noise_level_mean": -0.8}))
    assert (given.mean, given.std) == pytest.approx((-0.8, law.std))


def test_half_whitening_halves_the_decades():
    deviations = torch.tensor([20.0, 0.2, 0.002])
    whitened, scale = half_whitened(deviations, 0.5)
    assert whitened.tolist() == pytest.approx([1.0, 0.1, 0.01])
    torch.testing.assert_close(whitened * scale, deviations)
    assert half_whitened(deviations, 0.0)[0].tolist() == [1.0, 1.0, 1.0]


def test_fitted_noise_levels_follow_the_amplitudes():
    assert fitted_noise_levels(torch.full((5,), math.exp(-1.5))) == pytest.approx((-1.5, 1.0))
    mean, std = fitted_noise_levels(torch.tensor([1.0, 0.1, 0.01]))
    assert -math.log(100) < mean < 0
    assert std > 1
    shifted = fitted_noise_levels(10 * torch.tensor([1.0, 0.1, 0.01]))
    assert shifted == pytest.approx((mean + math.log(10), std))


def test_many_fine_modes_of_tiny_amplitude_hardly_count():
    few = torch.tensor([1.0, 0.5, 0.25])
    many = torch.cat([few, torch.full((1000,), 1e-6)])
    assert fitted_noise_levels(many) == pytest.approx(fitted_noise_levels(few), abs=0.05)
    assert float(many.log().mean()) < -13  # what counting all alike would give


def test_every_octave_of_a_galaxy_like_spectrum_counts_alike():
    axis = torch.arange(256, dtype=torch.float64) + 0.5
    k = torch.hypot(axis[:, None], axis)
    seen = (k > 1) & (k < 256)
    mean, std = fitted_noise_levels(k[seen] ** -2)
    middle, width = math.log(16.0**-2), 2 * math.log(256) / 12**0.5  # ln(amplitude) is uniform over ln(k)
    assert mean == pytest.approx(middle, abs=0.25)  # few modes in the first octave
    assert std == pytest.approx(math.hypot(width, 1.0), abs=0.2)
