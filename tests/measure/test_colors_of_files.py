"""Colors of other people's files: cubes, pictures and big images, by the library and from the command line."""

import numpy as np
import pytest
from astropy.io import fits

from galsmith.cli import main
from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.data.ingest import folder
from galsmith.errors import SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import MeasureSettings, measure, read_measurements

QUICK = MeasureSettings(quantities=("morphology",), sersic="none")
FACTORS = (0.5, 1.0, 2.0)
PIXELS = 72


@pytest.fixture(scope="module")
def cube(sersic):
    """One galaxy in g, r, i, each twice as bright as the one before."""
    image = sersic(PIXELS, r_eff=5, n=1.2, q=0.8, angle=0.5)
    return np.stack([factor * image for factor in FACTORS]).astype(np.float32)


@pytest.fixture(scope="module")
def cubes(cube, tmp_path_factory):
    """A folder of two such files, with names and zero points in the header."""
    place = tmp_path_factory.mktemp("cubes")
    for number in range(2):
        unit = fits.PrimaryHDU((number + 1) * cube)
        for plane, band in enumerate("gri", start=1):
            unit.header[f"BAND{plane}"], unit.header[f"MAGZP{plane}"] = band, 25.0 - plane
        unit.writeto(place / f"galaxy{number}.fits")
    return place


def table_of(images, output, *, settings=QUICK, **options):
    return measure(open_galaxies(FileRequest((str(images),), **options)), output, settings=settings)


def plain(table, name):
    return np.asarray(getattr(table[name], "value", table[name]))


def colors_in(table):
    return [name for name in table.colnames if name.startswith("color_")]


def test_a_cube_measures_as_a_store_does(cube, cubes, tmp_path):
    settings = QUICK.model_copy(update={"band": "r"})
    table = table_of(cubes, tmp_path / "files.parquet", settings=settings)
    images = image_set_from_arrays([cube, 2 * cube], ImageHeader(tuple("gri"), "unknown"))
    stored = measure(images, tmp_path / "store.parquet", settings=settings)
    assert len(table) == 2
    assert colors_in(table) == colors_in(stored) == ["color_gi_mag", "color_gr_mag", "color_ri_mag"]
    for name in ("flux_g", "flux_r", "flux_i", "gini", "r_petro_pix"):
        assert plain(table, name) == pytest.approx(plain(stored, name), rel=1e-12)
    # zero points of 24 in g and 22 in i
    assert plain(table, "color_gi_mag") == pytest.approx(2.5 * np.log10(4) + 2, abs=1e-9)
    assert plain(stored, "color_gi_mag") == pytest.approx(2.5 * np.log10(4), abs=1e-9)
    assert table.meta["colors"]["magnitudes"] == "AB"
    assert table.meta["band"] == "r"


def test_every_band_by_itself_has_no_colors(cubes, tmp_path):
    table = table_of(cubes, tmp_path / "all.parquet", settings=QUICK.model_copy(update={"band": "all"}))
    assert len(table) == 6
    assert colors_in(table) == []


def test_planes_without_names_are_numbered_and_have_the_colors_of_a_store(cube, tmp_path):
    fits.PrimaryHDU(cube).writeto(tmp_path / "plain.fits")
    settings = QUICK.model_copy(update={"band": "band1"})
    usual = ["color_band0_band2_mag", "color_band0_band1_mag", "color_band1_band2_mag"]
    assert colors_in(table_of(tmp_path / "plain.fits", tmp_path / "a.parquet", settings=settings)) == usual
    settings = settings.model_copy(update={"colors": ("band0-band2",)})
    table = table_of(tmp_path / "plain.fits", tmp_path / "b.parquet", settings=settings)
    assert colors_in(table) == ["color_band0_band2_mag"]
    assert plain(table, "color_band0_band2_mag")[0] == pytest.approx(2.5 * np.log10(4), abs=1e-9)
    assert table.meta["colors"]["magnitudes"] == "instrumental"


def test_a_neighbor_that_a_map_names_is_left_out_of_every_band(cube, tmp_path):
    image = np.zeros((3, 100, 140))
    image[:, 14:86, 10:82] += cube
    labels = np.zeros((100, 140), dtype=np.int16)
    y, x = np.mgrid[:100, :140]
    labels[np.hypot(x - 45.5, y - 49.5) < 16] = 1
    blue = np.hypot(x - 70, y - 50) < 5
    image[0, blue] += 50
    labels[blue] = 2
    fits.HDUList([fits.PrimaryHDU(image), fits.ImageHDU(labels, name="SEG")]).writeto(tmp_path / "field.fits")
    options = {"bands": ("g", "r", "i"), "segmap": "[SEG]", "labels": (1,)}
    settings = QUICK.model_copy(update={"band": "r"})
    table = table_of(tmp_path / "field.fits", tmp_path / "t.parquet", settings=settings, **options)
    assert plain(table, "color_gi_mag")[0] == pytest.approx(2.5 * np.log10(4), abs=1e-6)
    unmasked = table_of(
        tmp_path / "field.fits", tmp_path / "u.parquet", settings=settings, bands=("g", "r", "i")
    )
    assert plain(unmasked, "color_gi_mag")[0] < 1.4


def test_a_damaged_file_has_a_row_without_colors(cubes, cube, tmp_path):
    (tmp_path / "in").mkdir()
    for file in sorted(cubes.iterdir()):
        (tmp_path / "in" / file.name).write_bytes(file.read_bytes())
    galaxies = open_galaxies(FileRequest((str(tmp_path / "in"),)))
    damaged = tmp_path / "in" / "galaxy1.fits"
    damaged.write_bytes(damaged.read_bytes()[:4000])
    table = measure(galaxies, tmp_path / "t.parquet", settings=QUICK)
    assert list(np.isnan(plain(table, "color_gi_mag"))) == [False, True]
    assert table["flags"][1] == "unreadable_file"


def test_the_command_line_names_colors(cubes, tmp_path, capsys):
    words = ["measure", str(cubes), "--sersic", "none", "--band", "r", "-o"]
    assert main([*words, str(tmp_path / "a.parquet"), "--colors", "g-i, r-g"]) == 0
    table = read_measurements(tmp_path / "a.parquet")
    assert colors_in(table) == ["color_gi_mag", "color_rg_mag"]
    assert table.meta["provenance"]["settings"]["colors"] == ["g-i", "r-g"]
    assert main([*words, str(tmp_path / "b.parquet"), "--colors", "none"]) == 0
    assert colors_in(read_measurements(tmp_path / "b.parquet")) == []
    capsys.readouterr()
    for colors, message in (
        ("g-z", "colors 'g-z': the images have no band 'z'; they have g, r, i"),
        ("g-i,", "--colors g-i,: wanted pairs of bands, such as g-i,g-r, or none"),
    ):
        assert main([*words, str(tmp_path / "c.parquet"), "--colors", colors]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "c.parquet").exists()


def test_a_figure_of_a_cube_is_of_its_measured_band(cubes, tmp_path):
    figure = tmp_path / "galaxy.png"
    assert main(["measure", str(cubes), "--sersic", "none", "--band", "i", "--figure", str(figure)]) == 0
    assert figure.stat().st_size > 10_000


def test_an_unknown_color_of_a_single_image_is_refused(cube, tmp_path):
    fits.PrimaryHDU(cube[0]).writeto(tmp_path / "one.fits")
    with pytest.raises(SettingsError, match="colors 'g-i': the images have no band 'g'; they have band0"):
        table_of(
            tmp_path / "one.fits",
            tmp_path / "t.parquet",
            settings=QUICK.model_copy(update={"colors": ("g-i",)}),
        )


@pytest.mark.real_data
def test_late_types_of_efigi_are_bluer(shared_data, tmp_path):
    """In the stretch of the pictures, too: Baillard et al. (2011) list Hubble types T, below -3 early, above 6 late."""
    efigi = shared_data / "efigi_gri88"
    images = folder(efigi / "images", tmp_path / "efigi", labels=efigi / "EFIGI_attributes_shared_rows.txt")
    types = np.asarray(images.catalog["T"], dtype=float)
    medians = {}
    for name, wanted in (("early", types <= -3), ("late", types >= 6)):
        chosen = images.select(np.flatnonzero(wanted)[:24])
        table = measure(chosen, tmp_path / f"{name}.parquet", settings=QUICK)
        medians[name] = np.nanmedian(plain(table, "color_blue_red_mag"))
        assert table.meta["colors"]["magnitudes"] == "instrumental"
    assert medians["early"] - medians["late"] > 0.4
