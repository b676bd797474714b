"""How the correlations between columns differ: Spearman's matrices of two sets, and their largest differences."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from galsmith.compare.complete_rows import choose_rows
from galsmith.compare.estimates import distance_statistic, holm, missing_statistic
from galsmith.compare.records import CorrelationPair, JointFinding
from galsmith.compare.resampling import (
    Chance,
    dealt_counts,
    drawn_counts,
    rows_of_sides,
    size_of_parts,
    split_counts,
)
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.seeds import derive_seed

Floats = NDArray[np.float64]
Ranks = NDArray[np.int32]

SYMBOL = "correlation difference"
MOST_ROWS = 20_000
LARGEST_PAIRS = 20
# Beyond this Fisher's z is no longer finite for correlations of 1.
STRONGEST = 1 - 1e-6
DEFINITION = (
    "Root mean square difference of Spearman's correlations over all pairs of columns; the test deals ranks within "
    f"each set, so that different single columns do not enter; of {MOST_ROWS:,} random galaxies a side at most."
)


def correlation_difference(
    reference: Floats,
    generated: Floats,
    columns: Sequence[str],
    *,
    chance: Chance,
    progress: ProgressCallback = ignore_progress,
) -> JointFinding:
    """How far apart Spearman's correlations of two sets are, together and pair by pair.

    A pair is tested by the difference of Fisher's z over its standard deviation in the bootstrap, which
    holds for any shape of the columns, against Student's t with one degree of freedom less than draws.

    Parameters
    ----------
    reference, generated : ndarray [galaxy, column], float64
        Finite numbers.
    columns : sequence of str
        Their names.
    chance : Chance
        Seed, draws, confidence.
    progress : callable
        Told of the draws.

    Returns
    -------
    JointFinding
        NaN where there are no two columns that vary; with the `LARGEST_PAIRS` largest differences of pairs, the
        largest first.
    """
    seed = derive_seed(chance.seed, "compare.correlation")
    sides = [
        dense_ranks(
            values[choose_rows(len(values), MOST_ROWS, seed=seed, purpose=f"compare.correlation.{side}")]
        )
        for side, values in (("reference", reference), ("generated", generated))
    ]
    sizes = len(sides[0]), len(sides[1])
    measured = [_upper(spearman(side)) for side in sides]
    difference = measured[1] - measured[0]
    usable = np.isfinite(difference)
    if not usable.any():
        return JointFinding(missing_statistic(SYMBOL, DEFINITION, sizes))
    drawn = np.stack([*_drawn(sides, seed, chance.replicates, progress)])
    statistic = distance_statistic(
        _rms(difference),
        drawn=np.array([_rms(second - first) for first, second in drawn]),
        floor=_floors(sides[0], size_of_parts(*sizes), seed, chance.splits) * _scale(*sizes),
        dealt=np.array([*_dealt(sides, seed, chance.permutations, progress)]),
        confidence=chance.confidence,
        name=SYMBOL,
        definition=DEFINITION,
        sizes=sizes,
    )
    return JointFinding(statistic, _largest_pairs(measured, drawn, columns))


def dense_ranks(values: Floats) -> Ranks:
    """Position of each value among the different values of its column, from 0; equal values share one."""
    ranked = [np.unique(column, return_inverse=True)[1] for column in values.T]
    return np.stack(ranked, axis=1).astype(np.int32)


def spearman(ranks: Ranks) -> Floats:
    """Spearman's correlations of rows that may come several times, with mean ranks for equal values.

    Parameters
    ----------
    ranks : ndarray [row, column], int32
        As from `dense_ranks`; gaps do not matter.

    Returns
    -------
    ndarray [column, column], float64
        NaN where a column does not vary.
    """
    middle = np.empty(ranks.shape[::-1])
    for place, column in enumerate(ranks.T):
        together = np.bincount(column)
        # Mean rank of equal values: half of them lie below, half above.
        middle[place] = (np.cumsum(together) - 0.5 * together)[column]
    middle -= 0.5 * len(ranks)
    products = middle @ middle.T
    # Pearson's correlation of mean ranks, which is Spearman's with ties.
    sigma = np.sqrt(np.diagonal(products))
    with np.errstate(invalid="ignore"):
        return np.clip(products / np.outer(sigma, sigma), -1.0, 1.0)


def _upper(matrix: Floats) -> Floats:
    """Entries above the diagonal, row by row."""
    return matrix[np.triu_indices(len(matrix), 1)]


def _rms(difference: Floats) -> float:
    """Root mean square of what is finite."""
    kept = difference[np.isfinite(difference)]
    return float(np.sqrt(np.mean(kept**2))) if kept.size else float("nan")


def _drawn(
    sides: Sequence[Ranks], seed: int, replicates: int, progress: ProgressCallback
) -> Iterator[tuple[Floats, Floats]]:
    """Correlations of both sets drawn anew."""
    sizes = len(sides[0]), len(sides[1])
    for number in range(replicates):
        first, second = rows_of_sides(drawn_counts(*sizes, seed, number))
        yield _upper(spearman(sides[0][first])), _upper(spearman(sides[1][second - sizes[0]]))
        if (number + 1) % 50 == 0 or number + 1 == replicates:
            progress(ProgressEvent("correlations, bootstrap", number + 1, replicates, "replicates"))


def _dealt(
    sides: Sequence[Ranks], seed: int, permutations: int, progress: ProgressCallback
) -> Iterator[float]:
    """Differences after dealing the galaxies anew, each with its ranks within its own set."""
    sizes = len(sides[0]), len(sides[1])
    # Ranks within each set first: deals then mix equal margins, and what differs is how columns go together.
    pooled = dense_ranks(np.concatenate([_shares(side) for side in sides]))
    for number in range(permutations):
        rows = rows_of_sides(dealt_counts(*sizes, seed, number))
        first, second = (_upper(spearman(pooled[side])) for side in rows)
        yield _rms(second - first)
        if (number + 1) % 50 == 0 or number + 1 == permutations:
            progress(ProgressEvent("correlations, permutations", number + 1, permutations, "permutations"))


def _shares(ranks: Ranks) -> Floats:
    """Mean ranks in units of the number of rows."""
    return stats.rankdata(ranks, axis=0) / len(ranks)


def _floors(reference: Ranks, n_each: int, seed: int, splits: int) -> Floats:
    """Differences between two parts of the reference set."""
    rows = (rows_of_sides(split_counts(len(reference), n_each, seed, number)) for number in range(splits))
    parts = ([_upper(spearman(reference[side])) for side in sides] for sides in rows)
    return np.array([_rms(second - first) for first, second in parts])


def _scale(n_reference: int, n_generated: int) -> float:
    """Bring the floor to the comparison's size: correlations scatter as 1 / sqrt(n)."""
    # A difference goes as sqrt(1/n + 1/m), which is sqrt(2 / n_each) between the parts.
    n_each = size_of_parts(n_reference, n_generated)
    return float(np.sqrt((1 / n_reference + 1 / n_generated) * n_each / 2))


def _largest_pairs(
    measured: Sequence[Floats], drawn: Floats, columns: Sequence[str]
) -> tuple[CorrelationPair, ...]:
    """Test all pairs and keep those that differ most."""
    difference = measured[1] - measured[0]
    p_holm = holm(_pair_p(measured, drawn))
    first, second = np.triu_indices(len(columns), 1)
    # NaN sorts last: pairs with a column that does not vary.
    order = np.argsort(-np.abs(difference), kind="stable")
    return tuple(
        CorrelationPair(
            first=columns[first[place]],
            second=columns[second[place]],
            reference=float(measured[0][place]),
            generated=float(measured[1][place]),
            difference=float(difference[place]),
            p_holm=float(p_holm[place]),
        )
        for place in order[:LARGEST_PAIRS]
        if np.isfinite(difference[place])
    )


def _pair_p(measured: Sequence[Floats], drawn: Floats) -> Floats:
    """Two-sided p value of each pair; 1 where the two are equal, NaN where there is no correlation."""
    z_value = _fisher_z(measured[1]) - _fisher_z(measured[0])
    z_drawn = _fisher_z(drawn[:, 1]) - _fisher_z(drawn[:, 0])
    usable = np.isfinite(z_value)
    p_values = np.full(z_value.shape, np.nan)
    # Fisher's 1 / sqrt(n - 3) holds for Gaussian columns only; the bootstrap's spread for any.
    sigma = np.nanstd(z_drawn[:, usable], axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        t_value = np.abs(z_value[usable]) / sigma
    p_values[usable] = np.where(
        # The spread is itself of a finite number of draws: Student's t, not the normal.
        z_value[usable] == 0,
        1.0,
        2 * stats.t.sf(np.nan_to_num(t_value, nan=0.0), df=len(drawn) - 1),
    )
    return p_values


def _fisher_z(correlation: Floats) -> Floats:
    """Inverse hyperbolic tangent, whose scatter hardly depends on the correlation (Fisher 1921)."""
    return np.arctanh(np.clip(correlation, -STRONGEST, STRONGEST))
