"""One level of a synthesis network with styles by adaptive instance normalization (Karras et al. 2019)."""

from collections.abc import Mapping, Sequence

import torch

from galsmith.models.style_based.equalized import EqualizedConv, EqualizedLinear, bent, upsampled
from galsmith.models.style_based.settings import COARSEST_SIZE_PIX

SMALLEST_VARIANCE = 1e-8


class StyledNoise(torch.nn.Module):
    """Adds noise, bends, and gives each channel the mean and deviation that the style asks for.

    Parameters
    ----------
    channels, latent : int
        Of the activations and of w.
    chance : torch.Generator
        Draws the first weights; at the start no noise is added.
    """

    def __init__(self, channels: int, latent: int, *, chance: torch.Generator) -> None:
        super().__init__()
        self.noise_strength = torch.nn.Parameter(torch.zeros(channels, 1, 1))
        self.style = EqualizedLinear(latent, 2 * channels, chance=chance)

    def forward(self, values: torch.Tensor, noise: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, channel, y, x], noise [galaxy, 1, y, x] and w [galaxy, latent] to [galaxy, channel, y, x]."""
        strength = self.noise_strength.to(values.dtype)
        # the map B: one strength a channel
        values = bent(torch.addcmul(values, noise.to(values.dtype), strength))
        scale, shift = self.style(w)[:, :, None, None].chunk(2, dim=1)  # the affine map A of fig. 1b
        return adapted(values, scale=scale, shift=shift)


def adapted(values: torch.Tensor, *, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Adaptive instance normalization (Karras et al. 2019, eq. 1) with the scale counted from 1.

    Parameters
    ----------
    values : Tensor [galaxy, channel, y, x]
        Of any float type, which is kept.
    scale, shift : Tensor [galaxy, channel, 1, 1], float32
        Each channel of an image gets the deviation 1 + scale and the mean shift.
    """
    variance, mean = torch.var_mean(values, dim=(2, 3), correction=0, keepdim=True)
    factor = (1 + scale) * (variance.float() + SMALLEST_VARIANCE).rsqrt()
    # The mean comes off first: a young network's channels are constant, and their factor of 1e4 would drown `shift`.
    return torch.addcmul(shift.to(values.dtype), values - mean, factor.to(values.dtype))


class StyledLevel(torch.nn.Module):
    """All that happens at one side: two noises and styles, each after a convolution.

    The first convolution works before the side is doubled, where it costs a quarter.

    Parameters
    ----------
    n_in : int or None
        Channels of the level below; None for the coarsest, which starts from a learned constant.
    n_out, latent : int
        Channels of this level, and width of w.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(self, n_in: int | None, n_out: int, *, latent: int, chance: torch.Generator) -> None:
        super().__init__()
        self.enter = None if n_in is None else EqualizedConv(n_in, n_out, kernel=3, chance=chance)
        self.first = StyledNoise(n_out, latent, chance=chance)
        self.conv = EqualizedConv(n_out, n_out, kernel=3, chance=chance)
        self.second = StyledNoise(n_out, latent, chance=chance)

    def forward(
        self, values: torch.Tensor, styles: torch.Tensor, noise: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Map activations of the level below to this one's; styles are [galaxy, 2, latent], noise two images."""
        if self.enter is not None:
            values = upsampled(self.enter(values))  # Karras+19, fig. 1b
        values = self.first(values, noise[0], styles[:, 0])
        values = self.conv(values)
        styled: torch.Tensor = self.second(values, noise[1], styles[:, 1])
        return styled


def styled_levels(
    widths: Mapping[int, int], *, latent: int, chance: torch.Generator
) -> tuple[torch.nn.Parameter, torch.nn.ModuleList]:
    """Make the learned constant that stands in place of z (Karras et al. 2019, sec. 2), and the levels on it."""
    channels = [widths[side] for side in sorted(widths)]
    constant = torch.nn.Parameter(torch.ones(1, channels[0], *[COARSEST_SIZE_PIX] * 2))
    below: list[int | None] = [None, *channels[:-1]]
    return constant, torch.nn.ModuleList(
        StyledLevel(n_in, n_out, latent=latent, chance=chance)
        for n_in, n_out in zip(below, channels, strict=True)
    )


def repeated(constant: torch.Tensor, n_images: int) -> torch.Tensor:
    """Give every image the learned constant [1, channel, y, x], channels last."""
    return constant.expand(n_images, -1, -1, -1).contiguous(memory_format=torch.channels_last)
