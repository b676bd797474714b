"""Energy distance between two sets of points, from the distances of all pairs, block by block."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from galsmith.compare.complete_rows import choose_rows
from galsmith.compare.estimates import distance_statistic
from galsmith.compare.intervals import inverted, norm_law
from galsmith.compare.records import Statistic
from galsmith.compare.resampling import (
    Chance,
    Counts,
    GalaxyGroups,
    itself,
    stacked,
)
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.seeds import derive_seed

Floats = NDArray[np.float64]

SYMBOL = "energy distance"
MOST_ROWS = 5_000
ROWS_AT_ONCE = 1_000
DEFINITION = (
    "Energy distance sqrt(2 E|X-Y| - E|X-X'| - E|Y-Y'|) (Székely & Rizzo 2013), the mean over all pairs, equal ones "
    "included, of the columns in units of the reference's standard deviation, values beyond 10 robust standard "
    f"deviations cut off there; of {MOST_ROWS:,} random images a side at most."
)


def energy_statistic(
    reference: Floats,
    generated: Floats,
    groups: GalaxyGroups | None = None,
    *,
    chance: Chance,
    progress: ProgressCallback = ignore_progress,
) -> Statistic:
    """Energy distance with bootstrap, floor and test.

    The mean over all pairs including equal ones is never negative, and its root is a metric with the
    unit of the columns that goes as sqrt(1/n + 1/m) where nothing differs.

    Parameters
    ----------
    reference, generated : ndarray [galaxy, column], float64
        Standardized, finite.
    groups : GalaxyGroups, optional
        Which rows are of one galaxy; each is where left out.
    chance : Chance
        Seed, draws, confidence.
    progress : callable
        Told after each block of rows.
    """
    seed = derive_seed(chance.seed, "compare.energy")
    rows = tuple(
        choose_rows(len(values), MOST_ROWS, seed=seed, purpose=f"compare.energy.{side}")
        for side, values in (("reference", reference), ("generated", generated))
    )
    first, second = reference[rows[0]], generated[rows[1]]
    sizes = len(first), len(second)
    galaxies = (groups or GalaxyGroups.of_sizes(len(reference), len(generated))).of_rows(*rows)
    counts = np.concatenate([itself(*sizes)[np.newaxis], *_all_counts(galaxies, seed, chance)])
    squares, products = _energies(np.concatenate([first, second]), counts, progress)
    places = np.cumsum([1, chance.replicates, chance.splits])
    (square,), drawn, floor, dealt = np.split(np.maximum(squares, 0.0), places)
    value = float(np.sqrt(square))
    # A distance of means in a Hilbert space (Sejdinovic et al. 2013): the noise z of a draw has e.z and z.z from these.
    to_drawn = products[1 : 1 + chance.replicates] - square
    along = to_drawn / value if value > 0 else np.zeros_like(to_drawn)
    law = norm_law(along, np.maximum(drawn - square - 2 * to_drawn, 0.0))
    return distance_statistic(
        value,
        drawn=np.sqrt(drawn),
        # The root goes as sqrt(1/n + 1/m) where nothing differs.
        floor=np.sqrt(galaxies.floor_scale * floor),
        dealt=np.sqrt(dealt),
        confidence=chance.confidence,
        name=SYMBOL,
        definition=DEFINITION,
        sizes=sizes,
        ends=inverted(value, law, chance.confidence),
    )


def squared_energies(
    points: Floats, counts: Counts, *, progress: ProgressCallback = ignore_progress
) -> Floats:
    """Squared energy distances between many resampled pairs of sets.

    With signed weights w, which sum to 1 on one side and to -1 on the other, it is the sum of
    ``-w_i w_j |x_i - x_j|`` over all pairs (the two-sample statistic of Székely & Rizzo 2013), so that all draws are one
    product of matrices with each block of distances, none of which is kept.

    Parameters
    ----------
    points : ndarray [row, column], float64
        Of both sets.
    counts : ndarray [draw, row], int16
        How often a row is drawn: positive counts form one set, negative ones the other.
    progress : callable
        Told after each block of rows.

    Returns
    -------
    ndarray [draw], float64
        Not below 0.
    """
    # Never negative in exact numbers (Székely & Rizzo 2013).
    return np.maximum(_energies(points, counts, progress)[0], 0.0)


def _energies(points: Floats, counts: Counts, progress: ProgressCallback) -> tuple[Floats, Floats]:
    """Squared distances [draw], and the products [draw] of each draw's difference with that of the first."""
    weights = _signed_weights(counts)
    total, products = np.zeros((2, len(counts)))
    starts = range(0, len(points), ROWS_AT_ONCE)
    for start in starts:
        here = slice(start, start + ROWS_AT_ONCE)
        for other in range(start, len(points), ROWS_AT_ONCE):
            there = slice(other, other + ROWS_AT_ONCE)
            between = cdist(points[here], points[there]) @ weights[there]
            is_diagonal = other == start
            # Blocks off the diagonal stand for their mirror images too.
            # -w_i w_j |x_i - x_j|: pairs within a set count negative, pairs of both sets twice positive.
            total -= (1.0 if is_diagonal else 2.0) * np.einsum("rd,rd->d", weights[here], between)
            products -= weights[here, 0] @ between
            if not is_diagonal:
                products -= between[:, 0] @ weights[here]
        progress(ProgressEvent(SYMBOL, min(here.stop, len(points)), len(points), "images"))
    return total, products


def _all_counts(galaxies: GalaxyGroups, seed: int, chance: Chance) -> tuple[Counts, Counts, Counts]:
    """Draws of the bootstrap, the floor and the test."""
    draw, split, deal = galaxies.draw(), galaxies.split(), galaxies.deal()
    drawn = stacked(lambda number: draw(seed, number), chance.replicates)
    parts = stacked(lambda number: split(seed, number), chance.splits)
    dealt = stacked(lambda number: deal(seed, number), chance.permutations)
    # No row of the generated set is in the floor.
    return drawn, np.pad(parts, ((0, 0), (0, len(galaxies.generated)))), dealt


def _signed_weights(counts: Counts) -> Floats:
    """Weights [row, draw] that sum to 1 over the rows of one set and to -1 over those of the other."""
    positive = np.maximum(counts, 0).sum(axis=1, dtype=np.float64)
    negative = -np.minimum(counts, 0).sum(axis=1, dtype=np.float64)
    # With these the distance is the quadratic form -w^T D w, for all draws in one product.
    shares = np.where(counts > 0, 1 / positive[:, None], 1 / negative[:, None])
    return np.ascontiguousarray((counts * shares).T)
