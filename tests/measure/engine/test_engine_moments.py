"""Centroids and second moments against skimage, statmorph and ellipses known in advance."""

import numpy as np
import pytest

from galsmith.measure.engine import flags
from galsmith.measure.engine.light.shape import centroid, moments_about
from galsmith.measure.engine.stamp import cut_stamp
from galsmith.seeds import random_stream

NO_MASK = np.zeros((0, 0), dtype=bool)
NO_SIGMA = np.zeros((0, 0))


def _noticed():
    return np.zeros(flags.N_FLAGS, dtype=np.uint8)


def _stamp_of(image, labels=None):
    labels = np.ones(image.shape, dtype=np.int32) if labels is None else labels
    return cut_stamp(image, labels, 1, NO_MASK, NO_SIGMA, False, _noticed())


def _names(noticed):
    return {flags.FLAG_NAMES[index] for index in np.flatnonzero(noticed)}


def _gaussian(size, center, sigmas, angle):
    y, x = np.mgrid[:size, :size].astype(float)
    along = (x - center[0]) * np.cos(angle) + (y - center[1]) * np.sin(angle)
    across = (y - center[1]) * np.cos(angle) - (x - center[0]) * np.sin(angle)
    return np.exp(-0.5 * ((along / sigmas[0]) ** 2 + (across / sigmas[1]) ** 2))


@pytest.mark.parametrize("angle", [-1.2, 0.0, 0.4, 1.5])
def test_a_gaussian_has_the_shape_it_was_drawn_with(angle):
    stamp = _stamp_of(_gaussian(101, (48.3, 51.7), (7.0, 3.0), angle))
    noticed = _noticed()
    x, y = centroid(stamp, noticed)
    shape = moments_about(stamp, x, y, noticed)
    assert (x, y) == pytest.approx((48.3, 51.7), abs=1e-6)
    assert shape.elongation == pytest.approx(7.0 / 3.0, rel=1e-5)
    assert shape.ellipticity == pytest.approx(1.0 - 3.0 / 7.0, rel=1e-5)
    assert shape.orientation_rad == pytest.approx(angle, abs=1e-5)
    assert _names(noticed) == set()


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyUserWarning")
@pytest.mark.parametrize("seed", range(8))
def test_moments_are_statmorphs(seed):
    statmorph = pytest.importorskip("statmorph", reason="statmorph is in galsmith[statmorph]")

    class OnlyMoments(statmorph.SourceMorphology):
        def _calculate_morphology(self):
            self.sky_mean = self.sky_sigma = 0.0

        def _check_segmaps(self):
            pass

    rng = random_stream(seed, "tests.engine.moments")
    angle, sigmas = rng.uniform(-1.5, 1.5), rng.uniform(2.0, 9.0, 2)
    image = _gaussian(80, rng.uniform(30, 50, 2), sigmas, angle) + 0.05 * rng.normal(size=(80, 80))
    labels = np.int32(image > 0.02)  # with the noise around it, negative pixels left out
    labels[30:50, 30:50] = 1  # and some kept
    theirs = OnlyMoments(image, labels, 1, gain=1.0)
    stamp, noticed = _stamp_of(image, labels), _noticed()
    x, y = centroid(stamp, noticed)
    np.testing.assert_allclose((x, y), theirs._centroid, rtol=1e-12)
    for point in ((x, y), (x + 0.7, y - 1.3)):
        ours = moments_about(stamp, *point, noticed)
        covariance = theirs._covariance_generic(point[0] + stamp.x_min, point[1] + stamp.y_min)
        eigenvalues = theirs._eigvals_generic(covariance)
        assert ours.elongation == pytest.approx(theirs._elongation_generic(eigenvalues), rel=1e-12)
        assert ours.ellipticity == pytest.approx(theirs._ellipticity_generic(eigenvalues), abs=1e-12)
        assert ours.orientation_rad == pytest.approx(theirs._orientation_generic(covariance), abs=1e-12)


def test_a_line_of_pixels_gets_the_width_of_a_pixel():
    image, labels = np.zeros((60, 60)), np.zeros((60, 60), dtype=np.int32)
    image[29:32, :] = 1.0
    labels[30, 20:41] = 1
    stamp = _stamp_of(image, labels)
    shape = moments_about(stamp, 30.0 - stamp.x_min, 30.0 - stamp.y_min, _noticed())
    along = np.mean((np.arange(20, 41) - 30.0) ** 2) + 1 / 12
    assert shape.elongation == pytest.approx(np.sqrt(along * 12), rel=1e-12)
    assert shape.orientation_rad == 0.0


def test_negative_flux_can_push_the_centroid_out_and_moments_below_zero():
    image, labels = np.zeros((60, 60)), np.zeros((60, 60), dtype=np.int32)
    labels[25:35, 10:50] = 1
    ramp = np.linspace(-1.0, 1.05, 40)
    image[25:35, 10:50] = ramp
    image[20:40, 5:10] = image[20:40, 50:55] = 0.3  # no bad pixels beside zeros
    stamp, noticed = _stamp_of(image, labels), _noticed()
    x, y = centroid(stamp, noticed)
    assert "centroid_out_of_range" in _names(noticed)
    assert (x, y) == (stamp.pixels.shape[1] / 2, stamp.pixels.shape[0] / 2)
    noticed = _noticed()
    moments_about(stamp, 45.0, 25.0, noticed)
    assert _names(noticed) == {"nonpositive_second_moment"}


def test_without_flux_there_are_no_moments():
    stamp, noticed = _stamp_of(np.full((50, 50), -1.0)), _noticed()
    assert np.isnan(centroid(stamp, noticed)).all()
    assert _names(noticed) == {"nonpositive_flux"}
    assert np.isnan(moments_about(stamp, 20.0, 20.0, noticed)).all()
    bright = _stamp_of(_gaussian(60, (30, 30), (5, 5), 0.0))
    assert np.isnan(moments_about(bright, np.nan, 30.0, noticed)).all()


def test_a_ring_has_its_centroid_where_nothing_is():
    y, x = np.mgrid[:81, :81] - 40.0
    labels = np.int32(np.abs(np.hypot(x, y) - 15.0) < 4.0)
    labels[40, 40] = 5  # another source
    image = np.where(np.hypot(x, y) < 30.0, 2.0 + 0.01 * x, 0.0)
    noticed = _noticed()
    centroid(_stamp_of(image, labels), noticed)
    assert _names(noticed) == {"centroid_masked"}
