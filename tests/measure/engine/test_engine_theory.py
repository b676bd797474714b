"""The engine's steps against what theory says of Sérsic's law (Graham & Driver 2005), without any other program."""

from functools import cache

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gamma, gammainc, gammaincinv

from galsmith.measure.engine.light.apertures import Geometry, circles
from galsmith.measure.engine.light.asymmetry import (
    asymmetry,
    asymmetry_center,
    outer_asymmetry,
    shape_asymmetry,
    squared_asymmetry,
)
from galsmith.measure.engine.light.radii import light_radii, light_radius, petrosian_radius
from galsmith.measure.engine.light.shape import centroid
from galsmith.measure.engine.light.statistics import gini, m20
from galsmith.measure.engine.stamp import SkyBox

UNKNOWN_SKY = SkyBox(0, 0, 0, False, np.nan, np.nan, np.nan, np.nan)
INDICES = (0.5, 1.0, 2.0, 3.0, 4.0, 6.0)
R_EFF, SIZE = 40.0, 400  # an even size: the cusp lies where four pixels meet
MIDDLE = (SIZE - 1) / 2


def _growth(r, n):
    """Share of all light within a radius, in half-light radii."""
    return gammainc(2 * n, gammaincinv(2 * n, 0.5) * np.maximum(r, 0.0) ** (1 / n))


def _r_petro(n):
    """Radius in pixels at which a ring 1 pixel wide has 0.2 of the mean brightness within."""

    def ratio(r):
        ring = _growth((r + 0.5) / R_EFF, n) - _growth((r - 0.5) / R_EFF, n)
        return ring / (2 * r) / (_growth(r / R_EFF, n) / r**2) - 0.2

    return brentq(ratio, 5.0, 6 * R_EFF, xtol=1e-12)


def _r_fraction(n, *, r_total, fraction):
    """Radius in pixels with a fraction of the light within `r_total` pixels."""
    wanted = fraction * _growth(r_total / R_EFF, n)
    return R_EFF * (gammaincinv(2 * n, wanted) / gammaincinv(2 * n, 0.5)) ** n


def _integral_of_light_times(power, n, radius):
    """Integral of I(r) r^power from 0 to a radius in pixels, R_EFF^(power + 1) and the amplitude taken out."""
    b = gammaincinv(2 * n, 0.5)
    order = n * (power + 1)
    return n * b**-order * gamma(order) * gammainc(order, b * (radius / R_EFF) ** (1 / n))


@pytest.fixture(scope="module")
def stamp_of(sersic, cut):
    """Draw and cut a noise-free galaxy of R_EFF in the middle: ``stamp_of(n, q=1, angle=0)``."""

    @cache
    def drawn(n, q=1.0, angle=0.0):
        image = sersic(SIZE, r_eff=R_EFF, n=n, q=q, angle=angle, oversampling=3)
        image = 0.5 * (image + image[::-1, ::-1])  # the fine grid of the core is off its middle by a pixel
        stamp = cut(image, np.ones(image.shape))
        assert stamp.pixels.shape == (SIZE, SIZE)
        assert not stamp.mask.any()
        return stamp

    return drawn


@pytest.mark.parametrize("n", INDICES)
def test_the_petrosian_radius_is_that_of_the_law(stamp_of, noticed, n):
    told = noticed()
    radius = petrosian_radius(stamp_of(n), circles(MIDDLE, MIDDLE), told)
    # Flux per pixel is an average, and counted as even within the pixel: each adds 1/12 to the mean of x^2, so the
    # radii that hold light grow by about 0.1 / r, and this one, a matter of slopes, by up to ten times as much.
    assert radius == pytest.approx(_r_petro(n), abs=1.5 / _r_petro(n))
    assert not told.any()


@pytest.mark.parametrize("n", INDICES)
def test_light_radii_and_concentration_are_those_of_the_law(stamp_of, noticed, n):
    r_total = 1.5 * _r_petro(n)
    radii = light_radii(stamp_of(n), circles(MIDDLE, MIDDLE), r_total, noticed())
    expected = [_r_fraction(n, r_total=r_total, fraction=fraction) for fraction in (0.2, 0.5, 0.8)]
    assert np.all(np.abs(np.subtract(radii, expected)) < 0.4 / np.array(expected))  # the pixels, as above
    concentration = 5 * np.log10(radii[2] / radii[0])
    assert concentration == pytest.approx(5 * np.log10(expected[2] / expected[0]), abs=0.3 / expected[0] ** 2)


@pytest.mark.parametrize("n", [1.0, 4.0])
@pytest.mark.parametrize(("q", "angle"), [(0.5, 0.6), (0.8, -1.2)])
def test_radii_of_ellipses_are_semi_major_axes(stamp_of, noticed, n, q, angle):
    stamp, told = stamp_of(n, q, angle), noticed()
    stretch = 1 / np.sqrt(q)  # of the semi-major axis over the circularized radius
    total = 120.0
    half = light_radius(stamp, Geometry(MIDDLE, MIDDLE, 1 / q, angle), total * stretch, 0.5, told)
    expected = _r_fraction(n, r_total=total, fraction=0.5) * stretch
    assert half == pytest.approx(expected, rel=4e-4)
    # The ring is 1 pixel wide along the major axis, on the circle a little less: that hardly moves the ratio.
    petrosian = petrosian_radius(stamp, Geometry(MIDDLE, MIDDLE, 1 / q, angle), told)
    assert petrosian == pytest.approx(_r_petro(n) * stretch, rel=6e-4)
    wrong = light_radius(
        stamp, Geometry(MIDDLE, MIDDLE, 1 / q, angle + np.pi / 2), total * stretch, 0.5, told
    )
    assert abs(wrong - expected) > 0.005 * expected


@pytest.mark.parametrize("n", INDICES)
def test_gini_and_m20_within_a_disc_are_those_of_the_law(stamp_of, noticed, n):
    stamp, radius = stamp_of(n), 80.0
    disc = np.hypot(*(np.mgrid[:SIZE, :SIZE] - MIDDLE)) < radius
    enclosed = _growth(radius / R_EFF, n)
    # Lorenz's curve of a disc: the faintest share 1 - (r / R)^2 of the area holds the light beyond r.
    below = quad(lambda r: r * _growth(r / R_EFF, n) / enclosed, 0.0, radius, epsrel=1e-10)[0]
    assert gini(stamp, disc, noticed()) == pytest.approx(4 * below / radius**2 - 1, abs=1e-3)
    r20 = _r_fraction(n, r_total=radius, fraction=0.2)
    moments = [_integral_of_light_times(3, n, r) for r in (r20, radius)]
    # The brightest fifth ends at a whole ring of pixels, of which there are few where r20 is small.
    assert m20(stamp, disc, noticed()) == pytest.approx(
        np.log10(moments[0] / moments[1]), abs=0.15 if n > 3 else 0.02
    )


def test_symmetric_light_has_no_asymmetry_and_its_middle_is_the_center(stamp_of, noticed):
    stamp, told = stamp_of(1.0, 0.5, 0.6), noticed()
    where = centroid(stamp, told)
    np.testing.assert_allclose(where, MIDDLE, atol=1e-9)
    center = asymmetry_center(stamp, UNKNOWN_SKY, MIDDLE + 0.7, MIDDLE - 0.4, 60.0, told)
    np.testing.assert_allclose(center, MIDDLE, atol=1e-4)
    assert asymmetry(stamp, UNKNOWN_SKY, MIDDLE, MIDDLE, 90.0, told) == pytest.approx(0.0, abs=1e-12)
    assert squared_asymmetry(stamp, UNKNOWN_SKY, MIDDLE, MIDDLE, 90.0, told) == pytest.approx(0.0, abs=1e-12)
    outer = outer_asymmetry(stamp, UNKNOWN_SKY, Geometry(MIDDLE, MIDDLE, 2.0, 0.6), 40.0, 120.0, told)
    assert outer == pytest.approx(0.0, abs=1e-12)
    outline = stamp.pixels > 0.2 * stamp.pixels[stamp.y_peak, stamp.x_peak]
    assert shape_asymmetry(stamp, outline, MIDDLE, MIDDLE, 80.0, told) == pytest.approx(0.0, abs=1e-12)
    assert not told.any()


def test_light_that_is_not_symmetric_has_asymmetry(stamp_of, noticed):
    stamp, told = stamp_of(1.0, 0.5, 0.6), noticed()
    aside = asymmetry(stamp, UNKNOWN_SKY, MIDDLE + 5.0, MIDDLE, 90.0, told)
    assert aside > 0.05
    assert squared_asymmetry(stamp, UNKNOWN_SKY, MIDDLE + 5.0, MIDDLE, 90.0, told) > 0.005
    half = np.arange(SIZE) > MIDDLE
    outline = (stamp.pixels > 0.2 * stamp.pixels[stamp.y_peak, stamp.x_peak]) & half
    # Each pixel of the half meets an empty one: |1 - 0| twice over the light once.
    assert shape_asymmetry(stamp, outline, MIDDLE, MIDDLE, 80.0, told) == pytest.approx(2.0, rel=1e-9)
