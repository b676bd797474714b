"""Drawing in few steps: jumps along the probability flow, learned from a solver that goes there in many short hops.

In the angle of each value (see `solvers`) the flow of Gaussian data stands still, and a network of EDM gives its slope. A
jump from one noise level to another asks a network that knows both for the mean slope between them, so that

    u_arrival = u + (angle - angle_arrival) * mean slope

The Wiener part is exact in any number of jumps, and a network that gives the slope where the jump starts, as one that was
trained to denoise, takes Euler's step. What is left to learn is where the solver comes; as its path is a function of the
noise it starts from, no galaxy is needed for that. This is distillation along the path (as Luhman & Luhman 2021, for all
parts of it), not consistency tuning (Geng et al. 2024), which asks a network for its own estimate a little further on.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from galsmith.models.layers.chance import drawn_rows
from galsmith.models.layers.edm import Denoise, NoiseLaw
from galsmith.models.layers.solvers import amplitude_of, angle_of, heun_path, noise_schedule

BELOW_LOWEST = 0.25
"""Of the lowest noise level: what a network is told of an arrival at none, whose logarithm it cannot be told."""

MeanSlope = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(u [galaxy, ...], condition of its noise level [galaxy], of the arrival's) -> mean slope of u between the two."""


@dataclass(frozen=True)
class Hops:
    """The hops of the solver that is learned from, of which every jump is some.

    Attributes
    ----------
    law : NoiseLaw
        Between which noise levels galaxies are drawn.
    count : int
        Hops from the highest level to none.
    sigma_data : Tensor
        Standard deviation of the clean values.
    """

    law: NoiseLaw
    count: int
    sigma_data: torch.Tensor

    @property
    def schedule(self) -> torch.Tensor:
        """Falling noise levels [count + 1], float64, ending in 0."""
        return noise_schedule(self.count, lowest=self.law.lowest, highest=self.law.highest)

    def ends(self, n_steps: int) -> list[int]:
        """Say at which levels of `schedule` the jumps of drawing in some steps start and end, the first 0.

        Jumps turn the values by the same angle on average: most levels lie where hardly any value is told from noise yet.
        """
        schedule = self.schedule
        turned = [float(angle_of(float(level), self.sigma_data).mean()) for level in schedule]
        ends = [0]
        for step in range(1, n_steps):
            wanted = turned[0] * (1 - step / n_steps)
            nearest = min(range(self.count), key=lambda hop: abs(turned[hop] - wanted))
            # each jump is one hop or more
            ends.append(min(max(nearest, ends[-1] + 1), self.count - n_steps + step))
        return [*ends, self.count]

    def schedule_of(self, n_steps: int) -> torch.Tensor:
        """Give the noise levels of drawing in some steps, [n_steps + 1]; more than there are hops have their own."""
        # such jumps were never learned: the network is asked between the levels that it knows
        if n_steps > self.count:
            return noise_schedule(n_steps, lowest=self.law.lowest, highest=self.law.highest)
        return self.schedule[self.ends(n_steps)]

    def condition(self, levels: torch.Tensor) -> torch.Tensor:
        """Say what a network is told of noise levels: ln(level) / 4 as in EDM, and of none a level below all."""
        # c_noise of Karras+22, table 1, finite at no noise
        return levels.clamp_min(BELOW_LOWEST * self.law.lowest).log() / 4


def sample_jumps(mean_slope: MeanSlope, start: torch.Tensor, hops: Hops, n_steps: int) -> torch.Tensor:
    """Draw by jumps.

    Parameters
    ----------
    mean_slope : callable
        Mean slope of u between two noise levels.
    start : Tensor [galaxy, ...]
        Values at the highest noise level.
    hops : Hops
        Of the solver that was learned from.
    n_steps : int
        Jumps.

    Returns
    -------
    Tensor [galaxy, ...]
        Clean values.
    """
    deviations, schedule = hops.sigma_data.to(start), hops.schedule_of(n_steps)
    unit = start / amplitude_of(float(schedule[0]), deviations)
    for pair in itertools.pairwise(schedule):
        turn = angle_of(float(pair[0]), deviations) - angle_of(float(pair[1]), deviations)
        level, arrival = (hops.condition(end).to(unit).expand(len(unit)) for end in pair)
        # a jump turns each value by its own angle
        unit = unit + turn * mean_slope(unit, level, arrival)
    return unit * deviations


class JumpLoss:
    """Squared error of where jumps end, beside where the solver came from the same noise.

    Parameters
    ----------
    mean_slope : callable
        Of the network that learns.
    teacher : callable
        Expected clean values: the denoiser whose flow is followed, which stays as it is.
    hops : Hops
        Of the solver.
    step_counts : sequence of int
        How many jumps galaxies are to be drawn in, each at most as many as hops.
    share : Tensor
        Weight of each value's error, broadcast against the hops' `sigma_data`.
    """

    def __init__(
        self,
        mean_slope: MeanSlope,
        teacher: Denoise,
        hops: Hops,
        step_counts: Sequence[int],
        *,
        share: torch.Tensor,
    ) -> None:
        self._mean_slope, self._teacher, self._hops = mean_slope, teacher, hops
        self._sigma_data, self._share = hops.sigma_data, share
        pairs = [pair for count in step_counts for pair in itertools.pairwise(hops.ends(count))]
        # one pair may belong to several counts, and is then learned once
        self._starts, self._ends = zip(*dict.fromkeys(pairs), strict=True)
        schedule = hops.schedule
        angles = torch.stack([angle_of(float(level), hops.sigma_data) for level in schedule])
        self._turns = (angles[list(self._starts)] - angles[list(self._ends)])[:, None]
        self._conditions = hops.condition(schedule).to(hops.sigma_data)

    def __call__(self, n_galaxies: int, chance: torch.Generator) -> torch.Tensor:
        """Follow the solver from fresh noise of so many galaxies, and hold all jumps beside it."""
        path = self._followed(n_galaxies, chance)
        starts, ends = path[list(self._starts)], path[list(self._ends)]
        slope = self._mean_slope(
            starts.flatten(0, 1),
            self._conditions[list(self._starts)].repeat_interleave(n_galaxies),
            self._conditions[list(self._ends)].repeat_interleave(n_galaxies),
        )
        # in units of the values' own deviation where a jump ends
        error = starts + self._turns * slope.reshape(starts.shape) - ends
        return (error**2 * self._share).mean()

    @torch.no_grad()
    def _followed(self, n_galaxies: int, chance: torch.Generator) -> torch.Tensor:
        """Follow the solver from fresh noise, [level, galaxy, ...] in units of the values' deviation there."""
        # at the highest level u is a unit normal number, as where galaxies are drawn
        shape = (n_galaxies, *self._sigma_data.shape)
        unit = drawn_rows(torch.randn, shape, chance)
        path = heun_path(self._teacher, unit, self._hops.schedule, sigma_data=self._sigma_data)
        return torch.stack([unit, *path])
