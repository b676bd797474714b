"""Images in FITS files that others wrote: which HDU is meant, what its header says, what all say, and reading a part.

All rules of how a FITS file is understood stand here, for cutouts, survey images, big images and their maps alike.
"""

import contextlib
import math
import re
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from galsmith.data.readers.listing import FITS_SUFFIXES, FilePlace, TarMember
from galsmith.data.readers.options import parse_hdu
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader
from galsmith.settings import near_miss

Header = Mapping[str, Any]
Part = Callable[[int, slice, slice], NDArray[Any]]
Fact = TypeVar("Fact")
ARCSEC_PER_UNIT = {"deg": 3600.0, "degree": 3600.0, "arcmin": 60.0, "arcsec": 1.0, "rad": 206264.80624709636}
LAYOUT = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|BLANK|CHECKSUM|DATASUM"
    r"|EXTNAME|EXTVER|EXTLEVEL|INHERIT|COMMENT|HISTORY|CONTINUE|END|LONGSTRN|"
    r"|(?!(ZERO|ZEROPNT|ZPT|ZP|ZPHOT|ZSPEC|ZBEST|ZMAG)$)Z[A-Z]+\d*"
)
COORDINATES = re.compile(
    r"WCSAXES|WCSNAME|CTYPE\d+|CUNIT\d+|CRPIX\d+|CDELT\d+|CROTA\d+|CD\d+_\d+|PC\d+_\d+|PV\d+_\d+|LONPOLE|LATPOLE"
)
SCALED = ("BSCALE", "BZERO", "BLANK")
ZERO_POINT_KEYS = ("MAGZP", "MAGZERO", "MAGZPT", "PHOTZP", "ZEROPNT", "ZPT", "ZP")
READ_ERRORS = (OSError, EOFError, ValueError, TypeError, IndexError, KeyError, zlib.error)
IMAGE_AXES = (2, 3)
FITS_BLOCK = 2880
PACKED_IMAGES_KEPT = 4
SCALE_TOLERANCE = 1e-3
_READING = threading.Lock()  # decompressing is not for several threads at once


@dataclass(frozen=True)
class FitsPlace:
    """A file and which of its HDUs is meant; None is the first that holds an image."""

    path: FilePlace
    hdu: int | str | None = None

    def __str__(self) -> str:
        """Write it as the user does: ``seg.fits[SEG]``."""
        return str(self.path) if self.hdu is None else f"{self.path}[{self.hdu}]"

    @property
    def file(self) -> Path:
        """The file on the disk: the archive, where it is in one."""
        return self.path.archive if isinstance(self.path, TarMember) else self.path


@dataclass(frozen=True, eq=False)
class FitsHead:
    """What is known of an image before its pixels are read.

    Attributes
    ----------
    place : FitsPlace
        With the position of the HDU found.
    shape : tuple of int
        (y, x) or (plane, y, x).
    keywords : mapping
        Keywords with one value: those of the HDU, and of the file's first HDU what it does not state itself.
    bands : tuple of str or None
        Filter names where the header states them.
    flux_unit : str or None
        BUNIT where stated.
    pixel_scale_arcsec : float or None
        See `pixel_scale_of`.
    zero_points_mag : tuple of float or None
        AB magnitude of one flux unit by plane, where stated.
    has_coordinates : bool
        Whether the HDU has world coordinates of its own.
    n_bytes : int
        Least size of a file that holds all pixels; 0 where the file is packed as a whole.
    """

    place: FitsPlace
    shape: tuple[int, ...]
    keywords: Header
    bands: tuple[str, ...] | None
    flux_unit: str | None
    pixel_scale_arcsec: float | None
    zero_points_mag: tuple[float, ...] | None
    has_coordinates: bool
    n_bytes: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.shape[-2], self.shape[-1]

    @property
    def n_planes(self) -> int:
        """How many images lie on one another."""
        return self.shape[0] if len(self.shape) == 3 else 1

    @contextlib.contextmanager
    def opened(self) -> Iterator[Part]:
        """Give a function that reads rows and columns of a plane and no more, [y, x], in the file's own type."""
        is_scaled = any(key in self.keywords for key in SCALED)
        with opened_fits(self.place.path, memmap=not is_scaled) as units:
            section = units[self.place.hdu].section

            def part(plane: int, rows: slice, columns: slice) -> NDArray[Any]:
                place = (rows, columns) if len(self.shape) == 2 else (plane, rows, columns)
                return _native(section[place], self.keywords)

            yield part


def split_hdu(text: str) -> tuple[str, int | str | None]:
    """Split ``seg.fits[SEG]`` into the name and the HDU; a file whose own name has brackets is left alone."""
    found = re.fullmatch(r"(.*)\[([^\[\]]+)\]", text)
    if found is None or Path(text).exists():
        return text, None
    return found[1], parse_hdu(found[2])


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


def head_of(place: FitsPlace) -> FitsHead:
    """Read the header of one image; at a damaged file it raises one of `READ_ERRORS`.

    Raises
    ------
    InputError
        If the HDU holds no image; the message names the HDUs that do.
    """
    with opened_fits(place.path) as units:
        number = _number_of(units, place)
        unit, info = units[number], units[number].fileinfo() or {}
        own, first = _keywords(unit.header), _keywords(units[0].header) if number else {}
        has_coordinates = any(COORDINATES.fullmatch(key) for key in own)
        passed_on = {
            key: value
            for key, value in first.items()
            if not (LAYOUT.fullmatch(key) or (has_coordinates and COORDINATES.fullmatch(key)))
        }
        headers, n_planes = (own, {**passed_on, **own}), unit.shape[0] if len(unit.shape) == 3 else 1
        is_packed = bool(getattr(info.get("file"), "compression", None))
        return FitsHead(
            place=FitsPlace(place.path, number),
            shape=tuple(unit.shape),
            keywords=headers[-1],
            bands=_first_stated(lambda header: band_names_of(header, n_planes), headers),
            flux_unit=_first_stated(_unit_of, headers),
            pixel_scale_arcsec=_first_stated(pixel_scale_of, headers),
            zero_points_mag=_first_stated(lambda header: zero_points_of(header, n_planes), headers),
            has_coordinates=has_coordinates,
            # the last block may lack its padding
            n_bytes=0
            if is_packed
            else info.get("datLoc", 0) + max(0, info.get("datSpan", 0) - FITS_BLOCK + 1),
        )


def read_head(place: FitsPlace) -> FitsHead:
    """Read the header of one image and check that the file is long enough for its pixels.

    Raises
    ------
    InputError
        If the file is missing, truncated or no FITS file, or the HDU holds no image; the message names the HDUs
        that do.
    """
    path = place.file
    try:
        head = head_of(place)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file{_similar_file(path)}") from error
    except READ_ERRORS as error:
        raise InputError(f"{path}: not a FITS file that can be read ({_one_line(error)})") from error
    if path.stat().st_size < head.n_bytes:
        raise InputError(
            f"{path}: the FITS file is truncated: it has {path.stat().st_size:,} bytes, its header promises "
            f"{head.n_bytes:,} or more; fetch it again"
        )
    return head


def read_part(
    head: FitsHead,
    *,
    planes: Sequence[int] = (0,),
    rows: slice = slice(None),
    columns: slice = slice(None),
) -> NDArray[Any]:
    """Read a part of an image, [plane, y, x], in the file's own type and the machine's byte order.

    Raises
    ------
    InputError
        If the file is truncated or damaged.
    """
    try:
        with _READING:
            if not head.n_bytes:
                whole = _whole(head.place)
                return _native(np.atleast_3d(whole.T).T[list(planes), rows, columns], head.keywords)
            with head.opened() as part:
                return np.stack([part(plane, rows, columns) for plane in planes])
    except MemoryError:
        raise
    except Exception as error:  # what a damaged tile raises has a private type
        raise InputError(
            f"{head.place.path}: the FITS file is truncated or damaged ({_one_line(error)})"
        ) from error


def common_header(
    heads: Sequence[FitsHead],
    *,
    bands: Sequence[str] | None = None,
    flux_unit: str | None = None,
    otherwise: ImageHeader | None = None,
) -> ImageHeader:
    """Give what is true of all images; bands without a name are called ``band0`` and so on.

    Zero points and pixel scales that differ, or that not all state, are left out.

    Parameters
    ----------
    heads : sequence of FitsHead
        Of all images.
    bands : sequence of str or None
        Names of the planes, before those of the headers.
    flux_unit : str or None
        Unit of a pixel's value, before that of the headers.
    otherwise : ImageHeader, optional
        What to take where nobody states it.

    Raises
    ------
    InputError
        If images differ in number or names of bands, or in their unit: fluxes of one column have one unit.
    SettingsError
        If there are more or fewer names than planes.
    """
    default = ImageHeader(("band0",), "unknown") if otherwise is None else otherwise
    names = _common_names(heads, bands, default.bands)
    if flux_unit is None:
        stated_unit = _agreed(heads, lambda head: head.flux_unit, "BUNIT", "flux_unit")
        flux_unit = default.flux_unit if stated_unit is None else stated_unit
    scales = [head.pixel_scale_arcsec for head in heads]
    first = scales[0] if scales else None
    agree = first is not None and all(
        scale is not None and math.isclose(scale, first, rel_tol=SCALE_TOLERANCE) for scale in scales
    )
    stated = {head.zero_points_mag for head in heads}
    zero_points = next(iter(stated)) if len(stated) == 1 else None
    return ImageHeader(
        names,
        flux_unit,
        first if agree else default.pixel_scale_arcsec,
        zero_points_mag={
            **{band: value for band, value in default.zero_points_mag.items() if band in names},
            **({} if zero_points is None else dict(zip(names, zero_points, strict=True))),
        },
    )


def scale_or_given(head: FitsHead, given_arcsec: float | None) -> float | None:
    """Pixel scale in arcsec: as given, else as the header states it.

    Raises
    ------
    SettingsError
        If they contradict one another by more than a hundredth.
    """
    stated = head.pixel_scale_arcsec
    if given_arcsec is None or stated is None:
        return stated if given_arcsec is None else given_arcsec
    if not math.isclose(given_arcsec, stated, rel_tol=10 * SCALE_TOLERANCE):
        raise SettingsError(
            f"the header of {head.place.path} says {stated:.6g} arcsec; leave the option out, or mend the header",
            argument="pixel_scale_arcsec",
            came=f"{given_arcsec:g}",
        )
    return given_arcsec


def sky_coordinates(head: FitsHead) -> WCS | None:
    """Read the world coordinates of an image, or of its file's first HDU; None where there are none of the sky."""
    with opened_fits(head.place.path) as units, np.errstate(all="ignore"):
        try:
            coordinates = WCS(units[head.place.hdu if head.has_coordinates else 0].header).celestial
        except (ValueError, TypeError, AttributeError):
            return None
    return coordinates if coordinates.has_celestial else None


def pixel_scale_of(header: Header) -> float | None:
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


def band_names_of(header: Header, n_bands: int) -> tuple[str, ...] | None:
    """Filter names: FILTER of a single band, BAND1 and so on of more; None where one is not stated."""
    keys = ["FILTER"] if n_bands == 1 else [f"BAND{number}" for number in range(1, n_bands + 1)]
    names = [header.get(key) for key in keys]
    stated = tuple(name.strip() for name in names if isinstance(name, str) and name.strip())
    return stated if len(stated) == n_bands else None


def zero_points_of(header: Header, n_bands: int) -> tuple[float, ...] | None:
    """AB magnitudes of one flux unit: MAGZP1 and so on of several bands, else MAGZP of all; None where not stated.

    The first of `ZERO_POINT_KEYS` that states them is taken.
    """
    numbered = [f"{{}}{number}" for number in range(1, n_bands + 1)]
    for forms in ([numbered] if n_bands > 1 else []) + [["{}"] * n_bands]:
        for key in ZERO_POINT_KEYS:
            values = tuple(_number(header, form.format(key), math.nan) for form in forms)
            if all(math.isfinite(value) for value in values):
                return values
    return None


def kept_keywords(header: Header) -> dict[str, Any]:
    """Keywords that describe the object, not the file: no structure, no world coordinates, no unit."""
    return {
        key: value
        for key, value in header.items()
        if not (key == "BUNIT" or LAYOUT.fullmatch(key) or COORDINATES.fullmatch(key))
    }


def _keywords(header: fits.Header) -> dict[str, Any]:
    """Keywords with one value, card by card: a card that cannot be read is left out."""
    found: dict[str, Any] = {}
    for card in header.cards:
        with contextlib.suppress(fits.VerifyError, ValueError):
            if isinstance(card.value, str | int | float | bool):
                found.setdefault(card.keyword, card.value)
    return found


def _first_stated(rule: Callable[[Header], Fact | None], headers: Sequence[Header]) -> Fact | None:
    """Give what the first header states that states it at all."""
    return next((fact for fact in map(rule, headers) if fact is not None), None)


def _unit_of(header: Header) -> str | None:
    """Read BUNIT."""
    unit = header.get("BUNIT")
    return unit.strip() if isinstance(unit, str) and unit.strip() else None


def _scale_of_coordinates(header: Header) -> float | None:
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


def _determinant(header: Header, name: str, *, diagonal: float) -> float:
    """Compute the determinant of a 2 x 2 matrix of keywords, with the standard's values for missing ones."""
    a, d = _number(header, f"{name}1_1", diagonal), _number(header, f"{name}2_2", diagonal)
    b, c = _number(header, f"{name}1_2", 0.0), _number(header, f"{name}2_1", 0.0)
    return a * d - b * c


def _number(header: Header, key: str, default: float) -> float:
    """Value of a keyword as a number; NaN where it is not one."""
    value = header.get(key, default)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def _is_default(header: Header, scale_arcsec: float) -> bool:
    """Whether a scale is only CDELT = 1 without coordinates, which says nothing."""
    return "CTYPE1" not in header and "CUNIT1" not in header and math.isclose(scale_arcsec, 3600.0)


def _number_of(units: fits.HDUList, place: FitsPlace) -> int:
    """Find the wanted HDU; the first with an image where none is named."""
    if place.hdu is None:
        found = next((number for number, unit in enumerate(units) if _has_image(unit)), None)
        if found is None:
            raise InputError(f"{place.path}: {_units_in(units)}; wanted an image, [y, x] or [band, y, x]")
        return found
    try:
        number = place.hdu if isinstance(place.hdu, int) else units.index_of(place.hdu)
        unit = units[number]
    except (KeyError, IndexError) as error:
        names = [other.name for other in units if other.name]
        miss = near_miss(str(place.hdu).upper(), names) if isinstance(place.hdu, str) else ""
        raise InputError(f"{place.path}: has no HDU {place.hdu}{miss}; {_way_out(units)}") from error
    if not _has_image(unit):
        axes = f"an array of {len(unit.shape)} axes" if unit.is_image and unit.shape else "no image"
        raise InputError(
            f"{place.path}: HDU {place.hdu} holds {axes}, wanted [y, x] or [band, y, x]; {_way_out(units)}"
        )
    return int(number)


def _has_image(unit: Any) -> bool:
    """Whether an HDU holds pixels in two or three axes."""
    return bool(unit.is_image) and len(unit.shape) in IMAGE_AXES


def _way_out(units: fits.HDUList) -> str:
    """Name the HDUs that hold images, and how to choose one."""
    found = [
        f"{number} ({unit.name})" if unit.name else str(number)
        for number, unit in enumerate(units)
        if _has_image(unit)
    ]
    if not found:
        return "the file holds no image"
    return f"images are in {', '.join(found)}: choose with `hdu`, or FILE[HDU] for a map"


def _units_in(units: fits.HDUList) -> str:
    """Name what a file without images holds."""
    tables = [f"{number} ({unit.name or 'table'})" for number, unit in enumerate(units) if not unit.is_image]
    if tables:
        return f"holds no image, only tables in HDU {', '.join(tables)}"
    words = [f"{number} {unit.name or type(unit).__name__} {unit.shape}" for number, unit in enumerate(units)]
    return f"holds no image of two or three axes ({', '.join(words)})"


def _common_names(
    heads: Sequence[FitsHead], given: Sequence[str] | None, default: tuple[str, ...]
) -> tuple[str, ...]:
    """Names of the bands that all images have."""
    if not heads:
        return default if given is None else tuple(given)
    n_planes = _agreed(heads, lambda head: head.n_planes, "number of bands", "") or 1
    if given is not None:
        if len(given) != n_planes:
            raise SettingsError(
                f"names {len(given)} bands, {heads[0].place.path} has {n_planes}",
                argument="bands",
                came=given,
            )
        return tuple(given)
    stated = _agreed(heads, lambda head: head.bands, "FILTER", "bands")
    if stated is not None:
        return stated
    return default if len(default) == n_planes else tuple(f"band{number}" for number in range(n_planes))


def _agreed(
    heads: Sequence[FitsHead], fact: Callable[[FitsHead], Fact | None], word: str, argument: str
) -> Fact | None:
    """Give what all images state; refuse images that differ."""
    for head in heads:
        if fact(head) != fact(heads[0]):
            here, there = (
                "not stated" if value is None else ",".join(value) if isinstance(value, tuple) else value
                for value in (fact(head), fact(heads[0]))
            )
            way_out = f", or give `{argument}`" if argument else ""
            raise InputError(
                f"{head.place.path}: {word} is {here}, in {heads[0].place.path.name} it is {there}; take such images "
                f"apart{way_out}"
            )
    return fact(heads[0]) if heads else None


@lru_cache(maxsize=PACKED_IMAGES_KEPT)
def _whole(place: FitsPlace) -> NDArray[Any]:
    """Read a packed image, which has no parts that can be read alone; the last few are kept."""
    with opened_fits(place.path) as units:
        return np.asarray(units[place.hdu].data)


def _native(values: NDArray[Any], header: Header) -> NDArray[Any]:
    """Bring values to the machine's byte order; those that BLANK declares undefined are NaN."""
    if values.dtype.kind == "u" and "BLANK" in header:  # astropy leaves them in the unsigned convention alone
        undefined = values == header["BLANK"] + header.get("BZERO", 0)
        return np.where(undefined, np.nan, values.astype(np.float64))
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


def _similar_file(path: Path) -> str:
    """Name the file of the same folder that was probably meant."""
    if not path.parent.is_dir():
        return f"; nor is there a folder {path.parent}"
    names = [other.name for other in path.parent.iterdir() if other.name.lower().endswith(FITS_SUFFIXES)]
    return near_miss(path.name, names)


def _one_line(error: BaseException) -> str:
    """Text of an error in one line."""
    return " ".join(str(error).split())
