"""Family stylegan: levels with noise and adaptive instance normalization (Karras et al. 2019)."""

from collections.abc import Mapping, Sequence

import torch

from galsmith.models.style_based.equalized import EqualizedConv
from galsmith.models.style_based.settings import StyleganConfig
from galsmith.models.style_based.styled_level import repeated, styled_levels
from galsmith.models.style_based.trainer import style_family


class StyleganSynthesis(torch.nn.Module):
    """Makes pixels from styles and noise; see `Synthesis`."""

    def __init__(
        self, n_bands: int, widths: Mapping[int, int], *, latent: int, chance: torch.Generator
    ) -> None:
        super().__init__()
        self.constant, self.levels = styled_levels(widths, latent=latent, chance=chance)
        self.noise_sides = tuple(side for side in sorted(widths) for _ in range(2))
        self.n_styles = len(self.noise_sides)
        self.leave = EqualizedConv(widths[max(widths)], n_bands, kernel=1, chance=chance)

    def forward(
        self, styles: torch.Tensor, noise: Sequence[torch.Tensor], *, trunk_dtype: torch.dtype
    ) -> torch.Tensor:
        """Map styles [galaxy, style, latent] and noise [galaxy, 1, side, side] each to [galaxy, band, y, x].

        The coarsest level works in float32: the normalization enlarges how little its constant varies, and the
        rounding of bfloat16 with it.
        """
        values = repeated(self.constant, len(styles))
        for number, level in enumerate(self.levels):
            part = slice(2 * number, 2 * number + 2)  # two styles and noises a level (Karras+19, fig. 1b)
            values = level(values, styles[:, part], noise[part]).to(trunk_dtype)
        pixels: torch.Tensor = self.leave(values.float())
        return pixels


FAMILY = style_family("stylegan", StyleganConfig, StyleganSynthesis)
