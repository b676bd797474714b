"""Optimizer whose steps turn all directions of a weight matrix alike: momentum, orthogonalized (Jordan et al. 2024, Muon).

Gradients of a layer are dominated by few directions. Adam follows each number's own size, and the weak directions wait;
here every singular value of a step is brought near 1, so that few steps on few images teach more.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch

ITERATIONS = 5
QUINTIC = (
    3.4445,
    -4.7750,
    2.0315,
)  # Jordan et al. 2024: steepest at 0, and within 0.3 of 1 after five iterations
SMALLEST_NORM = 1e-7


def orthogonalized(matrix: torch.Tensor) -> torch.Tensor:
    """Bring the singular values of a matrix [row, column] near each other, in bfloat16; rows have unit norm on average.

    Newton-Schulz iterations of a quintic polynomial (Jordan et al. 2024): products of matrices only.
    """
    first, third, fifth = QUINTIC
    is_tall = matrix.shape[0] > matrix.shape[1]
    values = (matrix.T if is_tall else matrix).float()
    values = (values / (values.norm() + SMALLEST_NORM)).bfloat16()  # singular values at most 1
    for _ in range(ITERATIONS):
        square = values @ values.T
        values = first * values + (third * square + fifth * (square @ square)) @ values
    values = (values.T if is_tall else values).float()
    return values * (values.shape[0] ** 0.5 / (values.norm() + SMALLEST_NORM))


class OrthogonalSteps(torch.optim.Optimizer):
    """Optimizer of weights whose rows have unit mean square, as those of `MagnitudePreservingConv`.

    Parameters
    ----------
    parameters : iterable of Parameter
        Weights [row, ...]; what is behind the first axis counts as columns.
    lr : float
        Learning rate.
    per_rate : float
        By how much a step turns a row, as a share of its length, on average, for a rate of 1.
    momentum : float
        Share of the last step's direction that is kept, in Nesterov's way.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        *,
        lr: float,
        per_rate: float = 1.0,
        momentum: float = 0.9,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "per_rate": per_rate, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Step all weights that have a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._turn(weight, group)

    def _turn(self, weight: torch.nn.Parameter, group: dict[str, Any]) -> None:
        """Step one weight."""
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        gradient = weight.grad
        kept = state["momentum"].mul_(group["momentum"]).add_(gradient)
        direction = orthogonalized((gradient + group["momentum"] * kept).flatten(1))
        # rows of the step have unit norm, rows of the weight the root of their length
        length = weight[0].numel() ** 0.5
        weight.sub_(direction.reshape(weight.shape), alpha=group["lr"] * group["per_rate"] * length)
