"""The two interfaces that cross rooms: what sampling may know of a model, and what the training loop may know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch


@dataclass(frozen=True)
class NetworkBatch:
    """Galaxies as networks see them.

    Attributes
    ----------
    pixels : Tensor [galaxy, band, y, x], float32
        Transformed pixels, of order 1.
    scalars : Tensor [galaxy, scalar], float32
        What is kept apart from the pixels, standardized: log flux per band, log native size.
    """

    pixels: torch.Tensor
    scalars: torch.Tensor

    def to(self, device: torch.device) -> "NetworkBatch":
        """Move both tensors."""
        return NetworkBatch(self.pixels.to(device), self.scalars.to(device))


@dataclass(frozen=True)
class TrainingProgress:
    """Where in a training run a step stands; all chance and all schedules are functions of it.

    Attributes
    ----------
    seed : int
        The run's seed.
    images_seen : int
        Training images shown before this step.
    budget_used : float
        Share of the time or of the images already spent, in [0, 1].
    """

    seed: int
    images_seen: int
    budget_used: float


@runtime_checkable
class Generator(Protocol):
    """Draws galaxies in network space; a `torch.nn.Module`, so that it can be averaged, moved and saved."""

    def sample(self, seeds: Sequence[int], conditions: torch.Tensor | None = None) -> NetworkBatch:
        """Draw one galaxy for each seed; a galaxy depends on its own seed alone.

        Parameters
        ----------
        seeds : sequence of int
            One per galaxy; all random numbers of a galaxy come from one stream started with it.
        conditions : Tensor [galaxy, scalar], float32, optional
            Standardized scalars to draw given; drawn too when left out.
        """


class Trainer(Protocol):
    """Takes optimization steps on one generator; all that the loop may know."""

    @property
    def generator(self) -> torch.nn.Module:
        """The network that the loop averages over time and saves; also a `Generator`."""

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step on a batch and return the losses by name; a loss that is not finite changes nothing."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on: networks, optimizers."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
