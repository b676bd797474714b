"""Real galaxies of GalSim's COSMOS samples as a source: images, PSFs, noise and all tables, read in bounded memory."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.readers.cosmos_stamps import (
    BAND,
    FLUX_UNIT,
    STAMP_SUFFIXES,
    ZERO_POINT_MAG,
    cosmos_stamps,
    find_stamps,
)
from galsmith.data.readers.fits import READ_ERRORS, opened_fits
from galsmith.data.readers.labels import add_column
from galsmith.data.readers.listing import file_as_parent, listing_as_parent
from galsmith.data.readers.real_galaxies.tables import (
    find_catalog,
    is_excluded,
    read_tables,
    strictest_level,
)
from galsmith.data.readers.registry import CosmosOptions, ExclusionLevel
from galsmith.data.readers.source import Listing, Origin, Source, UnusableImage
from galsmith.data.store import Companions
from galsmith.data.store.companions import CORRELATION_COLUMN, PsfKind
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageHeader

Pixels = NDArray[np.float32]
Found = TypeVar("Found")
# What is renamed, or says where a file was rather than what a galaxy is.
RENAMED = ("IDENT", "RA", "DEC", "BAND", "PIXEL_SCALE", "NOISE_VARIANCE", "NOISE_FILENAME")
# galsim.RealGalaxy deconvolves by them alone, so the pixel is in them
PSF_KIND: PsfKind = "effective"
PLACES = ("GAL_FILENAME", "PSF_FILENAME", "GAL_HDU", "PSF_HDU")


class RealGalaxySource:
    """The galaxies of one ``RealGalaxyCatalog``, in its order.

    GalSim keeps every image that it has read, so that a whole sample does not fit into memory; here a file is
    open only while the images of one chunk are read.

    Parameters
    ----------
    catalog : Path
        Such as ``real_galaxy_catalog_25.2.fits``, beside its images, PSFs and tables.
    exclude : {"none", "bad_stamp", "bad_fits", "marginal"}, optional
        Which suspect galaxies to leave out, as `galsim.COSMOSCatalog` does; ``"marginal"`` where the tables that
        it needs are there, else ``"none"``, when left out.
    progress : callable
        Told how far reading the heads is.

    Raises
    ------
    InputError
        If a table cannot be used, or the galaxies have several bands or pixel scales.
    """

    def __init__(
        self,
        catalog: Path,
        *,
        exclude: ExclusionLevel | None = None,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        self._tables = read_tables(catalog)
        level = strictest_level(self._tables) if exclude is None else exclude
        excluded = np.flatnonzero(is_excluded(self._tables, level))
        left_out = {int(row): f"excluded as {level}" for row in excluded}
        bands = _texts(self._tables.main.get("BAND", np.array([BAND])))
        band = str(_only(bands, "BAND", catalog))
        self.header = ImageHeader(
            (band,),
            FLUX_UNIT,
            float(_only(self._tables.main["PIXEL_SCALE"], "PIXEL_SCALE", catalog)),
            zero_points_mag={BAND: ZERO_POINT_MAG} if band == BAND else {},
        )
        parents = (
            *(file_as_parent(path, "real galaxy catalog") for path in self._tables.files),
            listing_as_parent(catalog.parent, self._image_files()),
        )
        self.origin = Origin({"kind": "real galaxies", "exclude": level}, parents, {"exclusion_level": level})
        self.listing = Listing(self._names(), *self._read_shapes(progress), left_out)
        self._correlations = self._read_correlations()
        self.catalog = self._catalog()

    def read(self, rows: NDArray[np.int64]) -> Sequence[Pixels | UnusableImage]:
        """Read galaxies, each [1, y, x] float32 in electrons per second and pixel."""
        stamps = self._stamps(rows, "GAL")
        return [stamp if isinstance(stamp, UnusableImage) else stamp[np.newaxis] for stamp in stamps]

    def companions(self, rows: NDArray[np.int64]) -> Companions:
        """Read the PSFs of galaxies, each of sum 1, and how their noise is correlated."""
        psfs = []
        for row, stamp in zip(rows, self._stamps(rows, "PSF"), strict=True):
            if isinstance(stamp, UnusableImage):
                raise InputError(
                    f"{stamp.message}; a galaxy without its PSF is of no use, get the whole sample"
                )
            total = stamp.sum(dtype=np.float64)
            if not total > 0:
                raise InputError(
                    f"{self.listing.names[int(row)]}: its PSF sums to {total:g}, wanted a positive sum; "
                    "get the sample again"
                )
            psfs.append((stamp / total).astype(np.float32))
        return Companions(psfs, self.header.pixel_scale_arcsec, self._correlations, psf_kind=PSF_KIND)

    def _names(self) -> list[str]:
        """Name galaxies in messages."""
        places = zip(*(self._tables.main[name] for name in ("GAL_FILENAME", "GAL_HDU", "IDENT")), strict=True)
        return [f"{file}[{hdu}] (IDENT {ident})" for file, hdu, ident in places]

    def _stamps(self, rows: NDArray[np.int64], kind: str) -> list[Pixels | UnusableImage]:
        """Read one image of every galaxy, opening each file once."""
        names = self._tables.main[f"{kind}_FILENAME"][rows]
        numbers = self._tables.main[f"{kind}_HDU"][rows]
        stamps: dict[int, Pixels | UnusableImage] = {}
        for name in dict.fromkeys(names.tolist()):
            path = self._tables.path.parent / name
            positions = np.flatnonzero(names == name)
            read = images_of(path, numbers[positions])
            stamps.update(zip(positions.tolist(), read, strict=True))
        return [stamps[position] for position in range(len(rows))]

    def _read_shapes(
        self, progress: ProgressCallback
    ) -> tuple[NDArray[np.int64], Mapping[int, UnusableImage]]:
        """Read the size of every galaxy's image, and say which have none."""
        names, numbers = self._tables.main["GAL_FILENAME"], self._tables.main["GAL_HDU"]
        shapes = np.zeros((len(names), 2), dtype=np.int64)
        faults: dict[int, UnusableImage] = {}
        for name in dict.fromkeys(names.tolist()):
            rows = np.flatnonzero(names == name)
            found = shapes_of(self._tables.path.parent / name, numbers[rows])
            for row, shape in zip(rows.tolist(), found, strict=True):
                if isinstance(shape, UnusableImage):
                    faults[row] = shape
                else:
                    shapes[row] = shape
            progress(ProgressEvent("reading headers", int(rows[-1]) + 1, len(names), "images"))
        return shapes, {**self._without_psf(), **faults}

    def _without_psf(self) -> dict[int, UnusableImage]:
        """Say which galaxies have no file of PSFs."""
        folder, names = self._tables.path.parent, self._tables.main["PSF_FILENAME"].tolist()
        absent = {name for name in dict.fromkeys(names) if not (folder / name).is_file()}
        return {
            row: UnusableImage(
                "without a PSF", f"{folder / name}: the catalog names this file, and it is not there"
            )
            for row, name in enumerate(names)
            if name in absent
        }

    def _read_correlations(self) -> dict[str, Pixels]:
        """Read the correlations of noise that the catalog names and that are there."""
        names = _texts(self._tables.main.get("NOISE_FILENAME", np.array([], dtype=str)))
        found: dict[str, Pixels] = {}
        for name in dict.fromkeys(names):
            path = self._tables.path.parent / name
            if name and path.is_file():
                (image,) = images_of(path, np.array([0]))
                if isinstance(image, UnusableImage):
                    raise InputError(image.message)
                found[_correlation_name(name)] = image / image.max()
        return found

    def _image_files(self) -> list[Path]:
        """All files of images that are there."""
        main = self._tables.main
        names = dict.fromkeys([*main["GAL_FILENAME"].tolist(), *main["PSF_FILENAME"].tolist()])
        return [path for path in (self._tables.path.parent / name for name in names) if path.is_file()]

    def _catalog(self) -> QTable:
        """Names, positions, noise, and all columns of all tables; a column of several numbers becomes several."""
        main = self._tables.main
        table = QTable({"object_id": np.array([str(ident) for ident in main["IDENT"]], dtype=str)})
        for name in ("RA", "DEC"):
            if name in main:
                table[name.lower()] = main[name] * u.deg
        table["background_noise_sigma"] = np.sqrt(main["NOISE_VARIANCE"])
        correlations = [
            _correlation_name(name) for name in _texts(main.get("NOISE_FILENAME", np.array([], str)))
        ]
        if self._correlations:
            table[CORRELATION_COLUMN] = np.array(
                [name if name in self._correlations else "" for name in correlations], dtype=str
            )
        for columns in (main, self._tables.fits, self._tables.selection):
            for name, values in columns.items():
                if name not in (*RENAMED, *PLACES):
                    _add_columns(table, name, values)
        return table


def open_cosmos(
    place: str | Path, options: CosmosOptions, *, progress: ProgressCallback = ignore_progress
) -> Source:
    """Open COSMOS galaxies in the layout that is there: postage stamps, or a GalSim catalog.

    Raises
    ------
    InputError
        If nothing of either layout is there.
    SettingsError
        If galaxies are to be excluded from postage stamps.
    """
    place = Path(place)
    if not place.exists():
        raise InputError(f"{place}: there is no such folder or file")
    stamps = find_stamps(place)
    if stamps is not None:
        if options.exclude is not None:
            raise SettingsError(
                f"is for GalSim's catalogs; {place} has postage stamps, leave it out",
                argument="exclude",
                came=options.exclude,
            )
        return cosmos_stamps(place, stamps, progress=progress)
    catalog = find_catalog(place)
    if catalog is None:
        raise InputError(
            f"{place}: holds neither {' or '.join(f'*{end}' for end in STAMP_SUFFIXES)} files nor a "
            "real_galaxy_catalog*.fits of GalSim; give the folder that does, or ingest other FITS files with "
            "galsmith ingest fits"
        )
    return RealGalaxySource(catalog, exclude=options.exclude, progress=progress)


def _add_columns(table: QTable, name: str, values: NDArray[Any]) -> None:
    """Add a column; one with several numbers a galaxy as several columns."""
    if values.ndim == 1:
        add_column(table, name.lower(), values.tolist())
        return
    for number, column in enumerate(values.reshape(len(values), -1).T):
        add_column(table, f"{name.lower()}_{number}", column.tolist())


def _texts(values: NDArray[Any]) -> list[str]:
    """Give a column of text."""
    return [str(value) for value in values]


def _correlation_name(name: str) -> str:
    """Name a correlation by its file, without suffix."""
    return name.removesuffix(".fits")


def _only(values: Sequence[Any] | NDArray[Any], name: str, path: Path) -> Any:
    """Give the value that all galaxies have."""
    found = sorted(set(np.asarray(values).tolist()))
    if len(found) > 1:
        raise InputError(f"{path}: has galaxies of several {name}: {found[0]}, {found[1]}; split the catalog")
    return found[0]


def images_of(path: Path, numbers: NDArray[Any]) -> list[Pixels | UnusableImage]:
    """Read several HDUs of one file.

    Parameters
    ----------
    path : Path
        Is open only while they are read.
    numbers : ndarray [image], int
        Of the HDUs.

    Returns
    -------
    list of ndarray [y, x], float32, or UnusableImage
        In the order of `numbers`.
    """
    return _of_each(path, numbers, _image_of)


def _image_of(path: Path, units: Any, number: int) -> Pixels | UnusableImage:
    """Read one HDU."""
    try:
        with np.errstate(over="ignore"):
            return np.array(units[number].data, dtype=np.float32)
    except READ_ERRORS as error:
        return UnusableImage("truncated or damaged", f"{path}[{number}]: is truncated or damaged ({error})")


def shapes_of(path: Path, numbers: NDArray[Any]) -> list[tuple[int, int] | UnusableImage]:
    """Read the height and width of several HDUs of one file, in pixels, in the order of `numbers`."""
    return _of_each(path, numbers, _shape_of)


def _shape_of(path: Path, units: Any, number: int) -> tuple[int, int] | UnusableImage:
    """Read the size of one HDU."""
    try:
        shape = units[number].shape
    except READ_ERRORS as error:
        return UnusableImage("without an image", f"{path}: has no HDU {number} ({error})")
    if len(shape) != 2:
        return UnusableImage("without an image", f"{path}[{number}]: has {len(shape)} axes, wanted [y, x]")
    return int(shape[0]), int(shape[1])


def _of_each(
    path: Path, numbers: NDArray[Any], read: Callable[[Path, Any, int], Found | UnusableImage]
) -> list[Found | UnusableImage]:
    """Read something of several HDUs of one file, or say of each why not."""
    found: list[Found | UnusableImage] = []
    try:
        with opened_fits(path) as units:
            for number in numbers:
                found.append(read(path, units, int(number)))
    except FileNotFoundError:
        message = f"{path}: the catalog names this file, and it is not there"
        return [UnusableImage("without an image", message)] * len(numbers)
    except READ_ERRORS as error:
        damaged = UnusableImage("truncated or damaged", f"{path}: is no FITS file that can be read ({error})")
        return [*found, *[damaged] * (len(numbers) - len(found))]
    return found
