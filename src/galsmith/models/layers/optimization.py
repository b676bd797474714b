"""What every trainer does around a loss: the rate's course, steps that survive bad numbers, one network's trainer."""

import copy
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch

from galsmith.errors import SettingsError
from galsmith.models.layers.chance import step_chance
from galsmith.models.protocols import NetworkBatch, TrainingProgress

Part = torch.nn.Module | torch.optim.Optimizer
"""What is trained, or trains: it has a state to keep."""


def learning_rate(
    peak: float, progress: TrainingProgress, *, warmup_images: int, decay_share: float
) -> float:
    """Rise linearly over the first images, fall linearly to zero over the last share of the budget."""
    # Adam's second moment is rough at first
    warm = min(1.0, (progress.images_seen + 1) / warmup_images) if warmup_images > 0 else 1.0
    left = max(0.0, 1.0 - progress.budget_used)  # of the budget, not of steps: minutes may hold any number
    return peak * warm * min(1.0, left / decay_share)


def guarded_step(
    optimizer: torch.optim.Optimizer, loss: torch.Tensor, *, rate: float, largest_gradient: float
) -> float:
    """Take one optimizer step, or none when the loss or a gradient is not finite.

    Parameters
    ----------
    rate : float
        Learning rate of this step.
    largest_gradient : float
        Gradients of a larger norm are scaled down to it.

    Returns
    -------
    float
        The loss; NaN when a gradient was not finite.
    """
    optimizer.zero_grad(set_to_none=True)  # memory is let go too
    torch.autograd.backward(loss)
    parameters = [item for group in optimizer.param_groups for item in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(parameters, largest_gradient)
    # the one time in a step that the host waits for a device: both are read together
    value, size = torch.stack([loss.detach().reshape(()).double(), norm.double()]).tolist()
    if not (math.isfinite(value) and math.isfinite(size)):  # a finite loss may have a gradient that is not
        optimizer.zero_grad(set_to_none=True)
        return value if not math.isfinite(value) else math.nan
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return value


def step_all_or_none(
    optimizers: Sequence[torch.optim.Optimizer], losses: Iterable[float], *, rate: float
) -> bool:
    """Step all optimizers on the gradients that are there, or none when a loss or a gradient is not finite.

    Parameters
    ----------
    optimizers : sequence of Optimizer
        With gradients taken.
    losses : iterable of float
        What must be finite too.
    rate : float
        Learning rate of this step.

    Returns
    -------
    bool
        Whether the step was taken; gradients are dropped when it was not.
    """
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    gradients = [item.grad for group in groups for item in group["params"] if item.grad is not None]
    norm = float(torch.nn.utils.get_total_norm(gradients))  # not finite as soon as one gradient is not
    if not (math.isfinite(norm) and all(math.isfinite(loss) for loss in losses)):
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        return False
    for group in groups:
        group["lr"] = rate
    for optimizer in optimizers:
        optimizer.step()
    return True


def states_of(parts: Mapping[str, Part]) -> dict[str, Any]:
    """Gather what networks and optimizers need to go on, by their names."""
    return {name: part.state_dict() for name, part in parts.items()}


def fill_parts(parts: Mapping[str, Part], state: Mapping[str, Any]) -> None:
    """Go on with networks and optimizers from what `states_of` gave."""
    for name, part in parts.items():
        known = state[name]
        # an optimizer keeps the tensors that it is given
        part.load_state_dict(known if isinstance(part, torch.nn.Module) else copy.deepcopy(known))


class DescentTrainer:
    """Trains one network on one loss by one optimizer, or none of a step when it is bad; see `Trainer` for the methods.

    Parameters
    ----------
    generator : torch.nn.Module
        On its device; also a `Generator`.
    loss : callable
        ``(batch, chance) -> Tensor []``: the loss of compacted images, with all its random numbers from the stream
        `chance`, on the device of the images.
    optimizer : torch.optim.Optimizer
        Of the generator's parameters.
    rate : callable
        ``TrainingProgress -> float``: the learning rate of a step.
    largest_gradient : float
        Gradients of a larger norm are scaled down to it.
    compact : callable, optional
        What the loss wants to see of images again and again; the images themselves where it is left out.
    beside : mapping of str to torch.nn.Module, optional
        Networks that the loss needs and no step changes, by their names in the trainer's state.
    """

    def __init__(
        self,
        generator: torch.nn.Module,
        loss: Callable[[NetworkBatch, torch.Generator], torch.Tensor],
        optimizer: torch.optim.Optimizer,
        *,
        rate: Callable[[TrainingProgress], float],
        largest_gradient: float = 1.0,
        compact: Callable[[NetworkBatch], NetworkBatch] = lambda batch: batch,
        beside: Mapping[str, torch.nn.Module] | None = None,
    ) -> None:
        self.generator, self._loss, self._optimizer = generator, loss, optimizer
        self._rate, self._largest_gradient, self._compact = rate, largest_gradient, compact
        self._parts: dict[str, Part] = {"generator": generator, "optimizer": optimizer, **(beside or {})}

    @torch.no_grad()
    def compacted(self, batch: NetworkBatch) -> NetworkBatch:
        """Map images to what the loss wants to see."""
        return self._compact(batch)

    def step(self, batch: NetworkBatch, progress: TrainingProgress) -> Mapping[str, float]:
        """Take one step on what `compacted` gave; `SettingsError` if the loss is not one number."""
        self.generator.train()
        loss = self._loss(batch, step_chance(progress, batch.pixels.device))
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            came = f"tensor {list(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
            raise SettingsError(
                f"the loss of {type(self.generator).__name__} is a {came}; wanted a tensor of one number, as mean() is"
            )
        rate = self._rate(progress)
        return {
            "loss": guarded_step(self._optimizer, loss, rate=rate, largest_gradient=self._largest_gradient)
        }

    def state_dict(self) -> dict[str, Any]:
        """Network and optimizer."""
        return states_of(self._parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        fill_parts(self._parts, state)


def warmed_and_decayed(
    generator: torch.nn.Module,
    loss: Callable[[NetworkBatch, torch.Generator], torch.Tensor],
    config: Any,
    *,
    largest_gradient: float,
    compact: Callable[[NetworkBatch], NetworkBatch],
    beside: Mapping[str, torch.nn.Module] | None = None,
) -> DescentTrainer:
    """Start a `DescentTrainer` on AdamW, whose rate warms up and decays by a family's settings.

    Parameters
    ----------
    generator, loss, largest_gradient, compact, beside
        As `DescentTrainer` takes them.
    config : Settings
        With ``learning_rate``, ``weight_decay``, ``warmup_images`` and ``decay_share``.
    """
    optimizer = torch.optim.AdamW(
        generator.parameters(),
        lr=config.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=config.weight_decay,
        fused=True,
    )

    def rate(progress: TrainingProgress) -> float:
        warmup, decay = config.warmup_images, config.decay_share
        return learning_rate(config.learning_rate, progress, warmup_images=warmup, decay_share=decay)

    return DescentTrainer(
        generator,
        loss,
        optimizer,
        rate=rate,
        largest_gradient=largest_gradient,
        compact=compact,
        beside=beside,
    )
