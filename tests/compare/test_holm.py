"""Testing many properties at once: worked examples, and the promise kept over many null cases."""

import numpy as np
import pytest

from galsmith.compare.estimates import holm, permutation_p
from galsmith.compare.resampling import DEALS_PER_TEST
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


@pytest.mark.parametrize("n_tests", [1, 26, 56, 200])
def test_the_strongest_difference_can_be_told_however_many_are_tested(n_tests):
    deals = np.zeros((DEALS_PER_TEST * n_tests, 1))
    smallest = permutation_p(np.array([1.0]), deals)
    p_values = np.concatenate([smallest, np.full(n_tests - 1, 0.5)])
    assert holm(p_values)[0] < 0.05
    too_few = permutation_p(np.array([1.0]), deals[: max(1, 10 * n_tests)])
    assert holm(np.concatenate([too_few, p_values[1:]]))[0] > 0.05
