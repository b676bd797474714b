"""A folder of FITS cutouts, plain or compressed, one galaxy a file, [y, x] or [band, y, x]."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.readers.fits import READ_ERRORS, FitsHead, FitsPlace, head_of, read_part, refuse_truncated
from galsmith.data.readers.fits_agreement import SCALE_TOLERANCE, common_header, scale_or_given
from galsmith.data.readers.fits_header import GAIN_COLUMN, gains_beyond_unit, kept_keywords
from galsmith.data.readers.given_maps import GivenMaps, MapsBeside, companions_of_files
from galsmith.data.readers.labels import add_column
from galsmith.data.readers.listing import FITS_SUFFIXES, FilePlace, list_files, listing_as_parent
from galsmith.data.readers.maps import without_undefined
from galsmith.data.readers.options import with_zero_points
from galsmith.data.readers.registry import FitsOptions
from galsmith.data.readers.source import DAMAGED, Listing, Origin, UnusableImage, read_heads
from galsmith.data.readers.surveys import without_maps
from galsmith.data.store import Companions, joined
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import place_of
from galsmith.images import ImageHeader, middle_of

Pixels = NDArray[np.float32]


def named_by_stem(stems: Sequence[str]) -> QTable:
    """Begin a catalog: one row a file, named by its stem."""
    return QTable({"object_id": np.array(stems, dtype=str)})


def _listed(folder: Path) -> dict[str, Path]:
    """List the images of a folder or glob; masks and noise beside them are left out of a folder."""
    files = list_files(folder, FITS_SUFFIXES)
    return without_maps(files) if folder.is_dir() else files


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
    otherwise : ImageHeader, optional
        What to take where neither the options nor the headers say it.
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
        otherwise: ImageHeader | None = None,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        folder = place_of(folder)
        listed: Mapping[str, FilePlace] = _listed(folder) if files is None else files
        places = [FitsPlace(path, options.hdu, options.plane) for path in listed.values()]
        self._heads, faults = read_heads(
            places, head_of, errors=READ_ERRORS, kind="FITS file", progress=progress
        )
        good = [head for head in self._heads if head]
        common = common_header(good, bands=options.bands, flux_unit=options.flux_unit, otherwise=otherwise)
        scale = _common_scale(good, options.pixel_scale_arcsec)
        self.header = with_zero_points(
            common if scale is None else replace(common, pixel_scale_arcsec=scale), options.zero_points_mag
        )
        shapes = np.array([head.size if head else (0, 0) for head in self._heads], dtype=np.int64)
        self._maps = _maps_beside(self._heads, options)
        self._read_maps: dict[int, Companions | None] = {}
        self.listing = Listing(
            list(map(str, listed.values())),
            shapes,
            faults,
            bytes_beside=self._maps.bytes_a_pixel(len(self.header.bands)),
        )
        found = good[0].place.hdu if good else 0
        settings = {
            "kind": "fits",
            "hdu": found if options.hdu is None else options.hdu,
            "bands": list(self.header.bands),
            "pixel_scale_arcsec": self.header.pixel_scale_arcsec,
            "flux_unit": self.header.flux_unit,
            **({} if options.plane is None else {"plane": options.plane}),
            **({} if options.zero_points_mag is None else {"zero_points_mag": self.header.zero_points_mag}),
            **self._maps.settings,
        }
        on_disk = list(dict.fromkeys(place.file for place in places))
        self.origin = Origin(settings, (listing_as_parent(folder, on_disk), *self._maps.parents))
        self.catalog = _with_keywords(identify(list(listed)), self._heads, self.header.flux_unit)

    def read(self, rows: NDArray[np.int64]) -> Iterator[Pixels | UnusableImage]:
        """Read cutouts, each [band, y, x] float32 in the header's unit per pixel.

        What is not finite under a mask or has no inverse variance is 0, as nobody may use it.
        """
        self._read_maps = {}
        return (self._read_one(int(row)) for row in rows)

    def read_middle(self, rows: NDArray[np.int64], side_pix: int) -> Iterator[Pixels | UnusableImage]:
        """Read the middle of cutouts alone, [band, side_pix, side_pix], where they have no maps; else as `read` does."""
        if self._maps.companions:
            return self.read(rows)
        return (self._read_one(int(row), side_pix) for row in rows)

    def companions(self, rows: NDArray[np.int64]) -> Companions | None:
        """Give the maps of cutouts that were read last; None where the files have none."""
        found = [self._read_maps[int(row)] for row in rows]
        return joined([one for one in found if one is not None]) if self._maps.companions else None

    def _read_one(self, row: int, side_pix: int | None = None) -> Pixels | UnusableImage:
        """Read the pixels of one file, or its middle."""
        head = self._heads[row]
        if head is None:
            return self.listing.faults[row]
        rows, columns = (slice(None), slice(None)) if side_pix is None else middle_of(head.size, side_pix)
        try:
            refuse_truncated(head)
            with np.errstate(over="ignore"):
                image = read_part(head, planes=range(head.n_planes), rows=rows, columns=columns)
                image = image.astype(np.float32)
            self._read_maps[row] = beside = self._maps.read(row, image.shape)
            return image if beside is None else without_undefined(image, beside)
        except InputError as error:
            return UnusableImage(DAMAGED, str(error))


def _maps_beside(heads: Sequence[FitsHead | None], options: FitsOptions) -> MapsBeside:
    """Find the maps that were named, and those that the files have in the layout of a survey."""
    good = {row: head for row, head in enumerate(heads) if head}
    given = GivenMaps.of(options)
    found, taken = companions_of_files(given, list(good.values()))
    return MapsBeside.of(given, dict(zip(good, found, strict=True)), taken)


def _common_scale(heads: Sequence[FitsHead], given_arcsec: float | None) -> float | None:
    """Pixel scale of all files; refuse mixed ones and ones that contradict the given one."""
    known = [head for head in heads if head.pixel_scale_arcsec is not None]
    if not known:
        return given_arcsec
    scale, *others = [head.pixel_scale_arcsec or math.nan for head in known]
    for head, other in zip(known[1:], others, strict=True):
        if not math.isclose(other, scale, rel_tol=SCALE_TOLERANCE):
            raise InputError(
                f"{head.place.path}: its pixels are {other:.6g} arcsec, those of {known[0].place.path.name} {scale:.6g}; "
                "put files of one pixel scale in a folder"
            )
    return scale_or_given(known[0], given_arcsec)


def _with_keywords(table: QTable, heads: Sequence[FitsHead | None], flux_unit: str) -> QTable:
    """Add what the headers of the files say, and the electrons per flux unit that follow from it."""
    gains = gains_beyond_unit((head.keywords if head else None for head in heads), flux_unit)
    if gains is not None:
        table[GAIN_COLUMN] = np.array([math.nan if gain is None else gain for gain in gains])
    kept = [kept_keywords(head.keywords) if head else {} for head in heads]
    for name in dict.fromkeys(name for keywords in kept for name in keywords):
        add_column(table, name, [keywords.get(name) for keywords in kept])
    return table
