import numpy as np
import pytest
from scipy.stats import wasserstein_distance as scipy_wasserstein

from galsmith.compare.marginal.per_property import BOOTSTRAP, floor_distances, redrawn_distances
from galsmith.compare.marginal.wasserstein import pool_values
from galsmith.execution import ProgressEvent
from galsmith.seeds import random_stream


def gaussian_sets(n_reference, n_generated, *, case=0, properties=1):
    rng = random_stream(case, "test.gaussian")
    return rng.normal(size=(properties, n_reference)), rng.normal(size=(properties, n_generated))


def floor_of(reference, n_generated, *, splits=200, seed=0):
    sizes = np.tile([reference.shape[1], n_generated], (len(reference), 1))
    columns = [pool_values(values, np.empty(0)) for values in reference]
    return floor_distances(
        columns, sizes, n_reference=reference.shape[1], n_generated=n_generated, splits=splits, seed=seed
    )


@pytest.mark.parametrize(("n", "m"), [(2000, 2000), (3000, 500), (600, 4000), (400, 400)])
def test_floor_of_gaussians_equals_the_known_expectation(n, m):
    # E W1 = sqrt(2/pi) * integral of sqrt(F(1-F)) * sqrt(1/n + 1/m) = 1.29 sqrt(1/n + 1/m) for n, m large;
    # twelve properties average out what one reference sample happens to be.
    reference, _ = gaussian_sets(n, m, case=n + m, properties=12)
    floor = floor_of(reference, m, splits=64)
    assert floor.distances.mean() == pytest.approx(1.29 * np.sqrt(1 / n + 1 / m), rel=0.10)


def test_floor_is_what_two_fresh_samples_give():
    n, m = 300, 150
    reference, _ = gaussian_sets(n, m, case=9, properties=20)
    rng = random_stream(9, "test.fresh")
    fresh = [scipy_wasserstein(rng.normal(size=n), rng.normal(size=m)) for _ in range(400)]
    floor = floor_of(reference, m)
    assert floor.distances.mean() == pytest.approx(np.mean(fresh), rel=0.06)
    assert floor.distances.std() == pytest.approx(np.std(fresh), rel=0.25)  # the spread is known less well


def test_floor_parts_have_the_comparison_size_when_the_reference_is_large():
    reference, _ = gaussian_sets(3000, 10)
    floor = floor_of(reference, 500)
    assert floor.n_each == round(2 / (1 / 3000 + 1 / 500))
    assert floor.scale == pytest.approx(1, abs=1e-3)
    halves = floor_of(reference, 3000)
    assert halves.n_each == 1500
    assert halves.scale == pytest.approx(np.sqrt(0.5))


def test_floor_counts_measured_rows_only():
    reference, _ = gaussian_sets(1000, 10)
    holes = reference.copy()
    holes[0, ::2] = np.nan
    sizes = np.array([[500, 500]])
    floor = floor_distances(
        [pool_values(holes[0], np.empty(0))], sizes, n_reference=1000, n_generated=1000, splits=100, seed=0
    )
    assert floor.distances.mean() == pytest.approx(1.29 * np.sqrt(2 / 500), rel=0.15)


def test_bootstrap_depends_on_seed_and_replicate_alone():
    first, second = gaussian_sets(50, 40)
    columns = [pool_values(first[0], second[0])]
    common = {"n_reference": 50, "n_generated": 40, "seed": 4}
    few, many = (redrawn_distances(columns, BOOTSTRAP, draws=count, **common) for count in (10, 100))
    assert np.array_equal(few, many[:10])
    other = redrawn_distances(columns, BOOTSTRAP, draws=10, **{**common, "seed": 5})
    assert not np.allclose(few, other)


def test_bootstrap_draws_the_same_galaxies_for_all_properties():
    first, second = gaussian_sets(200, 150)
    columns = [pool_values(first[0], second[0]), pool_values(-3 * first[0], -3 * second[0])]
    drawn = redrawn_distances(columns, BOOTSTRAP, n_reference=200, n_generated=150, draws=30, seed=1)
    assert drawn[:, 1] == pytest.approx(3 * drawn[:, 0], rel=1e-12)


def test_bootstrap_spread_is_that_of_fresh_samples():
    # Far from zero W1 of shifted Gaussians is the difference of means, whose variance is 1/n + 1/m.
    n, m = 400, 300
    first, second = gaussian_sets(n, m, case=3, properties=30)
    columns = [pool_values(one, two + 5) for one, two in zip(first, second, strict=True)]
    drawn = redrawn_distances(columns, BOOTSTRAP, n_reference=n, n_generated=m, draws=200, seed=1)
    assert drawn.std(axis=0).mean() == pytest.approx(np.sqrt(1 / n + 1 / m), rel=0.05)


def test_progress_is_told():
    events: list[ProgressEvent] = []
    first, second = gaussian_sets(20, 20)
    columns = [pool_values(first[0], second[0])]
    redrawn_distances(
        columns, BOOTSTRAP, n_reference=20, n_generated=20, draws=100, seed=0, progress=events.append
    )
    assert [(event.done, event.total) for event in events] == [(64, 100), (100, 100)]
