"""Solvers of the probability flow that draw from a denoiser, and their noise schedule.

The flow dx/dsigma = (x - D) / sigma of Karras et al. (2022, eqs. 1 and 3) is stiff where components differ by orders of
magnitude: a step that is right for the large ones is far too long for the fine. For Gaussian data of deviation s the
denoiser D is the Wiener filter and the flow is known: u = x / sqrt(sigma**2 + s**2) does not change. So u is followed,
and not over sigma but over the angle theta = arctan(sigma / s) of each value, from pi/2 to 0, which is the noise level in
units of the value's own deviation:

    du/dtheta = -(D - c_skip x) / c_out

with c_skip and c_out of table 1, which is minus what a network of EDM gives. The linear part is thereby integrated exactly
(an exponential integrator), and steps have to follow only what the data are beyond a Gaussian.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

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


def sample_heun(
    denoise: Denoise, start: torch.Tensor, schedule: torch.Tensor, *, sigma_data: torch.Tensor
) -> torch.Tensor:
    """Follow the probability flow from noise to data by Heun's method in the angle of each value.

    Karras et al. (2022), algorithm 1, for u as a function of the angle; see this module.

    Parameters
    ----------
    denoise : callable
        Expected clean values.
    start : Tensor [galaxy, ...]
        Values at the first noise level of `schedule`; its dtype is kept throughout.
    schedule : Tensor [step]
        Falling noise levels; a last level of 0 is reached by an Euler step, as no network is asked without noise.
    sigma_data : Tensor
        Standard deviation of the clean values, or a guess, broadcast against `start`; above zero. The better it is the
        less is left to the steps: a Gaussian of these deviations is drawn exactly by any number of them.

    Returns
    -------
    Tensor [galaxy, ...]
        Values at the last noise level.
    """
    flow = _Flow(denoise, sigma_data.to(start))
    unit = start / flow.amplitude(float(schedule[0]))
    for followed in heun_path(denoise, unit, schedule, sigma_data=sigma_data):
        unit = followed
    return unit * flow.amplitude(float(schedule[-1]))


def heun_path(
    denoise: Denoise, unit: torch.Tensor, schedule: torch.Tensor, *, sigma_data: torch.Tensor
) -> Iterator[torch.Tensor]:
    """Follow the flow as `sample_heun` does, and give u [galaxy, ...] at each noise level after the first.

    Parameters
    ----------
    denoise, schedule, sigma_data
        As `sample_heun`.
    unit : Tensor [galaxy, ...]
        Values at the first noise level in units of their own deviation there, u of this module.
    """
    flow = _Flow(denoise, sigma_data.to(unit))
    for level, following in itertools.pairwise(float(level) for level in schedule):
        slope, step = flow.slope(unit, level), flow.angle(level) - flow.angle(following)
        turned = unit + step * slope  # Euler's step
        if following > 0:
            turned = unit + step * 0.5 * (slope + flow.slope(turned, following))  # the trapezoid
        unit = turned
        yield unit


def sample_multistep(
    denoise: Denoise, start: torch.Tensor, schedule: torch.Tensor, *, sigma_data: torch.Tensor
) -> torch.Tensor:
    """Follow the probability flow by a method of two steps, one call of the denoiser a step.

    Adams and Bashforth's method of second order in the angle of each value, for steps that differ: with the slope r and the
    step h, and those before, ``u + h (r + h / (2 h_before) (r - r_before))``. The first step is Euler's.

    Parameters
    ----------
    denoise, start, schedule, sigma_data
        As `sample_heun`.

    Returns
    -------
    Tensor [galaxy, ...]
        Values at the last noise level; the same each time, as no noise is added on the way.
    """
    flow = _Flow(denoise, sigma_data.to(start))
    levels = [float(level) for level in schedule]
    unit = start / flow.amplitude(levels[0])
    before: tuple[torch.Tensor, torch.Tensor] | None = None
    for level, following in itertools.pairwise(levels):
        slope, step = flow.slope(unit, level), flow.angle(level) - flow.angle(following)
        ahead = slope
        if before is not None:
            ahead = slope + step / (2 * before[1]) * (slope - before[0])  # the slope goes on as it changed
        unit = unit + step * ahead
        before = slope, step
    return unit * flow.amplitude(levels[-1])


SOLVERS = {"heun": sample_heun, "multistep": sample_multistep}
"""By the names that settings have for them."""


def angle_of(level: float, sigma_data: torch.Tensor) -> torch.Tensor:
    """Angle at a noise level of values of these deviations: pi/2 where all is noise, 0 where none is."""
    return torch.atan2(torch.full_like(sigma_data, level), sigma_data)


def amplitude_of(level: float, sigma_data: torch.Tensor) -> torch.Tensor:
    """Deviation of noisy values whose clean ones have these: variances add, as noise is independent of the data."""
    return torch.hypot(torch.full_like(sigma_data, level), sigma_data)


@dataclass(frozen=True)
class _Flow:
    """The probability flow in the angle of each value, for a denoiser and the deviations it is taken to have."""

    denoise: Denoise
    sigma_data: torch.Tensor

    def angle(self, level: float) -> torch.Tensor:
        """Angle of each value at a noise level."""
        return angle_of(level, self.sigma_data)

    def amplitude(self, level: float) -> torch.Tensor:
        """Deviation of noisy values."""
        return amplitude_of(level, self.sigma_data)

    def slope(self, unit: torch.Tensor, level: float) -> torch.Tensor:
        """Change of u for a fall of the angle, which is what a network of EDM gives."""
        amplitude = self.amplitude(level)
        levels = torch.full((len(unit),), level, dtype=unit.dtype, device=unit.device)
        clean = self.denoise(unit * amplitude, levels)
        # what the Wiener filter says is taken off; c_skip and c_out of Karras+22, table 1, in units of sigma_data
        return (clean / self.sigma_data - unit * (self.sigma_data / amplitude)) / (level / amplitude)
