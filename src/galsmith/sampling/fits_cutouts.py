"""A folder of FITS files of drawn images: headers that say unit, scale, bands and origin, and the sources of fields."""

import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Self

import numpy as np
from astropy.io import fits
from astropy.table import QTable, Row, vstack
from numpy.typing import NDArray

from galsmith.data.store import SOURCE_COLUMNS, Companions, StoreHeader
from galsmith.errors import InputError
from galsmith.files import Kind, Partial, said_in_json, write_json, written_atomically
from galsmith.images import ImageHeader, ImageSet
from galsmith.images.image_set import completed_catalog
from galsmith.provenance import hash_json

Pixels = NDArray[np.float32]

MARK_FILE = "sampling.json"
CATALOG_FILE = "catalog.ecsv"
STANDARD_COLUMNS = ("object_id", "seed", "split")
KEYWORD = re.compile(r"[A-Za-z0-9_.+ -]{1,30}")
ARCSEC_PER_DEGREE = 3600.0
FORMAT_NAME = "galsmith cutouts"

CUTOUTS = Kind(
    "folder of FITS cutouts",
    said_in_json(FORMAT_NAME, lambda page: str(page["fingerprint"])),
    MARK_FILE,
    (MARK_FILE, CATALOG_FILE, "galaxy-*.fits", "field-*.fits"),
)
SOURCES = "SOURCES"  # name of the table that follows the image of a field


class CutoutFolder:
    """Writes the files of one set, in any order; a rerun skips those that are there.

    Parameters
    ----------
    path : Path
        The folder.
    header : StoreHeader
        What is true of every image.
    n, per_chunk : int
        How many there will be, and how many are written in one go.
    overwrite : bool
        Replace what galsmith made there once this folder is finished, and a partial one of another set.

    Raises
    ------
    OutputExistsError
        If a finished folder, a partial one of another set or anything else is there, or another process writes it.
    """

    def __init__(
        self, path: Path, header: StoreHeader, *, n: int, per_chunk: int, overwrite: bool = False
    ) -> None:
        self.path, self.header, self.n, self._per_chunk = path, header, n, per_chunk
        self._mark = {"format": FORMAT_NAME, "fingerprint": header.fingerprint(), "n_images": n}
        self._partial = Partial(
            path, CUTOUTS, header.fingerprint(), layout={"n_images": n}, overwrite=overwrite
        )

    @property
    def is_complete(self) -> bool:
        """Whether all is written, now or by an earlier call of the same settings."""
        return self._partial.is_complete

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._partial.close()

    def file(self, index: int) -> Path:
        """Name of one image's file."""
        return cutout_file(self._partial.content, index, self.header.images)

    def is_done(self, number: int) -> bool:
        """Whether all galaxies of a chunk and their catalog rows are written."""
        first = number * self._per_chunk
        indices = range(first, min(first + self._per_chunk, self.n))
        has_all = self._rows_file(number).exists() and all(self.file(index).exists() for index in indices)
        return self.is_complete or has_all

    def write_chunk(
        self, number: int, images: Sequence[Pixels], catalog: QTable, *, companions: Companions | None = None
    ) -> None:
        """Write the galaxies of a chunk, a file each, then their catalog rows.

        Parameters
        ----------
        number : int
            Of the chunk.
        images : sequence of ndarray [band, y, x], float32
            Written as plain [y, x] images where there is one band.
        catalog : QTable
            One row an image, with the column ``seed``.
        companions : Companions, optional
            Whose sources, where there are some, become a table in the file of their field.
        """
        sources = () if companions is None else companions.sources
        first = number * self._per_chunk
        for position, image in enumerate(images):
            pixels = image[0] if len(self.header.images.bands) == 1 else image
            header = fits_header(
                self.header, index=first + position, row=catalog[position], size_pix=image.shape[-1]
            )
            parts = [fits.PrimaryHDU(np.asarray(pixels, dtype=np.float32), header=header)]
            if len(sources):
                parts.append(source_table(sources[position], self.header.images))
            with written_atomically(self.file(first + position)) as temporary, temporary.open("wb") as stream:
                fits.HDUList(parts).writeto(stream)
        _write_rows(self._rows_file(number), catalog)

    def finish(self) -> ImageSet:
        """Join the catalog rows to ``catalog.ecsv``, write what the folder holds and open it."""
        n_chunks = -(-self.n // self._per_chunk)
        rows = [QTable.read(self._rows_file(number), format="ascii.ecsv") for number in range(n_chunks)]
        catalog = vstack(rows, metadata_conflicts="silent")
        _write_rows(self._partial.content / CATALOG_FILE, catalog)
        provenance = self.header.provenance.to_dict()
        page = {**self._mark, "is_finished": True, "provenance": provenance}
        write_json(self._partial.content / MARK_FILE, page)
        self._partial.finish()
        return self.open()

    def open(self) -> ImageSet:
        """Open the finished folder."""
        catalog = QTable.read(self.path / CATALOG_FILE, format="ascii.ecsv")
        pixels = CutoutPixels(self.path, self.n, self.header.images)
        return ImageSet(
            pixels=pixels,
            header=self.header.images,
            catalog=completed_catalog(catalog, [int(size) for size in pixels.shapes.min(axis=1)]),
            provenance=self.header.provenance,
            content_hash=hash_json(self._mark),
            path=str(self.path),
        )

    def _rows_file(self, number: int) -> Path:
        """Where an unfinished folder keeps the catalog rows of a chunk."""
        return self._partial.folder / f"rows-{number:06d}.ecsv"


class CutoutPixels:
    """Pixels of a folder of cutouts, read when asked for."""

    def __init__(self, folder: Path, n: int, header: ImageHeader) -> None:
        self._folder = folder
        self._n = n
        self._header = header
        self._shapes: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return self._n

    def __getitem__(self, index: int) -> Pixels:
        if not 0 <= index < self._n:
            raise IndexError(f"image {index} of a folder with {self._n} cutouts")
        path = cutout_file(self._folder, index, self._header)
        try:
            pixels = np.asarray(fits.getdata(path), dtype=np.float32)
        except (OSError, TypeError) as error:
            raise InputError(f"{path}: cannot be read as FITS ({error}); sample again") from error
        return pixels[np.newaxis] if pixels.ndim == 2 else pixels

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Height and width of every image, [galaxy, 2] int64, in pixels, from the headers."""
        if self._shapes is None:
            files = (cutout_file(self._folder, index, self._header) for index in range(self._n))
            headers = (fits.getheader(file) for file in files)
            sizes = [(header["NAXIS2"], header["NAXIS1"]) for header in headers]
            self._shapes = np.array(sizes, dtype=np.int64).reshape(-1, 2)
        return self._shapes

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> list[Pixels]:
        """Read several images, in the order of `indices`."""
        return [self[int(index)] for index in indices]


def cutout_file(folder: Path, index: int, header: ImageHeader) -> Path:
    """Name of the file of image `index`: it begins with what the image shows."""
    return folder / f"{header.shows}-{index:08d}.fits"


def source_table(sources: NDArray[np.float64], header: ImageHeader) -> fits.BinTableHDU:
    """Table of the sources of a field, one row each.

    Parameters
    ----------
    sources : ndarray [source, column], float64
        Columns as `galsmith.data.store.SOURCE_COLUMNS`.
    header : ImageHeader
        Of the field.
    """
    flux_unit = header.flux_unit if header.states_unit else None
    units = {"x_pix": "pix", "y_pix": "pix", "flux": flux_unit, "r_half_pix": "pix", "orientation_rad": "rad"}
    columns = [
        fits.Column(name=name, format="D", unit=units.get(name), array=sources[:, number])
        for number, name in enumerate(SOURCE_COLUMNS)
    ]
    table = fits.BinTableHDU.from_columns(columns, name=SOURCES)
    table.header.add_comment("Sources that the field was composed of. x_pix and y_pix count from 0:")
    table.header.add_comment("the first pixel's center is (0, 0), which FITS calls (1, 1).")
    return table


def fits_header(header: StoreHeader, *, index: int, row: Row, size_pix: int) -> fits.Header:
    """Header of one drawn galaxy; what the model's training set did not state, unit and filters too, is left out.

    Parameters
    ----------
    header : StoreHeader
        What is true of every image.
    index : int
        Position in the set.
    row : Row
        Of the catalog; its seed and what was drawn beside the pixels are written too.
    size_pix : int
        Side of the image.
    """
    images = header.images
    cards = fits.Header()
    cards["OBJECT"] = (f"{index:08d}", f"generated {images.shows}, position in its set")
    if images.states_unit:
        cards["BUNIT"] = (images.flux_unit, "unit of a pixel's value")
    _add_bands(cards, images)
    if images.pixel_scale_arcsec is not None:
        has_named_planes = images.names_bands and len(images.bands) > 1
        _add_scale(cards, images.pixel_scale_arcsec, size_pix, has_named_planes=has_named_planes)
    if images.physical_pixel_kpc is not None:
        cards["PIXKPC"] = (images.physical_pixel_kpc, "[kpc] length of a pixel side")
    if isinstance(images.psf.get("psf_fwhm_pix"), int | float):
        cards["PSFFWHM"] = (images.psf["psf_fwhm_pix"], "[pix] PSF width, FWHM")
    provenance = header.provenance
    cards["GSSEED"] = (int(row["seed"]), f"seed of this {images.shows}")
    cards["GSSET"] = (provenance.seed, "seed of the set")
    cards["GSVERS"] = (metadata.version("galsmith"), "galsmith version")
    cards["GSSNAP"] = provenance.parents[0].content_hash
    _add_drawn_values(cards, row)
    cards.add_history(f"Drawn by galsmith sample: a synthetic {images.shows}, not an observation.")
    cards.add_history("GSSNAP is the content hash of the model's snapshot.")
    return cards


def _add_drawn_values(cards: fits.Header, row: Row) -> None:
    """Add what was drawn beside the pixels, by its name in the catalog (and in full precision there)."""
    for name in row.colnames:
        if name in STANDARD_COLUMNS or not KEYWORD.fullmatch(name):
            continue
        value, unit = getattr(row[name], "value", row[name]), getattr(row[name], "unit", None)
        if isinstance(value, np.bool_):
            cards[f"HIERARCH GS {name}"] = bool(value)
        elif not isinstance(value, str) and np.isfinite(value):  # a header has no words for others
            cards[f"HIERARCH GS {name}"] = (float(value), f"[{unit}]" if unit else "")


def _write_rows(path: Path, catalog: QTable) -> None:
    """Write catalog rows with their units as text, atomically; numbers read back to the bit."""
    with written_atomically(path) as temporary:
        catalog.write(temporary, format="ascii.ecsv")


def _add_bands(cards: fits.Header, header: ImageHeader) -> None:
    """Add filter names and zero points: FILTER for one band, BAND1 and so on for the planes of more."""
    if header.names_bands and len(header.bands) == 1:
        cards["FILTER"] = (header.bands[0], "filter")
    for position, band in enumerate(header.bands, start=1):
        number = "" if len(header.bands) == 1 else str(position)
        if header.names_bands and number:
            cards[f"BAND{number}"] = (band, f"filter of plane {number}")
        if band in header.zero_points_mag:
            cards[f"MAGZP{number}"] = (header.zero_points_mag[band], "[mag] AB magnitude of one BUNIT")


def _add_scale(
    cards: fits.Header, pixel_scale_arcsec: float, size_pix: int, *, has_named_planes: bool
) -> None:
    """Add the pixel scale, and a tangent plane whose place on the sky is for the user to set."""
    degrees = pixel_scale_arcsec / ARCSEC_PER_DEGREE
    center = float(size_pix // 2 + 1)
    cards["PIXSCALE"] = (pixel_scale_arcsec, "[arcsec] pixel side")
    for axis, kind, step in ((1, "RA---TAN", -degrees), (2, "DEC--TAN", degrees)):
        cards[f"CTYPE{axis}"] = kind
        cards[f"CUNIT{axis}"] = "deg"
        cards[f"CRPIX{axis}"] = center
        cards[f"CRVAL{axis}"] = (0.0, "not a real position: set your own")
        cards[f"CDELT{axis}"] = step
    if has_named_planes:
        cards["CTYPE3"] = ("BAND", "planes are bands: see BAND1 and so on")
