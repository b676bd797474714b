"""The one way from seeds to galaxies in physical pixels, in training and in sampling."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from galsmith.data.transforms import NetworkArrays, PixelTransform
from galsmith.errors import SettingsError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.models.devices import is_out_of_memory
from galsmith.models.family import torch_seeded
from galsmith.models.layers.chance import refuse_other_shapes
from galsmith.models.protocols import DataDescription

Pixels = NDArray[np.float32]
SPLIT = "generated"
IMAGES_INVERTED_AT_ONCE = 32  # bounds the memory of their float64 copies


def draw_arrays(
    generator: Any, seeds: Sequence[int], scalars: NDArray[np.float32] | None = None
) -> NetworkArrays:
    """Draw one galaxy a seed in network space, for given standardized scalars [galaxy, scalar] where there are some."""
    with torch.no_grad():
        drawn = generator.sample(list(seeds), None if scalars is None else torch.from_numpy(scalars))
    return NetworkArrays(drawn.pixels.float().cpu().numpy(), drawn.scalars.float().cpu().numpy())


def refuse_misdrawn(generator: Any, description: DataDescription, *, family: str) -> None:
    """Draw one galaxy, so that a generator of others that draws something else is refused before it is trained.

    Raises
    ------
    SettingsError
        With the name of the family, and which shape came and was wanted.
    """
    with torch.no_grad(), torch_seeded(0):
        try:
            refuse_other_shapes(generator.sample([0], None), 1, description)
        except Exception as error:  # others' code may fail in any way
            if is_out_of_memory(error):
                raise
            said = error if isinstance(error, SettingsError) else f"{type(error).__name__}: {error}"
            raise SettingsError(f"family {family!r}: cannot draw a galaxy: {said}") from error


def physical_images(arrays: NetworkArrays, transform: PixelTransform) -> list[Pixels]:
    """Bring drawn galaxies to physical pixels, [band, y, x] float32 each, a few at a time; what overflows is not finite."""
    images: list[Pixels] = []
    for start in range(0, len(arrays.pixels), IMAGES_INVERTED_AT_ONCE):
        part = slice(start, start + IMAGES_INVERTED_AT_ONCE)
        with np.errstate(all="ignore"):
            images += transform.inverse(NetworkArrays(arrays.pixels[part], arrays.scalars[part]))
    return images


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
    size = generator.galaxies_per_call
    calls = (seeds[start : start + size] for start in range(0, len(seeds), size))
    return [image for call in calls for image in physical_images(draw_arrays(generator, call), transform)]


def draw_images(
    generator: Any, seeds: Sequence[int], transform: PixelTransform, *, header: ImageHeader
) -> ImageSet:
    """Draw one galaxy a seed, as a set in memory with the header of the training set."""
    drawn = image_set_from_arrays(draw_pixels(generator, seeds, transform), header)
    drawn.catalog["split"] = np.full(len(drawn), SPLIT)
    return drawn
