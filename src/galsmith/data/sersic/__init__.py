"""Sérsic galaxies: priors, the exact profile, and a compiled renderer that integrates over every pixel."""

from galsmith.data.sersic.priors import Prior, SersicSettings, draw_parameters
from galsmith.data.sersic.profile import b_n, central_brightness
from galsmith.data.sersic.render import compile_renderer, render_sersic
from galsmith.data.sersic.source import SersicSource

__all__ = [
    "Prior",
    "SersicSettings",
    "SersicSource",
    "b_n",
    "central_brightness",
    "compile_renderer",
    "draw_parameters",
    "render_sersic",
]
