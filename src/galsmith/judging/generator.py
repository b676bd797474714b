"""Drawing from anything that can be called with seeds, so that it can be judged."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ProgressEvent
from galsmith.images import ImageSet, image_set_from_arrays
from galsmith.seeds import derive_seed

Generator: TypeAlias = Callable[[NDArray[np.int64]], ImageSet | Sequence[NDArray[Any]] | NDArray[Any]]
"""Given seeds, int64 [galaxy], draws images: [galaxy, band, y, x], a list of [band, y, x], or an `ImageSet`.

Arrays may be torch's tensors, with a gradient and on any device.
"""

SEEDS_AT_ONCE = 64


def drawn_images(
    generator: Generator, *, n: int, seed: int, progress: ProgressCallback
) -> ImageSet | list[NDArray[np.float32]]:
    """Draw `n` galaxies, some at a time; galaxy k has the seed that `galsmith.sampling.sample` gives it.

    Parameters
    ----------
    generator : callable
        As `Generator` has it.
    n : int
        How many, 1 or more.
    seed : int
        From which the seeds are derived.
    progress : callable
        Told how many are drawn.

    Returns
    -------
    ImageSet or list of ndarray [band, y, x], float32
        A set where the generator gives sets, with their header.

    Raises
    ------
    InputError
        If another number of images comes than there are seeds.
    """
    seeds = np.array([derive_seed(seed, "sample", index) for index in range(n)], dtype=np.int64)
    images: list[NDArray[np.float32]] = []
    drawn: ImageSet | Sequence[NDArray[Any]] | NDArray[Any] = []
    for start in range(0, n, SEEDS_AT_ONCE):
        some = seeds[start : start + SEEDS_AT_ONCE]
        drawn = generator(some)
        found = drawn.pixels.read(np.arange(len(drawn))) if isinstance(drawn, ImageSet) else list(drawn)
        if len(found) != len(some):
            raise InputError(
                f"it gave {len(found)} images for {len(some)} seeds", argument="generator", wanted="one each"
            )
        images += [_array_of(image) for image in found]
        progress(ProgressEvent("drawing", len(images), n, "images"))
    return image_set_from_arrays(images, drawn.header) if isinstance(drawn, ImageSet) else images


def _array_of(image: Any) -> NDArray[np.float32]:
    """Take an image as an array; torch's tensors may have a gradient and lie on another device."""
    return np.asarray(image.detach().cpu() if hasattr(image, "detach") else image, dtype=np.float32)
