"""One galaxy has one row: by table, call, command line, figure and judgment, for every kind of source."""

import itertools
from dataclasses import dataclass, field, replace

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable, Table
from PIL import Image

import galsmith.report.galaxy.figure as figure_module
from galsmith.cli import main
from galsmith.data import ingest
from galsmith.data.galaxies import FileRequest, StoreGalaxies, open_galaxies
from galsmith.data.store import write_store
from galsmith.execution import ignore_progress
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.judging.image_stores import Workplace, measured_alike, measured_table
from galsmith.measure import MeasureSettings, measure, measured, morphology, read_measurements
from galsmith.measure.table_formats import read_table
from galsmith.report.galaxy.figure import draw_galaxy
from galsmith.seeds import random_stream

BANDS = ("g", "r")
SETTINGS = MeasureSettings(quantities=("morphology",), sersic="parity", gain=2.0)
WORDS = ["--set", 'quantities=["morphology"]', "--sersic", "parity", "--gain", "2"]
OF_THE_PLACE = {"split", "file", "label", "image", "object_id", "band"}


@dataclass(frozen=True)
class Given:
    """One kind of source, as the command line and as Python name it, and how it becomes a store, where it can."""

    images: str
    options: dict = field(default_factory=dict)
    words: tuple = ()
    ingest: object = None
    reading: dict = field(default_factory=dict)

    def galaxies(self):
        return open_galaxies(FileRequest((self.images,), **self.options))


@pytest.fixture(scope="module")
def cubes(sersic):
    """Three noisy galaxies, [galaxy, band, y, x] float32."""
    rng = random_stream(4, "tests.one_path")
    bands = [sersic(64, r_eff=5 + k, n=1 + k / 2, q=0.6, angle=k) for k in range(3)]
    images = np.stack([np.stack([image, 1.7 * image]) for image in bands])
    return (images + rng.normal(0, 0.3, images.shape)).astype(np.float32)


def _pictures(folder, cubes):
    for k, cube in enumerate(cubes):
        gray = np.clip(12 + 100 * np.arcsinh(cube[0] / 20), 0, 255).astype(np.uint8)
        Image.fromarray(gray[::-1]).save(folder / f"{k}.png")
    return Given(str(folder), ingest=ingest.folder)


def _colored(folder, cubes):
    for k, (g, r) in enumerate(cubes):
        planes = [np.clip(12 + 100 * np.arcsinh(plane / 20), 0, 255) for plane in (r, (g + r) / 2, g)]
        Image.fromarray(np.stack(planes, axis=-1).astype(np.uint8)[::-1]).save(folder / f"{k}.png")
    return Given(str(folder), ingest=ingest.folder)


def _cutouts(folder, cubes):
    for k, cube in enumerate(cubes):
        fits.PrimaryHDU(cube[0]).writeto(folder / f"{k}.fits")
    return Given(str(folder), ingest=ingest.fits)


def _cubes(folder, cubes):
    for k, cube in enumerate(cubes):
        unit = fits.PrimaryHDU(cube)
        unit.header["BAND1"], unit.header["BAND2"] = BANDS
        unit.writeto(folder / f"{k}.fits")
    return Given(str(folder), ingest=ingest.fits)


def _field(folder, cubes):
    rng = random_stream(5, "tests.one_path.field")
    image = rng.normal(0, 0.3, (80, 220)).astype(np.float32)
    labels = np.zeros(image.shape, np.int16)
    y, x = np.mgrid[:80, :220]
    for k, cube in enumerate(cubes):
        image[8:72, 6 + 70 * k : 70 + 70 * k] += cube[0]
        labels[np.hypot(x - 37.5 - 70 * k, y - 39.5) < 14] = k + 1
    fits.HDUList([fits.PrimaryHDU(image), fits.ImageHDU(labels)]).writeto(folder / "field.fits")
    Table({"id": ["a", "b", "c"], "x": [37.5, 107.5, 177.5], "y": [39.5] * 3}).write(folder / "c.csv")
    return str(folder / "field.fits")


def _labels(folder, cubes):
    return Given(_field(folder, cubes), {"segmap": "[1]"}, ("--segmap", "[1]"))


def _catalog(folder, cubes):
    image, catalog = _field(folder, cubes), folder / "c.csv"
    words = ("--catalog", str(catalog), "--cutout", "64")
    return Given(image, {"catalog": catalog, "cutout_pix": 64}, words)


def _array(folder, cubes, suffix):
    path = folder / f"set{suffix}"
    if suffix == ".npy":
        np.save(path, cubes)
    elif suffix == ".npz":
        np.savez(path, images=cubes)
    else:
        with h5py.File(path, "w") as file:
            file["images"] = cubes
    words = ("--bands", ",".join(BANDS))
    return Given(str(path), {"bands": BANDS}, words, ingest.arrays, {"bands": BANDS})


KINDS = {
    "pictures": _pictures,
    "colored pictures": _colored,
    "FITS cutouts": _cutouts,
    "FITS cubes": _cubes,
    "a field with labels": _labels,
    "a field with a catalog": _catalog,
    "NPY": lambda folder, cubes: _array(folder, cubes, ".npy"),
    "NPZ": lambda folder, cubes: _array(folder, cubes, ".npz"),
    "HDF5": lambda folder, cubes: _array(folder, cubes, ".h5"),
}


def assert_same(one, other, without=frozenset()):
    """The same columns with the same values; flags are told as well."""
    left_out = OF_THE_PLACE | without
    names, others = (
        [name for name in table.colnames if name not in left_out and not name.startswith("catalog_")]
        for table in (one, other)
    )
    assert names == others
    for name in names:
        np.testing.assert_array_equal(np.asarray(one[name]), np.asarray(other[name]), err_msg=name)


def assert_drawn(table, galaxies, folder, monkeypatch):
    """Every galaxy's figure shows the row of the table."""
    views = []
    view_of = figure_module.view_of
    monkeypatch.setattr(figure_module, "view_of", lambda *given: views.append(view_of(*given)) or views[-1])
    for row in range(len(table)):
        draw_galaxy(galaxies, folder / f"{row}.png", settings=SETTINGS, index=row)
    for row, view in zip(table, views, strict=True):
        shown = view.measured
        assert (shown.flag, ",".join(shown.flags)) == (row["flag"], row["flags"])
        assert shown.fit_flags == {"flag_sersic": row["flag_sersic"]}
        for name, value in shown.values.items():
            np.testing.assert_array_equal(value, np.asarray(row[name]), err_msg=name)
    monkeypatch.undo()


@pytest.mark.parametrize("kind", KINDS)
def test_all_paths_give_one_row(kind, cubes, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    given = KINDS[kind](folder, cubes)
    table = measure(given.galaxies(), tmp_path / "called.parquet", settings=SETTINGS)
    assert len(table) == len(cubes)
    assert np.isfinite(np.asarray(table["sersic_index"])).all()
    assert_same(table, measured(given.galaxies(), settings=SETTINGS, workers=2))
    words = [given.images, "-o", str(tmp_path / "typed.parquet"), *given.words, *WORDS]
    assert main(["measure", *words]) == 0, capsys.readouterr().err
    assert_same(table, read_table(tmp_path / "typed.parquet"))
    assert_drawn(table, given.galaxies(), tmp_path, monkeypatch)
    if given.ingest is None:
        return
    figures = tmp_path / "figures"
    figures.mkdir()
    store = given.ingest(given.images, tmp_path / "store", **given.reading)
    assert_same(table, measured(store, settings=SETTINGS))
    assert_drawn(table, StoreGalaxies(store), figures, monkeypatch)
    work = Workplace(tmp_path / "judged", SETTINGS, 0, 1, None, overwrite=False, progress=ignore_progress)
    work.folder.mkdir()
    judged = read_measurements(measured_table(tmp_path / "store", "set", work))
    assert_same(table, judged)


def test_the_short_call_gives_the_rows_of_the_long_one(cubes):
    """`morphology` measures every band, and display units nowhere."""
    short = morphology(cubes, bands=BANDS, sersic="parity", gain=2.0)
    columns = [name for name in short.colnames if name not in OF_THE_PLACE]
    for band, place in zip(BANDS, itertools.count()):
        alone = morphology(cubes[:, place], sersic="parity", gain=2.0)
        assert_same(QTable(short[short["band"] == band])[columns], alone[columns])


def test_a_row_of_other_settings_is_told_apart(cubes):
    """The check can fail: another gain is another fit."""
    one, other = (morphology(cubes[:, 0], sersic="parity", gain=gain) for gain in (2.0, 0.5))
    with pytest.raises(AssertionError, match="sersic"):
        assert_same(one, other)


def test_a_figure_of_a_cutout_says_which_coordinates_it_uses(cubes, tmp_path, monkeypatch):
    drawn = []
    galaxy_figure = figure_module.galaxy_figure
    monkeypatch.setattr(
        figure_module, "galaxy_figure", lambda *a, **b: drawn.append(galaxy_figure(*a, **b)) or drawn[-1]
    )
    for kind in ("a field with labels", "FITS cutouts"):
        folder = tmp_path / kind
        folder.mkdir()
        draw_galaxy(
            KINDS[kind](folder, cubes).galaxies(), tmp_path / f"{kind}.png", settings=SETTINGS, index=2
        )
    part, whole = ([axis.get_xlabel() for axis in one.axes] for one in drawn)
    assert part.count("x (pixels of the whole image)") == 5
    assert whole.count("x (pixels)") == 5
    assert drawn[0].axes[0].get_xlim()[0] > 130


PLAIN = MeasureSettings(quantities=("morphology",), sersic="parity")


def _counted(place, cubes, **keywords):
    folder = place / "cut"
    folder.mkdir()
    for k, cube in enumerate(cubes):
        fits.PrimaryHDU(cube[0], fits.Header({**keywords, "EXPTIME": 30.0 + k})).writeto(folder / f"{k}.fits")
    return open_galaxies(FileRequest((str(folder),))), ingest.fits(folder, place / "set")


def test_the_gain_of_files_goes_into_a_store_and_weighs_there(cubes, tmp_path, monkeypatch):
    files, store = _counted(tmp_path, cubes, BUNIT="adu / s", GAIN=0.05)
    np.testing.assert_allclose(store.catalog["gain"], 0.05 * np.array([30.0, 31.0, 32.0]))
    of_files, of_store = (measured(one, settings=PLAIN) for one in (files, store))
    assert_same(of_files, of_store)
    assert of_store.meta["provenance"]["settings"]["beside"] == ["gain"]
    # as with the gain given, and not as without any
    for row, gain in enumerate(store.catalog["gain"]):
        given = measured(store.select([row]), settings=PLAIN.model_copy(update={"gain": float(gain)}))
        assert given["sn_per_pixel"][0] == of_store["sn_per_pixel"][row]
    ignored = [
        measured(one, settings=PLAIN.model_copy(update={"ignore": ("gain",)})) for one in (files, store)
    ]
    assert_same(*ignored)
    assert (np.asarray(ignored[0]["sn_per_pixel"]) > np.asarray(of_store["sn_per_pixel"])).all()
    again = ingest.store(tmp_path / "set", tmp_path / "again")
    assert_same(measured(again, settings=PLAIN), of_store)
    views = []
    view_of = figure_module.view_of
    monkeypatch.setattr(figure_module, "view_of", lambda *given: views.append(view_of(*given)) or views[-1])
    draw_galaxy(StoreGalaxies(store), tmp_path / "figure.png", settings=PLAIN, index=1)
    assert views[0].measured.values["sn_per_pixel"] == of_store["sn_per_pixel"][1]


@pytest.mark.parametrize("keywords", [{"BUNIT": "electron"}, {"BUNIT": "nJy", "GAIN": 2.0}, {"BUNIT": "adu"}])
def test_a_store_has_no_gain_where_the_unit_says_it_or_nothing_does(cubes, tmp_path, keywords):
    files, store = _counted(tmp_path, cubes, **keywords)
    assert "gain" not in store.catalog.colnames
    assert_same(*(measured(one, settings=PLAIN) for one in (files, store)))


def test_a_gain_of_one_set_alone_weighs_in_none_of_a_judgment(cubes, tmp_path, caplog):
    _, store = _counted(tmp_path, cubes, BUNIT="adu / s", GAIN=0.05)
    bare = image_set_from_arrays(list(store.stacked()), store.header)
    write_store(tmp_path / "bare", bare)
    places = {"reference": tmp_path / "set", "generated": tmp_path / "bare"}
    work = Workplace(tmp_path / "judged", PLAIN, 0, 1, None, overwrite=False, progress=ignore_progress)
    assert measured_alike(places, work).settings.ignore == ("gain",)
    assert "gain beside the images that other sets have not" in caplog.text
    assert measured_alike({**places, "generated": tmp_path / "set"}, work) is work
    # what is given in words weighs in place of what the images say
    given = replace(work, settings=PLAIN.model_copy(update={"gain": 2.0}))
    assert measured_alike(places, given) is given
    assert "beside" not in measured(store, settings=given.settings).meta["provenance"]["settings"]


def test_the_native_size_is_the_shorter_side_by_every_path(cubes, tmp_path):
    wide = cubes[0, 0, 8:56]
    (tmp_path / "cut").mkdir()
    fits.PrimaryHDU(wide).writeto(tmp_path / "cut" / "wide.fits")
    np.save(tmp_path / "wide.npy", wide[np.newaxis, np.newaxis])
    in_memory = image_set_from_arrays([wide[np.newaxis]], ImageHeader(("r",), "nJy"))
    found = [
        open_galaxies(FileRequest((str(tmp_path / "cut"),))).catalog,
        open_galaxies(FileRequest((str(tmp_path / "wide.npy"),))).catalog,
        in_memory.catalog,
        write_store(tmp_path / "written", in_memory).catalog,
        ingest.fits(tmp_path / "cut", tmp_path / "set").catalog,
    ]
    assert wide.shape == (48, 64)
    assert [catalog["native_size_pix"][0] for catalog in found] == [48] * 5
