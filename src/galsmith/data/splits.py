"""Dividing a set into training, validation and test galaxies, with exact counts, from a seed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from galsmith.seeds import random_stream

SPLIT_NAMES = ("train", "validation", "test")


def assign_splits(count: int, fractions: Sequence[float], *, seed: int) -> NDArray[np.str_]:
    """Name the split of every image.

    Parameters
    ----------
    count : int
        How many images.
    fractions : sequence of float
        Of train, validation and test; they sum to 1.
    seed : int
        The user's seed; the same one gives the same split for the same count.

    Returns
    -------
    ndarray [galaxy], str
        ``"train"``, ``"validation"`` or ``"test"``, in a random order with exact counts.
    """
    names = np.repeat(np.array(SPLIT_NAMES, dtype="U10"), split_counts(count, fractions))
    return np.asarray(random_stream(seed, "split").permutation(names), dtype="U10")


def split_counts(count: int, fractions: Sequence[float]) -> tuple[int, ...]:
    """Whole numbers that sum to `count`, as near to the fractions as can be (largest remainder)."""
    wanted = count * np.asarray(fractions, dtype=np.float64) / float(np.sum(fractions))
    counts = np.floor(wanted + 1e-9).astype(np.int64)
    order = np.argsort(-(wanted - counts), kind="stable")
    counts[order[: count - int(counts.sum())]] += 1
    return tuple(int(value) for value in counts)
