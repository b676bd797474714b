from dataclasses import replace

import pytest

from galsmith.compare import Judgment, read_card
from galsmith.compare.verdict import distance_status, n_identical, network_of
from galsmith.report.panels.distances import board_of
from galsmith.report.verdict import headline_of, verdict_words, warnings_of


@pytest.fixture
def judgment(one_band):
    return read_card(one_band.comparison).judgment()


def judged_again(judgment, **changed):
    """The same with something changed, and the verdict on that."""
    kept = {name: value for name, value in vars(judgment).items() if name != "verdict"}
    return Judgment.of(**{**kept, **changed})


def with_estimate(distance, *, p_holm, **numbers):
    """A distance with other numbers."""
    return replace(distance, estimate=replace(distance.estimate, **numbers), p_holm=p_holm)


def with_distances(judgment, *, floors, p_holm):
    """Every distance as many floors, as probable."""
    distances = tuple(
        with_estimate(item, value=floors * item.floor, p_holm=p_holm)
        for item in judgment.comparison.distances
    )
    return judged_again(judgment, comparison=replace(judgment.comparison, distances=distances))


@pytest.mark.parametrize(
    ("floors", "p_holm", "status"),
    [
        (1.0, 0.5, "pass"),
        (3.0, 0.5, "borderline"),
        (1.5, 0.01, "borderline"),
        (3.0, 0.01, "fail"),
    ],
)
def test_a_distance_fails_if_it_is_large_and_no_chance(judgment, floors, p_holm, status):
    for item in with_distances(judgment, floors=floors, p_holm=p_holm).comparison.counted:
        assert distance_status(item) == status


def test_without_a_test_the_spread_of_the_floor_decides(judgment):
    item = judgment.comparison.counted[0]
    nothing = float("nan")
    far = with_estimate(item, value=10 * item.floor, floor_sigma=0.1 * item.floor, p_holm=nothing)
    wide = with_estimate(far, floor_sigma=20 * item.floor, p_holm=nothing)
    assert distance_status(far) == "fail"
    assert distance_status(wide) == "borderline"


def test_all_agree_passes_and_a_far_set_fails(judgment):
    passed = verdict_words(with_distances(judgment, floors=1.0, p_holm=0.8))
    assert passed.verdict.status == "pass"
    assert passed.title == "drawn passes: nothing here tells it from the reference"
    failed = verdict_words(with_distances(judgment, floors=7.3, p_holm=0.001))
    assert failed.verdict.status == "fail"
    counted = failed.verdict.n_counted
    assert failed.title.startswith(f"drawn fails: {counted} of {counted} properties are off, ")
    assert failed.title.endswith("by 7.3 floors")


def test_a_measurable_but_small_difference_is_close(judgment):
    verdict = verdict_words(with_distances(judgment, floors=1.5, p_holm=0.01))
    assert verdict.verdict.status == "close"
    assert verdict.title == "drawn is close: it can be told from the reference, but nothing fails"


def test_one_failing_property_makes_it_mixed(judgment):
    agreeing = with_distances(judgment, floors=1.0, p_holm=0.8)
    distances = tuple(
        with_estimate(item, value=4.2 * item.floor, p_holm=0.001) if item.name == "asymmetry" else item
        for item in agreeing.comparison.distances
    )
    verdict = verdict_words(
        judged_again(agreeing, comparison=replace(agreeing.comparison, distances=distances))
    )
    assert verdict.verdict.status == "mixed"
    assert verdict.title == (
        f"drawn is mixed: 1 of {verdict.verdict.n_counted} properties are off, asymmetry by 4.2 floors"
    )
    assert verdict.verdict.n_passed == verdict.verdict.n_counted - 1


def test_matching_margins_that_do_not_go_together_are_mixed(judgment, records):
    agreeing = with_distances(judgment, floors=1.0, p_holm=0.8)
    wrong = verdict_words(judged_again(agreeing, beyond=records.beyond()))
    right = verdict_words(judged_again(agreeing, beyond=records.beyond(sliced=0.1, p_value=0.6, auc=0.52)))
    assert wrong.title == "drawn is mixed: each property passes, all together they fail"
    assert right.verdict.status == "pass"
    assert any("0.873, where 0.5 is guessing" in text for text in wrong.sentences)


def test_joint_tests_are_corrected_for_being_many(judgment, records):
    # Four tests: p of 0.02 alone would be no chance, four times that is.
    agreeing = with_distances(judgment, floors=1.0, p_holm=0.8)
    assert (
        verdict_words(judged_again(agreeing, beyond=records.beyond(p_value=0.02, auc=0.55))).verdict.status
        == "close"
    )
    (together, classifier) = judged_again(agreeing, beyond=records.beyond(p_value=0.02)).verdict.checks[-2:]
    assert [mark.status for mark in together.marks] == ["borderline", "pass", "pass"]
    assert classifier.status == "borderline"


def test_copies_fail_whatever_the_distances_say(judgment, records):
    agreeing = with_distances(judgment, floors=0.5, p_holm=1.0)
    copied = verdict_words(judged_again(agreeing, memorization=(records.memorization(),)))
    fresh = verdict_words(
        judged_again(agreeing, memorization=(records.memorization(share=0.012, p_value=0.4),))
    )
    assert copied.title == "drawn fails: it repeats its training images"
    assert any(
        text.startswith("31 % of its images are nearer to a training image") for text in copied.sentences
    )
    assert fresh.verdict.status == "pass"


def test_one_identical_image_is_a_copy_though_the_share_is_small(judgment, records):
    agreeing = with_distances(judgment, floors=0.5, p_holm=1.0)
    memory = records.memorization(share=0.012, p_value=0.4, distance=0.0)
    assert n_identical(memory) == 1
    assert n_identical(replace(memory, distances_held_out=(0.0, 1.0, 2.0))) == 0
    verdict = verdict_words(judged_again(agreeing, memorization=(memory,)))
    assert verdict.verdict.status == "fail"
    assert "1 of its 40 images are identical to a training image." in verdict.sentences


def test_several_sets_are_counted_and_named(judgment):
    good = verdict_words(replace(with_distances(judgment, floors=1.0, p_holm=0.8), name="new"))
    bad = verdict_words(replace(with_distances(judgment, floors=9.0, p_holm=0.001), name="old"))
    assert headline_of((good, bad)) == "1 of 2 generated sets passes: new"
    assert headline_of((bad, bad)) == "None of 2 generated sets passes"
    assert headline_of((good, good)) == "All 2 generated sets pass"
    assert headline_of((bad,)) == bad.title
    assert (
        warnings_of((good, bad)).count(
            "The reference set has only 40 galaxies: small differences cannot be seen."
        )
        == 1
    )


def test_the_picture_has_a_row_for_every_check_of_every_set(judgment, records):
    full = judged_again(
        with_distances(judgment, floors=5.0, p_holm=0.001),
        beyond=records.beyond(),
        features=(records.features(),),
        memorization=(records.memorization(),),
    )
    verdicts = (verdict_words(replace(full, name="one")), verdict_words(replace(full, name="two")))
    parts = board_of(verdicts)
    assert [part.scale for part in parts] == ["floors", "auc", "share"]
    rows = [row for part in parts for row in part.rows]
    assert len(rows) == sum(len(verdict.verdict.checks) for verdict in verdicts)
    assert [row.name for row in rows[:4]] == ["one", "two", "one", "two"]
    assert rows[1].title == ""
    assert sum(len(row.dots) for row in rows) == sum(len(c.marks) for v in verdicts for c in v.verdict.checks)
    assert all(0 <= dot.at <= 100 for row in rows for dot in row.dots)
    # Farther right is worse: what fails lies beyond the dashed line.
    assert all(dot.at >= parts[0].two for row in rows[:4] for dot in row.dots)


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
    (part,) = [part for part in board_of((verdict_words(judged),)) if part.scale == "auc"]
    (dot,) = part.rows[0].dots
    assert 1 < dot.at < part.one
    assert [tick.text for tick in part.ticks][:2] == ["0.3", "0.4"]
    usual = judged_again(judgment, beyond=records.beyond(auc=0.7))
    (part,) = [part for part in board_of((verdict_words(usual),)) if part.scale == "auc"]
    assert part.ticks[0].text == "0.5"
