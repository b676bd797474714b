"""The parts of the MID statistics beside NumPy, SciPy and scikit-image: order, sums, clumps, hops, peaks, floods."""

import numpy as np
import pytest
from scipy import ndimage, optimize

from galsmith.measure.engine.mid.basin_hopping import CHANCE, MOST_CALLS, descend, energy, hop
from galsmith.measure.engine.mid.clumps import ClumpAreas, bordered, main_clump_means, two_largest_areas
from galsmith.measure.engine.mid.watershed import find_peaks, flood_from_peaks, flux_around_peaks
from galsmith.measure.engine.numerics.brightness import brightness_order, pairwise_sum
from galsmith.seeds import random_stream

EIGHT = np.ones((3, 3))


@pytest.fixture(params=["noise", "few levels", "islands", "two levels", "one level"])
def picture(request):
    """Small image, not below zero; all but the first have many equal pixels."""
    rng = random_stream(5, request.param)
    shape = (23, 31)
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), 2.0)
    return {
        "noise": rng.uniform(size=shape),
        "few levels": rng.integers(0, 4, shape).astype(float),
        "islands": np.where(smooth > 0.03, rng.integers(1, 4, shape), 0).astype(float),
        "two levels": rng.integers(0, 2, shape).astype(float),
        "one level": (smooth > 0.0).astype(float),
    }[request.param]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 128, 129, 255, 1024, 4097, 100_003])
def test_sum_is_numpys_to_the_bit(count):
    rng = random_stream(1, "sum", count)
    values = rng.normal(size=count + 3) * 10.0 ** rng.uniform(-8, 8, count + 3)
    assert pairwise_sum(values, 2, 2 + count) == np.sum(values[2 : 2 + count])


def test_order_is_a_stable_sort_of_what_is_above_zero(picture):
    flux = picture.ravel() - 0.5
    order = np.argsort(flux, kind="stable")
    np.testing.assert_array_equal(brightness_order(flux), order[flux[order] > 0])


def test_order_of_values_that_differ_in_their_last_bits_only():
    flux = 1.0 + 1e-9 * random_stream(2, "last bits").normal(size=5000)
    np.testing.assert_array_equal(brightness_order(flux), np.argsort(flux, kind="stable"))


def test_areas_and_means_at_every_threshold_are_those_of_labeled_regions(picture):
    flux, width = bordered(picture), picture.shape[1] + 2
    order = brightness_order(flux)
    peak_y, peak_x = np.unravel_index(np.argmax(picture), picture.shape)
    means = main_clump_means(flux, order, width, (peak_y + 1) * width + peak_x + 1)
    largest, second = two_largest_areas(flux, order, width)
    for place, pixel in enumerate(order):
        labels, _ = ndimage.label(picture >= flux[pixel], EIGHT)
        areas = np.sort(np.bincount(labels.ravel())[1:])[::-1]
        assert largest[place] == areas[0]
        assert second[place] == (areas[1] if len(areas) > 1 else 0)
        assert means[place] == pytest.approx(picture[labels == labels[peak_y, peak_x]].mean(), rel=1e-13)


def _random_clumps(seed):
    """Areas with steps, as real galaxies have them."""
    rng = random_stream(seed, "areas")
    count = int(rng.integers(3, 3000))
    edges = np.sort(rng.integers(0, count, int(rng.integers(1, 60))))
    second = rng.integers(0, 1 + int(rng.integers(1, 200)), len(edges) + 1)[
        np.searchsorted(edges, np.arange(count))
    ]
    largest = second + rng.integers(1, 500, len(edges) + 1)[np.searchsorted(edges, np.arange(count))]
    return ClumpAreas(largest, second, int(rng.integers(0, count)), float(rng.uniform(1, 1e4)))


def test_chance_is_that_of_scipys_seed_0():
    theirs = np.random.RandomState(0).random_sample(len(CHANCE))
    np.testing.assert_array_equal(CHANCE, theirs)


@pytest.mark.parametrize("seed", range(40))
def test_hops_end_where_scipys_do(seed):
    clumps = _random_clumps(seed)

    def height(quantile):
        return energy(float(np.ravel(quantile)[0]), clumps)

    grid = np.arange(0.0, 1.0, 0.02)
    heights = [height(quantile) for quantile in grid]
    if min(heights) >= 0.0:
        pytest.skip("one clump at all of the grid's quantiles")
    start, temperature = grid[np.argmin(heights)], -0.5 * min(heights)
    theirs = optimize.basinhopping(
        height,
        start,
        minimizer_kwargs={"method": "Nelder-Mead"},
        niter=5,
        T=temperature,
        stepsize=0.02,
        interval=2.5,
        seed=0,
    )
    assert hop(start, 0.02, temperature, clumps) == theirs.x[0]


@pytest.mark.parametrize("seed", range(100, 120))
@pytest.mark.parametrize("start", [0.0, 0.3, 0.96])
def test_descent_ends_where_scipys_does(seed, start):
    clumps = _random_clumps(seed)
    theirs = optimize.minimize(
        lambda quantile: energy(float(quantile[0]), clumps), start, method="Nelder-Mead"
    )
    assert descend(start, clumps) == (theirs.x[0], theirs.fun, theirs.success)


def test_descent_gives_up_after_as_many_calls_as_scipys():
    # each pixel fainter is better than the last, and 1 + 2^-k never reaches 1: the second point never comes level
    largest = np.ones(2, dtype=np.int64)
    clumps = ClumpAreas(largest, np.array([0, 1]), 0, 1e300)
    calls = []

    def height(quantile):
        calls.append(quantile)
        return energy(float(quantile[0]), clumps)

    theirs = optimize.minimize(height, 1.0, method="Nelder-Mead")
    assert descend(1.0, clumps) == (theirs.x[0], theirs.fun, theirs.success)
    assert len(calls) <= MOST_CALLS


@pytest.fixture(params=[0.0, 1.0])
def smoothed(picture, request):
    """The pictures, sharp and smoothed; both with ties."""
    return ndimage.gaussian_filter(picture, request.param) if request.param else picture


def test_peaks_are_those_of_scikit_image(smoothed):
    feature = pytest.importorskip("skimage.feature", reason="scikit-image comes with galsmith[statmorph]")
    np.testing.assert_array_equal(np.transpose(find_peaks(smoothed)), feature.peak_local_max(smoothed))


def test_flood_is_that_of_scikit_image_to_the_pixel(smoothed):
    segmentation = pytest.importorskip("skimage.segmentation", reason="comes with galsmith[statmorph]")
    rows, columns = find_peaks(smoothed)
    markers = np.zeros(smoothed.shape, dtype=np.int64)
    markers[rows, columns] = np.arange(1, len(rows) + 1)
    theirs = segmentation.watershed(-smoothed, markers, connectivity=2, mask=smoothed > 0)
    labels = flood_from_peaks(smoothed, rows, columns)
    ours = labels.reshape(smoothed.shape[0] + 2, -1)[1:-1, 1:-1]
    np.testing.assert_array_equal(np.maximum(ours, 0), theirs)
    fluxes = [smoothed[theirs == peak].sum() for peak in range(1, len(rows) + 1)]
    np.testing.assert_array_equal(flux_around_peaks(smoothed, labels, len(rows)), fluxes)


def test_an_image_without_contrast_has_no_peaks():
    for flat in (np.zeros((9, 9)), np.ones((9, 9)), np.ones((2, 2)), np.ones((1, 7))):
        assert len(find_peaks(flat)[0]) == 0
