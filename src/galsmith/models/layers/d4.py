"""The eight rotations and reflections of a square, on pixels.

An element is an integer 0-7: bit 0 flips x, bit 1 flips y, then bit 2 transposes.
"""

from functools import partial

import torch

from galsmith.models.layers.chance import drawn_rows

FLIP_X, FLIP_Y, TRANSPOSE = 1, 2, 4
N_ELEMENTS = 8


def apply_d4(pixels: torch.Tensor, elements: torch.Tensor) -> torch.Tensor:
    """Turn and mirror each image by its own element.

    Parameters
    ----------
    pixels : Tensor [galaxy, band, y, x]
        Square images.
    elements : Tensor [galaxy], int64
        0 to 7.
    """
    bits = elements.reshape(-1, 1, 1, 1)
    pixels = torch.where((bits & FLIP_X) > 0, pixels.flip(-1), pixels)
    pixels = torch.where((bits & FLIP_Y) > 0, pixels.flip(-2), pixels)
    return torch.where((bits & TRANSPOSE) > 0, pixels.transpose(-1, -2), pixels)


def elements_from_normal(normal: torch.Tensor) -> torch.Tensor:
    """Turn standard normal numbers [galaxy] into equally likely elements 0-7, int64."""
    # uniform by the normal law's own quantile
    return (torch.special.ndtr(normal.double()) * N_ELEMENTS).long().clamp(0, N_ELEMENTS - 1)


def randomly_turned(pixels: torch.Tensor, chance: torch.Generator, *, symmetric: bool) -> torch.Tensor:
    """Turn and mirror each image by an element of its own, drawn from `chance`, where a family is symmetric."""
    if not symmetric:
        return pixels
    return apply_d4(pixels, drawn_elements(len(pixels), chance))


def drawn_elements(count: int, chance: torch.Generator) -> torch.Tensor:
    """Draw an element for each of a step's images, [galaxy] int64."""
    return drawn_rows(partial(torch.randint, 0, N_ELEMENTS), [count], chance)
