"""Convolutions that Keras calls 'same', with its first weights, for networks that were published in it."""

import torch
from torch.nn import functional


class SamePaddedConv(torch.nn.Module):
    """Convolution that divides the side by its stride, rounded up; where padding is uneven, the end has more of it.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel, stride : int
        Sides.
    chance : torch.Generator
        Draws the first weights; biases start at zero.
    """

    def __init__(
        self, n_in: int, n_out: int, *, kernel: int, stride: int = 1, chance: torch.Generator
    ) -> None:
        super().__init__()
        self.stride = stride
        self.weight = glorot_kernel((n_out, n_in, kernel, kernel), chance)
        self.bias = torch.nn.Parameter(torch.zeros(n_out))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] to [galaxy, n_out, y / stride, x / stride]."""
        kernel = self.weight.shape[-1]
        height, width = (_padding(side, kernel, self.stride) for side in values.shape[-2:])
        if height[0] == height[1] == width[0] == width[1]:
            return functional.conv2d(values, self.weight, self.bias, self.stride, padding=height[0])
        padded = functional.pad(values, (*width, *height))
        return functional.conv2d(padded, self.weight, self.bias, self.stride)


class SamePaddedTranspose(torch.nn.Module):
    """Transposed convolution that doubles the side, or keeps it.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel : int
        Side of the kernel, odd.
    stride : int
        2 or 1.
    chance : torch.Generator
        Draws the first weights; biases start at zero.
    """

    def __init__(
        self, n_in: int, n_out: int, *, kernel: int, stride: int = 2, chance: torch.Generator
    ) -> None:
        super().__init__()
        self.stride = stride
        self.weight = glorot_kernel((n_in, n_out, kernel, kernel), chance)
        self.bias = torch.nn.Parameter(torch.zeros(n_out))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] to [galaxy, n_out, stride y, stride x]."""
        # Keras takes (kernel - stride) // 2 pixels off the start, as torch's padding does, and the rest off the end
        start = (self.weight.shape[-1] - self.stride) // 2
        whole = functional.conv_transpose2d(values, self.weight, self.bias, self.stride, padding=start)
        height, width = (side * self.stride for side in values.shape[-2:])
        return whole[:, :, :height, :width]


def glorot_kernel(shape: tuple[int, int, int, int], chance: torch.Generator) -> torch.nn.Parameter:
    """First weights of Keras' layers, evenly in +-sqrt(6 / (inputs + outputs)) (Glorot & Bengio 2010, eq. 16)."""
    fans = (shape[0] + shape[1]) * shape[2] * shape[3]
    weight = (2 * torch.rand(shape, generator=chance) - 1) * (6 / fans) ** 0.5
    return torch.nn.Parameter(weight.contiguous(memory_format=torch.channels_last))


class GlorotLinear(torch.nn.Module):
    """Linear layer with Keras' first weights.

    Parameters
    ----------
    n_in, n_out : int
        Widths.
    has_bias : bool
        Whether a bias is added, zero at the start.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(self, n_in: int, n_out: int, *, has_bias: bool = True, chance: torch.Generator) -> None:
        super().__init__()
        bound = (6 / (n_in + n_out)) ** 0.5  # the same law, of a kernel of one pixel
        self.weight = torch.nn.Parameter((2 * torch.rand(n_out, n_in, generator=chance) - 1) * bound)
        self.bias = torch.nn.Parameter(torch.zeros(n_out)) if has_bias else None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in] to [galaxy, n_out]."""
        return functional.linear(values, self.weight, self.bias)


def _padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after one axis."""
    missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return missing // 2, missing - missing // 2
