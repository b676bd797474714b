"""Copies and repeats that a card tells: how surely its searches find an altered image, and their own exact tests."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from galsmith.compare.correction import FAMILY_LEVEL
from galsmith.compare.memory.copies import (
    ALWAYS,
    MINIMUM_IMAGES,
    RANKS,
    REFERENCE,
    TRAINING,
    Copies,
    described,
    halves,
    ratios_of,
)
from galsmith.compare.memory.log_polar import RINGS_MOVED, likest_rows
from galsmith.compare.memory.memorization import rank_of
from galsmith.compare.memory.repeats import CLOSEST_PAIRS, closest_ratios, ratios_to
from galsmith.compare.power.doses import WITHIN, posed
from galsmith.images import ImageSet, image_set_from_arrays
from galsmith.seeds import random_stream

# Images that are looked at, as many as a search of the reference takes, and how many of them are altered.
PILOT, ALTERED = 2 * ALWAYS, 400
# Tests that share the level of a family: Holm's first step, and the two blocks of copies of training images.
TESTS = {TRAINING: 2 * 3, REFERENCE: 3, WITHIN: 2}
STEPS = 200
NO_SKY = np.zeros(0)


@dataclass(frozen=True)
class Search:
    """One search of a card, in its sizes.

    Attributes
    ----------
    searched : str
        As in `galsmith.compare.power.doses.Fault`.
    n_generated, n_compared : int
        Images of the generated set, and those that are looked at.
    n_held_out : int
        Images of the yardstick; of repeats none.
    part : float
        Share of the searched set that is looked at.
    """

    searched: str
    n_generated: int
    n_compared: int
    n_held_out: int = 0
    part: float = 1.0


def searches_of(copies: Copies) -> dict[str, Search]:
    """Read from a card which searches it made, and in what sizes.

    Parameters
    ----------
    copies : Copies
        Of the card.
    """
    repeats = copies.repeats
    found = {}
    for search in copies.searches:
        # Of the training set all are looked at; of the reference one half of some.
        whole = next(item.share.n_reference for item in copies.twins if item.searched == REFERENCE)
        part = search.n_searched / whole if search.searched == REFERENCE else 1.0
        sizes = repeats.n_generated, search.n_generated, search.n_held_out
        found[search.searched] = Search(search.searched, *sizes, part)
    if repeats.closest_pairs is not None:
        found[WITHIN] = Search(WITHIN, repeats.n_generated, repeats.n_compared)
    return found


def found_shares(images: ImageSet, seed: int) -> dict[str, float]:
    """How surely each search finds an altered image, on images of the reference.

    One half is searched, the other is the yardstick. Found is an image that stands out more than all but 1 % of the
    yardstick's; of repeats one that is closer to its own than any but three of the closest pairs of real galaxies, for
    so many may be among the closest twenty.

    Parameters
    ----------
    images : ImageSet
        Of the reference, `PILOT` at most.
    seed : int
        Of the choice and of the alterations.

    Returns
    -------
    dict of str to float
        Empty where the images are too few.
    """
    chosen = random_stream(seed, "compare.power.altered").permutation(len(images))[:ALTERED]
    altered = [
        posed(images[row], 1.0, random_stream(seed, "compare.power.pose", int(row)), NO_SKY) for row in chosen
    ]
    points, yard, queries = halves(
        described(
            images,
            (images, PILOT),
            (image_set_from_arrays(altered, images.header), ALTERED),
            seed=seed,
        )
    )
    if min(len(points), len(yard)) < MINIMUM_IMAGES:
        return {}
    origins = chosen[queries.rows]
    # Images of the other half have no original among those that are searched.
    is_searched = np.isin(origins, points.rows)
    spectra = queries.spectra[is_searched]
    found = {}
    for searched, rings in ((TRAINING, RINGS_MOVED), (REFERENCE, (0,))):
        held_out, ours = (
            ratios_of(likest_rows(side, points.spectra, ranks=RANKS, rings_moved=rings))
            for side in (yard.spectra, spectra)
        )
        found[searched] = float((ours < np.sort(held_out)[rank_of(len(held_out)) - 1]).mean())
    places = np.argmax(points.rows == origins[is_searched][:, np.newaxis], axis=1)
    closest = closest_ratios(yard.spectra)
    spare = CLOSEST_PAIRS - _least_pairs(FAMILY_LEVEL / TESTS[WITHIN])
    limit = closest[min(spare, len(closest) - 1)]
    found[WITHIN] = float((ratios_to(spectra, points.spectra, places) < limit).mean())
    return found


def share_told(search: Search, found: float, dose: float) -> float:
    """Share of cards whose search tells altered images, by the exact law of its own test.

    Parameters
    ----------
    search : Search
        In the sizes of the card.
    found : float
        How surely it finds one, from `found_shares`.
    dose : float
        Share of the generated images that are altered ones of the searched set.
    """
    level = FAMILY_LEVEL / TESTS[search.searched]
    if search.searched == WITHIN:
        return _repeats_told(search, found, dose, level)
    return _copies_told(search, found * search.part, dose, level)


def _copies_told(search: Search, found: float, dose: float, level: float) -> float:
    """Share of cards in which so many images stand out that the beta-binomial test tells."""
    n, m, rank = search.n_compared, search.n_held_out, rank_of(search.n_held_out)
    counts = np.arange(n + 1)
    told = np.flatnonzero(stats.betabinom.sf(counts - 1, n, rank, m + 1 - rank) <= level)
    if not told.size:
        return 0.0
    # Fresh images stand out with a chance that is Beta(k, m + 1 - k), integrated over at its quantiles.
    by_chance = stats.beta.ppf((np.arange(STEPS) + 0.5) / STEPS, rank, m + 1 - rank)
    each = dose * found + (1 - dose) * by_chance
    return float(stats.binom.sf(told[0] - 1, n, each).mean())


def _repeats_told(search: Search, found: float, dose: float, level: float) -> float:
    """Share of cards in which so many of the closest pairs lie within the set that the sign test tells."""
    n, compared = search.n_generated, search.n_compared
    # Both images of a pair are among those that are compared.
    both = compared * (compared - 1) / (n * (n - 1))
    pairs = round(dose * n)
    seen = np.arange(CLOSEST_PAIRS + 1)
    chances = stats.binom.pmf(seen, pairs, both * found)
    chances[-1] = stats.binom.sf(CLOSEST_PAIRS - 1, pairs, both * found)
    # Of the other closest pairs half lie in either set.
    told = stats.binom.sf(_least_pairs(level) - 1 - seen, CLOSEST_PAIRS - seen, 0.5)
    return float((chances * told).sum())


def _least_pairs(level: float) -> int:
    """How many of the closest pairs have to lie within the set."""
    return int(stats.binom.isf(level, CLOSEST_PAIRS, 0.5)) + 1
