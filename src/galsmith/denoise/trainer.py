"""`NetworkTrainer`: takes steps on a denoising network; `Validation`: keeps the weights that do best on images held out."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from galsmith.denoise.looks import SIDE_MULTIPLE, Looks
from galsmith.denoise.network import NetworkModule, ObservedBatch, batch_of
from galsmith.denoise.settings import DenoiserTraining
from galsmith.images import ImageSet
from galsmith.models.layers.optimization import Part, fill_parts, guarded_step, states_of
from galsmith.models.protocols import TrainingProgress
from galsmith.observe.observed import Observed
from galsmith.seeds import random_stream
from galsmith.training.averages.power_function import PowerFunctionEma
from galsmith.training.budget import Budget, Choice, RunState
from galsmith.training.listeners import TrainingLog
from galsmith.training.loop import InterruptNote, StepReport

KERAS_EPSILON = 1e-7  # of Adam in Keras; PyTorch has 1e-8
WARM_SHARE, DECAYING_SHARE = 0.05, 0.5
LOOKS_AT_ONCE = 8


def learning_rate(training: DenoiserTraining, progress: TrainingProgress) -> float:
    """Give the rate of a step by the schedule of a recipe."""
    if training.schedule == "steps":
        lowered = training.learning_rate * training.decay_factor ** (
            progress.images_seen // training.decay_images
        )
        return max(lowered, training.least_rate)
    used = progress.budget_used
    warm = min(1.0, (used + 1e-3) / WARM_SHARE)
    return training.learning_rate * warm * min(1.0, (1.0 - used) / DECAYING_SHARE)


class NetworkTrainer:
    """Takes optimization steps on one network; what the loop may know.

    Parameters
    ----------
    network : DenoisingNetwork
        On its device, with first weights.
    training : DenoiserTraining
        Rates.
    """

    def __init__(self, network: NetworkModule, training: DenoiserTraining) -> None:
        self._network, self._training = network, training
        self._optimizer = torch.optim.Adam(
            network.parameters(), lr=training.learning_rate, eps=KERAS_EPSILON, foreach=True
        )
        self._parts: dict[str, Part] = {"network": network, "optimizer": self._optimizer}

    @property
    def generator(self) -> torch.nn.Module:
        """The network, by the name that the loop has for what it averages."""
        network: torch.nn.Module = self._network
        return network

    def step(self, batch: ObservedBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step, or none where loss or gradient is not finite."""
        terms = self._network.train().loss(batch)
        largest = self._training.largest_gradient
        loss = guarded_step(
            self._optimizer,
            terms.pop("loss"),
            rate=learning_rate(self._training, progress),
            largest_gradient=math.inf if largest is None else largest,
        )
        return {"loss": loss, **{name: float(value.detach()) for name, value in terms.items()}}

    def state_dict(self) -> dict[str, Any]:
        """Network and optimizer."""
        return states_of(self._parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        fill_parts(self._parts, state)


@dataclass(frozen=True)
class ValidationLooks:
    """The same looks at held-out images whenever they are asked for.

    Attributes
    ----------
    images : ImageSet
        Held out.
    looks : Looks
        As in training.
    count : int
        How many.
    seed : int
        Of the run.
    """

    images: ImageSet
    looks: Looks
    count: int
    seed: int

    def observations(self) -> Iterator[Observed]:
        """Observe the held-out images, one after the other and again."""
        for position in range(self.count):
            chance = random_stream(self.seed, "denoise.validation", position)
            yield self.looks.at(self.images[position % len(self.images)], chance)

    def batches(self, device: torch.device) -> Iterator[ObservedBatch]:
        """Give the looks one by one, as a network sees them."""
        for observed in self.observations():
            yield batch_of([observed], side_multiple=SIDE_MULTIPLE).to(device)


@torch.no_grad()
def validation_losses(
    network: NetworkModule, looks: ValidationLooks, device: torch.device
) -> dict[str, float]:
    """Means over the looks of what the network's loss gives; the likelihood of sigmas is a term of its own."""
    network.eval()
    found: dict[str, list[float]] = {}
    for batch in looks.batches(device):
        for name, value in network.loss(batch).items():
            found.setdefault(name, []).append(float(value))
    return {name: float(np.mean(values)) for name, values in found.items()}


class Validation:
    """Takes the loss on held-out images a number of times, and keeps the best weights; a loop listener.

    Parameters
    ----------
    looks : ValidationLooks
        What is asked.
    network : callable
        Gives the network to ask: the average, or the one that is trained.
    state : RunState
        Where the run stands; gets the choice.
    training : DenoiserTraining
        How often, and how long to wait for a better one.
    log : TrainingLog
        Gets a line each time.
    note : InterruptNote
        Asked to stop where patience ends.
    chosen : mapping, optional
        Best weights so far.
    """

    def __init__(
        self,
        looks: ValidationLooks,
        network: Callable[[], NetworkModule],
        *,
        state: RunState,
        training: DenoiserTraining,
        log: TrainingLog,
        note: InterruptNote,
        device: torch.device,
        chosen: Mapping[str, Any] | None = None,
    ) -> None:
        self._looks, self._network, self._state, self._training = looks, network, state, training
        self._log, self._note, self._device = log, note, device
        self._budget = Budget(training.minutes, training.images)
        self.chosen = chosen

    @property
    def fields(self) -> Mapping[str, str]:
        """What to show beside the loss."""
        choice = self._state.choice
        return {} if choice is None else {"best": f"{choice.distance:.4g}"}

    def __call__(self, report: StepReport) -> None:
        """Validate when it is time and the step was good."""
        state = self._state
        marks = self._training.validations
        if not report.is_good or not self._budget.is_mark_passed(
            state, since=state.evaluated_at, marks=marks
        ):
            return
        network = self._network()
        losses = validation_losses(network, self._looks, self._device)
        state.evaluated_at, state.n_evaluations = self._budget.done(state), state.n_evaluations + 1
        self._log.write(
            {
                "images_seen": state.images_seen,
                "seconds": round(state.seconds, 3),
                **{f"validation_{name}": value for name, value in losses.items() if math.isfinite(value)},
            }
        )
        loss = losses["loss"]
        if math.isfinite(loss) and (state.choice is None or loss < state.choice.distance):
            state.choice = Choice(state.images_seen, state.seconds, loss)
            self.chosen = copy.deepcopy(network.state_dict())
        if is_out_of_patience(state, self._training):
            self._note.is_asked = True


def is_out_of_patience(state: RunState, training: DenoiserTraining) -> bool:
    """Whether nothing better came for as long as a recipe waits."""
    if training.patience_images is None or state.choice is None:
        return False
    return state.images_seen - state.choice.images_seen >= training.patience_images


def averaged(network: NetworkModule, training: DenoiserTraining) -> tuple[PowerFunctionEma, ...]:
    """Start the average of weights that a recipe asks for, if any."""
    return () if training.ema_width is None else (PowerFunctionEma(network, width=training.ema_width),)
