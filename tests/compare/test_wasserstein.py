import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance as scipy_wasserstein

from galsmith.compare.marginal.wasserstein import (
    circular_wasserstein_distance,
    joint_replicates,
    pool_values,
    replicate_distances,
    wasserstein_distance,
)
from galsmith.seeds import random_stream

NUMBERS = st.lists(st.floats(-100, 100).map(lambda value: round(value, 1)), min_size=1, max_size=30)


@given(first=NUMBERS, second=NUMBERS)
@settings(max_examples=200, deadline=None)
def test_equals_scipy_with_ties(first, second):
    assert wasserstein_distance(first, second) == pytest.approx(scipy_wasserstein(first, second), abs=1e-9)


@pytest.mark.parametrize("sizes", [(1, 1), (1, 700), (500, 501), (2000, 300)])
def test_equals_scipy_with_weights(sizes):
    rng = random_stream(1, "test", *sizes)
    first, second = rng.normal(size=sizes[0]), rng.lognormal(size=sizes[1])
    first_weights, second_weights = rng.uniform(size=sizes[0]), rng.integers(0, 3, sizes[1]) + 0.5
    ours = wasserstein_distance(first, second, first_weights=first_weights, second_weights=second_weights)
    oracle = scipy_wasserstein(first, second, first_weights, second_weights)
    assert ours == pytest.approx(oracle, abs=1e-9)


@given(values=NUMBERS, shift=st.floats(-50, 50))
@settings(max_examples=100, deadline=None)
def test_of_a_shift_is_the_shift(values, shift):
    moved = np.asarray(values) + shift
    assert wasserstein_distance(values, moved) == pytest.approx(abs(shift), abs=1e-9)


@given(first=NUMBERS, second=NUMBERS)
@settings(max_examples=100, deadline=None)
def test_is_a_symmetric_distance_and_zero_on_itself(first, second):
    assert wasserstein_distance(first, first) == pytest.approx(0, abs=1e-12)
    there, back = wasserstein_distance(first, second), wasserstein_distance(second, first)
    assert there == pytest.approx(back, abs=1e-12)


def test_a_weight_of_two_is_the_same_as_a_value_twice():
    once = wasserstein_distance([1.0, 4.0], [2.0, 7.0, 7.5], first_weights=[2, 1])
    assert once == pytest.approx(wasserstein_distance([1.0, 1.0, 4.0], [2.0, 7.0, 7.5]), abs=1e-15)


@pytest.mark.parametrize("turn", [0.1, 0.7, 1.1, 2.2, 3.0])
def test_circular_of_turned_angles_is_the_turn(turn):
    angles = random_stream(3, "test").normal(0.4, 0.05, size=400)
    distance = circular_wasserstein_distance(angles, angles + turn, period=np.pi)
    assert distance == pytest.approx(min(turn, np.pi - turn), abs=1e-12)


@pytest.mark.parametrize("case", range(8))
def test_circular_equals_the_least_over_all_cuts(case):
    rng = random_stream(case, "test")
    period = 3.0
    first, second = rng.uniform(0, period, 23), rng.normal(0.1, 0.8, 17) % period
    cuts = np.concatenate([first, second])
    # Some point of the circle is crossed by no mass; cut there, the best plan is one on the line.
    oracle = min(_line_integral(first, second, cut, period) for cut in cuts)
    assert circular_wasserstein_distance(first, second, period=period) == pytest.approx(oracle, abs=1e-12)


def _line_integral(first, second, cut, period):
    return scipy_wasserstein((first - cut) % period, (second - cut) % period)


def test_circular_ignores_the_branch_and_never_exceeds_the_linear_one():
    rng = random_stream(5, "test")
    first, second = rng.uniform(0, np.pi, 300), rng.uniform(0.2, 1.9, 200)
    circular = circular_wasserstein_distance(first, second, period=np.pi)
    branches = np.pi * rng.integers(-3, 3, 300)
    assert circular_wasserstein_distance(first + branches, second, period=np.pi) == pytest.approx(circular)
    assert circular <= wasserstein_distance(first, second)


@pytest.mark.parametrize("period", [None, np.pi])
def test_replicates_of_everything_once_equal_the_plain_distance(period):
    rng = random_stream(6, "test")
    first, second = rng.uniform(0, 3, 150), rng.beta(2, 5, 90)
    first[::7] = np.nan
    counts = np.concatenate([np.ones(150), -np.ones(90)]).astype(np.int16)[np.newaxis]
    distances, totals = replicate_distances(pool_values(first, second, period=period), counts)
    measured = first[np.isfinite(first)]
    if period is None:
        plain = wasserstein_distance(measured, second)
    else:
        plain = circular_wasserstein_distance(measured, second, period=period)
    assert distances[0] == pytest.approx(plain, abs=1e-13)
    assert totals.tolist() == [[len(measured), 90]]


def test_replicates_equal_distances_of_the_drawn_values():
    rng = random_stream(7, "test")
    first, second = rng.normal(size=60), rng.normal(size=80)
    counts = np.concatenate([rng.poisson(1.0, (5, 60)), -rng.poisson(1.0, (5, 80))], axis=1).astype(np.int16)
    distances, _ = replicate_distances(pool_values(first, second), counts)
    for drawn, distance in zip(counts, distances, strict=True):
        oracle = scipy_wasserstein(np.repeat(first, drawn[:60]), np.repeat(second, -drawn[60:]))
        assert distance == pytest.approx(oracle, abs=1e-12)


def test_a_replicate_without_measured_rows_on_one_side_is_nan():
    counts = np.array([[1, 1, 0, 0]], dtype=np.int16)
    for period in (None, 1.0):
        distances, _ = replicate_distances(pool_values(np.ones(2), np.ones(2), period=period), counts)
        assert np.isnan(distances[0])


@pytest.mark.parametrize("bad", [[], [np.nan, 1.0], [[1.0]], [np.inf]])
def test_refuses_values_that_are_not_numbers(bad):
    with pytest.raises(ValueError, match="leave out what was not measured"):
        wasserstein_distance([1.0], bad)


@pytest.mark.parametrize("weights", [[1.0], [0.0, 0.0], [-1.0, 2.0], [np.nan, 1.0]])
def test_refuses_weights_that_do_not_fit(weights):
    with pytest.raises(ValueError, match="one finite weight a value"):
        wasserstein_distance([1.0, 2.0], [1.0], first_weights=weights)


@pytest.mark.parametrize("period", [0.0, -1.0, np.nan])
def test_refuses_a_period_that_is_none(period):
    with pytest.raises(ValueError, match="wanted a positive number"):
        circular_wasserstein_distance([1.0], [1.0], period=period)


def test_all_properties_at_once_equal_one_at_a_time():
    rng = random_stream(7, "test.joint")
    first, second = rng.normal(size=(5, 70)), rng.normal(0.2, 1, size=(5, 90))
    first[1, ::3] = np.nan  # some rows not measured
    second[2] = np.nan  # a side not measured at all
    pooled = [pool_values(one, other) for one, other in zip(first, second, strict=True)]
    pooled[4] = pool_values(first[4], second[4], period=1.0)
    counts = rng.integers(0, 3, (19, 160)).astype(np.int16)
    counts[:, 70:] *= -1
    counts[3, :70] = 0  # a draw without one side
    distances, totals = joint_replicates(pooled, counts)
    for position, values in enumerate(pooled):
        expected = replicate_distances(values, counts)
        np.testing.assert_allclose(distances[:, position], expected[0], rtol=1e-12)
        np.testing.assert_array_equal(totals[:, position], expected[1])
    assert np.isnan(distances[:, 2]).all()
    assert np.isnan(distances[3]).all()
    assert np.isfinite(np.delete(distances[:, [0, 1, 3, 4]], 3, axis=0)).all()
