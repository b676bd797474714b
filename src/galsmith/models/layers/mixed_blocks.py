"""The trunk of the critics of cosmology fields: small pooled convolutions beside large strided ones (ETHZ CIL 2020)."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from galsmith.models.layers.same_padding import SamePaddedConv

N_HALVINGS = 7  # 1000 px end at 7 px
SMALLEST_LAST_SIDE = 7
# (A, B, S) of each block in units of the stem's 8 channels; S, the width of the strided path, is A but in the last block,
# where only B gives the published count of 1,938,048
BLOCK_WIDTHS = ((2, 4, 2), (4, 8, 4), (8, 16, 16))


def halvings_of(size_pix: int) -> tuple[bool, ...]:
    """Say which of the seven halvings of the trunk images of a side go through, the first ones.

    The published trunk halves 1000 px seven times, to 7 px. Smaller images keep every layer, and so every parameter, and
    leave the last halvings out as long as 7 px would not be left: 500 px are halved six times, 250 px five times, both to
    7 px.
    """
    count = min(N_HALVINGS, max(0, math.floor(math.log2(size_pix / SMALLEST_LAST_SIDE))))
    return tuple(position < count for position in range(N_HALVINGS))


class MixedBlock(torch.nn.Module):
    """Two paths side by side: 3x3 convolutions with pooling, and strided 7x7 convolutions (appendix 3).

    Parameters
    ----------
    n_in : int
        Channels.
    widths : tuple of int
        A and B, channels of the pooled path, and S, of the strided one, which ends at B too.
    is_halving : sequence of bool
        Whether each of the two steps halves the side.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(
        self,
        n_in: int,
        widths: tuple[int, int, int],
        *,
        is_halving: Sequence[bool],
        chance: torch.Generator,
    ) -> None:
        super().__init__()
        first, last, strided = widths
        self.is_halving = tuple(is_halving)
        self.pooled = torch.nn.ModuleList(
            SamePaddedConv(before, after, kernel=3, chance=chance)
            for before, after in itertools.pairwise((n_in, first, first, last, last))
        )
        self.strided = torch.nn.ModuleList(
            SamePaddedConv(before, after, kernel=7, stride=1 + halves, chance=chance)
            for (before, after), halves in zip(
                itertools.pairwise((n_in, strided, last)), self.is_halving, strict=True
            )
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] to [galaxy, 2 B, y', x']."""
        small = large = values
        for position, convolution in enumerate(self.pooled):
            small = functional.relu(convolution(small))
            # after the second and the fourth convolution
            if position % 2 and self.is_halving[position // 2]:
                small = functional.max_pool2d(small, 2)
        for convolution in self.strided:
            large = functional.relu(convolution(large))
        # pooling rounds an odd side down and strides round it up: blocks 2 and 3 crop one row and column
        height, width = small.shape[-2:]
        return torch.cat([small, large[:, :, :height, :width]], dim=1)


class MixedTrunk(torch.nn.Module):
    """Two convolutions and a pooling, then three mixed blocks (appendix 4 up to the last concatenation).

    Parameters
    ----------
    n_bands, size_pix : int
        Of the images.
    width : int
        Channels of the stem, 8 as published; all others are multiples of it.
    chance : torch.Generator
        Draws the first weights.

    Attributes
    ----------
    n_out, side_pix : int
        Channels and side of what comes out; 256 and 7 for 1000, 500 and 250 px.
    """

    def __init__(self, n_bands: int, size_pix: int, *, width: int = 8, chance: torch.Generator) -> None:
        super().__init__()
        halvings = halvings_of(size_pix)
        self.is_pooled = halvings[0]
        self.stem = torch.nn.ModuleList(
            SamePaddedConv(n_in, width, kernel=3, chance=chance) for n_in in (n_bands, width)
        )
        # appendix 4: 64, 128 and 256 channels come out
        blocks, n_now = [], width
        for number, (first, last, strided) in enumerate(BLOCK_WIDTHS):
            widths = (first * width, last * width, strided * width)
            steps = halvings[1 + 2 * number : 3 + 2 * number]
            blocks.append(MixedBlock(n_now, widths, is_halving=steps, chance=chance))
            n_now = 2 * widths[1]
        self.blocks = torch.nn.ModuleList(blocks)
        self.n_out, self.side_pix = n_now, size_pix // 2 ** sum(halvings)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, band, y, x] to [galaxy, n_out, side_pix, side_pix]."""
        values = pixels.contiguous(memory_format=torch.channels_last)
        for convolution in self.stem:
            values = functional.relu(convolution(values))
        if self.is_pooled:
            values = functional.max_pool2d(values, 2)
        for block in self.blocks:
            values = block(values)
        return values
