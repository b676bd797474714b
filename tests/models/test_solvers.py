"""The solvers against laws with a known score."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from galsmith.models.layers.edm import like
from galsmith.models.layers.noise import generator_from_seed
from galsmith.models.layers.solvers import noise_schedule, sample_heun

MEANS = torch.tensor([-2.0, 1.5], dtype=torch.float64)
WIDTHS = torch.tensor([0.3, 0.6], dtype=torch.float64)
SHARES = torch.tensor([0.3, 0.7], dtype=torch.float64)


def mixture_denoiser(noisy: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Expected clean value of a one-dimensional Gaussian mixture, in closed form (Bayes)."""
    variance = WIDTHS**2 + level[:, None] ** 2
    log_weight = SHARES.log() - 0.5 * variance.log() - (noisy - MEANS) ** 2 / (2 * variance)
    weight = torch.softmax(log_weight, dim=1)
    each = MEANS + WIDTHS**2 / variance * (noisy - MEANS)
    return (weight * each).sum(dim=1, keepdim=True)


def mixture_cdf(value: np.ndarray) -> np.ndarray:
    parts = zip(SHARES.tolist(), MEANS.tolist(), WIDTHS.tolist(), strict=True)
    return sum(share * stats.norm.cdf(value, mean, width) for share, mean, width in parts)


def drawn_from(denoiser, n: int = 4000, n_steps: int = 40) -> torch.Tensor:
    schedule = noise_schedule(n_steps, lowest=0.002, highest=80.0)
    noise = torch.randn(n, 1, generator=generator_from_seed(1), dtype=torch.float64)
    return sample_heun(denoiser, noise * schedule[0], schedule)[:, 0]


def test_the_exact_score_gives_the_mixture_back():
    assert stats.kstest(drawn_from(mixture_denoiser).numpy(), mixture_cdf).pvalue > 0.01


def test_a_wrong_score_does_not_give_the_mixture():
    def shifted(noisy, level):
        return mixture_denoiser(noisy, level) + 0.1

    assert stats.kstest(drawn_from(shifted).numpy(), mixture_cdf).pvalue < 1e-6


def test_heun_is_of_second_order():
    sigma_data = 0.7

    def wiener(noisy, level):
        return noisy * (sigma_data**2 / (sigma_data**2 + like(level, noisy) ** 2))

    start = torch.full((1, 1), 3.0, dtype=torch.float64)
    low, high = 0.2, 3.0
    exact = 3.0 * math.sqrt((sigma_data**2 + low**2) / (sigma_data**2 + high**2))
    counts = [8, 16, 32, 64]
    errors = []
    for count in counts:
        schedule = noise_schedule(count + 1, lowest=low, highest=high)[:-1]
        errors.append(abs(float(sample_heun(wiener, start, schedule)) - exact))
    slope = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert slope == pytest.approx(-2.0, abs=0.1)


def test_the_schedule_is_that_of_the_paper():
    schedule = noise_schedule(3, lowest=1.0, highest=128.0, rho=7.0)
    assert schedule.tolist() == pytest.approx([128.0, 1.5**7, 1.0, 0.0])  # 128**(1/7) is 2


def test_a_schedule_of_rising_levels_is_refused():
    with pytest.raises(ValueError, match="wanted n_steps >= 1 and 0 < lowest < highest"):
        noise_schedule(5, lowest=2.0, highest=1.0)
