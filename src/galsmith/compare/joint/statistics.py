"""What all properties together tell of two sets: `beyond_marginals`."""

from collections.abc import Sequence

from numpy.typing import ArrayLike

from galsmith.compare.classifiers.two_sample import two_sample_classifiers
from galsmith.compare.complete_rows import checked_rows, standardize
from galsmith.compare.joint.correlations import correlation_difference
from galsmith.compare.joint.energy import energy_statistic
from galsmith.compare.joint.sliced import sliced_wasserstein
from galsmith.compare.records import BeyondMarginals
from galsmith.compare.resampling import Chance
from galsmith.execution import ProgressCallback, ignore_progress


def beyond_marginals(
    reference: ArrayLike,
    generated: ArrayLike,
    columns: Sequence[str],
    *,
    seed: int = 0,
    replicates: int = 200,
    splits: int = 100,
    permutations: int = 500,
    classifier_splits: int = 8,
    confidence: float = 0.95,
    progress: ProgressCallback = ignore_progress,
) -> BeyondMarginals:
    """Compare two sets in all columns at once: a set may match every single one and still be wrong.

    Sliced Wasserstein-1 and energy distance of the standardized columns, the difference of their
    correlations, and classifiers that try to tell the sets apart. Each says in its `definition` how many
    galaxies it takes at most.

    Parameters
    ----------
    reference, generated : array_like [galaxy, column], float
        Finite numbers in any unit: only galaxies of which all columns were measured.
    columns : sequence of str
        Their names.
    seed : int
        Fixes all draws.
    replicates, splits, permutations : int
        Draws of the bootstrap; splits of the reference for the floor; deals of the test that nothing
        differs.
    classifier_splits : int
        Splits of the reference for the classifiers' floor; their test needs no deals.
    confidence : float
        Of the intervals.
    progress : callable
        Told of each step.

    Returns
    -------
    BeyondMarginals
        Rows in it count from 0 in the arrays as given.

    Raises
    ------
    SettingsError
        If an argument is out of range.
    InputError
        If a set has fewer than 20 galaxies, values that are not finite, or columns without names.
    """
    chance = Chance(seed, replicates, splits, confidence, permutations)
    first, second = checked_rows(reference, generated, columns)
    standardized = standardize(first, second)
    correlation, pairs = correlation_difference(first, second, columns, chance=chance, progress=progress)
    return BeyondMarginals(
        sliced=sliced_wasserstein(*standardized, chance=chance, progress=progress),
        energy=energy_statistic(*standardized, chance=chance, progress=progress),
        correlation=correlation,
        correlation_pairs=pairs,
        classifiers=two_sample_classifiers(
            first,
            second,
            columns,
            seed=seed,
            splits=classifier_splits,
            confidence=confidence,
            progress=progress,
        ),
        columns=tuple(columns),
        n_reference=len(first),
        n_generated=len(second),
    )
