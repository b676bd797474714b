"""Tables in other formats: what was measured comes back, with units and metadata."""

import astropy.units as u
import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.table import QTable, Table

from galsmith.errors import InputError, SettingsError
from galsmith.files.seal import BLANK, KEY, seal
from galsmith.measure.arrow import arrow_of, column_of
from galsmith.measure.table_formats import (
    checked_output,
    read_csv,
    read_metadata,
    read_table,
    write_beside_csv,
    write_table,
)


@pytest.fixture
def table():
    columns = {
        "object_id": np.array(["a", "bb"]),
        "r_half_pix": np.array([4.25, np.nan]) * u.pix,
        "flux": np.array([1 / 3, 2e-9]) * u.electron / u.s,
        "gini": np.array([0.1 + 0.2, 0.5]),
        "flag": np.array([0, 4], dtype=np.int32),
        "flags": np.array(["", "no_source,source_at_edge"]),
        "message": np.array(["", ""]),
    }
    meta = {
        "kind": "x",
        "provenance": {
            "settings": {"band": None, "text": "Sérsic " * 2000, "list": [" a ", "b "]},
            "n": [1, 2.5],
        },
    }
    return QTable(columns, meta=meta)


@pytest.mark.parametrize("suffix", [".parquet", ".ecsv", ".fits"])
def test_values_units_and_metadata_come_back(tmp_path, table, suffix):
    write_table(tmp_path / f"t{suffix}", table)
    back = read_table(tmp_path / f"t{suffix}")
    assert back.colnames == table.colnames
    assert back.meta == table.meta
    for name in table.colnames:
        assert getattr(back[name], "unit", None) == getattr(table[name], "unit", None)
        np.testing.assert_array_equal(np.asarray(back[name]), np.asarray(table[name]))


def test_parquet_has_the_bytes_that_astropy_writes(tmp_path, table):
    table["is_kept"] = np.array([True, False])
    table["rank"] = np.array([3, 1], dtype=np.uint8)
    table["swapped"] = np.array([1.5, 2.5], dtype=">f4")
    table["name"] = np.array(["Sérsic", "ß"])
    write_table(tmp_path / "ours.parquet", table)
    table.meta[KEY] = BLANK
    table.write(tmp_path / "astropy.parquet", format="parquet")
    seal(tmp_path / "astropy.parquet")
    assert (tmp_path / "ours.parquet").read_bytes() == (tmp_path / "astropy.parquet").read_bytes()


def test_columns_of_vectors_and_bytes_are_written_too(tmp_path, table):
    table["vector"] = np.array([[1.0, 2.0], [3.0, 4.0]])
    table["raw"] = np.array([b"a", b"bc"])
    write_table(tmp_path / "t.parquet", table)
    back = QTable.read(tmp_path / "t.parquet")
    np.testing.assert_array_equal(back["vector"], table["vector"])
    np.testing.assert_array_equal(np.asarray(back["raw"]).astype(bytes), table["raw"])


@pytest.mark.parametrize(
    "values",
    [
        np.array([1 / 3, np.nan, -np.inf]),
        np.array([1.5, np.nan], dtype=np.float32),
        np.array([3, -1], dtype=np.int32),
        np.array([2**40], dtype=np.int64),
        np.array(["", "Sérsic", "a"], dtype=object),
        np.array([], dtype=np.float64),
        np.array([], dtype=object),
    ],
)
def test_columns_become_the_arrays_that_pyarrow_makes(values):
    made = arrow_of(values)
    made.validate(full=True)
    wanted = pa.array(values, type=pa.string() if values.dtype == object else None)
    assert made.type == wanted.type
    assert made.to_pylist()[:1] == wanted.to_pylist()[:1]
    np.testing.assert_array_equal(made.to_numpy(zero_copy_only=False), wanted.to_numpy(zero_copy_only=False))
    back = column_of(pa.chunked_array([made.slice(1), made.slice(0, 1)]))
    assert back.dtype == values.dtype
    np.testing.assert_array_equal(back, np.concatenate([values[1:], values[:1]]))


def test_csv_has_the_values_and_says_what_it_lost(tmp_path, table, caplog):
    write_table(tmp_path / "t.csv", table)
    back = Table.read(tmp_path / "t.csv", format="ascii.csv")
    assert back.colnames == table.colnames
    assert back["gini"][0] == table["gini"][0]
    write_beside_csv(tmp_path / "t.csv", tmp_path / "t.csv", table)
    assert (
        "t.csv: CSV keeps neither units nor definitions; they stand beside it in t.csv.meta.json"
        in caplog.text
    )
    with pytest.raises(InputError, match=r"CSV has no units and metadata: write it again as \.ecsv"):
        read_table(tmp_path / "t.csv")


def test_csv_comes_back_with_what_stands_beside_it_until_it_is_changed(tmp_path, table):
    table.add_column(np.array(["00000007", "8"]), name="name")
    table.add_column(np.array([True, False]), name="is_good")
    write_table(tmp_path / "t.csv", table)
    with pytest.raises(LookupError, match="nothing beside it"):
        read_csv(tmp_path / "t.csv")
    write_beside_csv(tmp_path / "t.csv", tmp_path / "t.csv", table)
    back = read_csv(tmp_path / "t.csv")
    assert (back.colnames, back.meta) == (table.colnames, table.meta)
    for name in table.colnames:
        assert getattr(back[name], "unit", None) == getattr(table[name], "unit", None)
        np.testing.assert_array_equal(np.asarray(back[name]), np.asarray(table[name]))
    (tmp_path / "t.csv").write_text((tmp_path / "t.csv").read_text().replace("bb", "bc"))
    with pytest.raises(LookupError, match="nothing beside it says what made it"):
        read_csv(tmp_path / "t.csv")


@pytest.mark.parametrize("suffix", [".parquet", ".ecsv", ".fits", ".csv"])
def test_metadata_are_read_without_the_table(tmp_path, table, suffix, monkeypatch):
    write_table(tmp_path / f"t{suffix}", table)
    if suffix == ".csv":
        write_beside_csv(tmp_path / "t.csv", tmp_path / "t.csv", table)
    monkeypatch.setattr(QTable, "read", None)
    monkeypatch.setattr(Table, "read", None)
    assert read_metadata(tmp_path / f"t{suffix}") == table.meta


def test_other_programs_read_the_fits_table(tmp_path, table):
    write_table(tmp_path / "t.fits", table)
    with fits.open(tmp_path / "t.fits") as units:
        units.verify("exception")
        assert [unit.name for unit in units] == ["PRIMARY", "MEASUREMENTS", "METADATA"]
        assert units[1].columns["flux"].unit == "electron / s"


def test_a_failed_write_leaves_the_old_table(tmp_path, table):
    write_table(tmp_path / "t.ecsv", table)
    before = (tmp_path / "t.ecsv").read_bytes()
    broken = table.copy()
    broken.meta["made_by"] = object()
    with pytest.raises(Exception, match="object"):
        write_table(tmp_path / "t.ecsv", broken)
    assert (tmp_path / "t.ecsv").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["t.ecsv"]


@pytest.mark.parametrize(
    ("name", "said"), [("t.hdf5", "wanted a name that ends in"), ("t.parqet", "did you mean")]
)
def test_an_unknown_ending_is_refused(tmp_path, name, said):
    with pytest.raises(SettingsError, match=said):
        checked_output(tmp_path / name)


def test_a_damaged_table_is_named(tmp_path):
    (tmp_path / "t.fits").write_text("not a table")
    with pytest.raises(InputError, match=r"t\.fits: cannot be read as a FITS table"):
        read_table(tmp_path / "t.fits")
