"""Sliced Wasserstein-1 distance: the mean of the distances along many directions through all columns."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.estimates import distance_statistic
from galsmith.compare.marginal.empirical_process import bootstrap_processes
from galsmith.compare.marginal.per_property import floor_distances, permutation_of, redrawn_distances
from galsmith.compare.marginal.wasserstein import pool_values, replicate_distances
from galsmith.compare.records import Statistic
from galsmith.compare.resampling import Chance, GalaxyGroups, itself
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.seeds import derive_seed, random_stream

Floats = NDArray[np.float64]

SYMBOL = "sliced W1"
DIRECTIONS = 64
DEFINITION = (
    f"Mean Wasserstein-1 distance along {DIRECTIONS} random directions, the same for all draws, through the columns in "
    "units of the reference's standard deviation, values beyond 10 robust standard deviations cut off there "
    "(Bonneel et al. 2015)."
)


def sliced_wasserstein(
    reference: Floats,
    generated: Floats,
    groups: GalaxyGroups | None = None,
    *,
    chance: Chance,
    progress: ProgressCallback = ignore_progress,
) -> Statistic:
    """Sliced Wasserstein-1 distance with bootstrap, floor and test (Bonneel et al. 2015).

    Parameters
    ----------
    reference, generated : ndarray [galaxy, column], float64
        Standardized, finite.
    groups : GalaxyGroups, optional
        Which rows are of one galaxy; each is where left out.
    chance : Chance
        Seed, draws, confidence.
    progress : callable
        Told of bootstrap, permutations and floor.
    """
    sizes = len(reference), len(generated)
    galaxies = groups or GalaxyGroups.of_sizes(*sizes)
    # 64 directions: their own scatter drops out, as all draws share them.
    axes = random_directions(reference.shape[1], seed=chance.seed)
    along_reference, along_generated = axes @ reference.T, axes @ generated.T
    pooled = [pool_values(one, other) for one, other in zip(along_reference, along_generated, strict=True)]
    # The floor draws from the reference alone.
    alone = [pool_values(values, np.empty(0)) for values in along_reference]
    seed = derive_seed(chance.seed, "compare.sliced")
    both: dict[str, Any] = {"n_reference": sizes[0], "n_generated": sizes[1], "seed": seed}

    def told(event: ProgressEvent) -> None:
        progress(replace(event, stage=f"{SYMBOL}, {event.stage}"))

    once = itself(*sizes)[np.newaxis]
    value = np.mean([replicate_distances(values, once)[0][0] for values in pooled])
    drawn, scatter = bootstrap_processes(
        pooled, **both, draws=chance.replicates, groups=galaxies, progress=told
    )
    dealing = permutation_of(galaxies)
    dealt = redrawn_distances(pooled, dealing, **both, draws=chance.permutations, progress=told)
    floor = floor_distances(
        alone,
        np.tile(sizes, (len(axes), 1)),
        **both,
        splits=chance.splits,
        groups=galaxies,
        progress=told,
    )
    return distance_statistic(
        float(value),
        drawn=drawn.mean(axis=1),
        floor=floor.distances.mean(axis=1),
        dealt=dealt.mean(axis=1),
        confidence=chance.confidence,
        name=SYMBOL,
        definition=DEFINITION,
        sizes=sizes,
        ends=scatter.ends(np.full(len(axes), 1 / len(axes)), chance.confidence),
    )


def random_directions(n_columns: int, *, seed: int) -> Floats:
    """Directions [direction, column] of length 1, uniform on the sphere."""
    # A Gaussian vector has no preferred direction (Muller 1959).
    normal = random_stream(seed, "compare.directions").normal(size=(DIRECTIONS, n_columns))
    return normal / np.linalg.norm(normal, axis=1, keepdims=True)
