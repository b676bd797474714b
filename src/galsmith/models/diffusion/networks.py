"""The networks of `diffusion`: a magnitude-preserving U-Net on pixels, a small one on scalars, and sampling."""

from collections.abc import Sequence

import torch
from torch.nn import functional

from galsmith.models.diffusion.config import DiffusionConfig
from galsmith.models.layers.d4 import apply_d4, elements_from_normal
from galsmith.models.layers.edm import denoised
from galsmith.models.layers.embeddings import FourierFeatures
from galsmith.models.layers.magnitude_preserving import (
    MagnitudePreservingConv,
    blend,
    joined,
    silu,
    unit_pixels,
)
from galsmith.models.layers.marginals import NormalMarginals
from galsmith.models.layers.noise import normal_per_seed
from galsmith.models.layers.residual_mlp import ResidualMlp
from galsmith.models.layers.solvers import noise_schedule, sample_heun
from galsmith.models.protocols import DataDescription, NetworkBatch

SIGMA_DATA = 0.5
FOURIER_WIDTH = 64
SCALAR_BANDWIDTH = 0.2
BRANCH_SHARE = 0.3
GALAXIES_PER_CALL = 32


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
            values = unit_pixels(self._skipped(values))
        branch = self.first(silu(values))
        steering = self.steer(embedding, gain=self.steer_gain) + 1
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
    config : DiffusionConfig
        Widths and depths.
    chance : torch.Generator
        Draws the first weights; the output starts at zero.
    """

    def __init__(
        self, *, n_bands: int, n_scalars: int, config: DiffusionConfig, chance: torch.Generator
    ) -> None:
        super().__init__()
        self.patch = config.patch_pix
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
        n_patch = n_bands * self.patch**2
        self.enter = MagnitudePreservingConv(n_patch + 1, config.channels[0], kernel=3, chance=chance)
        self.down, self.up, n_last = _levels(config, chance)
        self.leave = MagnitudePreservingConv(n_last, n_patch, kernel=3, chance=chance)
        self.leave_gain = torch.nn.Parameter(torch.zeros([]))

    def forward(
        self,
        pixels: torch.Tensor,
        noise_condition: torch.Tensor,
        scalars: torch.Tensor,
        shown: torch.Tensor,
        dropout: torch.Generator | None = None,
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
        """
        with torch.autocast(pixels.device.type, enabled=False):
            embedding = self._embedding(noise_condition, scalars, shown)
        values = functional.pixel_unshuffle(pixels, self.patch)
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
        self, noise_condition: torch.Tensor, scalars: torch.Tensor, shown: torch.Tensor
    ) -> torch.Tensor:
        """Embed noise level and scalars, [galaxy, embedding_width]."""
        embedding = self.noise_embed(self.noise_fourier(noise_condition))
        if self.scalar_embed is not None:
            features = [embed(scalars[:, column]) for column, embed in enumerate(self.scalar_fourier)]
            embedding = blend(
                embedding, self.scalar_embed(torch.cat(features, dim=1)) * shown[:, None], share=0.5
            )
        return silu(embedding)


class DiffusionGenerator(torch.nn.Module):
    """Draws scalars, then pixels given them.

    Parameters
    ----------
    config : DiffusionConfig
        Of the family.
    description : DataDescription
        Of the training set.
    chance : torch.Generator
        Draws the first weights.

    Attributes
    ----------
    trunk_dtype : torch.dtype
        bfloat16 runs all but the last convolution in it.
    """

    sigma_data: torch.Tensor

    galaxies_per_call = GALAXIES_PER_CALL

    def __init__(
        self, config: DiffusionConfig, description: DataDescription, *, chance: torch.Generator
    ) -> None:
        super().__init__()
        self.config, self.description = config, description
        self.trunk_dtype = torch.float32
        n_scalars = len(description.scalar_names)
        self.unet = UNet(n_bands=len(description.bands), n_scalars=n_scalars, config=config, chance=chance)
        self.scalar_network = (
            ResidualMlp(n_scalars, width=config.scalar_width, depth=config.scalar_depth, chance=chance)
            if n_scalars
            else None
        )
        self.marginals = NormalMarginals(n_scalars)
        self.register_buffer("sigma_data", torch.tensor(SIGMA_DATA))
        for layer in self.unet.modules():
            if isinstance(layer, MagnitudePreservingConv):
                layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)

    def denoise(
        self,
        noisy: torch.Tensor,
        noise_level: torch.Tensor,
        *,
        scalars: torch.Tensor,
        shown: torch.Tensor,
        dropout: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Estimate clean pixels [galaxy, band, y, x] of noisy ones; see `UNet.forward` for the rest."""

        def network(values: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
            half = self.trunk_dtype != torch.float32
            with torch.autocast(values.device.type, dtype=torch.bfloat16, enabled=half):
                raw: torch.Tensor = self.unet(values, condition, scalars, shown, dropout)
            return raw.float()

        return denoised(network, noisy, noise_level, sigma_data=self.sigma_data)

    def denoise_scalars(self, noisy: torch.Tensor, noise_level: torch.Tensor) -> torch.Tensor:
        """Estimate clean scalars [galaxy, scalar], in units where their deviation is 0.5."""
        if self.scalar_network is None:
            return noisy
        return denoised(self.scalar_network, noisy, noise_level, sigma_data=self.sigma_data)

    @torch.inference_mode()
    def sample(self, seeds: Sequence[int], conditions: torch.Tensor | None = None) -> NetworkBatch:
        """Draw one galaxy for each seed, for given standardized scalars where `conditions` has them.

        Calls are filled up to 32 galaxies, so that a galaxy does not depend on how many are drawn with it.

        Raises
        ------
        ValueError
            If `conditions` is not [galaxy, scalar].
        """
        wanted = (len(seeds), len(self.description.scalar_names))
        if conditions is not None and tuple(conditions.shape) != wanted:
            raise ValueError(f"conditions has shape {tuple(conditions.shape)}; wanted {wanted}")
        side = self.description.size_pix
        pixels = [torch.empty((0, len(self.description.bands), side, side), device=self.sigma_data.device)]
        scalars = [torch.empty((0, wanted[1]), device=self.sigma_data.device)]
        for start in range(0, len(seeds), GALAXIES_PER_CALL):
            part = slice(start, start + GALAXIES_PER_CALL)
            drawn = self._drawn(seeds[part], None if conditions is None else conditions[part])
            pixels.append(drawn.pixels)
            scalars.append(drawn.scalars)
        return NetworkBatch(torch.cat(pixels), torch.cat(scalars))

    def _drawn(self, seeds: Sequence[int], conditions: torch.Tensor | None) -> NetworkBatch:
        """Draw up to one call's galaxies."""
        n_bands, side = len(self.description.bands), self.description.size_pix
        n_scalars, n_values = len(self.description.scalar_names), n_bands * side**2
        padding = GALAXIES_PER_CALL - len(seeds)
        chance = normal_per_seed([*seeds, *[0] * padding], (n_scalars + n_values + 1,))
        chance = chance.to(self.sigma_data.device)
        schedule = noise_schedule(
            self.config.sampler_steps,
            lowest=self.config.lowest_noise_level,
            highest=self.config.highest_noise_level,
        )
        amplitude = (float(schedule[0]) ** 2 + SIGMA_DATA**2) ** 0.5
        if conditions is None:
            scalars = sample_heun(self.denoise_scalars, chance[:, :n_scalars] * amplitude, schedule)
            scalars = scalars / SIGMA_DATA
        else:
            scalars = functional.pad(self.marginals.to_normal(conditions.to(chance)), (0, 0, 0, padding))
        shown = torch.ones(len(chance), device=chance.device)
        start = chance[:, n_scalars:-1].reshape(-1, n_bands, side, side) * amplitude
        pixels = sample_heun(
            lambda noisy, level: self.denoise(noisy, level, scalars=scalars, shown=shown), start, schedule
        )
        if self.config.symmetric:
            pixels = apply_d4(pixels, elements_from_normal(chance[:, -1]))
        drawn = self.marginals.from_normal(scalars[: len(seeds)])
        return NetworkBatch(
            pixels[: len(seeds)].contiguous(), drawn if conditions is None else conditions.to(drawn)
        )


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
    keep = torch.rand(values.shape, generator=chance, device=chance.device) >= share
    return values * keep.to(values.dtype) / (1 - share)
