"""EfficientNet-Lite0 in plain torch, up to its pooled features; reads the weights of the package that brings them.

Tan & Le (2019), in the variant without squeeze-and-excitation and with ReLU6 that TensorFlow published as
"Lite0"; padding and batch normalization are TensorFlow's. Names of the layers are those of the state dict.
"""

import math

from torch import Tensor, nn
from torch.nn import functional

N_FEATURES = 1280
SIZE_PIX = 224
# Repeats, kernel, stride, expansion and output channels of each stage.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
BATCH_NORM_EPSILON = 1e-3
FOLDED_PAIRS = (
    ("_conv_stem", "_bn0"),
    ("_conv_head", "_bn1"),
    ("_expand_conv", "_bn0"),
    ("_depthwise_conv", "_bn1"),
    ("_project_conv", "_bn2"),
)


class SamePaddedConv(nn.Conv2d):
    """Convolution with TensorFlow's ``SAME`` padding: what is left over is padded below and to the right."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Pad, then convolve."""
        vertical = _padding(inputs.shape[-2], self.kernel_size[0], self.stride[0])
        horizontal = _padding(inputs.shape[-1], self.kernel_size[1], self.stride[1])
        if horizontal == vertical and vertical[0] == vertical[1]:
            return functional.conv2d(
                inputs, self.weight, self.bias, self.stride, vertical[0], groups=self.groups
            )
        padded = functional.pad(inputs, (*horizontal, *vertical))
        return functional.conv2d(padded, self.weight, self.bias, self.stride, groups=self.groups)


class InvertedResidual(nn.Module):
    """Expand the channels, convolve each by itself, project back (Sandler et al. 2018)."""

    def __init__(self, n_in: int, n_out: int, *, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        n_inner = n_in * expansion
        self.has_skip = stride == 1 and n_in == n_out
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv = SamePaddedConv(n_in, n_inner, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(n_inner, eps=BATCH_NORM_EPSILON)
        self._depthwise_conv = SamePaddedConv(n_inner, n_inner, kernel, stride, groups=n_inner, bias=False)
        self._bn1 = nn.BatchNorm2d(n_inner, eps=BATCH_NORM_EPSILON)
        self._project_conv = SamePaddedConv(n_inner, n_out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(n_out, eps=BATCH_NORM_EPSILON)

    def forward(self, inputs: Tensor) -> Tensor:
        """Apply the block."""
        inner = inputs
        if self.expands:
            inner = functional.relu6(self._bn0(self._expand_conv(inner)))
        inner = functional.relu6(self._bn1(self._depthwise_conv(inner)))
        outputs = self._bn2(self._project_conv(inner))
        return inputs + outputs if self.has_skip else outputs


class EfficientNetLite0(nn.Module):
    """The network without its classifier's use: pictures to 1280 features.

    Its classifier ``_fc`` stands here so that a state dict is read whole.
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SamePaddedConv(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=BATCH_NORM_EPSILON)
        self._blocks = nn.ModuleList(_blocks())
        self._conv_head = SamePaddedConv(320, N_FEATURES, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(N_FEATURES, eps=BATCH_NORM_EPSILON)
        self._fc = nn.Linear(N_FEATURES, 1000)

    def forward(self, pictures: Tensor) -> Tensor:
        """Average the last layer over the picture.

        Parameters
        ----------
        pictures : Tensor [galaxy, 3, y, x], float32
            (x - 127) / 128 of numbers from 0 to 255.

        Returns
        -------
        Tensor [galaxy, 1280], float32
        """
        values = functional.relu6(self._bn0(self._conv_stem(pictures)))
        for block in self._blocks:
            values = block(values)
        return functional.relu6(self._bn1(self._conv_head(values))).mean((2, 3))

    def classify(self, pictures: Tensor) -> Tensor:
        """ImageNet's thousand scores, which show that the weights sit where they belong."""
        scores: Tensor = self._fc(self.forward(pictures))
        return scores


def _blocks() -> list[InvertedResidual]:
    """All blocks, in order."""
    blocks, n_in = [], 32
    for repeats, kernel, stride, expansion, n_out in STAGES:
        for repeat in range(repeats):
            blocks.append(
                InvertedResidual(
                    n_in, n_out, kernel=kernel, stride=1 if repeat else stride, expansion=expansion
                )
            )
            n_in = n_out
    return blocks


def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after, so that ceil(size / stride) come out."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
