"""Differences of Spearman's correlations against SciPy's and against what must and must not be seen."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from galsmith.compare.joint.correlations import correlation_difference, dense_ranks, spearman
from galsmith.compare.resampling import Chance
from galsmith.seeds import random_stream

FEW = Chance(seed=0, replicates=100, splits=20, permutations=99)


def correlated(count, correlation, *, columns=5, case=0):
    rng = random_stream(case, "test.correlated")
    covariance = (1 - correlation) * np.eye(columns) + correlation
    return rng.multivariate_normal(np.zeros(columns), covariance, count, method="cholesky")


def names(columns):
    return [f"column_{number}" for number in range(columns)]


def test_matrix_is_scipys_with_ties():
    values = np.round(correlated(200, 0.5), 1)  # many equal values
    assert spearman(dense_ranks(values)) == pytest.approx(spearmanr(values).statistic, abs=1e-12)


def test_matrix_of_repeated_rows_is_scipys():
    values = correlated(150, 0.3)
    rows = random_stream(1, "test.rows").integers(0, 150, 150)
    assert spearman(dense_ranks(values)[rows]) == pytest.approx(spearmanr(values[rows]).statistic, abs=1e-12)


def test_rms_and_pairs_are_scipys():
    first, second = correlated(300, 0.5), correlated(200, 0.1, case=1)
    second[:, 0] *= -1
    found, pairs = correlation_difference(first, second, names(5), chance=FEW)
    matrices = [spearmanr(values).statistic[np.triu_indices(5, 1)] for values in (first, second)]
    difference = matrices[1] - matrices[0]
    assert found.value == pytest.approx(np.sqrt(np.mean(difference**2)), rel=1e-12)
    assert [pair.difference for pair in pairs] == pytest.approx(sorted(difference, key=lambda one: -abs(one)))
    assert all(pair.generated - pair.reference == pytest.approx(pair.difference) for pair in pairs)
    assert {pair.first for pair in pairs[:4]} == {"column_0"}


def test_floor_is_what_fresh_sets_give():
    def one(case, splits):
        first, second = correlated(300, 0.4, case=2 * case), correlated(150, 0.4, case=2 * case + 1)
        return correlation_difference(
            first, second, names(5), chance=Chance(case, 2, splits, permutations=2)
        )[0]

    fresh = [one(case, 2).value for case in range(60)]
    floors = [one(case, 50).floor for case in range(8)]
    assert np.mean(floors) == pytest.approx(np.mean(fresh), rel=0.08)  # 60 fresh values scatter by 3 %


def test_removed_correlations_are_seen_with_equal_columns():
    first = correlated(500, 0.5)
    shuffled = np.stack(
        [random_stream(column, "test.shuffle").permutation(first[:, column]) for column in range(5)], axis=1
    )
    found, pairs = correlation_difference(first, shuffled, names(5), chance=FEW)
    assert found.p_value == pytest.approx(0.01)
    assert found.estimate.corrected == pytest.approx(0.48, abs=0.06)  # 6/pi arcsin(0.5/2) = 0.483
    assert all(pair.p_family == pytest.approx(0.01) for pair in pairs)


def test_different_columns_with_equal_correlations_are_not_seen():
    # Ranks within each set: any rising law of a column changes nothing, whatever the shift.
    first, second = correlated(500, 0.5), correlated(400, 0.5, case=1)
    plain, _ = correlation_difference(first, second, names(5), chance=FEW)
    bent, pairs = correlation_difference(first, np.exp(second) + 100, names(5), chance=FEW)
    assert bent == plain
    assert bent.p_value > 0.05
    assert min(pair.p_family for pair in pairs) > 0.05


def test_dose_is_monotone():
    first = correlated(1000, 0.5)
    found = [
        correlation_difference(first, correlated(1000, dose, case=9), names(5), chance=FEW)[0].value
        for dose in (0.5, 0.4, 0.2, 0.0)
    ]
    assert found == sorted(found)


def test_one_pair_of_many_is_named():
    first, second = correlated(600, 0.2, columns=12), correlated(600, 0.2, columns=12, case=1)
    second[:, 7] = 0.6 * second[:, 3] + 0.8 * second[:, 7]
    _, pairs = correlation_difference(first, second, names(12), chance=FEW)
    assert len(pairs) == 66
    assert (pairs[0].first, pairs[0].second) == ("column_3", "column_7")
    assert pairs[0].p_family == pytest.approx(0.01)
    assert pairs[-1].p_family > 0.05


def test_columns_that_do_not_vary_have_no_correlation():
    first, second = correlated(100, 0.5, columns=3), correlated(100, 0.5, columns=3, case=1)
    first[:, 0] = 1.0
    found, pairs = correlation_difference(first, second, names(3), chance=FEW)
    assert [(pair.first, pair.second) for pair in pairs] == [("column_1", "column_2")]
    assert np.isfinite(found.value)
    one, none = correlation_difference(first[:, :1], second[:, :1], names(1), chance=FEW)
    assert np.isnan(one.value)
    assert np.isnan(one.p_value)
    assert none == ()


def test_columns_that_are_one_another_differ_in_nothing():
    first, second = (np.repeat(correlated(100, 0.5, case=case), 2, axis=1) for case in (0, 1))
    _, pairs = correlation_difference(first, second, names(10), chance=FEW)
    equal = correlation_difference(first[:, :2], second[:, :2], names(2), chance=FEW)[1][0]
    assert equal.difference == 0
    assert equal.p_family == 1
    assert all(np.isfinite(pair.p_family) for pair in pairs)
