"""Which rows of two sets of features a draw takes: 1 for one side, -1 for the other, 0 for neither."""

import numpy as np

from galsmith.compare.features.kernel import Counts
from galsmith.seeds import random_stream


def itself(n_reference: int, n_generated: int) -> Counts:
    """Take the two sets as they are: 1 for the reference's rows, -1 for the generated set's."""
    return np.repeat(np.array([1, -1], dtype=np.int16), [n_reference, n_generated])


def half_sample(n_reference: int, n_generated: int, seed: int, number: int) -> Counts:
    """Draw half of each set without replacement.

    Its spread about the whole is that of the whole about the truth (McCarthy 1969), and no row comes twice, which
    would count as a difference that there is not.
    """
    return _chosen(
        (n_reference, n_generated), (n_reference // 2, n_generated // 2), seed, "compare.half", number
    )


def subset(n_reference: int, n_generated: int, size: int, seed: int, number: int) -> Counts:
    """Draw so many rows of each set, as papers take them for the kernel distance."""
    return _chosen((n_reference, n_generated), (size, size), seed, "compare.kernel_subset", number)


def _chosen(sizes: tuple[int, int], wanted: tuple[int, int], seed: int, purpose: str, number: int) -> Counts:
    """Draw rows of both sets without replacement."""
    rng = random_stream(seed, purpose, number)
    counts = np.zeros(sum(sizes), dtype=np.int16)
    counts[rng.choice(sizes[0], wanted[0], replace=False)] = 1
    counts[sizes[0] + rng.choice(sizes[1], wanted[1], replace=False)] = -1
    return counts
