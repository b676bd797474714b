"""EDM diffusion (Karras et al. 2022): preconditioning, loss weight, noise levels of training.

`sigma_data` may be one number or one a component: then the skip term is the Wiener filter of the components' own
variances. All functions work on tensors [galaxy, ...]; noise levels are [galaxy].
"""

import math
from collections.abc import Callable

import torch

Denoise = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(noisy [galaxy, ...], noise_level [galaxy]) -> expected clean values [galaxy, ...]."""


def denoised(
    network: Denoise, noisy: torch.Tensor, noise_level: torch.Tensor, *, sigma_data: torch.Tensor
) -> torch.Tensor:
    """Estimate clean values by a network with outputs of order 1 (Karras et al. 2022, eq. 7 and table 1).

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
    """
    sigma = like(noise_level, noisy)
    variance = sigma**2 + sigma_data**2
    raw = network(noisy / variance.sqrt(), noise_level.log() / 4)
    return sigma_data**2 / variance * noisy + sigma * sigma_data / variance.sqrt() * raw


def loss_weight(
    noise_level: torch.Tensor, shape_of: torch.Tensor, *, sigma_data: torch.Tensor
) -> torch.Tensor:
    """Weight of the squared error that gives every noise level an equal share at the start (same table).

    Broadcasts against `shape_of`, the tensor [galaxy, ...] whose errors are weighed.
    """
    sigma = like(noise_level, shape_of)
    return (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2


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
    shares = torch.randperm(count, generator=chance, device=chance.device)
    offset = torch.rand(count, generator=chance, device=chance.device, dtype=torch.float64)
    quantile = ((shares + offset) / count).clamp(1e-7, 1 - 1e-7)
    normal = math.sqrt(2.0) * torch.erfinv(2 * quantile - 1)
    return (normal * std + mean).exp().float()


def fitted_noise_levels(amplitudes: torch.Tensor) -> tuple[float, float]:
    """Mean and standard deviation of ln sigma for data whose components have these standard deviations.

    A component is learned at noise levels around its own amplitude; the distribution covers all of them, each
    with a spread of 1, and leans on the strongest, whose errors are seen first.

    Parameters
    ----------
    amplitudes : Tensor [component]
        Standard deviations, above zero, in network units.
    """
    log_amplitude = amplitudes.double().log()
    weight = amplitudes.double() / amplitudes.double().sum()
    mean = float((weight * log_amplitude).sum())
    spread = float((weight * (log_amplitude - mean) ** 2).sum())
    return mean, math.sqrt(spread + 1.0)
