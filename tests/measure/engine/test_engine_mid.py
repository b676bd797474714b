"""Multimode, intensity and deviation of the engine against statmorph and against what theory says."""

import warnings

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, optimize

from galsmith.measure.engine import flags
from galsmith.measure.engine.mid.statistics import (
    intensity_and_deviation,
    measure_mid,
    mid_map,
    multimode,
    note_overlap,
)
from galsmith.seeds import random_stream


def _disk(radius_pix, x, y, *, size_pix=64):
    rows, columns = np.mgrid[:size_pix, :size_pix]
    return (np.hypot(columns - x, rows - y) <= radius_pix).astype(float)


def _exponential(scale_pix, x, y, *, size_pix=64):
    rows, columns = np.mgrid[:size_pix, :size_pix]
    return np.exp(-np.hypot(columns - x, rows - y) / scale_pix)


def _largest_region(image, threshold):
    labels, count = ndimage.label(ndimage.uniform_filter(image, 3) > threshold, np.ones((3, 3)))
    if count == 0:
        return np.ones(image.shape, dtype=np.int64)
    return (labels == np.argmax(np.bincount(labels.ravel())[1:]) + 1).astype(np.int64)


def _clumpy(rng, *, noise, size_pix=64):
    image = _exponential(rng.uniform(3, 9), *(size_pix / 2 + rng.uniform(-2, 2, 2)), size_pix=size_pix)
    for _ in range(int(rng.integers(0, 6))):
        image += rng.uniform(0.1, 1.5) * _exponential(1.5, *rng.uniform(18, 46, 2), size_pix=size_pix)
    return image + rng.normal(0.0, noise, image.shape)


def _galaxy(kind, seed):
    """Image, labels and a mask of one galaxy of a kind."""
    rng = random_stream(seed, kind)
    no_mask = np.zeros((64, 64), dtype=bool)
    if kind == "noise-free":
        image = _clumpy(rng, noise=0.0)
        return image, (image > 0.02).astype(np.int64), no_mask
    if kind == "flat":
        labels = _largest_region(ndimage.gaussian_filter(rng.normal(size=(64, 64)), 3.0), 0.05)
        return labels * rng.integers(1, 3, (64, 64)).astype(float), labels, no_mask
    if kind == "tiny":
        labels = np.zeros((64, 64), dtype=np.int64)
        labels[30 : 31 + seed % 4, 30 : 31 + seed // 4] = 1
        return np.abs(rng.normal(size=(64, 64))), labels, no_mask
    image = _clumpy(rng, noise=0.1)
    if kind == "quantized":
        image = np.round(255 * np.clip(image, 0.0, 1.0) / 8.0)
    if kind == "single precision":
        image = image.astype(np.float32).astype(float)
    labels = _largest_region(image, 0.3 * image.max() if kind == "quantized" else 0.2)
    return image, labels, rng.uniform(size=image.shape) < 0.05 if kind == "masked" else no_mask


@pytest.fixture
def beside_statmorph(cut, noticed):
    """Compare all that MID gives: ``beside_statmorph(image, labels, mask, gini_map=None)``."""
    module = pytest.importorskip("statmorph.statmorph", reason="statmorph is in galsmith[statmorph]")

    class Lazy(module.SourceMorphology):
        sky_mean, sky_sigma = 0.0, 1.0

        def _calculate_morphology(self):
            """Nothing before it is asked for."""

        def _check_segmaps(self):
            """Nor this."""

    def compare(image, labels, mask, gini_map=None):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            oracle = Lazy(image, labels, 1, mask=mask, gain=1.0)
            oracle.flag = 0
            if gini_map is None:
                galaxy = oracle._cutout_stamp_maskzeroed_no_bg
                gini_map = galaxy > 0.3 * galaxy.max()
            oracle._segmap_gini = gini_map
            region = oracle._segmap_mid
            wanted = (oracle.multimode, oracle.intensity, oracle.deviation)
            module.SourceMorphology._check_segmaps(oracle)
        seen = noticed()
        found = measure_mid(cut(image, labels, mask=mask), gini_map, seen)
        note_overlap(gini_map, found.map, seen)
        np.testing.assert_array_equal(found.map, region)
        assert (found.multimode, found.intensity) == wanted[:2]
        # the centroid of theirs is a sum in the order of the machine's linear algebra
        assert found.deviation == pytest.approx(
            np.nan if wanted[2] == -99.0 else wanted[2], rel=1e-10, abs=1e-13, nan_ok=True
        )
        assert np.max(seen * flags.FLAG_GRAVITY) == oracle.flag
        return found

    return compare


@pytest.mark.parametrize(
    "kind", ["noise-free", "noisy", "single precision", "quantized", "masked", "flat", "tiny"]
)
def test_equals_statmorph(kind, beside_statmorph):
    for seed in range(6):
        beside_statmorph(*_galaxy(kind, seed))


def test_equals_statmorph_where_the_map_falls_back_on_ginis(beside_statmorph):
    rng = random_stream(3, "fall back")
    image = 1.0 + 0.01 * rng.normal(size=(50, 50))  # nowhere a fifth of the mean
    labels, no_mask = np.ones((50, 50), dtype=np.int64), np.zeros((50, 50), dtype=bool)
    for gini_map in (
        np.zeros((50, 50), dtype=bool),
        np.ones((50, 50), dtype=bool),
        rng.uniform(size=(50, 50)) < 0.3,
    ):
        np.testing.assert_array_equal(beside_statmorph(image, labels, no_mask, gini_map).map, gini_map)


@pytest.mark.real_data
def test_equals_statmorph_on_real_spirals_and_mergers(shared_data, beside_statmorph):
    pictures = sorted((shared_data / "efigi_gri88" / "images").glob("*.jpg"))[::400]
    assert len(pictures) >= 5
    for path in pictures:
        image = np.asarray(Image.open(path), dtype=float)[:, :, 1]
        labels = _largest_region(image, float(np.median(image)) + 12.0)
        beside_statmorph(image, labels, np.zeros(image.shape, dtype=bool))


@pytest.fixture
def two_disks(cut):
    """Two disks within a faint common halo, at the same height: ``two_disks(3.0, 6.0)`` takes their radii."""

    def made(first_pix, second_pix):
        image = 0.05 * _disk(24.0, 32.0, 32.0) + _disk(first_pix, 22.0, 32.0) + _disk(second_pix, 42.0, 32.0)
        return cut(image, _disk(26.0, 32.0, 32.0).astype(np.int64))

    return made


def test_multimode_of_two_disks_is_the_ratio_of_their_areas(two_disks, noticed):
    region = _disk(24.0, 32.0, 32.0).astype(bool)
    for first_pix, second_pix in ((5.0, 5.0), (3.0, 6.0), (6.0, 2.0)):
        areas = sorted([_disk(first_pix, 22.0, 32.0).sum(), _disk(second_pix, 42.0, 32.0).sum()])
        stamp = two_disks(first_pix, second_pix)
        region_in_stamp = region[stamp.y_min :, stamp.x_min :][
            : stamp.galaxy.shape[0], : stamp.galaxy.shape[1]
        ]
        assert multimode(stamp, np.ascontiguousarray(region_in_stamp), noticed()) == areas[0] / areas[1]


def test_two_equal_peaks_have_intensity_1_and_one_has_0(cut, noticed):
    labels = np.ones((64, 64), dtype=np.int64)
    region = np.ones((64, 64), dtype=bool)
    one = np.exp(-((np.mgrid[:64, :64] - 32.0) ** 2).sum(axis=0) / 18.0)
    twin = np.roll(one, 14, axis=1) + np.roll(one, -14, axis=1)
    assert intensity_and_deviation(cut(one, labels), region, noticed())[0] == 0.0
    assert intensity_and_deviation(cut(twin, labels), region, noticed())[0] == pytest.approx(1.0, abs=0.02)
    uneven = np.roll(one, 14, axis=1) + 0.4 * np.roll(one, -14, axis=1)
    assert intensity_and_deviation(cut(uneven, labels), region, noticed())[0] == pytest.approx(0.4, abs=0.02)


def test_deviation_is_the_offset_of_the_peak_in_radii_of_the_disk(cut, noticed):
    region = _disk(20.0, 32.0, 32.0)
    image = region + 1e-3 * _disk(2.0, 42.0, 32.0)
    stamp = cut(image, np.ones((64, 64), dtype=np.int64))
    _, deviation = intensity_and_deviation(stamp, region.astype(bool), noticed())
    assert deviation == pytest.approx(10.0 / np.sqrt(region.sum() / np.pi), rel=0.01)


def test_a_smooth_galaxy_has_one_clump_at_its_centroid(cut, noticed):
    image = _exponential(6.0, 32.0, 32.0)
    seen = noticed()
    found = measure_mid(cut(image, (image > 0.01).astype(np.int64)), image > 0.1, seen)
    assert (found.multimode, found.intensity) == (0.0, 0.0)
    assert found.deviation == pytest.approx(0.0, abs=1e-12)
    assert seen[flags.MID_SINGLE_CLUMP]


def test_map_of_an_exponential_disk_ends_at_a_fifth_of_the_mean_within(cut, noticed):
    # the mean of exp(-x) within x is 2 (1 - (1 + x) exp(-x)) / x^2
    edge = optimize.brentq(lambda x: 2.0 * (1.0 - (1.0 + x) * np.exp(-x)) / x**2 - 5.0 * np.exp(-x), 1.0, 9.0)
    scale_pix = 8.0
    image = _exponential(scale_pix, 64.0, 64.0, size_pix=129)
    region = mid_map(cut(image, (image > 1e-3).astype(np.int64)), image > 0.1, noticed())
    assert np.sqrt(region.sum() / np.pi) / scale_pix == pytest.approx(edge, rel=0.01)


def test_unit_of_the_flux_and_quarter_turns_change_nothing(cut, noticed):
    image, labels, mask = _galaxy("noisy", 1)
    found = measure_mid(cut(image, labels, mask=mask), image > 0.2, noticed())
    assert found.multimode > 0.0
    assert found.intensity > 0.0
    scaled = measure_mid(cut(8.0 * image, labels, mask=mask), image > 0.2, noticed())
    np.testing.assert_array_equal(scaled.map, found.map)
    assert scaled[1:] == found[1:]
    turned = measure_mid(cut(np.rot90(image), np.rot90(labels), mask=mask), np.rot90(image > 0.2), noticed())
    assert turned.map.sum() == found.map.sum()  # the stamp itself may lie a pixel off
    assert turned[1:] == pytest.approx(found[1:], rel=1e-10)


@pytest.mark.parametrize(
    ("shared_rows", "wanted"), [(0, flags.MAPS_DIFFER), (2, flags.MAPS_DIFFER), (3, None), (10, None)]
)
def test_maps_that_share_under_a_quarter_are_noticed(shared_rows, wanted, noticed):
    first, second = np.zeros((20, 10), dtype=bool), np.zeros((20, 10), dtype=bool)
    first[:10] = second[10 - shared_rows : 20 - shared_rows] = True
    seen = noticed()
    note_overlap(first, second, seen)
    assert list(np.flatnonzero(seen)) == ([] if wanted is None else [wanted])


def test_empty_maps_are_noticed_and_leave_the_deviation_undefined(cut, noticed):
    seen = noticed()
    nothing = np.zeros((64, 64), dtype=bool)
    note_overlap(nothing, nothing, seen)
    stamp = cut(_exponential(5.0, 32.0, 32.0), np.ones((64, 64), dtype=np.int64))
    intensity, deviation = intensity_and_deviation(stamp, nothing, seen)
    assert intensity == 0.0
    assert np.isnan(deviation)
    assert multimode(stamp, nothing, seen) == 0.0
    assert {flags.FLAG_NAMES[flag] for flag in np.flatnonzero(seen)} == {
        "maps_empty",
        "deviation_undefined",
        "mid_single_clump",
    }
