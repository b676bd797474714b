"""The network of the second leg: a magnitude-preserving U-Net on patches, wide and low, as processors like it.

A convolution of 128 channels on 16 x 16 places takes four times the multiplications for each value that it reads of one of
32 channels on 32 x 32: an AVX-512 core in bfloat16 is then kept busy by the products, not by memory. Constant factors of
Karras et al. (2024) are taken into the weights of the convolution that follows or precedes them, so that no pass over
the activations is made for them.
"""

import torch
from torch.nn import functional

from galsmith.models.layers.dense import FourierFeatures
from galsmith.models.layers.magnitude_preserving import (
    BRANCH_SHARE,
    SILU_GAIN,
    MagnitudePreservingConv,
    silu,
    unit_pixels,
)
from galsmith.models.relay_diffusion.config import RelayDiffusionConfig

FOURIER_WIDTH = 64
HEAD_WIDTH = 64
SMALLEST_SQUARE = 1e-4  # epsilon of the mean square of queries, keys and values
BLENDED_NORM = ((1 - BRANCH_SHARE) ** 2 + BRANCH_SHARE**2) ** 0.5
KEPT, ADDED = (1 - BRANCH_SHARE) / BLENDED_NORM, BRANCH_SHARE / BLENDED_NORM  # Karras+24, eq. 88


class Attention(torch.nn.Module):
    """Residual attention of all places to one another, by cosines (Karras et al. 2024, sec. 2.4).

    Parameters
    ----------
    width : int
        Channels.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(self, width: int, *, chance: torch.Generator) -> None:
        super().__init__()
        self.n_heads = width // HEAD_WIDTH if width % HEAD_WIDTH == 0 else 1
        self.enter = MagnitudePreservingConv(width, 3 * width, kernel=1, chance=chance)
        self.leave = MagnitudePreservingConv(width, width, kernel=1, chance=chance)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, width, y, x] to the same shape."""
        count, width, height, length = values.shape
        head = width // self.n_heads
        mixed = self.enter(values).permute(0, 2, 3, 1).reshape(count, height * length, 3, self.n_heads, head)
        square = mixed.float().square().mean(dim=-1, keepdim=True)
        mixed = mixed * (square + SMALLEST_SQUARE).rsqrt().to(mixed.dtype)
        query, key, value = mixed.permute(2, 0, 3, 1, 4)
        # two products of matrices: torch's fused attention takes four times as long for so few places on a CPU
        seen = ((query @ key.transpose(-1, -2)) * head**-0.5).softmax(dim=-1) @ value
        back = seen.permute(0, 2, 1, 3).reshape(count, height, length, width).permute(0, 3, 1, 2)
        return torch.add(self.leave(back, gain=ADDED), values, alpha=KEPT)


class PatchBlock(torch.nn.Module):
    """Residual block of two convolutions, steered by the embedding between them, with attention behind it if wanted.

    Parameters
    ----------
    n_in, n_out, embedding_width : int
        Channels.
    attention : bool
        Whether places see one another.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(
        self, n_in: int, n_out: int, *, embedding_width: int, attention: bool, chance: torch.Generator
    ) -> None:
        super().__init__()
        self.enter = MagnitudePreservingConv(n_in, n_out, kernel=1, chance=chance) if n_in != n_out else None
        self.first = MagnitudePreservingConv(n_out, n_out, kernel=3, chance=chance)
        self.steer = MagnitudePreservingConv(embedding_width, n_out, kernel=1, chance=chance)
        self.second = MagnitudePreservingConv(n_out, n_out, kernel=3, chance=chance)
        self.steer_gain = torch.nn.Parameter(torch.zeros([]))
        self.attention = Attention(n_out, chance=chance) if attention else None

    def forward(self, values: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] to [galaxy, n_out, y, x]."""
        if self.enter is not None:
            values = self.enter(values)
        branch = self.first(functional.silu(values), gain=SILU_GAIN)
        steering = self.steer(embedding, gain=self.steer_gain) + 1  # starts at 1: the gain begins at zero
        branch = functional.silu(branch * steering[:, :, None, None].to(branch.dtype))
        values = torch.add(self.second(branch, gain=SILU_GAIN * ADDED), values, alpha=KEPT)
        return values if self.attention is None else self.attention(values)


class Level(torch.nn.Module):
    """Blocks of one side, one after another.

    Parameters
    ----------
    n_in, n_out, n_blocks, embedding_width : int
        Channels, and how many blocks.
    attention : bool
        Whether places see one another in each block.
    on_the_way_up : bool
        Blocks on the way down first bring the channels of each pixel to unit mean square.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        n_blocks: int,
        embedding_width: int,
        attention: bool,
        on_the_way_up: bool,
        chance: torch.Generator,
    ) -> None:
        super().__init__()
        self.on_the_way_up = on_the_way_up
        self.blocks = torch.nn.ModuleList(
            PatchBlock(n_now, n_out, embedding_width=embedding_width, attention=attention, chance=chance)
            for n_now in [n_in, *[n_out] * (n_blocks - 1)]
        )

    def forward(self, values: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] to [galaxy, n_out, y, x]."""
        for block in self.blocks:
            # Karras+24, sec. 2.4: pixel norm in encoder blocks only
            values = block(values if self.on_the_way_up else unit_pixels(values), embedding)
        return values


class PatchUNet(torch.nn.Module):
    """Magnitude-preserving U-Net on images, given the noise level.

    Parameters
    ----------
    n_seen, n_given : int
        Bands of what it sees and of what it gives.
    config : RelayDiffusionConfig
        Widths and depths.
    trunk_dtype : torch.dtype
        Of all between the first patches and the last.
    chance : torch.Generator
        Draws the first weights; the output starts at zero.
    """

    def __init__(
        self,
        *,
        n_seen: int,
        n_given: int,
        config: RelayDiffusionConfig,
        trunk_dtype: torch.dtype,
        chance: torch.Generator,
    ) -> None:
        super().__init__()
        self.patch, self.trunk_dtype = config.patch_pix, trunk_dtype
        embedding, n_places = config.embedding_width, config.patch_pix**2
        self.fourier = FourierFeatures(FOURIER_WIDTH, bandwidth=1.0, chance=chance)
        self.embed = MagnitudePreservingConv(FOURIER_WIDTH, embedding, kernel=1, chance=chance)
        self.embed_again = MagnitudePreservingConv(embedding, embedding, kernel=1, chance=chance)

        def level(n_in: int, number: int, *, on_the_way_up: bool) -> Level:
            is_last = number == len(config.channels) - 1
            return Level(
                n_in,
                config.channels[number],
                n_blocks=config.blocks[number],
                embedding_width=embedding,
                attention=config.attention and is_last,
                on_the_way_up=on_the_way_up,
                chance=chance,
            )

        before = (config.channels[0], *config.channels[:-1])
        self.enter = MagnitudePreservingConv(
            n_seen * n_places + 1, config.channels[0], kernel=3, chance=chance
        )
        self.down = torch.nn.ModuleList(
            level(n_in, number, on_the_way_up=False) for number, n_in in enumerate(before)
        )
        upward = range(len(config.channels) - 2, -1, -1)
        self.up = torch.nn.ModuleList(
            level(config.channels[number + 1] + config.channels[number], number, on_the_way_up=True)
            for number in upward
        )
        self.leave = MagnitudePreservingConv(config.channels[0], n_given * n_places, kernel=3, chance=chance)
        # learned, as the one place where magnitudes may change
        self.leave_gain = torch.nn.Parameter(torch.zeros([]))
        for layer in self.modules():
            if isinstance(layer, MagnitudePreservingConv):
                layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)

    def forward(self, images: torch.Tensor, noise_condition: torch.Tensor) -> torch.Tensor:
        """Map images [galaxy, n_seen, y, x] and ln(noise level) / 4 [galaxy] to [galaxy, n_given, y, x], float32."""
        embedding = self.embed(self.fourier(noise_condition))
        embedding = silu(self.embed_again(silu(embedding)))
        values = functional.pixel_unshuffle(images, self.patch)
        # a channel of ones stands for all biases (Karras+24)
        values = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
        values = values.to(self.trunk_dtype).contiguous(memory_format=torch.channels_last)
        values, kept = self.enter(values), []
        for number, blocks in enumerate(self.down):
            if number:
                kept.append(values)
                values = functional.avg_pool2d(values, 2)
            values = blocks(values, embedding)
        for blocks in self.up:
            values = functional.interpolate(values, scale_factor=2.0, mode="nearest")
            values = blocks(torch.cat([values, kept.pop()], dim=1), embedding)
        raw = self.leave(values).float() * self.leave_gain  # the solver's state stays float32
        return functional.pixel_shuffle(raw, self.patch)
