"""Fréchet distance of two sets of features with its interval and floor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.distances import Chance
from galsmith.compare.evidence import Statistic
from galsmith.compare.feature_draws import half_sample, itself
from galsmith.compare.frechet import distance_of_gaussians, gaussian_of
from galsmith.compare.kernel import Counts
from galsmith.compare.resampling import size_of_parts, split_counts
from galsmith.compare.statistic import distance_statistic
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress

Features = NDArray[np.float32]
Floats = NDArray[np.float64]

# One distance of 2048 features takes seconds, so that draws are few and no test by deals is made.
MOST_REPLICATES, MOST_SPLITS = 24, 12


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
    floor = _frechet_floor(pooled, splits, chance.seed, label, progress)
    return distance_statistic(
        value,
        drawn=drawn,
        floor=floor,
        dealt=np.full(1, np.nan),
        confidence=chance.confidence,
        name=label,
        definition=_frechet_definition(first.shape[1], replicates, splits),
        sizes=pooled.sizes,
    )


def _frechet_definition(n_features: int, replicates: int, splits: int) -> str:
    """Say what the Fréchet distance is and how it was resampled."""
    return (
        f"Fréchet distance |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)) of {n_features} features (Heusel et al. 2017). "
        f"Interval from {replicates} random halves of both sets, which also tell the bias, 1/n to first order (Chong & "
        f"Forsyth 2020); floor from {splits} splits of the reference, brought to the sets' sizes by its own growth as "
        "sets shrink."
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


def _frechet_floor(pooled: _Pooled, splits: int, seed: int, label: str, progress: ProgressCallback) -> Floats:
    """Fréchet distances between parts of the reference, brought to the sizes of the two sets.

    Where nothing differs the distance goes as 1/n once a part has more galaxies than there are features, and slower
    below: there the slope is taken from parts of a half and a quarter the size, and how it grows.
    """
    n_reference, n_generated = pooled.sizes
    n_each = size_of_parts(n_reference, n_generated)
    distances = np.empty((splits, 3))
    by_slope = n_each <= pooled.first.shape[1]
    for split in range(splits):
        counts = split_counts(n_reference, n_each, seed, split)
        distances[split] = [
            _mean_of_parts(pooled, counts, pieces) if by_slope or pieces == 1 else np.nan
            for pieces in (1, 2, 4)
        ]
        progress(ProgressEvent(f"{label} of the floor", split + 1, splits, "splits"))
    growth = np.log2((1 / n_reference + 1 / n_generated) * n_each / 2)
    slope = 1.0
    if by_slope:
        whole, half, quarter = distances.mean(axis=0)
        steep, steeper = np.log2(quarter / half), np.log2(half / whole)
        slope = float(np.clip(2 * steeper - steep, 0.0, 1.0))
    return distances[:, 0] * 2.0 ** (growth * slope)


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
