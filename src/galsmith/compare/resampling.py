"""Drawing two sets anew: how often each row comes, 1 or more on the one side, -1 or less on the other."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numba
import numpy as np
from numpy.typing import NDArray

from galsmith.errors import SettingsError
from galsmith.seeds import random_stream

Counts = NDArray[np.int16]
Rows = NDArray[np.int64]
Deal = Callable[[int, int], Counts]
"""Gives counts [row] of all rows dealt anew, by seed and number."""
MOST_OFTEN = np.iinfo(np.int16).max


@dataclass(frozen=True)
class Chance:
    """How the uncertainty and the floor are found.

    Attributes
    ----------
    seed : int
        Fixes the draws.
    replicates : int
        Draws of the bootstrap.
    splits : int
        Splits of the reference set for the floor.
    confidence : float
        Of the intervals.
    permutations : int
        Deals of the test that nothing differs, at least; `galsmith.compare.correction.LEAST_DEALS` where that is more.
    """

    seed: int = 0
    replicates: int = 1000
    splits: int = 200
    confidence: float = 0.95
    permutations: int = 1000

    def __post_init__(self) -> None:
        """Refuse numbers from which no interval follows."""
        for name, usual in (("replicates", 1000), ("splits", 200), ("permutations", 1000)):
            if getattr(self, name) < 2:
                raise SettingsError(
                    argument=name, came=getattr(self, name), wanted=f"2 or more ({usual} are usual)"
                )
        if not 0 < self.confidence < 1:
            raise SettingsError(
                argument="confidence", came=self.confidence, wanted="a share between 0 and 1, such as 0.95"
            )


def itself(n_reference: int, n_generated: int) -> Counts:
    """Take the two sets as they are: 1 for the reference's rows, -1 for the generated set's."""
    return np.repeat(np.array([1, -1], dtype=np.int16), [n_reference, n_generated])


def drawn_counts(n_reference: int, n_generated: int, seed: int, replicate: int) -> Counts:
    """Draw both sets anew from themselves: how often each row comes, those of the generated set below 0."""
    rng = random_stream(seed, "compare.bootstrap", replicate)
    counts = np.zeros(n_reference + n_generated, dtype=np.int16)
    _count(rng.integers(0, n_reference, n_reference, dtype=np.uint32), counts[:n_reference], 1)
    _count(rng.integers(0, n_generated, n_generated, dtype=np.uint32), counts[n_reference:], -1)
    return counts


@numba.njit(cache=True, nogil=True)
def _count(drawn: NDArray[np.uint32], counts: Counts, sign: int) -> None:
    """Add `sign` to the count of each row drawn."""
    for row in drawn:
        counts[row] += sign


def drawn_sets(rows: tuple[int, int], sizes: tuple[int, int], seed: int, purpose: str, count: int) -> Counts:
    """Draw sets from two populations with replacement: how often each row comes, below 0 for the second.

    Parameters
    ----------
    rows, sizes : tuple of int
        Rows of the two populations; galaxies of the two sets.
    seed, purpose
        Of the draws.
    count : int
        How many pairs of sets.

    Returns
    -------
    ndarray [draw, row], int16
    """
    drawn = np.zeros((count, sum(rows)), dtype=np.int16)
    for number in range(count):
        rng = random_stream(seed, purpose, number)
        # Independent draws from a law: what is in both sets twice is so by chance, as it is in cards.
        drawn[number, : rows[0]] = np.bincount(rng.integers(0, rows[0], sizes[0]), minlength=rows[0])
        drawn[number, rows[0] :] = -np.bincount(rng.integers(0, rows[1], sizes[1]), minlength=rows[1])
    return drawn


def dealt_sets(rows: tuple[int, int], sizes: tuple[int, int], seed: int, purpose: str, count: int) -> Counts:
    """Draw both sets from two populations together, each population as often as its set is large.

    Parameters
    ----------
    rows, sizes, seed, purpose, count
        As `drawn_sets` takes them.

    Returns
    -------
    ndarray [draw, row], int16
        All rows twice over: those of the first set, then below 0 those of the second.
    """
    drawn = np.zeros((count, 2 * sum(rows)), dtype=np.int16)
    # Of all galaxies of a card so many come from the first population.
    share = sizes[0] / sum(sizes)
    for number in range(count):
        rng = random_stream(seed, f"{purpose}.dealt", number)
        for side, (size, sign) in enumerate(zip(sizes, (1, -1), strict=True)):
            # Hypergeometric in a deal of one card; binomial over all cards.
            n_first = rng.binomial(size, share)
            chosen = np.concatenate(
                [rng.integers(0, rows[0], n_first), rows[0] + rng.integers(0, rows[1], size - n_first)]
            )
            place = slice(side * sum(rows), (side + 1) * sum(rows))
            drawn[number, place] = sign * np.bincount(chosen, minlength=sum(rows))
    return drawn


def half_sample(n_reference: int, n_generated: int, seed: int, number: int) -> Counts:
    """Draw half of each set without replacement.

    Its spread about the whole is that of the whole about the truth (McCarthy 1969), and no row comes twice, which
    would count as a difference that there is not.
    """
    return _chosen(
        # A half scatters about the whole by sqrt(2/n - 1/n) sigma, as the whole does about the truth.
        (n_reference, n_generated),
        (n_reference // 2, n_generated // 2),
        seed,
        "compare.half",
        number,
    )


def subset(n_reference: int, n_generated: int, size: int, seed: int, number: int) -> Counts:
    """Draw so many rows of each set, as papers take them for the kernel distance."""
    return _chosen((n_reference, n_generated), (size, size), seed, "compare.kernel_subset", number)


def _chosen(sizes: tuple[int, int], wanted: tuple[int, int], seed: int, purpose: str, number: int) -> Counts:
    """Draw rows of both sets without replacement."""
    rng = random_stream(seed, purpose, number)
    counts = np.zeros(sum(sizes), dtype=np.int16)
    counts[rng.choice(sizes[0], wanted[0], replace=False)] = 1
    counts[sizes[0] + rng.choice(sizes[1], wanted[1], replace=False)] = -1
    return counts


def dealt_counts(n_reference: int, n_generated: int, seed: int, number: int) -> Counts:
    """Deal all rows into two sets of the same sizes: +1 in the first, -1 in the second."""
    shuffled = random_stream(seed, "compare.permutation", number).permutation(n_reference + n_generated)
    counts = np.full(n_reference + n_generated, -1, dtype=np.int16)
    counts[shuffled[:n_reference]] = 1  # Without replacement: every row is dealt to one side.
    return counts


@dataclass(frozen=True)
class GalaxyGroups:
    """Which rows of two sets are of one galaxy, so that a galaxy that is there twice is dealt once.

    Where nothing differs galaxies are exchangeable, and how often each side shows its own is not: a deal gives every
    place of a side another galaxy, as often as that place has its own.

    Attributes
    ----------
    reference, generated : ndarray [row], int64
        Rows of one number are of one galaxy; the two sides have none in common.
    """

    reference: Rows
    generated: Rows

    @classmethod
    def of_sizes(cls, n_reference: int, n_generated: int) -> "GalaxyGroups":
        """Take each row for a galaxy of its own."""
        return cls(np.arange(n_reference), np.arange(n_generated))

    @property
    def is_plain(self) -> bool:
        """Whether each row is a galaxy of its own."""
        return all(len(np.unique(side)) == len(side) for side in (self.reference, self.generated))

    def of_rows(self, reference: Rows, generated: Rows) -> "GalaxyGroups":
        """Take some rows of either set."""
        return GalaxyGroups(self.reference[reference], self.generated[generated])

    def once(self) -> tuple[Rows, Rows]:
        """Rows of either set, one of each galaxy."""
        first, second = (
            np.sort(np.unique(side, return_index=True)[1]) for side in (self.reference, self.generated)
        )
        return first, second

    @property
    def effective(self) -> tuple[float, float]:
        """Galaxies of equal share that scatter as either side does: n^2 / sum m^2 (Kish 1965); n where none repeats."""
        first, second = (
            len(side) ** 2 / float((np.unique(side, return_counts=True)[1] ** 2).sum())
            for side in (self.reference, self.generated)
        )
        return first, second

    @property
    def size_of_parts(self) -> int:
        """Galaxies of each part of the reference set for the floor, as `size_of_parts` has them of sets without repeats."""
        first, second = self.effective
        return size_of_parts(round(first), round(second))

    @property
    def floor_scale(self) -> float:
        """Share 1/n + 1/m of the two sets over 2/n of the parts: what a squared distance of sampling alone grows by."""
        first, second = self.effective
        return (1 / first + 1 / second) * self.size_of_parts / 2

    def draw(self) -> Deal:
        """Give counts of galaxies drawn anew with replacement, each side from itself; `drawn_counts` where none repeats.

        A galaxy brings all its rows, as in a bootstrap of clusters: a set that has each galaxy twice scatters as the set of
        these galaxies does.
        """
        if self.is_plain:
            return partial(drawn_counts, len(self.reference), len(self.generated))
        sides = [np.unique(side, return_inverse=True)[1] for side in (self.reference, self.generated)]
        n_first, n_second = (int(side.max()) + 1 for side in sides)
        galaxy = np.concatenate([sides[0], n_first + sides[1]])

        def drawn(seed: int, number: int) -> Counts:
            return drawn_counts(n_first, n_second, seed, number)[galaxy]

        return drawn

    def split(self) -> Deal:
        """Give counts of the reference's rows in two parts of `size_of_parts` galaxies, each shown by one of its rows."""
        n_each = self.size_of_parts
        if len(np.unique(self.reference)) == len(self.reference):
            return partial(split_counts, len(self.reference), n_each)
        galaxy = np.unique(self.reference, return_inverse=True)[1]
        return partial(_split_groups, np.argsort(galaxy, kind="stable"), np.bincount(galaxy), n_each)

    def deal(self) -> Deal:
        """Give counts of all rows dealt anew, by seed and number; `dealt_counts` where no galaxy comes twice."""
        sizes = len(self.reference), len(self.generated)
        if self.is_plain:
            return partial(dealt_counts, *sizes)
        sides = [np.unique(side, return_inverse=True)[1] for side in (self.reference, self.generated)]
        n_first = int(sides[0].max()) + 1
        galaxy = np.concatenate([sides[0], n_first + sides[1]])
        return partial(_dealt_groups, np.argsort(galaxy, kind="stable"), np.bincount(galaxy), n_first)


def _dealt_groups(by_galaxy: Rows, sizes: Rows, n_first: int, seed: int, number: int) -> Counts:
    """Deal galaxies [galaxy] to places of these sizes, of which `n_first` are on the first side."""
    rng = random_stream(seed, "compare.permutation", number)
    # Rows of a galaxy may differ, as measured images of it do: one of them stands for it.
    chosen = by_galaxy[np.cumsum(sizes) - sizes + rng.integers(0, sizes)]
    counts = np.zeros(len(by_galaxy), dtype=np.int16)
    signed = np.where(np.arange(len(sizes)) < n_first, sizes, -sizes)
    counts[chosen[rng.permutation(len(sizes))]] = np.clip(signed, -MOST_OFTEN, MOST_OFTEN)
    return counts


def _split_groups(by_galaxy: Rows, sizes: Rows, n_each: int, seed: int, number: int) -> Counts:
    """Split galaxies, of which one row by chance stands for each."""
    rng = random_stream(seed, "compare.floor.row", number)
    counts = np.zeros(len(by_galaxy), dtype=np.int16)
    chosen = by_galaxy[np.cumsum(sizes) - sizes + rng.integers(0, sizes)]
    counts[chosen] = split_counts(len(sizes), n_each, seed, number)
    return counts


def stacked(draw: Callable[[int], Counts], count: int) -> Counts:
    """Stack counts [draw, row] of draws 0 to `count` - 1."""
    return np.stack([draw(number) for number in range(count)])


def rows_of_sides(counts: Counts) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the one and of the other set, each as often as it is drawn."""
    rows = np.arange(len(counts))
    return np.repeat(rows, np.maximum(counts, 0)), np.repeat(rows, np.maximum(-counts, 0))


def size_of_parts(n_reference: int, n_generated: int) -> int:
    """Rows n of each part of the reference set, so that 2/n = 1/`n_reference` + 1/`n_generated` if it can."""
    # The harmonic mean of the two sizes.
    wanted = round(2 * n_reference * n_generated / (n_reference + n_generated))
    return max(1, min(n_reference // 2, wanted))


def split_counts(n_rows: int, n_each: int, seed: int, split: int) -> Counts:
    """Draw one random split: +1 in the first part, -1 in the second, 0 in neither."""
    shuffled = random_stream(seed, "compare.floor", split).permutation(n_rows)
    counts = np.zeros(n_rows, dtype=np.int16)
    counts[shuffled[:n_each]] = 1
    counts[shuffled[n_each : 2 * n_each]] = -1
    return counts
