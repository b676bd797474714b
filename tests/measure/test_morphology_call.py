"""`morphology` on arrays, lists, image sets and stores: forms, maps, bands, and refusals before anything is measured."""

import numpy as np
import pytest
from astropy.table import QTable

from galsmith.data.store import write_store
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import MeasureSettings, morphology, segment
from galsmith.measure.engine.row import columns_of
from galsmith.seeds import random_stream


def _same(one, other, columns=None):
    for name in columns or [name for name in other.colnames if name not in ("image", "object_id", "band")]:
        np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(other[name]), err_msg=name)


@pytest.fixture(scope="module")
def stamps(noisy_stamps):
    """Four float32 galaxies, so that image sets hold the same numbers."""
    return [stamp.astype(np.float32) for stamp in noisy_stamps[:4]]


@pytest.fixture(scope="module")
def expected(stamps) -> QTable:
    return morphology(stamps)


def test_the_table_has_every_quantity_with_unit_flags_and_recipe(expected):
    columns = columns_of(sersic="integrated", double_sersic=False)
    assert expected.colnames == ["image", *columns, "flag", "flag_sersic", "flags", "message"]
    assert expected["image"].tolist() == [0, 1, 2, 3]
    assert str(expected["r_petro_pix"].unit) == "pix"
    assert np.isfinite(expected["sersic_index"]).all()
    assert expected.meta["segmentation"].startswith("threshold = sigma-clipped mean + 1.5")
    assert expected.meta["provenance"]["settings"]["engine_versions"]["galsmith.measure.engine"]
    assert expected.meta["provenance"]["settings"]["sky"] == "box"
    assert set(expected.meta["properties"]) == set(columns)


def test_one_array_many_arrays_sets_and_stores_give_the_same_rows(stamps, expected, tmp_path):
    _same(morphology(np.array(stamps)), expected)
    _same(morphology(np.array(stamps)[:, None]), expected)
    _same(morphology([stamp[None] for stamp in stamps]), expected)
    _same(morphology(stamps[2]), expected[2:3])
    images = image_set_from_arrays(stamps, ImageHeader(("r",), "nJy"))
    store = write_store(tmp_path / "store", images)
    for source in (images, store, store.path):
        table = morphology(source)
        assert table["object_id"].tolist() == [f"{k:08d}" for k in range(4)]
        assert str(table["flux"].unit) == "nJy"
        _same(table, expected, ["gini", "asymmetry", "sersic_index", "flags"])


def test_images_of_differing_size_and_type(stamps, expected):
    mixed = [stamps[0], np.pad(stamps[1], 8).astype(">f4"), np.round(stamps[2]).astype(np.int16)]
    table = morphology(mixed)
    _same(table[:1], expected[:1])
    assert (table["flag"] < 4).all()


def test_masked_arrays_mask_their_pixels(stamps):
    image = np.ma.masked_array(stamps[0].astype(float), mask=np.zeros(stamps[0].shape, dtype=bool))
    image[20:24, 20:22] = np.ma.masked
    table = morphology(image)
    assert "not_finite_pixels" in table["flags"][0]
    filled = np.array(stamps[0], dtype=float)
    filled[20:24, 20:22] = np.nan
    _same(table, morphology(filled))


@pytest.mark.parametrize("workers", [2, 7])
def test_the_number_of_threads_changes_nothing(stamps, expected, workers):
    _same(morphology(stamps * 3, workers=workers), morphology(stamps * 3))


def test_a_given_map_equals_the_one_that_is_found(stamps, expected):
    maps = [segment(stamp.astype(float), MeasureSettings())[0] for stamp in stamps]
    for given in (maps, np.array(maps), [map_ != 0 for map_ in maps], [map_.astype(">i2") for map_ in maps]):
        table = morphology(stamps, labels=given)
        assert table.meta["segmentation"] == "given maps"
        _same(table, expected)


def test_the_label_is_that_at_the_center_the_only_one_or_the_chosen_one(stamps):
    source = segment(stamps[0].astype(float), MeasureSettings())[0]
    neighbor = np.zeros_like(source)
    neighbor[2:9, 2:9] = 7
    both = np.where(neighbor > 0, neighbor, 3 * source)
    at_center = morphology(stamps[0], labels=both)
    _same(at_center, morphology(stamps[0], labels=both, label=3))
    assert morphology(stamps[0], labels=both, label=7)["centroid_x_pix"].value[0] < 10
    _same(morphology(stamps[0], labels=neighbor), morphology(stamps[0], labels=neighbor, label=7))
    away = np.where(both == 3, 0, both)
    away[50:, 50:] = 9
    for labels, label, flag in (
        (away, None, "label_missing"),
        (both, 4, "label_missing"),
        (0 * both, 1, "no_source"),
    ):
        row = morphology(stamps[0], labels=labels, label=label)
        assert (row["flag"][0], row["flag_sersic"][0]) == (4, 4)
        assert flag in row["flags"][0]
        assert np.isnan(row["gini"][0])


def test_masks_sigma_maps_and_point_spread_functions_count(stamps, expected):
    mask = np.zeros(stamps[0].shape, dtype=bool)
    mask[:, :12] = True
    masked = morphology(stamps[0], masks=mask)
    blanked = np.where(mask, np.nan, stamps[0])
    _same(masked, morphology(blanked, masks=mask), ["gini", "flux", "sersic_index"])
    sigma = np.full(stamps[0].shape, 0.5)
    halved, whole = (morphology(stamps[0], sigma_maps=k * sigma)["sn_per_pixel"][0] for k in (1, 2))
    assert halved == pytest.approx(2 * whole, rel=1e-12)
    psf = np.outer([1, 2, 1], [1, 2, 1])
    sharper = morphology(stamps[:2], psf=psf)
    assert (sharper["sersic_index"] > expected["sersic_index"][:2]).all()  # light taken back to the center
    _same(morphology(stamps[:2], psf=[psf, 5 * psf]), sharper)


def test_bands_have_rows_of_their_own_and_share_a_map(stamps):
    cubes = np.array([np.stack([stamp, 3 * stamp]) for stamp in stamps[:2]])
    maps = [segment(stamp.astype(float), MeasureSettings())[0] for stamp in stamps[:2]]
    table = morphology(cubes, bands=["g", "r"], labels=maps)
    assert table["image"].tolist() == [0, 0, 1, 1]
    assert table["band"].tolist() == ["g", "r", "g", "r"]
    np.testing.assert_allclose(table["flux"][1::2], 3 * table["flux"][::2], rtol=1e-6)
    by_band = [np.stack([map_, map_]) for map_ in maps]
    _same(morphology(cubes, bands=["g", "r"], labels=by_band), table)
    assert morphology(cubes)["band"].tolist() == ["0", "1", "0", "1"]
    images = image_set_from_arrays(list(cubes), ImageHeader(("g", "r"), "nJy"))
    assert "band" not in morphology(images, bands=["r"]).colnames
    _same(morphology(images, bands=["r"], labels=maps), table[1::2], ["gini", "m20", "r_half_pix"])


def test_fits_that_are_not_asked_for_have_no_columns(stamps, expected):
    none = morphology(stamps[:1], sersic="none")
    assert not [name for name in none.colnames if "sersic" in name]
    _same(none, expected[:1], [name for name in none.colnames if name != "flags"])
    double = morphology(stamps[:1], double_sersic=True)
    assert np.isfinite(double["double_sersic_index_1"][0])
    assert "flag_double_sersic" in double.colnames
    parity = morphology(stamps[:1], sersic="parity")
    assert parity["sersic_index"][0] != expected["sersic_index"][0]
    assert "sersic_index_sigma" in expected.colnames
    assert "sersic_index_sigma" not in parity.colnames


def test_the_survey_recipe_takes_the_central_source_and_all_of_the_background(sersic):
    field = sersic(120, r_eff=4, n=1, flux=5e3) + sersic(120, r_eff=6, n=1, center=(20, 95), flux=5e4)
    field += random_stream(1, "tests.survey_field").normal(0, 0.5, field.shape)
    table = morphology(field, segmentation="survey")
    assert table.meta["provenance"]["settings"]["sky"] == "annulus"
    assert abs(table["center_x_pix"].value[0] - 59.5) < 1
    paper = morphology(field)
    assert abs(paper["center_x_pix"].value[0] - 20) < 1
    boxed = morphology(field, segmentation="survey", sky="box")
    assert boxed["sky_sigma"][0] != table["sky_sigma"][0]


def test_pictures_lose_their_sky(stamps):
    images = image_set_from_arrays([stamps[0] + 50], ImageHeader(("r",), "display"))
    row = morphology(images)
    assert abs(row["sky_mean"][0]) < 3
    assert row["flux_frame"][0] == pytest.approx(images[0].sum(dtype=np.float64), rel=1e-12)


def test_the_frame_has_its_flux_even_without_a_galaxy():
    row = morphology(np.full((20, 20), 3.0))
    assert row["flags"][0] == "no_source"
    assert row["flux_frame"][0] == pytest.approx(1200)
    assert np.isnan(row["flux"][0])


def test_progress_tells_of_loading_and_measuring(stamps):
    events = []
    morphology(stamps, progress=events.append)
    assert [(event.done, event.total) for event in events if event.stage == "measuring"] == [(0, 4), (4, 4)]


def test_arguments_stay_as_they_are(stamps):
    image, labels = stamps[0].astype(float), np.ones(stamps[0].shape, dtype=np.int32)
    before = image.copy(), labels.copy()
    image.setflags(write=False)
    labels.setflags(write=False)
    morphology(image, labels=labels)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(labels, before[1])


IMAGE, MAP = np.ones((20, 24)), np.ones((20, 24), dtype=np.int32)


@pytest.mark.parametrize(
    ("images", "arguments", "error", "words"),
    [
        (np.ones(5), {}, InputError, r"has shape \(5,\); wanted one array"),
        ([IMAGE, np.ones(5)], {}, InputError, r"image 1 has shape \(5,\); wanted \[y, x\]"),
        ([IMAGE, np.ones((0, 5))], {}, InputError, r"image 1 has shape \(0, 5\)"),
        ([IMAGE.astype(complex)], {}, InputError, "image 0 has dtype complex128; wanted real numbers"),
        ([], {}, InputError, "nothing to measure"),
        ([np.ones((2, 9, 9)), np.ones((3, 9, 9))], {}, InputError, "image 1 has 3 bands, image 0 has 2"),
        ("missing-store", {}, InputError, "no such store"),
        (
            IMAGE,
            {"labels": MAP[:, :20]},
            SettingsError,
            r"labels: map 0 has shape \(20, 20\) for an image of shape",
        ),
        ([IMAGE] * 3, {"labels": [MAP, MAP, MAP.T]}, SettingsError, r"labels: map 2 has shape \(24, 20\)"),
        ([IMAGE] * 3, {"labels": [MAP] * 2}, SettingsError, "labels: 2 maps for 3 images"),
        (IMAGE, {"labels": -MAP}, SettingsError, "labels: map 0 has the label -1; wanted labels from 0"),
        (IMAGE, {"labels": MAP * 0.5}, SettingsError, r"has dtype float64; wanted integers.*\.astype\(int\)"),
        (IMAGE, {"labels": MAP.astype(np.int64) << 40}, SettingsError, "wanted labels up to 2147483647"),
        (IMAGE, {"masks": MAP}, SettingsError, "masks: map 0 has dtype int32; wanted bool.*mask != 0"),
        (IMAGE, {"masks": MAP[1:] > 0}, SettingsError, r"masks: map 0 has shape \(19, 24\)"),
        (IMAGE, {"sigma_maps": IMAGE[1:]}, SettingsError, r"sigma_maps: map 0 has shape \(19, 24\)"),
        (IMAGE, {"sigma_maps": IMAGE > 0}, SettingsError, "sigma_maps: map 0 has dtype bool"),
        (IMAGE, {"label": 2}, SettingsError, "label is 2 without segmentation maps"),
        (
            IMAGE,
            {"labels": MAP, "label": 0},
            SettingsError,
            "label of image 0 is 0; wanted an integer from 1 up",
        ),
        ([IMAGE] * 2, {"labels": [MAP] * 2, "label": [1]}, SettingsError, "label: 1 labels for 2 images"),
        (IMAGE, {"psf": np.zeros((3, 3))}, SettingsError, "psf of image 0 has the sum 0.0"),
        (IMAGE, {"psf": np.full((3, 3), np.nan)}, SettingsError, "psf of image 0 has the sum nan"),
        (IMAGE, {"psf": np.ones(3)}, SettingsError, "psf"),
        ([IMAGE] * 3, {"psf": [np.ones((3, 3))] * 2}, SettingsError, "psf: 2 for 3 images"),
        (np.ones((1, 2, 9, 9)), {"bands": ["g"]}, SettingsError, "bands: has 1 names"),
        (IMAGE, {"gain": 0.0}, SettingsError, "gain"),
        (IMAGE, {"segmentation": "papers"}, SettingsError, "segmentation"),
        (IMAGE, {"sky": "ring"}, SettingsError, "sky"),
        (IMAGE, {"sersic": "best"}, SettingsError, "sersic"),
        (IMAGE, {"sersic": "none", "double_sersic": True}, SettingsError, "double_sersic begins where"),
        (IMAGE, {"workers": 0}, SettingsError, "`workers=0`: wanted 1 or more"),
    ],
)
def test_what_is_wrong_as_a_whole_is_refused_before_the_run(images, arguments, error, words):
    events = []
    with pytest.raises(error, match=words):
        morphology(images, progress=events.append, **arguments)
    assert events == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (3, 3), (15, 15)])
def test_small_stamps_have_a_row(shape):
    image = np.zeros(shape)
    image[shape[0] // 2, shape[1] // 2] = 5.0
    row = morphology(image, labels=np.ones(shape, dtype=int))
    assert len(row) == 1
    assert row["flags"][0]


@pytest.mark.slow
def test_large_images_are_measured(sersic):
    image = np.zeros((4096, 4096), dtype=np.float32)
    image[1800:2400, 1700:2300] = sersic(600, r_eff=60.0, n=1.0, q=0.6, angle=0.5, flux=1e6, oversampling=3)
    image += 0.1 * random_stream(1, "tests.large_image").standard_normal(image.shape, dtype=np.float32)
    row = morphology(image)
    assert row["flag"][0] < 2
    assert row["sersic_r_eff_pix"].value[0] == pytest.approx(60 / np.sqrt(0.6), rel=0.02)
    whole = morphology(image, labels=np.ones(image.shape, dtype=np.int32), sersic="none")
    assert whole["flag"][0] < 4
