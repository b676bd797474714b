"""The smallest dose of each fault that nine of ten cards of these sizes tell apart: `measured_doses`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from scipy.stats import norm

from galsmith.compare.evidence.families import FAMILIES
from galsmith.compare.marginal.columns import ColumnPair, pair_columns
from galsmith.compare.memory.copies import REFERENCE, TRAINING, Copies
from galsmith.compare.papers import Choices
from galsmith.compare.power.core import (
    CORE_FAMILIES,
    PAIRS,
    Limits,
    core_distances,
    correlation_differences,
    limits_of,
    null_numbers,
    population_rows,
    told_draws,
)
from galsmith.compare.power.doses import FAULTS, WITHIN, AlterRows, Fault, untried
from galsmith.compare.power.likeness import PILOT, Search, found_shares, searches_of, share_told
from galsmith.compare.resampling import drawn_sets
from galsmith.compare.tables import ReadyPair
from galsmith.compare.verdict import VisibleDose
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageSet
from galsmith.seeds import derive_seed, random_stream

OFTEN = 0.9
# Shares are known to 0.02: the standard deviation of 200 draws at a share of 0.9.
DRAWS = 200
# Faults that strike some galaxies strike others each time.
ALTERED_TABLES = 10
NO_IMAGES = "the images of the reference set were not given"
NOT_SEARCHED = {
    TRAINING: "the training images are not known",
    REFERENCE: "there are too few images",
    WITHIN: "there are too few images",
}

# The family of evidence of each search.
SEARCHED_BY = {TRAINING: "copies", REFERENCE: "identity", WITHIN: "repeats"}

Told = dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Seen:
    """How often a dose is seen.

    Attributes
    ----------
    share : float
        Of the cards.
    by : str
        The family that sees it most often; empty where none can.
    """

    share: float
    by: str


class AlteredImages(Protocol):
    """Some of the reference's images, as they are and measured with faults put in."""

    @property
    def n_bands(self) -> int:
        """Bands of the images."""

    @property
    def has_noise(self) -> bool:
        """Whether their sky varies in every band."""

    @property
    def why_not(self) -> str:
        """Why there are none; empty where there are."""

    def some(self, count: int) -> ImageSet:
        """Take so many of the images by chance, or all."""

    def table(self, fault: Fault | None, dose: float) -> QTable:
        """Measure the images with a fault of some dose; as they are for None."""


@dataclass(frozen=True)
class _Cards:
    """How cards are drawn from a population and judged.

    Attributes
    ----------
    base : QTable
        The population where nothing differs.
    pairs_of : callable
        Makes the pairs of columns of two populations.
    columns : tuple of str
        Properties that enter the means.
    sizes : tuple of int
        Galaxies of the two sets.
    seed : int
        Of the draws.
    """

    base: QTable
    pairs_of: Callable[[QTable, QTable], list[ColumnPair]]
    columns: tuple[str, ...]
    sizes: tuple[int, int]
    seed: int

    def against(self, altered: QTable) -> list[ColumnPair]:
        """Pair the columns of the base with those of an altered population."""
        return self.pairs_of(self.base, altered)

    def limits(self, pairs: Sequence[ColumnPair], purpose: str) -> Limits:
        """From where on numbers are told in cards of the base against an altered population."""
        return limits_of(null_numbers(pairs, self.sizes, self.seed, purpose))

    def told(self, pairs: Sequence[ColumnPair], limits: Limits, purpose: str, count: int) -> Told:
        """Which of `count` cards of the base against an altered population are told, by family."""
        rows = len(pairs[0].reference), len(pairs[0].generated)
        counts = drawn_sets(rows, self.sizes, self.seed, purpose, count)
        found = told_draws(core_distances(pairs, counts), limits)
        unseen = ~np.any(list(found.values()), axis=0) if found else np.ones(count, dtype=bool)
        if unseen.any():  # Correlations cost most, and are asked last.
            differences = correlation_differences(pairs, counts[unseen])
            by_pairs = told_draws({PAIRS: differences}, limits).get(PAIRS)
            if by_pairs is not None:
                found[PAIRS] = np.zeros(count, dtype=bool)
                found[PAIRS][unseen] = by_pairs
        return found


def measured_doses(
    pair: ReadyPair,
    choices: Choices,
    images: AlteredImages | None = None,
    copies: Copies | None = None,
    *,
    progress: ProgressCallback = ignore_progress,
) -> tuple[VisibleDose, ...]:
    """Find the smallest dose of each fault of `FAULTS` that nine of ten cards of these sizes tell apart.

    Cards are drawn from the reference set, taken as the law of all galaxies: the reference's side with replacement from it
    as it is, the generated side from it with the fault put in. What is told is decided by the core of a card (single
    properties, means, correlations of two), at the level that a family of a card may spend; the limits come from cards
    that are dealt from both populations together, as the deals of a card are. Copies and repeats are told by the searches
    for them: how surely these find an altered image is measured, how many they have to find is the law of their own exact
    tests. Joint statistics, classifiers and features are left out: a whole card sees a little more.

    Parameters
    ----------
    pair : ReadyPair
        Its reference is the population, its sizes are those of the cards.
    choices : Choices
        How sets are compared.
    images : AlteredImages, optional
        Faults of images are tried on these.
    copies : Copies, optional
        What was looked for in the card, which says how many images its searches see.
    progress : callable
        Told of the faults.

    Returns
    -------
    tuple of VisibleDose
        In the order of `FAULTS`.
    """
    seed = derive_seed(choices.chance.seed, "compare.power")
    # The rows that the cuts left are the law of galaxies.
    whole = pair.tables[0]
    by_rows = _cards(whole[population_rows(len(whole), seed)], pair, choices, seed)
    by_images = None
    if images is not None and not images.why_not:
        by_images = _cards(images.table(None, 0.0), pair, choices, seed)
    by_likeness = _by_likeness(images, copies, seed)
    found = []
    for number, fault in enumerate(FAULTS.values()):
        if fault.alter_rows is not None:
            found.append(_sought(fault, by_rows, _altered_rows(fault.name, fault.alter_rows, by_rows)))
        elif images is None or by_images is None:
            found.append(untried(fault, NO_IMAGES if images is None else images.why_not))
        elif fault.searched:
            found.append(_sought_by_likeness(fault, by_likeness))
        elif reason := _why_untried(fault, images):
            found.append(untried(fault, reason))
        else:
            found.append(_sought(fault, by_images, _altered_images(fault, images, by_images)))
        progress(ProgressEvent("power, known faults", number + 1, len(FAULTS), "faults"))
    return tuple(found)


def smallest_dose(fault: Fault, seen_at: Callable[[float], Seen]) -> VisibleDose:
    """Seek the smallest dose that is seen in nine of ten cards, by halving the ladder of doses.

    Parameters
    ----------
    fault : Fault
        With its ladder.
    seen_at : callable
        Gives how often a dose is seen.
    """
    found: dict[int, Seen] = {}
    low, high = -1, len(fault.doses)
    while high - low > 1:
        # Bisection: shares grow with the dose, but for the scatter of 200 draws.
        middle = (low + high) // 2
        found[middle] = seen_at(fault.doses[middle])
        low, high = (low, middle) if found[middle].share >= OFTEN else (middle, high)
    tried = tuple((fault.doses[place], found[place].share) for place in sorted(found))
    if high == len(fault.doses):
        return VisibleDose(fault.name, fault.words, np.nan, (fault.doses[-1], np.nan), tried)
    ends = (fault.doses[low] if low >= 0 else 0.0, fault.doses[high])
    smallest = ends[1] if low < 0 else _between(ends, (found[low].share, found[high].share))
    return VisibleDose(fault.name, fault.words, smallest, ends, tried, FAMILIES[found[high].by].title)


def seen_by(told: Told) -> Seen:
    """Count which cards any family tells, and name the family that tells most."""
    if not told:
        return Seen(0.0, "")
    shares = {family: float(values.mean()) for family, values in told.items()}
    share = float(np.any(list(told.values()), axis=0).mean())
    return Seen(share, max(shares, key=lambda family: shares[family]))


def _between(doses: tuple[float, float], shares: tuple[float, float]) -> float:
    """Dose at which the share is `OFTEN`: on a line of normal quantiles against the dose's logarithm."""
    # Shares of 0 and 1 of 200 draws are less and more than half a draw from the end (Agresti 2002, section 2.4.1).
    least = 0.5 / DRAWS
    low, high = (float(norm.ppf(np.clip(share, least, 1 - least))) for share in shares)
    part = (float(norm.ppf(OFTEN)) - low) / (high - low)
    return float(np.exp(np.log(doses[0]) + part * (np.log(doses[1]) - np.log(doses[0]))))


def _cards(base: QTable, pair: ReadyPair, choices: Choices, seed: int) -> _Cards:
    """Make cards of a population ready."""

    def pairs_of(one: QTable, other: QTable) -> list[ColumnPair]:
        return pair_columns(
            one,
            other,
            list(pair.columns),
            pair.normalization,
            binning=choices.binning,
            groups=choices.paper.groups,
        )

    sizes = len(pair.tables[0]), len(pair.tables[1])
    same = pairs_of(base, base)
    columns = tuple(dict.fromkeys(item.column for item in same if item.in_means and not item.reason))
    return _Cards(base, pairs_of, columns, sizes, seed)


def _why_untried(fault: Fault, images: AlteredImages) -> str:
    """Say what images lack for a fault; empty where nothing."""
    if images.n_bands < fault.n_bands:
        return f"the images have {images.n_bands} band"
    return "the images have no noise" if fault.needs_noise and not images.has_noise else ""


def _sought(fault: Fault, cards: _Cards, seen_at: Callable[[float], Seen]) -> VisibleDose:
    """Seek the smallest visible dose; a population of which nothing counts has none."""
    if not cards.columns:
        return untried(fault, "no property of the means can be compared")
    return smallest_dose(fault, seen_at)


def _by_likeness(
    images: AlteredImages | None, copies: Copies | None, seed: int
) -> dict[str, tuple[Search, float]]:
    """Find the searches of a card, and how surely each finds an altered image of the reference."""
    if images is None or images.why_not or copies is None:
        return {}
    searches, found = searches_of(copies), found_shares(images.some(PILOT), seed)
    return {name: (search, found[name]) for name, search in searches.items() if name in found}


def _sought_by_likeness(fault: Fault, by_likeness: Mapping[str, tuple[Search, float]]) -> VisibleDose:
    """Seek the smallest share of altered images that the search for them tells."""
    if fault.searched not in by_likeness:
        return untried(fault, NOT_SEARCHED[fault.searched])
    search, found = by_likeness[fault.searched]
    family = SEARCHED_BY[fault.searched]
    return smallest_dose(fault, lambda dose: Seen(share_told(search, found, dose), family))


def _altered_rows(name: str, alter: AlterRows, cards: _Cards) -> Callable[[float], Seen]:
    """Cards against tables with a fault, several of each dose."""

    def seen_at(dose: float) -> Seen:
        purposes = [f"compare.power.{name}.{dose:g}.{number}" for number in range(ALTERED_TABLES)]
        altered = [
            cards.against(alter(cards.base, dose, random_stream(cards.seed, purpose), cards.columns))
            for purpose in purposes
        ]
        # Tables of one dose are alike in law, and so are the limits of their cards.
        limits = cards.limits(altered[0], purposes[0])
        n_each = DRAWS // ALTERED_TABLES
        told = [
            cards.told(pairs, limits, purpose, n_each)
            for pairs, purpose in zip(altered, purposes, strict=True)
        ]
        return seen_by(_joined(told))

    return seen_at


def _altered_images(fault: Fault, images: AlteredImages, cards: _Cards) -> Callable[[float], Seen]:
    """Cards against measured images with a fault."""

    def seen_at(dose: float) -> Seen:
        purpose = f"compare.power.{fault.name}.{dose:g}"
        pairs = cards.against(images.table(fault, dose))
        return seen_by(cards.told(pairs, cards.limits(pairs, purpose), purpose, DRAWS))

    return seen_at


def _joined(parts: Sequence[Told]) -> Told:
    """Put the cards of several altered tables together; a family that one lacks tells nothing there."""
    n_each = DRAWS // ALTERED_TABLES
    nothing = np.zeros(n_each, dtype=bool)
    families = [family for family in CORE_FAMILIES if any(family in part for part in parts)]
    return {family: np.concatenate([part.get(family, nothing) for part in parts]) for family in families}
