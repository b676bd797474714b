"""Reading other people's files: what is found, what is cut out, and what is refused before a run."""

import gzip
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from PIL import Image

from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.data.readers.options import parse_hdu
from galsmith.errors import InputError, SettingsError
from galsmith.measure import MeasureSettings
from galsmith.measure.measure import method_for
from galsmith.seeds import random_stream


def write(path, *arrays, names=(), **cards):
    """Write arrays as the HDUs of a FITS file, with cards in each header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    units = [fits.PrimaryHDU(arrays[0]), *(fits.ImageHDU(array) for array in arrays[1:])]
    for number, unit in enumerate(units):
        unit.header.update(cards)
        if number < len(names):
            unit.name = names[number]
    fits.HDUList(units).writeto(path, overwrite=True)
    return path


def opened(*images, **options):
    return open_galaxies(FileRequest(tuple(str(image) for image in images), **options))


def ramp(height=40, width=50):
    """Every pixel different, float32."""
    return np.arange(height * width, dtype=np.float32).reshape(height, width)


@pytest.fixture
def field(tmp_path):
    """An image of 120 x 100 pixels with three labels, as image, map and mask in one file."""
    labels = np.zeros((100, 120), dtype=np.int32)
    labels[40:50, 60:72], labels[0:8, 0:8], labels[90:100, 110:120] = 7, 2, 9
    return write(tmp_path / "field.fits", ramp(100, 120), labels, (labels == 2).astype(np.int16))


def test_one_file_is_one_galaxy_in_double_precision(tmp_path):
    deep = ramp().astype(np.float64) + 1e-12
    galaxies = opened(write(tmp_path / "a.fits", deep, BUNIT="nJy", PIXSCALE=0.2, FILTER="i"))
    (galaxy,) = galaxies.read([0])
    assert (galaxies.header.bands, galaxies.header.flux_unit, galaxies.header.pixel_scale_arcsec) == (
        ("i",),
        "nJy",
        0.2,
    )
    assert list(galaxies.catalog["object_id"]) == ["a"]
    np.testing.assert_array_equal(galaxy.image, deep[np.newaxis])


def test_the_first_hdu_with_an_image_is_taken_and_another_by_number_or_name(tmp_path):
    path = write(tmp_path / "a.fits", None, ramp(), 2 * ramp(), names=("PRIMARY", "SCI", "ERR"))
    for hdu, factor in ((None, 1), (1, 1), ("SCI", 1), ("err", 2), (parse_hdu("2"), 2)):
        np.testing.assert_array_equal(opened(path, hdu=hdu).read([0])[0].image[0], factor * ramp())
    np.testing.assert_array_equal(opened(f"{path}[ERR]").read([0])[0].image[0], 2 * ramp())


@pytest.mark.parametrize("form", ["folder", "glob", "files"])
def test_folder_glob_and_list_find_the_same_files(tmp_path, form):
    paths = [write(tmp_path / "in" / f"{name}.fits", ramp()) for name in ("b", "a", "c")]
    (tmp_path / "in" / "notes.txt").write_text("not an image")
    given = {"folder": [tmp_path / "in"], "glob": [tmp_path / "in" / "*.fits"], "files": sorted(paths)}[form]
    assert list(opened(*given).catalog["object_id"]) == ["a", "b", "c"]


def test_zipped_and_tile_compressed_files_give_the_same_pixels(tmp_path):
    plain = write(tmp_path / "a.fits", ramp())
    (tmp_path / "b.fits.gz").write_bytes(gzip.compress(plain.read_bytes()))
    tiled = fits.CompImageHDU(ramp(), compression_type="GZIP_1", quantize_level=0)
    fits.HDUList([fits.PrimaryHDU(), tiled]).writeto(tmp_path / "c.fits.fz")
    for galaxy in opened(plain, tmp_path / "b.fits.gz", tmp_path / "c.fits.fz").read([0, 1, 2]):
        np.testing.assert_array_equal(galaxy.image[0], ramp())


def test_threads_may_read_one_compressed_image(tmp_path):
    noise = random_stream(4, "tests.threads").normal(size=(512, 512)).astype(np.float32)
    tiled = fits.CompImageHDU(noise, compression_type="HCOMPRESS_1", tile_shape=(64, 64))
    fits.HDUList([fits.PrimaryHDU(), tiled]).writeto(tmp_path / "a.fits")
    table = Table({"x": np.linspace(40, 470, 40), "y": np.linspace(470, 40, 40)})
    table.write(tmp_path / "s.csv")
    galaxies = opened(tmp_path / "a.fits", catalog=tmp_path / "s.csv", cutout_pix=64)
    alone = [galaxies.read([row])[0].image for row in range(40)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda row: galaxies.read([row])[0], range(40)))
    for one, other in zip(alone, together, strict=True):
        assert other.reason == ""
        np.testing.assert_array_equal(one, other.image)


def test_pictures_come_as_ingest_reads_them(tmp_path):
    colors = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    Image.fromarray(colors).save(tmp_path / "a.png")
    galaxies = opened(tmp_path)
    assert (galaxies.header.bands, galaxies.header.flux_unit) == (("red", "green", "blue"), "display")
    assert method_for(galaxies, None).bands == ("green",)
    np.testing.assert_array_equal(galaxies.read([0])[0].image, colors[::-1].transpose(2, 0, 1))


def test_all_labels_of_one_image_are_galaxies(field):
    galaxies = opened(field, segmap="[1]", mask="[2]")
    assert list(galaxies.catalog["label"]) == [2, 7, 9]
    for row, label in enumerate((2, 7, 9)):
        galaxy = galaxies.read([row])[0]
        y, x = galaxy.y_offset_pix, galaxy.x_offset_pix
        height, width = galaxy.image.shape[1:]
        np.testing.assert_array_equal(galaxy.image[0], ramp(100, 120)[y : y + height, x : x + width])
        assert (galaxy.label, galaxy.reason) == (label, "")
        assert (galaxy.label_map == label).sum() == {2: 64, 7: 120, 9: 100}[label]
        assert galaxy.mask.any() == (label == 2)


def test_the_cutout_of_a_label_holds_the_stamp_of_statmorph(field):
    galaxy = opened(field, segmap="[1]", labels=(7,)).read([0])[0]
    # 12 x 10 pixels about (66, 45): int(1.25 * 12) = 15 is below the least reach of 24, and 2 pixels of margin
    assert (galaxy.x_offset_pix, galaxy.y_offset_pix, galaxy.image.shape) == (40, 19, (1, 52, 52))


def test_maps_are_paired_by_stem_by_star_and_by_hdu(tmp_path):
    labels = {name: np.full((40, 50), number, dtype=np.int16) for number, name in enumerate("ab", start=1)}
    for name, values in labels.items():
        write(tmp_path / "in" / f"{name}_sci.fits", ramp(), values)
        write(tmp_path / "in" / "other" / f"{name}_sci.fits", values)
        write(tmp_path / "maps" / f"{name}_seg.fits", values)
    images = tmp_path / "in" / "*_sci.fits"
    for segmap in (str(tmp_path / "in" / "other"), str(tmp_path / "maps" / "*_seg.fits"), "[1]"):
        assert [galaxy.label for galaxy in opened(images, segmap=segmap).read([0, 1])] == [1, 2]


def test_a_missing_map_is_not_replaced_by_that_of_a_similar_name(tmp_path):
    for name in ("a1", "a10"):
        write(tmp_path / "in" / f"{name}.fits", ramp())
    write(tmp_path / "maps" / "a1_seg.fits", np.ones((40, 50), dtype=np.int16))
    with pytest.raises(InputError, match=r"a10\.fits: has no file in `segmap=.* wanted one named as 'a10'"):
        opened(tmp_path / "in", segmap=str(tmp_path / "maps" / "*_seg.fits"))


def test_the_label_of_a_cutout_is_the_only_one_or_that_in_the_middle(tmp_path):
    only, several, beside = (np.zeros((40, 50), dtype=np.int16) for _ in range(3))
    only[2:5, 2:5] = 4
    several[15:25, 20:30], several[0:3, 0:3] = 5, 1
    beside[0:3, 0:3], beside[6:9, 6:9] = 1, 2
    paths = [
        write(tmp_path / f"{k}.fits", ramp(), values) for k, values in enumerate((only, several, beside))
    ]
    first, second, third = opened(*paths, segmap="[1]").read([0, 1, 2])
    assert (first.label, second.label) == (4, 5)
    assert (third.reason, third.image.size) == ("label_missing", 0)
    assert "choose of 1, 2 with `labels`" in third.message


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".fits", ".parquet"])
def test_positions_come_from_every_kind_of_catalog(tmp_path, field, suffix):
    table = Table({"id": [10, 20], "x": [60.4, 20.0], "y": [45.0, 30.6]})
    formats = {".csv": "ascii.csv", ".ecsv": "ascii.ecsv", ".fits": "fits", ".parquet": "parquet"}
    table.write(tmp_path / f"sources{suffix}", format=formats[suffix])
    galaxies = opened(field, catalog=tmp_path / f"sources{suffix}", cutout_pix=16)
    assert list(galaxies.catalog["object_id"]) == ["10", "20"]
    galaxy = galaxies.read([1])[0]
    assert (galaxy.x_offset_pix, galaxy.y_offset_pix) == (20 - 8, 31 - 8)
    np.testing.assert_array_equal(galaxy.image[0], ramp(100, 120)[23:39, 12:28])


def test_sky_positions_find_their_pixels(tmp_path):
    coordinates = WCS(naxis=2)
    coordinates.wcs.ctype, coordinates.wcs.crval = ("RA---TAN", "DEC--TAN"), (150.0, 2.0)
    coordinates.wcs.crpix, coordinates.wcs.cdelt = (61.0, 51.0), (-1e-4, 1e-4)
    image = write(tmp_path / "a.fits", ramp(100, 120), **coordinates.to_header())
    Table({"RA": [150.0], "DEC": [2.0 + 3e-4]}).write(tmp_path / "sky.csv")
    galaxies = opened(image, catalog=tmp_path / "sky.csv", cutout_pix=10)
    assert galaxies.catalog["position_x_pix"][0] == pytest.approx(60.0, abs=1e-6)
    assert galaxies.catalog["position_y_pix"][0] == pytest.approx(53.0, abs=1e-6)


def test_columns_of_sextractor_count_from_one_and_named_columns_go_first(tmp_path, field):
    Table({"NUMBER": [3], "X_IMAGE": [61.0], "Y_IMAGE": [46.0], "XP": [5.0]}).write(tmp_path / "s.csv")
    plain = opened(field, catalog=tmp_path / "s.csv")
    assert (plain.catalog["object_id"][0], plain.catalog["position_x_pix"][0]) == ("3", 60.0)
    named = opened(field, catalog=tmp_path / "s.csv", columns="x=XP,y=Y_IMAGE")
    assert named.catalog["position_x_pix"][0] == 5.0


def test_positions_off_the_image_are_rows_that_say_so(tmp_path, field):
    table = Table({"x": [60.0, -30.0, np.nan, 2.0], "y": [45.0, 5.0, 5.0, 99.4]})
    table.write(tmp_path / "s.csv")
    galaxies = opened(field, catalog=tmp_path / "s.csv", cutout_pix=20)
    inside, off, nowhere, at_edge = galaxies.read([0, 1, 2, 3])
    assert (inside.reason, off.reason, nowhere.reason) == ("", "position_off_image", "position_not_finite")
    assert "x -30.0, y 5.0 is off the image of 120 x 100 pixels" in off.message
    assert (at_edge.reason, at_edge.noticed) == ("", ("cutout_beyond_image",))
    assert at_edge.image.shape == (1, 20, 20)
    np.testing.assert_array_equal(np.isnan(at_edge.image[0]).sum(), 400 - 12 * 11)
    assert at_edge.image[0, 10, 10] == ramp(100, 120)[99, 2]


def test_a_segmentation_map_gives_the_label_under_each_position(tmp_path, field):
    Table({"x": [66.0, 30.0], "y": [45.0, 30.0]}).write(tmp_path / "s.csv")
    with_label, without = opened(field, segmap="[1]", catalog=tmp_path / "s.csv").read([0, 1])
    assert (with_label.label, without.reason) == (7, "label_missing")


def test_a_cube_needs_a_band_and_gives_it(tmp_path):
    cube = np.stack([ramp(), 2 * ramp(), 3 * ramp()])
    path = write(tmp_path / "cube.fits", cube)
    unnamed = opened(path)
    with pytest.raises(
        InputError, match=r"a cube of 3 planes \(band0, band1, band2\); choose one with `band="
    ):
        method_for(unnamed, None)
    named = opened(path, bands=("g", "r", "i"))
    assert named.header.bands == ("g", "r", "i")
    assert method_for(named, None).bands == ("r",)  # the middle one, as for stores
    np.testing.assert_array_equal(named.read([0])[0].image, cube)
    assert method_for(unnamed, MeasureSettings(band="band1")).bands == ("band1",)
    assert method_for(unnamed, MeasureSettings(band="all")).bands == ("band0", "band1", "band2")
    with pytest.raises(SettingsError, match=r"`band=rr`: .*did you mean 'r'"):
        method_for(named, MeasureSettings(band="rr"))
    with pytest.raises(SettingsError, match="names 2 bands"):
        opened(path, bands=("g", "r"))


def test_a_file_that_is_damaged_while_others_are_measured_is_a_row_that_says_so(tmp_path):
    for name in "ab":
        write(tmp_path / f"{name}.fits", ramp())
    galaxies = opened(tmp_path)
    (tmp_path / "b.fits").write_bytes((tmp_path / "b.fits").read_bytes()[:4000])
    good, damaged = galaxies.read([0, 1])
    assert good.reason == ""
    assert (damaged.reason, damaged.image.size) == ("unreadable_file", 0)
    assert "b.fits: the FITS file is truncated or damaged" in damaged.message


def test_a_truncated_zipped_file_is_refused_before_the_run(tmp_path):
    noise = random_stream(3, "tests.damaged_file").normal(size=(200, 200))
    whole = gzip.compress(write(tmp_path / "a.fits", noise).read_bytes())
    (tmp_path / "b.fits.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"b\.fits\.gz: not a FITS file that can be read"):
        opened(tmp_path)


def bad_map(path, dtype=np.int32, value=1, shape=(40, 50)):
    return write(path, np.full(shape, value, dtype=dtype))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"segmap": "small.fits"},
            r"`segmap=.*small.fits`: has 30 x 20 pixels, its image a.fits has 50 x 40",
        ),
        ({"mask": "small.fits"}, r"`mask=.*small.fits`: has 30 x 20 pixels"),
        ({"sigma": "small.fits"}, r"`sigma=.*small.fits`: has 30 x 20 pixels"),
        ({"segmap": "negative.fits"}, r"negative.fits\[0\]`: holds the label -1, wanted 0 for sky"),
        ({"segmap": "broken.fits"}, r"broken.fits\[0\]`: holds 0.5, wanted whole numbers"),
        ({"segmap": "empty.fits"}, r"empty.fits\[0\]`: has no label, every pixel is 0"),
        ({"segmap": "ones.fits", "labels": (5,)}, r"ones.fits\[0\]`: has no label 5; it has 1"),
        (
            {"psf": "large.fits"},
            r"`psf=.*large.fits`: 90 x 80 pixels are more than the image a.fits has \(50 x 40",
        ),
        ({"psf": "nothing.fits"}, r"nothing.fits: there is no such file"),
        ({"hdu": 3}, r"a.fits: has no HDU 3; images are in 0 \(PRIMARY\): choose with `hdu`"),
        ({"hdu": "SCI"}, r"a.fits: has no HDU SCI; images are in"),
        ({"segmap": "gone/*_seg.fits"}, "matches no file"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_measured(tmp_path, options, said):
    image = write(tmp_path / "a.fits", ramp())
    bad_map(tmp_path / "small.fits", shape=(20, 30))
    bad_map(tmp_path / "negative.fits", value=-1)
    bad_map(tmp_path / "broken.fits", dtype=np.float32, value=0.5)
    bad_map(tmp_path / "empty.fits", value=0)
    bad_map(tmp_path / "ones.fits")
    bad_map(tmp_path / "large.fits", dtype=np.float32, shape=(80, 90))
    placed = {
        name: str(tmp_path / value) if name in ("segmap", "mask", "sigma", "psf") else value
        for name, value in options.items()
    }
    with pytest.raises(InputError, match=said):
        opened(image, **placed)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "xx,y,flux\n1,2,3\n",
            "has no columns of positions .*did you mean 'xx'.* wanted x and y in pixels or ra and dec",
        ),
        ("x,y\n", "holds no rows"),
        ("x,y\na,2\n", "column 'x' holds str.*, wanted numbers"),
        ("id,x,y\n1,2,3\n1,4,5\n", "2 rows are named '1' in column 'id'"),
        ("ra,dec\n1,2\n", r"a.fits\[0\]: has no world coordinates"),
        ("x,y\n-5,2\n", "none of its 1 positions can be measured on .*off the image of 50 x 40 pixels"),
    ],
)
def test_a_catalog_that_cannot_be_used_is_refused(tmp_path, content, said):
    image = write(tmp_path / "a.fits", ramp())
    (tmp_path / "sources.csv").write_text(content)
    with pytest.raises(InputError, match=said):
        opened(image, catalog=tmp_path / "sources.csv")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"cutout_pix": 64}, "`cutout_pix=64`: means something only with `catalog`"),
        ({"columns": "x=X"}, "`columns=x=X`: means something only with `catalog`"),
        ({"labels": (3,)}, "`labels=3`: means something only with `segmap`"),
    ],
)
def test_options_without_what_they_belong_to_are_refused(options, said):
    with pytest.raises(SettingsError, match=said):
        FileRequest(("a.fits",), **options)


def test_unreadable_images_are_refused_with_their_name(tmp_path):
    write(tmp_path / "in" / "a.fits", ramp())
    content = (tmp_path / "in" / "a.fits").read_bytes()
    (tmp_path / "short.fits").write_bytes(content[:4000])
    (tmp_path / "text.fits").write_text("not FITS")
    table = fits.BinTableHDU(Table({"x": [1.0]}), name="CAT")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "table.fits")
    Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).save(tmp_path / "p.png")
    for images, said in (
        (["short.fits"], "short.fits: the FITS file is truncated: it has 4,000 bytes"),
        (["text.fits"], "text.fits: not a FITS file that can be read"),
        (["table.fits"], r"table.fits: holds no image, only tables in HDU 1 \(CAT\)"),
        (["in/b.fits"], r"b.fits: there is no such file, folder or store \(did you mean 'a.fits'"),
        (["in/a.fits", "p.png"], r"p.png: one of the .jpeg .jpg .png files, a.fits is one of the .fits.gz"),
    ):
        with pytest.raises(InputError, match=said):
            opened(*(tmp_path / name for name in images))
