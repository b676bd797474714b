"""Testing many properties at once: worked examples, and the promise kept over many null cases."""

import numpy as np
import pytest

from galsmith.compare.correction import ALARMS, LEAST_DEALS, MOST_FAMILIES, dealt_tests, holm
from galsmith.compare.estimates import permutation_p
from galsmith.seeds import random_stream


def test_holm_on_a_worked_example():
    # Factors 4, 3, 2, 1 on the ascending values; the third may not fall below the second.
    corrected = holm(np.array([0.04, 0.01, np.nan, 0.02, 0.029]))
    assert corrected == pytest.approx([0.06, 0.04, np.nan, 0.06, 0.06], nan_ok=True)
    assert holm(np.array([0.6, 0.9])) == pytest.approx([1.0, 1.0])


def test_p_values_count_the_sets_themselves():
    rearranged = np.array([[0.1], [0.2], [0.3], [np.nan]])
    assert permutation_p(np.array([0.3]), rearranged) == pytest.approx([2 / 4])
    assert permutation_p(np.array([0.4]), rearranged) == pytest.approx([1 / 4])
    assert np.isnan(permutation_p(np.array([np.nan]), rearranged)[0])


def test_false_alarms_are_as_many_as_promised_and_real_differences_are_found():
    rng = random_stream(0, "test.holm")
    p_values = rng.random((4000, 20))
    alarms = np.mean([holm(row).min() < 0.05 for row in p_values])
    assert 0.035 < alarms < 0.06
    assert np.mean(p_values.min(axis=1) < 0.05) > 0.6  # what the correction is for
    p_values[:, 0] = 1e-4
    assert all(holm(row)[0] < 0.05 for row in p_values)


def null_deals(rng, *, n_tests, deals=400, hang_together=0.0):
    """Statistics of deals, the sets' own first, of one skewed law; tests that hang together share a part."""
    common = rng.gamma(2.0, size=(deals + 1, 1))
    return hang_together * common + (1 - hang_together) * rng.gamma(2.0, size=(deals + 1, n_tests))


def test_steps_over_deals_on_a_worked_example():
    # With the sets' own, the first test has mean 2.2 and spread 1.72, the second 1.5 and 1.
    dealt = np.array([[0.0, 3.0], [1.0, 2.0], [2.0, 1.0], [3.0, 0.0]])
    tests = dealt_tests(np.array([5.0, 1.5]), dealt)
    assert tests.p_values == pytest.approx([1 / 5, 3 / 5])
    # The first lies 1.63 spreads up, no deal more than 1.5; the second is then tested alone.
    assert tests.corrected == pytest.approx([1 / 5, 3 / 5])
    below = dealt_tests(np.array([-2.0, 1.5]), dealt, is_lower=True)
    assert below.p_values == pytest.approx([1 / 5, 3 / 5])


def test_what_cannot_be_tested_is_nan_and_what_never_varies_is_no_sign():
    tests = dealt_tests(np.array([np.nan, 0.0, 5.0]), np.zeros((10, 3)))
    assert np.isnan(tests.p_values[0])
    assert np.isnan(tests.corrected[0])
    assert tests.p_values[1] == 1
    assert tests.corrected[1] == 1
    assert tests.p_values[2] == pytest.approx(1 / 11)


@pytest.mark.parametrize("hang_together", [0.0, 0.9])
def test_steps_over_deals_keep_their_promise_and_cost_less_than_holm(hang_together):
    rng = random_stream(0, "test.steps")
    alarms, seen, seen_by_holm = 0, 0, 0
    for _ in range(400):
        every = null_deals(rng, n_tests=30, hang_together=hang_together)
        alarms += dealt_tests(every[0], every[1:]).corrected.min() <= 0.05
        moved = every[0].copy()
        moved[4] += 8.0 if hang_together == 0 else 3.0
        tests = dealt_tests(moved, every[1:])
        seen += tests.corrected[4] <= 0.05
        seen_by_holm += holm(tests.p_values)[4] <= 0.05
    # 20 are promised, with a spread of 4.4.
    assert 8 <= alarms <= 33
    assert seen > seen_by_holm + 100


def test_the_smallest_p_of_many_tests_is_that_of_one():
    rng = random_stream(1, "test.steps")
    every = null_deals(rng, n_tests=200, deals=LEAST_DEALS)
    every[0, 7] = 1000.0
    tests = dealt_tests(every[0], every[1:])
    assert tests.corrected[7] == pytest.approx(1 / (LEAST_DEALS + 1))
    # What deals are for: Holm's factor alone would hide the strongest of 200.
    assert holm(tests.p_values)[7] > 0.05
    assert MOST_FAMILIES * tests.corrected[7] < ALARMS


def test_values_are_told_from_the_limit_on():
    rng = random_stream(2, "test.steps")
    every = null_deals(rng, n_tests=20, deals=2000)
    limit = dealt_tests(every[0], every[1:]).told_from[3]
    for value, is_told in ((limit * 1.02, True), (limit * 0.95, False)):
        moved = every[0].copy()
        moved[3] = value
        assert (dealt_tests(moved, every[1:]).corrected[3] <= ALARMS / MOST_FAMILIES) == is_told
