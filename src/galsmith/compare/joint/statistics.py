"""What all properties together tell of two sets: the table `JOINT` of joint statistics, and `beyond_marginals`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from galsmith.compare.classifiers.two_sample import in_rows, two_sample_classifiers
from galsmith.compare.complete_rows import CompleteRows, Floats, checked_rows, choose_rows
from galsmith.compare.correction import LEAST_DEALS
from galsmith.compare.estimates import distance_statistic
from galsmith.compare.joint import correlations, energy, sliced
from galsmith.compare.records import BeyondMarginals, JointFinding
from galsmith.compare.resampling import (
    Chance,
    Counts,
    GalaxyGroups,
    rows_of_sides,
)
from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress, one_thread
from galsmith.seeds import derive_seed

IN_FLOORS, NOT_JUDGED = "floors", ""  # Evidence, in floors; and shown only.
MOST_ROWS = 5_000


@dataclass(frozen=True)
class JointStatistic:
    """One number about all properties together.

    Attributes
    ----------
    name : str
        Its key in `JOINT` and in `BeyondMarginals.statistics`.
    symbol : str
        As pages and tables have it.
    compute : callable
        Takes `CompleteRows`, `Chance` and a progress callback; returns a `JointFinding`.
    judged_by : {"floors", ""}
        Whether its p value is evidence in the verdict; or it is shown only.
    definition : str
        One sentence with its source.
    """

    name: str
    symbol: str
    compute: Callable[[CompleteRows, Chance, ProgressCallback], JointFinding]
    judged_by: str
    definition: str


def _sliced(rows: CompleteRows, chance: Chance, progress: ProgressCallback) -> JointFinding:
    """Sliced Wasserstein-1 distance of the standardized columns."""
    return JointFinding(
        sliced.sliced_wasserstein(*rows.standardized, rows.groups, chance=chance, progress=progress)
    )


def _energy(rows: CompleteRows, chance: Chance, progress: ProgressCallback) -> JointFinding:
    """Energy distance of the standardized columns."""
    return JointFinding(
        energy.energy_statistic(*rows.standardized, rows.groups, chance=chance, progress=progress)
    )


def _correlation(rows: CompleteRows, chance: Chance, progress: ProgressCallback) -> JointFinding:
    """Difference of Spearman's correlations, which no monotone change of a column alters."""
    return correlations.correlation_difference(
        rows.reference, rows.generated, rows.columns, rows.groups, chance=chance, progress=progress
    )


def register_joint(statistic: JointStatistic) -> None:
    """Judge all properties together by one more statistic, from now on in this process.

    Raises
    ------
    SettingsError
        If its name is taken, or `judged_by` is unknown.
    """
    if statistic.name in JOINT:
        raise SettingsError(
            "JOINT has it already", argument="statistic.name", came=statistic.name, wanted="a new name"
        )
    if statistic.judged_by not in (IN_FLOORS, NOT_JUDGED):
        raise SettingsError(
            argument="statistic.judged_by",
            came=statistic.judged_by,
            wanted=f"{IN_FLOORS!r}, or {NOT_JUDGED!r} for a number that is shown and not judged",
        )
    JOINT[statistic.name] = statistic


def joint_distance(
    name: str,
    symbol: str,
    distance: Callable[[Floats, Floats], float],
    *,
    definition: str,
    judged_by: str = IN_FLOORS,
    grows_as: float = 0.5,
) -> JointStatistic:
    """Make a joint statistic of a plain distance: interval, floor and test come from drawing the sets anew.

    Parameters
    ----------
    name, symbol, definition, judged_by
        As in `JointStatistic`.
    distance : callable
        Takes the rows of two sets, [galaxy, column] float64, in units of the reference's standard deviation; returns
        a number that is never negative. It is called once a draw, with `MOST_ROWS` rows of a side at most.
    grows_as : float
        Where nothing differs the distance goes as (1/n + 1/m) to this power: 0.5 for a metric, 1 for its square.
    """

    def compute(rows: CompleteRows, chance: Chance, progress: ProgressCallback) -> JointFinding:
        seed = derive_seed(chance.seed, f"compare.joint.{name}")
        chosen = tuple(
            choose_rows(len(values), MOST_ROWS, seed=seed, purpose=f"compare.joint.{role}")
            for role, values in zip(("reference", "generated"), rows.standardized, strict=True)
        )
        sides = tuple(values[some] for values, some in zip(rows.standardized, chosen, strict=True))
        galaxies = rows.groups.of_rows(*chosen)
        draw, split, deal = galaxies.draw(), galaxies.split(), galaxies.deal()
        sizes, pooled = (len(sides[0]), len(sides[1])), np.concatenate(sides)
        kinds: tuple[tuple[str, int, Callable[[int], Counts]], ...] = (
            # Efron & Tibshirani (1993), chapter 8: each set drawn from itself with replacement.
            ("bootstrap", chance.replicates, lambda number: draw(seed, number)),
            # Two parts of the reference, which differ by sampling alone.
            ("floor", chance.splits, lambda number: split(seed, number)),
            # All rows dealt anew: exact where nothing differs (Phipson & Smyth 2010).
            ("permutations", chance.permutations, lambda number: deal(seed, number)),
        )
        found = []
        for stage, count, counts_of in kinds:
            each = (rows_of_sides(counts_of(number)) for number in range(count))
            found.append(np.array([distance(pooled[one], pooled[other]) for one, other in each]))
            progress(ProgressEvent(f"{symbol}, {stage}", count, count, "draws"))
        # From 2 / n_each of the parts to 1/n + 1/m of the two sets.
        scale = galaxies.floor_scale**grows_as
        return JointFinding(
            distance_statistic(
                float(distance(*sides)),
                drawn=found[0],
                floor=found[1] * scale,
                dealt=found[2],
                confidence=chance.confidence,
                name=symbol,
                definition=definition,
                sizes=sizes,
            )
        )

    return JointStatistic(name, symbol, compute, judged_by, definition)


JOINT: dict[str, JointStatistic] = {
    "sliced": JointStatistic("sliced", sliced.SYMBOL, _sliced, IN_FLOORS, sliced.DEFINITION),
    "energy": JointStatistic("energy", energy.SYMBOL, _energy, IN_FLOORS, energy.DEFINITION),
    "correlation": JointStatistic(
        "correlation", correlations.SYMBOL, _correlation, IN_FLOORS, correlations.DEFINITION
    ),
}


@one_thread()
def beyond_marginals(
    reference: ArrayLike,
    generated: ArrayLike,
    columns: Sequence[str],
    groups: GalaxyGroups | None = None,
    *,
    seed: int = 0,
    replicates: int = 200,
    splits: int = 100,
    permutations: int = LEAST_DEALS,
    confidence: float = 0.95,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> BeyondMarginals:
    """Compare two sets in all columns at once: a set may match every single one and still be wrong.

    All statistics of `JOINT`, and classifiers that try to tell the sets apart. Each says in its `definition` how many
    galaxies it takes at most.

    Parameters
    ----------
    reference, generated : array_like [galaxy, column], float
        Finite numbers in any unit: only galaxies of which all columns were measured.
    columns : sequence of str
        Their names.
    groups : GalaxyGroups, optional
        Which rows are of one galaxy: it is dealt as one, and classifiers see it once. Each is where left out.
    seed : int
        Fixes all draws.
    replicates, splits, permutations : int
        Draws of the bootstrap; splits of the reference for the floor; deals of the test that nothing
        differs.
    confidence : float
        Of the intervals.
    workers : int
        Processes that share the classifiers where these are large; no number depends on it.
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
    given = checked_rows(reference, generated, columns)
    whole = groups or GalaxyGroups.of_sizes(len(given[0]), len(given[1]))
    rows = CompleteRows(*given, tuple(columns), whole)
    # A galaxy in two folds would be known to a classifier that has not seen that image.
    once = whole.once()
    # In the order of the table; each has its own stream of chance, so that one more changes none.
    found = {name: entry.compute(rows, chance, progress) for name, entry in JOINT.items()}
    classifiers = two_sample_classifiers(
        rows.reference[once[0]],
        rows.generated[once[1]],
        columns,
        seed=seed,
        confidence=confidence,
        workers=workers,
        progress=progress,
    )
    return BeyondMarginals(
        statistics={name: finding.statistic for name, finding in found.items()},
        correlation_pairs=tuple(pair for finding in found.values() for pair in finding.pairs),
        classifiers=tuple(in_rows(test, *once) for test in classifiers),
        columns=rows.columns,
        n_reference=len(rows.reference),
        n_generated=len(rows.generated),
        shown_only=tuple(name for name, entry in JOINT.items() if entry.judged_by == NOT_JUDGED),
    )
