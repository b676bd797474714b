"""Which images a training step sees, as a function of the seed and the images seen."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from galsmith.seeds import random_stream


def image_order(n_images: int, *, seed: int, images_seen: int, count: int) -> NDArray[np.int64]:
    """Positions in the training set of the next images; each pass over the set is a permutation of its own.

    Parameters
    ----------
    n_images : int
        Size of the training set.
    seed : int
        The run's seed.
    images_seen : int
        Images shown before.
    count : int
        How many come next; they may reach over the end of a pass.

    Returns
    -------
    ndarray [count], int64
        Indices in [0, n_images).
    """
    places = np.arange(images_seen, images_seen + count)
    indices = np.empty(count, dtype=np.int64)
    for pass_number in np.unique(places // n_images):
        here = places // n_images == pass_number
        indices[here] = _permutation(n_images, seed, int(pass_number))[places[here] % n_images]
    return indices


@lru_cache(maxsize=2)
def _permutation(n_images: int, seed: int, pass_number: int) -> NDArray[np.int64]:
    """Order of one pass over the set."""
    return random_stream(seed, "train.order", pass_number).permutation(n_images)
