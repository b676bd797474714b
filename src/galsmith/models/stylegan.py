"""Family stylegan: levels with noise and adaptive instance normalization (Karras et al. 2019)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch

from galsmith.models.style_based.equalized import EqualizedConv
from galsmith.models.style_based.settings import COARSEST_SIZE_PIX, StyleSettings
from galsmith.models.style_based.styled_level import StyledLevel
from galsmith.models.style_based.trainer import style_family


class StyleganSynthesis(torch.nn.Module):
    """Makes pixels from styles and noise; see `Synthesis`.

    Parameters
    ----------
    n_bands : int
        Of the images.
    widths : mapping of int to int
        Channels of each level by its side, from 4 pixels to that of the images.
    latent : int
        Width of w.
    chance : torch.Generator
        Draws the first weights.
    """

    def __init__(
        self, n_bands: int, widths: Mapping[int, int], *, latent: int, chance: torch.Generator
    ) -> None:
        super().__init__()
        sides = sorted(widths)
        self.n_styles = 2 * len(sides)
        self.noise_sides = tuple(side for side in sides for _ in range(2))
        # Karras+19, sec. 2: a learned constant in place of z
        self.constant = torch.nn.Parameter(torch.ones(1, widths[sides[0]], *[COARSEST_SIZE_PIX] * 2))
        n_below: list[int | None] = [None, *[widths[side] for side in sides[:-1]]]
        self.levels = torch.nn.ModuleList(
            StyledLevel(n_in, widths[side], latent=latent, chance=chance)
            for n_in, side in zip(n_below, sides, strict=True)
        )
        self.leave = EqualizedConv(widths[sides[-1]], n_bands, kernel=1, chance=chance)

    def forward(
        self, styles: torch.Tensor, noise: Sequence[torch.Tensor], *, trunk_dtype: torch.dtype
    ) -> torch.Tensor:
        """Map styles [galaxy, style, latent] and noise [galaxy, 1, side, side] each to [galaxy, band, y, x].

        The coarsest level works in float32: the normalization enlarges how little its constant varies, and the
        rounding of bfloat16 with it.
        """
        values = self.constant.expand(len(styles), -1, -1, -1)
        values = values.contiguous(memory_format=torch.channels_last)
        for number, level in enumerate(self.levels):
            part = slice(2 * number, 2 * number + 2)  # two styles and noises a level (Karras+19, fig. 1b)
            values = level(values, styles[:, part], noise[part]).to(trunk_dtype)
        pixels: torch.Tensor = self.leave(values.float())
        return pixels


class StyleganConfig(StyleSettings):
    """StyleGAN as Holzschuh et al. (2022, app. A4) train it: styles by adaptive instance normalization.

    All settings are those of `StyleSettings`.
    """

    family: Literal["stylegan"] = "stylegan"


FAMILY = style_family("stylegan", StyleganConfig, StyleganSynthesis)
