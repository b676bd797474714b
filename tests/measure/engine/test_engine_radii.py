"""Roots and radii: SciPy and statmorph are the oracles, and the corners of the stamp."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from galsmith.measure.engine import flags
from galsmith.measure.engine.light.apertures import Geometry, circles
from galsmith.measure.engine.light.radii import (
    N_SCANNED,
    is_beyond_stamp,
    light_radii,
    light_radius,
    petrosian_radius,
    scanned_radius,
)
from galsmith.measure.engine.numerics.searches import POINT, RESULT, bracketed, next_point
from galsmith.seeds import random_stream


def points_of(function, low, high, tolerance=1e-6):
    search, points = bracketed(low, function(low), high, function(high)), [low, high]
    while next_point(search, tolerance):
        points.append(search[POINT])
        search[RESULT] = function(search[POINT])
    return points, search[POINT]


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        (lambda x: x**3 - 2.0, 0.0, 5.0),
        (lambda x: math.exp(-x) - 0.2, 0.0, 30.0),
        (lambda x: -0.2 if x < 17.3 else 0.7, 1.0, 90.0),
        (lambda x: math.tanh(50 * (x - 0.01)), -1.0, 40.0),
        (lambda x: x, 0.0, 1.0),
        (lambda x: x - 1.0, 0.0, 1.0),
    ],
    ids=["cube", "exponential", "jump", "steep", "first end", "last end"],
)
def test_root_is_found_by_the_steps_of_scipy(function, low, high):
    asked = []

    def recorded(x):
        asked.append(x)
        return function(x)

    root = brentq(recorded, low, high, xtol=1e-6)
    points, ours = points_of(function, low, high)
    assert ours == root
    assert points == asked


@pytest.mark.parametrize("values", [(1.0, 2.0), (-1.0, -2.0), (math.nan, 1.0), (1.0, math.nan)])
def test_no_bracket_gives_not_a_number(values):
    search = bracketed(0.0, values[0], 1.0, values[1])
    assert not next_point(search, 1e-6)
    assert np.isnan(search[POINT])


def test_scanned_radii_are_evenly_spaced_to_the_last_bit():
    for first, last in ((1.0, 362.0386), (0.0, 77.7)):
        ours = [scanned_radius(index, first, last) for index in range(N_SCANNED)]
        np.testing.assert_array_equal(ours, np.linspace(first, last, N_SCANNED))


@pytest.mark.parametrize("case", ["clean", "noisy", "masked"])
def test_radii_are_statmorphs(side_by_side, sersic, noticed, case):
    rng = random_stream(8, "tests.radii_of", len(case))
    image = sersic(80, r_eff=5.0, n=1.7, q=0.6, angle=0.9, center=(39.2, 38.7))
    if case != "clean":
        image = image + rng.normal(0, 0.3, image.shape)
    y, x = np.mgrid[:80, :80]
    labels = (np.hypot(x - 39, y - 39) < 18).astype(np.int32)
    mask = rng.random(image.shape) < (0.03 if case == "masked" else 0.0)
    pair, seen = side_by_side(image, labels, mask=mask), noticed()
    oracle, stamp = pair.oracle, pair.stamp
    x, y = (float(value) for value in oracle._asymmetry_center)
    shape = float(oracle.elongation_asymmetry), float(oracle.orientation_asymmetry)
    ours = {
        "rpetro_circ": petrosian_radius(stamp, circles(x, y), seen),
        "rpetro_ellip": petrosian_radius(stamp, Geometry(x, y, *shape), seen),
        "rhalf_circ": light_radius(stamp, circles(x, y), float(oracle.rmax_circ), 0.5, seen),
        "rhalf_ellip": light_radius(stamp, Geometry(x, y, *shape), float(oracle.rmax_ellip), 0.5, seen),
    }
    three = light_radii(stamp, circles(x, y), 1.5 * float(oracle.rpetro_circ), seen)
    ours |= dict(zip(("r20", "r50", "r80"), three, strict=True))
    for name, value in ours.items():
        assert value == pytest.approx(float(oracle[name]), rel=1e-11), name
    assert not seen.any()


@pytest.mark.parametrize("elongation", [1.0, 2.0])
def test_petrosian_radius_of_flat_light_is_beyond_the_farthest_corner(stamp_from, noticed, elongation):
    # a constant never falls to a fifth of itself: the ring ends where it leaves the stamp
    stamp = stamp_from(np.ones((30, 40)))
    farthest = math.hypot(20.0, 15.5 * elongation)
    radius = petrosian_radius(stamp, Geometry(19.5, 14.0, elongation, 0.0), noticed())
    assert radius == pytest.approx(farthest + 0.5, abs=2e-5)
    assert is_beyond_stamp(stamp, Geometry(19.5, 14.0, elongation, 0.0), radius)
    assert not is_beyond_stamp(stamp, Geometry(19.5, 14.0, elongation, 0.0), farthest + 0.4)


def test_a_masked_corner_brings_the_end_of_the_stamp_nearer(stamp_from, noticed):
    mask = np.zeros((30, 40), dtype=bool)
    mask[-1, -1] = True
    whole, masked = stamp_from(np.ones((30, 40))), stamp_from(np.ones((30, 40)), mask=mask)
    # centered off the middle, so that one corner is the farthest
    radius = petrosian_radius(masked, circles(18.0, 13.0), noticed())
    assert radius < petrosian_radius(whole, circles(18.0, 13.0), noticed()) - 0.5
    assert is_beyond_stamp(masked, circles(18.0, 13.0), radius)
    assert not is_beyond_stamp(whole, circles(18.0, 13.0), radius)


def test_petrosian_radius_of_one_pixel_is_the_smallest(stamp_from, noticed):
    image = np.zeros((30, 40))
    image[12, 21] = 1.0
    seen = noticed()
    assert petrosian_radius(stamp_from(image), circles(21.0, 12.0), seen) == 1.0
    assert seen[flags.PETROSIAN_BELOW_ANNULUS]


def test_no_light_is_noticed(stamp_from, noticed):
    empty, negative = stamp_from(np.zeros((30, 40))), stamp_from(-np.ones((30, 40)))
    seen = noticed()
    assert petrosian_radius(empty, circles(20.0, 15.0), seen) == 1.0
    assert seen[flags.PETROSIAN_ZERO_FLUX]
    assert light_radius(empty, circles(20.0, 15.0), 9.0, 0.5, seen) == 9.0
    assert seen[flags.TOTAL_FLUX_ZERO]
    assert not seen[flags.TOTAL_FLUX_NEGATIVE]
    seen = noticed()
    assert light_radius(negative, circles(20.0, 15.0), 9.0, 0.5, seen) == pytest.approx(
        9.0 * math.sqrt(0.5), abs=1e-6
    )
    assert seen[flags.TOTAL_FLUX_NEGATIVE]


@pytest.mark.parametrize("r_total", [0.0, -1.0, math.nan])
def test_radius_without_a_total_is_not_a_number(stamp_from, noticed, r_total):
    seen = noticed()
    radii = light_radii(stamp_from(np.ones((30, 40))), circles(20.0, 15.0), r_total, seen)
    assert np.isnan(radii).all()
    assert seen[flags.LIGHT_RADIUS_UNDEFINED]
