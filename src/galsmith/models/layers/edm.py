"""Preconditioning of a denoiser, weight of its loss, and noise levels of training.

Two parametrizations of one denoiser of clean values x from noisy ones y = x + sigma * noise: EDM (Karras et al. 2022) and
flow matching along straight lines (Lipman et al. 2023). `sigma_data` may be one number or one a component: then the skip
term of EDM is the Wiener filter of the components' own variances. All functions work on tensors [galaxy, ...]; noise
levels are [galaxy].
"""

import math
from collections.abc import Callable
from typing import Literal

import torch

Denoise = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(noisy [galaxy, ...], noise_level [galaxy]) -> expected clean values [galaxy, ...]."""

Parametrization = Literal["edm", "flow"]
"""What the network gives: EDM's residual of unit variance, or the velocity of a straight line from data to noise."""


def denoised(
    network: Denoise,
    noisy: torch.Tensor,
    noise_level: torch.Tensor,
    *,
    sigma_data: torch.Tensor,
    parametrization: Parametrization = "edm",
) -> torch.Tensor:
    """Estimate clean values by a network with outputs of order 1.

    ``edm``: Karras et al. 2022, eq. 7 and table 1. ``flow``: with data and noise of unit deviation the line is
    x_t = (1 - t) x + t noise and the network gives its velocity noise - x, so that x = x_t - t velocity; in the
    variables here sigma / sigma_data = t / (1 - t).

    Parameters
    ----------
    network : callable
        ``(scaled input [galaxy, ...], ln(noise_level) / 4 [galaxy])`` -> [galaxy, ...], float32.
    noisy : Tensor [galaxy, ...], float32
        Clean values plus noise of standard deviation `noise_level`.
    noise_level : Tensor [galaxy], float32
        Above zero.
    sigma_data : Tensor
        Standard deviation of the clean values, broadcast against `noisy`.
    parametrization : {"edm", "flow"}
        What the network gives.
    """
    sigma = like(noise_level, noisy)
    if parametrization == "flow":
        # x_t in units of unit deviation of data and noise
        raw = network(noisy / (sigma + sigma_data), noise_level.log() / 4)
        return (noisy - sigma * raw) * sigma_data / (sigma + sigma_data)
    variance = sigma**2 + sigma_data**2  # of the noisy values
    raw = network(noisy / variance.sqrt(), noise_level.log() / 4)  # c_in and c_noise of table 1
    # c_skip and c_out of table 1
    return sigma_data**2 / variance * noisy + sigma * sigma_data / variance.sqrt() * raw


def loss_weight(
    noise_level: torch.Tensor,
    shape_of: torch.Tensor,
    *,
    sigma_data: torch.Tensor,
    parametrization: Parametrization = "edm",
) -> torch.Tensor:
    """Weight of the squared error that makes it the squared error of the network's own output.

    With ``edm`` every noise level then has an equal share at the start (Karras et al. 2022, table 1); with ``flow`` it
    is the error of the velocity. Broadcasts against `shape_of`, the tensor [galaxy, ...] whose errors are weighed.
    """
    sigma = like(noise_level, shape_of)
    if parametrization == "flow":
        return ((sigma + sigma_data) / (sigma * sigma_data)) ** 2
    return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2  # 1 / c_out**2


def like(noise_level: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Reshape [galaxy] to broadcast against [galaxy, ...]."""
    return noise_level.reshape(-1, *[1] * (values.ndim - 1))


def draw_noise_levels(count: int, *, mean: float, std: float, chance: torch.Generator) -> torch.Tensor:
    """Noise levels with ln sigma ~ N(mean, std), one from each of `count` equal shares of the distribution.

    Every level by itself follows the log-normal law; together they cover it evenly, which makes the gradient less
    noisy than independent draws (as in Kingma et al. 2021, appendix I.1).

    Returns
    -------
    Tensor [count], float32
        In random order, on the device of `chance`.
    """
    # stratified: one level from each share
    shares = torch.randperm(count, generator=chance, device=chance.device)
    offset = torch.rand(count, generator=chance, device=chance.device, dtype=torch.float64)
    # keeps the inverse normal law finite: 5.2 deviations
    quantile = ((shares + offset) / count).clamp(1e-7, 1 - 1e-7)
    normal = math.sqrt(2.0) * torch.erfinv(2 * quantile - 1)
    return (normal * std + mean).exp().float()


def fitted_noise_levels(amplitudes: torch.Tensor) -> tuple[float, float]:
    """Mean and standard deviation of ln sigma for data whose components have these standard deviations.

    A component is learned at noise levels around its own amplitude. Each is counted by its amplitude and given a
    spread of 1: in an image whose frequencies k fall as k**-2, which are k times as many, every octave of scales then
    has the same say, however many fine frequencies of no amplitude there are; white noise gives its own amplitude.

    Parameters
    ----------
    amplitudes : Tensor [...]
        Standard deviations, above zero, in network units.
    """
    log_amplitude = amplitudes.double().log()
    weight = amplitudes.double() / amplitudes.double().sum()
    mean = float((weight * log_amplitude).sum())
    spread = float((weight * (log_amplitude - mean) ** 2).sum())
    return mean, math.sqrt(spread + 1.0)  # a component is learned within a factor e of its amplitude
