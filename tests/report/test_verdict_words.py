"""The verdict in words, the table of families and the board: what is told, by how much, and what was not judged."""

from dataclasses import replace
from itertools import pairwise

import pytest

from galsmith.compare import Judgment, read_card
from galsmith.compare.evidence.images import n_identical, network_of
from galsmith.report.panels.distances import board_of
from galsmith.report.verdict import family_rows, headline_of, verdict_words, warnings_of


@pytest.fixture
def judgment(one_band):
    return read_card(one_band.comparison).judgment()


def judged_again(judgment, **changed):
    """The same with something changed, and the verdict on that."""
    kept = {name: value for name, value in vars(judgment).items() if name != "verdict"}
    return Judgment.of(**{**kept, **changed})


def with_distances(judgment, *, floors, p_family, told_from=2.0):
    """Every distance as many floors and as probable, and told from so many floors on; the sets large enough."""
    distances = tuple(
        replace(
            item,
            estimate=replace(item.estimate, value=floors * item.floor, interval=(0.3, 0.5)),
            p_value=p_family,
            p_family=p_family,
            p_near=0.5,
            p_near_family=1.0,
            told_from=0.2,
            n_reference=2000,
            n_generated=2000,
        )
        for item in judgment.comparison.distances
    )
    means = tuple(
        replace(item, p_value=0.5, p_family=1.0, p_near=0.5, p_near_family=1.0)
        for item in judgment.comparison.means
    )
    return judged_again(judgment, comparison=replace(judgment.comparison, distances=distances, means=means))


@pytest.fixture
def fair(judgment):
    return with_distances(judgment, floors=1.0, p_family=0.8)


def test_a_fair_set_is_not_told_apart_and_copies_are_said_to_be_open(fair):
    words = verdict_words(fair)
    assert words.verdict.status == "not_told_apart"
    assert words.title == "drawn is not told apart from the reference; copies not judged"
    assert words.sentences[0].startswith(
        "Copies: not judged, because it was not asked for: give the training"
    )
    assert any("is told apart in 90 of 100 cards" in text for text in words.sentences)
    unknown = judged_again(fair, missing={"memorization": "the training images are not known"})
    assert verdict_words(unknown).sentences[0] == (
        "Copies: not judged, because the training images are not known."
    )


def test_a_far_set_is_told_apart_by_how_much(judgment):
    words = verdict_words(with_distances(judgment, floors=7.3, p_family=0.001))
    assert words.verdict.status == "told_apart"
    assert words.title.startswith("drawn is told apart from the reference")
    assert any("sd (7.3 floors)" in text for text in words.sentences)
    assert not any("pass" in text for text in (words.title, *words.sentences))


def test_too_few_galaxies_are_not_judged(judgment):
    few = with_distances(judgment, floors=1.0, p_family=0.8)
    distances = tuple(replace(item, told_from=0.6) for item in few.comparison.distances)
    words = verdict_words(judged_again(few, comparison=replace(few.comparison, distances=distances)))
    assert words.title.startswith("drawn is not judged: too few to tell: a shift below 0.")


def test_matching_margins_that_do_not_go_together_are_told(fair, records):
    wrong = verdict_words(judged_again(fair, beyond=records.beyond()))
    right = verdict_words(judged_again(fair, beyond=records.beyond(sliced=0.1, p_value=0.6, auc=0.52)))
    assert wrong.verdict.status == "told_apart"
    assert {item.family for item in wrong.verdict.by} >= {"joint", "classifiers"}
    assert right.verdict.is_told_by("pairs")  # of the record, p 0.004 among all pairs
    assert not right.verdict.is_told_by("joint")
    assert any("AUC 0.87 (0.84 to 0.90)" in text for text in wrong.sentences)


def test_copies_are_told_whatever_the_distances_say(fair, records):
    copied = verdict_words(judged_again(fair, memorization=(records.memorization(),)))
    fresh = verdict_words(judged_again(fair, memorization=(records.memorization(share=0.012, p_value=0.4),)))
    assert copied.title == "drawn is told apart: it gives training images back"
    assert fresh.verdict.status == "not_told_apart"
    assert fresh.title == "drawn is not told apart from the reference"


def test_nearness_is_no_word_for_a_set_whose_properties_differ_too(judgment, records):
    """Rounder galaxies lie nearer to all others: nothing is copied. Identical images are, whatever else differs."""
    far = with_distances(judgment, floors=7.3, p_family=0.001)
    nearer = verdict_words(judged_again(far, memorization=(records.memorization(),)))
    assert nearer.verdict.is_told_by("copies")
    assert nearer.verdict.saying == ""
    assert any("which alone can do" in text for text in nearer.sentences)
    copied = records.memorization(distance=0.0, p_value=0.4)
    identical = verdict_words(judged_again(far, memorization=(copied,)))
    assert identical.title == "drawn is told apart: it gives training images back"


def test_a_test_of_copies_counts_though_few_lie_nearer(fair, records):
    """All images are training images dimmed by a fifth: AuthPct says so, the share nearer does not."""
    memory = records.memorization(share=0.003, p_value=0.8)
    dimmed = replace(memory, authenticity=replace(memory.authenticity, p_value=2e-73))
    assert verdict_words(judged_again(fair, memorization=(dimmed,))).verdict.is_told_by("copies")


def test_one_identical_image_is_a_copy_though_the_share_is_small(fair, records):
    memory = records.memorization(share=0.012, p_value=0.4, distance=0.0)
    assert n_identical(memory) == 1
    assert n_identical(replace(memory, distances_held_out=(0.0, 1.0, 2.0))) == 0
    assert verdict_words(judged_again(fair, memorization=(memory,))).verdict.is_told_by("copies")


def test_several_sets_are_counted_and_named(judgment, fair):
    good = verdict_words(replace(fair, name="new"))
    bad = verdict_words(replace(with_distances(judgment, floors=9.0, p_family=0.001), name="old"))
    assert headline_of((good, bad)) == "1 of 2 generated sets can be told apart: old"
    assert headline_of((bad, bad)) == "2 of 2 generated sets can be told apart"
    assert headline_of((good, good)) == "None of 2 generated sets can be told apart"
    assert headline_of((bad,)) == bad.title
    assert (
        warnings_of((good, bad)).count(
            "The reference set has only 40 galaxies: small differences cannot be seen."
        )
        == 1
    )


def test_the_table_of_families_has_what_tells_first_and_what_was_not_judged_last(fair, records):
    rows = family_rows(verdict_words(judged_again(fair, beyond=records.beyond())))
    assert rows[0].status == "told"
    assert [row.status for row in rows] == sorted(
        (row.status for row in rows), key=["told", "borderline", "not_told", ""].index
    )
    unjudged = [row for row in rows if not row.status]
    titles = {"Copies", "Images of the reference", "Repeats", "Features of a network"}
    assert {row.title for row in unjudged} == titles
    assert all(row.strongest for row in unjudged)


def test_the_board_has_a_row_for_every_heading_of_every_set(judgment, records):
    full = judged_again(
        with_distances(judgment, floors=5.0, p_family=0.001),
        beyond=records.beyond(),
        features=(records.features(),),
        memorization=(records.memorization(),),
    )
    verdicts = (verdict_words(replace(full, name="one")), verdict_words(replace(full, name="two")))
    parts = board_of(verdicts)
    assert [part.scale for part in parts] == ["floors", "AUC", "share"]
    rows = [row for part in parts for row in part.rows]
    assert [row.name for row in rows[:4]] == ["one", "two", "one", "two"]
    assert rows[1].title == ""
    assert all(0 <= dot.at <= 100 for row in rows for dot in row.dots)
    # Farther right is worse: what is told lies beyond the dashed line.
    marginal = [row for row in parts[0].rows if row.limit is not None]
    assert marginal
    assert all(dot.at >= row.limit for row in marginal for dot in row.dots)


def test_a_borderline_row_says_its_p_among_all(judgment):
    near = with_distances(judgment, floors=2.5, p_family=0.03)
    (first, *_) = board_of((verdict_words(near),))[0].rows
    assert first.status == "borderline"
    assert "(p 0." in first.text


def test_numbers_of_ticks_do_not_touch(judgment):
    far = with_distances(judgment, floors=900.0, p_family=0.001)
    for part in board_of((verdict_words(far),)):
        places = [tick.at for tick in part.ticks]
        assert min(b - a for a, b in pairwise(places)) >= 9


@pytest.mark.parametrize(
    ("extractor_id", "network"),
    [
        ("efficientnet-lite0/579344248a93e230/pool-1280", "efficientnet-lite0"),
        ("inception-2015-12-05/6726825d/pool3", "inception-2015-12-05"),
        ("pixels", "pixels"),
    ],
)
def test_networks_are_named_shortly(extractor_id, network):
    assert network_of(extractor_id) == network


def test_a_classifier_far_below_chance_stays_on_the_axis(judgment, records):
    """Folds of few galaxies may end below 0.5: the mark must not be pushed to the end of the axis."""
    judged = judged_again(judgment, beyond=records.beyond(auc=0.31, p_value=0.9))
    (part,) = [part for part in board_of((verdict_words(judged),)) if part.scale == "AUC"]
    (dot,) = part.rows[0].dots
    assert 1 < dot.at < part.one
    assert [tick.text for tick in part.ticks][:2] == ["0.3", "0.4"]
    usual = judged_again(judgment, beyond=records.beyond(auc=0.7))
    (part,) = [part for part in board_of((verdict_words(usual),)) if part.scale == "AUC"]
    assert part.ticks[0].text == "0.5"
