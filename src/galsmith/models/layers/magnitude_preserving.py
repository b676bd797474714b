"""Layers that keep activations at unit variance, from the description in EDM2 (Karras et al. 2024, sec. 2 and app. B).

Weights are used only through their direction: each output's weight vector is normalized in the forward pass, and
`force_unit_weights` brings the stored ones back to unit norm after each optimizer step, so that the learning rate alone
sets how fast directions turn.
"""

import torch
from torch.nn import functional

SILU_GAIN = 1.0 / 0.596  # Karras+24, eq. 81: root mean square of silu(x) for standard normal x is 0.596
SMALLEST_NORM = 1e-4  # epsilon of the weights' and the pixels' norms (Karras+24)
BRANCH_SHARE = 0.3  # Karras+24: t of the residual blocks' magnitude-preserving sum (eq. 88)


class MagnitudePreservingConv(torch.nn.Module):
    """Convolution, or linear layer on vectors for a kernel of 1, that keeps the variance; without bias.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel : int
        Side of the kernel, odd.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(self, n_in: int, n_out: int, *, kernel: int, chance: torch.Generator) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(n_out, n_in, kernel, kernel, generator=chance))
        force_unit_weights(self)

    def forward(self, values: torch.Tensor, gain: torch.Tensor | float = 1.0) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] or [galaxy, n_in]; the output's variance is `gain` squared."""
        # Karras+24, eq. 47: weights are used by their direction only
        weight = (_unit_rows(self.weight) * gain).to(values.dtype)
        if values.ndim == 2:
            return values @ weight[:, :, 0, 0].T
        return functional.conv2d(values, weight, padding=self.weight.shape[-1] // 2)


@torch.no_grad()
def force_unit_weights(module: torch.nn.Module) -> None:
    """Bring every magnitude-preserving weight in a module to rows of unit mean square, in place."""
    for layer in module.modules():
        if isinstance(layer, MagnitudePreservingConv):
            layer.weight.copy_(_unit_rows(layer.weight) * layer.weight[0].numel() ** 0.5)


def silu(values: torch.Tensor) -> torch.Tensor:
    """SiLU scaled to unit variance for standard normal input."""
    return functional.silu(values) * SILU_GAIN


def blend(first: torch.Tensor, second: torch.Tensor, *, share: float) -> torch.Tensor:
    """Sum of two independent tensors with `share` of the second, at unit variance."""
    return torch.lerp(first, second, share) / ((1 - share) ** 2 + share**2) ** 0.5  # Karras+24, eq. 88


def joined(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Concatenate channels so that each side contributes equally and the mean variance stays 1."""
    n_first, n_second = first.shape[1], second.shape[1]
    half = (0.5 * (n_first + n_second)) ** 0.5  # Karras+24, eq. 103 with t = 1/2
    return torch.cat([first * (half / n_first**0.5), second * (half / n_second**0.5)], dim=1)


def unit_pixels(values: torch.Tensor) -> torch.Tensor:
    """Scale the channel vector of each pixel of [galaxy, channel, y, x] to unit mean square."""
    mean_square = values.float().square().mean(dim=1, keepdim=True)
    # pixel norm (Karras+24, sec. 2.4)
    return values * (1.0 / (mean_square.sqrt() + SMALLEST_NORM)).to(values.dtype)


def _unit_rows(weight: torch.Tensor) -> torch.Tensor:
    """Scale each output's weights to unit norm, in float32."""
    norm = torch.linalg.vector_norm(weight.float(), dim=(1, 2, 3), keepdim=True)
    return weight.float() / (norm + SMALLEST_NORM)
