"""The networks of `cvae`: an encoder on mixed blocks, and a decoder that doubles the side in two ways at once."""

import itertools

import torch
from torch.nn import functional

from galsmith.models.cvae.config import CvaeConfig
from galsmith.models.family import Blueprint
from galsmith.models.latent_generator import LatentGenerator
from galsmith.models.layers.batch_normalization import BatchNormalization
from galsmith.models.layers.doublings import FIRST_SIDE_PIX, Doublings
from galsmith.models.layers.mixed_blocks import MixedTrunk
from galsmith.models.layers.same_padding import (
    GlorotLinear,
    SamePaddedConv,
    SamePaddedTranspose,
    glorot_kernel,
)

ENCODER_KERNEL, ENCODER_WIDTHS = 4, (16, 32)  # 128 and 256 channels after the mixed blocks
LAST_KERNEL = 7
LARGEST_LOG_VARIANCE = 20.0


class CvaeEncoder(torch.nn.Module):
    """Images -> mean and log variance of z: the critic's trunk, two convolutions that keep what is whole, a linear layer.

    Parameters
    ----------
    blueprint : Blueprint
        bfloat16 runs all but the last layer in it.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        config, description, chance = blueprint.config, blueprint.description, blueprint.chance
        self.trunk_dtype = blueprint.trunk_dtype
        self.trunk = MixedTrunk(
            len(description.bands), description.size_pix, width=config.width, chance=chance
        )
        channels = (self.trunk.n_out, *(width * config.width for width in ENCODER_WIDTHS))
        self.kernels = torch.nn.ParameterList(
            glorot_kernel((n_out, n_in, ENCODER_KERNEL, ENCODER_KERNEL), chance)
            for n_in, n_out in itertools.pairwise(channels)
        )
        self.biases = torch.nn.ParameterList(torch.zeros(n_out) for n_out in channels[1:])
        # 7 px are 4, then 1
        side = self.trunk.side_pix - len(ENCODER_WIDTHS) * (ENCODER_KERNEL - 1)
        self.leave = GlorotLinear(channels[-1] * side**2, 2 * config.latent_size, chance=chance)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map [galaxy, band, y, x] to two [galaxy, latent], float32."""
        half = self.trunk_dtype != torch.float32
        with torch.autocast(pixels.device.type, dtype=torch.bfloat16, enabled=half):
            values = self.trunk(pixels)
            # without padding: 7 px, 4 px, 1 px
            for kernel, bias in zip(self.kernels, self.biases, strict=True):
                values = functional.relu(functional.conv2d(values, kernel, bias))
        mean, log_variance = self.leave(values.float().flatten(1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-LARGEST_LOG_VARIANCE, LARGEST_LOG_VARIANCE)  # exp of it stays finite


class MixedDoubling(torch.nn.Module):
    """Doubles the side by nearest neighbors with a convolution, and by a transposed one; half of the channels each."""

    def __init__(self, n_in: int, n_out: int, *, chance: torch.Generator) -> None:
        super().__init__()
        self.convolution = SamePaddedConv(n_in, n_out // 2, kernel=3, chance=chance)
        self.transpose = SamePaddedTranspose(n_in, n_out // 2, kernel=5, chance=chance)
        self.norm = BatchNormalization(n_out)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] to [galaxy, n_out, 2 y, 2 x]."""
        doubled = functional.interpolate(values, scale_factor=2.0, mode="nearest")
        # the two ways side by side, as the critic's blocks have two
        both = torch.cat([self.convolution(doubled), self.transpose(values)], dim=1)
        return functional.relu(self.norm(both))


class CvaeDecoder(torch.nn.Module):
    """z -> pixels, through the sides and channels of the Wasserstein GAN's generator, as the paper gives none of its own.

    Parameters
    ----------
    blueprint : Blueprint
        bfloat16 runs all but the last layer in it.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__()
        config, description, chance = blueprint.config, blueprint.description, blueprint.chance
        self.trunk_dtype = blueprint.trunk_dtype
        self.doublings = Doublings.of(description.size_pix)
        channels = self.doublings.channels(config.width)
        self.enter = GlorotLinear(config.latent_size, channels[0] * FIRST_SIDE_PIX**2, chance=chance)
        self.levels = torch.nn.ModuleList(
            MixedDoubling(n_in, n_out, chance=chance) for n_in, n_out in itertools.pairwise(channels)
        )
        self.leave = SamePaddedTranspose(
            channels[-1], len(description.bands), kernel=LAST_KERNEL, chance=chance
        )

    def logits(self, z: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, latent] to what the sigmoid makes pixels of, [galaxy, band, y, x], float32."""
        half = self.trunk_dtype != torch.float32
        with torch.autocast(z.device.type, dtype=torch.bfloat16, enabled=half):
            values = self.doublings.entered(self.enter(z))
            for number, level in enumerate(self.levels, start=1):
                values = self.doublings.cropped(level(values), number)
        return self.doublings.cropped(self.leave(values.float()), self.doublings.count).contiguous()

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, latent] to pixels in 0 to 1: the mean of the decoder's law, as the paper draws them."""
        return torch.sigmoid(self.logits(z))


class CvaeGenerator(LatentGenerator):
    """Draws z of standard normal numbers, and the mean image of it."""

    decoder: CvaeDecoder

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(CvaeDecoder(blueprint), blueprint, law="normal")


def said_of_pixels(decoder: CvaeDecoder, z: torch.Tensor, config: CvaeConfig) -> torch.Tensor:
    """Give what the cross-entropy takes for logits: those, or the slip of the published code."""
    return decoder(z) if config.as_published else decoder.logits(z)
