"""A user's own columns stand beside what was measured; a short table has what is looked at first."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table

from galsmith.cli import main
from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.data.galaxies.given_columns import given_columns
from galsmith.errors import SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import MeasureSettings, measure, measured, read_measurements
from galsmith.measure.table import SHORT, content_hash

QUICK = MeasureSettings(sersic="none", quantities=("morphology", "power"))


@pytest.fixture
def field(sersic, tmp_path):
    image = np.random.default_rng(3).normal(0, 0.05, (96, 192)).astype(np.float32)
    for x in (0, 96):
        image[:, x : x + 96] += sersic(96, r_eff=6, n=1, q=0.7, angle=0.5)
    fits.PrimaryHDU(image).writeto(tmp_path / "field.fits")
    catalog = Table({"NUMBER": [7, 9], "X_IMAGE": [48.5, 144.5], "Y_IMAGE": [48.5, 48.5]})
    catalog["MAG_AUTO"] = [20.5, 21.5] * u.mag
    catalog["flux"] = [1.0, 2.0]  # also the name of what is measured
    catalog.write(tmp_path / "sources.ecsv")
    return tmp_path


def test_columns_are_taken_by_kind_and_missing_values_are_told():
    table = Table(
        {"number": MaskedColumn([1, 2], mask=[False, True]), "name": ["a", "é"], "is_red": [True, False]}
    )
    table["note"] = MaskedColumn(["x", "y"], mask=[True, False])
    table["mag"] = [1.0, 2.0] * u.mag
    table["spectrum"] = np.ones((2, 3))
    table["object"] = np.array(["one", None], dtype=object)
    taken = given_columns(table, without={"is_red"})
    names = ["catalog_number", "catalog_name", "catalog_note", "catalog_mag", "catalog_object"]
    assert taken.colnames == names
    np.testing.assert_array_equal(taken["catalog_number"], [1.0, np.nan])
    assert list(taken["catalog_note"]) == ["", "y"]
    assert list(taken["catalog_object"]) == ["one", ""]
    assert taken["catalog_mag"].unit == u.mag


@pytest.mark.parametrize("ending", [".parquet", ".fits", ".ecsv"])
def test_a_catalog_of_positions_is_joined(field, ending):
    output = field / f"table{ending}"
    galaxies = open_galaxies(
        FileRequest((str(field / "field.fits"),), catalog=field / "sources.ecsv", cutout_pix=96)
    )
    measure(galaxies, output, settings=QUICK)
    table = read_measurements(output)
    assert list(table["object_id"]) == ["7", "9"]
    assert list(table["catalog_NUMBER"]) == [7, 9]
    assert np.asarray(table["catalog_MAG_AUTO"]).tolist() == [20.5, 21.5]
    assert table["catalog_MAG_AUTO"].unit == u.mag
    assert list(table["catalog_flux"]) == [1.0, 2.0]
    assert table["flux"][0] > 10
    assert table.meta["content_hash"] == content_hash(table)


def test_the_catalog_of_a_store_is_joined_row_by_row_of_every_band(sersic):
    catalog = QTable({"object_id": ["a", "b"], "redshift": [0.1, 0.2], "kind": ["E", "Sc"]})
    images = image_set_from_arrays(
        [np.stack([sersic(48, r_eff=5, n=1, q=0.7, angle=0.5)] * 2)] * 2,
        ImageHeader(("g", "r"), "nJy"),
        catalog=catalog,
    )

    table = measured(images, settings=QUICK.model_copy(update={"band": "all"}))
    assert list(table["object_id"]) == ["a", "a", "b", "b"]
    assert list(table["catalog_kind"]) == ["E", "E", "Sc", "Sc"]
    assert "catalog_object_id" not in table.colnames


def test_a_short_table_is_part_of_the_whole_one_and_not_taken_for_it(field, capsys, monkeypatch):
    monkeypatch.chdir(field)
    words = [
        "measure",
        "field.fits",
        "--catalog",
        "sources.ecsv",
        "--cutout",
        "96",
        "--set",
        "sersic=none",
        "-o",
    ]
    assert main([*words, "all.fits", "--columns", "id=NUMBER"]) == 0
    assert main([*words, "short.fits", "--columns", "id=NUMBER,short"]) == 0
    whole, short = read_measurements(field / "all.fits"), read_measurements(field / "short.fits")
    assert len(short.colnames) < 30 < len(whole.colnames)
    assert [name for name in SHORT if name in whole.colnames] == [
        name for name in short.colnames if name in SHORT
    ]
    for name in short.colnames:
        np.testing.assert_array_equal(np.asarray(short[name]), np.asarray(whole[name]))
    assert set(short.meta["properties"]) <= set(short.colnames)
    assert short.meta["content_hash"] == content_hash(short)
    capsys.readouterr()
    assert main([*words, "short.fits", "--columns", "id=NUMBER"]) == 2
    assert "short.fits: already exists" in capsys.readouterr().err
    assert main(["info", "short.fits"]) == 0
    rows = capsys.readouterr().out
    assert "catalog (5)" in rows
    assert main(["info", "all.fits"]) == 0
    assert "power_wavelength_00..14" in capsys.readouterr().out


def test_another_word_is_refused(field):
    with pytest.raises(SettingsError, match=r"`columns=shrt`.*wanted one of all, short"):
        measure(field / "field.fits", field / "new.parquet", columns="shrt")
