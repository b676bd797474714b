"""The fit of two Sérsic laws with one center: known laws found again, statmorph's answer, flags."""

import numpy as np
import pytest
from astropy.modeling.models import Sersic2D
from integrated_laws import integrated

from galsmith.measure.engine import flags
from galsmith.measure.engine.sersic.double_fit import fit_double_sersic
from galsmith.measure.engine.sersic.fit import INTEGRATED, PARITY, Start, fit_sersic
from galsmith.measure.engine.stamp import Moments
from galsmith.seeds import random_stream

NO_PSF = np.zeros((0, 0))
SIZE = 72
INNER, OUTER = (40.0, 3.0, 1.2, 35.3, 36.6, 0.2, 0.5), (8.0, 14.0, 1.0, 35.3, 36.6, 0.5, -0.7)
START = Start(35.0, 36.0, 9.0, 3.5, Moments(0.4, 1.6, -0.6))
MODES = pytest.mark.parametrize("mode", [PARITY, INTEGRATED], ids=["parity", "integrated"])


def _drawn(*laws, mode=INTEGRATED):
    if mode == INTEGRATED:
        # x and y first
        return sum(integrated((SIZE, SIZE), [*law[3:5], *law[:3], *law[5:]]) for law in laws)
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    return sum(Sersic2D(*law)(x, y) for law in laws)


def _noisy(*laws, mode=INTEGRATED):
    return _drawn(*laws, mode=mode) + random_stream(10, "tests.double_sersic").normal(0, 0.4, (SIZE, SIZE))


def _fitted(cut, noticed, image, mode, noise=None):
    stamp = cut(image, np.ones(image.shape, dtype=np.int32))
    noise = np.full(image.shape, 0.4) if noise is None else noise
    seen = noticed()
    one = fit_sersic(stamp, noise, START, NO_PSF, mode, seen)
    two = fit_double_sersic(stamp, noise, START, one, NO_PSF, mode, seen)
    return one, two, {flags.FLAG_NAMES[k] for k in np.flatnonzero(seen)}


def _laws(two):
    return np.array([two[2:7], two[7:12]])


@MODES
def test_two_known_laws_are_found_again(cut, noticed, mode):
    _, two, told = _fitted(cut, noticed, _drawn(INNER, OUTER, mode=mode), mode)
    assert not told
    expected = np.array([np.delete(law, [3, 4]) for law in (INNER, OUTER)])
    # integrals are as exact as the noise asks for
    assert np.allclose(_laws(two), expected, rtol=1e-4 if mode == PARITY else 2e-3)
    assert (two.x, two.y) == pytest.approx((35.3, 36.6), rel=1e-5)


def test_minimum_lies_below_statmorphs_steps(cut, noticed):
    image = _noisy(INNER, OUTER)
    _, parity, _ = _fitted(cut, noticed, image, PARITY)
    _, two, told = _fitted(cut, noticed, image, INTEGRATED)
    assert not told
    # the image is integrated, as the laws of the one fit are and those of the other are not
    assert two.chi2_dof <= parity.chi2_dof
    assert two.chi2_dof == pytest.approx(1, abs=0.06)
    expected = np.array([np.delete(law, [3, 4]) for law in (INNER, OUTER)])
    assert np.allclose(_laws(two), expected, rtol=0.1)


def test_criteria_prefer_the_number_of_laws_that_is_there(cut, noticed):
    one, two, _ = _fitted(cut, noticed, _noisy(INNER, OUTER), INTEGRATED)
    assert two.bic < one.bic - 100
    assert two.chi2_dof == pytest.approx(1, abs=0.06)  # 2 sigma of 5,200 pixels is 0.04
    one, two, _ = _fitted(cut, noticed, _noisy(OUTER), INTEGRATED)
    assert two.bic > one.bic


def test_parity_with_statmorph(side_by_side, noticed):
    image = _noisy(INNER, OUTER, mode=PARITY)
    case = side_by_side(image, image > 2.0)
    start = Start(
        case.x, case.y, float(case.oracle.rhalf_ellip), float(case.oracle.concentration), case.moments
    )
    noise = np.ascontiguousarray(case.oracle._weightmap_stamp)
    seen = noticed()
    one = fit_sersic(case.stamp, noise, start, NO_PSF, PARITY, seen)
    two = fit_double_sersic(case.stamp, noise, start, one, NO_PSF, PARITY, seen)
    for k in (1, 2):
        for ours, theirs in (
            ("amplitude", "amplitude"),
            ("r_eff", "rhalf"),
            ("index", "n"),
            ("ellipticity", "ellip"),
        ):
            value = float(getattr(case.oracle, f"doublesersic_{theirs}{k}"))
            assert getattr(two, f"{ours}_{k}") == pytest.approx(value, rel=1e-4), (ours, k)
    assert two.chi2_dof == pytest.approx(float(case.oracle.doublesersic_chi2_dof), rel=1e-8)
    assert two.aic == pytest.approx(float(case.oracle.doublesersic_aic), rel=1e-7)
    assert two.bic == pytest.approx(float(case.oracle.doublesersic_bic), rel=1e-7)


@MODES
def test_too_few_pixels_give_nan_and_a_flag(cut, noticed, mode):
    noise = np.zeros((SIZE, SIZE))
    noise[30, 28:40] = 1.0  # twelve pixels for twelve parameters
    _, two, told = _fitted(cut, noticed, _noisy(INNER, OUTER), mode, noise=noise)
    assert "double_sersic_not_enough_pixels" in told
    assert np.isnan(two[:15]).all()


@MODES
def test_no_single_fit_gives_nan_and_a_flag(cut, noticed, mode):
    image = _noisy(INNER, OUTER)
    stamp, seen = cut(image, np.ones(image.shape, dtype=np.int32)), noticed()
    one = fit_sersic(stamp, np.ones(image.shape), START._replace(x=np.nan), NO_PSF, mode, noticed())
    two = fit_double_sersic(stamp, np.ones(image.shape), START, one, NO_PSF, mode, seen)
    assert seen[flags.DOUBLE_SERSIC_NOT_CONVERGED]
    assert np.isnan(two[:15]).all()
