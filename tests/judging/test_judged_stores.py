"""Stores, judged: measured beside the card, found again, refused where they are not alike."""

import json
from pathlib import Path
from shutil import rmtree

import numpy as np
import pytest

from galsmith.compare import read_comparison
from galsmith.data.store import open_store, write_store
from galsmith.errors import InputError, OutputExistsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.judging import judge
from galsmith.judging.image_stores import images_at
from galsmith.measure import MeasureSettings, measure
from galsmith.seeds import random_stream

QUICK = {"replicates": 20, "splits": 20, "measure_settings": MeasureSettings(quantities=("power",))}


def compare(reference, generated, output=None, **how):
    """Judge two sets, property by property."""
    return judge(reference, {"generated": generated}, output, beyond=False, **how).judgment().comparison


def noise_store(path, *, case, count=24, flux_unit="nJy", smear=1.0):
    images = smear * random_stream(case, "test.noise").normal(size=(count, 16, 16)) + 3
    write_store(path, image_set_from_arrays(images, ImageHeader(("r",), flux_unit)))
    return path


@pytest.fixture
def stores(tmp_path):
    return noise_store(tmp_path / "source", case=1), noise_store(tmp_path / "drawn", case=2, smear=0.5)


def test_stores_are_measured_beside_the_output(stores, tmp_path):
    output = tmp_path / "out" / "comparison.json"
    comparison = compare(*stores, output, **QUICK)
    tables = output.parent / "comparison.measurements"
    assert sorted(file.name for file in tables.iterdir()) == ["generated.parquet", "reference.parquet"]
    assert comparison.reference.path == "comparison.measurements/reference.parquet"
    assert comparison.reference.images_path == "../source"
    description = json.loads((stores[0] / "dataset.json").read_text())
    assert comparison.reference.images_hash == description["content_hash"]
    assert comparison.distance("power_wavelength_10").value > 2
    assert repr(read_comparison(output).distances) == repr(comparison.distances)


def test_tables_give_the_same_as_their_stores(stores, tmp_path):
    from_stores = compare(*stores, tmp_path / "comparison.json", **QUICK)
    tables = [tmp_path / f"{name}.parquet" for name in ("one", "two")]
    for store, table in zip(stores, tables, strict=True):
        measure(store, table, settings=QUICK["measure_settings"])
    assert repr(compare(*tables, **QUICK).distances) == repr(from_stores.distances)


def test_an_interrupted_comparison_keeps_what_was_measured(stores, tmp_path):
    output = tmp_path / "comparison.json"
    compare(*stores, output, **QUICK)
    output.unlink()
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "comparison.measurements").iterdir()}
    compare(*stores, output, **QUICK)
    assert before == {file: file.stat().st_mtime_ns for file in before}
    output.unlink()
    with pytest.raises(OutputExistsError, match=r"reference\.parquet`: already exists"):
        compare(*stores, output, limit=20, **QUICK)
    assert compare(*stores, output, limit=20, overwrite=True, **QUICK).reference.n_measured == 20


def test_without_an_output_all_is_the_same_and_nothing_is_kept(stores, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    kept = compare(*stores, tmp_path / "comparison.json", **QUICK)
    found = compare(*stores, **QUICK)
    assert repr(found.distances) == repr(kept.distances)
    assert found.reference.path == ""
    assert found.reference.images_path == str(stores[0])
    assert list((tmp_path / "temporary").iterdir()) == []


def test_stores_of_other_units_are_refused(stores, tmp_path):
    other = noise_store(tmp_path / "counts", case=3, flux_unit="electron")
    with pytest.raises(InputError, match="a flux unit of nJy, the generated set electron"):
        compare(stores[0], other, tmp_path / "comparison.json", **QUICK)
    assert not (tmp_path / "comparison.json").exists()


def test_a_folder_that_is_no_store_is_named(stores, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: is no store, and holds no"):
        compare(stores[0], tmp_path / "empty", tmp_path / "comparison.json", **QUICK)


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.parquet"):
        compare(tmp_path / "nowhere.parquet", tmp_path / "nowhere.parquet", **QUICK)


def test_three_bands_compare_power_band_by_band(tmp_path):
    images = random_stream(5, "test.noise").normal(size=(2, 20, 3, 16, 16)) + 3
    paths = [tmp_path / "one", tmp_path / "two"]
    for path, pixels in zip(paths, images, strict=True):
        write_store(path, image_set_from_arrays(pixels, ImageHeader(("g", "r", "i"), "nJy")))
    comparison = compare(*paths, tmp_path / "comparison.json", **QUICK)
    assert comparison.reference.bands == ("g", "r", "i")
    names = [item.name for item in comparison.counted]
    assert {f"power_wavelength_03_{band}" for band in "gri"} <= set(names)
    assert np.isfinite(comparison.headline.value)


def test_rows_of_several_bands_are_not_mixed(tmp_path):
    settings = MeasureSettings(quantities=("power",), band="all")
    tables = []
    for case in (1, 2):
        images = random_stream(case, "test.noise").normal(size=(24, 2, 16, 16)) + 3
        cubes = image_set_from_arrays(images, ImageHeader(("g", "r"), "nJy"))
        tables.append(measure(cubes, tmp_path / f"{case}.parquet", settings=settings))
    with pytest.raises(InputError, match=r"reference set has rows of 2 bands \(g, r\).*\['band'\] == 'g'"):
        compare(*tables, replicates=20, splits=20)
    one_band = [table[table["band"] == "g"] for table in tables]
    assert compare(*one_band, replicates=20, splits=20).distance("power_rings_03").value > 0


def test_images_are_found_beside_a_table_that_was_moved_with_them_and_others_are_not_taken(
    tmp_path, monkeypatch
):
    whole = tmp_path / "first"
    whole.mkdir()
    monkeypatch.chdir(whole.parent)
    noise_store(Path("first/source"), case=1)
    measure(open_store("first/source"), Path("first/source.parquet"), settings=QUICK["measure_settings"])
    whole.rename(tmp_path / "moved")
    table = tmp_path / "moved" / "source.parquet"
    assert images_at(table, None).content_hash == open_store(tmp_path / "moved" / "source").content_hash
    rmtree(tmp_path / "moved" / "source")
    noise_store(tmp_path / "moved" / "source", case=2)
    with pytest.raises(InputError, match="has other images than were measured"):
        images_at(table, None)
