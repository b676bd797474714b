"""The networks of `alae`: a synthesis that grows, its mirror image the encoder, and a discriminator of w."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from galsmith.models.style_based.equalized import (
    EqualizedConv,
    EqualizedLinear,
    downsampled,
    leaky,
    upsampled,
)
from galsmith.models.style_based.settings import COARSEST_SIZE_PIX
from galsmith.models.style_based.styled_level import repeated, styled_levels

SMALLEST_VARIANCE = 1e-8
DISCRIMINATOR_RATE_MULTIPLIER = 0.1


@dataclass(frozen=True)
class Stage:
    """How far the networks have grown.

    Attributes
    ----------
    level : int
        The finest one in use; level k has a side of 4 * 2**k pixels.
    fade : float
        How much the finest level counts beside the one below, in [0, 1].
    """

    level: int
    fade: float

    @property
    def side(self) -> int:
        """Side of the images, in pixels."""
        return COARSEST_SIZE_PIX * 2**self.level


class GrowingSynthesis(torch.nn.Module):
    """Makes pixels from styles and noise with the levels that are in use; see `Synthesis`.

    Attributes
    ----------
    grown : Tensor [2], float32
        Level and fade of the stage that is drawn with.
    """

    grown: torch.Tensor

    def __init__(
        self, n_bands: int, widths: Mapping[int, int], *, latent: int, chance: torch.Generator
    ) -> None:
        super().__init__()
        self.constant, self.levels = styled_levels(widths, latent=latent, chance=chance)
        self.noise_sides = tuple(side for side in sorted(widths) for _ in range(2))
        self.n_styles = len(self.noise_sides)
        self.leave = torch.nn.ModuleList(
            EqualizedConv(widths[side], n_bands, kernel=1, chance=chance) for side in sorted(widths)
        )
        self.register_buffer("grown", torch.tensor([0.0, 1.0]))

    def forward(
        self, styles: torch.Tensor, noise: Sequence[torch.Tensor], *, trunk_dtype: torch.dtype
    ) -> torch.Tensor:
        """Make images of full size [galaxy, band, y, x], doubled bilinearly from the side that is in use."""
        level, fade = self.grown.tolist()
        pixels = self.at_stage(styles, noise, stage=Stage(int(level), fade), trunk_dtype=trunk_dtype)
        while pixels.shape[-1] < self.noise_sides[-1]:
            pixels = upsampled(pixels)
        return pixels

    def at_stage(
        self,
        styles: torch.Tensor,
        noise: Sequence[torch.Tensor],
        *,
        stage: Stage,
        trunk_dtype: torch.dtype,
    ) -> torch.Tensor:
        """Make images of the side of a stage, [galaxy, band, y, x] float32.

        Parameters
        ----------
        styles : Tensor [galaxy, style, latent]
            The w of each style, the coarsest level's first; those of finer levels are not used.
        noise : sequence of Tensor [galaxy, 1, side, side]
            For each of `noise_sides`; the same holds.
        trunk_dtype : torch.dtype
            Of all levels but the coarsest, which works in float32: the normalization enlarges how little its constant
            varies, and the rounding of bfloat16 with it.
        """
        below = values = repeated(self.constant, len(styles))
        for number, level in enumerate(self.levels[: stage.level + 1]):
            below, part = values, slice(2 * number, 2 * number + 2)
            values = level(values, styles[:, part], noise[part]).to(trunk_dtype)
        pixels: torch.Tensor = self.leave[stage.level](values.float())
        if stage.level == 0 or stage.fade == 1:
            return pixels
        coarse = upsampled(self.leave[stage.level - 1](below.float()))
        return torch.lerp(coarse, pixels, stage.fade)  # Karras+18, fig. 2: a new level is faded in


class EncodingLevel(torch.nn.Module):
    """Takes the style off the activations of one side, twice, and halves the side in between.

    Parameters
    ----------
    n_in, n_out, latent : int
        Channels of this level and the next coarser one, and width of w.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(self, n_in: int, n_out: int, *, latent: int, chance: torch.Generator) -> None:
        super().__init__()
        self.first = EqualizedConv(n_in, n_in, kernel=3, chance=chance)
        self.first_style = EqualizedLinear(2 * n_in, latent, chance=chance)
        self.second = EqualizedConv(n_in, n_out, kernel=3, chance=chance)
        self.second_style = EqualizedLinear(2 * n_out, latent, chance=chance)

    def forward(self, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map [galaxy, n_in, y, x] to [galaxy, n_out, y/2, x/2], and this level's share of w [galaxy, latent]."""
        # Pidhorskyi+20, fig. 2: instance normalization gives the style
        values, first = without_style(leaky(self.first(values)))
        values, second = without_style(leaky(self.second(downsampled(values))))
        return values, self.first_style(first) + self.second_style(second)


class CoarsestEncodingLevel(torch.nn.Module):
    """Ends the encoder at 4 pixels: a style, then a dense layer; see `EncodingLevel`."""

    def __init__(self, n_in: int, n_out: int, *, latent: int, chance: torch.Generator) -> None:
        super().__init__()
        self.first = EqualizedConv(n_in, n_in, kernel=3, chance=chance)
        self.first_style = EqualizedLinear(2 * n_in, latent, chance=chance)
        self.second = EqualizedLinear(n_in * COARSEST_SIZE_PIX**2, n_out, chance=chance)
        self.second_style = EqualizedLinear(n_out, latent, chance=chance)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, 4, 4] to this level's share of w [galaxy, latent]."""
        values, first = without_style(leaky(self.first(values)))
        rest = leaky(self.second(values.float().flatten(1)))
        share: torch.Tensor = self.first_style(first) + self.second_style(rest)
        return share


class Encoder(torch.nn.Module):
    """Images, and scalars as planes, to w: the sum of what each level says of it (Pidhorskyi et al. 2020, sec. 5).

    Parameters
    ----------
    n_planes : int
        Bands and scalars.
    widths : mapping of int to int
        Channels of each level by its side.
    latent : int
        Width of w.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(
        self, n_planes: int, widths: Mapping[int, int], *, latent: int, chance: torch.Generator
    ) -> None:
        super().__init__()
        channels = [widths[side] for side in sorted(widths)]
        self.enter = torch.nn.ModuleList(
            EqualizedConv(n_planes, width, kernel=1, chance=chance) for width in channels
        )
        self.coarsest = CoarsestEncodingLevel(channels[0], channels[0], latent=latent, chance=chance)
        self.levels = torch.nn.ModuleList(
            EncodingLevel(fine, coarse, latent=latent, chance=chance)
            for coarse, fine in itertools.pairwise(channels)
        )

    def forward(
        self, planes: torch.Tensor, *, stage: Stage, trunk_dtype: torch.dtype = torch.float32
    ) -> torch.Tensor:
        """Map [galaxy, plane, y, x] of the side of a stage to w [galaxy, latent], float32."""
        planes = planes.contiguous(memory_format=torch.channels_last).to(trunk_dtype)
        values = leaky(self.enter[stage.level](planes))
        w = planes.new_zeros(len(planes), 1, dtype=torch.float32)
        for level in range(stage.level, 0, -1):
            values, share = self.levels[level - 1](values)
            if level == stage.level and stage.fade < 1:
                coarse = leaky(self.enter[level - 1](downsampled(planes)))
                values, share = torch.lerp(coarse, values, stage.fade), share * stage.fade
            w = w + share
        summed: torch.Tensor = w + self.coarsest(values)  # Pidhorskyi+20, sec. 5: w sums what all levels say
        return summed


class LatentDiscriminator(torch.nn.Module):
    """Tells the w of encoded real images from that of encoded drawn ones.

    Parameters
    ----------
    latent, n_layers : int
        Width of w, and layers with the last one.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(self, latent: int, *, n_layers: int, chance: torch.Generator) -> None:
        super().__init__()
        widths = [latent] * n_layers + [1]
        self.layers = torch.nn.ModuleList(
            EqualizedLinear(n_in, n_out, rate_multiplier=DISCRIMINATOR_RATE_MULTIPLIER, chance=chance)
            for n_in, n_out in itertools.pairwise(widths)
        )

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, latent] to logits [galaxy, 1], high for real images."""
        for layer in self.layers[:-1]:
            w = leaky(layer(w))
        logits: torch.Tensor = self.layers[-1](w)
        return logits


def without_style(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalize each channel of an image, and tell by what: the inverse of adaptive instance normalization.

    Parameters
    ----------
    values : Tensor [galaxy, channel, y, x]
        Activations of any float type, which is kept.

    Returns
    -------
    Tensor [galaxy, channel, y, x]
        Of mean 0 and deviation 1 in each channel.
    Tensor [galaxy, 2 channel], float32
        The means, then the deviations.
    """
    variance, mean = torch.var_mean(values.float(), dim=(2, 3), correction=0, keepdim=True)
    deviation = (variance + SMALLEST_VARIANCE).sqrt()
    normalized = (values - mean.to(values.dtype)) * (1 / deviation).to(values.dtype)
    return normalized, torch.cat([mean, deviation], dim=1).flatten(1)
