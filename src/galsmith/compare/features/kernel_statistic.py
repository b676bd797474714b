"""Kernel distance of two sets of features with its interval, floor and test."""

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.evidence import Statistic
from galsmith.compare.features.draws import half_sample, itself, subset
from galsmith.compare.features.kernel import Counts, kernel_distances
from galsmith.compare.marginal.distances import Chance
from galsmith.compare.marginal.resampling import dealt_counts, size_of_parts, split_counts
from galsmith.compare.statistic import distance_statistic
from galsmith.execution import ProgressCallback, ignore_progress

Features = NDArray[np.float32]

MOST_REPLICATES, MOST_SPLITS, MOST_DEALS = 100, 100, 200
N_SUBSETS, SUBSET_SIZE = 100, 1000


def kernel_statistic(
    first: Features,
    second: Features,
    *,
    chance: Chance,
    label: str,
    progress: ProgressCallback = ignore_progress,
) -> tuple[Statistic, tuple[float, float]]:
    """Kernel distance with interval, floor and test, and its mean and spread over subsets, all in one pass.

    Parameters
    ----------
    first, second : ndarray [galaxy, feature], float32
        The reference and the generated set; finite.
    chance : Chance
        Seed, draws and confidence; at most `MOST_REPLICATES`, `MOST_SPLITS` and `MOST_DEALS` draws.
    label : str
        What the distance is called.
    progress : callable
        Told after each block of rows.

    Returns
    -------
    statistic : Statistic
        Of all rows.
    subsets : tuple of float
        Mean and standard deviation over 100 pairs of subsets of 1,000, or of half the smaller set where it has fewer.
    """
    sizes = len(first), len(second)
    n_each = size_of_parts(*sizes)
    subset_size = SUBSET_SIZE if min(sizes) >= SUBSET_SIZE else min(sizes) // 2
    draws = _draws(sizes, n_each, subset_size, chance)
    distances = kernel_distances(first, second, np.concatenate(draws), progress=progress)
    value, drawn, floor, dealt, subsets = np.split(distances, np.cumsum([len(block) for block in draws[:-1]]))
    # Where nothing differs the mean is 0 and the spread goes as 1/n + 1/m; what sampling alone makes is the mean size.
    floor = np.abs(floor) * (1 / sizes[0] + 1 / sizes[1]) * n_each / 2
    statistic = distance_statistic(
        float(value[0]),
        drawn=drawn,
        floor=floor,
        dealt=dealt,
        confidence=chance.confidence,
        name=label,
        definition=_kernel_definition(first.shape[1], subset_size),
        sizes=sizes,
    )
    return statistic, (float(subsets.mean()), float(subsets.std(ddof=1)))


def _draws(sizes: tuple[int, int], n_each: int, subset_size: int, chance: Chance) -> tuple[Counts, ...]:
    """Choose rows for the value, the interval, the floor, the test and the subsets, [draw, row] each."""
    seed = chance.seed
    n_drawn, n_floor = min(chance.replicates, MOST_REPLICATES), min(chance.splits, MOST_SPLITS)
    nothing = np.zeros((n_floor, sizes[1]), dtype=np.int16)
    parts = np.stack([split_counts(sizes[0], n_each, seed, split) for split in range(n_floor)])
    return (
        itself(*sizes)[np.newaxis],
        np.stack([half_sample(*sizes, seed, number) for number in range(n_drawn)]),
        np.hstack([parts, nothing]),
        np.stack(
            [dealt_counts(*sizes, seed, number) for number in range(min(chance.permutations, MOST_DEALS))]
        ),
        np.stack([subset(*sizes, subset_size, seed, number) for number in range(N_SUBSETS)]),
    )


def _kernel_definition(n_features: int, subset_size: int) -> str:
    """Say what the kernel distance is and how it was resampled."""
    return (
        f"Squared maximum mean discrepancy with the kernel (x.y / {n_features} + 1)^3, unbiased, over all pairs (Bińkowski "
        "et al. 2018). Interval from random halves of both sets, floor the mean size (without sign) between parts of the "
        f"reference, p by dealing anew; subsets of {subset_size} a side."
    )
