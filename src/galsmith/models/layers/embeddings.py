"""Numbers as vectors that networks can use: cosines of random frequencies (Fourier features)."""

import math

import torch


class FourierFeatures(torch.nn.Module):
    """Cosines of a number at fixed random frequencies and phases, each of unit variance.

    Parameters
    ----------
    width : int
        Number of features.
    bandwidth : float
        Standard deviation of the angular frequencies divided by 2 pi.
    chance : torch.Generator
        Draws frequencies and phases, which are stored as buffers.
    """

    frequencies: torch.Tensor
    phases: torch.Tensor

    def __init__(self, width: int, *, bandwidth: float, chance: torch.Generator) -> None:
        super().__init__()
        self.register_buffer("frequencies", 2 * math.pi * bandwidth * torch.randn(width, generator=chance))
        self.register_buffer("phases", 2 * math.pi * torch.rand(width, generator=chance))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy] to [galaxy, width]."""
        return math.sqrt(2.0) * torch.cos(values[:, None] * self.frequencies + self.phases)
