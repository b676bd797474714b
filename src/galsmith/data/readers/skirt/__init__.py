"""SKIRT images of IllustrisTNG galaxies in the layout ``skirt_images_sdss``, with their morphologies."""

from galsmith.data.readers.skirt.source import PLANES, SkirtOptions, SkirtSource

__all__ = ["PLANES", "SkirtOptions", "SkirtSource"]
