"""Both methods of segmentation: the paper's against photutils, the survey's against what it has to find."""

import numpy as np
import pytest
from astropy.io import fits
from scipy import ndimage

from galsmith.images import ImageHeader, crop_center, image_set_from_arrays
from galsmith.measure import MeasureSettings, measured
from galsmith.measure.engine import flags
from galsmith.measure.engine.batch import GalaxyInput, Options, Segmenting, measure_galaxy_input
from galsmith.measure.engine.segmentation.methods import (
    FOUND,
    GALAXY,
    OTHER_SOURCE,
    PAPER_METHOD,
    SURVEY_METHOD,
    border_level,
    border_sky,
    paper_map,
    paper_threshold,
    smoothed_excess,
    survey_map,
)
from galsmith.seeds import random_stream

TURNS = [(turns, flip) for turns in range(4) for flip in (1, -1)]


def _noise(size, seed=0, sigma=1.0):
    return sigma * random_stream(seed, "tests.engine.segmentation").normal(size=(size, size))


def _turned(image, turns, flip):
    return np.rot90(image, turns)[:, ::flip].copy()


def _by_photutils(stamp, n_sigma=1.5, n_pixels=5, size=10):
    detect = pytest.importorskip("photutils.segmentation", reason="photutils is in galsmith[statmorph]")
    threshold = detect.detect_threshold(stamp, n_sigma=n_sigma)
    sources = detect.detect_sources(stamp, threshold, n_pixels=n_pixels)
    largest = sources.data == sources.labels[np.argmax(sources.areas)]
    return ndimage.uniform_filter(np.float64(largest), size=size) > 0.5


def _some_galaxy(sersic, seed):
    """Every third without noise, every second in single precision, some with NaN."""
    rng = random_stream(seed, "tests.engine.galaxies")
    size = int(rng.integers(40, 130))
    image = sersic(
        size,
        r_eff=size * rng.uniform(0.03, 0.2),
        n=rng.uniform(0.6, 4.0),
        q=rng.uniform(0.3, 1.0),
        angle=rng.uniform(-1.5, 1.5),
        center=tuple(size / 2 + rng.uniform(-5, 5, 2)),
        oversampling=2,
    )
    if seed % 3:
        image += rng.normal(0.1, rng.uniform(0.1, 1.0), image.shape)
    return np.float64(np.float32(image)) if seed % 2 else image


@pytest.mark.parametrize("seed", range(24))
def test_the_papers_map_is_photutils_to_the_bit(sersic, seed):
    image = _some_galaxy(sersic, seed)
    segmentation_map, status = paper_map(image, 1.5, 5, 10)
    assert status == FOUND
    assert segmentation_map.dtype == np.int32
    np.testing.assert_array_equal(segmentation_map == 1, _by_photutils(image))


@pytest.mark.parametrize("settings", [(0.5, 1, 3), (2.5, 20, 5), (1.0, 5, 1)])
def test_other_settings_are_photutils_too(sersic, settings):
    image = _some_galaxy(sersic, 1)
    ours = paper_map(image, *settings)[0] == 1
    np.testing.assert_array_equal(ours, _by_photutils(image, *settings))


@pytest.mark.filterwarnings("ignore:Input data contains invalid values")
@pytest.mark.parametrize("seed", range(4))
def test_pixels_that_are_not_finite_are_left_out_as_by_photutils(sersic, seed):
    image = _some_galaxy(sersic, seed)
    image[2:5, 3:9], image[-3, -3], image[-3, -4] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(paper_map(image, 1.5, 5, 10)[0] == 1, _by_photutils(image))


@pytest.mark.real_data
@pytest.mark.filterwarnings("ignore:Input data contains invalid values")
def test_the_papers_maps_of_hubble_galaxies_are_photutils(shared_data):
    files = sorted((shared_data / "hst_f814w_201" / "disk_f8").glob("*.fits.gz"))
    for file in files[::15]:
        bulge = file.parents[1] / "bulge_f8" / file.name.replace("disk", "bulge")
        image = crop_center(np.float64(fits.getdata(file))[np.newaxis] + fits.getdata(bulge), 256)[0]
        np.testing.assert_array_equal(paper_map(image, 1.5, 5, 10)[0] == 1, _by_photutils(image))


def test_the_threshold_is_photutils(sersic):
    detect = pytest.importorskip("photutils.segmentation", reason="photutils is in galsmith[statmorph]")
    for seed in range(6):
        image = _some_galaxy(sersic, seed)
        expected = detect.detect_threshold(image, n_sigma=1.5)[0, 0]
        assert paper_threshold(image, 1.5) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("value", [0.0, 3.0, 0.1, -1e-30, 1e300, np.nan, np.inf])
def test_flat_and_empty_stamps_have_no_source(value):
    image = np.full((32, 40), value)
    for segmentation_map, status in (paper_map(image, 1.5, 5, 10), survey_map(image, 1.5, 5)):
        assert status == flags.NO_SOURCE
        assert segmentation_map.shape == (32, 40)
        assert not segmentation_map.any()


def test_the_largest_area_wins_over_the_brightest_and_the_first_of_equals():
    image = np.zeros((60, 60))
    image[5:8, 5:8] = 100.0
    image[20:26, 20:26] = 1.0
    image[40:46, 40:46] = 1.0
    np.testing.assert_array_equal(np.argwhere(paper_map(image, 1.5, 5, 1)[0])[[0, -1]], [[20, 20], [25, 25]])


def test_four_pixels_are_no_source_and_corners_connect():
    image = np.zeros((20, 20))
    image[np.arange(5), np.arange(5)] = 1.0
    assert paper_map(image, 1.5, 5, 1)[0].sum() == 5
    image[0, 0] = 0.0
    assert paper_map(image, 1.5, 5, 1)[1] == flags.NO_SOURCE


def test_a_source_smaller_than_the_filter_is_named_and_a_smaller_filter_keeps_it():
    image = _noise(32, sigma=1e-3)
    image[15:18, 15:18] += 50.0
    assert paper_map(image, 1.5, 5, 10)[1] == flags.SOURCE_BELOW_SMOOTHING
    kept, status = paper_map(image, 1.5, 5, 3)
    assert status == FOUND
    assert kept[16, 16] == 1


def _beside_a_brighter_one(sersic):
    galaxy = sersic(128, r_eff=6.0, n=1.0, flux=2e3)
    neighbor = sersic(128, r_eff=7.0, n=1.0, flux=2e4, center=(103.0, 101.0))
    return galaxy + neighbor + _noise(128, sigma=0.3)


def test_beside_a_brighter_neighbor_the_paper_takes_the_neighbor_and_the_survey_the_galaxy(sersic):
    image = _beside_a_brighter_one(sersic)
    paper, _ = paper_map(image, 1.5, 5, 10)
    assert (paper[101, 103], paper[63, 63]) == (1, 0)
    survey, status = survey_map(image, 1.5, 5)
    assert status == FOUND
    assert (survey[101, 103], survey[63, 63]) == (OTHER_SOURCE, GALAXY)
    assert survey[0, 0] == 0


def _flags_of(image, method, labels=None):
    found = measure_galaxy_input(
        GalaxyInput(image, labels=labels), Options(Segmenting(method), sersic="none")
    )
    return found.flags, found.flag


def test_a_neighbor_that_was_measured_is_flagged_and_a_galaxy_off_the_middle_is_not(sersic):
    image = _beside_a_brighter_one(sersic)
    flags_of_neighbor, gravity = _flags_of(image, "paper")
    assert "not_central" in flags_of_neighbor
    assert gravity >= 1
    assert "not_central" not in _flags_of(image, "survey")[0]
    assert "not_central" not in _flags_of(image, "paper", labels=paper_map(image, 1.5, 5, 10)[0])[0]
    moved = sersic(128, r_eff=6.0, n=1.0, flux=2e3, center=(67.5, 59.5)) + _noise(128, sigma=0.3)
    assert "not_central" not in _flags_of(moved, "paper")[0]
    far = sersic(128, r_eff=6.0, n=1.0, flux=2e4, center=(103.0, 101.0)) + _noise(128, sigma=0.3)
    assert "not_central" not in _flags_of(far, "paper")[0]  # nothing else is nearer


def test_both_engines_flag_a_neighbor(sersic):
    pytest.importorskip("photutils.segmentation", reason="photutils is in galsmith[statmorph]")
    image = _beside_a_brighter_one(sersic)
    settings = MeasureSettings(sersic="none", quantities=("morphology",))
    images = image_set_from_arrays([image], ImageHeader(("r",), "nJy"))
    for engine in ("galsmith", "statmorph"):
        row = measured(images, settings=settings, engine=engine)[0]
        assert "not_central" in row["flags"], engine
        assert row["flag"] >= 1


@pytest.mark.slow
def test_the_flag_tells_the_neighbors_of_a_real_field(shared_data):
    """Around 146 galaxies of KiDS at 128 px: the paper's method measures a neighbor in two thirds, the survey's in few."""
    field = fits.getdata(shared_data / "kids_viking_9band_field" / "r.fits").astype(np.float64)
    sky = np.median(field[:2000, :2000])
    peaks = (ndimage.maximum_filter(field, 25) == field) & (field > sky + 30 * _scatter(field))
    places = [(y, x) for y, x in np.argwhere(peaks) if min(y, x) >= 64 and max(y, x) < field.shape[0] - 64]
    stamps = [field[y - 64 : y + 64, x - 64 : x + 64] for y, x in places[:: max(1, len(places) // 100)][:100]]
    table = measured(
        image_set_from_arrays(stamps, ImageHeader(("r",), "adu")),
        settings=MeasureSettings(sersic="none", quantities=("morphology",)),
    )
    off = np.hypot(table["center_x_pix"].value - 64, table["center_y_pix"].value - 64)
    is_told = np.array(["not_central" in text for text in table["flags"]])
    was_measured = np.asarray(table["flag"]) < 4
    assert is_told.sum() > 20
    # The measured center itself is the oracle: farther off than any galaxy reaches, or within it.
    assert np.all(off[is_told] > 10)
    # not all: sources that touch are one, and measured about the brighter
    assert np.mean(off[~is_told & was_measured] < 10) > 0.9


def _scatter(values):
    return 1.4826 * np.median(np.abs(values - np.median(values)))


@pytest.mark.parametrize(("turns", "flip"), TURNS)
def test_turned_images_have_turned_survey_maps_and_not_the_papers(sersic, turns, flip):
    for image in (_beside_a_brighter_one(sersic), sersic(90, r_eff=7.0, n=2.0, q=0.5, angle=0.4)):
        expected = _turned(survey_map(image, 1.5, 5)[0], turns, flip)
        np.testing.assert_array_equal(survey_map(_turned(image, turns, flip), 1.5, 5)[0], expected)
    if (turns, flip) == (2, 1):
        expected = _turned(paper_map(image, 1.5, 5, 10)[0], turns, flip)
        assert np.sum(paper_map(_turned(image, turns, flip), 1.5, 5, 10)[0] != expected) > 50


def test_sources_that_touch_are_one_galaxy(sersic):
    """What the survey's method cannot do, as its words say."""
    one, other = (sersic(128, r_eff=6.0, n=1.0, center=(x, 63.5)) for x in (63.5, 83.5))
    segmentation_map, _ = survey_map(one + other + _noise(128, sigma=0.3), 1.5, 5)
    assert (segmentation_map[63, 63], segmentation_map[63, 83]) == (GALAXY, GALAXY)


@pytest.mark.parametrize("level", [-7.0, 0.0, 40.0])
@pytest.mark.parametrize("flux_factor", [1e-3, 1.0, 1e6])
def test_neither_level_nor_unit_changes_the_survey_map(sersic, level, flux_factor):
    image = sersic(80, r_eff=7.0, n=1.5) + _noise(80, sigma=0.3)
    expected = survey_map(image, 1.5, 5)[0]
    changed = survey_map(flux_factor * (image + level), 1.5, 5)[0]
    assert np.mean(changed != expected) < 1e-3  # a pixel at the threshold may fall the other way


@pytest.mark.parametrize("n", [1.0, 2.0, 4.0])
def test_the_survey_map_hardly_depends_on_faint_noise(sersic, n):
    """Without noise the isophote at 5 magnitudes bounds it, and faint noise leaves it there."""
    clean = sersic(128, r_eff=12.0, n=n, q=0.7)
    areas = [np.sum(survey_map(clean + _noise(128, sigma=s), 1.5, 5)[0] == 1) for s in (0.0, 1e-4, 0.01)]
    assert areas[1] == pytest.approx(areas[0], rel=0.02)
    assert areas[2] == pytest.approx(areas[0], rel=0.1)
    assert areas[0] < 0.5 * clean.size


def test_the_survey_threshold_is_not_lifted_by_the_galaxys_wings(sersic):
    """The galaxy fills more of the second stamp: the paper's isophote shrinks, the survey's stays."""
    wide = sersic(240, r_eff=12.0, n=2.0, flux=3e4) + _noise(240, sigma=0.5)
    tight = wide[72:168, 72:168].copy()
    paper = [paper_map(image, 1.5, 5, 10)[0].sum() for image in (wide, tight)]
    survey = [np.sum(survey_map(image, 1.5, 5)[0] == 1) for image in (wide, tight)]
    assert paper[1] < 0.75 * paper[0]
    assert survey[1] > 0.8 * survey[0]


def test_zeros_with_rare_photons_are_a_sky():
    """Simulated images without sky: most pixels are exactly 0, the rest whole photons."""
    rng = random_stream(1, "tests.engine.photons")
    y, x = np.mgrid[:96, :96] - 47.5
    image = np.float64(rng.poisson(200.0 * np.exp(-np.hypot(x, y) / 5.0) + 0.02))
    assert border_sky(image) == (0.0, 0.0)
    segmentation_map, status = survey_map(image, 1.5, 5)
    assert status == FOUND
    assert 300 < np.sum(segmentation_map == GALAXY) < 3000
    assert segmentation_map[:20, :20].max() == 0


def test_noise_alone_or_a_galaxy_far_from_the_center_is_no_source(sersic):
    assert survey_map(_noise(100, seed=3), 1.5, 5)[1] == flags.NO_SOURCE
    corner = sersic(100, r_eff=4.0, n=1.0, center=(20.0, 20.0)) + _noise(100, sigma=0.5)
    assert survey_map(corner, 1.5, 5)[1] == flags.NO_SOURCE
    near = sersic(100, r_eff=4.0, n=1.0, center=(44.0, 54.0)) + _noise(100, sigma=0.5)
    assert survey_map(near, 1.5, 5)[1] == FOUND


def test_a_ring_is_the_nearest_source_although_its_center_is_empty():
    y, x = np.mgrid[:100, :100] - 49.5
    image = 20.0 * (np.abs(np.hypot(x, y) - 9.0) < 2.5) + _noise(100, seed=4, sigma=0.5)
    segmentation_map, status = survey_map(image, 1.5, 5)
    assert status == FOUND
    assert segmentation_map[50, 59] == GALAXY
    assert segmentation_map[50, 50] == 0


def test_the_border_sky_ignores_what_adds_light(sersic):
    image = 3.0 + _noise(160, seed=5, sigma=0.5)
    level, sigma = border_sky(image)
    assert level == pytest.approx(3.0, abs=0.03)
    assert sigma == pytest.approx(0.5, rel=0.05)
    with_neighbor = image + sersic(160, r_eff=6.0, n=1.0, center=(5.0, 80.0), flux=1e5)
    level, sigma = border_sky(with_neighbor)
    assert level == pytest.approx(3.0, abs=0.15)
    assert sigma == pytest.approx(0.5, rel=0.15)
    assert np.std(with_neighbor[:, :10]) > 5.0
    assert np.isnan(border_sky(np.full((9, 9), np.nan))).all()


@pytest.mark.parametrize(("turns", "flip"), TURNS)
def test_the_smoothing_turns_with_the_image_to_the_bit(turns, flip):
    image = _noise(41, seed=6)
    image[3, 4] = np.nan
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
    smooth = smoothed_excess(image, 0.5)
    expected = ndimage.convolve(np.nan_to_num(image - 0.5), kernel, mode="nearest")
    np.testing.assert_allclose(smooth, expected, atol=1e-14)
    turned = smoothed_excess(_turned(image, turns, flip), 0.5)
    np.testing.assert_array_equal(turned, _turned(smooth, turns, flip))


def test_the_level_of_the_border_is_that_of_the_pictures(sersic):
    from galsmith.measure.segmentation import border_level as slow_border_level

    image = sersic(64, r_eff=12.0, n=2.0)[:, :50] + 3.0
    image[0, :7], image[30, 2] = np.nan, np.inf
    for stamp in (image, image[:3].copy(), image[:1].copy(), _noise(17), np.full((8, 8), np.nan)):
        np.testing.assert_array_equal(border_level(stamp), slow_border_level(stamp))


def test_the_recipes_in_words_name_their_numbers():
    paper = PAPER_METHOD.format(threshold_sigma=2.25, minimum_pixels=7, smoothing_pix=4)
    assert "mean + 2.25 standard" in paper
    assert "7 8-connected" in paper
    assert "4 px" in paper
    survey = SURVEY_METHOD.format(threshold_sigma=2.25, minimum_pixels=7)
    assert "2.25 sigma" in survey
    assert "7 8-connected" in survey


def test_nothing_is_written_into_the_image(sersic):
    image = sersic(64, r_eff=6.0, n=1.0)
    before = image.copy()
    paper_map(image, 1.5, 5, 10)
    survey_map(image, 1.5, 5)
    np.testing.assert_array_equal(image, before)
