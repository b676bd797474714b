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
from typing import TYPE_CHECKING, Any, TypeVar

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
    missing_distortion,
    pixel_scale_of,
    unit_text_of,
    zero_points_of,
)
from galsmith.data.readers.listing import FITS_SUFFIXES, FilePlace, TarMember
from galsmith.data.readers.options import Hdu, hdu_text, parse_hdu
from galsmith.data.readers.surveys import is_named_as_map
from galsmith.errors import InputError
from galsmith.files import place_of
from galsmith.files.bounds import bytes_on_disk, refuse_excess
from galsmith.settings import near_miss

if TYPE_CHECKING:
    from astropy.wcs import WCS

Part = Callable[[int, slice, slice], NDArray[Any]]
Fact = TypeVar("Fact")
SCALED = ("BSCALE", "BZERO", "BLANK")
READ_ERRORS = (Exception,)  # what astropy raises at damaged files has many types, some of them private
MOST_AXES = 3
FITS_BLOCK = 2880
PACKED_IMAGES_KEPT = 4
LARGEST_SUMMED, WRONG_SUM = 2**26, 0  # larger images are not read once more for their checksum
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
    pixel_bytes : int
        Of one pixel in memory, before it is brought to any other type.
    pixels_together : int
        How many are decompressed at once: all of a packed file, those of a tile, or 1.
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
    pixel_bytes: int
    pixels_together: int

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
    if found is None or place_of(text).exists():
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


def head_of(place: FitsPlace, *, is_map: bool = False) -> FitsHead:
    """Read the header of one image; at a damaged file it raises one of `READ_ERRORS`.

    Of a map only its shape, keywords and unit are read: its place on the sky is that of its image, and takes long.

    Raises
    ------
    InputError
        If the HDU holds no image; the message names the HDUs that do.
    """
    with opened_fits(place.path) as units:
        number = _number_of(units, place)
        unit, info = units[number], units[number].fileinfo() or {}
        if "DATASUM" in unit.header and unit.size < LARGEST_SUMMED and unit.verify_datasum() == WRONG_SUM:
            _tell_wrong_sum(str(place.file))
        own = keywords_of(unit.header, place.path)
        if "BSOFTEN" in own and "BOFFSET" in own:
            _tell_asinh(str(place.file.parent))
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
            **(
                _facts_of_map({**passed_on, **own})
                if is_map
                else _facts((own, {**passed_on, **own}), shape[0] if len(shape) == MOST_AXES else 1)
            ),
            has_coordinates=has_coordinates,
            # the last block may lack its padding
            n_bytes=0
            if is_packed
            else info.get("datLoc", 0) + max(0, info.get("datSpan", 0) - FITS_BLOCK + 1),
            # scaled integers become floats of as many bytes or more (astropy, images and scaling)
            pixel_bytes=max(4, abs(int(unit.header["BITPIX"])) // 8),
            pixels_together=math.prod(map(int, unit.shape if is_packed else getattr(unit, "tile_shape", ()))),
        )


def _refuse_excess(head: FitsHead, shape: Sequence[int]) -> None:
    """Raise `InputError` if a part, or what has to be decompressed for it, is larger than can be believed."""
    n_pixels = max(math.prod(shape), head.pixels_together)
    refuse_excess(head.place.path, n_pixels * head.pixel_bytes, bytes_on_disk(head.place.file))


def _facts_of_map(header: Header) -> dict[str, Any]:
    """Give what a header states of a map."""
    unknown = dict.fromkeys(("bands", "pixel_scale_arcsec", "zero_points_mag"))
    return {"keywords": header, "flux_unit": unit_text_of(header), **unknown}


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


def read_head(place: FitsPlace, *, is_map: bool = False) -> FitsHead:
    """Read the header of one image, or of a map, and check that the file is long enough for its pixels.

    Raises
    ------
    InputError
        If the file is missing, truncated or no FITS file, or the HDU holds no image; the message names the HDUs
        that do.
    """
    path = place.file
    try:
        head = head_of(place, is_map=is_map)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file{_similar_file(path)}") from error
    except READ_ERRORS as error:
        raise InputError(f"{path}: not a FITS file that can be read ({_one_line(error)})") from error
    refuse_truncated(head)
    return head


def refuse_truncated(head: FitsHead) -> None:
    """Raise `InputError` if a file is too short for the pixels that its header promises."""
    path = head.place.file
    if path.stat().st_size < head.n_bytes:
        raise InputError(
            f"{path}: the FITS file is truncated: it has {path.stat().st_size:,} bytes, its header promises "
            f"{head.n_bytes:,} or more; fetch it again"
        )


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
    sides = [len(range(side)[chosen]) for side, chosen in zip(head.size, (rows, columns), strict=True)]
    _refuse_excess(head, (len(planes), *sides))
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
    found, missing = coordinates_of(head.keywords), missing_distortion(head.keywords)
    if found is None or not found.has_celestial:
        return None
    if missing is not None:
        logger.warning(
            "%s: its header names the distortion %s and has no terms of it that can be read; left out",
            head.place,
            missing,
        )
    return found


def _first_stated(rule: Callable[[Header], Fact | None], headers: Sequence[Header]) -> Fact | None:
    """Give what the first header states that states it at all."""
    return next((fact for fact in map(rule, headers) if fact is not None), None)


def _number_of(units: fits.HDUList, place: FitsPlace) -> int:
    """Find the wanted HDU; the first with an image where none is named."""
    if place.hdu is None:
        found = [number for number, unit in enumerate(units) if _has_image(unit)]
        if not found:
            raise InputError(f"{place.path}: {_units_in(units)}; wanted an image, [y, x] or [band, y, x]")
        # an image goes before what is a mask or noise by its name
        found.sort(key=lambda number: is_named_as_map(units[number].name))
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
def _tell_wrong_sum(path: str) -> None:
    """Say that pixels are not those that the header's checksum is of."""
    logger.warning(
        "%s: DATASUM says that the pixels were damaged, or changed after it was written; fetch it again", path
    )


@lru_cache(maxsize=1024)
def _tell_asinh(folder: str) -> None:
    """Say that pixels may be logarithms of the flux, once a folder."""
    logger.warning(
        "%s: BSOFTEN and BOFFSET say that pixels are asinh magnitudes, as in stacks of Pan-STARRS; unless yours are flux "
        "already, bring them to BOFFSET + 2 BSOFTEN sinh(value / 1.0857) first",
        folder,
    )


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
