"""Sliced Wasserstein and energy distance against what is known of them."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance as scipy_energy
from scipy.stats import wasserstein_distance as scipy_wasserstein

from galsmith.compare.complete_rows import checked_rows, choose_rows, standardize, standardize_together
from galsmith.compare.joint.energy import MOST_ROWS, energy_statistic, squared_energies
from galsmith.compare.joint.sliced import DIRECTIONS, random_directions, sliced_wasserstein
from galsmith.compare.resampling import Chance
from galsmith.errors import InputError
from galsmith.seeds import random_stream

FEW = Chance(seed=0, replicates=20, splits=20, permutations=99)


def gaussians(n, m, columns, *, case=0):
    rng = random_stream(case, "test.beyond")
    return rng.normal(size=(n, columns)), rng.normal(size=(m, columns))


def test_sliced_distance_is_the_mean_of_scipys_along_the_directions():
    first, second = gaussians(70, 50, 4)
    axes = random_directions(4, seed=3)
    expected = np.mean([scipy_wasserstein(first @ axis, second @ axis) for axis in axes])
    found = sliced_wasserstein(first, second, chance=Chance(3, 2, 2, permutations=2))
    assert found.value == pytest.approx(expected, rel=1e-12)


def test_sliced_distance_of_a_shifted_copy_is_the_mean_projection_of_the_shift():
    # Every point moves by delta, so that W1 along a direction theta is |theta . delta| exactly.
    first, _ = gaussians(60, 1, 5)
    delta = np.array([0.3, -1.0, 0.0, 2.0, 0.5])
    found = sliced_wasserstein(first, first + delta, chance=Chance(1, 2, 2, permutations=2))
    axes = random_directions(5, seed=1)
    assert found.value == pytest.approx(np.abs(axes @ delta).mean(), rel=1e-12)
    # On the sphere in 5 dimensions E|theta . delta| = |delta| Gamma(5/2) / (sqrt(pi) Gamma(3)) = 3/8 |delta|;
    # the mean over 64 directions scatters by 7 % of it.
    assert found.value == pytest.approx(0.375 * np.linalg.norm(delta), rel=0.25)
    assert found.p_value == pytest.approx(1 / 3)


def test_directions_are_units_and_depend_on_the_seed_alone():
    axes = random_directions(7, seed=5)
    assert axes.shape == (DIRECTIONS, 7)
    assert np.linalg.norm(axes, axis=1) == pytest.approx(1, rel=1e-12)
    assert np.array_equal(axes, random_directions(7, seed=5))
    assert not np.allclose(axes, random_directions(7, seed=6))


@pytest.mark.parametrize("statistic", [sliced_wasserstein, energy_statistic])
def test_floor_is_what_fresh_sets_of_the_same_sizes_give(statistic):
    fresh = [
        statistic(*gaussians(300, 150, 6, case=case), chance=Chance(case, 2, 2, permutations=2)).value
        for case in range(60)
    ]
    floors = [
        statistic(*gaussians(300, 150, 6, case=case), chance=Chance(case, 2, 50, permutations=2)).floor
        for case in range(8)
    ]
    assert np.mean(floors) == pytest.approx(np.mean(fresh), rel=0.05)  # 60 fresh values give 2 %


@pytest.mark.parametrize("statistic", [sliced_wasserstein, energy_statistic])
def test_shift_is_seen_and_no_shift_is_not(statistic):
    first, second = gaussians(400, 300, 6, case=2)
    same = statistic(first, second, chance=FEW)
    shifted = statistic(first, second + 0.3, chance=FEW)
    assert same.p_value > 0.05
    assert shifted.p_value == pytest.approx(0.01)
    assert same.value < shifted.value
    assert shifted.interval[0] > same.interval[1]
    assert shifted.interval[0] < shifted.estimate.corrected < shifted.interval[1]
    assert (shifted.n_reference, shifted.n_generated) == (400, 300)


@pytest.mark.parametrize("statistic", [sliced_wasserstein, energy_statistic])
def test_dose_of_mode_drop_is_monotone(statistic):
    # As the design's experiment: 10 correlated columns, the galaxies with the largest mean are missing.
    rng = random_stream(7, "test.modes")
    covariance = 0.65 * np.eye(10) + 0.35
    reference = rng.multivariate_normal(np.zeros(10), covariance, 1500, method="cholesky")
    pool = rng.multivariate_normal(np.zeros(10), covariance, 3000, method="cholesky")
    ordered = pool[np.argsort(pool.mean(axis=1))]
    found = []
    for share in (0.0, 0.05, 0.2):
        kept = ordered[: round(len(pool) * (1 - share))]
        chosen = kept[random_stream(0, "test.modes.kept").permutation(len(kept))[:1500]]
        found.append(statistic(reference, chosen, chance=FEW))
    assert found[0].value < found[1].value < found[2].value
    assert found[0].p_value > 0.05
    assert found[1].p_value <= 0.02
    assert found[2].p_value == pytest.approx(0.01)


def test_energy_distance_on_a_line_is_scipys():
    first, second = gaussians(120, 80, 1)
    second = 1.5 * second + 0.2
    found = energy_statistic(first, second, chance=Chance(0, 2, 2, permutations=2))
    assert found.value == pytest.approx(scipy_energy(first[:, 0], second[:, 0]), rel=1e-10)


def test_energy_of_counts_is_the_definition_with_repeated_rows():
    points = np.concatenate(gaussians(1300, 900, 3))  # more rows than a block
    rng = random_stream(1, "test.counts")
    rows = rng.integers(0, 1300, 1000), rng.integers(1300, 2200, 700)
    counts = np.bincount(rows[0], minlength=2200) - np.bincount(rows[1], minlength=2200)
    first, second = points[rows[0]], points[rows[1]]
    expected = 2 * cdist(first, second).mean() - cdist(first, first).mean() - cdist(second, second).mean()
    found = squared_energies(points, counts.astype(np.int16)[None])
    assert found == pytest.approx(expected, rel=1e-9)


def test_energy_distance_of_a_set_to_itself_is_zero():
    first, _ = gaussians(100, 1, 3)
    found = energy_statistic(first, first.copy(), chance=FEW)
    assert found.value == pytest.approx(0, abs=1e-7)  # the root of rounding
    assert found.estimate.corrected == 0
    assert found.p_value == 1


def test_energy_takes_a_part_of_many_galaxies_and_says_so():
    first, second = gaussians(MOST_ROWS + 10, 30, 2)
    found = energy_statistic(first, second, chance=Chance(0, 2, 2, permutations=2))
    assert (found.n_reference, found.n_generated) == (MOST_ROWS, 30)


def test_chosen_rows_are_different_ascending_and_repeatable():
    rows = choose_rows(100, 30, seed=1, purpose="test")
    assert len(np.unique(rows)) == 30
    assert np.all(np.diff(rows) > 0)
    assert np.array_equal(rows, choose_rows(100, 30, seed=1, purpose="test"))
    assert np.array_equal(choose_rows(20, 30, seed=1, purpose="test"), np.arange(20))


def test_standardized_reference_has_mean_0_and_sigma_1_whatever_the_unit():
    first, second = gaussians(500, 400, 3)
    unit = np.array([1e-6, 3.0, 1e9])
    one, other = standardize(first * unit + 5 * unit, second * unit + 5 * unit)
    assert one.mean(axis=0) == pytest.approx(0, abs=1e-9)
    assert one.std(axis=0) == pytest.approx(1)
    expected = standardize(first, second)
    assert one == pytest.approx(expected[0], abs=1e-6)
    assert other == pytest.approx(expected[1], abs=1e-6)


def test_one_wild_value_decides_nothing():
    first, second = gaussians(500, 400, 3)
    wild = second.copy()
    wild[0, 1] = 1e8
    assert np.abs(standardize(first, wild)[1]).max() < 11
    assert standardize(first, wild)[0] == pytest.approx(standardize(first, second)[0])
    assert np.abs(standardize_together(first, wild)[1]).max() < 12


def test_constant_columns_stay_finite_and_show_where_only_one_side_varies():
    first, second = gaussians(50, 40, 3)
    first[:, 0] = 2.0
    second[:, 1] = first[:, 1] = 3.0
    one, other = standardize(first, second)
    assert np.all(np.isfinite(one))
    assert np.all(one[:, 0] == one[0, 0])
    assert other[:, 0].std() > 0.5
    assert not one[:, 1].any()
    assert not other[:, 1].any()


def test_standardizing_together_does_not_know_the_sets():
    first, second = gaussians(50, 40, 3)
    one, other = standardize_together(first, second)
    again, more = standardize_together(second, first)
    assert one == pytest.approx(more)
    assert other == pytest.approx(again)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda values: values[:, :2], r"`reference`: it has shape \(30, 2\); wanted \[galaxy, 3\]"),
        (lambda values: values[:5], "`reference`: it has 5 galaxies; wanted 20 or more"),
        (
            lambda values: np.where(np.eye(30, 3, -1), np.nan, values),
            "not finite in 3 of 30 galaxies, most in a;",
        ),
        (
            lambda values: np.where(np.eye(30, 3, -1), np.inf, values),
            "leave these galaxies, or that column, out",
        ),
        (lambda values: values[:, 0], r"`reference`: it has shape \(30,\)"),
    ],
)
def test_bad_rows_are_refused(spoil, message):
    first, second = gaussians(30, 30, 3)
    with pytest.raises(InputError, match=message):
        checked_rows(spoil(first), second, ["a", "b", "c"])
    checked_rows(first, second, ["a", "b", "c"])
