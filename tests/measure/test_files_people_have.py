"""Files as people have them, a kind a test: each measures as the same galaxy in a plain file does."""

import bz2
import gzip
import logging
import lzma

import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from galsmith import ingest
from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.data.options import SetOptions
from galsmith.data.readers.field.images import find_bands
from galsmith.errors import InputError, SettingsError
from galsmith.measure import MeasureSettings, measure, measured, morphology
from galsmith.seeds import random_stream

QUICK = MeasureSettings(quantities=("morphology",), sersic="none")
COORDINATES = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0}
COORDINATES |= {"CRPIX1": 48.5, "CRPIX2": 48.5}
STEP = 0.2 / 3600
COMPARED = ("flux", "r_half_pix", "asymmetry", "gini", "sky_sigma", "concentration")


@pytest.fixture(scope="module")
def galaxy(sersic):
    """One galaxy of 96 px with noise of 0.05, and the labels of its pixels."""
    image = sersic(96, r_eff=6.0, n=1.5, q=0.7, angle=0.5, flux=5000.0)
    image += random_stream(3, "tests.files_people_have").normal(0, 0.05, image.shape)
    y, x = np.mgrid[:96, :96]
    return image, (np.hypot(x - 47.5, y - 47.5) < 30).astype(np.int16)


def write(path, *units):
    """Write HDUs, or one of an array."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = [fits.PrimaryHDU(unit) if isinstance(unit, np.ndarray) else unit for unit in units]
    fits.HDUList(made).writeto(path, overwrite=True)
    return path


def image_of(pixels, cards=None, *, kind=fits.PrimaryHDU, name=None):
    unit = kind(pixels)
    unit.header.update(cards or {})
    if name:
        unit.name = name
    return unit


def rows(*images, **options):
    return measured(open_galaxies(FileRequest(tuple(map(str, images)), **options)), settings=QUICK)


def number(row, name):
    return float(getattr(row[name], "value", row[name]))


def same(row, other, *, tolerance=1e-9):
    for name in COMPARED:
        assert number(row, name) == pytest.approx(number(other, name), rel=tolerance, abs=tolerance), name


def scaled(values, kind, name=None):
    """Store values as integers with a scale, or as the unsigned convention has them."""
    if kind == "u2":
        return fits.PrimaryHDU(values.astype(np.uint16))
    unit = fits.PrimaryHDU(values.astype(np.float64))
    step = 2.0 ** (-8 if kind == "int16" else -20)
    unit.scale(kind, bscale=step, bzero=0.0)
    return unit


@pytest.mark.parametrize("kind", ["int16", "int32"])
def test_scaled_integers_measure_as_floats_do_with_maps_of_all_kinds(tmp_path, galaxy, kind):
    image, labels = galaxy
    plain = morphology(
        image, labels=labels, masks=labels < 0, sigma_maps=np.full_like(image, 0.5), sersic="none"
    )
    places = {
        "segmap": write(tmp_path / "seg.fits", scaled(labels, "u2")),
        "mask": write(tmp_path / "mask.fits", scaled(labels * 0, "u2")),
        "sigma": write(tmp_path / "rms.fits", scaled(np.full_like(image, 0.5), kind)),
    }
    (row,) = rows(
        write(tmp_path / "g.fits", scaled(image, kind)), **{name: str(path) for name, path in places.items()}
    )
    same(row, plain[0], tolerance=1e-2)


def test_an_odd_card_is_left_out_with_one_note_in_every_reader(tmp_path, galaxy, caplog):
    image, _ = galaxy
    cards = {"FILTER": "r", "BUNIT": "nJy", "PIXSCALE": 0.2, "SEEING": 1.25}
    for name in "ab":
        path = write(tmp_path / "in" / f"{name}.fits", image_of(image, cards))
        content = path.read_bytes()
        card = content[content.index(b"SEEING") :][:80]
        path.write_bytes(content.replace(card, b"SEEING  =                  NaN".ljust(80)))
    caplog.set_level(logging.WARNING, logger="galsmith")
    for row in rows(tmp_path / "in"):
        same(row, morphology(image, sersic="none")[0])
    images = ingest.fits(tmp_path / "in", tmp_path / "store", options=SetOptions(on_bad="error"))
    assert (images.header.bands, images.header.pixel_scale_arcsec) == (("r",), 0.2)
    assert find_bands([path], None, None)["r"].head.flux_unit == "nJy"
    notes = [record.getMessage() for record in caplog.records if "SEEING" in record.getMessage()]
    assert len(notes) == 1


def test_gzipped_files_of_plain_names_are_read_whatever_they_hold(tmp_path, galaxy):
    image, labels = galaxy
    places = [write(tmp_path / f"{name}.fits", array) for name, array in zip("gs", galaxy, strict=True)]
    for path in places:
        path.write_bytes(gzip.compress(path.read_bytes()))
    (row,) = rows(places[0], segmap=str(places[1]))
    same(row, morphology(image, labels=labels, sersic="none")[0])


@pytest.mark.parametrize("undefined", ["frame", "third", "row", "sigma"])
def test_undefined_pixels_are_as_those_that_the_caller_masks(tmp_path, galaxy, undefined):
    image = galaxy[0].copy()
    where = np.zeros(image.shape, dtype=bool)
    if undefined in ("frame", "sigma"):
        where[:6], where[-6:], where[:, :6], where[:, -6:] = True, True, True, True
    elif undefined == "third":
        where[:, :32] = True
    else:
        where[0] = True
    sigma = np.full_like(image, 0.05)
    wanted = morphology(image, masks=where, sigma_maps=sigma, sersic="none")[0]
    if undefined == "sigma":
        sigma[where] = np.inf
    else:
        image[where] = np.nan
    path = write(tmp_path / "g.fits", image)
    (row,) = rows(path, sigma=str(write(tmp_path / "rms.fits", sigma)))
    same(row, wanted)
    assert 0.03 < number(row, "sky_sigma") < 0.07
    assert "not_finite_pixels" in row["flags"]
    assert "not_finite_pixels" not in wanted["flags"]
    same(morphology(image, sigma_maps=sigma, sersic="none")[0], wanted)


@pytest.mark.parametrize(
    ("unit", "factor"), [("MJy/sr", 1), ("Jy/beam", 1), ("MJY/SR", 1), ("K", 1), ("nJy", 4), ("e-/s", 4)]
)
def test_resizing_keeps_the_level_of_surface_brightness_and_the_sum_of_fluxes(tmp_path, unit, factor):
    level = 2.05 + random_stream(1, "tests.level").normal(0, 0.05, (96, 96))
    path = write(tmp_path / "in" / "g.fits", image_of(level, {"BUNIT": unit, "PIXSCALE": 0.2}))
    images = ingest.fits(path.parent, tmp_path / "store", options=SetOptions(resize_pix=48))
    assert images[0].mean() == pytest.approx(2.05 * factor, rel=1e-3)
    assert images.header.pixel_scale_arcsec == pytest.approx(0.4)
    before = open_galaxies(FileRequest((str(path),))).header.zero_points_mag
    after = images.header.zero_points_mag
    for band, zero_point in before.items():  # the magnitude of the whole image stays
        sums = [-2.5 * np.log10(pixels.sum()) for pixels in (level, images[0])]
        assert after[band] + sums[1] == pytest.approx(zero_point + sums[0], abs=1e-4)


@pytest.mark.parametrize("unit", ["mag", "mag/arcsec2", "MAG / ARCSEC^2", "mag(AB)"])
def test_magnitudes_are_not_resized(tmp_path, galaxy, unit):
    path = write(tmp_path / "in" / "g.fits", image_of(galaxy[0], {"BUNIT": unit}))
    with pytest.raises(SettingsError, match="cannot be resampled, as magnitudes do not add up"):
        ingest.fits(path.parent, tmp_path / "store", options=SetOptions(resize_pix=48))


@pytest.mark.parametrize("fill", [None, "_FillValue", "missing_value"])
def test_attributes_that_scale_an_array_are_applied(tmp_path, galaxy, fill):
    image = np.round(galaxy[0] * 1000) / 1000
    where = np.zeros(image.shape, dtype=bool)
    where[:4] = fill is not None
    with h5py.File(tmp_path / "set.h5", "w") as file:
        stored = np.where(where, -32768, np.round((image - 5) / 0.001)).astype(np.int32)
        images = file.create_dataset("images", data=stored[np.newaxis])
        images.attrs.update({"scale_factor": 0.001, "add_offset": np.array([5.0])})
        if fill:
            images.attrs[fill] = np.int32(-32768)
    (row,) = rows(f"{tmp_path / 'set.h5'}:/images")
    same(row, morphology(image, masks=where, sersic="none")[0], tolerance=1e-5)


@pytest.mark.parametrize(
    "cards",
    [
        {"CD1_2": STEP, "CD2_1": STEP},
        {"PC1_1": -STEP, "PC2_2": STEP},
        {"CDELT1": -STEP, "CDELT2": STEP, "CUNIT1": "degrees", "CUNIT2": "degrees"},
        {"CDELT1": -STEP, "CDELT2": STEP, "CUNIT1": "DEG", "CUNIT2": "DEG"},
        {"CDELT1": -STEP, "CDELT2": STEP, "CROTA2": 30.0},
        {"PC001001": -STEP, "PC002002": STEP},
        {"CDELT1": -0.2, "CDELT2": 0.2, "CUNIT1": "arcsec", "CUNIT2": "arcsec"},
    ],
)
def test_all_ways_to_write_world_coordinates_give_the_scale(tmp_path, galaxy, cards):
    path = write(tmp_path / "in" / "g.fits", image_of(galaxy[0], {**COORDINATES, **cards}))
    assert open_galaxies(FileRequest((str(path),))).header.pixel_scale_arcsec == pytest.approx(0.2)
    assert ingest.fits(path.parent, tmp_path / "s").header.pixel_scale_arcsec == pytest.approx(0.2)


def _ldac(path):
    header = fits.Column("Field Header Card", "160A", array=["SIMPLE"])
    columns = [
        fits.Column(name, "D", array=values)
        for name, values in (("X_IMAGE", [41.0, 147]), ("Y_IMAGE", [51.0, 142]))
    ]
    columns.append(fits.Column("VIGNET", "25E", dim="(5,5)", array=np.zeros((2, 5, 5))))
    numbers = fits.Column("NUMBER", "J", array=[1, 2])
    units = [fits.PrimaryHDU(), fits.BinTableHDU.from_columns([header], name="LDAC_IMHEAD")]
    units.append(fits.BinTableHDU.from_columns([numbers, *columns], name="LDAC_OBJECTS"))
    fits.HDUList(units).writeto(path)


CATALOGS = {
    "bom.csv": ("\ufeffx,y,id\n40,50,a\n146,141,b\n".encode(), ["a", "b"]),
    "utf16.csv": ("x,y,id\n40,50,a\n146,141,b\n".encode("utf-16"), ["a", "b"]),
    "latin.csv": ("x,y,id,\xb5\n40,50,a,1\n146,141,b,2\n".encode("latin-1"), ["a", "b"]),
    "semicolon.csv": (b"id;x;y\na;40;50\nb;146;141\n", ["a", "b"]),
    "tabs.csv": (b"id\tx\ty\na\t40\t50\nb\t146\t141\n", ["a", "b"]),
    "bom.ecsv": (None, ["a", "b"]),
    "missing_id.csv": (b"ID,X,Y\n7,40,50\n,146,141\n", ["7", "00000001"]),
    "missing_name.csv": (b"ID,X,Y\na,40,50\n,146,141\n", ["a", "00000001"]),
    "hms.csv": (b"id,ra,dec\na,10:00:00.7404,+1:59:50.900\nb,9:59:59.3263,+2:00:09.100\n", ["a", "b"]),
    "letters.csv": (b"id,ra,dec\na,10h00m00.7404s,+1d59m50.9s\nb,9h59m59.3263s,+2d00m09.1s\n", ["a", "b"]),
    "ldac.fits": (None, ["1", "2"]),
}


@pytest.mark.parametrize("name", CATALOGS)
def test_catalogs_of_other_programs_are_read(tmp_path, name):
    cards = {**COORDINATES, "CRPIX1": 96.5, "CRPIX2": 96.5, "CD1_1": -STEP, "CD2_2": STEP}
    field = write(tmp_path / "field.fits", image_of(np.zeros((192, 192)), cards))
    content, wanted = CATALOGS[name]
    path = tmp_path / name
    if name == "ldac.fits":
        _ldac(path)
    elif content is None:
        Table({"x": [40.0, 146], "y": [50.0, 141], "id": ["a", "b"]}).write(path, format="ascii.ecsv")
        path.write_bytes("\ufeff".encode() + path.read_bytes())
    else:
        path.write_bytes(content)
    catalog = open_galaxies(FileRequest((str(field),), catalog=path)).catalog
    assert list(catalog["object_id"]) == wanted
    np.testing.assert_allclose(catalog["position_x_pix"], [40, 146], atol=0.02)
    np.testing.assert_allclose(catalog["position_y_pix"], [50, 141], atol=0.02)


def test_a_word_that_is_no_angle_is_named(tmp_path):
    cards = {**COORDINATES, "CD1_1": -STEP, "CD2_2": STEP}
    field = write(tmp_path / "field.fits", image_of(np.zeros((96, 96)), cards))
    (tmp_path / "c.csv").write_text("ra,dec\nnorth,2.0\n")
    request = FileRequest((str(field),), catalog=tmp_path / "c.csv")
    with pytest.raises(
        InputError, match=r"column 'ra' holds 'north', wanted degrees or an angle such as 10:00:00.7"
    ):
        open_galaxies(request)


def test_several_images_of_one_name_are_told_apart(tmp_path, galaxy, caplog):
    units = [fits.PrimaryHDU()]
    for version in (1, 2):
        for name in ("SCI", "ERR"):
            pixels = galaxy[0] * version if name == "SCI" else np.full_like(galaxy[0], 0.05)
            unit = image_of(pixels, kind=fits.ImageHDU, name=name)
            unit.ver = version
            units.append(unit)
    path = write(tmp_path / "in" / "m.fits", *units)
    caplog.set_level(logging.WARNING, logger="galsmith")
    once, twice = rows(path)[0], rows(f"{path}[SCI,2]")[0]
    assert number(twice, "flux") == pytest.approx(2 * number(once, "flux"), rel=1e-9)
    assert sum("2 images are named SCI; the first is taken" in text for text in caplog.messages) == 1
    np.testing.assert_array_equal(rows(path, hdu=("SCI", 2), sigma="[ERR,2]")["flux"], twice["flux"])
    images = ingest.fits(path.parent, tmp_path / "s", hdu=("SCI", 2))
    np.testing.assert_allclose(images[0][0], 2 * galaxy[0], rtol=1e-6)
    assert find_bands([path], ("r",), ("SCI", 2))["r"].head.place.hdu == 3
    with pytest.raises(
        InputError, match=r"has no HDU SCI,3; images are in 1 \(SCI,1\), 2 \(ERR,1\), 3 \(SCI,2\)"
    ):
        rows(f"{path}[SCI,3]")


@pytest.mark.parametrize("shape", [(1, 1, 96, 96), (1, 96, 96), (96, 96, 1), (1, 96, 1, 96)])
def test_axes_of_length_one_are_dropped(tmp_path, galaxy, shape):
    path = write(tmp_path / "in" / "g.fits", galaxy[0].reshape(shape))
    packed = write(tmp_path / "packed.fits", galaxy[0].reshape(shape))
    packed.write_bytes(gzip.compress(packed.read_bytes()))
    for place in (path, packed):
        same(rows(place)[0], morphology(galaxy[0], sersic="none")[0])
    assert ingest.fits(path.parent, tmp_path / "s")[0].shape == (1, 96, 96)
    np.testing.assert_array_equal(
        rows(path, segmap=str(write(tmp_path / "seg.fits", galaxy[1].reshape(shape))))["flux"],
        morphology(galaxy[0], labels=galaxy[1], sersic="none")["flux"],
    )


def test_a_plane_of_a_cube_can_be_chosen_and_many_unnamed_ones_are_asked_about(tmp_path, galaxy):
    cube = np.stack([galaxy[0] * (1 + plane) for plane in range(46)]).astype(np.float32)
    path = write(tmp_path / "in" / "cube.fits", cube)
    message = r"cube\.fits.*: a cube of 46 planes that its header does not name; .*`bands`.*`plane`.*`hdu`"
    with pytest.raises(InputError, match=message):
        ingest.fits(path.parent, tmp_path / "s")
    with pytest.raises(InputError, match=message):
        rows(path)
    with pytest.raises(InputError, match=message):
        find_bands([path], None, None)
    np.testing.assert_array_equal(ingest.fits(path.parent, tmp_path / "s", plane=3)[0][0], cube[3])
    assert number(rows(path, plane=3)[0], "flux") == pytest.approx(
        4 * number(rows(path, plane=0)[0], "flux"), rel=1e-5
    )
    assert find_bands([path], None, None, 3)["band0"].shape == (96, 96)
    assert (
        len(ingest.fits(path.parent, tmp_path / "t", bands=[f"b{k}" for k in range(46)]).header.bands) == 46
    )
    with pytest.raises(InputError, match=r"`plane=46`: .*has 46 planes, counted from 0"):
        rows(path, plane=46)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".h5"])
def test_maps_in_arrays_of_files_measure_as_those_in_fits_files(tmp_path, galaxy, suffix):
    image, labels = galaxy
    sigma, mask = np.full_like(image, 0.05), np.zeros(image.shape, dtype=bool)
    mask[40:43, 40:43] = True
    psf = np.exp(-0.5 * (np.hypot(*np.mgrid[-5:6, -5:6]) / 1.5) ** 2)
    maps = {"segmap": labels, "mask": mask, "sigma": sigma, "psf": psf}
    for name in "ab":
        write(tmp_path / "in" / f"{name}.fits", image)
    one = {name: str(_saved(tmp_path / f"one_{name}{suffix}", array)) for name, array in maps.items()}
    several = {name: np.stack([array, array]) for name, array in maps.items() if name != "psf"}
    several = {name: str(_saved(tmp_path / f"all_{name}{suffix}", array)) for name, array in several.items()}
    for name, array in maps.items():
        for stem in "ab":
            _saved(tmp_path / name / f"{stem}{suffix}", array)
    in_folders = {name: str(tmp_path / name) for name in maps}
    wanted = morphology(image, labels=labels, masks=mask, sigma_maps=sigma, psf=psf, sersic="none")[0]
    same(rows(tmp_path / "in" / "a.fits", **one)[0], wanted)
    for options in (several | {"psf": one["psf"]}, in_folders):
        for row in rows(tmp_path / "in", **options):
            same(row, wanted)
    images = _saved(tmp_path / f"images{suffix}", np.stack([image, image]))
    for row in rows(images, **several, psf=one["psf"]):
        same(row, wanted, tolerance=1e-6)  # arrays are read as float32
    with pytest.raises(
        InputError, match=r"`mask=.*one_mask.*: 1 arrays could be meant of .*wanted one map an image"
    ):
        rows(images, mask=one["mask"])
    small = _saved(tmp_path / f"small{suffix}", mask[:50])
    with pytest.raises(
        InputError, match=r"`mask=.*small.*: has 96 x 50 pixels, its image a\.fits has 96 x 96"
    ):
        rows(tmp_path / "in" / "a.fits", mask=str(small))


def _saved(path, array):
    """Save an array by the name's ending."""
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, values=array)
    else:
        with h5py.File(path, "w") as file:
            file["values"] = array
    return path


def test_planes_of_fits_files_are_galaxies_one_file_a_band(tmp_path, galaxy):
    stacks = {
        band: np.stack([galaxy[0] * k for k in (1, 2, 3)]).astype(np.float32) * scale
        for band, scale in (("g", 1), ("r", 2))
    }
    cards = {"BUNIT": "nJy", "PIXSCALE": 0.2}
    paths = [
        write(tmp_path / f"{band}.fits", image_of(stack, {**cards, "FILTER": band.upper()}))
        for band, stack in stacks.items()
    ]
    images = ingest.arrays(paths, tmp_path / "store")
    assert (images.header.bands, images.header.flux_unit, images.header.pixel_scale_arcsec) == (
        ("G", "R"),
        "nJy",
        0.2,
    )
    assert dict(images.header.zero_points_mag) == {"G": pytest.approx(31.4), "R": pytest.approx(31.4)}
    for row, image in enumerate(images.pixels):
        np.testing.assert_array_equal(image, np.stack([stack[row] for stack in stacks.values()]))
    named = ingest.arrays(paths[0], tmp_path / "one", bands=("i",), zero_points_mag={"i": 25.0})
    assert (named.header.bands, dict(named.header.zero_points_mag)) == (("i",), {"i": 25.0})
    arrays = [_saved(tmp_path / f"{band}.npy", stack) for band, stack in stacks.items()]
    np.testing.assert_array_equal(ingest.arrays(arrays, tmp_path / "npy")[2], images[2])
    short = write(tmp_path / "short.fits", stacks["g"][:2])
    with pytest.raises(
        InputError, match=r"short\.fits: has \(2, 96, 96\), .*wanted one band a file, of the same galaxies"
    ):
        ingest.arrays([paths[0], short], tmp_path / "no")
    other = write(tmp_path / "other.fits", image_of(stacks["g"], {"BUNIT": "mJy"}))
    with pytest.raises(InputError, match=r"other\.fits: is in mJy, .*g\.fits in nJy"):
        ingest.arrays([paths[0], other], tmp_path / "no")


@pytest.mark.parametrize("name", ["M\u00fcller", "\u661f\u7cfb", "\u03c3"])
def test_a_name_that_a_format_cannot_hold_is_said_before_the_run(tmp_path, galaxy, name):
    write(tmp_path / "in" / f"{name}.fits", galaxy[0])
    galaxies = open_galaxies(FileRequest((str(tmp_path / "in"),)))
    with pytest.raises(
        SettingsError, match=f"FITS tables hold ASCII text alone, and object_id '{name}' is none; choose"
    ):
        measure(galaxies, tmp_path / "t.fits", settings=QUICK)
    assert not list(tmp_path.glob("t.fits*"))
    for suffix in (".parquet", ".ecsv"):
        assert list(measure(galaxies, tmp_path / f"t{suffix}", settings=QUICK)["object_id"]) == [name]


def test_units_are_compared_as_units_and_faults_are_told_all_at_once(tmp_path, galaxy, caplog):
    for stem, unit in zip("abcd", ("ELECTRONS/S", "electron / s", "e-/s", "electron s-1"), strict=True):
        cards = {"BUNIT": unit} | ({} if stem == "c" else {"FILTER": "F814W"})
        write(tmp_path / "in" / f"{stem}.fits", image_of(galaxy[0], cards))
    caplog.set_level(logging.WARNING, logger="galsmith")
    header = open_galaxies(FileRequest((str(tmp_path / "in"),))).header
    assert (header.bands, header.flux_unit) == (("F814W",), "ELECTRONS/S")
    assert any("c.fits: no FILTER is stated; taken as F814W" in text for text in caplog.messages)
    assert len(ingest.fits(tmp_path / "in", tmp_path / "store")) == 4
    write(tmp_path / "in" / "b.fits", image_of(galaxy[0], {"BUNIT": "nJy", "FILTER": "F814W"}))
    write(tmp_path / "in" / "d.fits", image_of(galaxy[0], {"BUNIT": "nJy", "FILTER": "F606W"}))
    message = (
        r"d\.fits: FILTER is F606W, in a\.fits it is F814W; .*b\.fits: BUNIT is nJy, d\.fits: BUNIT is nJy, "
        r"in a\.fits it is ELECTRONS/S; take such images apart, or give `bands`, or give `flux_unit`"
    )
    with pytest.raises(InputError, match=message):
        open_galaxies(FileRequest((str(tmp_path / "in"),)))
    given = open_galaxies(
        FileRequest((str(tmp_path / "in"),), bands=("i",), flux_unit="nJy", zero_points_mag=(31.4,))
    )
    assert dict(given.header.zero_points_mag) == {"i": 31.4}


def test_a_field_without_map_or_catalog_says_how_many_sources_it_has(tmp_path, galaxy, caplog):
    field = np.zeros((192, 192))
    field[:96, :96] += galaxy[0]
    field[96:, 96:] += galaxy[0]
    field += random_stream(5, "tests.field").normal(0, 0.05, field.shape)
    caplog.set_level(logging.WARNING, logger="galsmith")
    assert len(rows(write(tmp_path / "field.fits", field))) == 1
    assert "field.fits: 2 sources stand out of the sky, of which one is measured" in " ".join(caplog.messages)
    caplog.clear()
    rows(write(tmp_path / "one.fits", galaxy[0]))
    assert not caplog.messages


def test_zeros_that_stand_for_nothing_observed_are_flagged(galaxy):
    image = np.zeros((128, 128))
    image[:, 40:] = np.pad(galaxy[0], ((16, 16), (0, 0)), mode="reflect")[:, 8:]
    flagged, plain = morphology(image, sersic="none")[0], morphology(galaxy[0], sersic="none")[0]
    assert number(flagged, "sky_sigma") == 0
    assert {"sky_without_scatter", "zero_border"} <= set(flagged["flags"].split(","))
    assert flagged["flag"] >= 1
    assert not {"sky_without_scatter", "zero_border"} & set(plain["flags"].split(","))


def test_undefined_labels_are_masked(tmp_path, galaxy):
    image, labels = galaxy
    undefined = np.zeros(labels.shape, dtype=bool)
    undefined[:20, :20], undefined[60:64, 40:60] = True, True
    unit = fits.PrimaryHDU(np.where(undefined, -32768, labels).astype(np.int16))
    unit.header["BLANK"] = -32768
    path, seg = write(tmp_path / "g.fits", image), write(tmp_path / "seg.fits", unit)
    wanted = morphology(image, labels=np.where(undefined, 0, labels), masks=undefined, sersic="none")[0]
    same(rows(path, segmap=str(seg))[0], wanted)
    assert len(rows(path, segmap=str(seg), labels=(1,))) == 1


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, gzip.compress])
def test_all_compressions_are_told_by_the_first_bytes(tmp_path, galaxy, pack):
    path = write(tmp_path / "in" / "g.fits", galaxy[0])
    path.write_bytes(pack(path.read_bytes()))
    same(rows(path)[0], morphology(galaxy[0], sersic="none")[0])
    np.testing.assert_allclose(ingest.fits(path.parent, tmp_path / "s")[0][0], galaxy[0], rtol=1e-6)
    with find_bands([path], None, None)["band0"].opened() as section:
        np.testing.assert_array_equal(section(slice(3, 9), slice(4, 8)), galaxy[0][3:9, 4:8])


def test_a_store_can_be_given_zero_points(tmp_path, galaxy):
    path = write(tmp_path / "in" / "g.fits", image_of(galaxy[0], {"FILTER": "r", "BUNIT": "adu"}))
    store = ingest.fits(path.parent, tmp_path / "s", zero_points_mag=(25.0,))
    assert dict(store.header.zero_points_mag) == {"r": 25.0}
    assert dict(
        ingest.store(tmp_path / "s", tmp_path / "t", zero_points_mag={"r": 26.0}).header.zero_points_mag
    ) == {"r": 26.0}


@pytest.mark.parametrize("where", [np.s_[:20, :20], np.s_[60:64]])
def test_a_sigma_of_zero_stands_for_nothing_observed(tmp_path, galaxy, where):
    image, _ = galaxy
    sigma, mask = np.full_like(image, 0.05), np.zeros(image.shape, dtype=bool)
    mask[where], sigma[where] = True, 0
    damaged = np.where(mask, 1e4, image)
    wanted = morphology(damaged, masks=mask, sigma_maps=np.where(mask, 0.05, sigma), sersic="none")[0]
    path = write(tmp_path / "g.fits", damaged)
    (row,) = rows(path, sigma=str(write(tmp_path / "rms.fits", sigma)))
    for found in (row, morphology(damaged, sigma_maps=sigma, sersic="none")[0]):
        same(found, wanted)
        assert number(found, "sn_per_pixel") == pytest.approx(number(wanted, "sn_per_pixel"), rel=1e-9)
    with_it = morphology(damaged, sigma_maps=np.full_like(image, 0.05), sersic="none")[0]
    assert number(with_it, "m20") != pytest.approx(number(wanted, "m20"), rel=1e-3)


@pytest.mark.parametrize("first", ["MASK", "ERR", "WHT", "DQ"])
def test_an_image_goes_before_masks_and_noise_that_stand_before_it(tmp_path, galaxy, first, caplog):
    image, labels = galaxy
    units = [
        fits.PrimaryHDU(),
        image_of((labels + 1).astype(np.float32), kind=fits.ImageHDU, name=first),
        image_of(image, kind=fits.ImageHDU, name="SCI"),
    ]
    path = write(tmp_path / "in" / "g.fits", *units)
    same(rows(path, sigma="none", mask="none")[0], morphology(image, sersic="none")[0])
    np.testing.assert_allclose(ingest.fits(path.parent, tmp_path / "s")[0][0], image, rtol=1e-6)
    caplog.set_level(logging.WARNING, logger="galsmith")
    open_galaxies(FileRequest((str(path),), hdu=first))
    assert f"g.fits: {first} is measured as an image; by its name it is a mask or noise" in caplog.text
    lonely = write(tmp_path / "lonely.fits", *units[:2])
    assert open_galaxies(FileRequest((str(lonely),))).shapes.tolist() == [[96, 96]]


def test_pixels_that_do_not_fit_their_checksum_are_said(tmp_path, galaxy, caplog):
    unit = fits.PrimaryHDU(galaxy[0])
    unit.add_checksum()
    path = write(tmp_path / "g.fits", unit)
    caplog.set_level(logging.WARNING, logger="galsmith")
    rows(path)
    assert "DATASUM" not in caplog.text
    content = bytearray(path.read_bytes())
    content[2880 + 8 * 4000] ^= 0x40
    path.write_bytes(content)
    rows(path)
    assert "g.fits: DATASUM says that the pixels were damaged, or changed after it was written" in caplog.text


def test_asinh_of_the_flux_is_said(tmp_path, galaxy, caplog):
    caplog.set_level(logging.WARNING, logger="galsmith")
    rows(write(tmp_path / "a" / "g.fits", image_of(galaxy[0], {"BSOFTEN": 1.0})))
    assert "asinh" not in caplog.text
    rows(write(tmp_path / "b" / "g.fits", image_of(galaxy[0], {"BSOFTEN": 1.0, "BOFFSET": 0.0})))
    assert "BSOFTEN and BOFFSET say that pixels are asinh magnitudes" in caplog.text


@pytest.mark.parametrize(
    ("text", "zero_point"), [("30.0", 30.0), (" 2.5e1", 25.0), ("unknown", None), ("nan", None)]
)
def test_numbers_that_were_written_as_text_are_numbers(tmp_path, galaxy, text, zero_point):
    path = write(tmp_path / "g.fits", image_of(galaxy[0], {"MAGZERO": text, "FILTER": "r"}))
    found = dict(open_galaxies(FileRequest((str(path),))).header.zero_points_mag)
    assert found == ({} if zero_point is None else {"r": zero_point})
