"""The cheap core of a card, tested on thousands of draws at once: single properties, means, and correlations of two."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from galsmith.compare.complete_rows import choose_rows
from galsmith.compare.correction import dealt_tests
from galsmith.compare.estimates import mean_weights
from galsmith.compare.joint.correlations import dense_ranks, spearman
from galsmith.compare.marginal.columns import ColumnPair
from galsmith.compare.marginal.wasserstein import joint_replicates
from galsmith.compare.resampling import Counts, dealt_sets
from galsmith.execution import one_thread

Floats = NDArray[np.float64]
Numbers = dict[str, dict[str, Floats]]
"""Of each of `CORE_FAMILIES`, each number [draw] by its name."""
Limits = dict[str, dict[str, float]]
"""From where on each number of a card is told, at the level that one family of a card may spend."""

MARGINAL, OUTSIDE, MEANS, PAIRS = "marginal", "outside", "means", "pairs"
CORE_FAMILIES = (MARGINAL, OUTSIDE, MEANS, PAIRS)
# Rows of the population that cards are drawn from; more would cost time and say the same.
MOST_ROWS = 2000
# Cards in which nothing differs, from which limits come: the level of a family, 1/320, is then that of the second largest.
NULL_CARDS = 400


def core_distances(pairs: Sequence[ColumnPair], counts: Counts) -> Numbers:
    """Distances of single properties and their means, family by family, for each draw.

    Parameters
    ----------
    pairs : sequence of ColumnPair
        Properties of the two populations; those with a reason are left out.
    counts : ndarray [draw, row], int16
        As from `drawn_sets`.

    Returns
    -------
    dict of str to dict of str to ndarray [draw], float64
    """
    # A property that cannot be compared in a card is no part of one.
    usable = [pair for pair in pairs if not pair.reason]
    distances = joint_replicates([pair.pooled() for pair in usable], counts)[0]
    found: Numbers = {MARGINAL: {}, OUTSIDE: {}, MEANS: {}}
    for place, pair in enumerate(usable):
        found[MARGINAL if pair.in_means else OUTSIDE][pair.name] = distances[:, place]
    counted = [place for place, pair in enumerate(usable) if pair.in_means]
    if counted:
        weights = mean_weights([usable[place].declared.group for place in counted])
        # A mean is a weighting of single distances, draw by draw, so that it scatters as they do together.
        found[MEANS] = {name: distances[:, counted] @ weight for name, weight in weights.items()}
    return found


def correlation_differences(pairs: Sequence[ColumnPair], counts: Counts) -> dict[str, Floats]:
    """Absolute differences of the correlations of two columns, of galaxies of which all were measured.

    Parameters
    ----------
    pairs, counts
        As for `core_distances`; of the properties those of the means count.

    Returns
    -------
    dict of str to ndarray [draw], float64
    """
    counted = [pair for pair in pairs if pair.in_means and not pair.reason]
    columns = {pair.column: pair for pair in counted if pair.name == pair.column}
    names = list(columns)
    if len(names) < 2:
        return {}
    sides = [
        np.stack([getattr(columns[name], side) for name in names], axis=1)
        for side in ("reference", "generated")
    ]
    whole = [np.isfinite(side).all(axis=1) for side in sides]
    ranks = [dense_ranks(side[rows]) for side, rows in zip(sides, whole, strict=True)]
    n_first = len(sides[0])
    first, second = np.triu_indices(len(names), 1)
    found = np.empty((len(counts), len(first)))
    with one_thread():  # thousands of products of a few columns
        for number, drawn in enumerate(counts):
            one = spearman(ranks[0], drawn[:n_first][whole[0]].astype(np.int64))
            other = spearman(ranks[1], -drawn[n_first:][whole[1]].astype(np.int64))
            found[number] = np.abs(other - one)[first, second]
    # Named as the evidence of a card is.
    labels = [f"{names[one]} with {names[other]}" for one, other in zip(first, second, strict=True)]
    return dict(zip(labels, found.T, strict=True))


def limits_of(null: Numbers) -> Limits:
    """Find from where on numbers are told, from cards in which nothing differs; as `dealt_tests` does for one card."""
    limits: Limits = {}
    for family, numbers in null.items():
        if numbers:
            table = np.stack(list(numbers.values()), axis=1)
            told_from = dealt_tests(table[0], table[1:]).told_from
            limits[family] = dict(zip(numbers, (float(value) for value in told_from), strict=True))
    return limits


def told_draws(numbers: Numbers, limits: Limits) -> dict[str, NDArray[np.bool_]]:
    """Which draws each family tells apart, [draw] bool."""
    found = {}
    for family, values in numbers.items():
        known = limits.get(family, {})
        # A property that only the altered set lacks has no limit, and is no evidence here.
        told = [
            drawn >= known[name] for name, drawn in values.items() if np.isfinite(known.get(name, np.nan))
        ]
        if told:
            found[family] = np.any(told, axis=0)
    return found


def null_numbers(pairs: Sequence[ColumnPair], sizes: tuple[int, int], seed: int, purpose: str) -> Numbers:
    """Give the numbers of cards that were dealt anew: both sets are drawn from the two populations together.

    The deals of a card know what is in it: galaxies that fit no correlation widen the law of what chance makes, on
    whichever side they are.
    """
    rows = len(pairs[0].reference), len(pairs[0].generated)
    counts = dealt_sets(rows, sizes, seed, purpose, NULL_CARDS + 1)
    usable = [pair for pair in pairs if not pair.reason]
    found = core_distances([_together(pair, *_values(pair)) for pair in usable], counts)
    # Ranks within each set, as the test of correlations deals them: margins that differ make no correlation.
    ranked = [_together(pair, *(_rank_shares(side) for side in _values(pair))) for pair in usable]
    found[PAIRS] = correlation_differences(ranked, counts)
    return found


def _values(pair: ColumnPair) -> tuple[Floats, Floats]:
    """Values of the two populations."""
    return pair.reference, pair.generated


def _together(pair: ColumnPair, first: Floats, second: Floats) -> ColumnPair:
    """Make one population of two, on either side."""
    every = np.concatenate([first, second])
    return replace(pair, reference=every, generated=every)


def _rank_shares(values: Floats) -> Floats:
    """Mean ranks in units of the number of values; NaN where there is none."""
    ranks = stats.rankdata(values, nan_policy="omit")
    return np.asarray(ranks / max(np.isfinite(values).sum(), 1), dtype=np.float64)


def population_rows(count: int, seed: int) -> NDArray[np.int64]:
    """Rows of a table that stand for it."""
    return choose_rows(count, MOST_ROWS, seed=seed, purpose="compare.power.rows")
