"""Settings of the family `stylegan2`."""

from typing import Literal

from galsmith.models.style_based.settings import StyleSettings


class Stylegan2Config(StyleSettings):
    """StyleGAN2 (Karras et al. 2020) in its 'auto' configuration: styles by modulated convolutions.

    All settings are those of `StyleSettings`; the paper itself has 8 mapping layers.
    """

    family: Literal["stylegan2"] = "stylegan2"
