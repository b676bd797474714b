"""Halving and doubling the side of activations, and blurring, without a shift and without aliasing.

The edge value goes on beyond the edge, so that a constant stays constant and every filter keeps the mean exactly.
All work on [galaxy, channel, y, x] of any float type, keep the memory format, and have second derivatives.
"""

import torch
from torch.nn import functional


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
    return summed * 0.25


def blurred(values: torch.Tensor) -> torch.Tensor:
    """Blur by [1, 2, 1] / 4 in y and x."""
    channels = values.shape[1]
    taps = torch.tensor([0.25, 0.5, 0.25], dtype=values.dtype, device=values.device)
    kernel = torch.outer(taps, taps).expand(channels, 1, 3, 3).contiguous()
    padded = functional.pad(values, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(padded, kernel, groups=channels)
