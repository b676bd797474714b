"""Fréchet distance of two sets of features with its interval and floor."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.evidence import Statistic
from galsmith.compare.features.draws import half_sample, itself
from galsmith.compare.features.frechet import distance_of_gaussians, gaussian_of
from galsmith.compare.features.kernel import Counts
from galsmith.compare.marginal.distances import Chance
from galsmith.compare.marginal.resampling import size_of_parts, split_counts
from galsmith.compare.statistic import distance_statistic
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress

Features = NDArray[np.float32]
Floats = NDArray[np.float64]

# One distance of 2048 features takes seconds, so that draws are few and no test by deals is made.
MOST_REPLICATES, MOST_SPLITS = 20, 10
# What a few galaxies among many features show; less is noise.
LEAST_SLOPE = 0.2


def frechet_statistic(
    first: Features,
    second: Features,
    *,
    chance: Chance,
    label: str,
    progress: ProgressCallback = ignore_progress,
) -> Statistic:
    """Fréchet distance with half-samples for its interval and parts of the reference for its floor.

    Parameters
    ----------
    first, second : ndarray [galaxy, feature], float32
        The reference and the generated set; finite.
    chance : Chance
        Seed, draws and confidence; at most `MOST_REPLICATES` and `MOST_SPLITS` draws, and no test by deals.
    label : str
        What the distance is called.
    progress : callable
        Told after each draw.
    """
    replicates = min(chance.replicates, MOST_REPLICATES)
    splits = min(chance.splits, MOST_SPLITS)
    pooled = _Pooled(first, second)
    value = pooled.frechet(itself(*pooled.sizes))
    drawn = np.empty(replicates)
    for number in range(replicates):
        drawn[number] = pooled.frechet(half_sample(*pooled.sizes, chance.seed, number))
        progress(ProgressEvent(f"{label} of half-samples", number + 1, replicates, "draws"))
    floor = _floor(pooled, splits, chance.seed, label, progress)
    # Halves are farther apart by bias(n/2) - bias(n) = (2^slope - 1) bias(n); what is subtracted below is bias(n).
    bias = (drawn.mean() - value) / (2.0**floor.slope - 1.0)
    statistic = distance_statistic(
        value,
        drawn=drawn - drawn.mean() + value + bias,
        floor=floor.distances,
        dealt=np.empty(0),
        confidence=chance.confidence,
        name=label,
        definition=_definition(first.shape[1], replicates, splits, floor.slope),
        sizes=pooled.sizes,
    )
    return replace(statistic, p_value=float("nan"))


def _definition(n_features: int, replicates: int, splits: int, slope: float) -> str:
    """Say what the Fréchet distance is and how it was resampled."""
    return (
        f"Fréchet distance |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of {n_features} features (Heusel et al. 2017). "
        f"Interval from {replicates} random halves of both sets, which also tell the bias (as Chong & Forsyth 2020), "
        f"taken to go as n^-{slope:.2f}; floor from {splits} splits of the reference, brought to the sets' sizes by the "
        "same law. No test."
    )


@dataclass(frozen=True)
class _Pooled:
    """Rows of both sets, the reference's first."""

    first: Features
    second: Features

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows of each set."""
        return len(self.first), len(self.second)

    def frechet(self, counts: Counts) -> float:
        """Fréchet distance between the rows with 1 and those with -1; NaN where either has fewer than 2."""
        positive, negative = self._rows(counts > 0), self._rows(counts < 0)
        if min(len(positive), len(negative)) < 2:
            return float("nan")
        return distance_of_gaussians(gaussian_of(positive), gaussian_of(negative))

    def _rows(self, mask: NDArray[np.bool_]) -> Features:
        """Chosen rows."""
        n_first = len(self.first)
        if not mask[n_first:].any():
            return self.first[mask[:n_first]]
        if not mask[:n_first].any():
            return self.second[mask[n_first:]]
        return np.concatenate([self.first[mask[:n_first]], self.second[mask[n_first:]]])


@dataclass(frozen=True)
class _Floor:
    """Distances between parts of the reference, and how the distance of equal sets falls as they grow.

    Attributes
    ----------
    distances : ndarray [split], float64
        Brought to the sizes of the two sets.
    slope : float
        Of the distance as n^-slope, from half the size of the two sets to their size.
    """

    distances: Floats
    slope: float


def _floor(pooled: _Pooled, splits: int, seed: int, label: str, progress: ProgressCallback) -> _Floor:
    """Fréchet distances between parts of the reference.

    Where nothing differs the distance goes as 1/n once half a set has more galaxies than there are features, and
    slower below: there the slope is taken from parts of a half and a quarter the size, and so is how it grows.
    """
    n_reference, n_generated = pooled.sizes
    n_each = size_of_parts(n_reference, n_generated)
    n_wanted = 2 / (1 / n_reference + 1 / n_generated)
    pieces = (1, 2, 4) if n_wanted <= 2 * pooled.first.shape[1] else (1,)
    distances = np.empty((splits, len(pieces)))
    for split in range(splits):
        counts = split_counts(n_reference, n_each, seed, split)
        distances[split] = [_mean_of_parts(pooled, counts, number) for number in pieces]
        progress(ProgressEvent(f"{label} of the floor", split + 1, splits, "splits"))
    octaves = np.log2(n_wanted / n_each)
    # Slopes are those of the octave whose middle lies so far above that of the two largest parts.
    to_wanted, to_half = _slopes(distances.mean(axis=0), (0.5 + octaves / 2, octaves))
    return _Floor(distances[:, 0] * 2.0 ** (-octaves * to_wanted), to_half)


def _slopes(by_size: Floats, octaves_above: tuple[float, float]) -> tuple[float, float]:
    """Slopes of the distance against size, continued linearly from those of parts; 1 where there are none."""
    if len(by_size) == 1 or by_size.min() <= 0:
        return 1.0, 1.0
    whole, half, quarter = by_size
    slope, change = np.log2(half / whole), np.log2(half / whole) - np.log2(quarter / half)
    first, second = (float(np.clip(slope + change * above, LEAST_SLOPE, 1.0)) for above in octaves_above)
    return first, second


def _mean_of_parts(pooled: _Pooled, counts: Counts, pieces: int) -> float:
    """Mean distance when each of the two parts is cut into so many pieces, which are compared in pairs."""
    positive, negative = np.flatnonzero(counts > 0), np.flatnonzero(counts < 0)
    size = len(positive) // pieces
    distances = []
    for piece in range(pieces):
        chosen = np.zeros(sum(pooled.sizes), dtype=np.int16)
        chosen[positive[piece * size : (piece + 1) * size]] = 1
        chosen[negative[piece * size : (piece + 1) * size]] = -1
        distances.append(pooled.frechet(chosen))
    return float(np.mean(distances))
