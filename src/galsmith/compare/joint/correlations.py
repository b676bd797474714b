"""How the correlations between columns differ: Spearman's matrices of two sets, and their largest differences."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from galsmith.compare.complete_rows import choose_rows
from galsmith.compare.correction import dealt_tests
from galsmith.compare.estimates import distance_statistic, missing_statistic
from galsmith.compare.intervals import Law, inverted, norm_law
from galsmith.compare.records import CorrelationPair, JointFinding
from galsmith.compare.resampling import (
    Chance,
    Deal,
    GalaxyGroups,
    rows_of_sides,
)
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress, one_thread
from galsmith.seeds import derive_seed

Floats = NDArray[np.float64]
Ranks = NDArray[np.int32]

SYMBOL = "correlation difference"
MOST_ROWS = 20_000
DIRECTED_LENGTH = 3.0  # In lengths of noise alone: a third of the direction is then noise.
DEFINITION = (
    "Root mean square difference of Spearman's correlations over all pairs of columns; the test deals ranks within "
    f"each set, so that different single columns do not enter; of {MOST_ROWS:,} random images a side at most."
)


def correlation_difference(
    reference: Floats,
    generated: Floats,
    columns: Sequence[str],
    groups: GalaxyGroups | None = None,
    *,
    chance: Chance,
    progress: ProgressCallback = ignore_progress,
) -> JointFinding:
    """How far apart Spearman's correlations of two sets are, together and pair by pair.

    Pairs are tested by the same deals of ranks as the whole, two-sided, and corrected by their joint law
    (`galsmith.compare.correction.dealt_tests`).

    Parameters
    ----------
    reference, generated : ndarray [galaxy, column], float64
        Finite numbers.
    columns : sequence of str
        Their names.
    groups : GalaxyGroups, optional
        Which rows are of one galaxy; each is where left out.
    chance : Chance
        Seed, draws, confidence.
    progress : callable
        Told of the draws.

    Returns
    -------
    JointFinding
        NaN where there are no two columns that vary; with all pairs, the largest difference first.
    """
    seed = derive_seed(chance.seed, "compare.correlation")
    rows = tuple(
        choose_rows(len(values), MOST_ROWS, seed=seed, purpose=f"compare.correlation.{side}")
        for side, values in (("reference", reference), ("generated", generated))
    )
    sides = [dense_ranks(reference[rows[0]]), dense_ranks(generated[rows[1]])]
    galaxies = (groups or GalaxyGroups.of_sizes(len(reference), len(generated))).of_rows(*rows)
    sizes = len(sides[0]), len(sides[1])
    measured = [_upper(spearman(side)) for side in sides]
    difference = measured[1] - measured[0]
    usable = np.isfinite(difference)
    if not usable.any():
        return JointFinding(missing_statistic(SYMBOL, DEFINITION, sizes))
    with one_thread():  # thousands of products of a few columns
        drawn = np.stack([*_drawn(sides, galaxies.draw(), seed, chance.replicates, progress)])
        dealt = np.stack([*_dealt(sides, galaxies.deal(), seed, chance.permutations, progress)])
        # correlations scatter as 1 / sqrt(n)
        floor = _floors(sides[0], galaxies.split(), seed, chance.splits) * np.sqrt(galaxies.floor_scale)
    law = _law(difference[usable], (drawn[:, 1] - drawn[:, 0])[:, usable])
    statistic = distance_statistic(
        _rms(difference),
        drawn=np.array([_rms(second - first) for first, second in drawn]),
        floor=floor,
        dealt=np.array([_rms(one) for one in dealt]),
        confidence=chance.confidence,
        name=SYMBOL,
        definition=DEFINITION,
        sizes=sizes,
        ends=inverted(_rms(difference), law, chance.confidence),
    )
    return JointFinding(statistic, _tested_pairs(measured, dealt, columns))


def dense_ranks(values: Floats) -> Ranks:
    """Position of each value among the different values of its column, from 0; equal values share one."""
    ranked = [np.unique(column, return_inverse=True)[1] for column in values.T]
    return np.stack(ranked, axis=1).astype(np.int32)


def spearman(ranks: Ranks, weights: NDArray[np.int64] | None = None) -> Floats:
    """Spearman's correlations of rows that may come several times, with mean ranks for equal values.

    Parameters
    ----------
    ranks : ndarray [row, column], int32
        As from `dense_ranks`; gaps do not matter.
    weights : ndarray [row], int64, optional
        How often each row comes; once where left out.

    Returns
    -------
    ndarray [column, column], float64
        NaN where a column does not vary.
    """
    middle = np.empty(ranks.shape[::-1])
    for place, column in enumerate(ranks.T):
        together = np.bincount(column, weights)
        # Mean rank of equal values: half of them lie below, half above.
        middle[place] = (np.cumsum(together) - 0.5 * together)[column]
    middle -= 0.5 * (len(ranks) if weights is None else weights.sum())
    products = (middle if weights is None else middle * weights) @ middle.T
    # Pearson's correlation of mean ranks, which is Spearman's with ties.
    sigma = np.sqrt(np.diagonal(products))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(products / np.outer(sigma, sigma), -1.0, 1.0)


def _upper(matrix: Floats) -> Floats:
    """Entries above the diagonal, row by row."""
    return matrix[np.triu_indices(len(matrix), 1)]


def _rms(difference: Floats) -> float:
    """Root mean square of what is finite."""
    kept = difference[np.isfinite(difference)]
    return float(np.sqrt(np.mean(kept**2))) if kept.size else float("nan")


def _law(difference: Floats, drawn: Floats) -> Law:
    """Make the law of the root mean square difference, which is a length, from differences [pair] and [draw, pair]."""
    noise = np.nan_to_num(drawn - difference)
    squares = (noise**2).sum(axis=1)
    length = float(np.linalg.norm(difference))
    direction = difference / length if length > 0 else difference
    if length < DIRECTED_LENGTH * np.sqrt(squares.mean()):
        # Too short to have a direction of its own: that in which it scatters most is the least favorable one.
        direction = np.linalg.svd(noise, full_matrices=False)[2][0]
    return norm_law(noise @ direction / np.sqrt(len(difference)), squares / len(difference))


def _drawn(
    sides: Sequence[Ranks], draw: Deal, seed: int, replicates: int, progress: ProgressCallback
) -> Iterator[tuple[Floats, Floats]]:
    """Correlations of both sets drawn anew."""
    n_first = len(sides[0])
    for number in range(replicates):
        first, second = rows_of_sides(draw(seed, number))
        yield _upper(spearman(sides[0][first])), _upper(spearman(sides[1][second - n_first]))
        if (number + 1) % 50 == 0 or number + 1 == replicates:
            progress(ProgressEvent("correlations, bootstrap", number + 1, replicates, "replicates"))


def _dealt(
    sides: Sequence[Ranks], deal: Deal, seed: int, permutations: int, progress: ProgressCallback
) -> Iterator[Floats]:
    """Differences [pair] after dealing the galaxies anew, each with its ranks within its own set."""
    # Ranks within each set first: deals then mix equal margins, and what differs is how columns go together.
    pooled = dense_ranks(np.concatenate([_shares(side) for side in sides]))
    for number in range(permutations):
        rows = rows_of_sides(deal(seed, number))
        first, second = (_upper(spearman(pooled[side])) for side in rows)
        yield second - first
        if (number + 1) % 50 == 0 or number + 1 == permutations:
            progress(ProgressEvent("correlations, permutations", number + 1, permutations, "permutations"))


def _shares(ranks: Ranks) -> Floats:
    """Mean ranks in units of the number of rows."""
    return stats.rankdata(ranks, axis=0) / len(ranks)


def _floors(reference: Ranks, split: Deal, seed: int, splits: int) -> Floats:
    """Differences between two parts of the reference set."""
    rows = (rows_of_sides(split(seed, number)) for number in range(splits))
    parts = ([_upper(spearman(reference[side])) for side in sides] for sides in rows)
    return np.array([_rms(second - first) for first, second in parts])


def _tested_pairs(
    measured: Sequence[Floats], dealt: Floats, columns: Sequence[str]
) -> tuple[CorrelationPair, ...]:
    """Test all pairs; the largest difference first."""
    difference = measured[1] - measured[0]
    tests = dealt_tests(np.abs(difference), np.abs(dealt))
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
            p_value=float(tests.p_values[place]),
            p_family=float(tests.corrected[place]),
        )
        for place in order
        if np.isfinite(difference[place])
    )
