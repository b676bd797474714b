"""From replicates to what is reported: value, bias-corrected interval, floor and p value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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

    def averaged(self) -> "Replicates":
        """Average over the properties, replicate by replicate; the result has one column."""
        return Replicates(
            self.values.mean(keepdims=True),
            self.bootstrap.mean(axis=1, keepdims=True),
            self.floor.mean(axis=1, keepdims=True),
        )

    def beside(self, other: "Replicates") -> "Replicates":
        """Put the columns of two together."""
        return Replicates(
            np.concatenate([self.values, other.values]),
            np.hstack([self.bootstrap, other.bootstrap]),
            np.hstack([self.floor, other.floor]),
        )


NAN = float("nan")
NOT_ESTIMATED = Estimate(NAN, NAN, NAN, (NAN, NAN), NAN, NAN)


def estimate(replicates: Replicates, position: int, *, confidence: float) -> Estimate:
    """Summarize one column of replicates.

    A bootstrap draw differs from its own set by sampling noise, so that the distance between two draws
    is larger than between the sets, most of all near zero. The mean excess of the draws is therefore
    subtracted once from the distance: 2 W1 - mean(bootstrap) (Efron & Tibshirani 1993, sec. 10.6).

    Parameters
    ----------
    replicates : Replicates
        Of several properties.
    position : int
        Which of them.
    confidence : float
        Share of the bootstrap inside of the interval, such as 0.95.
    """
    value = float(replicates.values[position])
    drawn = replicates.bootstrap[:, position]
    # A draw that leaves one side without a measured row is NaN and does not count.
    center = float(np.nanmean(drawn))
    tails = 50 * (1 - confidence)  # Percent in each tail.
    low, high = np.nanpercentile(drawn, [tails, 100 - tails])
    # Efron & Tibshirani (1993), sec. 10.6: the estimate less the bootstrap's estimate of its bias.
    corrected = 2 * value - center
    return Estimate(
        value=value,
        corrected=max(corrected, 0.0),
        uncertainty=float(np.nanstd(drawn)),
        interval=(max(corrected + float(low) - center, 0.0), max(corrected + float(high) - center, 0.0)),
        floor=float(np.nanmean(replicates.floor[:, position])),
        floor_sigma=float(np.nanstd(replicates.floor[:, position])),
    )


def estimate_means(replicates: Replicates, groups: list[str], *, confidence: float) -> tuple[Mean, ...]:
    """Means of each group, of all properties, and of the group means (the headline).

    Parameters
    ----------
    replicates : Replicates
        One column a property that enters the means.
    groups : list of str
        The group of each column.
    confidence : float
        As for `estimate`.

    Returns
    -------
    tuple of Mean
        Empty where there is no property.
    """
    if not groups:
        return ()
    names = list(dict.fromkeys(groups))
    members = {name: [place for place, group in enumerate(groups) if group == name] for name in names}
    by_group = [replicates.columns(places).averaged() for places in members.values()]
    joined = by_group[0]
    for more in by_group[1:]:
        joined = joined.beside(more)
    # The headline is the mean of the group means, so that many power modes weigh no more than a few colors.
    table = joined.beside(replicates.averaged()).beside(joined.averaged())
    counts = [*(len(places) for places in members.values()), len(groups), len(groups)]
    return tuple(
        Mean(name, count, estimate(table, place, confidence=confidence))
        for place, (name, count) in enumerate(
            zip([*names, "all properties", "headline"], counts, strict=True)
        )
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
    """
    replicates = Replicates(np.array([value]), drawn[:, None], floor[:, None])
    p_value = permutation_p(replicates.values, dealt[:, None])
    return Statistic(
        name, definition, estimate(replicates, 0, confidence=confidence), float(p_value[0]), *sizes
    )


def share_estimate(value: float, *, drawn: Floats, floor: Floats, confidence: float) -> Estimate:
    """Summarize a share, which a bootstrap does not bias as it does a distance: nothing is subtracted.

    Parameters
    ----------
    value : float
        The share, or another mean over galaxies.
    drawn, floor : ndarray [draw], float64
        The same with galaxies drawn anew, and between parts of the reference.
    confidence : float
        Of the interval, between percentiles of `drawn` (Efron & Tibshirani 1993, sec. 13.3).
    """
    tails = 50 * (1 - confidence)
    low, high = np.percentile(drawn, [tails, 100 - tails])
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
    """
    return {
        name: Statistic(
            name,
            definition,
            share_estimate(
                float(values[place]), drawn=drawn[:, place], floor=floors[:, place], confidence=confidence
            ),
            float(p_values[place]),
            *sizes,
        )
        for place, (name, definition) in enumerate(definitions.items())
    }


def missing_statistic(name: str, definition: str, sizes: tuple[int, int]) -> Statistic:
    """State that there is no such number."""
    return Statistic(name, definition, NOT_ESTIMATED, NAN, *sizes)
