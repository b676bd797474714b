"""Which of two generated sets is nearer: differences of distances under the same draws of the reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.card import PairedDifference
from galsmith.compare.estimates import Replicates

Floats = NDArray[np.float64]


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
    groups = [one.groups[one.names.index(name)] for name in shared]
    columns = [side.replicates.columns([side.names.index(name) for name in shared]) for side in (one, other)]
    values = columns[0].values - columns[1].values
    draws = columns[0].bootstrap - columns[1].bootstrap
    labels = [*_mean_weights(groups), *shared]
    weights = np.vstack([*_mean_weights(groups).values(), np.eye(len(shared))])
    return [
        _difference(label, (first, second), float(weight @ values), draws @ weight, confidence)
        for label, weight in zip(labels, weights, strict=True)
    ]


def _mean_weights(groups: Sequence[str]) -> dict[str, Floats]:
    """Weights that make each mean out of single properties: the headline, all properties, each group."""
    members = {group: np.array([item == group for item in groups], dtype=float) for group in groups}
    by_group = {group: inside / inside.sum() for group, inside in members.items()}
    every = np.full(len(groups), 1.0 / len(groups))
    headline = np.mean(list(by_group.values()), axis=0)
    return {"headline": headline, "all properties": every, **by_group}


def _difference(
    name: str, sets: tuple[str, str], value: float, draws: Floats, confidence: float
) -> PairedDifference:
    """Summarize one difference; the bootstrap's bias is subtracted once, as for the distances themselves."""
    kept = draws[np.isfinite(draws)]
    center = float(kept.mean())
    tails = 50 * (1 - confidence)
    low, high = np.percentile(kept, [tails, 100 - tails])
    corrected = 2 * value - center
    around = kept - center + corrected
    beyond = min(np.count_nonzero(around <= 0), np.count_nonzero(around >= 0))
    return PairedDifference(
        name=name,
        first=sets[0],
        second=sets[1],
        value=value,
        uncertainty=float(kept.std()),
        interval=(float(corrected + low - center), float(corrected + high - center)),
        p_value=float(min(1.0, 2 * (beyond + 1) / (kept.size + 1))),
    )
