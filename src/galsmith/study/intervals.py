"""Differences of losses on the same images with the same seeds, and their intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.seeds import random_stream

Floats = NDArray[np.float64]
HELPS, HURTS, NOT_TOLD = "helps", "hurts", "not told apart"
REPLICATES = 4000


@dataclass(frozen=True)
class PairedDifference:
    """How a mix differs from real images alone.

    Attributes
    ----------
    difference : float
        Mean loss less that of real images; negative is better.
    interval : tuple of float
        Of it, at 95 %.
    family_interval : tuple of float
        At a level at which all comparisons of a table hold together in 95 % of studies (Bonferroni).
    """

    difference: float
    interval: tuple[float, float]
    family_interval: tuple[float, float]

    @property
    def verdict(self) -> str:
        """Helps or hurts where the whole family interval lies on one side of 0."""
        low, high = self.family_interval
        return HELPS if high < 0 else HURTS if low > 0 else NOT_TOLD


def paired_difference(
    losses: Floats, reference: Floats, *, seed: int, comparisons: int = 1, confidence: float = 0.95
) -> PairedDifference:
    """Bootstrap over seeds and over test images, both at once.

    Seeds and images are drawn anew, each with replacement, and every pair of a drawn seed and a drawn image counts (the
    pigeonhole bootstrap, Owen 2007, sec. 4): conservative, as it counts the scatter of single fits twice.

    Parameters
    ----------
    losses, reference : ndarray [seed, image], float64
        Of a mix, and of real images alone; the same seeds and images in the same order.
    seed : int
        Of the bootstrap.
    comparisons : int
        How many differences a table has.
    confidence : float
        Of the plain interval, and of all family intervals together.

    Returns
    -------
    PairedDifference

    Raises
    ------
    ValueError
        If shapes differ.
    """
    if losses.shape != reference.shape:
        raise ValueError(
            f"losses has shape {losses.shape}, reference {reference.shape}; wanted the same seeds and images"
        )
    differences = np.asarray(losses - reference, dtype=np.float64)
    n_seeds, n_images = differences.shape
    rng = random_stream(seed, "study.bootstrap")
    of_seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), REPLICATES) / n_seeds
    of_images = rng.multinomial(n_images, np.full(n_images, 1 / n_images), REPLICATES) / n_images
    means = ((of_seeds @ differences) * of_images).sum(axis=1)
    return PairedDifference(
        float(differences.mean()),
        _percentiles(means, confidence),
        _percentiles(means, 1 - (1 - confidence) / comparisons),
    )


def _percentiles(means: Floats, confidence: float) -> tuple[float, float]:
    """Give the ends of a percentile interval."""
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
