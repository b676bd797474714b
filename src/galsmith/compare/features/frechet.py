"""Fréchet distance between the Gaussians of two sets of features, exact in float64, with interval and floor."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpstrf

from galsmith.compare.estimates import distance_statistic
from galsmith.compare.intervals import student_ends
from galsmith.compare.records import Statistic
from galsmith.compare.resampling import Chance, Counts, half_sample, itself, size_of_parts, split_counts
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress

Features = NDArray[np.floating]
Floats = NDArray[np.float64]

ROWS_AT_ONCE = 4096
# One distance of 2048 features takes seconds, so that draws are few and no test by deals is made.
MOST_REPLICATES, MOST_SPLITS = 20, 10
# What a few galaxies among many features show; less is noise.
LEAST_SLOPE = 0.2


def frechet_distance(first: Features, second: Features) -> float:
    """Fréchet distance, squared as everywhere: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).

    Dowson & Landau (1982); of Inception's features it is the FID (Heusel et al. 2017). Covariances are taken
    with n - 1. No matrix square root of a product is taken: see `distance_of_gaussians`.

    Parameters
    ----------
    first, second : ndarray [galaxy, feature], float
        Finite; at least 2 rows each.

    Raises
    ------
    InputError
        If the numbers of features differ, or a set has fewer than 2 rows.
    """
    refuse_other_shapes(first, second)
    return distance_of_gaussians(gaussian_of(first), gaussian_of(second))


def refuse_other_shapes(first: Features, second: Features) -> None:
    """Raise `InputError` for sets of features that are no tables with the same columns and 2 rows or more."""
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise InputError(
            f"features have shapes {first.shape} and {second.shape}; wanted two tables with the same columns"
        )
    if min(len(first), len(second)) < 2:
        raise InputError(
            f"sets of features have {len(first)} and {len(second)} rows; wanted 2 or more of each"
        )


@dataclass(frozen=True)
class Gaussian:
    """Mean and covariance of a set, as what is smaller: the covariance, or rows whose product it is.

    Attributes
    ----------
    mean : ndarray [feature], float64
        Of the set.
    trace : float
        Of the covariance.
    rows : ndarray [galaxy, feature], float64, or None
        Centered and divided by sqrt(n - 1), so that ``rows.T @ rows`` is the covariance; where n <= d.
    covariance : ndarray [feature, feature], float64, or None
        Where n > d.
    """

    mean: Floats
    trace: float
    rows: Floats | None
    covariance: Floats | None


def gaussian_of(features: Features) -> Gaussian:
    """Fit a Gaussian.

    Parameters
    ----------
    features : ndarray [galaxy, feature], float
        Finite; summed in float64, in blocks, so that float32 features are never copied whole.

    Raises
    ------
    InputError
        If there are fewer than 2 rows.
    """
    count, n_features = features.shape
    if count < 2:
        raise InputError(f"a set of features has {count} rows; a covariance wants 2 or more")
    mean = features.mean(axis=0, dtype=np.float64)
    if count <= n_features:
        rows = (features.astype(np.float64) - mean) / np.sqrt(count - 1)
        return Gaussian(mean, float(np.einsum("nd,nd->", rows, rows)), rows, None)
    covariance = np.zeros((n_features, n_features))
    for start in range(0, count, ROWS_AT_ONCE):
        centered = features[start : start + ROWS_AT_ONCE].astype(np.float64) - mean
        covariance += centered.T @ centered
    covariance /= count - 1  # The unbiased covariance, as numpy.cov has it.
    return Gaussian(mean, float(np.trace(covariance)), None, covariance)


def distance_of_gaussians(first: Gaussian, second: Gaussian) -> float:
    """Fréchet distance of two Gaussians.

    The trace of (S1 S2)^(1/2) is the sum of the singular values of R1 R2^T for any R1, R2 with R^T R = S. Sets with
    no more rows than features give R at once; else the eigenvalues of R1 S2 R1^T are taken, with R1 a Cholesky
    factor of S1, and those that rounding made negative are set to 0.
    """
    difference = first.mean - second.mean
    if first.rows is not None and second.rows is not None:
        # tr (S1 S2)^(1/2) is the nuclear norm of R1 R2^T: a matrix of n x m in place of d x d.
        overlap = float(np.linalg.svd(first.rows @ second.rows.T, compute_uv=False).sum())
    elif second.rows is not None:
        overlap = _overlap(second.rows, first)
    else:
        overlap = _overlap(_root(first), second)
    distance = float(difference @ difference) + first.trace + second.trace - 2 * overlap
    return max(distance, 0.0)


def _overlap(root: Floats, other: Gaussian) -> float:
    """Trace of the root of the product of two covariances, from a root of one and the other itself."""
    # R1 S2 R1^T has the eigenvalues of S1 S2, and is symmetric.
    eigenvalues = np.linalg.eigvalsh(root @ _covariance(other) @ root.T)
    return float(np.sqrt(np.clip(eigenvalues, 0.0, None)).sum())


def _root(gaussian: Gaussian) -> Floats:
    """Give R with R^T R = S: the rows, or the pivoted Cholesky factor."""
    if gaussian.rows is not None:
        return gaussian.rows
    # Pivoting takes features that are constant or repeat others in its stride, and costs a tenth of an eigenbasis.
    factor, pivots, rank, _ = dpstrf(_covariance(gaussian))
    root = np.zeros((rank, len(pivots)))
    root[:, pivots - 1] = np.triu(factor)[:rank]
    return root


def _covariance(gaussian: Gaussian) -> Floats:
    """Covariance, made of the rows where it was not kept."""
    if gaussian.covariance is not None:
        return gaussian.covariance
    rows = gaussian.rows if gaussian.rows is not None else np.empty((0, len(gaussian.mean)))
    covariance: Floats = rows.T @ rows
    return covariance


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
        drawn=drawn,
        floor=floor.distances,
        dealt=np.empty(0),
        confidence=chance.confidence,
        name=label,
        definition=_definition(first.shape[1], replicates, splits, floor.slope),
        sizes=pooled.sizes,
        ends=student_ends(value - bias, drawn, chance.confidence),
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
    octaves = np.log2(n_wanted / n_each)  # How many doublings lie between the parts and the two sets.
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
