"""Positions of a catalog on the sky come to the pixels where astropy, given the whole header, finds them."""

import logging

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS, DistortionLookupTable, Sip

from galsmith.data.galaxies import FileRequest, open_galaxies

SIDE, STEP = 128, 0.2 / 3600
PLACE = {"CRVAL1": 150.0, "CRVAL2": 32.0, "CRPIX1": 60.5, "CRPIX2": 70.5}
TAN = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", **PLACE}
STRAIGHT = {"CD1_1": -STEP, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": STEP}
TURNED = {
    "CD1_1": -STEP * np.cos(0.7),
    "CD1_2": STEP * np.sin(0.7),
    "CD2_1": STEP * np.sin(0.7),
    "CD2_2": STEP * np.cos(0.7),
}
SWAPPED = {
    "CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", "CRVAL1": 32.0, "CRVAL2": 150.0, "CRPIX1": 60.5, "CRPIX2": 70.5,
    "CD1_1": STEP, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": -STEP,
}  # fmt: skip
# terms of a few pixels at the border
TPV = {"CTYPE1": "RA---TPV", "CTYPE2": "DEC--TPV", **PLACE, **STRAIGHT}
TPV |= {"PV1_1": 1.0, "PV2_1": 1.0, "PV1_0": 2e-4, "PV2_0": -1e-4, "PV1_4": 3.0, "PV2_6": -2.0}


def parts(axis, text):
    """Cards of IRAF's words about an axis, 68 characters each."""
    return {f"WAT{axis}_{place // 68 + 1:03d}": text[place : place + 68] for place in range(0, len(text), 68)}


# IRAF's polynomials: type 3, up to squares, half of the cross terms, the range, and terms of pixels at the border
TERMS = '"3. 3. 3. 2. -0.0111000 0.0111000 -0.0111000 0.0111000 0.0001 0.0002 0.0003 0.0001 0.0002 0.00005 "'
TNX = {"CTYPE1": "RA---TNX", "CTYPE2": "DEC--TNX", **PLACE, **STRAIGHT, "WAT0_001": "system=image"}
TNX_WORDS = {1: f"wtype=tnx axtype=ra lngcor = {TERMS}", 2: f"wtype=tnx axtype=dec latcor = {TERMS}"}
TNX |= parts(1, TNX_WORDS[1]) | parts(2, TNX_WORDS[2])
GALACTIC = {
    "CTYPE1": "GLON-CAR",
    "CTYPE2": "GLAT-CAR",
    "CRVAL1": 195.0,
    "CRVAL2": 0.0,
    "CRPIX1": 60.5,
    "CRPIX2": 70.5,
}
HEADERS = {
    "turned": TAN | TURNED,
    "mirrored": TAN | TURNED | {"CD1_1": STEP * np.cos(0.7), "CD2_1": -STEP * np.sin(0.7)},
    "swapped": SWAPPED,
    "tpv": TPV,
    "tnx": TNX,
    "galactic": GALACTIC | {"CDELT1": -STEP, "CDELT2": STEP},
    "plate carree": TAN | STRAIGHT | {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "CRVAL2": 0.0},
    "zpn": TAN | STRAIGHT | {"CTYPE1": "RA---ZPN", "CTYPE2": "DEC--ZPN", "PV2_1": 1.0, "PV2_3": 42.0},
    "fk4": TAN | TURNED | {"RADESYS": "FK4", "EQUINOX": 1950.0},
    "fk5": TAN | TURNED | {"RADESYS": "FK5", "EQUINOX": 2000.0},
}


def field_of(folder, header):
    unit = fits.PrimaryHDU(np.zeros((SIDE, SIDE), dtype=np.float32))
    unit.header.update(header)
    unit.writeto(folder / "field.fits")
    return folder / "field.fits"


def distorted(folder, *, kind):
    """Write a field with tables of distortion or a polynomial, of up to 6 pixels; return its coordinates without."""
    coordinates = WCS(fits.Header(TAN | STRAIGHT))
    plain = coordinates.deepcopy()
    table = np.linspace(0, 6, SIDE**2, dtype=np.float32).reshape(SIDE, SIDE)
    if kind == "sip":
        terms = np.zeros((3, 3))
        terms[2, 0] = 24 / SIDE**2
        coordinates.sip = Sip(terms, terms.T.copy(), None, None, [60.5, 70.5])
        coordinates.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    elif kind == "cpdis":
        coordinates.cpdis1 = DistortionLookupTable(table, (1, 1), (1, 1), (1, 1))
        coordinates.cpdis2 = DistortionLookupTable(table[::-1].copy(), (1, 1), (1, 1), (1, 1))
    else:
        coordinates.det2im1 = DistortionLookupTable(table, (1, 1), (1, 1), (1, 1))
    units = coordinates.to_fits(relax=True)
    units[0].data = np.zeros((SIDE, SIDE), dtype=np.float32)
    units.writeto(folder / "field.fits")
    return plain


def positions(folder, coordinates):
    """Open a catalog of five positions on the sky; return pixels found and wanted."""
    wanted = np.array([[30.0, 40.0], [64.2, 64.7], [100.0, 20.5], [20.0, 110.0], [90.25, 90.75]])
    places = coordinates.pixel_to_world(*wanted.T).icrs
    Table({"ra": places.ra.deg, "dec": places.dec.deg}).write(folder / "c.csv")
    catalog = open_galaxies(FileRequest((str(folder / "field.fits"),), catalog=folder / "c.csv")).catalog
    return np.column_stack([catalog["position_x_pix"], catalog["position_y_pix"]]), wanted


@pytest.mark.parametrize("name", HEADERS)
def test_all_projections_are_astropys(tmp_path, name):
    path = field_of(tmp_path, HEADERS[name])
    found, wanted = positions(tmp_path, WCS(fits.getheader(path)))
    np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_polynomials_of_iraf_move_positions(tmp_path):
    """By hand, and where a card ends in a blank, which astropy does not read; without, positions are over a pixel off."""
    whole, plain = WCS(fits.Header(TNX)), WCS(fits.Header(TAN | STRAIGHT))
    wanted = np.array([[30.0, 40.0], [90.25, 90.75]])
    x, y = (wanted + 1 - [60.5, 70.5]).T * [[-STEP], [STEP]]
    terms = 1e-4 + 2e-4 * x + 3e-4 * x**2 + 1e-4 * y + 2e-4 * x * y + 5e-5 * y**2
    moved = plain.wcs_world2pix(whole.wcs_pix2world(wanted, 0), 0) - wanted
    np.testing.assert_allclose(moved, np.column_stack([-terms, terms]) / STEP, atol=1e-3)
    blanks = next(n for n in range(30) if TNX_WORDS[1].replace("lngcor", " " * n + "lngcor")[67] == " ")
    field_of(tmp_path, TNX | parts(1, TNX_WORDS[1].replace("lngcor", " " * blanks + "lngcor")))
    found, wanted = positions(tmp_path, whole)
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert np.abs(plain.all_world2pix(whole.all_pix2world(wanted, 0), 0) - wanted).min() > 1


@pytest.mark.parametrize("kind", ["cpdis", "d2im", "sip"])
def test_distortions_are_applied_to_positions(tmp_path, kind, caplog):
    plain = distorted(tmp_path, kind=kind)
    caplog.set_level(logging.WARNING, logger="galsmith")
    with fits.open(tmp_path / "field.fits") as units:
        whole = WCS(units[0].header, units)
        found, wanted = positions(tmp_path, whole)
        np.testing.assert_allclose(found, wanted, atol=1e-3)
        left_out = plain.all_world2pix(whole.all_pix2world(wanted, 0), 0)
    assert np.abs(left_out - wanted).max() > 1
    assert not [text for text in caplog.messages if "distortion" in text]


def test_tables_of_distortion_that_are_missing_are_said(tmp_path, caplog):
    distorted(tmp_path, kind="cpdis")
    with fits.open(tmp_path / "field.fits") as units:
        fits.HDUList([units[0]]).writeto(tmp_path / "cut.fits")
    Table({"ra": [150.0], "dec": [32.0]}).write(tmp_path / "c.csv")
    caplog.set_level(logging.WARNING, logger="galsmith")
    catalog = open_galaxies(FileRequest((str(tmp_path / "cut.fits"),), catalog=tmp_path / "c.csv")).catalog
    assert (
        "cut.fits[0]: the tables of distortion that its header names cannot be read; left out" in caplog.text
    )
    assert float(catalog["position_x_pix"][0]) == pytest.approx(59.5)


@pytest.mark.parametrize("named", ["TNX", "TAN-SIP", "TAN-XYZ"])
def test_polynomials_of_distortion_that_are_missing_are_said(tmp_path, named, caplog):
    field_of(tmp_path, TAN | STRAIGHT | {"CTYPE1": f"RA---{named}", "CTYPE2": f"DEC--{named}"})
    caplog.set_level(logging.WARNING, logger="galsmith")
    found, wanted = positions(tmp_path, WCS(fits.Header(TAN | STRAIGHT)))
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    said = (
        f"names the distortion {named.removeprefix('TAN-')} and has no terms of it that can be read; left out"
    )
    assert said in caplog.text


@pytest.mark.parametrize("name", HEADERS)
def test_no_distortion_is_missed_where_none_is(tmp_path, name, caplog):
    path = field_of(tmp_path, HEADERS[name])
    caplog.set_level(logging.WARNING, logger="galsmith")
    positions(tmp_path, WCS(fits.getheader(path)))
    assert "distortion" not in caplog.text


def test_tpv_without_terms_is_tan(tmp_path):
    """Its first terms are 1 where a header leaves them out; astropy puts every pixel at the reference point."""
    field_of(tmp_path, {key: value for key, value in TPV.items() if not key.startswith("PV")})
    found, wanted = positions(tmp_path, WCS(fits.Header(TAN | STRAIGHT)))
    np.testing.assert_allclose(found, wanted, atol=1e-3)
