"""A folder of FITS cutouts, plain or compressed, one galaxy a file, [y, x] or [band, y, x]."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.readers.fits import (
    READ_ERRORS,
    band_names_of,
    images_in,
    kept_keywords,
    opened_fits,
    pixel_scale_of,
    zero_points_of,
)
from galsmith.data.readers.labels import add_column
from galsmith.data.readers.listing import FITS_SUFFIXES, list_files, listing_as_parent
from galsmith.data.readers.registry import FitsOptions
from galsmith.data.readers.source import Listing, Origin, UnusableImage, read_heads, read_or_fault
from galsmith.data.readers.tar_files import FilePlace
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images import ImageHeader

Pixels = NDArray[np.float32]
SCALE_TOLERANCE = 1e-3


@dataclass(frozen=True)
class CutoutHead:
    """What the header of one file says."""

    shape: tuple[int, ...]
    pixel_scale_arcsec: float | None
    unit: str | None
    bands: tuple[str, ...] | None
    zero_points_mag: tuple[float, ...] | None
    keywords: Mapping[str, Any]

    @property
    def n_bands(self) -> int:
        """Length of the band axis."""
        return self.shape[0] if len(self.shape) == 3 else 1


Heads = Sequence[tuple[FilePlace, CutoutHead]]


@dataclass(frozen=True)
class FitsDefaults:
    """What to take where neither the user nor a header says it.

    Attributes
    ----------
    bands : tuple of str or None
        Filter names.
    pixel_scale_arcsec : float or None
        Angle per pixel side.
    flux_unit : str
        Unit of a pixel's value.
    zero_points_mag : mapping of band to float
        AB magnitude of one flux unit.
    """

    bands: tuple[str, ...] | None = None
    pixel_scale_arcsec: float | None = None
    flux_unit: str = "unknown"
    zero_points_mag: Mapping[str, float] = field(default_factory=dict)


NO_DEFAULTS = FitsDefaults()


def named_by_stem(stems: Sequence[str]) -> QTable:
    """Begin a catalog: one row a file, named by its stem."""
    return QTable({"object_id": np.array(stems, dtype=str)})


class FitsSource:
    """FITS cutouts of one folder, sorted by stem; all have the same bands, unit and pixel scale.

    Parameters
    ----------
    folder : str or Path
        Where the files are; a folder, or the archive that `files` are in.
    options : FitsOptions
        HDU, bands, pixel scale and unit, where the headers do not say them.
    files : mapping of name to FilePlace, optional
        Only these files; all of the folder when left out.
    identify : callable
        Begins the catalog from the files' stems.
    defaults : FitsDefaults
        What to take where neither the other arguments nor the headers say it.
    progress : callable
        Told how far reading the headers is.

    Raises
    ------
    InputError
        If the folder cannot be used, or two files differ in bands, unit or pixel scale.
    SettingsError
        If `bands`, `hdu` or `pixel_scale_arcsec` do not fit the files.
    """

    def __init__(
        self,
        folder: str | Path,
        options: FitsOptions = FitsOptions(),
        *,
        files: Mapping[str, FilePlace] | None = None,
        identify: Callable[[Sequence[str]], QTable] = named_by_stem,
        defaults: FitsDefaults = NO_DEFAULTS,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        folder, self._options = Path(folder), options
        listed_files: Mapping[str, FilePlace] = list_files(folder, FITS_SUFFIXES) if files is None else files
        self._paths = list(listed_files.values())
        heads, faults = read_heads(
            self._paths,
            lambda path: _read_head(path, options.hdu),
            errors=READ_ERRORS,
            kind="FITS file",
            progress=progress,
        )
        good = [(path, head) for path, head in zip(self._paths, heads, strict=True) if head]
        names = _common_bands(good, options.bands, defaults.bands)
        stated_scale = _common_scale(good, options.pixel_scale_arcsec)
        self.header = ImageHeader(
            names,
            options.flux_unit if options.flux_unit is not None else _common_unit(good, defaults.flux_unit),
            stated_scale if stated_scale is not None else defaults.pixel_scale_arcsec,
            zero_points_mag={
                **{band: value for band, value in defaults.zero_points_mag.items() if band in names},
                **_common_zero_points(good, names),
            },
        )
        shapes = np.array([head.shape[-2:] if head else (0, 0) for head in heads], dtype=np.int64)
        self.listing = Listing(list(map(str, self._paths)), shapes, faults)
        settings = {
            "kind": "fits",
            "hdu": options.hdu,
            "bands": list(names),
            "pixel_scale_arcsec": self.header.pixel_scale_arcsec,
            "flux_unit": self.header.flux_unit,
        }
        listed = [path for path in self._paths if isinstance(path, Path)]
        self.origin = Origin(settings, (listing_as_parent(folder, listed if listed else [folder]),))
        self.catalog = _with_keywords(identify(list(listed_files)), heads)

    def read(self, rows: NDArray[np.int64]) -> Iterator[Pixels | UnusableImage]:
        """Read cutouts, each [band, y, x] float32 in the header's unit per pixel."""
        return (self._read_one(int(row)) for row in rows)

    def _read_one(self, row: int) -> Pixels | UnusableImage:
        """Read the pixels of one file."""
        path = self._paths[row]
        if row in self.listing.faults:
            return self.listing.faults[row]

        def pixels() -> Pixels:
            with opened_fits(path) as units, np.errstate(over="ignore"):
                data = units[self._options.hdu].data
                return np.array(data if data.ndim == 3 else data[np.newaxis], dtype=np.float32)

        return read_or_fault(path, pixels, errors=READ_ERRORS, kind="FITS file")


def _read_head(path: FilePlace, hdu: int | str) -> CutoutHead:
    """Read the header of one file."""
    with opened_fits(path) as units:
        try:
            unit = units[hdu]
        except (KeyError, IndexError) as error:
            raise InputError(f"{path}: has no HDU {hdu!r}; {images_in(units)}") from error
        shape = tuple(getattr(unit, "shape", ()))
        if not unit.is_image or len(shape) not in (2, 3):
            what = f"an array of {len(shape)} axes" if shape else "no image"
            raise InputError(
                f"{path}: HDU {hdu!r} holds {what}, wanted [y, x] or [band, y, x]; {images_in(units)}"
            )
        header = {**kept_keywords(units[0].header), **dict(unit.header)}
    n_bands = shape[0] if len(shape) == 3 else 1
    bunit = header.get("BUNIT")
    return CutoutHead(
        shape=shape,
        pixel_scale_arcsec=pixel_scale_of(header),
        unit=bunit.strip() if isinstance(bunit, str) and bunit.strip() else None,
        bands=band_names_of(header, n_bands),
        zero_points_mag=zero_points_of(header, n_bands),
        keywords=kept_keywords(header),
    )


def _common_bands(
    heads: Heads, given: Sequence[str] | None, default: tuple[str, ...] | None
) -> tuple[str, ...]:
    """Names of the bands that all files have."""
    if not heads:
        return tuple(given) if given is not None else default or ("band0",)
    first_path, first = heads[0]
    for path, head in heads:
        if head.n_bands != first.n_bands:
            raise InputError(
                f"{path}: has {head.n_bands} bands, {first_path.name} has {first.n_bands}; "
                "put files of the same bands in a folder"
            )
    if given is not None:
        if len(given) != first.n_bands:
            raise SettingsError(
                f"names {len(given)} bands, {first_path} has {first.n_bands}", argument="bands", came=given
            )
        return tuple(given)
    stated = _agreed_bands(heads)
    if stated is None and default is not None and len(default) == first.n_bands:
        return default
    return stated or tuple(f"band{number}" for number in range(first.n_bands))


def _agreed_bands(heads: Heads) -> tuple[str, ...] | None:
    """Give the filters that the files name; refuse files of different filters."""
    first_path, first = heads[0]
    for path, head in heads:
        if head.bands != first.bands:
            raise InputError(
                f"{path}: FILTER is {_named(head)}, in {first_path.name} it is {_named(first)}; put files of the same "
                "bands in a folder, or name the bands with `bands`"
            )
    return first.bands


def _named(head: CutoutHead) -> str:
    """Name the filters of one file."""
    return ",".join(head.bands) if head.bands is not None else "not stated"


def _common_zero_points(heads: Heads, bands: tuple[str, ...]) -> dict[str, float]:
    """Zero points where all files state the same; differing ones stay in the catalog alone."""
    stated = {head.zero_points_mag for _, head in heads}
    values = next(iter(stated)) if len(stated) == 1 else None
    return dict(zip(bands, values, strict=True)) if values is not None else {}


def _common_unit(heads: Heads, default: str) -> str:
    """Give the unit that all files state in BUNIT."""
    for path, head in heads:
        if head.unit != heads[0][1].unit:
            raise InputError(
                f"{path}: BUNIT is {head.unit}, in {heads[0][0].name} it is {heads[0][1].unit}; "
                "put files of one unit in a folder, or give `flux_unit`"
            )
    unit = heads[0][1].unit if heads else None
    return unit if unit is not None else default


def _common_scale(heads: Heads, given: float | None) -> float | None:
    """Pixel scale of all files; refuse mixed ones and ones that contradict the given one."""
    known = [(path, head.pixel_scale_arcsec) for path, head in heads if head.pixel_scale_arcsec is not None]
    if not known:
        return given
    reference_path, reference = known[0]
    for path, scale in known:
        if not math.isclose(scale, reference, rel_tol=SCALE_TOLERANCE):
            raise InputError(
                f"{path}: its pixels are {scale:.6g} arcsec, those of {reference_path.name} {reference:.6g}; "
                "put files of one pixel scale in a folder"
            )
    if given is not None and not math.isclose(given, reference, rel_tol=10 * SCALE_TOLERANCE):
        raise SettingsError(
            f"the header of {reference_path} says {reference:.6g} arcsec; "
            "leave the option out, or mend the header",
            argument="pixel_scale_arcsec",
            came=f"{given:g}",
        )
    return given if given is not None else reference


def _with_keywords(table: QTable, heads: Sequence[CutoutHead | None]) -> QTable:
    """Add what the headers of the files say."""
    names: dict[str, None] = {}
    for head in heads:
        names.update(dict.fromkeys(head.keywords if head else ()))
    for name in names:
        add_column(table, name, [head.keywords.get(name) if head else None for head in heads])
    return table
