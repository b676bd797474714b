"""Looking at pictures through a network: its size, its scale, its normalizations folded, a batch at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

Picture = NDArray[np.uint8]
Features = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class NetworkExtractor:
    """Features of a convolutional network.

    Attributes
    ----------
    network : nn.Module
        [picture, 3, y, x] float32 to [picture, feature]; as `placed_network` gives it.
    id : str
        As `galsmith.features.FeatureExtractor` has it.
    weights_sha256 : str
        Of the whole file of weights.
    n_features : int
        Numbers a picture.
    resize : callable
        Numbers from 0 to 255, [picture, 3, y, x] float32 of one size, to the network's size.
    center : float
        What (x - center) / 128 takes from each number.
    device : str
        As torch names it.
    """

    network: nn.Module
    id: str
    weights_sha256: str
    n_features: int
    resize: Callable[[Tensor], Tensor]
    center: float
    device: str

    def extract(self, pictures: Sequence[Picture]) -> Features:
        """Features of pictures [y, x, 3] uint8 of any sizes, [picture, feature] float32."""
        if not pictures:
            return np.empty((0, self.n_features), dtype=np.float32)
        with torch.inference_mode():
            resized = self._resized(pictures).sub_(self.center).div_(128.0)
            features = self.network(resized.contiguous(memory_format=torch.channels_last))
            array: Features = features.to("cpu", torch.float32).numpy()
        return array

    def _resized(self, pictures: Sequence[Picture]) -> Tensor:
        """Bring pictures to the network's size, those of one size together."""
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for position, picture in enumerate(pictures):
            by_shape.setdefault(picture.shape, []).append(position)
        parts, order = [], []
        for positions in by_shape.values():
            stacked = np.stack([pictures[position] for position in positions])
            block = torch.from_numpy(stacked).to(self.device).permute(0, 3, 1, 2).float()
            parts.append(self.resize(block))
            order.extend(positions)
        return torch.cat(parts)[torch.from_numpy(np.argsort(order)).to(self.device)]


def placed_network(network: nn.Module, folded: Sequence[tuple[str, str]], device: str) -> nn.Module:
    """Fold batch normalizations into the convolutions before them and move the network to its device, for use alone.

    It is the same function in fewer passes over memory, in evaluation mode and without gradients.

    Parameters
    ----------
    network : nn.Module
        With its weights loaded; it is changed, and its state dict has other names afterward.
    folded : sequence of (str, str)
        Attributes of a convolution and of the normalization that follows it, in any of the modules.
    device : str
        As torch names it.
    """
    network.eval().requires_grad_(requires_grad=False)
    for module in network.modules():
        for convolution, normalization in folded:
            found = getattr(module, convolution, None), getattr(module, normalization, None)
            if isinstance(found[0], nn.Conv2d) and isinstance(found[1], nn.BatchNorm2d):
                setattr(module, convolution, fuse_conv_bn_eval(found[0], found[1]))
                setattr(module, normalization, nn.Identity())
    network.to(device)
    for weights in network.parameters():
        if weights.ndim == 4:  # The layout of memory that convolutions like best.
            weights.data = weights.data.contiguous(memory_format=torch.channels_last)
    return network


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
