"""Preconditioning of a denoiser, weight of its loss, and noise levels of training.

Two parametrizations of one denoiser of clean values x from noisy ones y = x + sigma * noise: EDM (Karras et al. 2022) and
flow matching along straight lines (Lipman et al. 2023). `sigma_data` may be one number or one a component: then the skip
term of EDM is the Wiener filter of the components' own variances. All functions work on tensors [galaxy, ...]; noise
levels are [galaxy].
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch

from galsmith.models.layers.chance import drawn_rows, permuted, share_of

EVEN_SHARE = 0.1  # of the training's noise levels, over all that drawing visits

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


@dataclass(frozen=True)
class NoiseLaw:
    """Noise levels of one kind of data.

    Attributes
    ----------
    mean, std : float
        Of ln(noise level) in training, for all but a tenth of it.
    lowest, highest : float
        Between which galaxies are drawn; the last tenth of the training's levels is even between their logarithms, so
        that nothing is asked in drawing that was not learned.
    """

    mean: float
    std: float
    lowest: float
    highest: float


def fitted_noise_law(amplitudes: torch.Tensor, config: Any) -> NoiseLaw:
    """Law of the noise levels of data whose components have these standard deviations, as far as a config leaves it open.

    Parameters
    ----------
    amplitudes : Tensor [...]
        Standard deviations, above zero, in network units.
    config : Settings
        With ``noise_level_mean`` and ``noise_level_std``, numbers or ``"fitted"``, and ``lowest_noise_level`` and
        ``highest_noise_level`` in units of the least and the largest deviation.
    """
    mean, std = fitted_noise_levels(amplitudes)
    return NoiseLaw(
        mean=mean if config.noise_level_mean == "fitted" else config.noise_level_mean,
        std=std if config.noise_level_std == "fitted" else config.noise_level_std,
        lowest=config.lowest_noise_level * float(amplitudes.min()),
        highest=config.highest_noise_level * float(amplitudes.max()),
    )


def half_whitened(deviations: torch.Tensor, power: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the standard deviations that components get, the largest 1, and what they are divided by for that.

    Parameters
    ----------
    deviations : Tensor [...]
        Of the components, above zero.
    power : float
        0 gives all one deviation, 1 leaves their ratios as they are; between them fine components come nearer to the
        strong ones, and all are drawn in fewer octaves of noise levels.
    """
    whitened = (deviations / deviations.max()) ** power
    return whitened, deviations / whitened


def draw_noise_levels(count: int, law: NoiseLaw, *, chance: torch.Generator) -> torch.Tensor:
    """Noise levels of training, one from each of as many equal shares of their law as the batch has images.

    Every level by itself follows the law; together they cover it evenly, which makes the gradient less noisy than
    independent draws (as in Kingma et al. 2021, appendix I.1).

    Returns
    -------
    Tensor [count], float32
        In random order, on the device of `chance`.
    """
    # stratified: one level from each share
    shares = drawn_rows(permuted, [count], chance)
    offset = drawn_rows(partial(torch.rand, dtype=torch.float64), [count], chance)
    quantile = (shares + offset) / share_of(chance).whole(count)
    low, high = math.log(law.lowest), math.log(law.highest)
    even = low + (quantile / EVEN_SHARE) * (high - low)
    # keeps the inverse normal law finite: 5.2 deviations
    left = ((quantile - EVEN_SHARE) / (1 - EVEN_SHARE)).clamp(1e-7, 1 - 1e-7)
    normal = math.sqrt(2.0) * torch.erfinv(2 * left - 1) * law.std + law.mean
    return torch.where(quantile < EVEN_SHARE, even, normal).exp().float()


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
