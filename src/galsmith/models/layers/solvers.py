"""Solvers of the probability flow that draw from a denoiser, and their noise schedule."""

import itertools
import math

import torch

from galsmith.models.layers.edm import Denoise


def noise_schedule(n_steps: int, *, lowest: float, highest: float, rho: float = 7.0) -> torch.Tensor:
    """Falling noise levels [n_steps + 1], float64, ending in 0 (Karras et al. 2022, eq. 5).

    Raises
    ------
    ValueError
        If `n_steps` is below 1 or not 0 < lowest < highest.
    """
    if n_steps < 1 or not 0 < lowest < highest:
        raise ValueError(
            f"n_steps={n_steps}, lowest={lowest}, highest={highest}: wanted n_steps >= 1 and 0 < lowest < highest"
        )
    position = torch.linspace(0, 1, n_steps, dtype=torch.float64)
    # eq. 5; rho = 7 as in table 1
    levels = (highest ** (1 / rho) + position * (lowest ** (1 / rho) - highest ** (1 / rho))) ** rho
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


def sample_heun(denoise: Denoise, start: torch.Tensor, schedule: torch.Tensor) -> torch.Tensor:
    """Follow the probability flow from noise to data by Heun's method (Karras et al. 2022, algorithm 1).

    Parameters
    ----------
    denoise : callable
        Expected clean values.
    start : Tensor [galaxy, ...]
        Values at the first noise level of `schedule`; its dtype is kept throughout.
    schedule : Tensor [step]
        Falling noise levels; a last level of 0 is reached by an Euler step, as the flow has no slope there.

    Returns
    -------
    Tensor [galaxy, ...]
        Values at the last noise level.
    """
    values = start
    levels = [float(level) for level in schedule]
    for level, following in itertools.pairwise(levels):
        slope = _slope(denoise, values, level)
        step = following - level
        stepped = values + step * slope  # Euler's step (lines 4 and 5)
        if following > 0:
            # the trapezoid (lines 7 and 8)
            stepped = values + step * 0.5 * (slope + _slope(denoise, stepped, following))
        values = stepped
    return values


def sample_dpm(denoise: Denoise, start: torch.Tensor, schedule: torch.Tensor) -> torch.Tensor:
    """Follow the probability flow by DPM-Solver++(2M), one call of the denoiser a step.

    Algorithm 2 of Lu et al. (2022b, arXiv:2211.01095) for data plus noise of standard deviation sigma, so that
    alpha = 1 and lambda = -ln sigma. With h = lambda_i - lambda_(i-1) a step is

        x_i = exp(-h) x_(i-1) + (1 - exp(-h)) D,    D = D_(i-1) + (h / (2 h_before)) (D_(i-1) - D_(i-2)),

    where D_i is what the denoiser makes of x_i. The first step has no step before it, and one to a noise level of 0
    has no finite h: both take D = D_(i-1), which is of first order.

    Parameters
    ----------
    denoise, start, schedule
        As `sample_heun`.

    Returns
    -------
    Tensor [galaxy, ...]
        Values at the last noise level; the same each time, as no noise is added on the way.
    """
    values = start
    levels = [float(level) for level in schedule]
    before: torch.Tensor | None = None
    h_before = 0.0
    for level, following in itertools.pairwise(levels):
        clean = denoise(values, _same_level(values, level))
        h = math.log(level / following) if following > 0 else math.inf  # lambda = -ln sigma falls by h
        target = clean
        if before is not None and following > 0:
            target = clean + h / (2 * h_before) * (clean - before)  # D of the second order
        # exact for a D that does not change over the step
        values = math.exp(-h) * values - math.expm1(-h) * target
        before, h_before = clean, h
    return values


def _slope(denoise: Denoise, values: torch.Tensor, level: float) -> torch.Tensor:
    """Slope of the probability flow, d values / d level."""
    return (values - denoise(values, _same_level(values, level))) / level  # Karras+22, eqs. 1 and 3


def _same_level(values: torch.Tensor, level: float) -> torch.Tensor:
    """Give all galaxies of `values` one noise level, [galaxy]."""
    return torch.full((len(values),), level, dtype=values.dtype, device=values.device)
