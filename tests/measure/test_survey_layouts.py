"""Files in the layouts of surveys, through ingest and measure: pixels, unit, scale, band and zero point come out right."""

import numpy as np
import pytest
from astropy.io import fits

from galsmith import ingest
from galsmith.data.galaxies import FileRequest, open_galaxies
from galsmith.measure import MeasureSettings, measured, morphology
from galsmith.seeds import random_stream

QUICK = MeasureSettings(quantities=("morphology",), sersic="none")


def coordinates(scale_arcsec, *, matrix="CD"):
    step = scale_arcsec / 3600
    cards = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CRVAL1": 150.0,
        "CRVAL2": 2.0,
        "CRPIX1": 40.5,
        "CRPIX2": 40.5,
    }
    if matrix == "CD":
        return cards | {"CD1_1": -step, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": step}
    return cards | {
        "PC1_1": -1.0,
        "PC2_2": 1.0,
        "CDELT1": step,
        "CDELT2": step,
        "CUNIT1": "deg",
        "CUNIT2": "deg",
    }


def unit_of(pixels, cards=None, *, name="", kind=fits.ImageHDU):
    unit = kind(pixels)
    unit.header.update(cards or {})
    if name:
        unit.name = name
    return unit


def des(image, noise, mask):
    """A coadd of DES: packed, SCI, MSK and WGT; FILTER in words, MAGZERO 30."""
    cards = {
        **coordinates(0.263),
        "FILTER": "g DECam SDSS c0001 4720.0 1520.0",
        "BAND": "g",
        "MAGZERO": 30.0,
        "GAIN": 4.1,
    }
    made = {"compression_type": "GZIP_2", "quantize_level": 0.0}
    units = [fits.PrimaryHDU()]
    for pixels, name in (
        (image.astype(np.float32), "SCI"),
        (mask.astype(np.int32), "MSK"),
        (noise**-2, "WGT"),
    ):
        unit = fits.CompImageHDU(pixels, name=name, **made)
        unit.header.update(cards)
        units.append(unit)
    return "g.fits.fz", units


def hst(image, noise, mask):
    """A drizzled image of ACS: the first HDU has the filters, SCI, WHT and CTX; e- / s with PHOTFLAM and PHOTPLAM."""
    first = {
        "TELESCOP": "HST",
        "INSTRUME": "ACS",
        "FILTER1": "CLEAR1L",
        "FILTER2": "F814W",
        "EXPTIME": 2028.0,
    }
    science = {
        **coordinates(0.05),
        "BUNIT": "ELECTRONS/S",
        "PHOTFLAM": 7.0331e-20,
        "PHOTPLAM": 8045.0,
        "PHOTZPT": -21.1,
    }
    return "j_drz.fits", [
        unit_of(None, first, kind=fits.PrimaryHDU),
        unit_of(image.astype(np.float32), science, name="SCI"),
        unit_of(noise**-2, name="WHT"),
        unit_of(1 - mask.astype(np.int32), name="CTX"),
    ]


def hsc(image, noise, mask):
    """A cutout of HSC: IMAGE, MASK and VARIANCE; FLUXMAG0 of 27 mag in the first HDU."""
    first = {"FILTER": "HSC-I", "FLUXMAG0": 63095734448.0194}
    place = coordinates(0.168)
    return "cutout-HSC-I.fits", [
        unit_of(None, first, kind=fits.PrimaryHDU),
        unit_of(image.astype(np.float32), place, name="IMAGE"),
        unit_of((mask * 4).astype(np.int32), place, name="MASK"),
        unit_of((noise**2).astype(np.float32), place, name="VARIANCE"),
    ]


def jwst(image, noise, mask):
    """A mosaic of NIRCam: MJy / sr, PIXAR_SR, a filter in PUPIL behind a wider one, ERR, DQ and variances."""
    area = (0.03 / 206264.80624709636) ** 2
    first = {"TELESCOP": "JWST", "INSTRUME": "NIRCAM", "FILTER": "F150W2", "PUPIL": "F162M"}
    science = {**coordinates(0.03, matrix="PC"), "BUNIT": "MJy/sr", "PHOTMJSR": 1.9, "PIXAR_SR": area}
    squares = (noise**2).astype(np.float32)
    return "jw_i2d.fits", [
        unit_of(None, first, kind=fits.PrimaryHDU),
        unit_of(image.astype(np.float32), science, name="SCI"),
        unit_of(noise.astype(np.float32), {"BUNIT": "MJy/sr"}, name="ERR"),
        unit_of(mask.astype(np.uint32), name="DQ"),
        *(unit_of(squares / 3, name=f"VAR_{kind}") for kind in ("POISSON", "RNOISE", "FLAT")),
    ]


def legacy(image, noise, mask):
    """A cutout of the Legacy Surveys: a cube of g, r, z in nanomaggies, BANDS and BAND0 and so on."""
    cards = {
        **coordinates(0.262),
        "SURVEY": "DECaLS",
        "VERSION": "DR10",
        "BANDS": "grz",
        "BUNIT": "nanomaggy",
    }
    cards |= {"BAND0": "g", "BAND1": "r", "BAND2": "z"}
    cube = np.stack([image * factor for factor in (0.5, 1.0, 1.5)]).astype(np.float32)
    del noise, mask
    return "cutout.fits", [unit_of(cube, cards, kind=fits.PrimaryHDU)]


# What a header has to come out as, and where masks and sigmas lie.
HST_ZERO_POINT = -2.5 * np.log10(7.0331e-20) - 5 * np.log10(8045.0) - 2.408
JWST_ZERO_POINT = 8.9 - 2.5 * np.log10(1e6 * (0.03 / 206264.80624709636) ** 2)
LAYOUTS = {
    des: (("g",), "unknown", 0.263, 30.0, {"mask": "[MSK]"}),
    hst: (("F814W",), "ELECTRONS/S", 0.05, HST_ZERO_POINT, {}),
    hsc: (("HSC-I",), "unknown", 0.168, 27.0, {"mask": "[MASK]"}),
    jwst: (("F162M",), "MJy/sr", 0.03, JWST_ZERO_POINT, {"mask": "[DQ]", "sigma": "[ERR]"}),
    legacy: (("g", "r", "z"), "nanomaggy", 0.262, 22.5, {}),
}


@pytest.fixture(scope="module")
def parts(sersic):
    """An image of 80 px, its noise, and a mask of one corner."""
    image = sersic(80, r_eff=5.0, n=1.3, q=0.7, angle=0.6, flux=3000.0)
    image += random_stream(4, "tests.survey_layouts").normal(0, 0.05, image.shape)
    mask = np.zeros(image.shape, dtype=bool)
    mask[60:, 60:] = True
    return image.astype(np.float32).astype(np.float64), np.full(image.shape, 0.05), mask


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_a_survey_file_comes_out_right_through_both_doors(tmp_path, parts, layout):
    name, units = layout(*parts)
    bands, unit, scale, zero_point, maps = LAYOUTS[layout]
    (tmp_path / "in").mkdir()
    fits.HDUList(units).writeto(tmp_path / "in" / name)
    galaxies = open_galaxies(FileRequest((str(tmp_path / "in" / name),), **maps))
    images = ingest.fits(tmp_path / "in", tmp_path / "store")
    for header in (galaxies.header, images.header):
        assert (header.bands, header.flux_unit) == (bands, unit)
        assert header.pixel_scale_arcsec == pytest.approx(scale, rel=1e-6)
        assert dict(header.zero_points_mag) == {band: pytest.approx(zero_point, abs=1e-4) for band in bands}
    middle = len(bands) // 2
    np.testing.assert_array_equal(images[0][middle], parts[0].astype(np.float32))
    (row,) = measured(galaxies, settings=QUICK)
    mask = parts[2] if "mask" in maps else None
    sigma = parts[1].astype(np.float32).astype(np.float64) if "sigma" in maps else None
    oracle = morphology(parts[0], masks=mask, sigma_maps=sigma, sersic="none")[0]
    for column in ("r_half_pix", "asymmetry", "gini", "sky_sigma"):
        assert float(getattr(row[column], "value", row[column])) == pytest.approx(
            float(getattr(oracle[column], "value", oracle[column])), rel=1e-9
        )


def test_the_zero_point_of_hst_is_about_that_of_cosmos():
    # ACS/WFC F814W: 25.937 in COSMOS (Leauthaud et al. 2007); later calibrations differ by a hundredth
    assert pytest.approx(25.94, abs=0.02) == HST_ZERO_POINT
