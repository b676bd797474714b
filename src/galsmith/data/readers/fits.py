"""Images in FITS files that others wrote: which HDU is meant, what its header says, what all say, and reading a part.

All rules of how a FITS file is understood stand here, for cutouts, survey images, big images and their maps alike.
"""

import contextlib
import logging
import math
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from galsmith.data.readers.fits_header import (
    COORDINATES,
    LAYOUT,
    Header,
    band_names_of,
    coordinates_of,
    coordinates_with_tables,
    derived_zero_point,
    has_tables_of_distortion,
    keywords_of,
    pixel_scale_of,
    unit_text_of,
    zero_points_of,
)
from galsmith.data.readers.listing import FITS_SUFFIXES, FilePlace, TarMember
from galsmith.data.readers.options import Hdu, hdu_text, parse_hdu
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader
from galsmith.images.units import is_same_unit
from galsmith.settings import near_miss

if TYPE_CHECKING:
    from astropy.wcs import WCS

Part = Callable[[int, slice, slice], NDArray[Any]]
Fact = TypeVar("Fact")
SCALED = ("BSCALE", "BZERO", "BLANK")
READ_ERRORS = (Exception,)  # what astropy raises at damaged files has many types, some of them private
MOST_AXES = 3
# The surveys of most narrow bands have twelve.
MOST_UNNAMED_BANDS = 12
FITS_BLOCK = 2880
PACKED_IMAGES_KEPT = 4
SCALE_TOLERANCE = 1e-3
NAMED_AT_MOST = 3
_READING = threading.Lock()  # decompressing is not for several threads at once
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FitsPlace:
    """A file and which of its HDUs is meant, None for the first that holds an image; and which plane of a cube, or all."""

    path: FilePlace
    hdu: Hdu | None = None
    plane: int | None = None

    def __str__(self) -> str:
        """Write it as the user does: ``seg.fits[SEG]``, ``m.fits[SCI,2]``."""
        return str(self.path) if self.hdu is None else f"{self.path}[{hdu_text(self.hdu)}]"

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
        (y, x) or (plane, y, x), without axes of length 1.
    dropped : tuple of int
        Which axes of the file's array are these.
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
    dropped: tuple[int, ...]
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

    def index_of(self, plane: int, rows: slice, columns: slice) -> tuple[int | slice, ...]:
        """Say where rows and columns of a plane lie in the file's own array."""
        chosen = self.place.plane
        is_cube = chosen is not None or len(self.shape) == MOST_AXES
        wanted: list[int | slice] = [
            *([plane if chosen is None else chosen] if is_cube else []),
            rows,
            columns,
        ]
        for axis in self.dropped:
            wanted.insert(axis, 0)
        return tuple(wanted)

    @contextlib.contextmanager
    def opened(self) -> Iterator[Part]:
        """Give a function that reads rows and columns of a plane and no more, [y, x], in the file's own type."""
        is_scaled = any(key in self.keywords for key in SCALED)
        with opened_fits(self.place.path, memmap=not is_scaled) as units:
            section = units[self.place.hdu].section

            def part(plane: int, rows: slice, columns: slice) -> NDArray[Any]:
                values = section[self.index_of(plane, rows, columns)]
                sides = [
                    len(range(side)[chosen]) for side, chosen in zip(self.size, (rows, columns), strict=True)
                ]
                # an index between slices leaves its axis in some kinds of section
                return _native(values.reshape(sides), self.keywords)

            yield part


def split_hdu(text: str) -> tuple[str, Hdu | None]:
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
        own = keywords_of(unit.header, place.path)
        first = keywords_of(units[0].header, place.path) if number else {}
        has_coordinates = any(COORDINATES.fullmatch(key) for key in own)
        passed_on = {
            key: value
            for key, value in first.items()
            if not (LAYOUT.fullmatch(key) or (has_coordinates and COORDINATES.fullmatch(key)))
        }
        shape, dropped = _without_short_axes(tuple(unit.shape))
        shape = _plane_of(shape, place)
        is_packed = bool(getattr(info.get("file"), "compression", None))
        return FitsHead(
            place=FitsPlace(place.path, number, place.plane),
            shape=shape,
            dropped=dropped,
            **_facts((own, {**passed_on, **own}), shape[0] if len(shape) == MOST_AXES else 1),
            has_coordinates=has_coordinates,
            # the last block may lack its padding
            n_bytes=0
            if is_packed
            else info.get("datLoc", 0) + max(0, info.get("datSpan", 0) - FITS_BLOCK + 1),
        )


def _facts(headers: tuple[Header, Header], n_planes: int) -> dict[str, Any]:
    """Give what the HDU's own header states, else that of the file's first HDU."""
    scale = _first_stated(pixel_scale_of, headers)
    zero_points = _first_stated(lambda header: zero_points_of(header, n_planes), headers)
    derived = derived_zero_point(headers[-1], scale)
    return {
        "keywords": headers[-1],
        "bands": _first_stated(lambda header: band_names_of(header, n_planes), headers),
        "flux_unit": _first_stated(unit_text_of, headers),
        "pixel_scale_arcsec": scale,
        "zero_points_mag": (derived,) * n_planes
        if zero_points is None and derived is not None
        else zero_points,
    }


def _without_short_axes(shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Drop axes of length 1, such as frequency and polarization of radio images, and say which; two always stay."""
    kept = [axis for axis, size in enumerate(shape) if size != 1]
    if len(kept) < 2:
        kept = list(range(len(shape)))[-2:]
    dropped = tuple(axis for axis in range(len(shape)) if axis not in kept)
    return tuple(shape[axis] for axis in kept), dropped


def _plane_of(shape: tuple[int, ...], place: FitsPlace) -> tuple[int, ...]:
    """Give the shape of the wanted plane of a cube."""
    if place.plane is None:
        return shape
    if len(shape) < MOST_AXES or not 0 <= place.plane < shape[0]:
        has = f"has {shape[0]} planes, counted from 0" if len(shape) == MOST_AXES else "is no cube"
        raise InputError(f"{place.path} {has}", argument="plane", came=place.plane)
    return shape[1:]


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
                parts = [whole[head.index_of(plane, rows, columns)] for plane in planes]
                return np.stack([_native(values, head.keywords) for values in parts])
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
    faults = [
        *_differing(heads, lambda head: head.n_planes, "the number of bands"),
        *([] if bands is not None else _differing(heads, lambda head: head.bands, "FILTER", way_out="bands")),
        *([] if flux_unit is not None else _differing_units(heads)),
    ]
    if faults:
        ways = "".join(
            f", or give `{name}`" for name in dict.fromkeys(fault.way_out for fault in faults) if name
        )
        raise InputError(f"{'; '.join(fault.text for fault in faults)}; take such images apart{ways}")
    names = _common_names(heads, bands, default.bands)
    units = [head.flux_unit for head in heads if head.flux_unit is not None]
    scales = [head.pixel_scale_arcsec for head in heads]
    first = scales[0] if scales else None
    agree = first is not None and all(
        scale is not None and math.isclose(scale, first, rel_tol=SCALE_TOLERANCE) for scale in scales
    )
    stated = {head.zero_points_mag for head in heads}
    zero_points = next(iter(stated)) if len(stated) == 1 else None
    return ImageHeader(
        names,
        flux_unit if flux_unit is not None else units[0] if units else default.flux_unit,
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


def sky_coordinates(head: FitsHead) -> "WCS | None":
    """Read the world coordinates of an image, or of its file's first HDU; None where there are none of the sky."""
    if has_tables_of_distortion(head.keywords) and isinstance(head.place.hdu, int):
        with opened_fits(head.place.path) as units:
            found = coordinates_with_tables(units, head.place.hdu)
        if found is not None:
            return found
        logger.warning(
            "%s: the tables of distortion that its header names cannot be read; left out", head.place
        )
    found = coordinates_of(head.keywords)
    return found if found is not None and found.has_celestial else None


def _first_stated(rule: Callable[[Header], Fact | None], headers: Sequence[Header]) -> Fact | None:
    """Give what the first header states that states it at all."""
    return next((fact for fact in map(rule, headers) if fact is not None), None)


def _number_of(units: fits.HDUList, place: FitsPlace) -> int:
    """Find the wanted HDU; the first with an image where none is named."""
    if place.hdu is None:
        found = [number for number, unit in enumerate(units) if _has_image(unit)]
        if not found:
            raise InputError(f"{place.path}: {_units_in(units)}; wanted an image, [y, x] or [band, y, x]")
        name = units[found[0]].name
        alike = [number for number in found if name and units[number].name == name]
        if len(alike) > 1:
            _tell_alike(name, len(alike), str(place.file.parent))
        return found[0]
    try:
        number = place.hdu if isinstance(place.hdu, int) else units.index_of(place.hdu)
        unit = units[number]
    except (KeyError, IndexError) as error:
        names = [other.name for other in units if other.name]
        wanted = place.hdu[0] if isinstance(place.hdu, tuple) else place.hdu
        miss = (
            near_miss(wanted.upper(), names)
            if isinstance(wanted, str) and wanted.upper() not in names
            else ""
        )
        raise InputError(
            f"{place.path}: has no HDU {hdu_text(place.hdu)}{miss}; {_way_out(units)}"
        ) from error
    if not _has_image(unit):
        axes = f"an array of {len(unit.shape)} axes" if unit.is_image and unit.shape else "no image"
        raise InputError(
            f"{place.path}: HDU {hdu_text(place.hdu)} holds {axes}, wanted [y, x] or [band, y, x]; {_way_out(units)}"
        )
    return int(number)


@lru_cache(maxsize=1024)
def _tell_alike(name: str, count: int, folder: str) -> None:
    """Say which of several images of one name is taken, once a folder."""
    logger.warning(
        "%s: %d images are named %s; the first is taken: choose with `hdu=%s,2`, or as FILE[%s,2]",
        folder,
        count,
        name,
        name,
        name,
    )


def _has_image(unit: Any) -> bool:
    """Whether an HDU holds pixels in two or three axes, those of length 1 not counted."""
    if not unit.is_image or len(unit.shape) < 2 or 0 in unit.shape:
        return False
    return len(_without_short_axes(tuple(unit.shape))[0]) <= MOST_AXES


def _way_out(units: fits.HDUList) -> str:
    """Name the HDUs that hold images, and how to choose one."""
    names = [unit.name for unit in units]
    found = [
        f"{number} ({_own_name(unit, names)})" if unit.name else str(number)
        for number, unit in enumerate(units)
        if _has_image(unit)
    ]
    if not found:
        return "the file holds no image"
    return f"images are in {', '.join(found)}: choose with `hdu`, or FILE[HDU] for a map"


def _own_name(unit: Any, names: Sequence[str]) -> str:
    """Name an HDU, with its version where several share the name."""
    return f"{unit.name},{unit.ver}" if names.count(unit.name) > 1 else str(unit.name)


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
    n_planes = heads[0].n_planes
    if given is not None:
        if len(given) != n_planes:
            raise SettingsError(
                f"names {len(given)} bands, {heads[0].place.path} has {n_planes}",
                argument="bands",
                came=given,
            )
        return tuple(given)
    stated = [head.bands for head in heads if head.bands is not None]
    if stated:
        silent = [head for head in heads if head.bands is None]
        if silent:
            logger.warning(
                "%s%s: no FILTER is stated; taken as %s, as the others state",
                silent[0].place.path,
                f" and {len(silent) - 1} more" if len(silent) > 1 else "",
                ",".join(stated[0]),
            )
        return stated[0]
    if len(default) == n_planes:
        return default
    if n_planes > MOST_UNNAMED_BANDS:
        raise InputError(
            f"{heads[0].place}: a cube of {n_planes} planes that its header does not name; are they bands? Name them with "
            "`bands`, take one with `plane` (from 0), or another image of the file with `hdu`"
        )
    return tuple(f"band{number}" for number in range(n_planes))


class _Fault(NamedTuple):
    """Images that differ from the others, in words, and the argument that helps."""

    text: str
    way_out: str


def _differing(
    heads: Sequence[FitsHead], fact: Callable[[FitsHead], Any], word: str, *, way_out: str = ""
) -> list[_Fault]:
    """Name images that state something else than the first that states it."""
    first = next((head for head in heads if fact(head) is not None), None)
    if first is None:
        return []
    odd = [head for head in heads if fact(head) not in (None, fact(first))]
    return _told(odd, first, fact, word=word, way_out=way_out)


def _differing_units(heads: Sequence[FitsHead]) -> list[_Fault]:
    """Name images in another unit than the first, or in none where others have one."""
    if not heads:
        return []
    first = heads[0]
    odd = [head for head in heads if not _is_same(head.flux_unit, first.flux_unit)]
    return _told(odd, first, lambda head: head.flux_unit, word="BUNIT", way_out="flux_unit")


def _is_same(one: str | None, other: str | None) -> bool:
    """Whether two units are the same, or none is stated."""
    return one == other or (one is not None and other is not None and is_same_unit(one, other))


def _told(
    odd: Sequence[FitsHead], first: FitsHead, fact: Callable[[FitsHead], Any], *, word: str, way_out: str
) -> list[_Fault]:
    """Say in one piece which images differ in one thing."""
    if not odd:
        return []

    def shown(head: FitsHead) -> str:
        value = fact(head)
        return "not stated" if value is None else ",".join(value) if isinstance(value, tuple) else str(value)

    named = ", ".join(
        f"{head.place.path if place == 0 else head.place.path.name}: {word} is {shown(head)}"
        for place, head in enumerate(odd[:NAMED_AT_MOST])
    )
    more = f" and {len(odd) - NAMED_AT_MOST} more" if len(odd) > NAMED_AT_MOST else ""
    return [_Fault(f"{named}{more}, in {first.place.path.name} it is {shown(first)}", way_out)]


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
