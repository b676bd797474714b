"""The power of the searches for copies and repeats: their exact laws, and how surely an altered image is found."""

import logging
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import binom
from tests.compare.conftest import galaxies as measured_galaxies
from tests.compare.test_copies import as_set, galaxies
from tests.compare.test_copies_on_efigi import N_TRAINING, pictures  # noqa: F401

from galsmith.compare import Extras, judge_tables
from galsmith.compare.correction import ALARMS, FAMILY_LEVEL
from galsmith.compare.evidence import images as evidence
from galsmith.compare.evidence.families import weigh
from galsmith.compare.judge import LateExtras
from galsmith.compare.memory.copies import DEFINITIONS, REFERENCE, TRAINING, find_copies
from galsmith.compare.memory.memorization import CLOSER, Yard, closeness
from galsmith.compare.memory.repeats import _closest_statistic
from galsmith.compare.power import likeness
from galsmith.compare.power.doses import FAULTS, WITHIN, posed
from galsmith.compare.power.likeness import TESTS, Search, found_shares, searches_of, share_told
from galsmith.compare.power.measured import NOT_SEARCHED, Seen, smallest_dose
from galsmith.compare.resampling import Chance
from galsmith.seeds import random_stream

logger = logging.getLogger("controls")
CARDS = 400
# Cards a kind, each a search of seconds: 12 of the processor among training images, 4 elsewhere.
N_WHOLE = {"copies": 16, "images of the reference": 24, "repeats": 24}
# A share of 0.9 has fewer in one of 500 tests (binomial).
RARE = 0.002
QUICK = Chance(seed=0, replicates=2, splits=2)


@pytest.mark.parametrize(("dose", "found"), [(0.0, 1.0), (0.03, 1.0), (0.05, 0.6), (0.08, 0.9)])
def test_the_law_of_copies_is_that_of_the_test_of_a_card(dose, found):
    rng = random_stream(0, f"test.copies.{dose}")
    told = 0
    for _ in range(CARDS):
        ours = rng.uniform(size=300)
        # a copy that is found stands out more than all others
        ours[rng.uniform(size=300) < dose * found] = -1.0
        p_value = closeness(Yard(ours), Yard(rng.uniform(size=250)), DEFINITIONS, chance=QUICK)[
            CLOSER
        ].p_value
        told += p_value <= FAMILY_LEVEL / TESTS[TRAINING]
    stated = share_told(Search(TRAINING, 300, 300, 250), found, dose)
    assert told / CARDS == pytest.approx(stated, abs=4 * np.sqrt(0.25 / CARDS))
    if not dose:
        assert stated < FAMILY_LEVEL


def test_of_a_reference_only_what_is_searched_can_be_found():
    whole, half = (share_told(Search(REFERENCE, 300, 300, 300, part), 1.0, 0.05) for part in (1.0, 0.5))
    assert half == share_told(Search(REFERENCE, 300, 300, 300), 0.5, 0.05)
    assert half < whole


@pytest.mark.parametrize("pairs", [0, 10, 16, 30])
def test_the_law_of_repeats_is_that_of_the_test_of_a_card(pairs):
    rng = random_stream(0, f"test.repeats.{pairs}")
    told = 0
    for _ in range(CARDS):
        theirs, ours = np.sort(rng.uniform(size=(2, 40)), axis=1)
        n_found = rng.binomial(pairs, 0.8)
        ours = np.sort(np.concatenate([np.full(n_found, -1.0), ours]))
        told += _closest_statistic(theirs, ours).p_value <= FAMILY_LEVEL / TESTS[WITHIN]
    stated = share_told(Search(WITHIN, 1000, 1000), 0.8, pairs / 1000)
    assert told / CARDS == pytest.approx(stated, abs=4 * np.sqrt(0.25 / CARDS))


def test_repeats_of_which_one_is_not_looked_at_are_not_seen():
    shares = [share_told(Search(WITHIN, n, 600), 1.0, 0.1) for n in (600, 2000, 50_000)]
    assert shares[0] > 0.99
    assert shares[2] < 0.01
    assert sorted(shares, reverse=True) == shares


def test_altered_galaxies_are_found_and_others_in_their_place_are_not(monkeypatch):
    images = as_set(galaxies(240, case=31))
    assert found_shares(images.select(np.arange(80)), 0) == {}
    shares = found_shares(images, 0)
    assert shares[TRAINING] > 0.9
    assert set(shares) == {TRAINING, REFERENCE, WITHIN}
    others = iter(galaxies(240, case=32))
    monkeypatch.setattr(likeness, "posed", lambda *given: next(others))
    # the search compares with the 1 % quantile of other galaxies
    assert max(found_shares(images, 0).values()) < 0.06


@dataclass
class Pictures:
    """Images of a reference that are not measured."""

    images: object
    why_not: str = ""
    n_bands: int = 1
    has_noise: bool = False

    def some(self, count):
        return self.images

    def table(self, fault, dose):
        return measured_galaxies(200, case=40)


def test_a_card_of_images_states_copies_repeats_and_what_was_not_searched():
    images = as_set(galaxies(240, case=33))
    copies = find_copies(as_set(galaxies(200, case=34)), images, replicates=2, splits=2)
    card = judge_tables(
        measured_galaxies(240, case=41),
        measured_galaxies(200, case=42),
        beyond=False,
        power=True,
        replicates=2,
        splits=2,
        extras=LateExtras("test", lambda: {"generated-1": Extras(copies=copies)}, Pictures(images)),
    )
    doses = {item.name: item for item in card.judgment().verdict.power.doses}
    assert doses["copies"].reason == NOT_SEARCHED[TRAINING]
    assert doses["images of the reference"].by == "Images of the reference"
    assert doses["repeats"].by == "Repeats"
    assert 0.02 < doses["repeats"].smallest < 0.3


def stated(name, search, shares):
    return smallest_dose(
        FAULTS[name], lambda dose: Seen(share_told(search, shares[search.searched], dose), "copies")
    ).smallest


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("name", ["copies", "images of the reference", "repeats"])
def test_whole_searches_see_the_stated_dose(name, pictures):  # noqa: F811
    """Sets of 400 galaxies of EFIGI, of which the stated share is altered."""
    fault, count = FAULTS[name], N_WHOLE[name]
    told, doses = [], []
    shares = found_shares(as_set_of(pictures[:1200]), 0)
    for case in range(count):
        order = random_stream(case, "test.whole").permutation(len(pictures))
        trained_on, held_out, fresh = np.split(
            order[: N_TRAINING // 2 + 900], [N_TRAINING // 2, N_TRAINING // 2 + 500]
        )
        if not doses:
            found = searched(name, pictures[fresh], pictures[held_out], pictures[trained_on])
            doses.append(stated(name, searches_of(found)[fault.searched], shares))
        n_altered = round(doses[0] * len(fresh))
        origins = {TRAINING: trained_on, REFERENCE: held_out, WITHIN: fresh[n_altered:]}[fault.searched]
        rng = random_stream(case, "test.posed")
        altered = [
            posed(pictures[row], 1.0, rng, np.zeros(0)) for row in rng.permutation(origins)[:n_altered]
        ]
        images = [*altered, *pictures[fresh[n_altered:]]]
        found = searched(name, images, pictures[held_out], pictures[trained_on])
        told.append(is_told(found, fault.searched))
    # a whole card has more tests of copies, and sees a little more
    logger.info("%s: %d of %d told at %.3f", name, sum(told), count, doses[0])
    assert sum(told) >= binom.ppf(RARE, count, 0.9), (doses, sum(told))
    # a stated dose that is far too large would be seen always
    assert doses[0] < 0.5


def as_set_of(images):
    from tests.compare.test_copies_on_efigi import as_set as of_three_bands

    return of_three_bands(images)


def searched(name, images, reference, training):
    trained = {"training": as_set_of(training)} if name == "copies" else {}
    return find_copies(as_set_of(images), as_set_of(reference), **trained, replicates=2, splits=2)


def is_told(found, kind):
    """Whether the family tells, in a card of twelve families."""
    gather = {
        TRAINING: evidence.of_training_images,
        REFERENCE: evidence.of_reference_images,
        WITHIN: evidence.of_repeats,
    }[kind]
    weighed = weigh(list(gather(SimpleNamespace(copies=found))))
    blocks = 2 if kind == TRAINING else 1
    return min(item.p_family for item in weighed) * blocks <= ALARMS / 12
