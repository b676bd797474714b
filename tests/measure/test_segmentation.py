"""The method of segmentation against photutils, which the paper's evaluation called."""

import numpy as np
import pytest
from scipy import ndimage

from galsmith.measure import MeasureSettings, segment
from galsmith.measure.segmentation import border_level, clipped_background, largest_source, method_text
from galsmith.seeds import random_stream

photutils = pytest.importorskip("photutils.segmentation", reason="photutils is in galsmith[statmorph]")


def _by_photutils(stamp):
    threshold = photutils.detect_threshold(stamp, n_sigma=1.5)
    sources = photutils.detect_sources(stamp, threshold, n_pixels=5)
    largest = sources.data == sources.labels[np.argmax(sources.areas)]
    return ndimage.uniform_filter(np.float64(largest), size=10) > 0.5


def test_equals_photutils_on_noisy_and_on_noise_free_galaxies(noisy_stamps, sersic):
    clean = [sersic(64, r_eff=r, n=n, q=0.6) for r, n in ((4.0, 1.0), (12.0, 2.5), (20.0, 4.0))]
    for stamp in [*noisy_stamps, *clean]:
        segmentation_map, flag = segment(stamp, MeasureSettings())
        assert flag == ""
        np.testing.assert_array_equal(segmentation_map == 1, _by_photutils(stamp))


def test_threshold_is_above_the_clipped_mean_not_the_median(sersic):
    stamp = sersic(64, r_eff=8.0, n=2.0)
    background = clipped_background(stamp)
    expected = photutils.detect_threshold(stamp, n_sigma=1.5)[0, 0]
    assert background.mean + 1.5 * background.sigma == pytest.approx(expected, rel=1e-14)


def test_the_largest_area_wins_over_the_brightest():
    stamp = np.zeros((40, 40))
    stamp[5:8, 5:8] = 100.0
    stamp[20:32, 20:32] = 1.0
    source = largest_source(stamp, threshold=0.5, minimum_pixels=5)
    np.testing.assert_array_equal(source, stamp == 1.0)


def test_corners_connect_and_four_pixels_are_no_source():
    stamp = np.zeros((20, 20))
    stamp[np.arange(5), np.arange(5)] = 1.0
    assert largest_source(stamp, threshold=0.5, minimum_pixels=5).sum() == 5
    stamp[0, 0] = 0.0
    assert largest_source(stamp, threshold=0.5, minimum_pixels=5) is None


@pytest.mark.parametrize("value", [0.0, 3.0, np.nan])
def test_flat_and_empty_stamps_have_no_source(value):
    assert segment(np.full((32, 32), value), MeasureSettings()) == (None, "no_source")


def test_a_source_smaller_than_the_filter_is_named_and_a_smaller_filter_keeps_it():
    stamp = random_stream(1, "tests.small_source").normal(0, 1e-3, (32, 32))
    stamp[15:18, 15:18] += 50.0
    assert segment(stamp, MeasureSettings()) == (None, "source_below_smoothing")
    kept, flag = segment(stamp, MeasureSettings(smoothing_pix=3))
    assert flag == ""
    assert kept[16, 16] == 1


def test_the_recipe_in_words_names_its_numbers():
    text = method_text(MeasureSettings(threshold_sigma=2.25, minimum_pixels=7, smoothing_pix=4))
    assert "2.25" in text
    assert "7 8-connected" in text
    assert "4 px" in text


def test_the_border_is_below_the_wings_and_ignores_pixels_that_are_not_finite(sersic):
    stamp = sersic(64, r_eff=12.0, n=2.0) + 3.0
    assert 3.0 < border_level(stamp) < clipped_background(stamp).mean
    flat = np.full((20, 24), 2.0)
    flat[0, :5] = np.nan
    flat[5:15, 5:15] = 50.0
    assert border_level(flat) == 2.0
    assert np.isnan(border_level(np.full((8, 8), np.nan)))
