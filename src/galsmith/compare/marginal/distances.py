"""The distances of all properties at once, with joint bootstrap and floor, and their means."""

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable

from galsmith.compare.estimates import (
    NOT_ESTIMATED,
    EstimateNumbers,
    Floats,
    Replicates,
    estimate,
    estimate_means,
    holm,
    permutation_p,
)
from galsmith.compare.marginal.columns import ColumnPair, losses_of, summary_of
from galsmith.compare.marginal.per_property import bootstrap_distances, floor_distances, permutation_distances
from galsmith.compare.records import Distance, Mean
from galsmith.compare.resampling import DEALS_PER_TEST, Chance
from galsmith.execution import ProgressCallback

NO_TEST = float("nan"), float("nan")


@dataclass(frozen=True)
class JointDistances:
    """What `joint_distances` finds.

    Attributes
    ----------
    distances : tuple of Distance
        One a pair.
    means : tuple of Mean
        Of groups, of all properties, and the headline; empty where nothing could be compared.
    floor_n : int
        Galaxies in each of the two parts of the reference set.
    replicates : Replicates
        Of all distances that enter the means, for differences between generated sets.
    """

    distances: tuple[Distance, ...]
    means: tuple[Mean, ...]
    floor_n: int
    replicates: Replicates


def joint_distances(
    pairs: list[ColumnPair], tables: tuple[QTable, QTable], *, chance: Chance, progress: ProgressCallback
) -> JointDistances:
    """Compare all pairs of columns under the same draws of galaxies.

    Parameters
    ----------
    pairs : list of ColumnPair
        Those with a reason are recorded without a distance.
    tables : tuple of QTable
        Reference and generated rows, for the names of the flags.
    chance : Chance
        Draws, splits, seed, confidence.
    progress : callable
        Told of bootstrap and floor.
    """
    usable = [pair for pair in pairs if not pair.reason]
    replicates, scales, floor_n = _replicates(usable, tables, chance, progress)
    numbers = {
        pair.name: (estimate(replicates, place, confidence=chance.confidence), scales[place])
        for place, pair in enumerate(usable)
    }
    nothing = NOT_ESTIMATED, float("nan")
    counted = [place for place, pair in enumerate(usable) if pair.in_means]
    means = estimate_means(
        replicates.columns(counted),
        [usable[place].declared.group for place in counted],
        confidence=chance.confidence,
    )
    tests = _tests(usable, tables, replicates.values, chance, progress)
    distances = tuple(
        _record(pair, tables, *numbers.get(pair.name, nothing), tests.get(pair.name, NO_TEST))
        for pair in pairs
    )
    return JointDistances(distances, means, floor_n, replicates.columns(counted))


def _tests(
    usable: list[ColumnPair],
    tables: tuple[QTable, QTable],
    values: Floats,
    chance: Chance,
    progress: ProgressCallback,
) -> dict[str, tuple[float, float]]:
    """Test by deals that nothing differs; p values, plain and corrected, by name of the distance.

    What enters the means is corrected together, and the rest together: the verdict rests on the first alone.
    """
    in_means = np.array([pair.in_means for pair in usable], dtype=bool)
    families = in_means, ~in_means
    most = max(int(family.sum()) for family in families)
    dealt = permutation_distances(
        [pair.pooled() for pair in usable],
        n_reference=len(tables[0]),
        n_generated=len(tables[1]),
        permutations=max(chance.permutations, DEALS_PER_TEST * most),
        seed=chance.seed,
        progress=progress,
    )
    p_values = permutation_p(values, dealt)
    corrected = np.empty(len(usable))
    for family in families:
        corrected[family] = holm(p_values[family])
    return {pair.name: (float(p_values[place]), float(corrected[place])) for place, pair in enumerate(usable)}


def _replicates(
    usable: list[ColumnPair], tables: tuple[QTable, QTable], chance: Chance, progress: ProgressCallback
) -> tuple[Replicates, list[float], int]:
    """Distances, bootstrap and floor of the pairs, and the factor that each floor was multiplied by."""
    n_reference, n_generated = len(tables[0]), len(tables[1])
    drawn = bootstrap_distances(
        [pair.pooled() for pair in usable],
        n_reference=n_reference,
        n_generated=n_generated,
        replicates=chance.replicates,
        seed=chance.seed,
        progress=progress,
    )
    floor = floor_distances(
        [pair.pooled_reference() for pair in usable],
        np.array([pair.sizes for pair in usable], dtype=np.int64).reshape(-1, 2),
        n_reference=n_reference,
        n_generated=n_generated,
        splits=chance.splits,
        seed=chance.seed,
        progress=progress,
    )
    values = np.array([pair.distance() for pair in usable])
    return Replicates(values, drawn, floor.distances), floor.scale.tolist(), floor.n_each


def _record(
    pair: ColumnPair,
    tables: tuple[QTable, QTable],
    numbers: EstimateNumbers,
    floor_scale: float,
    p_values: tuple[float, float],
) -> Distance:
    """Make the record of one property."""
    declared = pair.declared
    core, tail_share = pair.core_and_tail_share()
    return Distance(
        **vars(numbers),
        name=pair.name,
        column=pair.column,
        symbol=declared.symbol,
        unit=declared.unit,
        group=declared.group,
        definition=declared.definition,
        in_means=pair.in_means,
        metric="linear" if pair.period is None else "circular",
        normalization=pair.normalization,
        scale=pair.scale,
        floor_scale=floor_scale,
        n_reference=pair.sizes[0],
        n_generated=pair.sizes[1],
        lost_reference=losses_of(tables[0], pair.lost_rows[0]),
        lost_generated=losses_of(tables[1], pair.lost_rows[1]),
        reference=summary_of(pair.reference),
        generated=summary_of(pair.generated),
        core=core,
        tail_share=tail_share,
        p_value=p_values[0],
        p_holm=p_values[1],
        reason=pair.reason,
    )
