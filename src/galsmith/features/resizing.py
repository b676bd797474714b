"""Resizing pictures to the size that a network was trained on, each network in its own way."""

import torch
from torch import Tensor
from torch.nn import functional


def resize_as_tensorflow_1(pictures: Tensor, size_pix: int) -> Tensor:
    """Resize as ``tf.image.resize_bilinear`` of TensorFlow 1 did, which the standard FID's graph contains.

    Pixel k of the result lies at k n / size of the input, without the shift by half a pixel that other programs
    make, and without smoothing when it shrinks. Positions and weights are float32, as there.

    Parameters
    ----------
    pictures : Tensor [galaxy, channel, y, x], float32
        Of one size.
    size_pix : int
        Side of the result.

    Returns
    -------
    Tensor [galaxy, channel, size_pix, size_pix], float32
    """
    top, bottom, down = _neighbors(pictures.shape[-2], size_pix, pictures.device)
    left, right, across = _neighbors(pictures.shape[-1], size_pix, pictures.device)
    first, second = pictures[..., left], pictures[..., right]
    rows = first + (second - first) * across
    first, second = rows[..., top, :], rows[..., bottom, :]
    return first + (second - first) * down[:, None]


def resize_antialiased(pictures: Tensor, size_pix: int) -> Tensor:
    """Resize by a triangle as wide as an output pixel where it shrinks, linearly where it grows; centers aligned.

    Parameters
    ----------
    pictures : Tensor [galaxy, channel, y, x], float32
        Of one size.
    size_pix : int
        Side of the result.
    """
    if pictures.shape[-2:] == (size_pix, size_pix):
        return pictures
    return functional.interpolate(
        pictures, size=(size_pix, size_pix), mode="bilinear", align_corners=False, antialias=True
    )


def _neighbors(n_in: int, n_out: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Find the two input pixels about each output pixel, and how far the second's weight reaches."""
    scale = torch.tensor(n_in, dtype=torch.float32) / n_out
    position = torch.arange(n_out, dtype=torch.float32) * scale
    low = position.floor().long().clamp(max=n_in - 1)
    high = (low + 1).clamp(max=n_in - 1)
    return low.to(device), high.to(device), (position - low).to(device)
