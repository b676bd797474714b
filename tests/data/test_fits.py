"""The rules by which FITS files are understood: the same for cutouts, survey images and images measured where they lie."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galsmith import ingest
from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.data.readers.field.images import find_bands
from galsmith.data.readers.fits import FitsPlace, read_head, read_part
from galsmith.data.readers.registry import open_source

KEYWORDS = {"FILTER": "F200W", "BUNIT": "nJy", "PIXSCALE": 0.2, "MAGZERO": 28.1}


def write(path: Path, pixels, keywords=None, *, first=None) -> Path:
    """Write an image, or one behind a first HDU without pixels that has keywords."""
    image = (fits.PrimaryHDU if first is None else fits.ImageHDU)(pixels)
    image.header.update(keywords or {})
    units = [image] if first is None else [fits.PrimaryHDU(), image]
    if first is not None:
        units[0].header.update(first)
    path.parent.mkdir(exist_ok=True)
    fits.HDUList(units).writeto(path, overwrite=True)
    return path


def facts(header):
    """What three readers have to agree on."""
    return header.bands, header.flux_unit, header.pixel_scale_arcsec, dict(header.zero_points_mag)


def test_every_reader_understands_the_first_hdu(tmp_path, random_stamp):
    path = write(tmp_path / "in" / "a.fits", random_stamp(9, 9), first=KEYWORDS)
    wanted = (("F200W",), "nJy", 0.2, {"F200W": 28.1})
    assert facts(ingest.fits(path.parent, tmp_path / "store").header) == wanted
    assert facts(open_galaxies(FileRequest((str(path),))).header) == wanted
    image = find_bands([path], None, None)["F200W"]
    assert (image.head.flux_unit, image.head.pixel_scale_arcsec, image.zero_point_mag) == ("nJy", 0.2, 28.1)


def test_an_hdu_goes_before_the_first_one(tmp_path, random_stamp):
    coordinates = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": 1e-4, "CD2_2": 1e-4}
    own = {"FILTER": "r", "BUNIT": "mJy", "ZP": 22.0, "CDELT1": 2e-4, "CDELT2": 2e-4}
    path = write(tmp_path / "a.fits", random_stamp(9, 9), own, first={**KEYWORDS, **coordinates})
    head = read_head(FitsPlace(path))
    assert (head.bands, head.flux_unit, head.zero_points_mag) == (("r",), "mJy", (22.0,))
    assert head.pixel_scale_arcsec == pytest.approx(0.72)
    assert "CD1_1" not in head.keywords
    without = {"FILTER": "r", "PIXSCALE": 0.5}
    path = write(tmp_path / "b.fits", random_stamp(9, 9), without, first=coordinates)
    assert read_head(FitsPlace(path)).pixel_scale_arcsec == 0.5


def test_zero_points_are_of_each_plane_or_of_all(tmp_path, random_stamp):
    cube = random_stamp(2, 9, 9)
    for keywords, wanted in (
        ({"MAGZERO": 25.0}, (25.0, 25.0)),
        ({"MAGZERO1": 25.0, "MAGZERO2": 26.0, "MAGZP": 27.0}, (25.0, 26.0)),
        ({"MAGZP1": 25.0}, None),
        ({"MAGZP": "bright"}, None),
    ):
        assert read_head(FitsPlace(write(tmp_path / "a.fits", cube, keywords))).zero_points_mag == wanted


@pytest.mark.parametrize(("kind", "scaling"), [("i2", (0.5, 100.0)), ("u2", None), ("i4", (2.0, 0.0))])
def test_scaled_and_unsigned_integers_are_the_numbers_that_they_stand_for(tmp_path, kind, scaling):
    pixels = np.arange(64.0).reshape(8, 8) * 2
    image = fits.PrimaryHDU(pixels.astype(kind) if scaling is None else pixels.copy())
    if scaling is not None:
        image.scale(kind[0].replace("i", "int") + str(8 * int(kind[1])), bscale=scaling[0], bzero=scaling[1])
    (tmp_path / "in").mkdir()
    image.writeto(tmp_path / "in" / "a.fits")
    np.testing.assert_array_equal(read_part(read_head(FitsPlace(tmp_path / "in" / "a.fits")))[0], pixels)
    np.testing.assert_array_equal(ingest.fits(tmp_path / "in", tmp_path / "store")[0][0], pixels)


@pytest.mark.parametrize("offset", [0, 32768])
@pytest.mark.parametrize("packed", [False, True])
def test_blank_pixels_are_undefined(tmp_path, offset, packed):
    image = fits.PrimaryHDU(np.arange(64, dtype=np.int16).reshape(8, 8))
    image.header["BLANK"] = 7
    if offset:
        image.header["BZERO"] = offset
    image.writeto(tmp_path / "a.fits")
    if packed:
        (tmp_path / "a.fits").write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    values = read_part(read_head(FitsPlace(tmp_path / "a.fits")))[0]
    assert np.argwhere(np.isnan(values)).tolist() == [[0, 7]]
    assert values[1, 0] == 8 + offset


def test_compression_is_told_by_the_first_bytes(tmp_path, random_stamp):
    path = write(tmp_path / "a.fits", random_stamp(9, 9))
    path.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(read_part(read_head(FitsPlace(path)))[0], random_stamp(9, 9))
    np.testing.assert_array_equal(
        read_part(read_head(FitsPlace(path)), rows=slice(2, 5))[0], random_stamp(9, 9)[2:5]
    )


def test_one_card_that_cannot_be_read_costs_nothing_else(tmp_path, random_stamp):
    path = write(tmp_path / "in" / "a.fits", random_stamp(9, 9), {**KEYWORDS, "SEEING": 1.25})
    content = path.read_bytes()
    card = content[content.index(b"SEEING") :][:80]
    path.write_bytes(content.replace(card, b"SEEING  =                  NaN".ljust(80)))
    assert facts(open_galaxies(FileRequest((str(path),))).header)[0] == ("F200W",)
    images = ingest.fits(path.parent, tmp_path / "store")
    assert images.header.pixel_scale_arcsec == 0.2
    assert "SEEING" not in images.catalog.colnames


def test_packed_files_and_files_of_several_images_make_the_same_set_as_plain_ones(tmp_path, random_stamp):
    cards = {"BUNIT": "nJy", "FILTER": "r", "PIXSCALE": 0.2}
    for name in "ab":
        pixels = random_stamp(32, 32, seed=ord(name))
        write(tmp_path / "plain" / f"{name}.fits", pixels, cards)
        science = fits.ImageHDU(pixels, name="SCI")
        packed = fits.CompImageHDU(pixels, compression_type="GZIP_2", quantize_level=0.0)
        others = [fits.ImageHDU(np.ones_like(pixels), name=kind) for kind in ("ERR", "DQ")]
        for folder, suffix, units in (
            ("several", ".fits", [science, *others]),
            ("packed", ".fits.fz", [packed]),
        ):
            units[0].header.update(cards)
            (tmp_path / folder).mkdir(exist_ok=True)
            fits.HDUList([fits.PrimaryHDU(), *units]).writeto(tmp_path / folder / f"{name}{suffix}")
    sources = [open_source(tmp_path / folder) for folder in ("plain", "several", "packed")]
    first, *others = [list(source.read(np.arange(2))) for source in sources]
    for source, images in zip(sources[1:], others, strict=True):
        np.testing.assert_array_equal(images, first)
        assert source.header == sources[0].header
        assert list(source.catalog["object_id"]) == ["a", "b"]
