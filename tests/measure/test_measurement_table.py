"""The measurement table: units, what it says of itself, and who can read it."""

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from astropy.table import QTable, Table

from galsmith.errors import InputError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import PROPERTIES, measure, property_of_column, read_measurements
from galsmith.measure.table import content_hash


@pytest.fixture(scope="module")
def table_file(noisy_set, tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "table.parquet"
    measure(noisy_set.select([0, 1, 2]), path)
    return path


def test_what_is_read_equals_what_was_measured(noisy_set, tmp_path):
    measured = measure(noisy_set.select([3]), tmp_path / "one.parquet")
    read = read_measurements(tmp_path / "one.parquet")
    assert read.colnames == measured.colnames
    assert read.meta == measured.meta
    for name in read.colnames:
        assert getattr(read[name], "unit", None) == getattr(measured[name], "unit", None), name
        np.testing.assert_array_equal(np.asarray(read[name]), np.asarray(measured[name]))


def test_every_property_has_a_column_with_its_unit_and_definition(table_file):
    table = read_measurements(table_file)
    asked_for = {entry.name for entry in PROPERTIES if entry.group not in ("double_sersic", "field")}
    assert asked_for <= set(table.colnames)
    assert not {entry.name for entry in PROPERTIES} - asked_for & set(table.colnames)
    assert table["r_half_pix"].unit == u.pix
    assert table["orientation_rad"].unit == u.rad
    assert table["flux"].unit == u.electron / u.s
    described = table.meta["properties"]
    assert set(described) == {name for name in table.colnames if property_of_column(name)}
    assert described["flux"]["unit"] == "electron / s"
    assert described["power_rings_02"]["unit"] == "dex"
    assert described["gini"]["definition"].startswith("Gini coefficient")


def test_other_programs_read_it(table_file):
    frame = pd.read_parquet(table_file)
    table = QTable.read(table_file)
    assert len(frame) == len(table) == 3
    np.testing.assert_array_equal(frame["gini"], table["gini"])
    assert frame["object_id"].tolist() == table["object_id"].tolist()
    assert frame["flags"].map(type).eq(str).all()


def test_the_table_says_what_made_it(table_file, noisy_set):
    meta = read_measurements(table_file).meta
    assert meta["provenance"]["verb"] == "measure"
    assert meta["provenance"]["settings"]["engine_versions"]["galsmith.measure.engine"]
    assert meta["provenance"]["settings"]["segmentation"] == "paper"
    assert meta["provenance"]["settings"]["sky"] == "box"
    assert meta["source"]["content_hash"] == noisy_set.select([0, 1, 2]).content_hash
    assert meta["segmentation"].startswith("threshold = sigma-clipped mean + 1.5")
    assert (meta["n_measured"], meta["band"], meta["flux_unit"]) == (3, "F814W", "electron / s")


def test_the_hash_names_the_content(table_file):
    table = read_measurements(table_file)
    assert content_hash(table) == table.meta["content_hash"]
    table["gini"][0] += 1e-9
    assert content_hash(table) != table.meta["content_hash"]


def test_a_unit_that_astropy_does_not_know_stays_in_the_metadata(noisy_stamps, tmp_path):
    images = image_set_from_arrays(noisy_stamps[:1], ImageHeader(("r",), "display"))
    measure(images, tmp_path / "table.parquet")
    table = read_measurements(tmp_path / "table.parquet")
    assert table["flux"].unit is None
    assert table.meta["properties"]["flux"]["unit"] == "display"


def test_files_of_another_kind_are_refused(tmp_path, table_file):
    with pytest.raises(InputError, match="no such measurement table"):
        read_measurements(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(InputError, match="cannot be read as a Parquet table"):
        read_measurements(tmp_path / "text.parquet")
    Table({"a": [1, 2]}).write(tmp_path / "other.parquet")
    with pytest.raises(InputError, match="without galsmith's measurements"):
        read_measurements(tmp_path / "other.parquet")
    future = read_measurements(table_file)
    future.meta["table_version"] = 99
    future.write(tmp_path / "future.parquet")
    with pytest.raises(InputError, match="measurement table version 99"):
        read_measurements(tmp_path / "future.parquet")
    future.meta["table_version"] = 1
    future.write(tmp_path / "past.parquet")
    with pytest.raises(InputError, match=r"table version 1, .* measure the images again"):
        read_measurements(tmp_path / "past.parquet")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "dataset.json").write_text("{}")
    with pytest.raises(InputError, match="measure it first"):
        read_measurements(tmp_path / "store")
