"""Settings of style-based families, and the widths that follow from them, without torch, to be checked early."""

import itertools
from typing import Annotated, Literal

from pydantic import Field

from galsmith.errors import SettingsError
from galsmith.settings import Settings

COARSEST_SIZE_PIX = 4  # Karras+18, table 2
ChannelCount = Annotated[int, Field(ge=1)]
AUTO_R1_WEIGHT = 2e-4  # Karras+20b (ADA), app. C: gamma = 0.0002 N / M with N = side**2


def doubling_widths(size_pix: int, *, base: int, largest: int) -> dict[int, int]:
    """Channels of each level by its side, from 4 pixels to `size_pix`: ``base // side``, doubling towards coarse ones."""
    sides = [COARSEST_SIZE_PIX * 2**k for k in range((size_pix // COARSEST_SIZE_PIX).bit_length())]
    return {side: min(base // side, largest) for side in sides}


class DrawingSettings(Settings):
    """What drawing from z through w needs to know of any family.

    Attributes
    ----------
    family : str
        Its name.
    latent_width : int
        Of z and w; the paper of galaxies has 512, and 32 for Sérsic galaxies.
    z_width : int or None
        Of z, where it is another than that of w.
    mapping_layers : int
        From z to w.
    style_mixing : float
        Share of drawn training images whose fine levels get the w of another z.
    symmetric : bool
        Train on all eight rotations and reflections, and draw them evenly.
    """

    family: str
    latent_width: int = Field(default=512, ge=8)
    z_width: int | None = Field(default=None, ge=1)
    mapping_layers: int = Field(default=2, ge=1)
    style_mixing: float = Field(default=0.9, ge=0, le=1)
    symmetric: bool = True


class StyleSettings(DrawingSettings):
    """Base of the configs of style-based families; the defaults are the 'auto' configuration below 512 px.

    Those of `DrawingSettings`, and these.

    Attributes
    ----------
    channel_base, channel_max : int
        A level of side s has ``min(channel_base // s, channel_max)`` channels, in both networks.
    channels : tuple of int or None
        Channels of the levels, the finest first, in place of these two; coarser levels have the last number.
    learning_rate : float
        Of Adam in both networks, constant.
    adam_beta2 : float
        Decay of the mean squared gradients.
    game : {"logistic", "hinge"}
        What the networks play for: the non-saturating logistic losses, or the hinge.
    r1_weight : float or None
        Weight gamma of the gradient penalty, for pixels of the paper's unit deviation; None takes
        2e-4 size_pix**2 / batch_size, 0 switches it off.
    r1_every : int
        Steps between penalties; each counts that many times.
    path_length_weight : float
        Of the path-length regularization, of lengths in the same unit; 0 switches it off.
    path_length_every : int
        Steps between regularizations, on half the images; each counts that many times.
    """

    channel_base: int = Field(default=16384, ge=64)
    channel_max: int = Field(default=512, ge=1)
    channels: tuple[ChannelCount, ...] | None = Field(default=None, min_length=1)
    learning_rate: float = Field(default=2.5e-3, gt=0)
    adam_beta2: float = Field(default=0.99, gt=0, lt=1)
    game: Literal["logistic", "hinge"] = "logistic"
    r1_weight: float | None = Field(default=None, ge=0)
    r1_every: int = Field(default=16, ge=1)
    path_length_weight: float = Field(default=2.0, ge=0)
    path_length_every: int = Field(default=4, ge=1)

    def level_widths(self, size_pix: int) -> dict[int, int]:
        """Channels of each level by its side, from 4 pixels to `size_pix`; refused where the finest would have none."""
        if self.channels is not None:
            fine_first = sorted(doubling_widths(size_pix, base=size_pix, largest=1), reverse=True)
            given = itertools.chain(self.channels, itertools.repeat(self.channels[-1]))
            return dict(zip(fine_first, given, strict=False))
        if self.channel_base < size_pix:
            raise SettingsError(
                f"leaves no channel at {size_pix} px",
                argument="model.channel_base",
                came=self.channel_base,
                wanted=f"{size_pix} or more",
                way_out=f"{16 * size_pix} gives 16",
            )
        return doubling_widths(size_pix, base=self.channel_base, largest=self.channel_max)


def auto_r1_weight(size_pix: int, batch_size: int) -> float:
    """Weight of R1 in the 'auto' configuration (Holzschuh et al. 2022, app. A4)."""
    return AUTO_R1_WEIGHT * size_pix**2 / batch_size


class StyleganConfig(StyleSettings):
    """StyleGAN as Holzschuh et al. (2022, app. A4) train it: styles by adaptive instance normalization.

    All settings are those of `StyleSettings`.
    """

    family: Literal["stylegan"] = "stylegan"


class Stylegan2Config(StyleSettings):
    """StyleGAN2 (Karras et al. 2020) in its 'auto' configuration: styles by modulated convolutions.

    All settings are those of `StyleSettings`; the paper itself has 8 mapping layers.
    """

    family: Literal["stylegan2"] = "stylegan2"
