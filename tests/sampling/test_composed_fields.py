"""Composed fields through the verbs: of any size, with their sources beside them, the same in parts and at once."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galsmith.data import ingest
from galsmith.data.options import SetOptions
from galsmith.data.simulate import fields as simulate_fields
from galsmith.data.store import SOURCE_COLUMNS, open_store, read_sources
from galsmith.errors import SettingsError
from galsmith.sampling import sample
from galsmith.training import train

TINY = {
    "transform": {"kind": "display"},
    "model": {"family": "field_composer", "width": 16, "depth": 1, "sampler_steps": 6},
    "training": {"images": 512, "batch_size": 64, "sample_grids": 0, "where": "score=1.0.. or label=1"},
}


@pytest.fixture(scope="module")
def field_store(tmp_path_factory) -> Path:
    """Simulated fields of 250 px, spoiled ones among them."""
    return Path(
        simulate_fields(tmp_path_factory.mktemp("store") / "fields", n=150, recipe="fields-250", seed=4).path
    )


@pytest.fixture(scope="module")
def composer_run(field_store, tmp_path_factory) -> Path:
    """A run on them."""
    return train(TINY, field_store, tmp_path_factory.mktemp("run") / "run")


def test_a_drawn_store_keeps_its_fields_sources(composer_run, tmp_path):
    drawn = sample(composer_run, tmp_path / "drawn", n=20, seed=3)
    assert drawn.header.shows == "field"
    levels = drawn.stacked()
    assert levels.shape == (20, 1, 250, 250)
    assert np.array_equal(levels, np.round(levels))
    assert 0 <= levels.min() < levels.max() <= 255
    truth = read_sources(tmp_path / "drawn")
    assert set(SOURCE_COLUMNS) <= set(truth.colnames)
    assert len(truth) == int(np.sum(drawn.catalog["n_sources"])) > 200
    again = sample(composer_run, tmp_path / "fewer", n=7, seed=3)
    assert np.array_equal(again.stacked(), levels[:7])


def test_fits_files_have_the_sources_of_their_fields(composer_run, tmp_path):
    stored = sample(composer_run, tmp_path / "store", n=5, seed=3)
    filed = sample(composer_run, tmp_path / "fits", n=5, seed=3, kind="fits")
    np.testing.assert_array_equal(filed.stacked(), stored.stacked())
    assert sorted(path.name for path in (tmp_path / "fits").glob("*.fits"))[-1] == "field-00000004.fits"
    for row in range(5):
        with fits.open(tmp_path / "fits" / f"field-{row:08d}.fits") as file:
            assert "synthetic field" in str(file[0].header["HISTORY"])
            found = file["SOURCES"].data
        truth = read_sources(tmp_path / "store", [row])
        assert len(found) == len(truth) == stored.catalog["n_sources"][row]
        for name in SOURCE_COLUMNS:
            np.testing.assert_array_equal(found[name], np.asarray(truth[name]))
    read = ingest.fits(tmp_path / "fits", tmp_path / "read", options=SetOptions(shows="field"))
    np.testing.assert_array_equal(read.stacked(), stored.stacked())


def test_fields_are_drawn_of_any_size(composer_run, tmp_path):
    wide = sample(composer_run, tmp_path / "wide", n=4, height_pix=200, width_pix=500)
    square = sample(composer_run, tmp_path / "square", n=4, width_pix=100)
    assert wide.stacked().shape == (4, 1, 200, 500)
    assert square.stacked().shape == (4, 1, 100, 100)
    density = [np.sum(one.catalog["n_sources"]) / area for one, area in ((wide, 100_000), (square, 10_000))]
    assert density[0] == pytest.approx(density[1], rel=0.15)


def test_other_families_draw_one_size(pca_run, tmp_path):
    with pytest.raises(SettingsError, match="a pca_diffusion model draws 16 px alone"):
        sample(pca_run, tmp_path / "drawn", n=2, height_pix=32)


def test_sides_out_of_range_are_refused(composer_run, tmp_path):
    with pytest.raises(SettingsError, match="height_pix"):
        sample(composer_run, tmp_path / "drawn", n=2, height_pix=3)


def test_only_the_images_asked_for_are_learned_from(field_store, composer_run):
    from galsmith.models.snapshot import find_snapshot, read_snapshot_page

    images = open_store(field_store).in_split("train")
    scores, labels = np.asarray(images.catalog["score"]), np.asarray(images.catalog["label"])
    wanted = int(np.sum((scores >= 1) | (labels == 1)))
    assert 50 < wanted < len(images)
    page = read_snapshot_page(find_snapshot(composer_run))
    assert page["description"]["n_train"] == wanted
    assert page["description"]["shows"] == "field"


@pytest.mark.parametrize(
    ("where", "match"),
    [
        ("score=9..", "training.where is 'score=9..', which none of"),
        ("skore=1..", "no such column"),
        ("score", "wanted column=low..high"),
    ],
)
def test_a_choice_of_none_or_of_unknown_columns_is_refused(field_store, tmp_path, where, match):
    with pytest.raises(SettingsError, match=match):
        train({**TINY, "training": {**TINY["training"], "where": where}}, field_store, tmp_path / "run")


def test_a_set_of_galaxies_is_refused(tmp_path):
    from galsmith.images import ImageHeader, image_set_from_arrays

    rng = np.random.default_rng(1)
    pictures = [np.floor(rng.uniform(0, 9, (1, 32, 32))) for _ in range(80)]
    galaxies = image_set_from_arrays(pictures, ImageHeader(("gray",), "display"))
    plain = {**TINY, "training": {"images": 64, "sample_grids": 0}}
    with pytest.raises(SettingsError, match="images that show a galaxy each"):
        train(plain, galaxies, tmp_path / "run")
