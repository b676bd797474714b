"""Networks on vectors: Fourier features of a number, dense layers, and a residual network steered by the noise level."""

import math

import torch
from torch.nn import functional

FOURIER_WIDTH = 64
STEERING_WIDTH = 128
FOURIER_BANDWIDTH = 0.64


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
        # root 2: unit variance over phases (Karras+24, eq. 75)
        return math.sqrt(2.0) * torch.cos(values[:, None] * self.frequencies + self.phases)


class Dense(torch.nn.Module):
    """Linear layer whose first weights come from a given stream.

    Parameters
    ----------
    n_in, n_out : int
        Widths.
    gain : float
        Output variance for inputs of unit variance is gain**2; 0 starts with no output.
    chance : torch.Generator
        Draws the weights.
    """

    def __init__(self, n_in: int, n_out: int, *, gain: float, chance: torch.Generator) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(n_out, n_in, generator=chance) * (gain / n_in**0.5))
        self.bias = torch.nn.Parameter(torch.zeros(n_out))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in] to [galaxy, n_out]."""
        return functional.linear(values, self.weight, self.bias)


class SteeredBlock(torch.nn.Module):
    """Residual block: normalize, widen, scale by the noise level, return."""

    def __init__(self, width: int, *, chance: torch.Generator) -> None:
        super().__init__()
        self.norm = torch.nn.LayerNorm(width)
        self.enter = Dense(width, width, gain=1.0, chance=chance)
        self.steer = Dense(STEERING_WIDTH, width, gain=0.3, chance=chance)
        self.leave = Dense(width, width, gain=0.5, chance=chance)

    def forward(self, values: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, width] to [galaxy, width]."""
        # scaled by the noise level, by 1 on average
        inner = self.enter(self.norm(values)) * (1 + self.steer(embedding))
        return values + self.leave(functional.silu(inner))


class ResidualMlp(torch.nn.Module):
    """Network on vectors for `edm.denoised`.

    Parameters
    ----------
    n_values : int
        Length of the vectors.
    width, depth : int
        Width of the layers and number of blocks.
    chance : torch.Generator
        Draws the first weights; the output starts at zero.
    arrives : bool
        Whether it is told a second number, which starts without an effect: the noise level that a jump ends at.

    Attributes
    ----------
    trunk_dtype : torch.dtype
        bfloat16 multiplies the blocks' matrices in it; the first and the last layer stay float32.
    """

    def __init__(
        self, n_values: int, *, width: int, depth: int, chance: torch.Generator, arrives: bool = False
    ) -> None:
        super().__init__()
        self.trunk_dtype = torch.float32
        self.fourier = FourierFeatures(FOURIER_WIDTH, bandwidth=FOURIER_BANDWIDTH, chance=chance)
        self.embed = Dense(FOURIER_WIDTH, STEERING_WIDTH, gain=1.0, chance=chance)
        self.shift = Dense(STEERING_WIDTH, width, gain=1.0, chance=chance)
        self.enter = Dense(n_values, width, gain=1.0, chance=chance)
        self.blocks = torch.nn.ModuleList(SteeredBlock(width, chance=chance) for _ in range(depth))
        self.leave = Dense(width, n_values, gain=0.0, chance=chance)
        # last, so that the weights before are drawn alike with it and without
        self.arrive = Dense(FOURIER_WIDTH, STEERING_WIDTH, gain=0.0, chance=chance) if arrives else None

    def forward(
        self, values: torch.Tensor, noise_condition: torch.Tensor, arrival: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Map [galaxy, n_values], the noise condition [galaxy] and that of an arrival to [galaxy, n_values]."""
        embedded = self.embed(self.fourier(noise_condition))
        if self.arrive is not None and arrival is not None:
            embedded = embedded + self.arrive(self.fourier(arrival))
        embedding = functional.silu(embedded)
        hidden = self.enter(values) + self.shift(embedding)
        half = self.trunk_dtype != torch.float32
        with torch.autocast(values.device.type, dtype=torch.bfloat16, enabled=half):
            for block in self.blocks:
                hidden = block(hidden, embedding)
        return self.leave(hidden.to(values.dtype))  # the output stays float32 whatever the trunk is in
