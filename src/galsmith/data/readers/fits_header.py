"""What the header of a FITS file says: bands, unit, pixel scale, zero points, world coordinates, in anybody's keywords."""

import contextlib
import logging
import math
import re
import warnings
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.io import fits

from galsmith.images.units import gain_of_unit, is_same_unit, unit_of, zero_point_of_unit

if TYPE_CHECKING:
    from astropy.wcs import WCS

Header = Mapping[str, Any]
LAYOUT = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|BLANK|CHECKSUM|DATASUM"
    r"|EXTNAME|EXTVER|EXTLEVEL|INHERIT|COMMENT|HISTORY|CONTINUE|END|LONGSTRN|"
    r"|(?!(ZERO|ZEROPNT|ZPT|ZP|ZPHOT|ZSPEC|ZBEST|ZMAG)$)Z[A-Z]+\d*"
)
COORDINATES = re.compile(
    r"WCSAXES|WCSNAME|CTYPE\d+|CUNIT\d+|CRPIX\d+|CDELT\d+|CROTA\d+|CD\d+_\d+|PC\d+_\d+|PC\d{6}|PV\d+_\d+"
    r"|LONPOLE|LATPOLE|(A|B|AP|BP)_(\d_\d|ORDER|DMAX)"
)
# IRAF's words, such as the polynomials of TNX and ZPX, go on from card to card
PARTS_OF_TEXT, PART_LENGTH = re.compile(r"(WAT\d)_\d{3}"), 68
NUMBERS_OF_COORDINATES = re.compile(r"(CRPIX|CRVAL|CDELT|CD|PC)[\d_]+")
PLACES = re.compile(r"CRVAL\d+|RADESYS|EQUINOX|EPOCH")
# of which the projection is the first word, and what it is completed by the second, as in RA---TNX and DEC--TAN-SIP
TYPE_OF_AXIS = re.compile(r"[A-Z0-9]{1,4}-+([A-Z]{3})(?:-(\w+))?")
TERM = re.compile(r"PV\d_\d+")
POLYNOMIALS = {
    "TNX": re.compile(r"WAT[12]_\d{3}"),
    "ZPX": re.compile(r"WAT[12]_\d{3}"),
    "SIP": re.compile(r"[AB]_ORDER"),
}
TABLES_OF_DISTORTION = ("CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2")
ZERO_POINT_KEYS = ("MAGZP", "MAGZERO", "MAGZPT", "PHOTZP", "ABMAGZP", "ZEROPNT", "ZPT", "ZP")
# Customs of pipelines, in arcsec; the last is of drizzled images.
PIXEL_SCALE_KEYS = ("PIXSCALE", "PIXSCAL1", "SECPIX", "SECPIX1", "PIXELSCL", "D001SCAL")
BANDS_SEPARATED = re.compile(r"[\s,;/|]+")
NARROW_PUPIL = re.compile(r"F\d+[WMN]\d?")  # of NIRCam, behind a wider filter
DECAM = re.compile(r"(\w+) DECam\b.*")
# -2.5 log10(f) - 5 log10(pivot) + this, f in erg / s / cm^2 / Angstrom: -48.6 + 2.5 log10(c / Angstrom) (ACS handbook, 5.1)
AB_OF_PHOTFLAM = -2.408
# Electrons a count of SDSS by camera column and band, of which one was changed (its data model, frame-*.fits.bz2).
SDSS_BANDS = ("u", "g", "r", "i", "z")
SDSS_GAINS = (
    (1.62, 3.32, 4.71, 5.165, 4.745),
    (1.595, 3.855, 4.6, 6.565, 5.155),
    (1.59, 3.845, 4.72, 4.86, 4.885),
    (1.6, 3.995, 4.76, 4.885, 4.775),
    (1.47, 4.05, 4.725, 4.64, 3.48),
    (2.17, 4.035, 4.895, 4.76, 4.69),
)
SDSS_RUN_OF_GAIN, SDSS_LATER_GAIN = 1100, 1.825
logger = logging.getLogger(__name__)


def keywords_of(header: fits.Header, path: Any) -> dict[str, Any]:
    """Keywords with one value, card by card: one that cannot be read is left out, which is said once a folder."""
    found: dict[str, Any] = {}
    for card in header.cards:
        try:
            keyword, value = card.keyword, card.value
        except (fits.VerifyError, ValueError, TypeError, IndexError):
            _tell_odd(str(getattr(card, "_keyword", None) or "?"), str(getattr(path, "parent", path)))
            continue
        if isinstance(value, str | int | float | bool):
            found.setdefault(keyword, value)
    return found


@lru_cache(maxsize=1024)
def _tell_odd(keyword: str, folder: str) -> None:
    """Say that a card is left out."""
    logger.warning("%s: the header card %s of a file cannot be read and is left out", folder, keyword)


def coordinates_of(header: Header) -> "WCS | None":
    """Read world coordinates by astropy, [x, y] of the sky where there are such axes; None where there are none.

    Polynomials of distortion are applied; tables of it, which lie in HDUs of their own, are `coordinates_with_tables`'s.
    """
    from astropy.wcs import WCS

    cards = fits.Header()
    for key, value in header.items():
        if COORDINATES.fullmatch(key) or PLACES.fullmatch(key):
            if isinstance(value, str) and NUMBERS_OF_COORDINATES.fullmatch(key):
                return None
            with contextlib.suppress(ValueError):
                cards[key] = value
    if not any(COORDINATES.fullmatch(key) for key in cards):
        return None
    cards.update(_joined_texts(header) | _types_without_terms(header))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = WCS(cards)
            found.wcs.set()
            return found.celestial if found.has_celestial else found
        except (
            Exception
        ):  # wcslib's errors have types of their own, and numbers of a damaged header raise others
            return None


def missing_distortion(header: Header) -> str | None:
    """Name the distortion that the types of axes name and no card tells, which astropy leaves out in silence."""
    for key in ("CTYPE1", "CTYPE2"):
        found = TYPE_OF_AXIS.fullmatch(_text(header, key).upper())
        projection, suffix = found.groups(default="") if found else ("", "")
        named = suffix or (projection if projection in POLYNOMIALS else "")
        if named and not (named in POLYNOMIALS and any(map(POLYNOMIALS[named].fullmatch, header))):
            return named
    return None


def _types_without_terms(header: Header) -> dict[str, str]:
    """Give the types of axes in TPV without terms: TAN, since x and y are 1 where they are not given; wcslib takes 0.

    FITS registry of conventions, "The TPV World Coordinate System Convention".
    """
    types = {key: _text(header, key) for key in ("CTYPE1", "CTYPE2")}
    has_terms = any(TERM.fullmatch(key) for key in header)
    return {
        key: text.replace("-TPV", "-TAN") for key, text in types.items() if "-TPV" in text and not has_terms
    }


def _joined_texts(header: Header) -> dict[str, str]:
    """Deal IRAF's words to full cards of which none ends in a blank: that is lost in reading, and wcslib would miss it."""
    texts: dict[str, str] = {}
    for key in sorted(header):
        found = PARTS_OF_TEXT.fullmatch(key)
        if found is not None:
            texts[found[1]] = texts.get(found[1], "") + str(header[key]).ljust(PART_LENGTH)
    cards = {}
    for name, text in texts.items():
        rest, number = " ".join(text.split()), 1
        while rest:
            part, after = rest[:PART_LENGTH], rest[PART_LENGTH:]
            if after and part.endswith(" "):
                # a second blank where there is one moves the last word to the end of the card
                part, after = part[:-1].replace(" ", "  ", 1), " " + after
            cards[f"{name}_{number:03d}"], rest, number = part, after, number + 1
    return cards


def has_tables_of_distortion(header: Header) -> bool:
    """Whether world coordinates are completed by tables in other HDUs, as those of exposures of HST are."""
    return any(_text(header, key).upper() == "LOOKUP" for key in TABLES_OF_DISTORTION)


def coordinates_with_tables(units: fits.HDUList, number: int) -> "WCS | None":
    """Read the world coordinates of one HDU with the tables of distortion of its file; None where they cannot be read."""
    from astropy.wcs import WCS

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = WCS(units[number].header, units)
            found.wcs.set()
        except Exception:  # tables that are missing or damaged, in types of astropy's own
            return None
    return found if found.has_celestial else None


def pixel_scale_of(header: Header) -> float | None:
    """Angle per pixel side from the world coordinates of a header, or else from its keyword PIXSCALE or the like.

    Parameters
    ----------
    header : mapping
        With world coordinates as astropy reads them; `PIXEL_SCALE_KEYS`, customs of pipelines, are in arcsec.

    Returns
    -------
    float or None
        Square root of a pixel's area, in arcsec; None where the header does not tell.
    """
    from_coordinates = _scale_of_coordinates(header)
    if from_coordinates is not None:
        return from_coordinates
    stated = [number_of(header, key) for key in PIXEL_SCALE_KEYS]
    return next((value for value in stated if math.isfinite(value) and value > 0), None)


def _scale_of_coordinates(header: Header) -> float | None:
    """Angle per pixel side from world coordinates, in arcsec; None where there are none."""
    coordinates = coordinates_of(header)
    if coordinates is None:
        # one axis of the sky without the other: linear, as if it had no type
        coordinates = coordinates_of(
            {key: value for key, value in header.items() if not key.startswith("CTYPE")}
        )
    if coordinates is None or coordinates.naxis < 2:
        return None
    matrix = coordinates.pixel_scale_matrix[:2, :2]
    area = abs(float(np.linalg.det(matrix))) if np.isfinite(matrix).all() else 0.0
    units = [u.Unit(unit) for unit in list(coordinates.wcs.cunit)[:2]]
    if not coordinates.has_celestial and area == 1.0 and units[0] == u.dimensionless_unscaled:
        return None  # only CDELT = 1, which says nothing
    stated = [unit for unit in units if unit != u.dimensionless_unscaled]
    factors = [_arcsec_of(unit if unit in stated or not stated else stated[0]) for unit in units]
    if area == 0 or not all(factors):
        return None
    return math.sqrt(area * factors[0] * factors[1])


def _arcsec_of(unit: u.UnitBase) -> float:
    """Arcsec of one unit of an axis, degrees where it has none; 0 where it is no angle."""
    if unit == u.dimensionless_unscaled:
        return 3600.0
    return float(unit.to(u.arcsec)) if unit.is_equivalent(u.arcsec) else 0.0


def unit_text_of(header: Header) -> str | None:
    """Read BUNIT."""
    return _text(header, "BUNIT") or None


def band_names_of(header: Header, n_bands: int) -> tuple[str, ...] | None:
    """Filter names; None where one is not stated.

    Of one band FILTER, or BAND where FILTER has several words, NIRCam's PUPIL where it holds the narrower filter, or the
    one of FILTER1 and FILTER2 that is not clear; of more BAND1, BAND2 and so on, or from BAND0, or the names in BANDS.
    """
    if n_bands == 1:
        return _one_band(header)
    for first in (1, 0):
        names = tuple(_text(header, f"BAND{first + place}") for place in range(n_bands))
        if all(names):
            return names
    listed = _text(header, "BANDS")
    names = tuple(name for name in BANDS_SEPARATED.split(listed) if name)
    names = tuple(listed) if len(names) == 1 else names
    return names if len(names) == n_bands and len(set(names)) == n_bands else None


def _one_band(header: Header) -> tuple[str, ...] | None:
    """Name of the only band."""
    band, stated, pupil = (_text(header, key) for key in ("BAND", "FILTER", "PUPIL"))
    if NARROW_PUPIL.fullmatch(pupil):
        return (pupil,)
    if stated and (" " not in stated or not band):
        return (DECAM.sub(r"\1", stated),)
    wheels = [_text(header, key) for key in ("FILTER1", "FILTER2")]
    open_wheels = [name for name in wheels if name and not name.upper().startswith("CLEAR")]
    for name in (
        band,
        *(open_wheels if len(open_wheels) == 1 else ()),
        _text(header, "BANDS"),
        _text(header, "BAND0"),
    ):
        if name:
            return (name,)
    return None


def zero_points_of(header: Header, n_bands: int) -> tuple[float, ...] | None:
    """AB magnitudes of one flux unit: MAGZP1 and so on of several bands, else MAGZP of all; None where not stated.

    The first of `ZERO_POINT_KEYS` that states them is taken; bands may be counted from 0.
    """
    numbered = [[f"{{}}{first + place}" for place in range(n_bands)] for first in (1, 0)]
    for forms in (numbered if n_bands > 1 else []) + [["{}"] * n_bands]:
        for key in ZERO_POINT_KEYS:
            values = tuple(number_of(header, form.format(key)) for form in forms)
            if all(math.isfinite(value) for value in values):
                return values
    return None


def derived_zero_point(header: Header, pixel_scale_arcsec: float | None) -> float | None:
    """AB magnitude of one flux unit from what else a header says; None where it does not.

    FLUXMAG0, the flux of magnitude 0 (HSC); PHOTFLAM and PHOTPLAM (HST), of one electron or count a second, brought to
    those of the exposure where BUNIT is not a rate; PHOTMJSR and PIXAR_SR (JWST) where BUNIT is a rate; else BUNIT, where
    it is a flux density of a pixel, or per solid angle and the pixel's is known.
    """
    found = [
        _of_flux_of_zero(header),
        _of_photflam(header),
        _of_unit(header, pixel_scale_arcsec),
    ]
    return next((value for value in found if value is not None), None)


def _of_flux_of_zero(header: Header) -> float | None:
    """Read FLUXMAG0."""
    flux = number_of(header, "FLUXMAG0")
    return 2.5 * math.log10(flux) if math.isfinite(flux) and flux > 0 else None


def _of_photflam(header: Header) -> float | None:
    """Read PHOTFLAM and PHOTPLAM."""
    inverse_sensitivity, pivot = number_of(header, "PHOTFLAM"), number_of(header, "PHOTPLAM")
    if not (0 < inverse_sensitivity < math.inf and 0 < pivot < math.inf):
        return None
    zero_point = -2.5 * math.log10(inverse_sensitivity) - 5 * math.log10(pivot) + AB_OF_PHOTFLAM
    if _is_rate(unit_text_of(header)) is not False:
        return zero_point
    seconds = number_of(header, "EXPTIME")
    return zero_point + 2.5 * math.log10(seconds) if 0 < seconds < math.inf else None


def _of_unit(header: Header, pixel_scale_arcsec: float | None) -> float | None:
    """Read what the unit itself says."""
    area = number_of(header, "PIXAR_SR")
    if not 0 < area < math.inf:
        area = math.nan if pixel_scale_arcsec is None else (pixel_scale_arcsec * u.arcsec.to(u.rad)) ** 2
    stated, megajansky = unit_text_of(header), number_of(header, "PHOTMJSR")
    if stated is None:
        return None
    if _is_rate(stated) and 0 < megajansky < math.inf:
        of_one = zero_point_of_unit("MJy/sr", pixel_area_sr=area)
        return None if of_one is None else of_one - 2.5 * math.log10(megajansky)
    return zero_point_of_unit(stated, pixel_area_sr=area)


def _is_rate(stated: str | None) -> bool | None:
    """Whether a unit counts electrons or the like per second; None where it is unknown or counts nothing."""
    unit = None if stated is None else unit_of(stated)
    if not isinstance(unit, u.UnitBase):
        return None
    counted = [base for base in unit.bases if base in (u.electron, u.ct, u.adu, u.DN, u.photon)]
    if not counted:
        return None
    return any(base == u.s and power == -1 for base, power in zip(unit.bases, unit.powers, strict=True))


GAIN_COLUMN = "gain"


def gain_columns(names: Iterable[str], bands: Iterable[str]) -> list[str]:
    """Columns of a catalog that have electrons per flux unit: one for all bands, or one a band."""
    known = (GAIN_COLUMN, *(f"{GAIN_COLUMN}_{band}" for band in bands))
    return [name for name in names if name in known]


def gains_beyond_unit(headers: Iterable[Header | None], flux_unit: str) -> list[float | None] | None:
    """Electrons per flux unit of every image; None where no header says more than the unit itself."""
    of_unit = gain_of_unit(flux_unit)
    gains = [None if header is None else gain_of(header) for header in headers]
    return gains if any(gain is not None and gain != of_unit for gain in gains) else None


def gain_of(header: Header) -> float | None:
    """Electrons per flux unit: from GAIN where BUNIT counts units of the detector, from EXPTIME where it is a rate.

    Of a frame of SDSS from its camera column and NMGY, nanomaggies a count. None where the unit is another, such as nJy,
    or a keyword is missing.
    """
    of_sdss = _gain_of_sdss(header)
    if of_sdss is not None:
        return of_sdss
    stated = unit_text_of(header)
    unit = None if stated is None else unit_of(stated)
    powers = dict(zip(unit.bases, unit.powers, strict=True)) if isinstance(unit, u.UnitBase) else {}
    gain = 1.0
    if powers.pop(u.s, 0) == -1:
        gain *= number_of(header, "EXPTIME")
    if powers in ({u.ct: 1}, {u.adu: 1}, {u.DN: 1}):
        gain *= number_of(header, "GAIN")
    elif powers not in ({u.electron: 1}, {u.photon: 1}):
        return None
    return gain if 0 < gain < math.inf else None


def _gain_of_sdss(header: Header) -> float | None:
    """Electrons per nanomaggy of a frame of SDSS."""
    column, per_count = number_of(header, "CAMCOL"), number_of(header, "NMGY")
    band, run = _text(header, "FILTER"), number_of(header, "RUN")
    is_frame = column in range(1, 7) and band in SDSS_BANDS and 0 < per_count < math.inf
    if not (is_frame and is_same_unit(_text(header, "BUNIT"), "nanomaggy")):
        return None
    if (column, band) == (2, "u") and run > SDSS_RUN_OF_GAIN:
        return SDSS_LATER_GAIN / per_count
    return SDSS_GAINS[int(column) - 1][SDSS_BANDS.index(band)] / per_count


def kept_keywords(header: Header) -> dict[str, Any]:
    """Keywords that describe the object, not the file: no structure, no world coordinates, no unit."""
    return {
        key: value
        for key, value in header.items()
        if not (key == "BUNIT" or LAYOUT.fullmatch(key) or COORDINATES.fullmatch(key))
    }


def number_of(header: Header, key: str) -> float:
    """Value of a keyword as a number, also where it was written as text; NaN where it is not there or not one."""
    value = header.get(key, math.nan)
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            return float(value)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _text(header: Header, key: str) -> str:
    """Value of a keyword as text; empty where it is not there or no text."""
    value = header.get(key)
    return value.strip() if isinstance(value, str) else ""
