"""A store made from another: nothing is lost on the way, and a table joins its catalog row by row."""

import logging

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from galsmith.data.ingest import store as ingest_store
from galsmith.data.options import SetOptions
from galsmith.data.store import (
    Companions,
    StoreHeader,
    StoreWriter,
    open_store,
    read_companions,
    read_noise_correlation,
    read_psfs,
    write_store,
)
from galsmith.errors import InputError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.provenance import Provenance

N = 30


@pytest.fixture
def galaxies(tmp_path, random_stamp):
    """Write a store of 30 galaxies of 16 px with PSFs and a correlation of the noise; gives its folder."""
    zero_points, psf = {"g": 31.4, "r": 31.4}, {"psf_fwhm_pix": 3.0}
    images = ImageHeader(("g", "r"), "nJy", 0.2, zero_points_mag=zero_points, psf=psf)
    header = StoreHeader(images, Provenance(verb="test", settings={}))
    writer = StoreWriter(tmp_path / "galaxies", header, n_chunks=1)
    catalog = QTable(
        {
            "object_id": [f"gal{number}" for number in range(N)],
            "split": ["train", "validation", "test"] * (N // 3),
            "z": np.linspace(0, 1, N),
        }
    )
    images = [random_stamp(2, 16, 16, seed=number) for number in range(N)]
    psfs = [np.full((5, 5), number, dtype=np.float32) for number in range(N)]
    beside = Companions(psfs, 0.05, {"sky": np.eye(3, dtype=np.float32)})
    writer.write_chunk(0, images, catalog, companions=beside)
    writer.finish()
    return tmp_path / "galaxies"


@pytest.fixture
def table(tmp_path):
    """Write a table of 28 of the galaxies in another order, and one that is not there; gives its path."""
    numbers = [*range(27, -1, -1), 99]
    measured = QTable(
        {
            "object_id": [f"gal{number}" for number in numbers],
            "r_half_pix": np.array(numbers, dtype=float) * u.pix,
            "flag": np.array(numbers, dtype=np.int64) % 2,
            "z": np.full(len(numbers), 7.0),
            "kind": [f"kind{number % 3}" for number in numbers],
        }
    )
    measured.write(tmp_path / "measured.parquet")
    return tmp_path / "measured.parquet"


def test_a_copy_has_everything(galaxies, tmp_path):
    copied, source = ingest_store(galaxies, tmp_path / "copy"), open_store(galaxies)
    assert np.array_equal(copied.pixels.read(np.arange(N)), source.pixels.read(np.arange(N)))
    assert (copied.header.bands, copied.header.flux_unit, copied.header.pixel_scale_arcsec) == (
        ("g", "r"),
        "nJy",
        0.2,
    )
    assert copied.header.zero_points_mag == source.header.zero_points_mag
    assert copied.header.psf == {"psf_fwhm_pix": 3.0}
    for name in ("object_id", "split", "z"):
        assert list(copied.catalog[name]) == list(source.catalog[name])
    for first, second in zip(
        read_psfs(tmp_path / "copy", range(N)), read_psfs(galaxies, range(N)), strict=True
    ):
        assert np.array_equal(first, second)
    assert read_companions(tmp_path / "copy", [0]).psf_pixel_scale_arcsec == 0.05
    assert np.array_equal(read_noise_correlation(tmp_path / "copy", "sky"), np.eye(3))
    assert [parent.content_hash for parent in copied.provenance.parents] == [source.content_hash]


def test_some_galaxies_keep_their_own_splits_and_psfs(galaxies, tmp_path):
    some = ingest_store(galaxies, tmp_path / "some", options=SetOptions(where="z=0.5..", resize_pix=8))
    source = open_store(galaxies)
    chosen = np.flatnonzero(source.catalog["z"] >= 0.5)
    assert list(some.catalog["object_id"]) == [f"gal{row}" for row in chosen]
    assert list(some.catalog["split"]) == list(source.catalog["split"][chosen])
    psfs = read_psfs(tmp_path / "some", range(len(chosen)))
    # in pixels of twice the side, their sums kept
    assert {psf.shape for psf in psfs} == {(3, 3)}
    assert [float(psf.sum()) / 25 for psf in psfs] == pytest.approx(list(chosen))
    assert some.header.pixel_scale_arcsec == pytest.approx(0.4)
    before = source.pixels.read(chosen)[0].sum(dtype=float)
    assert some.pixels.read([0])[0].sum(dtype=float) == pytest.approx(before, rel=1e-5)


def test_other_shares_deal_galaxies_anew(galaxies, tmp_path):
    dealt = ingest_store(galaxies, tmp_path / "dealt", options=SetOptions(split=(1.0, 0.0, 0.0)))
    assert set(dealt.catalog["split"]) == {"train"}


@pytest.mark.parametrize("suffix", [".parquet", ".ecsv", ".fits", ".csv"])
def test_properties_join_by_name_with_units_and_nan(galaxies, table, tmp_path, suffix, caplog):
    file = table.with_suffix(suffix)
    if suffix != ".parquet":
        QTable.read(table).write(file)
    with caplog.at_level(logging.WARNING):
        joined = ingest_store(galaxies, tmp_path / "joined", properties=file).catalog
    radius = joined["r_half_pix"]
    if suffix != ".csv":  # which has no units
        assert radius.unit == u.pix
    assert np.array_equal(np.asarray(getattr(radius, "value", radius))[:28], np.arange(28))
    assert np.isnan(np.asarray(getattr(radius, "value", radius))[28:]).all()
    assert list(joined["flag"][:4]) == [0, 1, 0, 1]
    assert list(joined["kind"][26:]) == ["kind2", "kind0", "", ""]
    assert np.array_equal(joined["z"], np.linspace(0, 1, N))
    assert joined["label_z"][0] == 7.0
    assert "2 galaxies have no row there (their properties are NaN), 1 rows have no galaxy" in caplog.text
    assert joined.meta["properties"] == {"galaxies_without_row": 2, "rows_without_galaxy": 1}


def test_gaps_of_a_table_are_nan_and_not_zero(galaxies, tmp_path):
    rows = "".join(f"gal{number},{'' if number == 3 else number},kind\n" for number in range(N))
    (tmp_path / "gaps.csv").write_text("object_id,count,kind\n" + rows)
    joined = ingest_store(galaxies, tmp_path / "joined", properties=tmp_path / "gaps.csv").catalog
    assert np.isnan(joined["count"][3])
    assert list(joined["count"][4:7]) == [4, 5, 6]


def test_joined_properties_can_be_asked_for_at_once(galaxies, table, tmp_path):
    some = ingest_store(
        galaxies, tmp_path / "some", properties=table, options=SetOptions(where="r_half_pix=5..8")
    )
    assert list(some.catalog["object_id"]) == ["gal5", "gal6", "gal7", "gal8"]


def test_tables_that_cannot_be_joined_are_named_and_nothing_is_written(galaxies, tmp_path):
    def refused(table: QTable | None, name: str, match: str) -> None:
        if table is not None:
            table.write(tmp_path / name)
        with pytest.raises(InputError, match=match):
            ingest_store(galaxies, tmp_path / "out", properties=tmp_path / name)
        assert not (tmp_path / "out").exists()

    refused(None, "none.parquet", r"none.parquet: there is no such table; make one with galsmith measure")
    refused(None, "none.xlsx", r"none.xlsx: wanted a table that ends in .parquet, .ecsv, .csv, .txt")
    refused(QTable({"r": [1.0]}), "a.csv", r"a.csv: has no column object_id, by which rows are joined")
    refused(
        QTable({"object_id": ["x"]}), "b.csv", r"b.csv: none of its object_id, such as 'x', is in the store"
    )
    refused(
        QTable({"object_id": ["gal1", "gal1"]}), "c.csv", r"c.csv: several rows have the object_id 'gal1'"
    )
    (tmp_path / "d.parquet").write_bytes(b"not a table")
    refused(None, "d.parquet", r"d.parquet: cannot be read as a table")


def test_a_store_without_companions_has_none(tmp_path, galaxies):
    assert read_companions(galaxies, [3, 4]).psfs[1][0, 0] == 4
    bare = write_store(tmp_path / "bare", image_set_from_arrays([np.eye(8)], ImageHeader(("g",), "nJy")))
    assert read_companions(bare.path, [0]) is None
    copied = ingest_store(bare.path, tmp_path / "copied")
    assert read_companions(copied.path, [0]) is None
    with pytest.raises(InputError, match="there is no such store"):
        read_companions(tmp_path / "nowhere", [0])
