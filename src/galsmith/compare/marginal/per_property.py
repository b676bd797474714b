"""The distances that single properties are compared in, `PER_PROPERTY`, and their bootstrap, deals and floor."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.marginal.wasserstein import Floats, PooledValues, joint_replicates
from galsmith.compare.resampling import (
    Counts,
    GalaxyGroups,
    dealt_counts,
    drawn_counts,
)
from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress

REPLICATES_AT_ONCE = 64  # 64 draws of 60,000 rows in int16 are 8 MB.


@dataclass(frozen=True)
class PropertyDistance:
    """One way to compare two sets in a single property.

    Attributes
    ----------
    name : str
        Its key in `PER_PROPERTY` and in `Distance.beside`.
    symbol : str
        As tables have it.
    replicates : callable
        Takes a sequence of `PooledValues`, one a property, and counts [replicate, row]; returns distances
        [replicate, property] and how many measured rows each of the two sets has, [replicate, property, 2], as
        `galsmith.compare.marginal.wasserstein.joint_replicates` does. The floor grows as sqrt(1/n + 1/m).
    definition : str
        One sentence with its source.
    """

    name: str
    symbol: str
    replicates: Callable[[Sequence[PooledValues], Counts], tuple[Floats, Floats]]
    definition: str


WASSERSTEIN = PropertyDistance(
    "wasserstein", "W1", joint_replicates, "Integral of |F1(x) - F2(x)| over x (Ramdas et al. 2017)."
)
# The first is the distance of the means and the verdict; those after it stand beside it in each `Distance`.
PER_PROPERTY: dict[str, PropertyDistance] = {WASSERSTEIN.name: WASSERSTEIN}


def register_per_property(distance: PropertyDistance) -> None:
    """Compare single properties in one more distance, from now on in this process.

    Raises
    ------
    SettingsError
        If its name is taken.
    """
    if distance.name in PER_PROPERTY:
        raise SettingsError(
            "PER_PROPERTY has it already", argument="distance.name", came=distance.name, wanted="a new name"
        )
    PER_PROPERTY[distance.name] = distance


@dataclass(frozen=True)
class FloorReplicates:
    """Distances between disjoint parts of the reference set, brought to the comparison's size.

    Attributes
    ----------
    distances : ndarray [split, property], float64
        Already multiplied by `scale`.
    scale : ndarray [property], float64
        Mean factor sqrt(1/n + 1/m) of the comparison over that of the parts; 1 where the reference is
        large enough to give parts of the comparison's own size.
    n_each : int
        Galaxies in each of the two parts.
    """

    distances: Floats
    scale: Floats
    n_each: int


class Redrawing(NamedTuple):
    """One way to draw both sets anew: what progress calls it and its draws, and what gives the counts of one."""

    stage: str
    unit: str
    counts: Callable[[int, int, int, int], Counts]


# With replacement, each set from itself; and all rows dealt into two sets of the same sizes.
BOOTSTRAP = Redrawing("bootstrap", "replicates", drawn_counts)
PERMUTATION = Redrawing("permutations", "permutations", dealt_counts)


def permutation_of(groups: GalaxyGroups) -> Redrawing:
    """Deal galaxies, each with all its rows.

    Parameters
    ----------
    groups : GalaxyGroups
        Of all rows.
    """
    deal = groups.deal()
    return PERMUTATION._replace(counts=lambda n_reference, n_generated, seed, number: deal(seed, number))


def bootstrap_of(groups: GalaxyGroups) -> Redrawing:
    """Draw galaxies with replacement, each with all its rows.

    Parameters
    ----------
    groups : GalaxyGroups
        Of all rows.
    """
    draw = groups.draw()
    return BOOTSTRAP._replace(counts=lambda n_reference, n_generated, seed, number: draw(seed, number))


def redrawn_distances(
    columns: Sequence[PooledValues],
    redrawing: Redrawing,
    *,
    n_reference: int,
    n_generated: int,
    draws: int,
    seed: int,
    kind: PropertyDistance = WASSERSTEIN,
    progress: ProgressCallback = ignore_progress,
) -> Floats:
    """Distances of every property when both sets are drawn anew.

    One draw of galaxies serves all properties, so that means over properties get honest intervals.

    Parameters
    ----------
    columns : sequence of PooledValues
        One a property; rows 0 to `n_reference` - 1 are the reference set's, the generated set's follow.
    redrawing : Redrawing
        `BOOTSTRAP`, or `PERMUTATION` for the test that nothing differs.
    n_reference, n_generated : int
        Rows of each set, measured or not.
    draws : int
        How many.
    seed : int
        Draw k depends on (seed, k) alone.
    kind : PropertyDistance
        Which distance.
    progress : callable, optional
        Told after each block of draws.

    Returns
    -------
    ndarray [draw, property], float64
        NaN where a draw has no measured row on one side.
    """
    result = np.empty((draws, len(columns)))
    for block in _blocks(draws):
        counts = np.stack([redrawing.counts(n_reference, n_generated, seed, number) for number in block])
        result[block.start : block.stop] = kind.replicates(columns, counts)[0]
        progress(ProgressEvent(redrawing.stage, block.stop, draws, redrawing.unit))
    return result


def floor_distances(
    columns: Sequence[PooledValues],
    sizes: NDArray[np.int64],
    *,
    n_reference: int,
    n_generated: int,
    splits: int,
    seed: int,
    groups: GalaxyGroups | None = None,
    kind: PropertyDistance = WASSERSTEIN,
    progress: ProgressCallback = ignore_progress,
) -> FloorReplicates:
    """Distances between two disjoint random parts of the reference set: what sampling alone makes.

    The parts have n each with 2/n = 1/`n_reference` + 1/`n_generated`, and half of the reference at most.
    For two samples of one distribution the mean distance goes as sqrt(1/n + 1/m) (del Barrio et al.
    1999), so that each distance is multiplied by the ratio of the two factors.

    Parameters
    ----------
    columns : sequence of PooledValues
        One a property, with rows of the reference set only.
    sizes : ndarray [property, 2], int64
        Measured rows of the reference and the generated set in the comparison, at least 1 each.
    n_reference, n_generated : int
        All rows of each set; at least 2 in the reference.
    splits : int
        How many random splits.
    seed : int
        Split k depends on (seed, k) alone.
    groups : GalaxyGroups, optional
        Which rows are of one galaxy; each is where left out. Parts are of galaxies, of which those of equal share count.
    kind, progress
        As `redrawn_distances` takes them.
    """
    galaxies = groups or GalaxyGroups.of_sizes(n_reference, n_generated)
    n_each, split = galaxies.size_of_parts, galaxies.split()
    shares = np.array(galaxies.effective) / (n_reference, n_generated)
    # What the distances of two equal sets of these sizes scale with (del Barrio et al. 1999).
    target = np.sqrt((1.0 / (sizes * shares)).sum(axis=1))
    distances = np.empty((splits, len(columns)))
    scales = np.empty((splits, len(columns)))
    for block in _blocks(splits):
        counts = np.stack([split(seed, number) for number in block])
        values, totals = kind.replicates(columns, counts)
        with np.errstate(divide="ignore"):
            # Per split: gaps in a column fall on the parts by chance.
            scale = target / np.sqrt((1.0 / totals).sum(axis=2))
        scales[block.start : block.stop] = scale
        distances[block.start : block.stop] = scale * values
        progress(ProgressEvent("floor", block.stop, splits, "splits"))
    # One number to state, though every split had its own.
    return FloorReplicates(distances, scales.mean(axis=0), n_each)


def _blocks(total: int) -> Iterator[range]:
    """Ranges that cover 0 to `total`, a few replicates each, so that counts stay small in memory."""
    for start in range(0, total, REPLICATES_AT_ONCE):
        yield range(start, min(start + REPLICATES_AT_ONCE, total))
