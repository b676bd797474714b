"""Sides that style-based networks see: those that halve to 4 px, or pictures framed in black."""

import math

from galsmith.errors import SettingsError
from galsmith.models.family import SIDES_PIX, refuse_other_sides
from galsmith.models.protocols import DataDescription
from galsmith.models.style_based.settings import StyleSettings

LARGEST_SIDE_PIX = 1024


def network_side(description: DataDescription) -> int:
    """Side that networks see: that of the images, or the next power of two where black is known and they are framed."""
    if description.pixel_range is None:
        return description.size_pix
    return max(SIDES_PIX[0], int(2 ** math.ceil(math.log2(description.size_pix))))


def refuse_sides_not_framed(config: StyleSettings, description: DataDescription) -> None:
    """Refuse sides that cannot be halved to 4, but of pictures up to 1024 px, which are framed in black.

    Raises
    ------
    SettingsError
        With the nearest side to resize to.
    """
    size = description.size_pix
    if description.pixel_range is None:
        refuse_other_sides(config, description)
    elif not SIDES_PIX[0] <= size <= LARGEST_SIDE_PIX:
        nearest = min(max(size, SIDES_PIX[0]), LARGEST_SIDE_PIX)
        raise SettingsError(
            f"images of {size} px: {config.family} needs pictures of {SIDES_PIX[0]} to {LARGEST_SIDE_PIX} px; ingest with "
            f"`resize_pix={nearest}`"
        )
