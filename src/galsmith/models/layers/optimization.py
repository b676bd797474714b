"""What every trainer does around a loss: the rate's course, steps that survive bad numbers, one network's trainer."""

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from galsmith.errors import SettingsError
from galsmith.models.layers.chance import step_chance
from galsmith.models.protocols import NetworkBatch, TrainingProgress
from galsmith.models.shares import ALONE, Ranks, Share

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
    return guarded_descent(optimizer, loss.detach(), rate=rate, largest_gradient=largest_gradient)


def guarded_descent(
    optimizer: torch.optim.Optimizer,
    loss: torch.Tensor,
    *,
    rate: float,
    largest_gradient: float,
    ranks: Ranks = ALONE,
) -> float:
    """Take one optimizer step on the gradients that are there; see `guarded_step`.

    Parameters
    ----------
    loss : Tensor []
        Whose gradients they are, without its graph.
    ranks : Ranks
        With whom gradients and loss are averaged first.

    Returns
    -------
    float
        The mean loss; NaN when a gradient was not finite.
    """
    # before the norm is taken: all processes then clip and refuse alike
    loss = averaged_gradients([optimizer], loss.reshape(1).double(), ranks)
    parameters = [item for group in optimizer.param_groups for item in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(parameters, largest_gradient)
    # the one time in a step that the host waits for a device: both are read together
    value, size = torch.stack([loss.reshape(()), norm.double()]).tolist()
    if not (math.isfinite(value) and math.isfinite(size)):  # a finite loss may have a gradient that is not
        optimizer.zero_grad(set_to_none=True)
        return value if not math.isfinite(value) else math.nan
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return value


def averaged_gradients(
    optimizers: Sequence[torch.optim.Optimizer], losses: torch.Tensor, ranks: Ranks
) -> torch.Tensor:
    """Put the mean over all processes in the place of each gradient, in one exchange; gives the mean losses.

    Parameters
    ----------
    optimizers : sequence of Optimizer
        With gradients taken, of the same parameters in all processes.
    losses : Tensor [loss], float64
        Of this process.
    ranks : Ranks
        All of them.
    """
    if ranks.count == 1:
        return losses
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    gradients = [item.grad for group in groups for item in group["params"] if item.grad is not None]
    # one exchange: many small ones would wait for one another
    rows = [gradient.reshape(-1).float() for gradient in gradients]
    means = ranks.mean(torch.cat([*rows, losses.float().to(rows[0].device)]))
    *split, mean_losses = torch.split(means, [*(len(row) for row in rows), len(losses)])
    for gradient, mean in zip(gradients, split, strict=True):
        gradient.copy_(mean.reshape(gradient.shape))
    return mean_losses.double()


def step_all_or_none(
    optimizers: Sequence[torch.optim.Optimizer],
    losses: Iterable[float],
    *,
    rate: float,
    ranks: Ranks = ALONE,
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
    ranks : Ranks
        With whom gradients are averaged first.

    Returns
    -------
    bool
        Whether the step was taken; gradients are dropped when it was not.
    """
    means = averaged_gradients(optimizers, torch.tensor(list(losses), dtype=torch.float64), ranks)
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    gradients = [item.grad for group in groups for item in group["params"] if item.grad is not None]
    norm = float(torch.nn.utils.get_total_norm(gradients))  # not finite as soon as one gradient is not
    if not (math.isfinite(norm) and bool(torch.isfinite(means).all())):
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        return False
    for group in groups:
        group["lr"] = rate
    for optimizer in optimizers:
        optimizer.step()
    return True


LossesOf = Callable[[NetworkBatch, torch.Generator], Iterable[torch.Tensor]]
"""``(batch, chance)``: the losses of compacted images, one for each network, the first made first."""


def parts_of(
    batch: NetworkBatch, progress: TrainingProgress
) -> Iterator[tuple[NetworkBatch, TrainingProgress]]:
    """Give the parts of a step's batch, each with the progress that knows its places."""
    for part in range(progress.parts):
        places = Share(part, progress.parts)
        yield (
            NetworkBatch(places.rows(batch.pixels), places.rows(batch.scalars)),
            replace(progress, part=part),
        )


def take_gradients(
    optimizers: Sequence[torch.optim.Optimizer],
    losses_of: LossesOf,
    batch: NetworkBatch,
    progress: TrainingProgress,
    *,
    round_number: int = 0,
) -> list[torch.Tensor]:
    """Leave the gradients of some losses, part by part of a batch where it has parts; gives the losses without graphs.

    Parameters
    ----------
    optimizers : sequence of Optimizer
        Whose gradients are anew.
    losses_of : callable
        Each loss is the mean over the images that it is given, and is differentiated before the next one is made.
    batch : NetworkBatch
        What `compacted` gave.
    progress : TrainingProgress
        Of the step.
    round_number : int
        Which of several steps on one batch this is; each has a chance of its own.
    """
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    sums: list[torch.Tensor] = []
    for part, here in parts_of(batch, progress):
        chance = step_chance(here, batch.pixels.device, round_number=round_number)
        for number, loss in enumerate(losses_of(part, chance)):
            # equal parts: the mean of their means is that of the batch
            share = loss if progress.parts == 1 else loss / progress.parts
            torch.autograd.backward(share)
            if here.part == 0:
                sums.append(share.detach())
            else:
                sums[number] += share.detach()
    return sums


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
        (loss,) = take_gradients([self._optimizer], self._losses, batch, progress)
        taken = guarded_descent(
            self._optimizer,
            loss,
            rate=self._rate(progress),
            largest_gradient=self._largest_gradient,
            ranks=progress.ranks,
        )
        return {"loss": taken}

    def state_dict(self) -> dict[str, Any]:
        """Network and optimizer."""
        return states_of(self._parts)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        fill_parts(self._parts, state)

    def _losses(self, batch: NetworkBatch, chance: torch.Generator) -> list[torch.Tensor]:
        """Give the loss, and refuse one that is not one number."""
        loss = self._loss(batch, chance)
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            came = f"tensor {list(loss.shape)}" if isinstance(loss, torch.Tensor) else type(loss).__name__
            raise SettingsError(
                f"the loss of {type(self.generator).__name__} is a {came}; wanted a tensor of one number, as mean() is"
            )
        return [loss]


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
