"""F1 - F2 of single properties and how it scatters: intervals of Wasserstein distances and of their means."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from galsmith.compare.intervals import NAN, Ends, Law, inverted
from galsmith.compare.marginal.wasserstein import (
    Counts,
    DrawnRows,
    Floats,
    PooledValues,
    drawn_by_row,
    joint_replicates,
    share_of_a_row,
)
from galsmith.compare.resampling import GalaxyGroups
from galsmith.execution import ProgressCallback, ProgressEvent, available_cores, ignore_progress

REPLICATES_AT_ONCE = 64
BINS = 96
# Where |F1 - F2| is more than so many standard deviations its sign is known: Phi(-2.5) is 0.6 %.
KNOWN_SIGMA = 2.5
# A mean difference of 2 standard deviations has a direction.
DIRECTED_SIGMA = 2.0
# Shifts in units of the scatter of F1 - F2; beyond 8 its sign is the same in all draws.
SHIFTS = np.linspace(0.0, 8.0, 33)


@dataclass(frozen=True)
class Process:
    """F1 - F2 of one property, in bins of its values, and its scatter.

    Attributes
    ----------
    widths : ndarray [bin], float64
        Of the bins, in the unit of the distance.
    level : ndarray [bin], float64
        F1 - F2; on a circle less its median.
    noise : ndarray [bin, draw], float64
        How a draw's differs from it; NaN where a draw has no measured row on one side.
    is_circular : bool
        Whether the values are angles.
    """

    widths: Floats
    level: Floats
    noise: Floats
    is_circular: bool


@dataclass(frozen=True)
class Scatter:
    """How the W1 of several properties scatter together about their truths.

    Attributes
    ----------
    values : ndarray [property], float64
        The distances.
    known : ndarray [property], float64
        The part of each made where the sign of F1 - F2 is known.
    linear : ndarray [property, draw], float64
        How that part scatters, and the unit of the property with it.
    folded : ndarray [property, direction, shift, draw], float64
        The other part where F1 - F2 is shifted by so many standard deviations up or down.
    masses : ndarray [property], float64
        True distance that a shift by one standard deviation makes there.
    slopes : ndarray [property, draw], float64
        Integral of the noise of F1 - F2.
    directions : ndarray [property], float64
        Integral of F1 - F2 in standard deviations.
    """

    values: Floats
    known: Floats
    linear: Floats
    folded: Floats
    masses: Floats
    slopes: Floats
    directions: Floats

    def ends(self, weights: Floats, confidence: float) -> Ends:
        """Bound a weighted mean of the true distances, as `docs/decisions/0041` derives it.

        Where |F1 - F2| is large its integral is linear in the two sets (Fang & Santos 2019). In the rest the truth is
        taken to be a shift, as large in all properties in units of their noise, which of all that have one distance
        raises the distance of the sets least; its directions are those of the data, and where they have none those
        in which the mean scatters most.

        Parameters
        ----------
        weights : ndarray [property], float64
            Not negative; their sum is 1 for a mean.
        confidence : float
            Of the interval.
        """
        chosen = np.flatnonzero(weights > 0)
        share = weights[chosen]
        value, known = float(share @ self.values[chosen]), float(share @ self.known[chosen])
        if not np.isfinite(value):
            return Ends(NAN, NAN, NAN)
        ups = self._ups(chosen, share)
        linear = share @ self.linear[chosen]
        folded = np.einsum("p,psd->sd", share, self.folded[chosen, ups])
        law = Law(known + float(share @ self.masses[chosen]) * SHIFTS, linear + known + folded)
        middle, low, high = inverted(value, law, confidence)
        tail = (1 - confidence) / 2
        if low <= known:  # All the rest may be 0, and the known part smaller than it seems.
            low = max(0.0, value - float(np.nanquantile(linear + folded[0], 1 - tail, method="weibull")))
        if high <= known or middle <= known:
            middle = min(max(0.0, value - float(np.nanmedian(linear + folded[0]))), middle)
        if value <= np.nanquantile(law.drawn[0], tail, method="weibull"):
            # Nearer than chance makes equal sets: no truth explains it, and the linear bound is left.
            signs = np.where(ups == 0, 1.0, -1.0)
            high = value - float(
                np.nanquantile((share * signs) @ self.slopes[chosen], tail, method="weibull")
            )
        return Ends(float(np.clip(middle, low, high)), low, high)

    def _ups(self, chosen: NDArray[np.intp], share: Floats) -> NDArray[np.intp]:
        """Directions, 0 up and 1 down, of each property in a mean."""
        slopes = self.slopes[chosen] * share[:, None]
        slopes = slopes[:, np.isfinite(slopes).all(axis=0)]
        covariance = np.atleast_2d(np.cov(slopes))
        toward = self.directions[chosen]
        is_known = np.abs(toward) > DIRECTED_SIGMA
        signs = np.where(toward >= 0, 1.0, -1.0)
        free = np.flatnonzero(~is_known)
        if not is_known.any():
            leading = np.linalg.eigh(covariance)[1][:, -1]
            signs = np.where(leading >= 0, 1.0, -1.0)
        elif free.size:
            pull = covariance[:, is_known] @ signs[is_known]
            signs[free] = np.where(pull[free] >= 0, 1.0, -1.0)
        # Ascent: the variance of a sum is largest where each term varies with the rest.
        for place in np.tile(free, 5):
            rest = covariance[place] @ signs - covariance[place, place] * signs[place]
            signs[place] = 1.0 if rest >= 0 else -1.0
        return np.where(signs > 0, 0, 1)


def bootstrap_processes(
    columns: Sequence[PooledValues],
    *,
    n_reference: int,
    n_generated: int,
    draws: int,
    seed: int,
    influences: Floats | None = None,
    groups: GalaxyGroups | None = None,
    progress: ProgressCallback = ignore_progress,
) -> tuple[Floats, Scatter]:
    """Draw both sets anew from themselves: W1 of every property, and how F1 - F2 scatters.

    Parameters
    ----------
    columns : sequence of PooledValues
        One a property; rows 0 to `n_reference` - 1 are the reference set's, the generated set's follow.
    n_reference, n_generated : int
        Rows of each set, measured or not.
    draws : int
        How many.
    seed : int
        Draw k depends on (seed, k) alone.
    influences : ndarray [reference row, property], float64, optional
        What each row of the reference adds to the relative error of the property's unit
        (`galsmith.compare.normalization.influence_of`); NaN where not measured. None for units that are known.
    groups : GalaxyGroups, optional
        Which rows are of one galaxy, which is drawn with all of them; each is where left out.
    progress : callable
        Told after each block of draws.

    Returns
    -------
    distances : ndarray [draw, property], float64
        In units of each draw's own unit; NaN where a draw has no measured row on one side.
    scatter : Scatter
    """
    draw = (groups or GalaxyGroups.of_sizes(n_reference, n_generated)).draw()
    itself = np.repeat(np.array([1, -1], dtype=np.int16), [n_reference, n_generated])
    edges = [_edges(len(pooled.order)) for pooled in columns]
    once = drawn_by_row(itself[np.newaxis])
    levels = [_levels(pooled, once, cut) for pooled, cut in zip(columns, edges, strict=True)]
    noises = [np.empty((len(level), draws)) for level in levels]
    distances = np.empty((draws, len(columns)))
    units = np.zeros((draws, len(columns)))
    for start in range(0, draws, REPLICATES_AT_ONCE):
        stop = min(start + REPLICATES_AT_ONCE, draws)
        counts = np.stack([draw(seed, number) for number in range(start, stop)])
        distances[start:stop] = joint_replicates(columns, counts)[0]
        here, drawn = slice(start, stop), drawn_by_row(counts)

        def fill(place: int, here: slice = here, drawn: DrawnRows = drawn) -> None:
            noises[place][:, here] = _levels(columns[place], drawn, edges[place]) - levels[place]

        # The kernel lets go of the interpreter's lock.
        with ThreadPoolExecutor(max(1, min(len(columns), available_cores()))) as pool:
            list(pool.map(fill, range(len(columns))))
        if influences is not None:
            units[start:stop] = _mean_influence(influences, counts[:, :n_reference])
        progress(ProgressEvent("bootstrap", stop, draws, "replicates"))
    processes = [
        _process(pooled, level[:, 0], noise, cut)
        for pooled, level, noise, cut in zip(columns, levels, noises, edges, strict=True)
    ]
    return distances / (1 + units), _scatter(processes, units.T)


def _edges(count: int) -> NDArray[np.int64]:
    """Where bins of sorted values begin and end, finer in both tails, where gaps are wide."""
    share = np.sin(0.5 * np.pi * np.linspace(0.0, 1.0, min(BINS, max(count, 1)) + 1)) ** 2
    return np.unique(np.round(share * count).astype(np.int64))


def _levels(pooled: PooledValues, drawn: DrawnRows, edges: NDArray[np.int64]) -> Floats:
    """Mean F1 - F2 [bin, draw] over each bin."""
    shares = share_of_a_row(drawn.measured(pooled.order))
    levels: Floats = _binned_levels(pooled.order, pooled.gaps, drawn.by_row, shares, edges)
    return levels


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def _binned_levels(
    order: NDArray[np.int64],
    gaps: Floats,
    by_row: NDArray[np.signedinteger[Any]],
    shares: Floats,
    edges: NDArray[np.int64],
) -> Floats:
    """Give the running sum of shares, averaged over each bin by its gaps, [bin, draw]."""
    n_draws = by_row.shape[1]
    levels = np.empty((edges.size - 1, n_draws))
    running = np.zeros(n_draws)
    first, second = shares[0], shares[1]
    for place in range(edges.size - 1):
        total = np.zeros(n_draws)
        width = 0.0
        for position in range(edges[place], edges[place + 1]):
            counts, gap = by_row[order[position]], gaps[position]
            for k in range(n_draws):
                count = np.float64(counts[k])
                running[k] += max(count, 0.0) * first[k] + min(count, 0.0) * second[k]
                total[k] += running[k] * gap
            width += gap
        for k in range(n_draws):  # equal values have no width between them, and weigh nothing
            levels[place, k] = total[k] / width if width > 0 else 0.0
    return levels


def _process(pooled: PooledValues, level: Floats, noise: Floats, edges: NDArray[np.int64]) -> Process:
    """Put a process together; on a circle all is taken about its own median."""
    widths = np.add.reduceat(pooled.gaps, edges[:-1]) if len(pooled.gaps) else np.zeros(len(level))
    if pooled.is_circular:
        # Delon et al. (2010): the circle is cut where F1 - F2 has its median.
        level = level - _medians(level[:, None], widths)[0]
        noise = noise - _medians(noise, widths)
    return Process(widths, level, noise, pooled.is_circular)


def _medians(values: Floats, widths: Floats) -> Floats:
    """Medians [draw] of values [bin, draw] weighted by widths [bin]."""
    order = np.argsort(values, axis=0)
    covered = np.cumsum(widths[order], axis=0)
    middle = (covered < 0.5 * widths.sum()).sum(axis=0)
    return np.take_along_axis(values, np.take_along_axis(order, middle[None], axis=0), axis=0)[0]


def _mean_influence(influences: Floats, counts: Counts) -> Floats:
    """Relative error [draw, property] of the units with the reference's rows drawn so often."""
    is_measured = np.isfinite(influences)
    drawn = counts.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        errors: Floats = (drawn @ np.where(is_measured, influences, 0.0)) / (
            drawn @ is_measured.astype(np.float64)
        )
    # Half of a unit is as far as a linear law may be followed.
    return np.clip(np.nan_to_num(errors), -0.5, 1.0)


def _scatter(processes: Sequence[Process], units: Floats) -> Scatter:
    """Split each process by whether its sign is known, and fold the rest for all shifts."""
    count, draws = len(processes), units.shape[1]
    found = Scatter(
        values=np.empty(count),
        known=np.empty(count),
        linear=np.empty((count, draws)),
        folded=np.empty((count, 2, len(SHIFTS), draws)),
        masses=np.empty(count),
        slopes=np.empty((count, draws)),
        directions=np.empty(count),
    )
    for place, one in enumerate(processes):
        sigma = np.nanstd(one.noise, axis=1)
        is_known = np.abs(one.level) > KNOWN_SIGMA * sigma
        found.values[place] = np.abs(one.level) @ one.widths
        found.known[place] = np.abs(one.level[is_known]) @ one.widths[is_known]
        # Fang & Santos (2019), example 2.2: the derivative is sgn(F1 - F2) z where that is not 0, |z| where it is.
        found.linear[place] = (np.sign(one.level) * one.widths)[is_known] @ one.noise[is_known]
        found.linear[place] -= found.values[place] * units[place]
        rest = one.widths[~is_known], sigma[~is_known], one.noise[~is_known]
        # On a circle a shift of F1 - F2 as a whole is no difference: there the signs of the data are taken.
        signs = np.sign(one.level[~is_known]) if one.is_circular else np.ones(len(rest[0]))
        for direction, sign in enumerate((1.0, -1.0)):
            _fold(
                rest[0],
                sign * signs * rest[1],
                np.ascontiguousarray(rest[2]),
                SHIFTS,
                found.folded[place, direction],
            )
        found.masses[place] = rest[0] @ rest[1]
        found.slopes[place] = one.widths @ one.noise
        spread = float(np.nanstd(found.slopes[place]))
        found.directions[place] = one.widths @ one.level / spread if spread > 0 else 0.0
    return found


@numba.njit(cache=True, nogil=True)
def _fold(widths: Floats, sigma: Floats, noise: Floats, shifts: Floats, folded: Floats) -> None:
    """Fill `folded` [shift, draw] with the integral of |shift sigma + noise|."""
    folded[:] = 0.0
    for place in range(widths.size):
        for step in range(shifts.size):
            shift = shifts[step] * sigma[place]
            for draw in range(noise.shape[1]):
                folded[step, draw] += widths[place] * abs(shift + noise[place, draw])
