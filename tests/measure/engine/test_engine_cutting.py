"""Stamps, masks and first sums against statmorph's, pixel by pixel."""

import numpy as np
import pytest

from galsmith.measure.engine import flags
from galsmith.measure.engine.segmentation.regions import bounding_box
from galsmith.measure.engine.stamp import bad_pixels, cut_stamp, stamp_box
from galsmith.seeds import random_stream

statmorph = pytest.importorskip("statmorph", reason="statmorph is in galsmith[statmorph]")

NO_MASK = np.zeros((0, 0), dtype=bool)
NO_SIGMA = np.zeros((0, 0))


class _OnlyCut(statmorph.SourceMorphology):
    """statmorph up to the stamp."""

    def _calculate_morphology(self):
        self.sky_mean = self.sky_sigma = 0.0

    def _check_segmaps(self):
        pass


def _cut(image, labels, *, label=1, mask=NO_MASK, sigma=NO_SIGMA):
    noticed = np.zeros(flags.N_FLAGS, dtype=np.uint8)
    stamp = cut_stamp(image, labels, label, mask, sigma, False, noticed)
    return stamp, {flags.FLAG_NAMES[index] for index in np.flatnonzero(noticed)}


def _image_and_labels(sersic, seed, noise):
    rng = random_stream(seed, "tests.engine.cutting")
    size = int(rng.integers(40, 160))
    center = tuple(size / 2 + rng.uniform(-size / 3, size / 3, 2))
    image = sersic(size, r_eff=size / 16, n=rng.uniform(0.7, 3), q=0.6, center=center, oversampling=2)
    image = image + noise * rng.normal(size=image.shape)
    labels = np.int32(image > np.quantile(image, 0.93))
    labels[3:9, -8:-3] = 7
    return image, labels, rng


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyUserWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("seed", range(10))
def test_the_stamp_is_statmorphs_to_the_bit(sersic, seed):
    image, labels, rng = _image_and_labels(sersic, seed, noise=0.0 if seed % 3 == 0 else 0.5)
    image[tuple(rng.integers(0, image.shape[0], (2, 5)))] += 1e4
    mask, sigma = NO_MASK, NO_SIGMA
    if seed % 2 == 0:
        mask = rng.random(image.shape) < 0.02
        image[tuple(rng.integers(0, image.shape[0], (2, 6)))] = np.nan
        image[1, 1] = np.inf
    if seed % 4 == 0:
        sigma = np.where(rng.random(image.shape) < 0.02, np.nan, 1.0)
    theirs = _OnlyCut(
        image,
        labels,
        1,
        mask=mask if mask.size else None,
        weightmap=sigma if sigma.size else None,
        gain=1.0,
    )
    ours, _ = _cut(image, labels, mask=mask, sigma=sigma)
    np.testing.assert_array_equal(ours.pixels, theirs._cutout_stamp_maskzeroed)
    np.testing.assert_array_equal(ours.galaxy, theirs._cutout_stamp_maskzeroed_no_bg)
    np.testing.assert_array_equal(ours.mask, theirs._mask_stamp)
    np.testing.assert_array_equal(ours.segment, ~theirs._mask_stamp_no_bg)
    assert (ours.x_min, ours.y_min) == (theirs.xmin_stamp, theirs.ymin_stamp)
    assert ours.pixels.shape == (theirs.ny_stamp, theirs.nx_stamp)
    assert (ours.x_peak, ours.y_peak) == (theirs._x_maxval_stamp, theirs._y_maxval_stamp)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("level", [0.0, 0.1, 0.3, 1e-7, 123.456])
def test_bad_pixels_among_equal_ones_are_statmorphs(level):
    """Rounding decides there: 8 equal neighbors may have a mean that is not theirs and no spread."""
    rng = random_stream(5, "tests.engine.bad_pixels")
    image = np.full((40, 50), level)
    image[rng.random(image.shape) < 0.02] += 1.0
    image[10:14, 10:14] = np.nan
    theirs = _OnlyCut._get_badpixels(type("Settings", (), {"_n_sigma_outlier": 10})(), image)
    np.testing.assert_array_equal(bad_pixels(image), theirs)


def test_one_hot_pixel_is_bad_and_a_smooth_galaxy_has_none(sersic):
    image = sersic(48, r_eff=6.0, n=1.0)
    assert not bad_pixels(image).any()
    image[20, 30] += 1e4
    assert list(zip(*np.nonzero(bad_pixels(image)), strict=True)) == [(20, 30)]


@pytest.mark.parametrize(
    ("box", "shape", "expected"),
    [
        ((60, 69, 50, 54), (200, 200), (41, 89, 28, 76)),  # at least 48 px
        ((60, 99, 50, 59), (200, 200), (30, 130, 5, 105)),  # 2.5 times the longer side
        ((0, 99, 10, 90), (101, 100), (0, 100, 0, 101)),  # clipped
    ],
)
def test_boxes_by_hand(box, shape, expected):
    assert stamp_box(box, *shape) == expected


def test_a_bounding_box_ignores_other_labels_and_negative_ones():
    labels = np.zeros((20, 30), dtype=np.int32)
    labels[4:9, 7:20] = 3
    labels[12, 25] = 3
    labels[0, 0] = -3
    labels[19, 29] = 2
    assert bounding_box(labels, 3) == (7, 25, 4, 12)
    assert bounding_box(labels, 5) == (-1, -1, -1, -1)


def test_running_sums_and_the_turned_copy(sersic):
    image, labels, _ = _image_and_labels(sersic, 1, noise=0.5)
    stamp, _ = _cut(image, labels)
    height, width = stamp.pixels.shape
    zeros = np.zeros((height, 1))
    np.testing.assert_allclose(stamp.row_sums, np.hstack([zeros, stamp.pixels.cumsum(axis=1)]), rtol=1e-13)
    expected = np.hstack([zeros, np.abs(stamp.pixels).cumsum(axis=1)])
    np.testing.assert_allclose(stamp.row_abs_sums, expected, rtol=1e-13)
    np.testing.assert_array_equal(stamp.row_valid, np.hstack([zeros, (~stamp.mask).cumsum(axis=1)]))
    np.testing.assert_array_equal(stamp.masked, np.flatnonzero(stamp.mask))
    assert stamp.masked.size > 0
    assert stamp.pad == 1
    np.testing.assert_array_equal(stamp.turned, np.pad(stamp.pixels[::-1, ::-1], stamp.pad))
    x, y = stamp.x_min, stamp.y_min
    np.testing.assert_array_equal(stamp.raw, image[y : y + height, x : x + width])
    np.testing.assert_array_equal(stamp.occupied, labels[y : y + height, x : x + width] != 0)


def test_what_is_wrong_is_named(sersic):
    image = sersic(60, r_eff=4.0, n=1.0) + 1e-3
    labels = np.zeros(image.shape, dtype=np.int32)
    labels[25:35, 25:35] = 1
    assert _cut(image, labels)[1] == set()
    missing, named = _cut(image, labels, label=2)
    assert named == {"label_missing"}
    assert missing.pixels.shape == (0, 0)
    assert _cut(-image, labels)[1] == {"nonpositive_flux"}
    assert _cut(image, labels, mask=labels == 1)[1] == {"all_masked", "nonpositive_flux"}
    assert _cut(np.full_like(image, np.nan), labels)[1] == {
        "not_finite_pixels",
        "all_masked",
        "nonpositive_flux",
    }
    labels[:, 30] = 1
    assert _cut(image, labels)[1] == {"source_at_edge"}
    assert "stamp_too_small" in _cut(image[:1].copy(), labels[:1].copy())[1]


def test_nothing_is_written_into_the_arguments(sersic):
    image, labels, rng = _image_and_labels(sersic, 2, noise=0.5)
    image[5, 5] = np.nan
    mask = rng.random(image.shape) < 0.1
    sigma = np.where(rng.random(image.shape) < 0.1, np.nan, 1.0)
    before = [array.copy() for array in (image, labels, mask, sigma)]
    stamp, _ = _cut(image, labels, mask=mask, sigma=sigma)
    stamp.raw[:] = 0.0
    for array, old in zip((image, labels, mask, sigma), before, strict=True):
        np.testing.assert_array_equal(array, old)
