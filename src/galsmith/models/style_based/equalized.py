"""Layers with an equalized learning rate, and halving and doubling of the side between them.

Weights are stored with unit variance and scaled when used (Karras et al. 2018, "Progressive growing of GANs", sec. 4.1), so
that Adam's steps, which do not know the size of a weight, change every layer by the same share. Resampling goes on with the
edge value beyond the edge, so that a constant stays constant and every filter keeps the mean exactly; it works on [galaxy,
channel, y, x] of any float type, keeps the memory format, and has second derivatives.
"""

import torch
from torch.nn import functional

LEAKY_SLOPE = 0.2  # Karras+18, app. A
LEAKY_GAIN = 2.0**0.5  # He+15: a ReLU halves the mean square


class EqualizedLinear(torch.nn.Module):
    """Linear layer whose weights are scaled when used.

    Parameters
    ----------
    n_in, n_out : int
        Widths.
    gain : float
        At the start, outputs have the variance gain**2 for inputs of unit variance.
    rate_multiplier : float
        The layer learns at this multiple of the optimizer's rate; its outputs at the start do not depend on it.
    first_bias : float
        All biases at the start.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        gain: float = 1.0,
        rate_multiplier: float = 1.0,
        first_bias: float = 0.0,
        chance: torch.Generator,
    ) -> None:
        super().__init__()
        # He's constant, applied at run time (Karras+18, sec. 4.1)
        self.weight_scale = gain / n_in**0.5 * rate_multiplier
        self.bias_scale = rate_multiplier
        self.weight = torch.nn.Parameter(torch.randn(n_out, n_in, generator=chance) / rate_multiplier)
        self.bias = torch.nn.Parameter(torch.full((n_out,), first_bias / rate_multiplier))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [..., n_in] to [..., n_out]."""
        return functional.linear(values, self.weight * self.weight_scale, self.bias * self.bias_scale)


class EqualizedConv(torch.nn.Module):
    """Convolution of stride 1 that keeps the side, with weights that are scaled when used.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel : int
        Side of the kernel, odd.
    gain : float
        At the start, outputs have the variance gain**2 for independent inputs of unit variance, away from the edges.
    has_bias : bool
        Whether a bias is added, zero at the start.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        kernel: int,
        gain: float = 1.0,
        has_bias: bool = True,
        chance: torch.Generator,
    ) -> None:
        super().__init__()
        # the same with the fan-in of a kernel
        self.weight_scale = gain / (n_in * kernel**2) ** 0.5
        weight = torch.randn(n_out, n_in, kernel, kernel, generator=chance)
        self.weight = torch.nn.Parameter(weight.contiguous(memory_format=torch.channels_last))
        self.bias = torch.nn.Parameter(torch.zeros(n_out)) if has_bias else None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] to [galaxy, n_out, y, x], in the type of `values`."""
        weight = (self.weight * self.weight_scale).to(values.dtype)
        bias = None if self.bias is None else self.bias.to(values.dtype)
        if weight.shape[-1] > 1:
            return functional.conv2d(values, weight, bias, padding=weight.shape[-1] // 2)
        # a matrix product leaves channels last in memory, also where one channel goes in
        mapped = functional.linear(values.permute(0, 2, 3, 1), weight[:, :, 0, 0], bias)
        return mapped.permute(0, 3, 1, 2)


def leaky(values: torch.Tensor) -> torch.Tensor:
    """Leaky ReLU of slope 0.2, scaled so that it keeps the mean square of standard normal input to 4 %."""
    return bent(values) * LEAKY_GAIN


def bent(values: torch.Tensor) -> torch.Tensor:
    """Leaky ReLU of slope 0.2 alone, for values that have `LEAKY_GAIN` already: a factor passes through it."""
    return functional.leaky_relu(values, LEAKY_SLOPE)


def upsampled(values: torch.Tensor) -> torch.Tensor:
    """Double the side bilinearly: nearest neighbors blurred by [1, 2, 1]."""
    return functional.interpolate(values, scale_factor=2.0, mode="bilinear", align_corners=False)


def downsampled(values: torch.Tensor) -> torch.Tensor:
    """Halve an even side after the low-pass filter [1, 3, 3, 1]: blurred by [1, 2, 1], then means of two by two.

    Computed as a quarter of the transpose of `upsampled`, which torch has as that function's gradient; three times
    as fast on a CPU as a convolution channel by channel.
    """
    galaxies, channels, height, width = values.shape
    small = [galaxies, channels, height // 2, width // 2]
    summed: torch.Tensor = torch.ops.aten.upsample_bilinear2d_backward(
        values, [height, width], small, align_corners=False
    )
    return summed * 0.25  # the transpose sums four pixels
