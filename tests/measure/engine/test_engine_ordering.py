"""Sorting and clipping in the engine against NumPy and astropy."""

import numpy as np
import pytest
from astropy.stats import SigmaClip

from galsmith.measure.engine.numerics.ordering import (
    RADIX_FROM,
    clipped_about_median,
    kept_range,
    mean_of,
    median_of_sorted,
    sorted_values,
    standard_deviation,
    sum_of,
)
from galsmith.seeds import random_stream


def _values(n, seed=1):
    rng = random_stream(seed, "tests.engine.ordering")
    return rng.normal(size=n) * 10.0 ** rng.integers(-12, 12, n)


def _sky_and_sources(n=6000, seed=2):
    rng = random_stream(seed, "tests.engine.sky")
    return np.concatenate([rng.normal(0.3, 1.0, n), rng.exponential(20.0, n // 8)])


@pytest.mark.parametrize("n", [0, 1, 2, 7, 100, RADIX_FROM - 1, RADIX_FROM, 5000])
def test_values_are_sorted_and_the_argument_is_not(n):
    values = _values(n)
    before = values.copy()
    np.testing.assert_array_equal(sorted_values(values), np.sort(values))
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("n", [300, 3000])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: np.float64(np.float32(values)),
        lambda values: np.round(values, 2),
        np.zeros_like,
        lambda values: np.where(values > 1e3, np.inf, np.where(values < -1e3, -np.inf, values)),
        lambda values: values * 1e-310,  # below the smallest normal number
        lambda values: 1e9 + np.clip(values, -1.0, 1.0),  # equal in their upper halves
        lambda values: np.sort(values)[::-1].copy(),
    ],
    ids=["float32", "ties", "equal", "infinite", "subnormal", "close", "descending"],
)
def test_special_values_are_sorted(n, spoil):
    values = spoil(_values(n))
    np.testing.assert_array_equal(sorted_values(values), np.sort(values))


def test_moments_and_medians_of_ranges_are_numpys():
    values = np.sort(_sky_and_sources())
    for start, stop in ((0, len(values)), (10, 11), (100, 4001), (7, 9)):
        part = values[start:stop]
        mean = mean_of(values, start, stop)
        assert sum_of(values, start, stop) == pytest.approx(part.sum(), rel=1e-12)
        assert mean == pytest.approx(part.mean(), rel=1e-12)
        assert standard_deviation(values, start, stop, mean) == pytest.approx(part.std(), rel=1e-12)
        assert median_of_sorted(values, start, stop) == np.median(part)
    assert np.isnan(median_of_sorted(values, 5, 5))
    assert np.isnan(mean_of(values, 5, 5))


def test_a_range_keeps_values_equal_to_its_bounds():
    values = np.array([0.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0])
    assert kept_range(values, 0, 7, 1.0, 3.0) == (1, 6)
    assert kept_range(values, 0, 7, 1.5, 1.6) == (3, 3)
    assert kept_range(values, 2, 4, -9.0, 9.0) == (2, 4)
    first, last = kept_range(values, 0, 7, np.nan, 2.0)
    assert first == last


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("iterations", [1, 3, 10])
def test_the_clip_about_the_median_is_astropys(seed, iterations):
    values = _sky_and_sources(seed=seed)
    clipped = SigmaClip(sigma=3.0, maxiters=iterations)(values, masked=False)
    ascending = sorted_values(values)
    start, stop = clipped_about_median(ascending, 0, len(values), 3.0, iterations)
    np.testing.assert_array_equal(ascending[start:stop], np.sort(clipped[np.isfinite(clipped)]))


def test_clipping_drops_outliers_and_leaves_a_flat_sky():
    sky = np.full(1000, 2.0)
    ascending = np.sort(np.append(sky, [500.0, 900.0]))
    start, stop = clipped_about_median(ascending, 0, len(ascending), 3.0, 10)
    np.testing.assert_array_equal(ascending[start:stop], sky)
    assert clipped_about_median(ascending, 4, 4, 3.0, 10) == (4, 4)
