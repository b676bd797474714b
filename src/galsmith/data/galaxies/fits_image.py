"""One image in a FITS file of somebody: which HDU, what its header says, what all say, and reading a part."""

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from galsmith.data.readers.fits import (
    READ_ERRORS,
    band_names_of,
    images_in,
    opened_fits,
    pixel_scale_of,
    zero_points_of,
)
from galsmith.data.readers.listing import FITS_SUFFIXES
from galsmith.data.readers.options import parse_hdu
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader
from galsmith.settings import near_miss

GZIPPED = (".gz", ".bz2")
GZIPPED_IMAGES_KEPT = 4
IMAGE_AXES = (2, 3)
_READING = threading.Lock()  # decompressing is not for several threads at once
FITS_BLOCK = 2880


@dataclass(frozen=True)
class FitsPlace:
    """A file and which of its HDUs is meant; None is the first that holds an image."""

    path: Path
    hdu: int | str | None = None

    def __str__(self) -> str:
        """Write it as the user does: ``seg.fits[SEG]``."""
        return str(self.path) if self.hdu is None else f"{self.path}[{self.hdu}]"


@dataclass(frozen=True)
class ImageHead:
    """What is known of an image before its pixels are read.

    Attributes
    ----------
    place : FitsPlace
        With the HDU found.
    shape : tuple of int
        (y, x) or (plane, y, x).
    bands : tuple of str or None
        Filter names where the header states them.
    flux_unit : str or None
        BUNIT where stated.
    pixel_scale_arcsec : float or None
        From world coordinates or PIXSCALE.
    header : str
        All cards, for world coordinates.
    zero_points_mag : tuple of float or None
        AB magnitude of one flux unit by plane, where stated.
    """

    place: FitsPlace
    shape: tuple[int, ...]
    bands: tuple[str, ...] | None
    flux_unit: str | None
    pixel_scale_arcsec: float | None
    header: str
    zero_points_mag: tuple[float, ...] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.shape[-2], self.shape[-1]

    @property
    def n_planes(self) -> int:
        """How many images lie on one another."""
        return self.shape[0] if len(self.shape) == 3 else 1


def split_hdu(text: str) -> tuple[str, int | str | None]:
    """Split ``seg.fits[SEG]`` into the name and the HDU; a file whose own name has brackets is left alone."""
    found = re.fullmatch(r"(.*)\[([^\[\]]+)\]", text)
    if found is None or Path(text).exists():
        return text, None
    return found[1], parse_hdu(found[2])


def read_head(place: FitsPlace) -> ImageHead:
    """Read the header of one image and check that the file is long enough for its pixels.

    Raises
    ------
    InputError
        If the file is missing, truncated or no FITS file, or the HDU holds no image; the message names the HDUs
        that do.
    """
    try:
        with opened_fits(place.path) as units:
            return _head_in(units, place)
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"{place.path}: there is no such file{_similar_file(place.path)}") from error
    except READ_ERRORS as error:
        raise InputError(f"{place.path}: not a FITS file that can be read ({_one_line(error)})") from error


def read_part(
    head: ImageHead,
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
            return _part(head, planes, rows, columns)
    except MemoryError:
        raise
    except Exception as error:  # what a damaged tile raises has a private type
        raise InputError(
            f"{head.place.path}: the FITS file is truncated or damaged ({_one_line(error)})"
        ) from error


def common_header(heads: Sequence[ImageHead], bands: Sequence[str] | None) -> ImageHeader:
    """Give what is true of all images; bands without a name are called ``band0`` and so on.

    Parameters
    ----------
    heads : sequence of ImageHead
        Of all images.
    bands : sequence of str or None
        Names of the planes, before those of the headers.

    Raises
    ------
    InputError
        If images differ in number or names of bands, or in their unit: fluxes of one column have one unit.
    SettingsError
        If there are more or fewer names than planes.
    """
    names = _common_names(heads, bands)
    stated = {head.zero_points_mag for head in heads}
    zero_points = next(iter(stated)) if len(stated) == 1 else None
    return ImageHeader(
        names,
        _common_flux_unit(heads),
        _common_pixel_scale(heads),
        zero_points_mag={} if zero_points is None else dict(zip(names, zero_points, strict=True)),
    )


def _common_flux_unit(heads: Sequence[ImageHead]) -> str:
    """Give the unit that all images state in BUNIT; ``"unknown"`` where none does."""
    for head in heads:
        if head.flux_unit != heads[0].flux_unit:
            raise InputError(
                f"{head.place}: BUNIT is {head.flux_unit}, in {heads[0].place.path.name} it is {heads[0].flux_unit}; "
                "measure images of different units apart"
            )
    unit = heads[0].flux_unit
    return "unknown" if unit is None else unit


def _common_pixel_scale(heads: Sequence[ImageHead], *, tolerance: float = 1e-3) -> float | None:
    """Give the pixel scale that all images state, in arcsec; None where one differs or is not stated."""
    scales = [head.pixel_scale_arcsec for head in heads]
    first = scales[0]
    if first is None:
        return None
    agree = all(scale is not None and abs(scale - first) <= tolerance * first for scale in scales)
    return first if agree else None


def _common_names(heads: Sequence[ImageHead], given: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the bands that all images have."""
    first = heads[0]
    for head in heads:
        if head.n_planes != first.n_planes:
            raise InputError(
                f"{head.place}: has {head.n_planes} planes, {first.place.path.name} has {first.n_planes}; "
                "measure images of different bands apart"
            )
        if given is None and head.bands != first.bands:
            raise InputError(
                f"{head.place}: FILTER is {_named(head)}, in {first.place.path.name} it is {_named(first)}; measure them "
                "apart, or name the bands with `bands`"
            )
    if given is not None:
        if len(given) != first.n_planes:
            raise SettingsError(
                f"names {len(given)} bands, {first.place} has {first.n_planes}", argument="bands", came=given
            )
        return tuple(given)
    return first.bands if first.bands is not None else tuple(f"band{k}" for k in range(first.n_planes))


def _named(head: ImageHead) -> str:
    """Name the filters of one image."""
    return ",".join(head.bands) if head.bands is not None else "not stated"


def _part(head: ImageHead, planes: Sequence[int], rows: slice, columns: slice) -> NDArray[Any]:
    """Read a part of an image, [plane, y, x]."""
    place = head.place
    if place.path.suffix in GZIPPED:
        return _native(_whole(place)[..., rows, columns], planes)
    with opened_fits(place.path, memmap=True) as units:
        section = units[place.hdu].section
        if len(head.shape) == 2:
            return _native(section[rows, columns], (0,))
        return np.stack([_native(section[plane, rows, columns], (0,))[0] for plane in planes])


@lru_cache(maxsize=GZIPPED_IMAGES_KEPT)
def _whole(place: FitsPlace) -> NDArray[Any]:
    """Read a zipped image, which has no parts that can be read alone; the last few are kept."""
    with opened_fits(place.path) as units:
        return np.asarray(units[place.hdu].data)


def _native(values: NDArray[Any], planes: Sequence[int]) -> NDArray[Any]:
    """Bring values to the machine's byte order and to [plane, y, x]."""
    array = values[np.newaxis] if values.ndim == 2 else values[list(planes)]
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))


def _head_in(units: fits.HDUList, place: FitsPlace) -> ImageHead:
    """Read what the wanted HDU of an open file says."""
    number = _number_of(units, place)
    unit = units[number]
    _check_length(place.path, unit)
    primary = units[0].header
    header = {**{key: primary[key] for key in primary if key in ("BUNIT", "FILTER")}, **dict(unit.header)}
    n_planes = unit.shape[0] if len(unit.shape) == 3 else 1
    bunit = header.get("BUNIT")
    return ImageHead(
        place=FitsPlace(place.path, number),
        shape=tuple(unit.shape),
        bands=band_names_of(header, n_planes),
        flux_unit=bunit.strip() if isinstance(bunit, str) and bunit.strip() else None,
        pixel_scale_arcsec=pixel_scale_of(header),
        header=unit.header.tostring(sep="\n"),
        zero_points_mag=zero_points_of(header, n_planes),
    )


def _number_of(units: fits.HDUList, place: FitsPlace) -> int:
    """Find the wanted HDU; the first with an image where none is named."""
    if place.hdu is None:
        found = [number for number, unit in enumerate(units) if _has_image(unit)]
        if not found:
            raise InputError(f"{place.path}: {_units_in(units)}; wanted an image of [y, x] pixels")
        return found[0]
    try:
        number = place.hdu if isinstance(place.hdu, int) else units.index_of(place.hdu)
        unit = units[number]
    except (KeyError, IndexError) as error:
        names = [other.name for other in units if other.name]
        miss = near_miss(str(place.hdu).upper(), names) if isinstance(place.hdu, str) else ""
        raise InputError(f"{place.path}: has no HDU {place.hdu}{miss}; {_way_out(units)}") from error
    if not _has_image(unit):
        raise InputError(f"{place.path}: HDU {place.hdu} holds no image; {_way_out(units)}")
    return int(number)


def _has_image(unit: Any) -> bool:
    """Whether an HDU holds pixels in two or three axes."""
    return bool(unit.is_image) and len(unit.shape) in IMAGE_AXES


def _way_out(units: fits.HDUList) -> str:
    """Name the HDUs that hold images, and how to choose one."""
    return images_in(units).replace("choose with `hdu`", "choose with `hdu`, or FILE[HDU] for a map")


def _units_in(units: fits.HDUList) -> str:
    """Name what a file without images holds."""
    words = [
        f"{number} {unit.name or type(unit).__name__} {unit.shape}"
        for number, unit in enumerate(units)
        if hasattr(unit, "shape")
    ]
    tables = [f"{number} ({unit.name or 'table'})" for number, unit in enumerate(units) if not unit.is_image]
    if tables:
        return f"holds no image, only tables in HDU {', '.join(tables)}"
    return f"holds no image of two or three axes ({', '.join(words)})"


def _check_length(path: Path, unit: Any) -> None:
    """Refuse a plain file that ends before its pixels do."""
    if path.suffix in GZIPPED:
        return
    info = unit.fileinfo() or {}
    # the last block may lack its padding
    wanted, has = info.get("datLoc", 0) + max(0, info.get("datSpan", 0) - FITS_BLOCK + 1), path.stat().st_size
    if has < wanted:
        raise InputError(
            f"{path}: the FITS file is truncated: it has {has:,} bytes, its header promises {wanted:,} or more; "
            "fetch it again"
        )


def _similar_file(path: Path) -> str:
    """Name the file of the same folder that was probably meant."""
    if not path.parent.is_dir():
        return f"; nor is there a folder {path.parent}"
    names = [other.name for other in path.parent.iterdir() if other.name.lower().endswith(FITS_SUFFIXES)]
    return near_miss(path.name, names)


def _one_line(error: BaseException) -> str:
    """Text of an error in one line."""
    return " ".join(str(error).split())
