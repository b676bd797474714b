"""A HATS catalog of images as a source: rows known before pixels, images and maps read as they come."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.hats.layout import (
    FLUX,
    HEIGHT,
    IMAGE,
    IVAR,
    MASK,
    PSF_FWHM,
    SCALE,
    WIDTH,
    Table,
    open_table,
)
from galsmith.data.hats.nested import Cube
from galsmith.data.readers.hats.bands import Bands, bands_of, by_column, numbers_by_band
from galsmith.data.readers.hats.columns import (
    ImageColumn,
    OwnMetadata,
    catalog_of,
    image_column,
    open_file,
    own_metadata,
    read_columns,
)
from galsmith.data.readers.hats.stream import Groups, ImageStream
from galsmith.data.readers.listing import listing_as_parent
from galsmith.data.readers.maps import without_undefined
from galsmith.data.readers.options import HatsOptions, with_zero_points
from galsmith.data.readers.source import DAMAGED, Listing, Origin, UnusableImage
from galsmith.data.store import Companions, joined
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageHeader

Pixels = NDArray[np.float32]
ROWS_PROPERTY = "hats_nrows"
OTHER_SHAPE = "of another shape"
FWHM_COLUMN, SCALE_COLUMN = "psf_fwhm_arcsec", "pixel_scale_arcsec"
ROWS_PER_EVENT = 256
NAMES_SHOWN = 6
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Read:
    """All that is known of a catalog without its pixels."""

    table: Table
    column: ImageColumn
    rows: pa.Table
    groups: Groups
    own: OwnMetadata


class HatsSource:
    """All images of a HATS catalog, in the order of the sky, with their noise and masks.

    Parameters
    ----------
    place : str or Path
        Folder of the catalog, or of a collection.
    options : HatsOptions
        Bands, unit, pixel scale, and what masks mean.
    progress : callable
        Told how far reading the catalog is.

    Raises
    ------
    InputError
        If a partition, a column or an identifier is missing, has another shape, or is damaged.
    SettingsError
        If no image has a band that is wanted.
    """

    def __init__(
        self,
        place: str | Path,
        options: HatsOptions | None = None,
        *,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        options = HatsOptions() if options is None else options
        read = _read_catalog(open_table(Path(place)), progress)
        self._bands = bands_of(read.rows, options.bands, place=str(place))
        self._lists = [name for name in (FLUX, IVAR, MASK) if name in read.column.fields]
        self._mask_is_usable = options.mask_true == "usable"
        is_own = read.own.header is not None
        self.catalog = catalog_of(read.rows, read.column.scalars, is_own=is_own)
        names = [f"{place}: {name}" for name in self.catalog["object_id"]]
        faults = self._bands.faults(names)
        self.header = _header(read, self._bands, options, self.catalog)
        shapes = _shapes(read, names, faults, progress)
        most = max(1, int(shapes.prod(axis=1).max(initial=1))) * max(map(len, self._bands.kinds))
        self._stream = ImageStream(read.groups, self._lists, values_a_row=most)
        n_bands = len(self.header.bands)
        beside = n_bands * (4 * (IVAR in self._lists) + (MASK in self._lists))
        splits = (
            np.asarray(self.catalog["split"], dtype=str)
            if is_own and "split" in self.catalog.colnames
            else None
        )
        self.listing = Listing(names, shapes, faults, splits=splits, bytes_beside=beside)
        self._read_maps: dict[int, Companions] = {}
        parent = listing_as_parent(read.table.folder, read.table.files)
        notes = {"columns_left": list(read.column.left)} if read.column.left else {}
        self.origin = Origin(
            _settings(self.header, options), (parent,), notes, lost_before=read.own.lost_before
        )
        if read.column.left:
            shown = ", ".join(read.column.left[:NAMES_SHOWN])
            logger.warning("%s: columns with several values a row go into no catalog: %s", place, shown)

    def read(self, rows: NDArray[np.int64]) -> Iterator[Pixels | UnusableImage]:
        """Read images, each [band, y, x] float32 in the header's unit per pixel.

        What is not finite under a mask or has no inverse variance is 0, as nobody may use it.
        """
        self._read_maps = {}
        return (self._read_one(int(row)) for row in rows)

    def companions(self, rows: NDArray[np.int64]) -> Companions | None:
        """Give noise and masks of the images that were read last; None where the catalog has none."""
        found = [self._read_maps[int(row)] for row in rows if int(row) in self._read_maps]
        return joined(found) if found else None

    def _read_one(self, row: int) -> Pixels | UnusableImage:
        """Read one image and its maps, or say what is wrong with them."""
        if row in self.listing.faults:
            return self.listing.faults[row]
        name = self.listing.names[row]
        try:
            cubes = self._stream.read(row)
        except InputError as error:
            return UnusableImage(DAMAGED, f"{name}: {error}")
        n_bands, places = self._bands.of(row)
        wanted = (n_bands, *map(int, self.listing.shapes[row]))
        for list_name, cube in cubes.items():
            if cube is None or cube.shape != wanted:
                return UnusableImage(OTHER_SHAPE, f"{name}: {_shape_said(list_name, cube, wanted)}")
        taken = {list_name: cube[places] for list_name, cube in cubes.items() if cube is not None}
        image = taken[FLUX].astype(np.float32)
        if len(taken) == 1:
            return image
        beside = self._maps_of(taken, name)
        if isinstance(beside, UnusableImage):
            return beside
        self._read_maps[row] = beside
        return without_undefined(image, beside)

    def _maps_of(self, taken: Mapping[str, Cube], name: str) -> Companions | UnusableImage:
        """Give noise and mask of one image as a store has them."""
        found: dict[str, Any] = {}
        if IVAR in taken:
            ivar = np.where(np.isnan(taken[IVAR]), 0, taken[IVAR]).astype(np.float32)
            if not (np.isfinite(ivar).all() and (ivar >= 0).all()):
                worst = ivar[~(np.isfinite(ivar) & (ivar >= 0))][0]
                return UnusableImage(
                    "of negative ivar" if worst < 0 else "of infinite ivar",
                    f"{name}: {IMAGE}.{IVAR} holds {worst:g}; wanted inverse variances of 0 (nothing known) or more",
                )
            found["ivars"] = [ivar]
        if MASK in taken:
            mask = taken[MASK] != 0
            found["masks"] = [~mask if self._mask_is_usable else mask]
        return Companions(**found)


def _shape_said(name: str, cube: Cube | None, wanted: tuple[int, ...]) -> str:
    """Say what is wrong with the shape of a list."""
    had = (
        "is no [band, y, x] of numbers with rows of one length" if cube is None else f"has shape {cube.shape}"
    )
    said = f", wanted {wanted}, as its bands and its size are" if wanted else ""
    return f"{IMAGE}.{name} {had}{said}"


def _read_catalog(table: Table, progress: ProgressCallback) -> _Read:
    """Read the rows of all files without pixels, and refuse files that do not belong together."""
    first: tuple[ImageColumn, OwnMetadata] | None = None
    tables, files, numbers, counts = [], [], [], []
    for done, path in enumerate(table.files, start=1):
        file = open_file(path)
        column = image_column(path, file.schema_arrow)
        if first is None:
            first = column, own_metadata(path, file.schema_arrow)
        elif (column.fields, column.scalars, column.has_sizes) != (
            first[0].fields,
            first[0].scalars,
            first[0].has_sizes,
        ):
            raise InputError(
                f"{path}: has other columns than {table.files[0]}; wanted the same in all partitions"
            )
        tables.append(read_columns(file, path, column))
        for number in range(file.metadata.num_row_groups):
            files.append(path)
            numbers.append(number)
            counts.append(file.metadata.row_group(number).num_rows)
        progress(ProgressEvent("reading the catalog", done, len(table.files), "files"))
    if first is None or not sum(counts):
        raise InputError(f"{table.folder}: has no rows; wanted one an image")
    try:
        rows = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(f"{table.folder}: partitions have columns of different types ({error})") from error
    _refuse_lost_rows(table, len(rows))
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return _Read(table, first[0], rows, Groups(files, np.array(numbers, dtype=np.int64), starts), first[1])


def _refuse_lost_rows(table: Table, n_rows: int) -> None:
    """Refuse a catalog that has not as many rows as it says."""
    said = table.properties.get(ROWS_PROPERTY, "")
    if said.isdecimal() and int(said) != n_rows:
        raise InputError(
            f"{table.folder}: has {n_rows:,} rows, and its page says {ROWS_PROPERTY}={said}; a partition is missing or cut "
            f"off: download it anew, or remove that line where the rows are right"
        )


def _header(read: _Read, bands: Bands, options: HatsOptions, catalog: QTable) -> ImageHeader:
    """Say what is true of all images; what differs by image goes into the catalog."""
    own = read.own.header
    fwhm, scales = (numbers_by_band(read.rows, name, bands) for name in (PSF_FWHM, SCALE))
    if own is not None:
        zero_points = {band: value for band, value in own.zero_points_mag.items() if band in bands.names}
        header = replace(own, bands=bands.names, zero_points_mag=zero_points)
    else:
        header = ImageHeader(bands.names, "unknown")
        if scales is not None:
            header = replace(header, pixel_scale_arcsec=_common_scale(scales, catalog, read.table.folder))
        if fwhm is not None:
            known = np.where(fwhm > 0, fwhm, np.float32(np.nan))  # 0 stands for unknown in published sets
            for name, values in by_column(known, FWHM_COLUMN, bands.names).items():
                catalog[f"label_{name}" if name in catalog.colnames else name] = values
            if np.ptp(known) == 0 and header.pixel_scale_arcsec:
                header = replace(
                    header, psf={"psf_fwhm_pix": _shortest(known[0, 0]) / header.pixel_scale_arcsec}
                )
    if options.flux_unit is not None:
        header = replace(header, flux_unit=options.flux_unit)
    if options.pixel_scale_arcsec is not None:
        header = replace(header, pixel_scale_arcsec=options.pixel_scale_arcsec)
    return with_zero_points(header, options.zero_points_mag)


def _common_scale(scales: NDArray[np.float32], catalog: QTable, folder: Path) -> float | None:
    """Pixel scale of all images, or None and a column of the catalog where it differs by image."""
    known = np.isfinite(scales).all(axis=1) & (scales > 0).all(axis=1)
    mixed = np.flatnonzero(known & (np.ptp(scales, axis=1) > 0))
    if len(mixed):
        row = int(mixed[0])
        raise SettingsError(
            f"the bands of {catalog['object_id'][row]} in {folder} have pixels of "
            f"{', '.join(f'{_shortest(scale):g}' for scale in scales[row])} arcsec; take bands of one pixel scale",
            argument="bands",
            came="all that are taken",
        )
    if not known.any():
        return None
    if known.all() and np.ptp(scales) == 0:
        return _shortest(scales[0, 0])
    catalog[SCALE_COLUMN] = np.where(known, scales[:, 0], np.nan).astype(np.float64)
    return None


def _shortest(value: np.float32) -> float:
    """Give the number that somebody wrote, such as 0.168, of its float32."""
    return float(str(value))


def _shapes(
    read: _Read, names: Sequence[str], faults: dict[int, UnusableImage], progress: ProgressCallback
) -> NDArray[np.int64]:
    """Height and width of every image, [row, 2] int64: as columns or the schema say, or as the smallest list has them.

    What has no shape is added to the faults.
    """
    n_rows = len(read.rows)
    if read.column.has_sizes:
        return np.stack([read.rows[name].to_numpy().astype(np.int64) for name in (HEIGHT, WIDTH)], axis=1)
    if read.column.size is not None:
        return np.tile(np.array(read.column.size, dtype=np.int64), (n_rows, 1))
    name = MASK if MASK in read.column.fields else FLUX
    stream = ImageStream(read.groups, (name,), values_a_row=_mean_values(read))
    found = np.zeros((n_rows, 2), dtype=np.int64)
    for row in range(n_rows):
        try:
            cube = stream.read(row)[name]
        except InputError as error:
            faults.setdefault(row, UnusableImage(DAMAGED, f"{names[row]}: {error}"))
            continue
        if cube is None:
            faults.setdefault(row, UnusableImage(OTHER_SHAPE, f"{names[row]}: {_shape_said(name, cube, ())}"))
        else:
            found[row] = cube.shape[1:]
        if row % ROWS_PER_EVENT == 0 or row == n_rows - 1:
            progress(ProgressEvent("reading sizes", row + 1, n_rows, "images"))
    return found


def _mean_values(read: _Read) -> int:
    """Pixels of an image, all bands together, in the row group that has the most on the average."""
    means = [1]
    for path in dict.fromkeys(read.groups.files):
        said = open_file(path).metadata
        means += [_values_in(said.row_group(number)) for number in range(said.num_row_groups)]
    return max(means)


def _values_in(group: pq.RowGroupMetaData) -> int:
    """Pixels a row of a row group, on the average."""
    counts = [
        group.column(number).num_values
        for number in range(group.num_columns)
        if group.column(number).path_in_schema.startswith(f"{IMAGE}.{FLUX}.")
    ]
    return sum(counts) // max(1, group.num_rows)


def _settings(header: ImageHeader, options: HatsOptions) -> dict[str, Any]:
    """Say all that decides the content, as plain values."""
    return {
        "kind": "hats",
        "bands": list(header.bands),
        "mask_true": options.mask_true,
        "flux_unit": header.flux_unit,
        "pixel_scale_arcsec": header.pixel_scale_arcsec,
        "zero_points_mag": dict(header.zero_points_mag),
    }
