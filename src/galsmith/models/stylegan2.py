"""Family stylegan2: modulated convolutions, noise, and images summed over levels (Karras et al. 2020)."""

from collections.abc import Mapping, Sequence

import torch
from torch.nn import functional

from galsmith.models.style_based.equalized import LEAKY_GAIN, EqualizedLinear, bent, upsampled
from galsmith.models.style_based.settings import COARSEST_SIZE_PIX, Stylegan2Config
from galsmith.models.style_based.styled_level import repeated
from galsmith.models.style_based.trainer import style_family

SMALLEST_VARIANCE = 1e-8


class StyledConv(torch.nn.Module):
    """Modulated convolution, doubling of the side where wanted, noise, bias and leaky ReLU.

    The style scales the weights, input channel by input channel, and each output is scaled back to unit variance
    (Karras et al. 2020, sec. 2.2, eqs. 1 and 3). The activations are scaled in place of the weights, which is the
    same and lets one convolution serve all images; it works before the side is doubled, where it costs a quarter.

    Parameters
    ----------
    n_in, n_out, latent : int
        Channels, and width of w.
    is_doubling : bool
        Whether the side is doubled.
    chance : torch.Generator
        Draws the first weights; the first style is 1 on average, and no noise is added at the start.
    """

    def __init__(
        self, n_in: int, n_out: int, *, latent: int, is_doubling: bool, chance: torch.Generator
    ) -> None:
        super().__init__()
        self.is_doubling = is_doubling
        self.weight = channels_last_normal((n_out, n_in, 3, 3), chance)
        self.style = EqualizedLinear(latent, n_in, first_bias=1.0, chance=chance)
        self.noise_strength = torch.nn.Parameter(torch.zeros([]))
        self.bias = torch.nn.Parameter(torch.zeros(n_out, 1, 1))

    def forward(self, values: torch.Tensor, noise: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, y, x], noise [galaxy, 1, y', x'] and w [galaxy, latent] to [galaxy, n_out, y', x']."""
        kind = values.dtype
        style = self.style(w)
        weight = self.weight / self.weight[0].numel() ** 0.5
        values = values * style[:, :, None, None].to(kind)  # Karras+20, eq. 1
        values = functional.conv2d(values, weight.to(kind), padding=1)
        variance = style.square() @ weight.square().sum(dim=(2, 3)).T  # of the output for unit input (eq. 2)
        factor = (LEAKY_GAIN * (variance + SMALLEST_VARIANCE).rsqrt())[:, :, None, None]  # eq. 3
        values = torch.addcmul((LEAKY_GAIN * self.bias).to(kind), values, factor.to(kind))
        if self.is_doubling:
            values = upsampled(values)
        strength = (LEAKY_GAIN * self.noise_strength).to(kind)
        return bent(values + noise.to(kind) * strength)


class ToPixels(torch.nn.Module):
    """Pixels of one level: a modulated convolution of kernel 1, not scaled back, and a bias; in float32.

    Parameters
    ----------
    n_in, n_bands, latent : int
        Channels, bands, and width of w.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(self, n_in: int, n_bands: int, *, latent: int, chance: torch.Generator) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(n_bands, n_in, generator=chance))
        self.style = EqualizedLinear(latent, n_in, first_bias=1.0, chance=chance)
        self.bias = torch.nn.Parameter(torch.zeros(n_bands, 1, 1))

    def forward(self, values: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Map [galaxy, n_in, y, x] and w [galaxy, latent] to [galaxy, band, y, x], float32."""
        galaxies, channels, height, width = values.shape
        # eq. 1 without eq. 3: pixels have their own scale
        weight = self.weight * self.style(w)[:, None] / channels**0.5
        rows = values.float().permute(0, 2, 3, 1).reshape(galaxies, -1, channels)
        pixels = rows @ weight.transpose(1, 2)
        return pixels.transpose(1, 2).reshape(galaxies, -1, height, width) + self.bias


def channels_last_normal(shape: tuple[int, int, int, int], chance: torch.Generator) -> torch.nn.Parameter:
    """Weights of unit variance, laid out as the activations are."""
    weight = torch.randn(shape, generator=chance)
    return torch.nn.Parameter(weight.contiguous(memory_format=torch.channels_last))


class Stylegan2Synthesis(torch.nn.Module):
    """Makes pixels from styles and noise; see `Synthesis`.

    Each level's pixels take the style of the convolution after it, the last level's one of their own.
    """

    def __init__(
        self, n_bands: int, widths: Mapping[int, int], *, latent: int, chance: torch.Generator
    ) -> None:
        super().__init__()
        sides = sorted(widths)
        counts = [widths[sides[0]], *[widths[side] for side in sides]]
        self.noise_sides = (sides[0], *[side for side in sides[1:] for _ in range(2)])
        self.n_styles = len(self.noise_sides) + 1
        self.constant = torch.nn.Parameter(
            torch.randn(1, counts[0], *[COARSEST_SIZE_PIX] * 2, generator=chance)
        )
        self.convs = torch.nn.ModuleList()
        self.to_pixels = torch.nn.ModuleList()
        for number, side in enumerate(sides):
            n_in, n_out = counts[number : number + 2]
            if number:
                self.convs.append(StyledConv(n_in, n_out, latent=latent, is_doubling=True, chance=chance))
            self.convs.append(StyledConv(n_out, n_out, latent=latent, is_doubling=False, chance=chance))
            self.to_pixels.append(ToPixels(widths[side], n_bands, latent=latent, chance=chance))

    def forward(
        self, styles: torch.Tensor, noise: Sequence[torch.Tensor], *, trunk_dtype: torch.dtype
    ) -> torch.Tensor:
        """Map styles [galaxy, style, latent] and noise [galaxy, 1, side, side] each to [galaxy, band, y, x]."""
        values = repeated(self.constant, len(styles)).to(trunk_dtype)
        values = self.convs[0](values, noise[0], styles[:, 0])
        pixels: torch.Tensor = self.to_pixels[0](values, styles[:, 1])
        for number, to_pixels in enumerate(list(self.to_pixels)[1:]):
            first = 1 + 2 * number
            values = self.convs[first](values, noise[first], styles[:, first])
            values = self.convs[first + 1](values, noise[first + 1], styles[:, first + 1])
            pixels = upsampled(pixels) + to_pixels(values, styles[:, first + 2])  # fig. 7b: sums of skips
        return pixels


FAMILY = style_family("stylegan2", Stylegan2Config, Stylegan2Synthesis)
