"""The same cubes by way of a store, of files and of arrays: one table, and comparisons that take any two of them."""

import itertools

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable

from galsmith.compare import judge_tables
from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.data.ingest import fits as ingest_fits
from galsmith.data.store import open_store
from galsmith.errors import InputError
from galsmith.measure import MeasureSettings, measure, measured, morphology
from galsmith.seeds import random_stream

BANDS = ("g", "r")
NOT_MEASURED = {"split", "file"}  # of the catalogs: where a galaxy lies, not what it is


@pytest.fixture(scope="module")
def cubes(sersic, tmp_path_factory):
    """A folder of 24 noisy galaxies in two bands, as FITS cubes that name them."""
    folder = tmp_path_factory.mktemp("cubes")
    rng = random_stream(4, "tests.one_driver")
    for number in range(24):
        image = sersic(64, r_eff=5 + number / 8, n=1 + number / 24, q=0.5 + number / 60, angle=number / 8)
        cube = np.stack([image, 1.7 * image]) + rng.normal(0, 0.3, (2, 64, 64))
        unit = fits.PrimaryHDU(cube.astype(np.float32))
        for plane, band in enumerate(BANDS, start=1):
            unit.header[f"BAND{plane}"], unit.header[f"MAGZP{plane}"] = band, 25.0 + plane
        unit.header["BUNIT"], unit.header["PIXSCALE"] = "nJy", 0.2
        unit.writeto(folder / f"galaxy{number:02d}.fits")
    return folder


@pytest.fixture(scope="module")
def store(cubes, tmp_path_factory):
    output = tmp_path_factory.mktemp("stores") / "store"
    ingest_fits(cubes, output)
    return open_store(output)


def settings_for(band):
    return MeasureSettings(band=band, sersic="none")


def assert_same(one: QTable, other: QTable):
    # a store's catalog says more than files do
    names, others = (
        [name for name in table.colnames if name not in NOT_MEASURED and not name.startswith("catalog_")]
        for table in (one, other)
    )
    assert names == others
    for name in names:
        assert getattr(one[name], "unit", None) == getattr(other[name], "unit", None), name
        np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(other[name]), err_msg=name)


@pytest.mark.parametrize("band", [None, "g", "all"])
def test_a_store_and_its_files_give_one_table(cubes, store, tmp_path, band):
    stored = measure(store, tmp_path / "store.parquet", settings=settings_for(band))
    of_files = measure(cubes, tmp_path / "files.parquet", settings=settings_for(band))
    assert_same(stored, of_files)
    assert_same(measured(store, settings=settings_for(band), workers=2), stored)
    assert len(stored) == 24 * (2 if band == "all" else 1)
    powers = [name for name in stored.colnames if name.startswith("power_")]
    assert len(powers) == (30 if band == "all" else 60)
    assert ("color_gr_mag" in stored.colnames) is (band != "all")
    for key in ("bands", "band", "flux_unit", "pixel_scale_arcsec", "segmentation", "colors", "properties"):
        assert stored.meta[key] == of_files.meta[key], key


def test_arrays_give_the_values_of_the_store(store, tmp_path):
    stored = measure(store, tmp_path / "store.parquet", settings=settings_for("all"))
    of_arrays = morphology([store[row] for row in range(24)], bands=BANDS, sersic="none")
    assert of_arrays["band"].tolist() == stored["band"].tolist()
    for name in of_arrays.colnames:
        if name not in ("image", "object_id"):
            values = np.asarray(getattr(of_arrays[name], "value", of_arrays[name]))
            np.testing.assert_array_equal(
                values, np.asarray(getattr(stored[name], "value", stored[name])), name
            )


def test_a_comparison_takes_any_two_and_finds_no_difference(cubes, store, tmp_path):
    paths = [tmp_path / f"{name}.parquet" for name in ("store", "files", "morphology")]
    measure(store, paths[0], settings=settings_for(None))
    measure(cubes, paths[1], settings=settings_for(None))
    shapes_only = settings_for(None).model_copy(update={"quantities": ("morphology",)})
    measure(cubes, paths[2], settings=shapes_only)
    for one, other in itertools.permutations(paths, 2):
        card = judge_tables(one, {"other": other}, replicates=10, splits=10, beyond=False)
        found = card.judgments[0].comparison
        values = [item.estimate.value for item in found.distances if not item.reason]
        assert len(values) > 20
        assert max(values) < 1e-12  # the sum along a circle is rounded


def test_another_band_is_refused_with_the_way_out(cubes, store, tmp_path):
    measure(store, tmp_path / "r.parquet", settings=settings_for("r"))
    measure(cubes, tmp_path / "g.parquet", settings=settings_for("g"))
    with pytest.raises(InputError, match=r"band = r.* with g; measure both with the same settings"):
        judge_tables(tmp_path / "r.parquet", {"g": tmp_path / "g.parquet"})


def test_files_and_stores_differ_where_they_must(cubes, store, tmp_path):
    """The check of this file can fail: one galaxy of another brightness changes the table."""
    other = tmp_path / "cubes"
    other.mkdir()
    for file in sorted(cubes.iterdir()):
        with fits.open(file) as units:
            units[0].data = units[0].data * (1.1 if file.stem == "galaxy07" else 1)
            units.writeto(other / file.name)
    table = measured(open_galaxies(FileRequest((str(other),))), settings=settings_for(None))
    with pytest.raises(AssertionError):
        assert_same(table, measured(store, settings=settings_for(None)))
