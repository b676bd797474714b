"""The shape map and its radii against statmorph, photutils and what geometry says."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.stats import SigmaClip, sigma_clipped_stats
from scipy import ndimage

from galsmith.measure.engine import flags
from galsmith.measure.engine import sky as engine_sky
from galsmith.measure.engine.light.apertures import Geometry, circles
from galsmith.measure.engine.light.shape import _annulus_values, r_max, shape_map
from galsmith.measure.engine.segmentation.regions import at_least, brightest_pixel, region_with
from galsmith.measure.engine.stamp import SkyBox
from galsmith.seeds import random_stream

UNKNOWN_SKY = SkyBox(0, 0, 0, False, np.nan, np.nan, np.nan, np.nan)
EIGHT_NEIGHBORS = np.ones((3, 3))


def _labels(image, threshold):
    smooth = ndimage.uniform_filter(image, 5)
    regions, _ = ndimage.label(smooth > threshold, EIGHT_NEIGHBORS)
    return (regions == regions[np.unravel_index(np.argmax(smooth), image.shape)]).astype(np.int64)


def _assert_same(galaxy, told):
    ours = shape_map(galaxy.stamp, galaxy.sky, galaxy.x, galaxy.y, galaxy.r_petro_ellip, told)
    shape = galaxy.moments.elongation, galaxy.moments.orientation_rad
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(ours, galaxy.oracle._segmap_shape_asym)
        assert r_max(ours, circles(galaxy.x, galaxy.y), told) == pytest.approx(
            galaxy.oracle.rmax_circ, rel=1e-14
        )
        far = r_max(ours, Geometry(galaxy.x, galaxy.y, *shape), told)
        assert far == pytest.approx(galaxy.oracle.rmax_ellip, rel=1e-13)


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("k", range(6))
def test_sersic_galaxies_have_statmorphs_map(sersic, side_by_side, noticed, k, noise):
    rng = random_stream(21, "tests.engine.shape", k)
    image = sersic(
        110,
        r_eff=rng.uniform(3, 9),
        n=rng.uniform(0.5, 4),
        q=rng.uniform(0.3, 1),
        angle=rng.uniform(0, 3),
        center=54.5 + rng.uniform(-4, 4, 2),
        oversampling=3,
    )
    image += noise * rng.normal(size=image.shape)
    _assert_same(side_by_side(image, _labels(image, 0.2)), noticed())


def test_a_galaxy_that_fills_its_stamp_is_compared_with_the_sky_box(sersic, side_by_side, noticed):
    image = sersic(100, r_eff=24.0, n=1.0) + 0.05 * random_stream(22, "tests.engine.shape").normal(
        size=(100, 100)
    )
    y, x = np.mgrid[:100, :100] - 49.5
    told = noticed()
    galaxy = side_by_side(image, np.hypot(x, y) < 55)
    assert galaxy.sky.is_known
    _assert_same(galaxy, told)
    assert told[flags.SHAPE_MAP_FROM_SKY_BOX]
    assert not told[flags.SHAPE_MAP_UNDEFINED]


def test_without_any_sky_the_segment_is_the_map(sersic, side_by_side, noticed):
    image = sersic(100, r_eff=24.0, n=1.0)
    told = noticed()
    galaxy = side_by_side(image, np.ones(image.shape))
    assert not galaxy.sky.is_known
    _assert_same(galaxy, told)
    assert told[flags.SHAPE_MAP_UNDEFINED]
    assert not told[flags.SHAPE_MAP_FROM_SKY_BOX]


@pytest.mark.real_data
@pytest.mark.parametrize("k", [0, 3, 17, 42, 77])
def test_cosmos_galaxies_have_statmorphs_map(shared_data, side_by_side, noticed, k):
    path = shared_data / "hst_cosmos_f814w_realgal" / "btk" / "real_galaxy_images_extension.fits"
    image = np.asarray(fits.getdata(path, k), dtype=np.float64)
    _assert_same(side_by_side(image, _labels(image, 1.5 * np.std(image[:5]))), noticed())


@pytest.mark.parametrize("center", [(20.0, 17.0), (20.5, 17.25), (3.1, 38.0)])
@pytest.mark.parametrize("radii", [(3.0, 6.0), (5.0, 13.0), (2.5, 40.0), (90.0, 99.0)])
def test_the_annulus_holds_the_pixels_that_photutils_says(center, radii):
    aperture = pytest.importorskip("photutils.aperture", reason="photutils is in galsmith[statmorph]")
    pixels = np.arange(1600.0).reshape(40, 40)
    mask = pixels % 7 == 0
    there = aperture.CircularAnnulus(center, *radii).to_mask(method="center").to_image((40, 40))
    expected = pixels[(there == 1) & ~mask] if there is not None else np.zeros(0)
    np.testing.assert_array_equal(_annulus_values(pixels, mask, *center, *radii), expected)


def _skies(n_skies):
    """Skies of all sorts: pure noise, sources on it, whole numbers, few values, none at all but one."""
    for k in range(n_skies):
        rng = random_stream(23, "tests.engine.sky_mode", k)
        n = int(rng.integers(20, 3000))
        core = rng.normal(0.2, 1.0, n)
        yield core
        yield np.concatenate([core, rng.exponential(20.0, n // 6)])
        yield np.exp(3 * core)
        yield np.round(3 * rng.standard_t(2, n))
        yield 1e6 + 1e-3 * core
        yield np.concatenate([core, rng.exponential(5.0, n // 4), -rng.exponential(9.0, n // 9)])
        two_levels = np.repeat([0.0, 1.0], [n, n + 2])
        yield np.concatenate([two_levels, rng.uniform(2, 4, 3), -rng.uniform(0.3, 2, 2)])


def _theirs(values):
    background = pytest.importorskip("photutils.background", reason="photutils is in galsmith[statmorph]")
    mode = background.ModeEstimatorBackground(median_factor=2.5, mean_factor=1.5)
    mean, median, sigma = sigma_clipped_stats(values, sigma=3.0, maxiters=None, cenfunc=mode)
    clipped = SigmaClip(sigma=3.0, maxiters=None, cenfunc=mode)(values, masked=False)
    return np.sort(clipped), 2.5 * median - 1.5 * mean + sigma


def test_the_sky_is_clipped_as_photutils_and_astropy_do():
    for values in _skies(25):
        ascending = np.sort(values)
        kept, threshold = _theirs(values)
        first, last = engine_sky.clipped_about_mode(ascending, 3.0)
        np.testing.assert_array_equal(ascending[first:last], kept)
        assert engine_sky.one_sigma_above_mode(ascending) == pytest.approx(threshold, rel=1e-12, abs=1e-12)


def test_what_one_turn_dropped_stays_out():
    # The median moves from one level to the other: the last bounds would take in what the first turn dropped.
    found = 0
    background = pytest.importorskip("photutils.background", reason="photutils is in galsmith[statmorph]")
    mode = background.ModeEstimatorBackground(median_factor=2.5, mean_factor=1.5)
    for k in range(300):
        rng = random_stream(24, "tests.engine.sky_mode", k)
        n = int(rng.integers(20, 60))
        levels = np.repeat([0.0, 1.0], [n, n + int(rng.integers(0, 4))])
        values = np.concatenate([levels, np.full(int(rng.integers(1, 5)), rng.uniform(2, 4)), [-1.5]])
        ascending = np.sort(values)
        sums = np.empty((2, values.size + 1))
        engine_sky.sum_about(ascending, 0, values.size, n, sums)
        ours, _ = engine_sky._mode_and_sigma(ascending, 0, values.size, n, sums)
        assert ours == pytest.approx(mode(values), rel=1e-12, abs=1e-12)
        found += mode(values) != mode(levels)
    assert found > 0


@pytest.mark.parametrize("level", [0.0, 0.1, -7.3e5])
def test_a_flat_sky_has_its_level_as_mode(level):
    assert engine_sky.one_sigma_above_mode(np.full(2000, level)) == pytest.approx(level, rel=1e-14)
    assert np.isnan(engine_sky.one_sigma_above_mode(np.zeros(0)))


@pytest.mark.parametrize("bounds", [(0, 500), (10, 480), (250, 251), (300, 500), (0, 200)])
def test_mean_and_sigma_of_a_range_are_numpys(bounds):
    ascending = np.sort(1e4 + np.exp(4 * random_stream(25, "tests.engine.sky_mode").normal(size=500)))
    sums = np.empty((2, 501))
    engine_sky.sum_about(ascending, 0, 500, 250, sums)
    mean, sigma = engine_sky.range_mean_and_sigma(ascending, *bounds, 250, sums)
    part = ascending[slice(*bounds)]
    assert mean == pytest.approx(part.mean(), rel=1e-13)
    assert sigma == pytest.approx(part.std(), rel=1e-10, abs=1e-12)


def test_regions_are_scipys():
    rng = random_stream(26, "tests.engine.regions")
    image = ndimage.uniform_filter(rng.normal(size=(40, 50)), 3)
    above, count = at_least(image, 0.2)
    np.testing.assert_array_equal(above, image >= 0.2)
    assert count == np.count_nonzero(above)
    y, x = brightest_pixel(image)
    assert (y, x) == np.unravel_index(np.argmax(image), image.shape)
    regions, n_regions = ndimage.label(above, EIGHT_NEIGHBORS)
    region, found = region_with(above, y, x)
    assert found == n_regions > 1
    np.testing.assert_array_equal(region, regions == regions[y, x])
    assert at_least(image, np.nan)[1] == 0
    assert brightest_pixel(np.full((3, 3), np.nan)) == (0, 0)


def test_the_brightest_pixel_is_added_to_a_map_that_lacks_it(cut, noticed):
    told = noticed()
    stamp = cut(np.full((80, 80), 1.0), np.ones((80, 80)))
    above_all = UNKNOWN_SKY._replace(is_known=True, mean=2.0, median=2.0, sigma=1.0)  # threshold 3
    inside = shape_map(stamp, above_all, 39.5, 39.5, 300.0, told)
    assert inside.sum() == 1
    assert inside[0, 0]  # of equals the first in raster order
    assert told[flags.SHAPE_PEAK_ADDED]
    assert told[flags.SHAPE_MAP_FROM_SKY_BOX]


def test_radii_of_a_disc_a_pixel_and_nothing(noticed):
    y, x = np.mgrid[:61, :61] - 30.0
    told = noticed()
    assert r_max(np.hypot(x, y) <= 20, circles(30.0, 30.0), told) == 20.0
    ellipse = x**2 + (2 * y) ** 2 <= 20**2
    assert r_max(ellipse, Geometry(30.0, 30.0, 2.0, 0.0), told) == 20.0
    assert r_max(ellipse.T, Geometry(30.0, 30.0, 2.0, np.pi / 2), told) == pytest.approx(20.0, rel=1e-12)
    assert not told.any()
    assert r_max(np.hypot(x, y) == 0, circles(30.0, 30.0), told) == 0.0
    assert told[flags.R_MAX_ZERO]
    nothing = noticed()
    assert np.isnan(r_max(np.zeros((5, 5), dtype=bool), circles(2.0, 2.0), nothing))
    assert nothing[flags.R_MAX_ZERO]


@pytest.mark.parametrize("factor", [1.0, 8.0])
@pytest.mark.parametrize("turn", [np.rot90, np.flipud, np.transpose, np.copy])
def test_turns_flips_and_flux_units_turn_the_map_along(sersic, cut, noticed, turn, factor):
    image = sersic(121, r_eff=5.0, n=1.5, q=0.6, angle=0.3)
    image += 0.05 * random_stream(27, "tests.engine.shape").normal(size=image.shape)
    before, after = (
        shape_map(cut(galaxy, np.ones(image.shape)), UNKNOWN_SKY, 60.0, 60.0, 14.0, noticed())
        for galaxy in (image, factor * turn(image))
    )
    assert before.sum() > 100
    np.testing.assert_array_equal(after, turn(before))
