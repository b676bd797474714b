"""Average of a network's weights over training with a power-function profile (Karras et al. 2024, EDM2)."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch


class PowerFunctionEma:
    """Keeps a float32 average of a network, weighted by ``t**gamma`` over the images t seen so far.

    One update is ``average = beta * average + (1 - beta) * weights`` with
    ``beta = (1 - step / t)**(gamma + 1)`` (Karras et al. 2024, "Analyzing and improving the training
    dynamics of diffusion models", eq. 127 and appendix C), so the width of the profile stays the same share of the
    training's length, however long it is. The first update copies the weights.

    Parameters
    ----------
    network : torch.nn.Module
        What to average; it is copied, not kept.
    width : float
        Standard deviation of the profile as a share of the training's length, in (0, 0.28).
    """

    def __init__(self, network: torch.nn.Module, *, width: float) -> None:
        self.width, self.gamma = width, gamma_from_width(width)
        self.average = copy.deepcopy(network).eval().requires_grad_(requires_grad=False).float()

    @torch.no_grad()
    def update(self, network: torch.nn.Module, *, images_seen: int, step_images: int) -> None:
        """Take in the weights after a step; buffers are copied.

        Parameters
        ----------
        network : torch.nn.Module
            The network that was trained, of the structure given at the start.
        images_seen : int
            Training images shown up to and with this step.
        step_images : int
            How many of them this step showed.
        """
        beta = (1.0 - step_images / images_seen) ** (self.gamma + 1.0)
        weights = [parameter.detach().float() for parameter in network.parameters()]
        torch._foreach_lerp_(list(self.average.parameters()), weights, 1.0 - beta)
        for name, buffer in self.average.named_buffers():
            buffer.copy_(network.get_buffer(name))

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return dict(self.average.state_dict())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.average.load_state_dict(dict(state))


def gamma_from_width(width: float) -> float:
    """Exponent of the power function whose profile has a relative standard deviation of `width`.

    The root of ``width**2 = (gamma + 1) / ((gamma + 2)**2 (gamma + 3))`` (Karras et al. 2024, eq. 126).

    Raises
    ------
    ValueError
        If `width` is not in (0, 0.28): gamma 0, the plain mean, has 0.289.
    """
    if not 0.0 < width < 0.28:
        raise ValueError(f"width is {width}; wanted a share of the training's length in (0, 0.28)")
    inverse_square = width**-2
    roots = np.roots([1.0, 7.0, 16.0 - inverse_square, 12.0 - inverse_square])
    return float(np.max(roots.real))
