import numpy as np
import pytest
import torch

from galsmith.training.averages.power_function import PowerFunctionEma, gamma_from_width


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
