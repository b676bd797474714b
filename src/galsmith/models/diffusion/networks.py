"""The network of `diffusion`: a magnitude-preserving U-Net on pixels, given noise level and scalars."""

import torch
from torch.nn import functional

from galsmith.models.diffusion.augmentation import N_CONDITIONS
from galsmith.models.diffusion.config import DiffusionConfig
from galsmith.models.layers.chance import drawn_rows
from galsmith.models.layers.dense import FourierFeatures
from galsmith.models.layers.magnitude_preserving import (
    BRANCH_SHARE,
    MagnitudePreservingConv,
    blend,
    joined,
    silu,
    unit_pixels,
)

FOURIER_WIDTH = 64
SCALAR_BANDWIDTH = 0.2


class Block(torch.nn.Module):
    """Residual block of two convolutions, steered by the embedding between them.

    Parameters
    ----------
    n_in, n_out, embedding_width : int
        Channels.
    resample : {"keep", "down", "up"}
        Done first.
    on_the_way_up : bool
        Decoder blocks convolve all that comes in; encoder blocks first bring it to `n_out` unit channels.
    dropout : float
        Share of activations left out where `chance` is given.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        embedding_width: int,
        resample: str,
        on_the_way_up: bool,
        dropout: float,
        chance: torch.Generator,
    ) -> None:
        super().__init__()
        self.resample, self.on_the_way_up, self.dropout = resample, on_the_way_up, dropout
        first_in = n_in if on_the_way_up else n_out
        self.first = MagnitudePreservingConv(first_in, n_out, kernel=3, chance=chance)
        self.steer = MagnitudePreservingConv(embedding_width, n_out, kernel=1, chance=chance)
        self.second = MagnitudePreservingConv(n_out, n_out, kernel=3, chance=chance)
        self.steer_gain = torch.nn.Parameter(torch.zeros([]))
        self.skip = MagnitudePreservingConv(n_in, n_out, kernel=1, chance=chance) if n_in != n_out else None

    def forward(
        self, values: torch.Tensor, embedding: torch.Tensor, dropout: torch.Generator | None
    ) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] to [galaxy, n_out, y', x']."""
        if self.resample == "down":
            values = functional.avg_pool2d(values, 2)
        elif self.resample == "up":
            values = functional.interpolate(values, scale_factor=2.0, mode="nearest")
        if not self.on_the_way_up:
            # Karras+24, sec. 2.4: pixel norm in encoder blocks only
            values = unit_pixels(self._skipped(values))
        branch = self.first(silu(values))
        steering = self.steer(embedding, gain=self.steer_gain) + 1  # starts at 1: the gain begins at zero
        branch = silu(branch * steering[:, :, None, None].to(branch.dtype))
        branch = self.second(_dropped(branch, self.dropout, dropout))
        if self.on_the_way_up:
            values = self._skipped(values)
        return blend(values, branch, share=BRANCH_SHARE)

    def _skipped(self, values: torch.Tensor) -> torch.Tensor:
        """Bring the residual path to the block's channels."""
        return values if self.skip is None else self.skip(values)


class UNet(torch.nn.Module):
    """Magnitude-preserving U-Net on [galaxy, band, y, x], given noise level and scalars.

    Parameters
    ----------
    n_bands, n_scalars : int
        Of the data.
    patch_pix : int
        Blocks of this side are seen as channels.
    config : DiffusionConfig
        Widths and depths.
    chance : torch.Generator
        Draws the first weights; the output starts at zero.
    """

    def __init__(
        self,
        *,
        n_bands: int,
        n_scalars: int,
        patch_pix: int,
        config: DiffusionConfig,
        chance: torch.Generator,
    ) -> None:
        super().__init__()
        self.patch = patch_pix
        width = config.embedding_width
        self.noise_fourier = FourierFeatures(FOURIER_WIDTH, bandwidth=1.0, chance=chance)
        self.noise_embed = MagnitudePreservingConv(FOURIER_WIDTH, width, kernel=1, chance=chance)
        self.scalar_fourier = torch.nn.ModuleList(
            FourierFeatures(FOURIER_WIDTH, bandwidth=SCALAR_BANDWIDTH, chance=chance)
            for _ in range(n_scalars)
        )
        self.scalar_embed = (
            MagnitudePreservingConv(n_scalars * FOURIER_WIDTH, width, kernel=1, chance=chance)
            if n_scalars
            else None
        )
        n_patch = n_bands * patch_pix**2
        self.enter = MagnitudePreservingConv(n_patch + 1, config.channels[0], kernel=3, chance=chance)
        self.down, self.up, n_last = _levels(config, chance)
        self.leave = MagnitudePreservingConv(n_last, n_patch, kernel=3, chance=chance)
        # learned, as the one place where magnitudes may change
        self.leave_gain = torch.nn.Parameter(torch.zeros([]))
        self.augmentation_embed = (
            MagnitudePreservingConv(N_CONDITIONS, width, kernel=1, chance=chance)
            if config.augmentation > 0
            else None
        )

    def forward(
        self,
        pixels: torch.Tensor,
        noise_condition: torch.Tensor,
        scalars: torch.Tensor,
        shown: torch.Tensor,
        *,
        dropout: torch.Generator | None = None,
        augmentation: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Map scaled noisy pixels to the raw output, both [galaxy, band, y, x].

        Parameters
        ----------
        noise_condition : Tensor [galaxy]
            ln(noise level) / 4.
        scalars : Tensor [galaxy, scalar]
            As normal numbers; see `NormalMarginals`.
        shown : Tensor [galaxy]
            1 where the scalars may be seen, else 0.
        dropout : torch.Generator, optional
            Draws what is left out; None leaves nothing out.
        augmentation : Tensor [galaxy, condition], optional
            What was done to the clean pixels; None is nothing. See `draw_conditions`.
        """
        with torch.autocast(pixels.device.type, enabled=False):
            embedding = self._embedding(noise_condition, scalars, shown, augmentation)
        values = functional.pixel_unshuffle(pixels, self.patch)
        # a channel of ones stands for all biases (Karras+24)
        values = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
        values = self.enter(values.contiguous(memory_format=torch.channels_last))
        kept = [values]
        for block in self.down:
            values = block(values, embedding, dropout)
            kept.append(values)
        for block in self.up:
            if block.resample == "keep":
                values = joined(values, kept.pop()).contiguous(memory_format=torch.channels_last)
            values = block(values, embedding, dropout)
        with torch.autocast(values.device.type, enabled=False):
            raw = self.leave(values.float(), gain=self.leave_gain)
        return functional.pixel_shuffle(raw, self.patch)

    def _embedding(
        self,
        noise_condition: torch.Tensor,
        scalars: torch.Tensor,
        shown: torch.Tensor,
        augmentation: torch.Tensor | None,
    ) -> torch.Tensor:
        """Embed noise level, scalars and augmentation, [galaxy, embedding_width]."""
        embedding = self.noise_embed(self.noise_fourier(noise_condition))
        if self.scalar_embed is not None:
            features = [embed(scalars[:, column]) for column, embed in enumerate(self.scalar_fourier)]
            embedding = blend(
                embedding, self.scalar_embed(torch.cat(features, dim=1)) * shown[:, None], share=0.5
            )
        if self.augmentation_embed is not None and augmentation is not None:
            embedding = embedding + self.augmentation_embed(augmentation)
        return silu(embedding)


def _levels(
    config: DiffusionConfig, chance: torch.Generator
) -> tuple[torch.nn.ModuleList, torch.nn.ModuleList, int]:
    """Blocks on the way down, on the way up, and the channels at the end."""

    def block(n_in: int, n_out: int, resample: str, *, up: bool) -> Block:
        return Block(
            n_in,
            n_out,
            embedding_width=config.embedding_width,
            resample=resample,
            on_the_way_up=up,
            dropout=config.dropout,
            chance=chance,
        )

    down, up, n_now = torch.nn.ModuleList(), torch.nn.ModuleList(), config.channels[0]
    kept = [n_now]
    for level, width in enumerate(config.channels):
        if level:
            down.append(block(n_now, n_now, "down", up=False))
            kept.append(n_now)
        for _ in range(config.blocks_per_level):
            down.append(block(n_now, width, "keep", up=False))
            n_now = width
            kept.append(n_now)
    for level, width in reversed(list(enumerate(config.channels))):
        if level < len(config.channels) - 1:
            up.append(block(n_now, n_now, "up", up=True))
        for _ in range(config.blocks_per_level + 1):
            up.append(block(n_now + kept.pop(), width, "keep", up=True))
            n_now = width
    return down, up, n_now


def _dropped(values: torch.Tensor, share: float, chance: torch.Generator | None) -> torch.Tensor:
    """Leave out a share of the values by a given stream, and scale the rest."""
    if chance is None or share == 0:
        return values
    keep = drawn_rows(torch.rand, values.shape, chance) >= share
    return values * keep.to(values.dtype) / (1 - share)  # the mean stays as without dropout
