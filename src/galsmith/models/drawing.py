"""Galaxies drawn from a generator in training, in physical pixels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from galsmith.data.transforms import NetworkArrays, PixelTransform
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays

Pixels = NDArray[np.float32]
SPLIT = "generated"


def draw_pixels(generator: Any, seeds: Sequence[int], transform: PixelTransform) -> list[Pixels]:
    """Draw one galaxy a seed, each [band, y, x] float32 in physical pixels; a young network may draw NaN.

    Parameters
    ----------
    generator : Generator
        In evaluation mode.
    seeds : sequence of int
        One a galaxy.
    transform : PixelTransform
        Of the training set.
    """
    images: list[Pixels] = []
    for start in range(0, len(seeds), generator.galaxies_per_call):
        with torch.no_grad(), np.errstate(all="ignore"):  # a young network may draw what overflows
            batch = generator.sample(list(seeds[start : start + generator.galaxies_per_call]))
            arrays = NetworkArrays(batch.pixels.float().cpu().numpy(), batch.scalars.float().cpu().numpy())
            images += transform.inverse(arrays)
    return images


def draw_images(
    generator: Any, seeds: Sequence[int], transform: PixelTransform, *, header: ImageHeader
) -> ImageSet:
    """Draw one galaxy a seed, as a set in memory with the header of the training set."""
    drawn = image_set_from_arrays(draw_pixels(generator, seeds, transform), header)
    drawn.catalog["split"] = np.full(len(drawn), SPLIT)
    return drawn
