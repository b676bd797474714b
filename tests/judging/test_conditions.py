"""Sets that were not taken alike: said first, with what makes them alike; and sets that are of no galaxies."""

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image
from scipy.ndimage import gaussian_filter, zoom

from galsmith.compare import judge_tables, read_card
from galsmith.data.store import write_store
from galsmith.errors import InputError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.judging import judge
from galsmith.judging.conditions import LookedAt, conditions_of_images, levels_of, unlike_conditions
from galsmith.measure import MeasureSettings, measured
from galsmith.report.verdict import verdict_words
from galsmith.seeds import random_stream

POWER = MeasureSettings(quantities=("power",))
QUICK = {"replicates": 20, "splits": 20, "beyond": False, "measure_settings": POWER}
PICTURES = ImageHeader(("r",), "display")


def galaxies(case, count=40, size=48):
    """Galaxies in noise as a picture has them, whole numbers of 8 bits, [galaxy, y, x] float64."""
    rng = random_stream(case, "test.conditions")
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    radius, ratio = rng.uniform(2.5, 4.5, (count, 1, 1)), rng.uniform(0.5, 1, (count, 1, 1))
    light = 150 * np.exp(-np.hypot(x, y / ratio) / radius) + rng.normal(25, 4, (count, size, size))
    return light.clip(0, 255).round()


def side(images, header=PICTURES):
    return LookedAt.at(image_set_from_arrays(np.asarray(images, np.float32), header))


def told(reference, generated, one=PICTURES, other=PICTURES):
    found = unlike_conditions(side(reference, one), side(generated, other))
    return {condition.name: condition.text for condition in found}


def test_two_sets_of_one_kind_are_alike():
    assert told(galaxies(1), galaxies(2)) == {}
    # what generators give: any value, where the noise hides the steps of 8 bits
    assert (
        told(galaxies(1), galaxies(2) + random_stream(3, "test.float").uniform(-0.5, 0.5, (40, 48, 48))) == {}
    )
    assert told(galaxies(1), 0.8 * galaxies(2)) == {}  # dimmed by a generator: for the evidence to tell


@pytest.mark.parametrize(
    ("values", "levels", "step"),
    [
        (lambda images: images, 256, 1.0),
        (lambda images: images / 255, 256, 1 / 255),
        (lambda images: 255 * (images / 255) ** 0.45, 256, None),
        (lambda images: 257 * images, 256, 257.0),
        (lambda images: np.round(256.3 * images + 7 * np.sin(images * np.arange(48))), 65536, 1.0),
        (lambda images: images + np.sin(np.arange(images.size)).reshape(images.shape), 0, 0.0),
    ],
)
def test_levels_are_counted_whatever_they_were_scaled_by(values, levels, step):
    found, found_step = levels_of(list(values(galaxies(1)).astype(np.float32).astype(np.float64)))
    assert found == levels
    assert step is None or found_step == pytest.approx(step, rel=1e-3)


def test_sixteen_bits_beside_eight_are_told_with_what_makes_them_alike():
    sixteen = (257 * galaxies(2) + random_stream(2, "test.bits").integers(0, 257, (40, 48, 48))).round()
    found = told(galaxies(1), sixteen)
    assert "those of the generated set of 16 bits; round the generated set" in found["depth"]
    assert "in 8 bits" in found["depth"]
    assert "'display' is a unit in name only; divide the generated set by 257" in found["unit"]
    assert set(told(sixteen, galaxies(1))) == {"depth", "unit"}
    assert set(told(sixteen, np.floor(sixteen / 257))) == {"depth", "unit"}
    # what was advised makes them alike
    assert told(galaxies(1), np.floor(sixteen / 257)) == {}


def test_steps_that_the_noise_does_not_hide_are_told():
    rng = random_stream(4, "test.steps")
    smooth = 20 + galaxies(1) - galaxies(1).mean() + rng.normal(0, 0.1, (40, 48, 48))
    coarse = 8 * np.round(smooth / 8)
    assert "depth" in told(coarse, gaussian_filter(smooth, (0, 6, 6)))


def test_other_sizes_name_the_command():
    found = told(galaxies(1), galaxies(2, size=64))
    assert "has images of 64x64 px, the reference of 48x48" in found["size"]
    assert "`resize_pix=48`" in found["size"]
    known = ImageHeader(("r",), "display", pixel_scale_arcsec=0.2)
    assert "`crop_pix=48`" in told(galaxies(1), galaxies(2, size=64), one=known, other=known)["size"]


def test_other_point_spread_functions_are_told_by_the_headers_or_by_the_pixels():
    narrow, wide = (ImageHeader(("r",), "display", psf={"psf_fwhm_pix": width}) for width in (3.0, 5.0))
    found = told(galaxies(1), galaxies(2), one=narrow, other=wide)
    assert "3 px in the reference set and of 5 px" in found["psf"]
    assert "sigma 1.7 px" in found["psf"]  # sqrt(5^2 - 3^2) / 2.355
    assert told(galaxies(1), galaxies(2), one=narrow, other=narrow) == {}
    blurred = gaussian_filter(galaxies(2), (0, 1, 1))
    assert "sharpness" in told(galaxies(1), blurred)
    enlarged = [zoom(image, 2, order=1) for image in galaxies(2, size=24)]
    assert "sharpness" in told(galaxies(1), enlarged)


def test_a_real_set_is_like_itself_and_unlike_itself_enlarged_or_in_sixteen_bits(shared_data):
    files = sorted((shared_data / "efigi_gri88" / "images").iterdir())[:240]
    images = [np.asarray(Image.open(file), dtype=np.float64)[::-1, :, 1] for file in files]
    for first in range(4):
        assert told(images[first::8], images[first + 4 :: 8]) == {}
    assert set(told(images[::2], [257 * image + 100 for image in images[1::2]])) == {"unit"}
    assert "sharpness" in told(images[::2], [zoom(image[20:64, 20:64], 2, order=3) for image in images[1::2]])


def tiles(image, side_pix, count=60):
    places = np.arange(0, min(image.shape) - side_pix, side_pix)
    return [image[y : y + side_pix, x : x + side_pix] for y in places for x in places][:count]


def test_real_fields_are_told_from_stamps_with_neighbors(shared_data):
    deep = np.asarray(Image.open(shared_data / "hubble_deep_field" / "hubble_deep_field.jpg"), np.float32)[
        ..., 1
    ]
    kids = fits.getdata(shared_data / "kids_viking_9band_field" / "r.fits").astype(np.float32)
    for fields in (tiles(deep, 128), tiles(deep, 200), tiles(kids, 256), tiles(kids, 512)):
        assert side(fields).found.is_of_fields
    zoo = sorted((shared_data / "gz2_1000" / "thumbs").iterdir())[:60]
    stamps = [np.asarray(Image.open(file), np.float32)[..., 1] for file in zoo]
    assert side(stamps).found.n_sources > 6
    assert not side(stamps).found.is_of_fields
    assert not side(galaxies(1)).found.is_of_fields
    moved = [np.roll(stamp, 40, axis=(0, 1)) for stamp in stamps]
    assert not side(moved).found.is_of_fields  # off the middle, but of one galaxy: for the evidence to tell


def fields_of(case, count=30, size=96):
    rng = random_stream(case, "test.fields")
    images = rng.normal(0, 1, (count, size, size))
    for image in images:
        places = rng.integers(4, size - 4, (25, 2))
        for y, x in places[np.max(np.abs(places - size / 2), axis=1) > 8]:
            image[y, x] += 400 * rng.uniform(0.5, 1)
    return gaussian_filter(images, (0, 1.2, 1.2)).astype(np.float32)


def test_fields_are_refused_before_anything_is_measured(tmp_path, monkeypatch):
    reference = write_store(tmp_path / "fields", image_set_from_arrays(fields_of(1), PICTURES))
    monkeypatch.setattr("galsmith.judging.image_stores.measure", lambda *_, **__: pytest.fail("measured"))
    with pytest.raises(InputError, match=r"fields: its images are fields of about \d+ sources.*ingest field"):
        judge(reference, {"ours": fields_of(2)}, **QUICK)


def test_generated_fields_beside_galaxies_are_told(caplog):
    judge(galaxies(1, size=96).astype(np.float32), {"ours": fields_of(2)}, **QUICK)
    assert "ours: the images of the generated set are fields of about" in caplog.text


def test_the_card_holds_what_is_not_alike_and_it_is_said_before_anything_is_measured(
    tmp_path, caplog, monkeypatch
):
    reference = write_store(tmp_path / "real", image_set_from_arrays(galaxies(1), PICTURES))
    output = tmp_path / "card.json"
    judge(reference, {"alike": galaxies(2), "other": galaxies(3, size=64)}, output, **QUICK)
    card = read_card(output)
    assert card.judgment("alike").comparison.conditions == ()
    assert [item.name for item in card.judgment("other").comparison.conditions] == ["size"]
    assert card.summary.startswith("alike: ")
    assert "; other: not taken alike (size); " in card.summary
    words = verdict_words(card.judgment("other"))
    assert words.title.startswith("other, not taken alike (size), is ")
    assert words.sentences[0].startswith("Not taken alike: has images of 64x64 px")
    assert "not taken alike" not in verdict_words(card.judgment("alike")).title
    monkeypatch.setattr("galsmith.judging.image_stores.measure", lambda *_, **__: pytest.fail("measured"))
    caplog.clear()
    with pytest.raises(pytest.fail.Exception, match="measured"):
        judge(reference, {"other": galaxies(4, size=64)}, tmp_path / "again.json", **QUICK)
    assert "other: has images of 64x64 px" in caplog.text


def test_what_is_known_of_one_side_only_is_a_condition(caplog):
    one = measured(image_set_from_arrays(galaxies(1), PICTURES), settings=POWER)
    other = measured(image_set_from_arrays(galaxies(2), PICTURES), settings=POWER)
    other.meta["pixel_scale_arcsec"] = 0.2
    card = judge_tables(one, {"g": other}, beyond=False, replicates=20, splits=20)
    (condition,) = card.judgment().comparison.conditions
    assert condition.name == "scale"
    assert "`pixel_scale_arcsec=0.2`" in condition.way_out
    assert "g: pixel_scale_arcsec is known of one side only" in caplog.text


def test_what_images_state_of_one_side_only_is_said_once_and_before_anything_is_measured(caplog, monkeypatch):
    scaled = image_set_from_arrays(galaxies(2), ImageHeader(("r",), "display", 0.2))
    card = judge(image_set_from_arrays(galaxies(1), PICTURES), {"ours": scaled}, **QUICK)
    assert [item.name for item in card.judgment().comparison.conditions] == ["scale"]
    assert caplog.text.count("pixel_scale_arcsec is known of one side only") == 1
    monkeypatch.setattr("galsmith.judging.image_stores.measure", lambda *_, **__: pytest.fail("measured"))
    caplog.clear()
    with pytest.raises(pytest.fail.Exception, match="measured"):
        judge(image_set_from_arrays(galaxies(1), PICTURES), {"ours": scaled}, **QUICK)
    assert "ours: pixel_scale_arcsec is known of one side only" in caplog.text


@pytest.mark.parametrize(("count", "is_told"), [(0, False), (1, False), (4, True)])
def test_neighbors_are_told_from_two_in_a_hundred_on(count, is_told):
    tables = [
        measured(image_set_from_arrays(galaxies(case, count=80), PICTURES), settings=POWER) for case in (1, 2)
    ]
    flags = np.array(tables[1]["flags"], dtype="U32")
    flags[:count] = "not_central"
    tables[1]["flags"] = flags
    card = judge_tables(*tables, beyond=False, replicates=20, splits=20)
    found = card.judgment().comparison.conditions
    assert [item.name for item in found] == (["neighbors"] if is_told else [])
    if is_told:
        assert found[0].problem.startswith("of 0 of 80 images of the reference set and 4 of 80")
        assert "`segmentation=survey`" in found[0].way_out


def test_black_images_tell_nothing_of_conditions():
    found = conditions_of_images(image_set_from_arrays(np.zeros((12, 32, 32), np.float32), PICTURES))
    assert found.n_levels == 0
    assert np.isnan(found.bright)
    assert told(galaxies(1), np.zeros((40, 48, 48))) == {}
