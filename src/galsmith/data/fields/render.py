"""Pixels of fields, compiled: sources as elliptical Moffat laws, and images of overlapping discs for what is no field.

The law of a source is that of a point source through a turbulent atmosphere, beta = 4.765 (Trujillo et al. 2001, sec. 2).
With a half-light radius of 2 px it is that of the bright sources of a real field down to a hundredth of their peak.
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
Values = NDArray[np.float64]
MOFFAT_BETA = 4.765
# Below this a pixel of a source rounds to nothing, and its stamp ends; in gray levels.
FAINTEST_LEVEL = 0.05


@numba.njit(cache=True)
def add_sources(image: Pixels, sources: Values) -> None:
    """Add sources to an image, in place, each pixel the brightness at its middle.

    Parameters
    ----------
    image : ndarray [y, x], float32
        In gray levels.
    sources : ndarray [source, 6], float64
        x and y in pixels, flux, half-light radius of the circle with the ellipse's area, axis ratio, orientation
        counter-clockwise from +x. Light beyond the edges is lost.
    """
    height, width = image.shape
    # of the half-light radius: 1 - (1 + r^2 / a^2)^(1 - beta) = 1/2
    per_radius = 1 / math.sqrt(2 ** (1 / (MOFFAT_BETA - 1)) - 1)
    for number in range(len(sources)):
        x, y, flux, r_half, ratio, angle = sources[number]
        core = (r_half * per_radius) ** 2
        peak = flux * (MOFFAT_BETA - 1) / (math.pi * core)
        if peak <= FAINTEST_LEVEL:
            continue
        reach = math.sqrt(core * ((peak / FAINTEST_LEVEL) ** (1 / MOFFAT_BETA) - 1) / ratio)
        cosine, sine = math.cos(angle), math.sin(angle)
        for row in range(max(0, math.ceil(y - reach)), min(height - 1, math.floor(y + reach)) + 1):
            for column in range(max(0, math.ceil(x - reach)), min(width - 1, math.floor(x + reach)) + 1):
                along = (column - x) * cosine + (row - y) * sine
                across = (row - y) * cosine - (column - x) * sine
                squared = (along * along * ratio + across * across / ratio) / core
                image[row, column] += peak * (1 + squared) ** -MOFFAT_BETA


@numba.njit(cache=True)
def paint_discs(image: Pixels, discs: Values) -> None:
    """Paint discs over an image, in place, later ones over earlier ones.

    Parameters
    ----------
    image : ndarray [y, x], float32
        In gray levels.
    discs : ndarray [disc, 4], float64
        x, y and radius in pixels, and the gray level.
    """
    height, width = image.shape
    for number in range(len(discs)):
        x, y, radius, level = discs[number]
        for row in range(max(0, math.ceil(y - radius)), min(height - 1, math.floor(y + radius)) + 1):
            half = math.sqrt(radius * radius - (row - y) ** 2)
            first, last = max(0, math.ceil(x - half)), min(width - 1, math.floor(x + half))
            for column in range(first, last + 1):
                image[row, column] = level


@numba.njit(cache=True)
def to_levels(image: Pixels) -> None:
    """Round to whole gray levels from 0 to 255, in place; no zero is negative, so that a store may keep bytes."""
    values = image.ravel()
    for place in range(len(values)):
        level = np.rint(values[place])
        values[place] = min(level, np.float32(255)) if level > 0 else np.float32(0)


def compile_renderer() -> None:
    """Compile the kernels, or load them from the cache."""
    image = np.zeros((4, 4), dtype=np.float32)
    add_sources(image, np.ones((1, 6)))
    paint_discs(image, np.ones((1, 4)))
    to_levels(image)
