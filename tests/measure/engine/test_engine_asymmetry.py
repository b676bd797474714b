"""Asymmetry and its center: scikit-image's rotation, SciPy's simplex and statmorph are the oracles."""

import numpy as np
import pytest
from scipy.optimize import fmin

from galsmith.measure.engine import flags
from galsmith.measure.engine.light.apertures import Geometry, circles
from galsmith.measure.engine.light.asymmetry import (
    ASYMMETRY_EXTENT,
    asymmetry,
    asymmetry_center,
    outer_asymmetry,
    shape_asymmetry,
    squared_asymmetry,
)
from galsmith.measure.engine.numerics.searches import BEST, TRIAL, VALUE, X, Y, next_trial, simplex_about
from galsmith.measure.engine.stamp import SkyBox
from galsmith.seeds import random_stream

UNKNOWN_SKY = SkyBox(0, 0, 0, False, np.nan, np.nan, np.nan, np.nan)
SKY = SkyBox(32, 0, 0, True, 0.01, 0.01, 0.2, 0.05)


def asymmetry_by_others(image, mask, center, radius):
    """Turn with scikit-image, sum with photutils."""
    rotate = pytest.importorskip("skimage.transform").rotate
    circle = pytest.importorskip("photutils.aperture").CircularAperture(center, radius)
    turned = rotate(image, 180.0, center=center)
    left_out = mask | (rotate(mask, 180.0, center=center) >= 0.5)
    plain, turned = np.where(left_out, 0.0, image), np.where(left_out, 0.0, turned)
    sums = [circle.do_photometry(values)[0][0] for values in (np.abs(turned - plain), np.abs(plain))]
    return (sums[0] - circle.area_overlap(plain, mask=left_out) * SKY.asymmetry) / sums[1]


def two_galaxies(sersic):
    """A compact galaxy, and a wide one that moves the centroid away from it but not the point of symmetry."""
    compact, wide = (
        sersic(72, r_eff=2.5, n=1.0, center=(29.0, 37.3)),
        sersic(72, r_eff=5.0, n=0.6, center=(43.0, 38.0)),
    )
    return compact + 0.3 * wide


def trials_of(function, x, y):
    """Points that the search asks for, and the best one."""
    search, points = simplex_about(x, y), []
    while next_trial(search, 1e-6, 1e-4):
        points.append((search[TRIAL, X], search[TRIAL, Y]))
        search[TRIAL, VALUE] = function(points[-1])
    return points, (search[BEST, X], search[BEST, Y])


@pytest.mark.parametrize(
    ("function", "start"),
    [
        (lambda p: (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2, (-1.2, 1.0)),
        (lambda p: abs(p[0] - 31.3) + 2 * abs(p[1] - 29.1), (32.0, 30.0)),
        (lambda p: abs(p[0] - 3.3) ** 0.3 + abs(p[1]) ** 0.3, (0.0, 5.0)),
        (lambda p: 100.0, (3.0, 4.0)),
        (lambda p: 100.0 if p[0] > 10 else p[1] ** 2 - p[0], (9.8, 4.0)),
        (lambda p: np.sin(50 * p[0]) + np.cos(70 * p[1]) - 1e3 * p[0] - p[1], (0.3, 4.0)),
    ],
    ids=["banana", "valley", "cusp", "flat", "cliff", "endless"],
)
def test_simplex_asks_for_the_points_that_scipy_asks_for(function, start):
    asked = []

    def recorded(point):
        asked.append((point[0], point[1]))
        return function(point)

    best = fmin(recorded, start, xtol=1e-6, disp=False)
    points, ours = trials_of(function, *start)
    assert points == asked
    assert ours == tuple(best)
    assert len(points) <= 400


@pytest.mark.parametrize("kind", ["noisy", "positive", "masked", "half masked"])
def test_asymmetry_is_that_of_the_rotated_image(stamp_from, sersic, kind):
    rng = random_stream(5, "tests.turned_images", len(kind))
    image = sersic(41, r_eff=6.0, n=1.5, center=(19.3, 22.4))[:, :38]
    image = image + 0.5 if kind == "positive" else image + rng.normal(0, 0.5, image.shape)
    mask = rng.random(image.shape) < {"masked": 0.03, "half masked": 0.5}.get(kind, 0.0)
    stamp = stamp_from(image, mask)
    middle = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
    centers = [middle, (middle[0] + 0.3, middle[1] - 0.4), (middle[0] + 0.3, middle[1] - 0.7), (0.0, 0.0)]
    centers += [(rng.uniform(0, 38), rng.uniform(0, 41)) for _ in range(30)]
    for center in centers:
        for radius in (3.3, 14.2, 60.0):
            noticed = np.zeros(flags.N_FLAGS, dtype=np.uint8)
            value = asymmetry(stamp, SKY, *center, radius, noticed)
            expected = asymmetry_by_others(stamp.pixels, mask, center, radius)
            assert value == pytest.approx(expected, rel=1e-12, abs=1e-13), (center, radius)
            assert not noticed.any()


@pytest.mark.parametrize("case", ["clean", "noisy", "masked", "lopsided", "two"])
def test_center_and_asymmetries_are_statmorphs(side_by_side, sersic, noticed, case):
    rng = random_stream(7, "tests.asymmetry_of", len(case))
    image = (
        two_galaxies(sersic)
        if case == "two"
        else sersic(72, r_eff=6.0, n=1.4, q=0.7, angle=0.6, center=(34.2, 37.9))
    )
    if case != "clean":
        image = image + rng.normal(0, 0.4, image.shape)
    if case == "lopsided":
        image = image + 0.5 * sersic(72, r_eff=3.0, n=1.0, center=(40.2, 30.0))
    y, x = np.mgrid[:72, :72]
    labels = (np.hypot(x - 36, y - 37) < 22).astype(np.int32)
    mask = rng.random(image.shape) < (0.02 if case == "masked" else 0.0)
    pair = side_by_side(image, labels, mask=mask)
    oracle, stamp, sky, seen = pair.oracle, pair.stamp, pair.sky, noticed()
    center = asymmetry_center(
        stamp, sky, pair.x_centroid, pair.y_centroid, oracle._rpetro_circ_centroid, seen
    )
    np.testing.assert_allclose(center, oracle._asymmetry_center, rtol=0, atol=1e-9)
    radius = ASYMMETRY_EXTENT * oracle._rpetro_circ_centroid
    assert asymmetry(stamp, sky, *center, radius, seen) == pytest.approx(oracle.asymmetry, abs=1e-12)
    assert squared_asymmetry(stamp, sky, *center, radius, seen) == pytest.approx(
        oracle.rms_asymmetry2, rel=1e-11
    )
    outer = outer_asymmetry(
        stamp,
        sky,
        Geometry(*center, oracle.elongation_asymmetry, oracle.orientation_asymmetry),
        oracle.rhalf_ellip,
        oracle.rmax_ellip,
        seen,
    )
    assert outer == pytest.approx(oracle.outer_asymmetry, abs=1e-12)
    shape = shape_asymmetry(stamp, oracle._segmap_shape_asym, *center, float(oracle.rmax_circ), seen)
    assert shape == pytest.approx(oracle.shape_asymmetry, abs=1e-12)
    assert bool(seen[flags.CENTER_DRIFTED]) == (case == "two")


def test_symmetric_light_has_no_asymmetry_and_lopsided_light_has(stamp_from, sersic, noticed):
    image = sersic(61, r_eff=8.0, n=1.0, q=0.6, angle=0.4)
    stamp = stamp_from(image)
    center = asymmetry_center(stamp, UNKNOWN_SKY, 31.2, 29.1, 18.0, noticed())
    np.testing.assert_allclose(center, (30.0, 30.0), atol=1e-4)
    assert asymmetry(stamp, UNKNOWN_SKY, 30.0, 30.0, 25.0, noticed()) < 1e-12
    image[30:, 30:] *= 1.5
    assert asymmetry(stamp_from(image), UNKNOWN_SKY, 30.0, 30.0, 25.0, noticed()) > 0.1


def test_search_that_drifts_from_both_starts_ends_at_the_centroid(stamp_from, sersic, noticed):
    stamp = stamp_from(
        two_galaxies(sersic), peak=(20, 20)
    )  # not the brightest pixel, but far from all centers
    seen = noticed()
    assert asymmetry_center(stamp, UNKNOWN_SKY, 32.25, 37.5, 9.0, seen) == (32.25, 37.5)
    assert seen[flags.CENTER_DRIFTED]
    assert seen[flags.CENTER_IS_CENTROID]


def test_masked_center_is_noticed(stamp_from, sersic, noticed):
    image = sersic(61, r_eff=8.0, n=1.0)
    mask = np.zeros(image.shape, dtype=bool)
    mask[28:33, 28:33] = True
    seen, unmasked = noticed(), noticed()
    asymmetry_center(stamp_from(image, mask), UNKNOWN_SKY, 30.1, 29.8, 18.0, seen)
    asymmetry_center(stamp_from(image), UNKNOWN_SKY, 30.1, 29.8, 18.0, unmasked)
    assert seen[flags.CENTER_MASKED]
    assert not unmasked[flags.CENTER_MASKED]


def test_bad_input_gives_not_a_number_and_a_flag(stamp_from, noticed):
    stamp = stamp_from(np.zeros((20, 20)))
    seen = noticed()
    assert np.isnan(asymmetry(stamp, UNKNOWN_SKY, 9.0, 9.0, 5.0, seen))
    assert seen[flags.CENTER_ZERO_FLUX]
    seen = noticed()
    assert np.isnan(asymmetry(stamp_from(np.ones((20, 20))), UNKNOWN_SKY, 20.5, 9.0, 5.0, seen))
    assert seen[flags.CENTER_LEFT_STAMP]
    ones = stamp_from(np.ones((20, 20)))
    for radius in (0.0, -1.0, np.nan):
        assert np.isnan(asymmetry(ones, UNKNOWN_SKY, 9.0, 9.0, radius, noticed()))
    assert np.isnan(outer_asymmetry(ones, UNKNOWN_SKY, circles(9.0, 9.0), 5.0, 5.0, noticed()))
    assert np.isnan(shape_asymmetry(ones, np.zeros((20, 20), dtype=bool), 9.0, 9.0, 4.0, noticed()))
    center = asymmetry_center(ones, UNKNOWN_SKY, 9.0, 9.0, np.nan, noticed())
    assert center == (9.0, 9.0)
