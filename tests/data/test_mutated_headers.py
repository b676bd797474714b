"""Thousands of damaged headers: no reader of FITS raises anything but an error of galsmith, in words."""

import math
import warnings

import numpy as np
import pytest
from astropy.io import fits

from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.data.readers.field.images import find_bands, refuse_misaligned, zero_points_of_field
from galsmith.data.readers.field.sky import measure_sky
from galsmith.data.readers.fits_cutouts import FitsSource
from galsmith.data.readers.options import FieldOptions
from galsmith.data.readers.source import UnusableImage
from galsmith.errors import GalsmithError, InputError
from galsmith.seeds import random_stream

CARD = 80
BLOCK = 2880
CARDS = {
    "BUNIT": "nJy",
    "FILTER": "r",
    "MAGZP": 27.0,
    "EXPTIME": 90.0,
    "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN",
    "CRVAL1": 150.0,
    "CRVAL2": 2.0,
    "CRPIX1": 8.5,
    "CRPIX2": 8.5,
    "CD1_1": -5e-5,
    "CD1_2": 0.0,
    "CD2_1": 0.0,
    "CD2_2": 5e-5,
    "PHOTFLAM": 1e-19,
    "PHOTPLAM": 8000.0,
    "PIXAR_SR": 1e-13,
}
VALUES = (
    "NaN",
    "Infinity",
    "1e999",
    "-1",
    "0",
    "99999999999999999999",
    "'text'",
    "'",
    "''",
    "T",
    "(1.0, 2.0)",
    "",
    "1.5.5",
    "'\xe9\xfc'",
    "'MJy/sr'",
    "'1e-17 erg/s/cm^^2'",
    "'mag/'",
    "1E-400",
    "/ no value",
    "'CD'  'CD'",
    "2147483648",
    "3",
)
KEYWORDS = (
    *CARDS,
    *(
        "SIMPLE",
        "BITPIX",
        "NAXIS",
        "NAXIS1",
        "NAXIS2",
        "NAXIS3",
        "BSCALE",
        "BZERO",
        "BLANK",
        "EXTEND",
        "GROUPS",
    ),
    *(
        "XTENSION",
        "EXTNAME",
        "EXTVER",
        "PCOUNT",
        "GCOUNT",
        "ZIMAGE",
        "TFIELDS",
        "CUNIT1",
        "CROTA2",
        "PV2_1",
        "A_ORDER",
    ),
    *(
        "WCSAXES",
        "CDELT1",
        "PC1_1",
        "BANDS",
        "BAND1",
        "CONTINUE",
        "COMMENT",
        "END",
        "HIERARCH",
        "LONPOLE",
        "CPDIS1",
    ),
)


def originals():
    """Three files: a plain image, one behind an empty first HDU, scaled integers."""
    pixels = random_stream(1, "tests.mutated").normal(0, 1, (16, 16))
    header = fits.Header(list(CARDS.items()))
    integers = fits.PrimaryHDU((pixels * 100).astype(np.int16), header)
    integers.header["BLANK"] = -1
    extension = [fits.PrimaryHDU(header=header), fits.ImageHDU(pixels.astype(np.float32), name="SCI")]
    return [fits.HDUList(units) for units in ([fits.PrimaryHDU(pixels, header)], extension, [integers])]


def mutated(content, rng):
    """Change one to three cards or bytes of a header."""
    content = bytearray(content)
    n_cards = (len(content) - BLOCK) // CARD
    for _ in range(rng.integers(1, 4)):
        place = CARD * int(rng.integers(0, n_cards))
        kind = rng.integers(0, 6)
        if kind == 0:
            content[place + int(rng.integers(0, CARD))] = int(rng.integers(0, 256))
        elif kind == 1:
            content[place : place + CARD] = bytes(rng.integers(32, 127, CARD).astype(np.uint8))
        elif kind == 2:
            content[place : place + CARD] = b" " * CARD
        elif kind == 3:
            other = CARD * int(rng.integers(0, n_cards))
            content[place : place + CARD] = content[other : other + CARD]
        else:
            value = VALUES[rng.integers(0, len(VALUES))]
            card = f"{KEYWORDS[rng.integers(0, len(KEYWORDS))]:8}= {value}".ljust(CARD)[:CARD]
            same = content.find(card[:9].encode("latin-1"))
            place = same if kind == 4 and same >= 0 else place
            content[place : place + CARD] = card.encode("latin-1")
    return bytes(content[: int(rng.integers(BLOCK // 2, len(content)))] if rng.random() < 0.05 else content)


def read_as_cutouts(folder):
    source = FitsSource(folder)
    images = list(source.read(np.flatnonzero(source.listing.shapes.prod(axis=1) < 2**20)))
    for image in images:
        if isinstance(image, UnusableImage):
            raise InputError(image.message)


def read_as_field(folder):
    options = FieldOptions(flux_unit="adu")
    images = find_bands([folder / "g.fits"], None, None)
    refuse_misaligned(images, next(iter(images)))
    zero_points = zero_points_of_field(images, options)
    assert all(math.isfinite(value) for value in zero_points.values())
    for image in images.values():
        if math.prod(image.shape) < 2**20:
            with image.opened() as section:
                measure_sky(section, image.shape, box_pix=64, tell=lambda *_: None)


def read_to_measure(folder):
    galaxies = open_galaxies(FileRequest((str(folder / "g.fits"),)))
    scale = galaxies.header.pixel_scale_arcsec
    assert scale is None or (math.isfinite(scale) and scale > 0)
    galaxies.read([0])


@pytest.mark.parametrize("count", [150, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("read", [read_as_cutouts, read_as_field, read_to_measure])
def test_damaged_headers_are_told_of_in_words(tmp_path, read, count):
    contents = []
    for number, units in enumerate(originals()):
        units.writeto(tmp_path / f"{number}.fits")
        contents.append((tmp_path / f"{number}.fits").read_bytes())
    folder = tmp_path / "in"
    folder.mkdir()
    refused = []
    for number in range(count):
        rng = random_stream(7, "tests.mutated", number)
        (folder / "g.fits").write_bytes(mutated(contents[number % len(contents)], rng))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read(folder)
            except GalsmithError as error:
                refused.append(str(error))
            except Exception as error:
                raise AssertionError(f"header {number}: {type(error).__name__}: {error}") from error
    assert count // 20 < len(refused) < 3 * count // 4
    assert all("\n" not in words and ("in/g.fits" in words or "`" in words) for words in refused)
