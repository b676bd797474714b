"""Whether two sets cover the same ground: precision, recall, density and coverage, from exact nearest neighbors."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from galsmith.compare.complete_rows import checked_rows, choose_rows
from galsmith.compare.correction import LEAST_DEALS, dealt_tests
from galsmith.compare.estimates import share_statistics
from galsmith.compare.records import Support
from galsmith.compare.resampling import Chance, Counts, dealt_counts, half_sample, split_counts
from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.seeds import derive_seed

Floats = NDArray[np.float64]

MOST_ROWS = 10_000
COMMON = (
    "as many random images of either set, {most:,} at most; the interval is that of random "
    "halves of both sets; the floor is between halves of the reference; the test is two-sided."
)
DEFINITIONS = {
    "precision": "Share of generated galaxies in the neighborhood, out to the {k}-th neighbor, of a real one "
    "(Kynkäänniemi et al. 2019); ",
    "recall": "Share of real galaxies in the neighborhood, out to the {k}-th neighbor, of a generated one "
    "(Kynkäänniemi et al. 2019); ",
    "density": "Mean number of real neighborhoods, out to the {k}-th neighbor, in which a generated galaxy lies, over "
    "{k} (Naeem et al. 2020); ",
    "coverage": "Share of real galaxies whose neighborhood, out to the {k}-th neighbor, holds a generated one "
    "(Naeem et al. 2020); ",
}
Neighbors = NDArray[np.int32]
ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Neighborhoods:
    """Balls around the galaxies of one set, out to their k-th neighbor there, and what lies in them.

    Attributes
    ----------
    inside : ndarray [row of the other set], int64
        In how many balls a galaxy of the other set lies.
    is_reached : ndarray [row of this set], bool
        Whether the ball of a galaxy holds any galaxy of the other set.
    nearest : ndarray [row of this set, neighbor], int32
        The nearest galaxies of both sets together, the nearest first and itself left out; rows of the second
        set follow those of the first.
    nearest_own : ndarray [row of this set, neighbor], int32
        The nearest galaxies of this set, as rows of it.
    """

    inside: NDArray[np.int64]
    is_reached: NDArray[np.bool_]
    nearest: Neighbors
    nearest_own: Neighbors


def support(
    reference: ArrayLike,
    generated: ArrayLike,
    *,
    k: int = 5,
    seed: int = 0,
    replicates: int = 200,
    splits: int = 100,
    permutations: int = LEAST_DEALS,
    confidence: float = 0.95,
    progress: ProgressCallback = ignore_progress,
) -> Support:
    """Precision, recall, density and coverage of a generated set.

    Neighbors are exact and Euclidean, so that columns must have one unit, as features do. Parts and deals
    count with lists of nearest neighbors that were made once.

    Parameters
    ----------
    reference, generated : array_like [galaxy, feature], float
        Finite numbers.
    k : int
        Which neighbor a neighborhood reaches to (5 in Naeem et al. 2020, 3 in Kynkäänniemi et al. 2019).
    seed : int
        Fixes all draws.
    replicates, splits, permutations : int
        Draws of the bootstrap; splits of the reference for the floor; deals of the test that nothing differs.
    confidence : float
        Of the intervals.
    progress : callable
        Told of the test's deals.

    Returns
    -------
    Support

    Raises
    ------
    SettingsError
        If an argument is out of range.
    InputError
        If a set has fewer than 4 `k` galaxies, values that are not finite, or another number of features.
    """
    chance = Chance(seed, replicates, splits, confidence, permutations)
    if k < 1:
        raise SettingsError(argument="k", came=k, wanted="1 or more (5 is usual)")
    names = [str(number) for number in range(np.shape(reference)[-1] if np.ndim(reference) else 0)]
    given = checked_rows(reference, generated, names, minimum=4 * k)
    n_each = min(len(given[0]), len(given[1]), MOST_ROWS)
    points = np.concatenate(
        [
            side[choose_rows(len(side), n_each, seed=seed, purpose=f"compare.support.{role}")]
            for role, side in zip(("reference", "generated"), given, strict=True)
        ]
    )
    sides = neighborhoods(points, n_each, k=k, listed=_listed(k))
    return _support(*sides, k=k, chance=chance, progress=progress)


def _support(
    real: Neighborhoods, generated: Neighborhoods, *, k: int, chance: Chance, progress: ProgressCallback
) -> Support:
    """Make the four records."""
    n_each = len(real.inside)
    judged = _judged(real, generated, k=k)
    values = np.array([item.mean() for item in judged.values()])
    floors = _floors(real.nearest_own, k=k, seed=chance.seed, splits=chance.splits)
    nearest = np.concatenate([real.nearest, generated.nearest])
    seed = derive_seed(chance.seed, "compare.support")
    drawn = _halves(nearest, values, k=k, seed=seed, replicates=chance.replicates)
    dealt = _dealt(nearest, k=k, seed=chance.seed, permutations=chance.permutations, progress=progress)
    # Two-sided: precision may be too high as well as too low, and its mean without difference is not 1/2.
    center = dealt.mean(axis=0)
    tests = dealt_tests(np.abs(values - center), np.abs(dealt - center))
    found = share_statistics(
        {name: (DEFINITIONS[name] + COMMON).format(k=k, most=MOST_ROWS) for name in judged},
        values,
        drawn=drawn,
        floors=floors,
        p_values=tests.p_values,
        confidence=chance.confidence,
        sizes=(n_each, n_each),
        trials=dict.fromkeys(("precision", "recall", "coverage"), n_each),
    )
    together = dict(zip(judged, map(float, tests.corrected), strict=True))
    return Support(**found, p_together=together)


def _judged(real: Neighborhoods, generated: Neighborhoods, *, k: int) -> dict[str, Floats]:
    """Count what each galaxy adds to the means, by name of the mean."""
    return {
        "precision": (real.inside > 0).astype(np.float64),  # Kynkäänniemi et al. (2019), eq. 1 and 2.
        "recall": (generated.inside > 0).astype(np.float64),
        "density": real.inside / k,  # Naeem et al. (2020), section 3.
        "coverage": real.is_reached.astype(np.float64),  # Naeem et al. (2020), section 3.
    }


def _halves(nearest: Neighbors, values: Floats, *, k: int, seed: int, replicates: int) -> Floats:
    """Means [replicate, name] that scatter as the four do, from halves of both sets drawn without replacement.

    A half scatters about the whole as the whole about the truth (McCarthy 1969), neighborhoods with it, which galaxies
    drawn twice would shrink to nothing. A half has wider neighborhoods, so that only its scatter counts.
    """
    count = len(nearest) // 2
    halves = (half_sample(count, count, seed, number) for number in range(replicates))
    drawn = np.array([_by_lists(nearest, half, k=k) for half in halves])
    centered: Floats = drawn - drawn.mean(axis=0) + values
    # A share is none below 0; density is no share, and may exceed 1.
    return np.clip(centered, 0.0, [np.inf if name == "density" else 1.0 for name in DEFINITIONS])


def _floors(nearest: Neighbors, *, k: int, seed: int, splits: int) -> Floats:
    """All four [split, name] between two halves of the reference set."""
    count = len(nearest)
    # Counted by lists of neighbors that were made once.
    halves = (split_counts(count, count // 2, seed, split) for split in range(splits))
    return np.array([_by_lists(nearest, half, k=k) for half in halves])


def _dealt(nearest: Neighbors, *, k: int, seed: int, permutations: int, progress: ProgressCallback) -> Floats:
    """All four [permutation, name] with the galaxies of both sets dealt anew."""
    count = len(nearest) // 2
    found = np.empty((permutations, len(DEFINITIONS)))
    for number in range(permutations):
        found[number] = _by_lists(nearest, dealt_counts(count, count, seed, number), k=k)
        if (number + 1) % 50 == 0 or number + 1 == permutations:
            progress(ProgressEvent("support", number + 1, permutations, "permutations"))
    return found


def _by_lists(nearest: Neighbors, counts: Counts, *, k: int) -> tuple[float, float, float, float]:
    """Precision, recall, density and coverage of the rows with -1 against those with +1.

    A row of the other set lies in a neighborhood if fewer than k rows of the own set come before it in the
    list of nearest neighbors.
    """
    real, generated = np.flatnonzero(counts > 0), np.flatnonzero(counts < 0)
    around_real, around_generated = (
        _inside(nearest[own], sign * counts, k=k) for own, sign in ((real, 1), (generated, -1))
    )
    return (
        _share_found(nearest[real], around_real, counts < 0),
        _share_found(nearest[generated], around_generated, counts > 0),
        float(around_real.sum() / (k * len(generated))),
        float(around_real.any(axis=1).mean()),
    )


def _inside(nearest: Neighbors, signs: Counts, *, k: int) -> NDArray[np.bool_]:
    """Which listed rows [row, neighbor] are of the other set and inside of the neighborhood."""
    sets = signs.astype(np.int8)[nearest]
    # Fewer than k own rows before it: nearer than the k-th own neighbor.
    return (sets < 0) & (np.cumsum(sets > 0, axis=1, dtype=np.int16) < k)


def _share_found(nearest: Neighbors, inside: NDArray[np.bool_], members: NDArray[np.bool_]) -> float:
    """Share of a set's rows that lie in any neighborhood."""
    found = np.zeros(len(members), dtype=bool)
    found[nearest[inside]] = True
    return float(found.sum() / members.sum())


def _listed(k: int) -> int:
    """Neighbors to list so that a half of them at random holds k, but for one list in 10^8."""
    return 8 * k + 24  # A list of L rows holds about Binomial(L, 1/2) own ones.


def neighborhoods(
    points: Floats, n_first: int, *, k: int, listed: int
) -> tuple[Neighborhoods, Neighborhoods]:
    """Find the neighborhoods of both sets.

    Parameters
    ----------
    points : ndarray [row, feature], float64
        Of both sets, the first set's before the second's.
    n_first : int
        Rows of the first set; both have more than `k`.
    k : int
        Which neighbor a ball reaches to.
    listed : int
        How many nearest neighbors are listed, fewer where there are fewer.
    """
    centered = points - points.mean(axis=0)
    squares = (centered**2).sum(axis=1)
    sides = slice(0, n_first), slice(n_first, len(points))
    first, second = (
        _of_one_side(_squared_distances(centered, squares, own), own, other, len(points), k=k, listed=listed)
        for own, other in (sides, sides[::-1])
    )
    return first, second


def _squared_distances(points: Floats, squares: Floats, own: slice) -> Iterator[Floats]:
    """Squared distances of a block of one side's rows to all rows; infinite to itself."""
    for start in range(own.start, own.stop, ROWS_AT_ONCE):
        here = slice(start, min(start + ROWS_AT_ONCE, own.stop))
        # |x - y|^2 = |x|^2 - 2 x.y + |y|^2, about the common mean so that little cancels.
        block = squares[here, None] - 2 * (points[here] @ points.T) + squares
        np.maximum(block, 0.0, out=block)
        block[np.arange(here.stop - start), np.arange(start, here.stop)] = np.inf
        yield block


def _of_one_side(
    blocks: Iterator[Floats], own: slice, other: slice, n_points: int, *, k: int, listed: int
) -> Neighborhoods:
    """Put the blocks of one side together."""
    inside = np.zeros(other.stop - other.start, dtype=np.int64)
    reached, nearest, nearest_own = [], [], []
    for block in blocks:
        # The k-th smallest of each row, itself being at infinity.
        radii = np.partition(block[:, own], k - 1, axis=1)[:, k - 1, None]
        within = block[:, other] <= radii
        inside += within.sum(axis=0)
        reached.append(within.any(axis=1))
        nearest.append(_nearest(block, min(listed, n_points - 1)))
        nearest_own.append(_nearest(block[:, own], min(listed, own.stop - own.start - 1)))
    return Neighborhoods(
        inside, np.concatenate(reached), np.concatenate(nearest), np.concatenate(nearest_own)
    )


def _nearest(distances: Floats, listed: int) -> Neighbors:
    """Positions of the smallest entries of each row, ascending."""
    some = np.argpartition(distances, listed - 1, axis=1)[:, :listed]
    order = np.argsort(np.take_along_axis(distances, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1).astype(np.int32)
