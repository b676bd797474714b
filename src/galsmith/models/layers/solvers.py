"""Solvers of the probability flow that draw from a denoiser, and their noise schedule (Karras et al. 2022)."""

import itertools

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
        stepped = values + step * slope
        if following > 0:
            stepped = values + step * 0.5 * (slope + _slope(denoise, stepped, following))
        values = stepped
    return values


def _slope(denoise: Denoise, values: torch.Tensor, level: float) -> torch.Tensor:
    """Slope of the probability flow, d values / d level."""
    levels = torch.full((len(values),), level, dtype=values.dtype, device=values.device)
    return (values - denoise(values, levels)) / level
