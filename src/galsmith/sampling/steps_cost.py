"""What is lost by drawing in a number of steps that a model was not made for, measured on galaxies of the same seeds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from galsmith.models.layers.cosines import cosine_matrix
from galsmith.models.protocols import SteppedGenerator

GALAXIES_AT_MOST = 128


@dataclass(frozen=True)
class StepsCost:
    """How galaxies of some steps differ from those that the same seeds give in the model's own.

    Attributes
    ----------
    steps : int
        That were asked for.
    own : tuple of int
        That the model was made for; compared with the most of them.
    n_galaxies : int
        Drawn in both ways.
    difference : float
        Root mean square difference of their pixels in network space, in standard deviations of these pixels.
    fine_power : float
        Power of the finest octave of spatial frequencies, as a share of what it is in the model's own steps.
    """

    steps: int
    own: tuple[int, ...]
    n_galaxies: int
    difference: float
    fine_power: float

    @property
    def text(self) -> str:
        """In a line for whoever asked."""
        made_for = " and ".join(
            filter(None, [", ".join(str(count) for count in self.own[:-1]), str(self.own[-1])])
        )
        return (
            f"`steps={self.steps}`: this model was made to draw in {made_for} steps; {self.n_galaxies} galaxies of the "
            f"same seeds differ by {self.difference:.2g} of their deviation from those in {max(self.own)}, and their "
            f"finest octave has {self.fine_power:.2f} of the power"
        )


def measured_cost(generator: SteppedGenerator, seeds: Sequence[int]) -> StepsCost:
    """Draw galaxies in the steps that are asked for and in the model's own, and compare.

    Parameters
    ----------
    generator : SteppedGenerator
        Whose ``sampler_choice`` asks for a number of steps; it is left as it was.
    seeds : sequence of int
        One a galaxy; as many as it takes are used.
    """
    choice, some = generator.sampler_choice, list(seeds)[:GALAXIES_AT_MOST]
    if choice.n_steps is None:
        raise ValueError("sampler_choice.n_steps is None; wanted a number of steps whose cost to measure")
    asked = generator.sample(some).pixels
    try:
        generator.sampler_choice = replace(choice, n_steps=max(generator.own_steps))
        own = generator.sample(some).pixels
    finally:
        generator.sampler_choice = choice
    scatter = (own - own.mean(dim=0)).pow(2).mean()
    return StepsCost(
        steps=choice.n_steps,
        own=generator.own_steps,
        n_galaxies=len(some),
        difference=float(((asked - own).pow(2).mean() / scatter).sqrt()),
        fine_power=float(fine_power(asked) / fine_power(own)),
    )


def fine_power(pixels: torch.Tensor) -> torch.Tensor:
    """Mean square of the cosine coefficients whose frequency along an axis is in the upper half, of [..., y, x]."""
    side = pixels.shape[-1]
    matrix = cosine_matrix(side).to(pixels)
    spectrum = (matrix @ pixels @ matrix.T) ** 2
    spectrum[..., : side // 2, : side // 2] = 0
    return spectrum.mean()
