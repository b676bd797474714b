"""The networks of `dcgan`: few channels, three convolutions at an eighth of the side, then doublings."""

import itertools
import math

import torch
from torch.nn import functional

from galsmith.errors import SettingsError
from galsmith.models.family import Blueprint
from galsmith.models.latent_generator import LatentGenerator
from galsmith.models.layers.batch_normalization import BatchNormalization
from galsmith.models.layers.same_padding import GlorotLinear, SamePaddedConv, SamePaddedTranspose

KERNEL = 5
SLOPE = 0.3  # the slope that Keras has
SMALLEST_SIDE_PIX, FIRST_SIDE_PIX, MOST_DOUBLINGS = 8, 125, 3  # 125 px doubled three times are 1000
FIRST_CHANNELS = 2
WIDTHS = (1, 2, 4)  # of the convolutions at the first side, in units of 4 channels; doublings keep the last
DISCRIMINATOR_WIDTHS = (2, 4, 8, 4, 2)


def doublings_of(size_pix: int) -> int:
    """Say how often the generator doubles the side: 1000 px three times, 500 twice, 250 once, from 125 px or less."""
    return max(0, math.ceil(math.log2(size_pix / FIRST_SIDE_PIX)))


class DcganDecoder(torch.nn.Module):
    """z -> pixels, by transposed convolutions with batch normalization (Radford et al. 2015, sec. 3).

    Sides under 1000 px leave the last doublings out. The published table has no count.

    Parameters
    ----------
    blueprint : Blueprint
        bfloat16 runs all but the last layer in it.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        config, description, chance = blueprint.config, blueprint.description, blueprint.chance
        self.trunk_dtype, self.is_as_published = blueprint.trunk_dtype, config.as_published
        count = doublings_of(description.size_pix)
        self.first_side_pix = description.size_pix // 2**count
        self.enter = GlorotLinear(
            config.latent_size, FIRST_CHANNELS * self.first_side_pix**2, has_bias=False, chance=chance
        )
        # the last doubling is that of the pixels
        widths = (*WIDTHS, *WIDTHS[-1:] * max(0, count - 1))
        channels = (FIRST_CHANNELS, *(width * config.width for width in widths))
        self.levels = torch.nn.ModuleList(
            SamePaddedTranspose(
                n_in, n_out, kernel=KERNEL, stride=1 if number < len(WIDTHS) else 2, chance=chance
            )
            for number, (n_in, n_out) in enumerate(itertools.pairwise(channels))
        )
        self.norms = torch.nn.ModuleList(BatchNormalization(n_now) for n_now in channels)
        self.leave = SamePaddedTranspose(
            channels[-1], len(description.bands), kernel=KERNEL, stride=2 if count else 1, chance=chance
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, latent] to [galaxy, band, y, x], float32."""
        half = self.trunk_dtype != torch.float32
        with torch.autocast(z.device.type, dtype=torch.bfloat16, enabled=half):
            start = self.enter(z).reshape(len(z), FIRST_CHANNELS, *[self.first_side_pix] * 2)
            # Radford+15, sec. 3: normalized before every bend but the last
            values = functional.leaky_relu(self.norms[0](start), SLOPE)
            for level, norm in zip(self.levels, list(self.norms)[1:], strict=True):
                values = functional.leaky_relu(norm(level(values)), SLOPE)
        last = self.leave(values.float())
        # the tangent reaches to -1, which no training image does
        return torch.tanh(last) if self.is_as_published else torch.sigmoid(last)


class DcganDiscriminator(torch.nn.Module):
    """Tells real images from drawn ones by five strided convolutions with dropout.

    Parameters
    ----------
    blueprint : Blueprint
        bfloat16 runs all but the last layer in it.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        config, description, chance = blueprint.config, blueprint.description, blueprint.chance
        self.trunk_dtype, self.dropout = blueprint.trunk_dtype, config.dropout
        channels = (len(description.bands), *(width * config.width for width in DISCRIMINATOR_WIDTHS))
        self.levels = torch.nn.ModuleList(
            SamePaddedConv(n_in, n_out, kernel=KERNEL, stride=2, chance=chance)
            for n_in, n_out in itertools.pairwise(channels)
        )
        # 1000 px are 500, 250, 125, 63, 32
        side = math.ceil(description.size_pix / 2 ** len(self.levels))
        self.leave = GlorotLinear(channels[-1] * side**2, 1, chance=chance)

    def forward(self, pixels: torch.Tensor, *, chance: torch.Generator) -> torch.Tensor:
        """Map [galaxy, band, y, x] to logits [galaxy, 1], float32, high for real; `chance` draws what is left out."""
        values, half = pixels, self.trunk_dtype != torch.float32
        for level in self.levels:
            # oneDNN's bfloat16 gradient of a kernel that is larger than the image has numbers that are not finite
            is_wide = values.shape[-1] >= KERNEL
            with torch.autocast(pixels.device.type, dtype=torch.bfloat16, enabled=half and is_wide):
                values = functional.leaky_relu(level(values), SLOPE)
            values = dropped(values.float(), share=self.dropout, chance=chance)
        logits: torch.Tensor = self.leave(values.flatten(1))
        return logits


def dropped(values: torch.Tensor, *, share: float, chance: torch.Generator) -> torch.Tensor:
    """Leave a share of the values out and scale the others up, so that the mean stays (Srivastava et al. 2014)."""
    if share == 0:
        return values
    is_kept = torch.rand(values.shape, generator=chance, device=values.device) >= share
    return values * is_kept.to(values.dtype) / (1 - share)


def dcgan_network(blueprint: Blueprint) -> LatentGenerator:
    """Build the generator: z of standard normal numbers."""
    return LatentGenerator(DcganDecoder(blueprint), blueprint, law="normal")


def refuse_sides_not_doubled(family: str, size_pix: int) -> None:
    """Refuse sides that no first side of at most 125 px doubles to.

    Raises
    ------
    SettingsError
        With the nearest side to resize to.
    """
    reachable = [
        2**count * min(FIRST_SIDE_PIX, max(SMALLEST_SIDE_PIX, round(size_pix / 2**count)))
        for count in range(MOST_DOUBLINGS + 1)
    ]
    nearest = min(reachable, key=lambda side: abs(side - size_pix))
    if size_pix != nearest:
        raise SettingsError(
            f"images of {size_pix} px: {family} needs 8 to 125 px, doubled up to three times (250, 500, 1000); ingest with "
            f"`resize_pix={nearest}`"
        )
