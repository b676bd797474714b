"""From replicates to what is reported: value, interval, floor and p value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.intervals import NAN, Ends, plain_ends, wilson_ends
from galsmith.compare.records import Estimate, Mean, Statistic

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Replicates:
    """Distances of several properties, with their joint replicates.

    Attributes
    ----------
    values : ndarray [property], float64
        The distances themselves.
    bootstrap : ndarray [replicate, property], float64
        The same with both sets drawn anew.
    floor : ndarray [split, property], float64
        The same between two parts of the reference set.
    """

    values: Floats
    bootstrap: Floats
    floor: Floats

    def columns(self, positions: list[int]) -> "Replicates":
        """Keep some properties."""
        return Replicates(self.values[positions], self.bootstrap[:, positions], self.floor[:, positions])


NOT_ESTIMATED = Estimate(NAN, NAN, NAN, (NAN, NAN), NAN, NAN)


def estimate(replicates: Replicates, position: int, ends: Ends) -> Estimate:
    """Summarize one column of replicates.

    Parameters
    ----------
    replicates : Replicates
        Of several properties.
    position : int
        Which of them.
    ends : Ends
        Of its true distance, as `galsmith.compare.intervals` or a `Scatter` finds them.
    """
    # A draw that leaves one side without a measured row is NaN and does not count.
    drawn, floor = replicates.bootstrap[:, position], replicates.floor[:, position]
    return Estimate(
        value=float(replicates.values[position]),
        corrected=ends.corrected,
        uncertainty=float(np.nanstd(drawn)),
        interval=(ends.low, ends.high),
        floor=float(np.nanmean(floor)),
        floor_sigma=float(np.nanstd(floor)),
    )


def mean_weights(groups: Sequence[str]) -> dict[str, Floats]:
    """Weights [property] that make each mean out of single properties: each group, all properties, the headline."""
    members = {group: np.array([item == group for item in groups], dtype=float) for group in groups}
    by_group = {group: inside / inside.sum() for group, inside in members.items()}
    every = np.full(len(groups), 1.0 / len(groups))
    # The mean of the group means, so that many power modes weigh no more than a few colors.
    return {**by_group, "all properties": every, "headline": np.mean(list(by_group.values()), axis=0)}


def estimate_means(
    replicates: Replicates, groups: Sequence[str], ends_of: Callable[[Floats], Ends]
) -> tuple[Mean, ...]:
    """Means of each group, of all properties, and of the group means (the headline).

    Parameters
    ----------
    replicates : Replicates
        One column a property that enters the means.
    groups : sequence of str
        The group of each column.
    ends_of : callable
        Gives the interval of a mean by its weights [property].

    Returns
    -------
    tuple of Mean
        Empty where there is no property.
    """
    if not groups:
        return ()
    weights = mean_weights(groups)
    table = np.stack(list(weights.values()), axis=1)
    # A mean is a weighting of single distances, replicate by replicate.
    means = Replicates(replicates.values @ table, replicates.bootstrap @ table, replicates.floor @ table)
    return tuple(
        Mean(name, int(np.count_nonzero(share)), estimate(means, place, ends_of(share)))
        for place, (name, share) in enumerate(weights.items())
    )


def permutation_p(values: Floats, rearranged: Floats) -> Floats:
    """Share of rearrangements that give as much as the sets themselves, which count as one of them.

    Phipson & Smyth (2010): (b + 1) / (m + 1), which is never 0 and keeps its promise for any m.

    Parameters
    ----------
    values : ndarray [property], float64
        What the two sets give.
    rearranged : ndarray [rearrangement, property], float64
        What the rearranged sets give; NaN does not count.

    Returns
    -------
    ndarray [property], float64
        NaN where `values` is.
    """
    counted = np.isfinite(rearranged)
    # Sums in another order differ in the last place; equal sets must not seem smaller than themselves.
    as_large = counted & (rearranged >= values * (1 - 1e-12))
    p_values = (as_large.sum(axis=0) + 1.0) / (counted.sum(axis=0) + 1.0)
    return np.where(np.isfinite(values), p_values, np.nan)


def distance_statistic(
    value: float,
    *,
    drawn: Floats,
    floor: Floats,
    dealt: Floats,
    confidence: float,
    name: str,
    definition: str,
    sizes: tuple[int, int],
    ends: Ends | None = None,
) -> Statistic:
    """Summarize one distance between two sets.

    Parameters
    ----------
    value : float
        The distance.
    drawn, floor, dealt : ndarray [draw], float64
        The distance with both sets drawn anew, between parts of the reference, and with all rows dealt anew.
    confidence : float
        Of the interval.
    name, definition : str
        As in the record.
    sizes : tuple of int
        Galaxies of the reference and the generated set.
    ends : Ends, optional
        Of the true distance; by `plain_ends` where nothing more is known of it than its draws.
    """
    if ends is None:
        ends = plain_ends(value, drawn=drawn, dealt=dealt, confidence=confidence)
    replicates = Replicates(np.array([value]), drawn[:, None], floor[:, None])
    p_value = permutation_p(replicates.values, dealt[:, None])
    return Statistic(name, definition, estimate(replicates, 0, ends), float(p_value[0]), *sizes)


def share_estimate(
    value: float, *, drawn: Floats, floor: Floats, confidence: float, trials: int | None = None
) -> Estimate:
    """Summarize a share, which a bootstrap does not bias as it does a distance: nothing is subtracted.

    Parameters
    ----------
    value : float
        The share, or another mean over galaxies.
    drawn, floor : ndarray [draw], float64
        The same with galaxies drawn anew, and between parts of the reference.
    confidence : float
        Of the interval, between percentiles of `drawn` (Efron & Tibshirani 1993, sec. 13.3).
    trials : int, optional
        Of how many galaxies it is the share: the interval is then no narrower than Wilson's, so that none of 400 is not
        0 for sure.
    """
    tails = 50 * (1 - confidence)
    low, high = np.percentile(drawn, [tails, 100 - tails])
    if trials is not None:
        counted = wilson_ends(value * trials, trials, confidence)
        low, high = min(low, counted.low), max(high, counted.high)
    return Estimate(
        value=value,
        corrected=value,
        uncertainty=float(drawn.std()),
        interval=(float(low), float(high)),
        floor=float(floor.mean()),
        floor_sigma=float(floor.std()),
    )


def share_statistics(
    definitions: Mapping[str, str],
    values: Floats,
    *,
    drawn: Floats,
    floors: Floats,
    p_values: Sequence[float] | Floats,
    confidence: float,
    sizes: tuple[int, int],
    trials: Mapping[str, int],
) -> dict[str, Statistic]:
    """Summarize several shares of the same galaxies, by name.

    Parameters
    ----------
    definitions : mapping of name to str
        In the order of the other arguments.
    values, p_values : sequence of float [share]
        The shares, and how likely each is if nothing differs.
    drawn, floors : ndarray [draw, share], float64
        As `share_estimate` takes them.
    confidence : float
        Of the intervals.
    sizes : tuple of int
        Galaxies of the reference and the generated set.
    trials : mapping of name to int
        Of how many galaxies those are shares that are counts; means of anything else are not in it.
    """
    return {
        name: Statistic(
            name,
            definition,
            share_estimate(
                float(values[place]),
                drawn=drawn[:, place],
                floor=floors[:, place],
                confidence=confidence,
                trials=trials.get(name),
            ),
            float(p_values[place]),
            *sizes,
        )
        for place, (name, definition) in enumerate(definitions.items())
    }


def missing_statistic(name: str, definition: str, sizes: tuple[int, int]) -> Statistic:
    """State that there is no such number."""
    return Statistic(name, definition, NOT_ESTIMATED, NAN, *sizes)
