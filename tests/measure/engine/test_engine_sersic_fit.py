"""The fit of one Sérsic law: known laws found again, statmorph's answers, and what must be flagged."""

import math

import integrated_laws as laws
import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from astropy.stats import akaike_info_criterion_lsq, bayesian_info_criterion_lsq
from scipy.signal import fftconvolve

from galsmith.measure.engine import flags
from galsmith.measure.engine.sersic.fit import INTEGRATED, PARITY, Start, fit_sersic, information_criteria
from galsmith.measure.engine.stamp import Moments
from galsmith.seeds import random_stream

NO_PSF = np.zeros((0, 0))
SIZE = 64
MODES = pytest.mark.parametrize("mode", [PARITY, INTEGRATED], ids=["parity", "integrated"])
SHAPE = ("amplitude", "r_eff", "sersic_index", "x", "y", "ellipticity", "orientation_rad")
# x, y, r_half_ellip, concentration, moments: where the fits below start
START = Start(31.0, 33.0, 6.0, 3.2, Moments(0.3, 1.4, 0.5))


def _truth(n):
    return {
        "amplitude": 5.0,
        "r_eff": 7.0,
        "sersic_index": n,
        "x": 31.4,
        "y": 32.7,
        "ellipticity": 0.4,
        "orientation_rad": 0.6,
    }


def _drawn(truth, mode=INTEGRATED):
    if mode == INTEGRATED:
        return laws.integrated((SIZE, SIZE), _law(truth))
    columns, rows = np.meshgrid(np.arange(float(SIZE)), np.arange(float(SIZE)))
    return Sersic2D(*(truth[name] for name in SHAPE))(columns, rows)


def _law(truth):
    names = ("x", "y", "amplitude", "r_eff", "sersic_index", "ellipticity", "orientation_rad")
    return np.array([truth[name] for name in names])


def _noisy(k, sigma=0.3):
    rng = random_stream(7, "tests.sersic_fit", k)
    return _drawn(_truth(rng.uniform(0.8, 3))) + rng.normal(0, sigma, (SIZE, SIZE))


def _fitted(cut, noticed, image, mode, *, start=START, noise=None, psf=NO_PSF):
    # the whole image is the stamp
    stamp = cut(image, np.ones(image.shape, dtype=np.int32))
    seen = noticed()
    noise = np.ones(image.shape) if noise is None else noise
    return fit_sersic(stamp, noise, start, psf, mode, seen), {
        flags.FLAG_NAMES[k] for k in np.flatnonzero(seen)
    }


@MODES
@pytest.mark.parametrize("n", [0.5, 1.0, 2.5, 4.0, 6.0])
def test_known_law_is_found_again(cut, noticed, n, mode):
    # the bad-pixel rule of the stamp would take the peak of a steep law for a cosmic ray
    image = _drawn(_truth(n), mode)
    stamp = cut(np.zeros((SIZE, SIZE)), np.ones((SIZE, SIZE), dtype=np.int32))
    stamp = stamp._replace(pixels=image)
    # integrals are as exact as the noise asks for
    noise = np.full((SIZE, SIZE), 1.0 if mode == PARITY else 0.03)
    fit = fit_sersic(stamp, noise, START, NO_PSF, mode, noticed())
    for name, value in _truth(n).items():
        # statmorph's own tolerance of the parameters is 1e-5
        assert getattr(fit, name) == pytest.approx(value, rel=1e-5 if mode == PARITY else 1e-3), name
    # the integrals' own errors: 1 % of the noise in the root mean square
    assert fit.chi2_dof < (1e-9 if mode == PARITY else 1e-4)


@pytest.mark.parametrize("k", range(4))
def test_minimum_lies_below_statmorphs_steps_and_takes_fewer(cut, noticed, k):
    image = _noisy(k)
    parity, _ = _fitted(cut, noticed, image, PARITY, noise=np.full(image.shape, 0.3))
    integrated, told = _fitted(cut, noticed, image, INTEGRATED, noise=np.full(image.shape, 0.3))
    assert not told
    # the image is integrated, as the law of the one fit is and that of the other is not
    assert integrated.chi2_dof <= parity.chi2_dof * (1 + 1e-6)
    assert integrated.n_evaluations < parity.n_evaluations / 2


def test_chi2_tells_a_law_from_a_ring(cut, noticed):
    sigma = np.full((SIZE, SIZE), 0.3)
    law, _ = _fitted(cut, noticed, _noisy(0), INTEGRATED, noise=sigma)
    assert law.chi2_dof == pytest.approx(1, abs=0.06)  # 2 sigma of 4,000 pixels is 0.045
    ring, _ = _fitted(
        cut, noticed, _shape_of_radius(lambda r: np.exp(-((r - 15) ** 2) / 8)), INTEGRATED, noise=sigma
    )
    assert ring.chi2_dof > 5


def _shape_of_radius(profile):
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    return 5 * profile(np.hypot(x, y)) + random_stream(8, "tests.sersic_fit").normal(0, 0.3, x.shape)


def test_index_at_its_bound_is_flagged(cut, noticed):
    fit, told = _fitted(cut, noticed, _shape_of_radius(lambda r: 1.0 * (r < 15)), INTEGRATED)
    assert "sersic_at_bound" in told
    assert fit.sersic_index == 0.1
    _, told = _fitted(cut, noticed, _shape_of_radius(lambda r: np.exp(-r / 6)), INTEGRATED)
    assert not told


@MODES
def test_pure_noise_is_often_flagged_and_a_galaxy_never(cut, noticed, mode):
    flagged = 0
    for k in range(20):
        noise = random_stream(11, "tests.sersic_fit", k).normal(0, 1, (SIZE, SIZE))
        flagged += len(_fitted(cut, noticed, noise, mode)[1]) > 0
        assert not _fitted(cut, noticed, _drawn(_truth(1.5)) + noise, mode)[1]
    # a faint law fits some noise well; of 20 images 10 and more are flagged
    assert flagged >= 8


@MODES
@pytest.mark.parametrize("factor", [1e-15, 1e15])
def test_shape_does_not_depend_on_the_flux_unit(cut, noticed, mode, factor):
    one, _ = _fitted(cut, noticed, _noisy(1), mode)
    other, _ = _fitted(cut, noticed, factor * _noisy(1), mode, noise=np.full((SIZE, SIZE), factor))
    assert other.amplitude == pytest.approx(factor * one.amplitude, rel=1e-7)
    assert np.allclose(other[1:7], one[1:7], rtol=1e-6)


def test_mirror_image_has_the_mirrored_law(cut, noticed):
    one, _ = _fitted(cut, noticed, _noisy(2), INTEGRATED)
    start = START._replace(x=SIZE - 1 - START.x, moments=Moments(0.3, 1.4, -0.5))
    other, _ = _fitted(cut, noticed, np.ascontiguousarray(_noisy(2)[:, ::-1]), INTEGRATED, start=start)
    assert other.x == pytest.approx(SIZE - 1 - one.x, abs=1e-4)
    assert other.orientation_rad == pytest.approx(-one.orientation_rad, abs=1e-5)
    assert other.r_eff == pytest.approx(one.r_eff, rel=1e-5)


@pytest.mark.parametrize("size", [(3, 3), (25, 25), (90, 80)])
def test_law_behind_a_point_spread_is_found_again_with_statmorphs_steps(cut, noticed, size):
    y, x = (np.arange(side) - (side - 1) // 2 for side in size)
    psf = np.exp(-(x[None, :] ** 2 + 1.3 * y[:, None] ** 2) / 8) + 1e-4
    image = fftconvolve(_drawn(_truth(2.0), PARITY), psf / psf.sum(), mode="same")
    fit, told = _fitted(cut, noticed, image, PARITY, psf=psf)
    assert not told
    for name, value in _truth(2.0).items():
        assert getattr(fit, name) == pytest.approx(value, rel=1e-6), name


@pytest.mark.parametrize("with_psf", [False, True], ids=["plain", "psf"])
def test_parity_with_statmorph(side_by_side, noticed, sersic, with_psf):
    rng = random_stream(9, "tests.sersic_fit")
    image = sersic(56, r_eff=6.0, n=1.7, q=0.6, angle=0.8, center=(27.3, 28.1))
    psf = np.exp(-(np.arange(-4, 6)[None, :] ** 2 + np.arange(-5, 4)[:, None] ** 2) / 5.0)
    image = fftconvolve(image, psf / psf.sum(), mode="same") if with_psf else image
    image = image + rng.normal(0, 0.5, image.shape)
    case = side_by_side(image, image > 2.5)
    case.oracle._psf = psf if with_psf else None
    seen = noticed()
    noise = np.ascontiguousarray(case.oracle._weightmap_stamp)
    start = Start(
        case.x, case.y, float(case.oracle.rhalf_ellip), float(case.oracle.concentration), case.moments
    )
    fit = fit_sersic(case.stamp, noise, start, psf if with_psf else NO_PSF, PARITY, seen)
    expected = {
        "amplitude": case.oracle.sersic_amplitude,
        "r_eff": case.oracle.sersic_rhalf,
        "sersic_index": case.oracle.sersic_n,
        "x": case.oracle.sersic_xc - case.oracle.xmin_stamp,
        "y": case.oracle.sersic_yc - case.oracle.ymin_stamp,
        "ellipticity": case.oracle.sersic_ellip,
        "orientation_rad": case.oracle.sersic_theta,
        "chi2_dof": case.oracle.sersic_chi2_dof,
        "aic": case.oracle.sersic_aic,
        "bic": case.oracle.sersic_bic,
    }
    for name, value in expected.items():
        assert getattr(fit, name) == pytest.approx(float(value), rel=1e-6), name
    assert seen.any() == (case.oracle.flag_sersic > 0)


@MODES
def test_too_few_pixels_give_nan_and_a_flag(cut, noticed, mode):
    noise = np.zeros((SIZE, SIZE))
    noise[30, 28:35] = 1.0  # seven pixels for seven parameters
    fit, told = _fitted(cut, noticed, _noisy(0), mode, noise=noise)
    assert told == {"sersic_not_enough_pixels"}
    assert np.isnan(fit[:10]).all()


@MODES
@pytest.mark.parametrize(
    ("start", "flag"),
    [
        (START._replace(r_half_ellip=0.3), "sersic_radius_below_annulus"),
        (START._replace(x=5.0, y=5.0, r_half_ellip=1.0), "sersic_nonpositive_amplitude"),
    ],
    ids=["radius", "amplitude"],
)
def test_bad_starts_are_flagged(cut, noticed, mode, start, flag):
    image = _noisy(0)
    image[:12, :12] = -1.0
    _, told = _fitted(cut, noticed, image, mode, start=start)
    assert flag in told
    _, told = _fitted(cut, noticed, image, mode)
    assert flag not in told


@MODES
@pytest.mark.parametrize("place", range(3))
def test_undefined_start_gives_nan_and_a_flag(cut, noticed, mode, place):
    start = START._replace(**{START._fields[place]: np.nan})
    fit, told = _fitted(cut, noticed, _noisy(0), mode, start=start)
    assert "sersic_not_converged" in told
    assert np.isnan(fit[:10]).all()


@MODES
def test_pixels_without_weight_do_not_count(cut, noticed, mode):
    image, noise = _noisy(3), np.ones((SIZE, SIZE))
    clean, _ = _fitted(cut, noticed, image, mode, noise=noise)
    image[50:, :] += 100.0
    spoiled, _ = _fitted(cut, noticed, image, mode, noise=noise)
    noise[50:, :] = 0.0
    cured, _ = _fitted(cut, noticed, image, mode, noise=noise)
    assert cured.r_eff == pytest.approx(clean.r_eff, rel=0.05)
    assert abs(spoiled.r_eff / clean.r_eff - 1) > 0.5


@pytest.mark.parametrize("n_samples", [9, 12, 279, 280, 5000])
def test_information_criteria_beside_astropy(n_samples):
    aic, bic = information_criteria(3.7, 7, n_samples)
    assert aic == pytest.approx(akaike_info_criterion_lsq(3.7, 7, n_samples), rel=1e-12)
    assert bic == pytest.approx(bayesian_info_criterion_lsq(3.7, 7, n_samples), rel=1e-12)


def test_one_sample_more_than_parameters_has_no_corrected_criterion():
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        akaike_info_criterion_lsq(3.7, 7, 8)
    aic, bic = information_criteria(3.7, 7, 8)
    assert aic == math.inf
    assert bic == pytest.approx(bayesian_info_criterion_lsq(3.7, 7, 8))
