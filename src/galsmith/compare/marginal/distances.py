"""The distances of all properties at once, with joint bootstrap and floor, and their means."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from astropy.table import QTable

from galsmith.compare.correction import LEAST_DEALS, DealtTests, dealt_tests
from galsmith.compare.estimates import (
    NOT_ESTIMATED,
    Floats,
    Replicates,
    estimate,
    estimate_means,
    mean_weights,
    permutation_p,
)
from galsmith.compare.intervals import NAN, Ends, plain_ends
from galsmith.compare.marginal.columns import ColumnPair, losses_of, summary_of
from galsmith.compare.marginal.empirical_process import Scatter, bootstrap_processes
from galsmith.compare.marginal.handedness import handedness_note
from galsmith.compare.marginal.per_property import (
    PER_PROPERTY,
    WASSERSTEIN,
    FloorReplicates,
    PropertyDistance,
    bootstrap_of,
    floor_distances,
    permutation_of,
    redrawn_distances,
)
from galsmith.compare.normalization import influence_of
from galsmith.compare.records import Distance, Mean, PairedDifference, Statistic
from galsmith.compare.resampling import Chance, GalaxyGroups, itself
from galsmith.execution import ProgressCallback
from galsmith.measure.properties.details import MIRRORED


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
    pairs: list[ColumnPair],
    tables: tuple[QTable, QTable],
    groups: GalaxyGroups,
    *,
    chance: Chance,
    progress: ProgressCallback,
) -> JointDistances:
    """Compare all pairs of columns under the same draws of galaxies, in every distance of `PER_PROPERTY`.

    Parameters
    ----------
    pairs : list of ColumnPair
        Those with a reason are recorded without a distance.
    tables : tuple of QTable
        Reference and generated rows, for the names of the flags.
    groups : GalaxyGroups
        Which rows are of one galaxy.
    chance : Chance
        Draws, splits, seed, confidence.
    progress : callable
        Told of bootstrap and floor.
    """
    usable = [pair for pair in pairs if not pair.reason]
    found = {name: _resampled(kind, usable, groups, chance, progress) for name, kind in PER_PROPERTY.items()}
    first = found.pop(WASSERSTEIN.name)  # Means and verdict rest on W1 alone.
    far, near = _tested(usable, first)
    # Means are of joint replicates, since properties of one draw vary together.
    counted = [place for place, pair in enumerate(usable) if pair.in_means]
    titles = [usable[place].declared.group for place in counted]
    every = np.eye(len(usable))
    means = estimate_means(
        first.replicates.columns(counted),
        titles,
        lambda weights: first.ends(weights @ every[counted], chance.confidence),
    )
    records = [_record(pair, tables, chance) for pair in pairs]
    places = {pair.name: place for place, pair in enumerate(usable)}
    distances = tuple(
        record
        if (place := places.get(record.name)) is None
        else replace(
            record,
            estimate=estimate(first.replicates, place, first.ends(every[place], chance.confidence)),
            floor_scale=float(first.floor.scale[place]),
            p_value=float(far.p_values[place]),
            p_family=float(far.corrected[place]),
            p_near=float(near.p_values[place]),
            p_near_family=float(near.corrected[place]),
            told_from=float(far.told_from[place]),
            beside={name: _statistic(name, one, usable[place], place, chance) for name, one in found.items()},
        )
        for record in records
    )
    return JointDistances(
        distances,
        _tested_means(means, titles, first.replicates.values[counted], first.dealt[:, counted]),
        first.floor.n_each,
        first.replicates.columns(counted),
    )


@dataclass(frozen=True)
class _Resampled:
    """One distance of all properties: its replicates, its floor, and all rows dealt anew [deal, property]."""

    replicates: Replicates
    floor: FloorReplicates
    dealt: Floats
    scatter: Scatter | None

    def ends(self, weights: Floats, confidence: float) -> Ends:
        """Bound a weighted mean of the true distances; by its draws alone where nothing more is known."""
        if self.scatter is not None:
            return self.scatter.ends(weights, confidence)
        value, drawn, dealt = (
            given @ weights for given in (self.replicates.values, self.replicates.bootstrap, self.dealt)
        )
        return plain_ends(float(value), drawn=drawn, dealt=dealt, confidence=confidence)


def _resampled(
    kind: PropertyDistance,
    usable: list[ColumnPair],
    groups: GalaxyGroups,
    chance: Chance,
    progress: ProgressCallback,
) -> _Resampled:
    """Values, bootstrap, floor and test of one distance; equal draws for all properties and all distances."""
    sizes: dict[str, Any] = {
        "n_reference": len(groups.reference),
        "n_generated": len(groups.generated),
        "seed": chance.seed,
    }
    pooled = [pair.pooled() for pair in usable]
    scatter = None
    if kind is WASSERSTEIN:
        drawn, scatter = bootstrap_processes(
            pooled,
            **sizes,
            draws=chance.replicates,
            influences=_influences(usable, len(groups.reference)),
            groups=groups,
            progress=progress,
        )
    else:
        drawn = redrawn_distances(
            pooled, bootstrap_of(groups), **sizes, kind=kind, draws=chance.replicates, progress=progress
        )
    floor = floor_distances(
        [pair.pooled_reference() for pair in usable],
        # Two columns also where no property can be compared.
        np.array([pair.sizes for pair in usable], dtype=np.int64).reshape(-1, 2),
        **sizes,
        groups=groups,
        kind=kind,
        splits=chance.splits,
        progress=progress,
    )
    # W1 of the values as they are is exact; the other distances have no second way than through the pooled values.
    values = (
        np.array([pair.distance() for pair in usable])
        if kind is WASSERSTEIN
        else kind.replicates(pooled, itself(len(groups.reference), len(groups.generated))[np.newaxis])[0][0]
    )
    deals = max(chance.permutations, LEAST_DEALS)
    dealing = permutation_of(groups)
    dealt = redrawn_distances(pooled, dealing, **sizes, kind=kind, draws=deals, progress=progress)
    return _Resampled(Replicates(values, drawn, floor.distances), floor, dealt, scatter)


def _influences(usable: list[ColumnPair], n_reference: int) -> Floats:
    """Find what each row of the reference adds to the error of each property's unit, [row, property]."""
    found = [influence_of(pair.reference, pair.normalization) for pair in usable]
    return np.stack(found, axis=1) if found else np.empty((n_reference, 0))


def _tested(usable: list[ColumnPair], found: _Resampled) -> tuple[DealtTests, DealtTests]:
    """Test what is too far, what enters the means together and the rest; and what is too near, all together."""
    values, dealt = found.replicates.values, found.dealt
    in_means = np.array([pair.in_means for pair in usable], dtype=bool)
    far = DealtTests(*(np.full(len(usable), np.nan) for _ in range(3)))
    # Two families: what a paper averages has no more tests to pay for because more is measured.
    for family in (in_means, ~in_means):
        tests = dealt_tests(values[family], dealt[:, family])
        far.p_values[family], far.corrected[family] = tests.p_values, tests.corrected
        far.told_from[family] = tests.told_from
    return far, dealt_tests(values, dealt, is_lower=True)


def _tested_means(
    means: tuple[Mean, ...], groups: list[str], values: Floats, dealt: Floats
) -> tuple[Mean, ...]:
    """Test the means by the deals of what is in them."""
    if not means:
        return means
    weights = mean_weights(groups)
    # One product: a mean is a weighting of single distances, in the sets as in their deals.
    table = np.stack([weights[mean.name] for mean in means], axis=1)
    far, near = (dealt_tests(values @ table, dealt @ table, is_lower=lower) for lower in (False, True))
    return tuple(
        replace(
            mean,
            p_value=float(far.p_values[place]),
            p_family=float(far.corrected[place]),
            p_near=float(near.p_values[place]),
            p_near_family=float(near.corrected[place]),
        )
        for place, mean in enumerate(means)
    )


def _statistic(name: str, found: _Resampled, pair: ColumnPair, place: int, chance: Chance) -> Statistic:
    """Make the record of a distance beside W1."""
    return Statistic(
        PER_PROPERTY[name].symbol,
        PER_PROPERTY[name].definition,
        estimate(
            found.replicates,
            place,
            found.ends(np.eye(len(found.replicates.values))[place], chance.confidence),
        ),
        float(permutation_p(found.replicates.values, found.dealt)[place]),
        *pair.sizes,
    )


def _record(pair: ColumnPair, tables: tuple[QTable, QTable], chance: Chance) -> Distance:
    """Make the record of one property, without the numbers of its distance."""
    declared = pair.declared
    core, tail_share = pair.core_and_tail_share()
    return Distance(
        name=pair.name,
        column=pair.column,
        symbol=declared.symbol,
        unit=declared.unit,
        group=declared.group,
        definition=declared.definition,
        estimate=NOT_ESTIMATED,
        in_means=pair.in_means,
        metric="linear" if pair.period is None else "circular",
        normalization=pair.normalization,
        scale=pair.scale,
        floor_scale=NAN,
        n_reference=pair.sizes[0],
        n_generated=pair.sizes[1],
        lost_reference=losses_of(tables[0], pair.lost_rows[0]),
        lost_generated=losses_of(tables[1], pair.lost_rows[1]),
        reference=summary_of(pair.reference),
        generated=summary_of(pair.generated),
        core=core,
        tail_share=tail_share,
        reason=pair.reason,
        usual=pair.usual,
        note=handedness_note(pair.reference, seed=chance.seed) if pair.column in MIRRORED else "",
    )


@dataclass(frozen=True)
class NamedReplicates:
    """Distances that enter the means, with their bootstrap, by name.

    Attributes
    ----------
    names : tuple of str
        Of the distances.
    groups : tuple of str
        Of each.
    replicates : Replicates
        One column each; replicate k of every generated set has the same draw of the reference.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    replicates: Replicates


def paired_differences(
    sets: Mapping[str, NamedReplicates], *, confidence: float
) -> tuple[PairedDifference, ...]:
    """Differences between all pairs of generated sets, of means first and then of single properties.

    What only one of two sets has is left out for both, so that means are over the same properties.

    Parameters
    ----------
    sets : mapping of name to NamedReplicates
        One a generated set; all compared with the same reference and the same seed.
    confidence : float
        Of the intervals.
    """
    return tuple(
        difference
        for first, second in combinations(sets, 2)
        for difference in _between(first, sets[first], second, sets[second], confidence)
    )


def _between(
    first: str, one: NamedReplicates, second: str, other: NamedReplicates, confidence: float
) -> list[PairedDifference]:
    """Differences between two generated sets."""
    shared = [name for name in one.names if name in other.names]
    if not shared:
        return []
    groups = [one.groups[one.names.index(name)] for name in shared]  # Means over what both sets have.
    columns = [side.replicates.columns([side.names.index(name) for name in shared]) for side in (one, other)]
    values = columns[0].values - columns[1].values
    # Replicate k of both has the same draw of the reference, whose noise drops out.
    draws = columns[0].bootstrap - columns[1].bootstrap
    found = mean_weights(groups)
    means = {name: found.pop(name) for name in ("headline", "all properties")} | found
    labels = [*means, *shared]
    # A mean is a weighting of single distances, so that values and draws take one product.
    weights = np.vstack([*means.values(), np.eye(len(shared))])
    return [
        _difference(label, (first, second), float(weight @ values), draws @ weight, confidence)
        for label, weight in zip(labels, weights, strict=True)
    ]


def _difference(
    name: str, sets: tuple[str, str], value: float, draws: Floats, confidence: float
) -> PairedDifference:
    """Summarize one difference; the bootstrap's bias is subtracted once, as for the distances themselves."""
    kept = draws[np.isfinite(draws)]
    center = float(kept.mean())
    tails = 50 * (1 - confidence)
    low, high = np.percentile(kept, [tails, 100 - tails])
    # Efron & Tibshirani (1993), sec. 10.6.
    corrected = 2 * value - center
    around = kept - center + corrected
    # The share of the shifted draws on the other side of 0, from either side.
    beyond = min(np.count_nonzero(around <= 0), np.count_nonzero(around >= 0))
    return PairedDifference(
        name=name,
        first=sets[0],
        second=sets[1],
        value=value,
        uncertainty=float(kept.std()),
        interval=(float(corrected + low - center), float(corrected + high - center)),
        # Two-sided, never 0 (Phipson & Smyth 2010).
        p_value=float(min(1.0, 2 * (beyond + 1) / (kept.size + 1))),
    )
