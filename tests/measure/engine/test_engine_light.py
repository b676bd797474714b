"""Gini, M20, signal-to-noise and smoothness of the engine against statmorph and against what theory says."""

import warnings

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image
from scipy import ndimage

from galsmith.measure.engine import flags
from galsmith.measure.engine.light.apertures import Geometry, circles
from galsmith.measure.engine.light.statistics import (
    bulge_statistic,
    gini,
    gini_map,
    m20,
    merger_statistic,
    noise_map,
    smoothness,
    sn_per_pixel,
)
from galsmith.measure.engine.stamp import SkyBox
from galsmith.seeds import random_stream

UNKNOWN_SKY = SkyBox(0, 0, 0, False, np.nan, np.nan, np.nan, np.nan)


def _labels(image, threshold):
    """Region above a threshold that holds the brightest pixel of the smoothed image."""
    smooth = ndimage.uniform_filter(image, 5)
    regions, _ = ndimage.label(smooth > threshold, np.ones((3, 3)))
    return (regions == regions[np.unravel_index(np.argmax(smooth), image.shape)]).astype(np.int64)


def _theirs(galaxy):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = galaxy.oracle
        return {
            "map": found._segmap_gini,
            "noise": found._weightmap_stamp,
            "gini": found.gini,
            "m20": found.m20,
            "bulge": found.gini_m20_bulge,
            "merger": found.gini_m20_merger,
            "sn": found.sn_per_pixel,
            "smoothness": found.smoothness,
        }


def _ours(galaxy, noticed, *, gain=100.0):
    stamp = galaxy.stamp
    shape = galaxy.moments.elongation, galaxy.moments.orientation_rad
    inside = gini_map(
        stamp, Geometry(galaxy.x_centroid, galaxy.y_centroid, *shape), galaxy.r_petro_ellip, noticed
    )
    noise = noise_map(stamp, gain, galaxy.sky, galaxy.sigma_map)
    found_gini, found_m20 = gini(stamp, inside, noticed), m20(stamp, inside, noticed)
    return {
        "map": inside,
        "noise": noise,
        "gini": found_gini,
        "m20": found_m20,
        "bulge": bulge_statistic(found_gini, found_m20),
        "merger": merger_statistic(found_gini, found_m20),
        "sn": sn_per_pixel(stamp, inside, noise, noticed),
        "smoothness": smoothness(stamp, galaxy.sky, galaxy.x, galaxy.y, galaxy.r_petro, noticed),
    }


def _assert_same(galaxy, noticed):
    theirs, ours = _theirs(galaxy), _ours(galaxy, noticed)
    np.testing.assert_array_equal(ours["map"], theirs["map"])
    if not galaxy.sky.is_known:  # statmorph then takes a sky noise of -99, and the engine none
        theirs["sn"], theirs["noise"] = ours["sn"], ours["noise"]
    np.testing.assert_allclose(ours["noise"], theirs["noise"], rtol=1e-12)
    for name in ("gini", "m20", "bulge", "merger"):
        expected = np.nan if theirs[name] == -99.0 else theirs[name]
        assert ours[name] == pytest.approx(expected, abs=1e-12, nan_ok=True), name
    for name in ("sn", "smoothness"):
        expected = np.nan if theirs[name] == -99.0 else theirs[name]
        assert ours[name] == pytest.approx(expected, rel=1e-12, abs=1e-9, nan_ok=True), name


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("k", range(6))
def test_sersic_galaxies_have_statmorphs_values(sersic, side_by_side, noticed, k, noise):
    rng = random_stream(7, "tests.engine.light", k)
    image = sersic(
        100,
        r_eff=rng.uniform(3, 12),
        n=rng.uniform(0.5, 4),
        q=rng.uniform(0.3, 1),
        angle=rng.uniform(0, 3),
        center=49.5 + rng.uniform(-4, 4, 2),
        oversampling=3,
    )
    image += noise * rng.normal(size=image.shape)
    _assert_same(side_by_side(image, _labels(image, 0.2)), noticed())


def test_masks_sigma_maps_and_bad_pixels_count_as_in_statmorph(sersic, side_by_side, noticed):
    rng = random_stream(8, "tests.engine.light")
    image = sersic(90, r_eff=7.0, n=1.5, q=0.7, angle=0.4) + 0.05 * rng.normal(size=(90, 90))
    image[40, 52] += 4e3  # a bad pixel
    mask = np.zeros(image.shape, dtype=bool)
    mask[45:49, 30:36] = True
    sigma_map = np.full(image.shape, 0.3) + 0.01 * rng.random(image.shape)
    sigma_map[60, 60] = np.inf
    sigma_map[50, 50] = -0.3
    galaxy = side_by_side(image, _labels(image, 0.2), mask=mask, sigma_map=sigma_map)
    assert galaxy.stamp.mask.sum() > 24
    _assert_same(galaxy, noticed())


def test_of_two_galaxies_the_brighter_stays_in_the_map(sersic, cut, noticed):
    image = sersic(120, r_eff=4.0, n=1.0, center=(40.0, 60.0))
    image += sersic(120, r_eff=4.0, n=1.0, center=(84.0, 60.0), flux=6e3)
    told = noticed()
    inside = gini_map(cut(image, np.ones(image.shape)), circles(40.0, 60.0), 8.0, told)
    assert told[flags.GINI_MAP_DISJOINT]
    assert inside[60, 40]
    assert not inside[60, 84]
    alone = noticed()
    one = sersic(120, r_eff=4.0, n=1.0, center=(40.0, 60.0))
    assert gini_map(cut(one, np.ones(one.shape)), circles(40.0, 60.0), 8.0, alone)[60, 40]
    assert not alone.any()


@pytest.mark.real_data
@pytest.mark.parametrize("k", [0, 3, 17, 42, 77])
def test_cosmos_galaxies_have_statmorphs_values(shared_data, side_by_side, noticed, k):
    path = shared_data / "hst_cosmos_f814w_realgal" / "btk" / "real_galaxy_images_extension.fits"
    image = np.asarray(fits.getdata(path, k), dtype=np.float64)
    _assert_same(side_by_side(image, _labels(image, 1.5 * np.std(image[:5]))), noticed())


@pytest.mark.real_data
@pytest.mark.parametrize("k", [5, 500, 2000])
def test_efigi_pictures_have_statmorphs_values(shared_data, side_by_side, noticed, k):
    file = sorted((shared_data / "efigi_gri88" / "images").glob("*.jpg"))[k]
    with Image.open(file) as picture:
        gray = np.asarray(picture.convert("RGB"), dtype=np.float64).mean(axis=2)
    image = gray - np.median(gray[:5])
    _assert_same(side_by_side(image, _labels(image, 20.0)), noticed())


@pytest.mark.parametrize("radius", [np.nan, 0.0, -3.0, np.inf])
def test_a_radius_that_is_none_leaves_an_empty_map(sersic, cut, noticed, radius):
    stamp = cut(sersic(60, r_eff=5.0, n=1.0), np.ones((60, 60)))
    told = noticed()
    inside = gini_map(stamp, circles(29.5, 29.5), radius, told)
    assert not inside.any()
    assert told[flags.GINI_MAP_EMPTY]
    assert np.isnan(gini(stamp, inside, told))
    assert np.isnan(m20(stamp, inside, told))
    assert np.isnan(sn_per_pixel(stamp, inside, np.ones((60, 60)), told))
    assert np.isnan(smoothness(stamp, UNKNOWN_SKY, 29.5, 29.5, radius, told))
    assert all(told[flag] for flag in (flags.GINI_UNDEFINED, flags.M20_UNDEFINED, flags.SN_UNDEFINED))
    assert told[flags.SMOOTHNESS_UNDEFINED]


def test_a_flat_image_fills_the_map(cut, noticed):
    told = noticed()
    stamp = cut(np.ones((60, 60)), np.ones((60, 60)))
    assert gini_map(
        stamp, circles(29.5, 29.5), 200.0, told
    ).all()  # the annulus lies off the image: its mean is 0
    assert told[flags.GINI_MAP_FULL]


def test_gini_is_0_for_even_light_and_1_for_a_single_bright_pixel(cut, noticed):
    even = np.ones((50, 50))
    point = np.zeros((50, 50))
    point[20, 30] = 7.0
    whole, told = np.ones((50, 50), dtype=bool), noticed()
    assert gini(cut(even, whole), whole, told) == pytest.approx(0.0, abs=1e-12)
    bright = cut(even, whole)._replace(pixels=point)
    assert gini(bright, whole, told) == pytest.approx(1.0, abs=1e-12)
    assert not told.any()
    one = np.zeros((50, 50), dtype=bool)
    one[20, 30] = True
    assert np.isnan(gini(bright, one, told))
    assert told[flags.GINI_UNDEFINED]


def test_gini_of_evenly_spread_values_is_a_third(cut, noticed):
    ramp = np.arange(2500.0).reshape(50, 50)
    whole = np.ones((50, 50), dtype=bool)
    stamp = cut(np.ones((50, 50)), whole)._replace(pixels=ramp)
    # sum (2 i - n - 1) (i - 1) / ((n - 1) sum (i - 1)) = (n + 1) / (3 (n - 1)), by hand
    assert gini(stamp, whole, noticed()) == pytest.approx(2501 / (3 * 2499), rel=1e-12)


def test_m20_of_even_light_and_of_two_rings_is_what_the_formula_says(cut, noticed):
    whole = np.ones((51, 51), dtype=bool)
    stamp = cut(np.ones((51, 51)), whole)
    assert m20(stamp, whole, noticed()) == pytest.approx(0.0, abs=1e-12)  # every pixel is at the threshold
    y, x = np.mgrid[-25:26, -25:26]
    faint, bright = (abs(x) == 20) & (abs(y) == 20), (abs(x) == 3) & (abs(y) == 3)
    pixels = faint * 1.0 + bright * 0.5
    # 4 pixels of 1 and 4 of 0.5: the brightest fifth of the light lies in those of 1, all at one distance
    expected = np.log10(4 * 800 / (4 * 800 + 4 * 0.5 * 18))
    assert m20(stamp._replace(pixels=pixels), whole, noticed()) == pytest.approx(expected, abs=1e-12)
    told = noticed()
    assert np.isnan(m20(stamp._replace(pixels=-pixels), whole, told))
    assert told[flags.M20_UNDEFINED]


def test_the_statistics_are_the_published_lines():
    assert bulge_statistic(0.6, -2.0) == pytest.approx(0.396, abs=1e-12)
    assert merger_statistic(0.6, -2.0) == pytest.approx(-0.011, abs=1e-12)
    assert np.isnan(bulge_statistic(np.nan, -2.0))
    assert np.isnan(merger_statistic(0.6, np.nan))


def test_noise_without_a_known_sky_is_poissons(cut):
    stamp = cut(np.full((50, 50), 9.0), np.ones((50, 50)))
    np.testing.assert_allclose(noise_map(stamp, 4.0, UNKNOWN_SKY, np.zeros((0, 0))), 1.5, rtol=1e-15)
    sky = UNKNOWN_SKY._replace(is_known=True, sigma=2.0)
    np.testing.assert_allclose(noise_map(stamp, 4.0, sky, np.zeros((0, 0))), 2.5, rtol=1e-15)


def test_a_sigma_map_is_cut_where_the_stamp_was(cut, sersic):
    image = sersic(120, r_eff=3.0, n=1.0, center=(70.0, 50.0))
    labels = np.zeros(image.shape)
    labels[45:56, 65:76] = 1
    sigma_map = np.arange(120.0 * 120).reshape(120, 120)
    stamp = cut(image, labels, sigma_map=sigma_map)
    assert (stamp.x_min, stamp.y_min) == (46, 26)
    noise = noise_map(stamp, np.nan, UNKNOWN_SKY, sigma_map)
    np.testing.assert_array_equal(noise, sigma_map[26:74, 46:94])


def test_a_smooth_galaxy_has_smoothness_0_and_a_clumpy_one_more(sersic, cut, noticed):
    image = sersic(160, r_eff=10.0, n=1.0)
    clumpy = image.copy()
    rng = random_stream(9, "tests.engine.light")
    for x, y in rng.integers(60, 100, (12, 2)):
        clumpy[y : y + 2, x : x + 2] += 3 * image[y, x]
    whole, r_petro = np.ones(image.shape), 36.0  # of an exponential: 3.6 half-light radii
    smooth_value, clumpy_value = (
        smoothness(cut(galaxy, whole), UNKNOWN_SKY, 79.5, 79.5, r_petro, noticed())
        for galaxy in (image, clumpy)
    )
    assert smooth_value == 0.0  # beyond its scale length an exponential lies below the mean of what is around
    assert clumpy_value > 0.03


def test_pure_sky_is_as_smooth_as_its_box(cut, noticed):
    rng = random_stream(10, "tests.engine.light")
    image = 1.0 + 0.1 * rng.normal(size=(200, 200))
    stamp = cut(image, np.ones(image.shape))
    box = UNKNOWN_SKY._replace(side_pix=32, x=3, y=5, is_known=True, mean=1.0, sigma=0.1)
    background = box._replace(side_pix=0, x=0, y=0)
    corners = stamp._replace(occupied=np.hypot(*(np.mgrid[:200, :200] - 99.5)) < 95)
    plain = smoothness(stamp, UNKNOWN_SKY, 99.5, 99.5, 40.0, noticed())
    from_box = smoothness(stamp, box, 99.5, 99.5, 40.0, noticed())
    from_background = smoothness(corners, background, 99.5, 99.5, 40.0, noticed())
    assert plain == pytest.approx(
        0.1 / np.sqrt(2 * np.pi), rel=0.05
    )  # mean of the positive half of the noise
    assert abs(from_box) < 0.003  # 1024 pixels: 3 % of 0.04, and as much for edges
    assert abs(from_background) < 0.001


@pytest.mark.parametrize("r_petro", [1.0, 3.9, 7.99])
def test_a_boxcar_of_at_most_one_pixel_gives_0(sersic, cut, noticed, r_petro):
    image = sersic(60, r_eff=2.0, n=1.0) + 1.0
    told = noticed()
    assert smoothness(cut(image, np.ones((60, 60))), UNKNOWN_SKY, 29.5, 29.5, r_petro, told) == 0.0
    assert not told.any()


def test_light_that_is_not_positive_has_no_smoothness(cut, noticed):
    told = noticed()
    stamp = cut(-np.ones((60, 60)), np.ones((60, 60)))
    assert np.isnan(smoothness(stamp, UNKNOWN_SKY, 29.5, 29.5, 12.0, told))
    assert told[flags.SMOOTHNESS_UNDEFINED]


def _values_after(image, turn, *, cut, noticed):
    """Gini, M20 and smoothness of an image turned about its middle, where the galaxy is."""
    stamp = cut(turn(image), np.ones(image.shape))
    middle = (image.shape[0] - 1) / 2
    inside = gini_map(stamp, circles(middle, middle), 15.0, noticed())
    sky = UNKNOWN_SKY
    return np.array(
        [
            gini(stamp, inside, noticed()),
            m20(stamp, inside, noticed()),
            smoothness(stamp, sky, middle, middle, 13.0, noticed()),  # an odd boxcar, of 3 px
        ]
    )


@pytest.mark.parametrize(
    "turn",
    [np.rot90, np.flipud, np.fliplr, np.transpose, lambda image: 1e-9 * image, lambda image: 4e5 * image],
    ids=["turn", "flip_y", "flip_x", "transpose", "fainter", "brighter"],
)
def test_turns_flips_and_flux_units_change_nothing(sersic, cut, noticed, turn):
    image = sersic(97, r_eff=6.0, n=2.0, q=0.6, angle=0.3)
    image += 0.01 * random_stream(12, "tests.engine.light").normal(size=image.shape)
    before = _values_after(image, lambda same: same, cut=cut, noticed=noticed)
    after = _values_after(image, turn, cut=cut, noticed=noticed)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-11)
