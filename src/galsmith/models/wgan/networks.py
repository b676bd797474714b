"""The networks of `wgan`: a generator of doublings, and a critic on mixed blocks."""

import itertools

import torch
from torch.nn import functional

from galsmith.models.family import Blueprint
from galsmith.models.latent_generator import LatentGenerator
from galsmith.models.layers.doublings import FIRST_SIDE_PIX, Doublings
from galsmith.models.layers.mixed_blocks import MixedTrunk
from galsmith.models.layers.same_padding import GlorotLinear, SamePaddedTranspose

# appendix 2
KERNELS = (5, 5, 5, 7, 7, 7)
LAST_KERNEL = 7


class FieldDecoder(torch.nn.Module):
    """z -> pixels in 0 to 1, by transposed convolutions (appendix 2; 2,487,617 parameters at 1000 px in one band).

    Sides under 1000 px leave the last levels out: the last kernel, of one band, follows on the level before.

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
        # appendix 2: 8192 values without bias, no normalization anywhere
        self.enter = GlorotLinear(
            config.latent_size, channels[0] * FIRST_SIDE_PIX**2, has_bias=False, chance=chance
        )
        self.levels = torch.nn.ModuleList(
            SamePaddedTranspose(n_in, n_out, kernel=kernel, chance=chance)
            for (n_in, n_out), kernel in zip(itertools.pairwise(channels), KERNELS, strict=False)
        )
        self.leave = SamePaddedTranspose(
            channels[-1], len(description.bands), kernel=LAST_KERNEL, chance=chance
        )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, latent] to [galaxy, band, y, x], float32."""
        half = self.trunk_dtype != torch.float32
        with torch.autocast(z.device.type, dtype=torch.bfloat16, enabled=half):
            start = self.doublings.entered(self.enter(z))
            values = start.contiguous(memory_format=torch.channels_last)
            for number, level in enumerate(self.levels, start=1):
                values = self.doublings.cropped(functional.relu(level(values)), number)
        last = self.leave(values.float())
        return torch.sigmoid(self.doublings.cropped(last, self.doublings.count)).contiguous()


class Critic(torch.nn.Module):
    """Says how real images look, on a scale of its own (appendix 4; 2,283,977 parameters at 1000 px in one band).

    Parameters
    ----------
    n_bands, size_pix : int
        Of the images.
    width : int
        Channels of the first layer.
    chance : torch.Generator
        Draws the first weights.

    Attributes
    ----------
    trunk : MixedTrunk
        All but the last layer: what is fine-tuned to predict scores.
    trunk_dtype : torch.dtype
        bfloat16 runs the trunk in it.
    """

    def __init__(self, n_bands: int, size_pix: int, *, width: int = 8, chance: torch.Generator) -> None:
        super().__init__()
        self.trunk_dtype = torch.float32
        self.trunk = MixedTrunk(n_bands, size_pix, width=width, chance=chance)
        # appendix 4: 12,544 values at 7 px
        self.leave = GlorotLinear(self.trunk.n_out * self.trunk.side_pix**2, 1, chance=chance)

    def forward(self, pixels: torch.Tensor, *, exact: bool = False) -> torch.Tensor:
        """Map [galaxy, band, y, x] to [galaxy, 1], high for real images; `exact` computes in float32 throughout."""
        half = self.trunk_dtype != torch.float32 and not exact
        with torch.autocast(pixels.device.type, dtype=torch.bfloat16, enabled=half):
            features = self.trunk(pixels)
        scores: torch.Tensor = self.leave(features.float().flatten(1))
        return scores


def wgan_network(blueprint: Blueprint) -> LatentGenerator:
    """Build the generator: z even in -1 to 1."""
    return LatentGenerator(FieldDecoder(blueprint), blueprint, law="uniform")


def critic_of(blueprint: Blueprint) -> Critic:
    """Build the critic of a training set, on its device."""
    description = blueprint.description
    critic = Critic(
        len(description.bands),
        description.size_pix,
        width=blueprint.config.width,
        chance=blueprint.chance,
    )
    critic.trunk_dtype = blueprint.trunk_dtype
    return critic.to(blueprint.device)
