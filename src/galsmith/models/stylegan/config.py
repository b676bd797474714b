"""Settings of the family `stylegan`."""

from typing import Literal

from galsmith.models.style_based.settings import StyleSettings


class StyleganConfig(StyleSettings):
    """StyleGAN as Holzschuh et al. (2022, app. A4) train it: styles by adaptive instance normalization.

    All settings are those of `StyleSettings`.
    """

    family: Literal["stylegan"] = "stylegan"
