"""What every trainer does around a loss: the learning rate's course, and steps that survive bad numbers."""

import math
from collections.abc import Iterable, Sequence

import torch

from galsmith.models.protocols import TrainingProgress


def learning_rate(
    peak: float, progress: TrainingProgress, *, warmup_images: int, decay_share: float
) -> float:
    """Rise linearly over the first images, fall linearly to zero over the last share of the budget."""
    warm = min(1.0, (progress.images_seen + 1) / warmup_images) if warmup_images > 0 else 1.0
    left = max(0.0, 1.0 - progress.budget_used)
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
    value = float(loss.detach())
    optimizer.zero_grad(set_to_none=True)
    if not math.isfinite(value):
        return value
    torch.autograd.backward(loss)
    parameters = [item for group in optimizer.param_groups for item in group["params"]]
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, largest_gradient))
    if not math.isfinite(norm):
        optimizer.zero_grad(set_to_none=True)
        return math.nan
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
    norm = float(torch.nn.utils.get_total_norm(gradients))
    if not (math.isfinite(norm) and all(math.isfinite(loss) for loss in losses)):
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        return False
    for group in groups:
        group["lr"] = rate
    for optimizer in optimizers:
        optimizer.step()
    return True
