"""Images in one array of a file, HDF5, NPY or NPZ: [galaxy, y, x], [galaxy, band, y, x] or [galaxy, y, x, band]."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.readers.array_files import (
    UNIT_ATTRIBUTES,
    ArrayHead,
    arrays_in,
    choose_array,
    read_rows,
    refuse_rows,
    words_of_array,
)
from galsmith.data.readers.file_maps import NO_MAPS, maps_of_array
from galsmith.data.readers.fits import FitsHead, FitsPlace, read_head, read_part, split_hdu
from galsmith.data.readers.given_maps import MAPS, NOTHING, GivenMaps, MapsBeside, companions_of_source
from galsmith.data.readers.labels import add_column
from galsmith.data.readers.listing import FITS_SUFFIXES, ArrayPlace, array_place, listing_as_parent
from galsmith.data.readers.options import with_zero_points
from galsmith.data.readers.pictures import GRAY, RGB
from galsmith.data.readers.registry import ArrayOptions
from galsmith.data.readers.source import DAMAGED, Listing, Origin, UnusableImage
from galsmith.data.readers.surveys import WORDS_OF_MAPS
from galsmith.data.store import Companions, joined
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images import ImageHeader
from galsmith.images.units import is_same_unit

Pixels = NDArray[np.float32]
# Threads that measure read blocks side by side; all blocks held together are 64 MB, unless one chunk is more.
BYTES_PER_BLOCK = 2**24
BLOCKS_KEPT = 4
NAME_COLUMN = "object_id"
# HDF5 reads for one thread at a time anyway; so none reads a block that another is reading.
READING = threading.Lock()
# In names of arrays beside the one of the images.
WORDS_BESIDE_IMAGES = WORDS_OF_MAPS | {"model", "residual", "psf"}
BandAxis = Literal["first", "last"]
WANTED_SHAPES = "[galaxy, y, x], [galaxy, band, y, x] or [galaxy, y, x, band]"


@dataclass(frozen=True)
class ImageAxes:
    """Meaning of the axes of an array, the first of which is the galaxy.

    Attributes
    ----------
    band_axis : {"first", "last"} or None
        Where the band axis lies in an image; None where images have none.
    n_bands, height_pix, width_pix : int
        Sizes of an image's axes.
    """

    band_axis: BandAxis | None
    n_bands: int
    height_pix: int
    width_pix: int

    def to_image(self, values: NDArray[np.generic]) -> NDArray[np.float32]:
        """Bring one image of the array to [band, y, x] float32; what is beyond float32 becomes infinite."""
        with np.errstate(over="ignore"):
            image = np.array(values, dtype=np.float32)
        if self.band_axis is None:
            return image[np.newaxis]
        return image if self.band_axis == "first" else np.ascontiguousarray(np.moveaxis(image, -1, 0))


def is_image_like(shape: Sequence[int] | None, kind: str) -> bool:
    """Whether an array may hold images: 3 or 4 axes of integers or floating numbers."""
    return shape is not None and len(shape) in (3, 4) and kind in "iuf"


def image_axes(shape: Sequence[int], *, band_axis: BandAxis | None, name: str) -> ImageAxes:
    """Tell the axes of an array of images.

    With four axes the band axis is the second or the last, whichever is shorter than both others that follow
    the first: images have fewer bands than rows and columns.

    Parameters
    ----------
    shape : sequence of int
        Of an array that `is_image_like`.
    band_axis : {"first", "last"} or None
        What the user says of an image's axes.
    name : str
        The array, for messages.

    Raises
    ------
    SettingsError
        If a band axis is named and there is none.
    InputError
        If the array is empty, or its shape does not tell which axis is the band.
    """
    if 0 in shape:
        raise InputError(f"{name}: has shape {tuple(shape)}, so it holds no image; name another dataset")
    if len(shape) == 3:
        if band_axis is not None:
            raise SettingsError(
                f"{name} has shape {tuple(shape)}, [galaxy, y, x] without bands; leave it out",
                argument="band_axis",
                came=band_axis,
            )
        return ImageAxes(None, 1, shape[1], shape[2])
    second, third, last = shape[1:]
    if band_axis is None:
        if second < min(third, last):
            band_axis = "first"
        elif last < min(second, third):
            band_axis = "last"
        else:
            raise InputError(
                f"{name}: its shape {tuple(shape)} does not tell which axis is the band; say it with `band_axis=first` "
                "([galaxy, band, y, x]) or `band_axis=last` ([galaxy, y, x, band])"
            )
    return ImageAxes(band_axis, *((second, third, last) if band_axis == "first" else (last, second, third)))


@dataclass(frozen=True, eq=False)
class Layer:
    """One file's array of images: all bands of them, or one.

    Attributes
    ----------
    name : str
        File and array, for messages.
    path : Path
        The file.
    head : ArrayHead
        Of the array.
    axes : ImageAxes
        Their meaning.
    fits : FitsHead or None
        Where it is an image of a FITS file, whose planes are galaxies.
    """

    name: str
    path: Path
    head: ArrayHead
    axes: ImageAxes
    fits: FitsHead | None = None

    @property
    def n_images(self) -> int:
        """How many galaxies it has."""
        return self.head.shape[0] if self.head.shape else 0

    def rows(self, start: int, stop: int) -> NDArray[Any]:
        """Read some galaxies, as the file has them."""
        if self.fits is not None:
            return read_part(self.fits, planes=range(start, stop))
        return read_rows(self.path, self.head, start, stop)


def _layer_of(source: str | Path, band_axis: BandAxis | None) -> tuple[Layer, list[ArrayHead]]:
    """Find the array that a file holds, and what lies beside it."""
    name, hdu = split_hdu(str(source))
    if name.lower().endswith(FITS_SUFFIXES):
        found = read_head(FitsPlace(Path(name), hdu))
        shape = found.shape if len(found.shape) == 3 else (1, *found.shape)
        attributes = {
            "BUNIT": found.flux_unit or "",
            "pixel_scale_arcsec": found.pixel_scale_arcsec or np.nan,
        }
        head = ArrayHead("", shape, np.dtype(np.float32), attributes=attributes)
        return Layer(
            str(source), Path(name), head, image_axes(shape, band_axis=band_axis, name=name), found
        ), []
    place = array_place(source)
    if place is None:
        raise InputError(
            f"{source}: wanted an HDF5, NPY, NPZ or FITS file, or one array of it as set.h5:/images"
        )
    heads = arrays_in(place.path)
    image_like = [head for head in heads if is_image_like(head.shape, head.dtype.kind)]
    plain = [head for head in image_like if WORDS_BESIDE_IMAGES.isdisjoint(words_of_array(head.name))]
    is_told = place.dataset is None and len(plain) == 1
    head = choose_array(place, heads, plain if is_told else image_like)
    shown = str(ArrayPlace(place.path, head.name if head.name else None))
    axes = image_axes(head.shape or (), band_axis=band_axis, name=shown)
    refuse_rows(place.path, head, 0, 0)
    return Layer(shown, place.path, head, axes), heads


class ArraySource:
    """All images of one array; other arrays beside it with a value an image become columns of the catalog.

    Pixels keep the file's own numbers, as float32, and its order: row 0 of the array is y = 0. Arrays of 8-bit
    unsigned integers with one or three bands are taken for pictures, in unit ``"display"``. The file is read in
    blocks of whole chunks, so that it may be larger than the memory; only an NPZ file is decompressed as a whole.

    Parameters
    ----------
    source : str or Path, or sequence of them
        A file, or one of its arrays as ``set.h5:/images``; the only one that may hold images where left out. The planes of
        a FITS image are galaxies. Several files have one band each, of the same galaxies.
    options : ArrayOptions
        Bands, their axis (see `image_axes` for when it is left out), pixel scale and unit.
    progress : callable
        Not told of anything: there is one head to read.

    Raises
    ------
    InputError
        If the file cannot be read, or does not tell which array and axis is meant; the message lists the arrays. If
        several files differ in their images' number, size or unit.
    SettingsError
        If `bands`, `band_axis` or `pixel_scale_arcsec` do not fit.
    """

    def __init__(
        self,
        source: str | Path | Sequence[str | Path],
        options: ArrayOptions = ArrayOptions(),
        *,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        del progress  # heads are few
        sources = [source] if isinstance(source, str | Path) else list(source)
        found = [_layer_of(one, options.band_axis) for one in sources]
        self._layers = [layer for layer, _ in found]
        first, heads = found[0]
        _refuse_unlike(self._layers)
        self._rows_per_block = _rows_per_block(first.head, first.head.shape or ())
        self._blocks: dict[int, list[NDArray[Any]]] = {}
        beside = _OfEveryImage(first, heads if len(found) == 1 else [])
        header = ImageHeader(
            _bands(self._layers, options.bands if options.bands is not None else beside.bands()),
            _unit(first.head, first.axes.n_bands) if options.flux_unit is None else options.flux_unit,
            (_scale(first.head) or beside.scale())
            if options.pixel_scale_arcsec is None
            else options.pixel_scale_arcsec,
        )
        header = replace(header, zero_points_mag=_zero_points(self._layers, header.bands))
        self.header = with_zero_points(header, options.zero_points_mag)
        settings = {
            "kind": "array",
            "dataset": first.head.name if len(found) == 1 else [layer.head.name for layer in self._layers],
            "band_axis": first.axes.band_axis,
            "bands": list(self.header.bands),
            "pixel_scale_arcsec": self.header.pixel_scale_arcsec,
            "flux_unit": self.header.flux_unit,
            **({} if options.zero_points_mag is None else {"zero_points_mag": self.header.zero_points_mag}),
        }
        paths = [layer.path for layer in self._layers]
        self.origin = Origin(settings, (listing_as_parent(paths[0].parent, paths),))
        self.catalog = _catalog(first.path, heads, first.head)
        shapes = np.tile(np.array([[first.axes.height_pix, first.axes.width_pix]]), (first.n_images, 1))
        self.listing = Listing([f"{first.name}[{row}]" for row in range(first.n_images)], shapes)
        self._maps = self._maps_beside(options)
        self.listing = replace(self.listing, bytes_beside=self._maps.bytes_a_pixel(len(self.header.bands)))
        self.origin = replace(
            self.origin,
            settings={**settings, **self._maps.settings},
            parents=(*self.origin.parents, *self._maps.parents),
        )

    def read(self, rows: NDArray[np.int64]) -> Sequence[Pixels | UnusableImage]:
        """Read images, each [band, y, x] float32 in the header's unit per pixel."""
        return [self._read_one(int(row)) for row in rows]

    def companions(self, rows: NDArray[np.int64]) -> Companions | None:
        """Read the maps of images; None where there are none."""
        if not self._maps.companions:
            return None
        n_bands = len(self.header.bands)
        shapes = [(n_bands, *map(int, self.listing.shapes[row])) for row in rows]
        found = [self._maps.read(int(row), shape) for row, shape in zip(rows, shapes, strict=True)]
        return joined([one for one in found if one is not None])

    def _maps_beside(self, options: ArrayOptions) -> MapsBeside:
        """Find the maps that were named, and the noise that lies beside an array of images."""
        given, found = GivenMaps.of(options), NO_MAPS
        first = self._layers[0]
        if len(self._layers) == 1 and first.fits is None and options.sigma is None and options.ivar is None:
            place = ArrayPlace(first.path, first.head.name or None)
            found = maps_of_array(place, first.n_images, band_axis=first.axes.band_axis)
        if not found.places and all(getattr(given, name) in (None, NOTHING) for name in MAPS):
            return MapsBeside({}, {})
        companions = companions_of_source(
            given, self.listing, n_bands=len(self.header.bands), maps=found, one_file_holds_all=True
        )
        taken = {"maps": dict(found.described)} if found.described else {}
        return MapsBeside.of(given, dict(enumerate(companions)), taken)

    def __getstate__(self) -> dict[str, Any]:
        """Go to another process without the blocks that were read."""
        return {**self.__dict__, "_blocks": {}}

    def _read_one(self, row: int) -> Pixels | UnusableImage:
        """Take one image out of its block."""
        number, place = divmod(row, self._rows_per_block)
        try:
            blocks = self._block(number)
        except InputError as error:
            return UnusableImage(DAMAGED, f"{self.listing.names[row]}: {error}")
        images = [
            layer.axes.to_image(block[place]) for layer, block in zip(self._layers, blocks, strict=True)
        ]
        return images[0] if len(images) == 1 else np.concatenate(images)

    def _block(self, number: int) -> list[NDArray[Any]]:
        """Read a block of every file, or find it among the last ones."""
        with READING:
            found = self._blocks.get(number)
            if found is None:
                start = number * self._rows_per_block
                stop = min(start + self._rows_per_block, len(self.catalog))
                found = [layer.rows(start, stop) for layer in self._layers]
                latest = list(self._blocks.items())[1 - BLOCKS_KEPT :]
                self._blocks = {**dict(latest), number: found}
        return found


class _OfEveryImage:
    """What arrays beside the images say of each band of each of them, as the Multimodal Universe has it: names and scale.

    Parameters
    ----------
    layer : Layer
        The images, such as ``/image_array``.
    heads : list of ArrayHead
        All arrays of the file.
    """

    def __init__(self, layer: Layer, heads: list[ArrayHead]) -> None:
        self._layer, self._heads = layer, heads

    def bands(self) -> tuple[str, ...] | None:
        """Names of the bands, where all images have the same."""
        values = self._same_in_all("band")
        names = () if values is None else tuple(_text(value) for value in values)
        return names if names and all(names) and len(set(names)) == len(names) else None

    def scale(self) -> float | None:
        """Pixel scale in arcsec, where all bands and images have the same."""
        values = self._same_in_all("scale")
        if values is None or isinstance(values[0], str | bytes) or len(set(values)) > 1:
            return None
        return float(values[0]) if math.isfinite(values[0]) and values[0] > 0 else None

    def _same_in_all(self, word: str) -> list[Any] | None:
        """Read [galaxy, band] values of the array named ``image_WORD``; None where it is not there, or they differ."""
        group, _, name = self._layer.head.name.rpartition("/")
        wanted = {f"{group}/image_{word}", f"{group}/{name}_{word}"}
        found = [head for head in self._heads if head.name in wanted]
        if len(found) != 1 or found[0].shape != (self._layer.n_images, self._layer.axes.n_bands):
            return None
        values = read_rows(self._layer.path, found[0], 0, self._layer.n_images).tolist()
        return list(values[0]) if values and all(row == values[0] for row in values) else None


def _refuse_unlike(layers: Sequence[Layer]) -> None:
    """Refuse files of several bands, or of other images or another unit than the first."""
    first = layers[0]
    for layer in layers[1:]:
        same = (layer.n_images, layer.axes) == (first.n_images, first.axes)
        if not same or layer.axes.n_bands != 1:
            raise InputError(
                f"{layer.name}: has {layer.head.shape}, {first.name} has {first.head.shape}; wanted one band a file, "
                "of the same galaxies, [galaxy, y, x]"
            )
        units = _unit(layer.head, 1), _unit(first.head, 1)
        if not is_same_unit(*units):
            raise InputError(
                f"{layer.name}: is in {units[0]}, {first.name} in {units[1]}; bring them to one unit"
            )


def _rows_per_block(head: ArrayHead, shape: tuple[int, ...]) -> int:
    """Whole chunks of images, about `BYTES_PER_BLOCK`."""
    bytes_per_image = max(1, int(np.prod(shape[1:], dtype=np.int64)) * head.dtype.itemsize)
    chunks = BYTES_PER_BLOCK // (bytes_per_image * head.rows_per_chunk)
    return head.rows_per_chunk * max(1, chunks)


def _bands(layers: Sequence[Layer], given: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the bands: the user's, the file's, those of pictures, or numbers; of several files their names."""
    head, n_bands = layers[0].head, sum(layer.axes.n_bands for layer in layers)
    if given is not None:
        if len(given) != n_bands:
            raise SettingsError(
                f"names {len(given)} bands, {layers[0].name} has {n_bands}; "
                "mend the names, or say where the bands are with `band_axis`"
                if len(layers) == 1
                else f"names {len(given)} bands, there are {n_bands} files",
                argument="bands",
                came=given,
            )
        return tuple(given)
    if len(layers) > 1 or layers[0].fits is not None:
        stated = [_text(layer.fits.keywords.get("FILTER", "")) if layer.fits else "" for layer in layers]
        names = [
            name or layer.path.name.partition(".")[0] for name, layer in zip(stated, layers, strict=True)
        ]
        distinct = len(layers) == 1 or len(set(names)) == len(names)
        return tuple(names) if distinct and (len(layers) > 1 or stated[0]) else _numbered(n_bands)
    stated = [_text(value) for value in np.atleast_1d(head.attributes.get("bands", ()))]
    if len(stated) == n_bands and len(set(stated)) == n_bands:
        return tuple(stated)
    if _is_picture(head, n_bands):
        return GRAY if n_bands == 1 else RGB
    return _numbered(n_bands)


def _numbered(n_bands: int) -> tuple[str, ...]:
    """Names of bands of which nobody knows any."""
    return tuple(f"band{number}" for number in range(n_bands))


def _zero_points(layers: Sequence[Layer], bands: Sequence[str]) -> dict[str, float]:
    """AB magnitudes of one unit, where FITS headers state one of all planes."""
    found = {}
    for band, layer in zip(bands, layers, strict=False):
        stated = layer.fits.zero_points_mag if layer.fits else None
        if stated is not None and len(set(stated)) == 1:
            found[band] = stated[0]
    return found


def _is_picture(head: ArrayHead, n_bands: int) -> bool:
    """Whether images look like those of PNG files."""
    return head.dtype == np.uint8 and not head.is_scaled and n_bands in (len(GRAY), len(RGB))


def _unit(head: ArrayHead, n_bands: int) -> str:
    """Give the unit that the file states."""
    for key in UNIT_ATTRIBUTES:
        text = _text(head.attributes.get(key, ""))
        if text:
            return text
    return "display" if _is_picture(head, n_bands) else "unknown"


def _scale(head: ArrayHead) -> float | None:
    """Give the pixel scale that the file states, in arcsec."""
    value = np.asarray(head.attributes.get("pixel_scale_arcsec", np.nan))
    stated = float(value.item()) if value.size == 1 and value.dtype.kind in "iuf" else np.nan
    return stated if np.isfinite(stated) and stated > 0 else None


def _text(value: Any) -> str:
    """Read an attribute that may be text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace").strip()
    return value.strip() if isinstance(value, str) else ""


def _catalog(path: Path, heads: Sequence[ArrayHead], images: ArrayHead) -> QTable:
    """One row an image: its number or its ``object_id``, and what lies beside the images in the same group."""
    n_images = images.shape[0] if images.shape else 0
    table = QTable({NAME_COLUMN: np.array([f"{row:08d}" for row in range(n_images)], dtype=str)})
    group = images.name.rpartition("/")[0]
    for head in heads:
        place, _, name = head.name.rpartition("/")
        if head.shape != (n_images,) or place != group or not (head.is_text or head.dtype.kind in "biuf"):
            continue
        values = read_rows(path, head, 0, n_images).tolist()
        loose = [_text(value) if isinstance(value, bytes) else value for value in values]
        if name == NAME_COLUMN and len(set(loose)) == n_images:
            table[NAME_COLUMN] = np.array(loose, dtype=str)
        else:
            add_column(table, name, loose)
    return table
