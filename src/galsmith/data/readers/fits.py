"""FITS files that others wrote: opening them, where their images are, and what their headers say."""

import contextlib
import math
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from astropy.io import fits

from galsmith.data.readers.tar_files import FilePlace

ARCSEC_PER_UNIT = {"deg": 3600.0, "degree": 3600.0, "arcmin": 60.0, "arcsec": 1.0, "rad": 206264.80624709636}
STRUCTURAL = re.compile(
    r"^(SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|BLANK|BUNIT|CHECKSUM|DATASUM"
    r"|EXTNAME|EXTVER|EXTLEVEL|INHERIT|WCSAXES|WCSNAME|CTYPE\d+|CUNIT\d+|CRPIX\d+|CDELT\d+|CROTA\d+|CD\d+_\d+"
    r"|PC\d+_\d+|PV\d+_\d+|LONPOLE|LATPOLE|COMMENT|HISTORY|CONTINUE|END|LONGSTRN|Z[A-Z]+\d*|)$"
)
KEPT_WITH_Z = ("Z", "ZERO", "ZEROPNT", "ZPT", "ZP", "ZPHOT", "ZSPEC", "ZBEST", "ZMAG")
READ_ERRORS = (OSError, EOFError, ValueError, TypeError, IndexError, KeyError, zlib.error)


def pixel_scale_of(header: Mapping[str, Any]) -> float | None:
    """Angle per pixel side from the world coordinates of a header, or else from its keyword PIXSCALE.

    Parameters
    ----------
    header : mapping
        With a CD matrix, a PC matrix and CDELT, or CDELT alone (Greisen & Calabretta 2002); PIXSCALE, the
        custom of many pipelines, is in arcsec.

    Returns
    -------
    float or None
        Square root of a pixel's area, in arcsec; None where the header does not tell.
    """
    from_coordinates = _scale_of_coordinates(header)
    if from_coordinates is not None:
        return from_coordinates
    stated = _number(header, "PIXSCALE", math.nan)
    return stated if math.isfinite(stated) and stated > 0 else None


def band_names_of(header: Mapping[str, Any], n_bands: int) -> tuple[str, ...] | None:
    """Filter names: FILTER of a single band, BAND1 and so on of more; None where one is not stated."""
    keys = ["FILTER"] if n_bands == 1 else [f"BAND{number}" for number in range(1, n_bands + 1)]
    names = [header.get(key) for key in keys]
    stated = tuple(name.strip() for name in names if isinstance(name, str) and name.strip())
    return stated if len(stated) == n_bands else None


def zero_points_of(header: Mapping[str, Any], n_bands: int) -> tuple[float, ...] | None:
    """AB magnitudes of one flux unit: MAGZP of a single band, MAGZP1 and so on of more; None where not stated."""
    keys = ["MAGZP"] if n_bands == 1 else [f"MAGZP{number}" for number in range(1, n_bands + 1)]
    values = tuple(_number(header, key, math.nan) for key in keys)
    return values if all(math.isfinite(value) for value in values) else None


def kept_keywords(header: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords with one value that describe the object, not the file: no structure, no world coordinates."""
    return {
        key: value
        for key, value in header.items()
        if isinstance(value, str | int | float | bool) and (key in KEPT_WITH_Z or not STRUCTURAL.match(key))
    }


def _scale_of_coordinates(header: Mapping[str, Any]) -> float | None:
    """Angle per pixel side from world coordinates, in arcsec; None where there are none."""
    if "CD1_1" in header or "CD2_2" in header:
        area = _determinant(header, "CD", diagonal=0.0)
    elif "CDELT1" in header and "CDELT2" in header:
        area = _number(header, "CDELT1", 0.0) * _number(header, "CDELT2", 0.0)
        area *= _determinant(header, "PC", diagonal=1.0)
    else:
        return None
    factor = ARCSEC_PER_UNIT.get(str(header.get("CUNIT1", "deg")).strip().lower())
    if factor is None or not math.isfinite(area) or area == 0:
        return None
    scale = math.sqrt(abs(area)) * factor
    return None if _is_default(header, scale) else scale


def _determinant(header: Mapping[str, Any], name: str, *, diagonal: float) -> float:
    """Compute the determinant of a 2 x 2 matrix of keywords, with the standard's values for missing ones."""
    a, d = _number(header, f"{name}1_1", diagonal), _number(header, f"{name}2_2", diagonal)
    b, c = _number(header, f"{name}1_2", 0.0), _number(header, f"{name}2_1", 0.0)
    return a * d - b * c


def _number(header: Mapping[str, Any], key: str, default: float) -> float:
    """Value of a keyword as a number; NaN where it is not one."""
    value = header.get(key, default)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _is_default(header: Mapping[str, Any], scale_arcsec: float) -> bool:
    """Whether a scale is only CDELT = 1 without coordinates, which says nothing."""
    return "CTYPE1" not in header and "CUNIT1" not in header and math.isclose(scale_arcsec, 3600.0)


@contextlib.contextmanager
def opened_fits(path: FilePlace, *, memmap: bool = False) -> Iterator[fits.HDUList]:
    """Open a FITS file; warnings are not shown, as data that are too short fail when they are read.

    Parameters
    ----------
    path : FilePlace
        A path, plain or compressed, or a file in an archive.
    memmap : bool
        Map the file into memory, so that a section of a large image is read without the rest.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with path.open("rb") as stream, fits.open(stream, memmap=memmap, lazy_load_hdus=True) as units:
            yield units


def images_in(units: fits.HDUList) -> str:
    """Name the image HDUs of a file, as the way out of a wrong `hdu`."""
    found = [
        f"{number} ({unit.name})" if unit.name else str(number)
        for number, unit in enumerate(units)
        if unit.is_image and len(unit.shape) in (2, 3)
    ]
    return f"images are in {', '.join(found)}: choose with `hdu`" if found else "the file holds no image"
