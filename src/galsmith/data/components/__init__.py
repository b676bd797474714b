"""Galaxies of bulge, disk, bar, arms, clumps and dust in several bands, each with its truth; needs no torch."""

from galsmith.data.components.law import ComponentSettings
from galsmith.data.components.render import compile_renderer
from galsmith.data.components.source import ComponentGalaxies

__all__ = ["ComponentGalaxies", "ComponentSettings", "compile_renderer"]
