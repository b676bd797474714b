"""Precision, recall, density and coverage against their definitions, written out."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import binom

from galsmith.compare.features.support import ROWS_AT_ONCE, _by_lists, _listed, neighborhoods, support
from galsmith.errors import InputError, SettingsError
from galsmith.seeds import random_stream

FEW = {"replicates": 20, "splits": 20, "permutations": 99}
NAMES = ["precision", "recall", "density", "coverage"]


def gaussians(n, m, columns=4, *, case=0):
    rng = random_stream(case, "test.support")
    return rng.normal(size=(n, columns)), rng.normal(size=(m, columns))


def by_definition(real, generated, k):
    """Kynkäänniemi et al. (2019), eq. 1 and 2; Naeem et al. (2020), eq. 4 and 5."""
    radii = [np.sort(cdist(side, side), axis=1)[:, k] for side in (real, generated)]
    between = cdist(real, generated)
    in_real, in_generated = between <= radii[0][:, None], radii[1][:, None] >= between.T
    return (
        in_real.any(axis=0).mean(),
        in_generated.any(axis=0).mean(),
        in_real.sum() / (k * len(generated)),
        in_real.any(axis=1).mean(),
    )


def values_of(found):
    return [getattr(found, name).value for name in NAMES]


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_values_are_those_of_the_definitions(k, shift):
    real, generated = gaussians(ROWS_AT_ONCE + 90, ROWS_AT_ONCE + 90)
    found = support(real, generated + shift, k=k, **FEW)
    assert values_of(found) == pytest.approx(by_definition(real, generated + shift, k), rel=1e-12)


def test_toy_set_by_hand():
    # Real points 0..19 with k = 1: each reaches 1 away. Generated points at 5.5 and 100 + i.
    real = np.arange(20.0)[:, None]
    generated = np.concatenate([[5.5], 100.0 + np.arange(19)])[:, None]
    found = support(real, generated, k=1, **FEW)
    assert found.precision.value == 1 / 20
    assert found.density.value == 2 / 20  # in the balls of 5 and 6
    assert found.coverage.value == 2 / 20
    assert found.recall.value == 1  # the lonely one's ball reaches from -83.5 to 94.5


@pytest.mark.parametrize("case", range(3))
def test_lists_give_what_the_definitions_give_for_parts_and_deals(case):
    k = 5
    real, generated = gaussians(120, 120, case=case)
    points = np.concatenate([real, generated])
    sides = neighborhoods(points, 120, k=k, listed=_listed(k))
    nearest = np.concatenate([side.nearest for side in sides])
    signs = random_stream(case, "test.deal").permutation(np.repeat([1, -1], 120)).astype(np.int16)
    assert _by_lists(nearest, signs, k=k) == pytest.approx(
        by_definition(points[signs > 0], points[signs < 0], k)
    )
    halves = random_stream(case, "test.half").permutation(np.repeat([1, -1], 60)).astype(np.int16)
    expected = by_definition(real[halves > 0], real[halves < 0], k)
    assert _by_lists(sides[0].nearest_own, halves, k=k) == pytest.approx(expected)


def test_neighbors_are_those_of_sorted_distances():
    points = np.concatenate(gaussians(70, 40, 3))
    distances = cdist(points, points)
    first, second = neighborhoods(points, 70, k=2, listed=10)
    order = np.argsort(distances, axis=1)[:, 1:11]
    assert np.array_equal(np.concatenate([first.nearest, second.nearest]), order)
    own = np.argsort(distances[70:, 70:], axis=1)[:, 1:11]
    assert np.array_equal(second.nearest_own, own)


def test_lists_are_long_enough():
    # A list fails to hold k of a random half if fewer than k of its members fall there.
    for k in (1, 3, 5, 10):
        assert binom.cdf(k - 1, _listed(k), 0.5) < 1e-8


def test_floor_and_value_agree_where_nothing_differs():
    found = support(*gaussians(800, 800, case=1))
    for name, statistic in found.statistics.items():
        assert statistic.name == name
        assert statistic.value == pytest.approx(statistic.floor, abs=5 * statistic.estimate.floor_sigma)
        assert statistic.p_value > 0.05
        assert statistic.interval[0] < statistic.value < statistic.interval[1]
        assert statistic.estimate.uncertainty == pytest.approx(np.diff(statistic.interval)[0] / 3.92, rel=0.3)
    # A ball with k of n real points in it misses all of n generated ones with a chance of 2^-k (Naeem et al.).
    assert found.coverage.value == pytest.approx(1 - 2**-5, abs=0.02)
    assert found.density.value == pytest.approx(1, abs=0.1)


def test_each_fault_is_seen_by_its_number():
    real, generated = gaussians(600, 600, case=4)
    fair = support(real, generated, **FEW)
    dropped = support(real, generated[np.argsort(generated[:, 0])[:300]].repeat(2, axis=0) + 1e-9, **FEW)
    assert dropped.recall.value < fair.recall.value - 0.1
    assert dropped.recall.p_value == dropped.coverage.p_value == pytest.approx(0.01)
    strange = generated.copy()
    strange[:200] += 6.0
    off = support(real, strange, **FEW)
    assert off.precision.value == pytest.approx(fair.precision.value * 2 / 3, abs=0.05)
    assert off.precision.p_value == pytest.approx(0.01)
    narrow = support(real, 0.5 * generated, **FEW)
    assert narrow.density.value > fair.density.value + 0.05
    assert narrow.density.p_value == pytest.approx(0.01)


def test_dose_is_monotone():
    real, generated = gaussians(500, 500, case=5)
    found = np.array([values_of(support(real, generated + dose, **FEW)) for dose in (0.0, 1.0, 2.0, 4.0)])
    assert np.all(np.diff(found, axis=0) < 0)


def test_copies_lie_in_everything():
    real, _ = gaussians(200, 1)
    found = support(real, real.copy(), **FEW)
    assert values_of(found)[:2] == [1, 1]
    assert found.coverage.value == 1


def test_sets_are_thinned_to_one_size():
    real, generated = gaussians(300, 80)
    found = support(real, generated, **FEW)
    assert found.precision.n_reference == found.precision.n_generated == 80
    assert support(real, generated, **FEW) == found
    assert support(real, generated, seed=1, **FEW) != found


@pytest.mark.slow
def test_false_alarms_are_as_many_as_promised():
    # Shares of a few galaxies take few values, so that ties make the test a little too shy.
    alarms = np.zeros(4, dtype=int)
    for case in range(400):
        found = support(*gaussians(80, 80, case=100 + case), **FEW)
        alarms += np.array([getattr(found, name).p_value <= 0.05 for name in NAMES])
    low, high = binom.interval(0.998, 400, 0.05)
    assert np.all((low <= alarms) & (alarms <= high)), alarms


def test_bad_input_is_refused():
    real, generated = gaussians(40, 40)
    with pytest.raises(SettingsError, match="`k=0`: wanted 1 or more"):
        support(real, generated, k=0)
    with pytest.raises(SettingsError, match="`splits=1`: wanted 2 or more"):
        support(real, generated, splits=1)
    with pytest.raises(InputError, match="`generated`: it has 19 galaxies; wanted 20 or more"):
        support(real, generated[:19])
    with pytest.raises(InputError, match=r"`generated`: it has shape \(40, 2\); wanted \[galaxy, 4\]"):
        support(real, generated[:, :2])
    with pytest.raises(InputError, match="not finite in 1 of 40 galaxies"):
        support(np.where(np.eye(40, 4) * (np.arange(4) == 0), np.nan, real), generated)
