import numpy as np
import pytest
import torch

from galsmith.training.averages.power_function import HalfLifeEma, PowerFunctionEma, gamma_from_width
from galsmith.training.settings import read_run_settings


def averaged(values: np.ndarray, *, width: float) -> float:
    """Average of one weight that takes these values after equal steps."""
    network = torch.nn.Linear(1, 1, bias=False)
    ema = PowerFunctionEma(network, width=width)
    for step, value in enumerate(values, start=1):
        torch.nn.init.constant_(network.weight, float(value))
        ema.update(network, images_seen=32 * step, step_images=32)
    return float(ema.average.weight)


@pytest.mark.parametrize("width", [0.03, 0.1, 0.25])
def test_profile_has_the_moments_of_a_power_function(width: float) -> None:
    gamma = gamma_from_width(width)
    times = np.arange(1, 4001) / 4000
    mean, square = averaged(times, width=width), averaged(times**2, width=width)
    assert mean == pytest.approx((gamma + 1) / (gamma + 2), abs=1e-3)  # moments of t**gamma on [0, 1]
    assert np.sqrt(square - mean**2) == pytest.approx(width, rel=0.02)


def test_first_update_copies_and_constant_weights_stay() -> None:
    assert averaged(np.array([3.0]), width=0.1) == 3.0
    assert averaged(np.full(50, 2.5), width=0.1) == pytest.approx(2.5, rel=1e-6)


def test_late_weights_count_more_than_early_ones() -> None:
    early, late = np.zeros(100), np.zeros(100)
    early[:10], late[-10:] = 1.0, 1.0
    assert averaged(early, width=0.1) < 1e-3 < averaged(late, width=0.1)


def test_buffers_are_copied() -> None:
    network = torch.nn.BatchNorm1d(2)
    ema = PowerFunctionEma(network, width=0.1)
    network.running_mean.fill_(7.0)
    ema.update(network, images_seen=64, step_images=32)
    assert torch.equal(ema.average.get_buffer("running_mean"), torch.full((2,), 7.0))


@pytest.mark.parametrize("width", [0.0, 0.3, -1.0])
def test_impossible_width_is_refused(width: float) -> None:
    with pytest.raises(ValueError, match=r"wanted a share of the training's length"):
        gamma_from_width(width)


def test_a_half_life_is_that_of_stylegan2_ada():
    """Its training loop: 0.5 ** (batch / half-life), with a half-life of at most a share of the images seen."""
    network = torch.nn.Linear(1, 1, bias=False)
    ema = HalfLifeEma(network, half_life=100.0, ramp_up=0.05)
    expected = float(network.weight.detach())
    for step in range(1, 201):
        seen = 20 * step
        with torch.no_grad():
            network.weight.fill_(float(step))
        ema.update(network, images_seen=seen, step_images=20)
        beta = 0.5 ** (20 / min(100.0, 0.05 * seen))
        expected = beta * expected + (1 - beta) * step
    assert float(ema.average.weight) == pytest.approx(expected, rel=1e-5)
    assert 200 - float(ema.average.weight) == pytest.approx(
        1 / (2 ** (20 / 100) - 1), rel=0.01
    )  # its lag in steps


def test_the_paper_s_stylegan_averages_as_auto_does():
    """'auto': batch = 4096 / 256 px, a half-life of batch * 10 / 32 thousand images, a ramp-up of 0.05."""
    training = read_run_settings("stylegan", minutes=None, images=None, seed=None, overrides=()).training
    assert training.batch_size == 4096 // 256
    assert training.ema_half_life == training.batch_size * 10 / 32 * 1000 == 5000
    assert training.ema_ramp_up == 0.05
