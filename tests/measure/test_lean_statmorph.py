"""The faster statmorph against statmorph itself: values and flags, and each of its parts."""

import warnings

import numpy as np
import pytest

statmorph = pytest.importorskip("statmorph", reason="statmorph is in galsmith[statmorph]")

import skimage.transform  # noqa: E402
from photutils import aperture as photutils_aperture  # noqa: E402
from photutils.geometry import elliptical_overlap_grid  # noqa: E402

from galsmith.measure import MeasureSettings, segment  # noqa: E402
from galsmith.measure.statmorph import lean as apertures  # noqa: E402
from galsmith.measure.statmorph.lean import (  # noqa: E402
    LeanSourceMorphology,
    ellipse_overlap_grid,
    first_empty_box,
    half_turn,
)
from galsmith.seeds import random_stream  # noqa: E402


def _both(stamp, **arguments):
    segmentation_map, _ = segment(stamp, MeasureSettings())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain = statmorph.SourceMorphology(stamp, segmentation_map, 1, gain=1.0, **arguments)
        return plain, LeanSourceMorphology(stamp, segmentation_map, 1, gain=1.0, **arguments)


def _assert_same(plain, lean):
    for name in statmorph.statmorph._quantity_names:
        assert lean[name] == pytest.approx(plain[name], rel=1e-9, abs=1e-12), name
    assert (lean.flag, lean.flag_sersic) == (plain.flag, plain.flag_sersic)


@pytest.mark.parametrize("k", range(6))
def test_equals_statmorph_on_noisy_galaxies(noisy_stamps, k):
    plain, lean = _both(noisy_stamps[k])
    _assert_same(plain, lean)


@pytest.mark.parametrize(
    "law",
    [
        {"r_eff": 5.0, "n": 1.0, "q": 0.5, "angle": 0.7, "center": (25.2, 24.7)},
        {"r_eff": 12.0, "n": 3.0, "q": 0.8, "center": (20.1, 27.7)},
        {"r_eff": 9.0, "n": 4.0, "q": 0.45, "angle": -1.0, "center": (23.6, 22.3)},
    ],
)
def test_equals_statmorph_on_noise_free_galaxies(sersic, law):
    plain, lean = _both(sersic(50, **law))
    _assert_same(plain, lean)


def test_equals_statmorph_with_masked_pixels_and_a_point_spread_function(noisy_stamps):
    stamp = noisy_stamps[0].copy()
    stamp[30, 22] = 900.0
    mask = np.zeros(stamp.shape, dtype=bool)
    mask[20:24, 33:36] = True
    profile = np.exp(-0.5 * (np.arange(-3, 4) / 1.3) ** 2)
    plain, lean = _both(stamp, mask=mask, psf=np.outer(profile, profile))
    assert plain.num_badpixels > 0
    _assert_same(plain, lean)


def test_statmorph_itself_stays_as_it_is():
    assert statmorph.statmorph.CircularAperture is photutils_aperture.CircularAperture
    assert statmorph.statmorph.skimage.transform.rotate is skimage.transform.rotate


def test_half_turn_equals_skimage_to_the_bit():
    rng = random_stream(1, "tests.half_turn")
    for low in (0.0, 5.0):
        image = low + rng.uniform(0, 3, (30, 37))
        center = rng.uniform(10, 20, 2)
        np.testing.assert_array_equal(
            half_turn(image, 180.0, center=center), skimage.transform.rotate(image, 180.0, center=center)
        )


@pytest.mark.parametrize("masked_share", [0.0, 0.002, 0.05, 0.6])
def test_half_turn_of_a_mask_equals_skimage(masked_share):
    rng = random_stream(2, "tests.half_turn")
    for _ in range(40):
        mask = rng.uniform(size=(31, 36)) < masked_share
        center = rng.uniform(-2, 38, 2)
        expected = skimage.transform.rotate(mask, 180.0, center=center) >= 0.5
        np.testing.assert_array_equal(half_turn(mask, 180.0, center=center) >= 0.5, expected)


def test_a_masked_pixel_lands_opposite():
    mask = np.zeros((9, 9), dtype=bool)
    mask[1, 2] = True
    assert np.argwhere(half_turn(mask, 180.0, center=(4, 4))).tolist() == [[7, 6]]


@pytest.mark.parametrize("center", [(10.3, 12.9), (-2.5, 3.0), (29.5, 15.2)])
@pytest.mark.parametrize(("a", "b", "theta"), [(4.0, 2.0, 0.3), (40.0, 9.0, -1.2), (0.4, 0.3, 2.0)])
def test_apertures_equal_photutils(center, a, b, theta):
    image = random_stream(2, "tests.apertures").normal(1.0, 1.0, (30, 33))
    mask = image > 2.0
    pairs = [
        (apertures.CircularAperture(center, a), photutils_aperture.CircularAperture(center, a)),
        (apertures.CircularAnnulus(center, b, a), photutils_aperture.CircularAnnulus(center, b, a)),
        (
            apertures.EllipticalAperture(center, a, b, theta=theta),
            photutils_aperture.EllipticalAperture(center, a, b, theta=theta),
        ),
        (
            apertures.EllipticalAnnulus(center, 0.5 * a, a, b, theta=theta),
            photutils_aperture.EllipticalAnnulus(center, 0.5 * a, a, b, theta=theta),
        ),
    ]
    for ours, theirs in pairs:
        assert ours.area == pytest.approx(theirs.area, rel=1e-14)
        assert ours.area_overlap(image, mask=mask) == pytest.approx(
            theirs.area_overlap(image, mask=mask), rel=1e-12, abs=1e-12, nan_ok=True
        )
        assert ours.do_photometry(image)[0][0] == pytest.approx(
            theirs.do_photometry(image)[0][0], rel=1e-12, abs=1e-12, nan_ok=True
        )


def test_an_aperture_off_the_image_is_nan():
    ours = apertures.CircularAperture((-50.0, 3.0), 4.0)
    assert np.isnan(ours.area_overlap(np.ones((10, 10))))
    assert np.isnan(ours.do_photometry(np.ones((10, 10)))[0][0])


def test_ellipse_overlap_equals_photutils_and_the_area():
    rng = random_stream(3, "tests.ellipse")
    for _ in range(200):
        a = 10 ** rng.uniform(-1, 2)
        b, theta = a * rng.uniform(0.05, 1), rng.uniform(-2, 2)
        x, y = rng.uniform(-30, 2, 2)
        edges = (x, x + 32, y, y + 32, 32, 32)
        ours = ellipse_overlap_grid(edges, (a, b), theta=theta)
        np.testing.assert_allclose(ours, elliptical_overlap_grid(*edges, a, b, theta, 1, 1), atol=1e-11)
    whole = ellipse_overlap_grid((-20.2, 19.8, -20.4, 19.6, 40, 40), (15.0, 6.0), theta=0.4)
    assert whole.sum() == pytest.approx(np.pi * 15 * 6, rel=1e-12)


def test_an_ellipse_without_area_covers_nothing():
    assert ellipse_overlap_grid((-2, 2, -2, 2, 4, 4), (0.0, 1.0), theta=0.0).sum() == 0


def test_the_first_empty_box_is_that_of_a_scan():
    occupied = np.zeros((40, 44), dtype=bool)
    occupied[0:20, 0:30] = True
    assert first_empty_box(occupied, 16) == (slice(20, 36), slice(0, 16))
    occupied[:] = True
    assert first_empty_box(occupied, 32) is None
    occupied[36:38, 7:9] = False
    assert first_empty_box(occupied, 32) == (slice(36, 38), slice(7, 9))
