"""The residual discriminator of StyleGAN2 (Karras et al. 2020, sec. 4.1), on images of any number of planes."""

import itertools
from collections.abc import Mapping

import torch

from galsmith.models.layers.adversarial import with_group_deviation
from galsmith.models.style_based.equalized import (
    LEAKY_GAIN,
    EqualizedConv,
    EqualizedLinear,
    bent,
    downsampled,
    leaky,
)
from galsmith.models.style_based.settings import COARSEST_SIZE_PIX


class HalvingBlock(torch.nn.Module):
    """Two convolutions, the second at half the side, beside a linear path; their sum is scaled by the root of 1/2.

    Gains are in the weights, so that activations need not be touched again: root 2 after a leaky ReLU, root 1/2 on
    both paths.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(self, n_in: int, n_out: int, *, chance: torch.Generator) -> None:
        super().__init__()
        self.first = EqualizedConv(n_in, n_in, kernel=3, gain=LEAKY_GAIN, chance=chance)
        self.second = EqualizedConv(n_in, n_out, kernel=3, chance=chance)
        # Karras+20, sec. 4.1: root 1/2
        self.skip = EqualizedConv(n_in, n_out, kernel=1, gain=0.5**0.5, has_bias=False, chance=chance)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] to [galaxy, n_out, y/2, x/2]."""
        branch = bent(self.second(downsampled(bent(self.first(values)))))
        joined: torch.Tensor = branch + self.skip(downsampled(values))
        return joined


class ResidualDiscriminator(torch.nn.Module):
    """Tells real images from drawn ones.

    Parameters
    ----------
    n_planes : int
        Bands, and scalars inflated to planes.
    widths : mapping of int to int
        Channels of each level by its side, from 4 pixels to that of the images.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(self, n_planes: int, widths: Mapping[int, int], *, chance: torch.Generator) -> None:
        super().__init__()
        fine_first = [widths[side] for side in sorted(widths, reverse=True)]
        n_last = fine_first[-1]
        self.enter = EqualizedConv(n_planes, fine_first[0], kernel=1, gain=LEAKY_GAIN, chance=chance)
        self.blocks = torch.nn.ModuleList(
            HalvingBlock(n_in, n_out, chance=chance) for n_in, n_out in itertools.pairwise(fine_first)
        )
        self.gather = EqualizedConv(n_last + 1, n_last, kernel=3, chance=chance)
        self.weigh = EqualizedLinear(n_last * COARSEST_SIZE_PIX**2, n_last, chance=chance)
        self.leave = EqualizedLinear(n_last, 1, chance=chance)

    def forward(self, planes: torch.Tensor, *, trunk_dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Map [galaxy, plane, y, x] to logits [galaxy, 1], float32, high for real images.

        Parameters
        ----------
        trunk_dtype : torch.dtype
            Of all but the layers at 4 pixels.
        """
        values = planes.contiguous(memory_format=torch.channels_last).to(trunk_dtype)
        values = bent(self.enter(values))
        for block in self.blocks:
            values = block(values)
        values = leaky(self.gather(with_group_deviation(values.float())))  # Karras+18, sec. 3, at 4 pixels
        logits: torch.Tensor = self.leave(leaky(self.weigh(values.flatten(1))))
        return logits
