"""Morphology against growth curves of the Sérsic law, symmetries and changes of unit."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import gammainc, gammaincinv

from galsmith.measure import MeasureSettings, compiled_engine, property_of_column
from galsmith.measure.engine.batch import GalaxyInput
from galsmith.seeds import random_stream

R_EFF = 12.0


def measure_morphology(stamp, settings):
    return compiled_engine.measure_morphology(GalaxyInput(stamp), settings)


class _GrowthCurve:
    """Circular Sérsic law: light within a radius and the radii that follow from it."""

    def __init__(self, n):
        self.n, self.b = n, gammaincinv(2 * n, 0.5)

    def within(self, r):
        return gammainc(2 * self.n, self.b * (r / R_EFF) ** (1 / self.n))

    def radius(self, light):
        return R_EFF * (gammaincinv(2 * self.n, light) / self.b) ** self.n

    def petrosian(self):
        def ratio(r):
            ring = (self.within(r + 0.5) - self.within(r - 0.5)) / (2 * r)
            return ring / (self.within(r) / r**2) - 0.2

        return brentq(ratio, 2.0, 20 * R_EFF)


@pytest.fixture(scope="module", params=[1.0, 4.0])
def galaxy_and_curve(request, sersic):
    n = request.param
    stamp = sersic(181, r_eff=R_EFF, n=n, center=(90.2, 89.9))
    return measure_morphology(stamp, MeasureSettings()), _GrowthCurve(n)


def test_radii_follow_the_growth_curve(galaxy_and_curve):
    measured, curve = galaxy_and_curve
    values, r_petro = measured.values, curve.petrosian()
    assert values["r_petro_pix"] == pytest.approx(r_petro, rel=2e-3)
    total = curve.within(1.5 * r_petro)
    for name, fraction in (("r20_pix", 0.2), ("r50_pix", 0.5), ("r80_pix", 0.8)):
        # Within a few pixels of the steep core, pixels are coarser than the law.
        assert values[name] == pytest.approx(curve.radius(fraction * total), rel=2e-2, abs=0.03), name
    expected = 5 * np.log10(curve.radius(0.8 * total) / curve.radius(0.2 * total))
    assert values["concentration"] == pytest.approx(expected, rel=1e-2)


def test_half_light_radius_is_half_of_the_light_within_r_max(galaxy_and_curve):
    measured, curve = galaxy_and_curve
    # r_max passes the frame's sides; only the light within the frame counts there, which is all but 1 %.
    within_r_max = curve.within(min(measured.values["r_max_pix"], 1.07 * 90))
    assert measured.values["r_half_pix"] == pytest.approx(curve.radius(0.5 * within_r_max), rel=1e-2)


def test_flux_is_that_within_two_petrosian_radii(galaxy_and_curve):
    measured, curve = galaxy_and_curve
    expected = 1e4 * curve.within(2 * curve.petrosian())
    assert measured.values["flux"] == pytest.approx(expected, rel=3e-3)


def test_the_fit_finds_the_law(galaxy_and_curve):
    measured, curve = galaxy_and_curve
    # statmorph fits the law at pixel centers to pixel averages: a steep core is biased, a flat one is not.
    tolerance = {1.0: 0.01, 4.0: 0.1}[curve.n]
    assert measured.values["sersic_index"] == pytest.approx(curve.n, rel=tolerance)
    assert measured.values["sersic_r_eff_pix"] == pytest.approx(R_EFF, rel=tolerance)


def test_symmetric_light_has_no_asymmetry_and_a_second_clump_has(sersic):
    smooth = sersic(101, r_eff=6.0, n=1.0)
    assert abs(measure_morphology(smooth, MeasureSettings()).values["asymmetry"]) < 1e-3
    clump = sersic(101, r_eff=2.0, n=1.0, flux=3e3, center=(58.0, 52.0))
    assert measure_morphology(smooth + clump, MeasureSettings()).values["asymmetry"] > 0.1


def test_concentration_and_bulge_statistic_rise_with_the_index(sersic):
    low, high = (
        measure_morphology(sersic(101, r_eff=6.0, n=n), MeasureSettings()).values for n in (1.0, 4.0)
    )
    assert high["concentration"] > low["concentration"] + 0.5
    assert high["bulge_statistic"] > low["bulge_statistic"] + 0.2


def test_shape_and_angle_of_an_ellipse(sersic):
    for angle in (0.5, -1.2):
        stamp = sersic(101, r_eff=6.0, n=1.0, q=0.5, angle=angle)
        values = measure_morphology(stamp, MeasureSettings()).values
        for name in ("orientation_rad", "sersic_orientation_rad"):
            assert values[name] == pytest.approx(angle, abs=0.02), name
        # Moments within an outline are rounder than the isophotes; the fit is not.
        assert 0.35 < values["ellipticity"] < 0.5
        assert values["sersic_ellipticity"] == pytest.approx(0.5, abs=0.01)
        assert values["elongation"] == pytest.approx(1 / (1 - values["ellipticity"]), rel=1e-12)


def test_a_quarter_turn_turns_the_angle_and_little_else(noisy_stamps):
    # An odd filter keeps the outline's symmetry; the sky box still moves to other pixels of noise.
    settings = MeasureSettings(smoothing_pix=9)
    for stamp in noisy_stamps[:3]:
        before = measure_morphology(stamp, settings).values
        after = measure_morphology(np.rot90(stamp), settings).values
        turned = after["orientation_rad"] - before["orientation_rad"] + np.pi / 2
        assert np.mod(turned + 0.5, np.pi) == pytest.approx(0.5, abs=1e-9)
        for name in ("ellipticity", "elongation", "flux_frame"):
            assert after[name] == pytest.approx(before[name], rel=1e-9), name
        for name in ("concentration", "gini", "m20", "r_petro_pix"):
            assert after[name] == pytest.approx(before[name], rel=0.02), name
        # The outermost pixel above the sky sets r_max, and with it what half of the light is.
        assert after["r_half_pix"] == pytest.approx(before["r_half_pix"], rel=0.1)
        assert after["asymmetry"] == pytest.approx(before["asymmetry"], abs=0.05)


def test_units_of_flux_change_fluxes_only(noisy_stamps):
    one = measure_morphology(noisy_stamps[1], MeasureSettings(gain=1.0)).values
    four = measure_morphology(4 * noisy_stamps[1], MeasureSettings(gain=0.25)).values
    for name in one:
        factor = 4 if property_of_column(name).unit == "flux" else 1
        assert four[name] == pytest.approx(factor * one[name], rel=1e-6, abs=1e-9), name


def test_gain_changes_signal_to_noise(noisy_stamps):
    low, high = (
        measure_morphology(noisy_stamps[1], MeasureSettings(gain=gain)).values["sn_per_pixel"]
        for gain in (0.1, 10.0)
    )
    assert high > 1.5 * low


def test_a_known_point_spread_function_makes_the_fit_smaller(sersic):
    from scipy.ndimage import gaussian_filter

    sharp = sersic(64, r_eff=3.0, n=1.0)
    blurred = gaussian_filter(sharp, 2.0 / 2.3548 * 1.5)
    ignored, known = (
        measure_morphology(blurred, MeasureSettings(psf_fwhm_pix=fwhm)).values["sersic_r_eff_pix"]
        for fwhm in (None, 3.0)
    )
    assert known == pytest.approx(3.0, rel=0.03)
    assert ignored > 3.2


def test_a_background_is_taken_off_when_asked(sersic):
    stamp = sersic(96, r_eff=5.0, n=1.0) + random_stream(1, "tests.background").normal(0, 0.5, (96, 96))
    clean = measure_morphology(stamp, MeasureSettings()).values
    lifted = measure_morphology(stamp + 20.0, MeasureSettings(subtract_background=False))
    mended = measure_morphology(stamp + 20.0, MeasureSettings(subtract_background=True)).values
    assert lifted.flag == 2
    assert "petrosian_beyond_stamp" in lifted.flags
    for name in ("r_petro_pix", "concentration", "gini", "sersic_index"):
        assert mended[name] == pytest.approx(clean[name], rel=0.02), name
