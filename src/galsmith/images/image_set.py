"""`ImageSet`: many galaxy images of one kind, in memory or read lazily from a store."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, overload

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray

from galsmith.counts import counted
from galsmith.images.header import ImageHeader
from galsmith.provenance import Parent, Provenance, hash_json

Pixels = NDArray[np.float32]


class PixelSequence(Protocol):
    """Pixels of many images, wherever they lie."""

    def __len__(self) -> int:
        """Return how many images there are."""

    def __getitem__(self, index: int) -> Pixels:
        """Read one image, [band, y, x] float32."""

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Height and width of every image, [galaxy, 2] int64, in pixels; known without reading pixels."""

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> list[Pixels]:
        """Read several images, in the order of `indices`."""


@dataclass(frozen=True, repr=False)
class ImageSet:
    """Many galaxy images of one kind.

    Attributes
    ----------
    pixels : PixelSequence
        One [band, y, x] float32 array an image, in the header's unit per pixel; sizes may differ.
    header : ImageHeader
        Bands, unit, size of a pixel, zero points, PSF.
    catalog : QTable
        One row an image; ``object_id``, ``split`` and ``native_size_pix`` are always there.
    provenance : Provenance
        What made this set.
    content_hash : str
        Of pixels, catalog and units; what names this set as a parent.
    path : str
        Where the set lies, a hint for the reader; empty in memory.
    """

    pixels: PixelSequence
    header: ImageHeader
    catalog: QTable
    provenance: Provenance
    content_hash: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        """Refuse a catalog of another length."""
        if len(self.pixels) != len(self.catalog):
            raise ValueError(
                f"catalog has {len(self.catalog)} rows for {len(self.pixels)} images; wanted one each"
            )

    def __repr__(self) -> str:
        """Say how many images there are, and of what kind; pixels and catalog would fill pages."""
        unit = f"in {self.header.flux_unit}"
        return (
            f"ImageSet({counted(len(self), self.header.images_name)}, {self.sizes_text}, {self.bands_text}, "
            f"{unit})"
        )

    def _repr_html_(self) -> str:
        """Show the first images and the first rows of the catalog, in a notebook."""
        from galsmith.images.preview import N_PICTURES, html_of

        first = np.arange(min(N_PICTURES, len(self)))
        return html_of(repr(self), self.pixels.read(first), self.catalog[first], self.header.bands)

    def __len__(self) -> int:
        """Return how many images there are."""
        return len(self.pixels)

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> Pixels: ...

    @overload
    def __getitem__(self, index: slice | Sequence[int] | NDArray[Any]) -> "ImageSet": ...

    def __getitem__(
        self, index: int | np.integer[Any] | slice | Sequence[int] | NDArray[Any]
    ) -> "Pixels | ImageSet":
        """Read one image, [band, y, x] float32, or `select` those of a slice, of a mask or of several indices."""
        if isinstance(index, slice):
            return self.select(np.arange(len(self))[index])
        if isinstance(index, int | np.integer):
            return self.pixels[int(index)]
        return self.select(index)

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Height and width of every image, [galaxy, 2] int64, in pixels."""
        return self.pixels.shapes

    @property
    def shape_range(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Smallest and largest height and width of the images, in pixels; zeros where there are none."""
        shapes = self.shapes if len(self) else np.zeros((1, 2), dtype=np.int64)
        (low_y, low_x), (high_y, high_x) = shapes.min(axis=0), shapes.max(axis=0)
        return (int(low_y), int(low_x)), (int(high_y), int(high_x))

    @property
    def sizes_text(self) -> str:
        """Height and width of the images, or their range, in pixels, in words."""
        if not len(self):
            return "no pixels"
        smallest, largest = (f"{height}x{width}" for height, width in self.shape_range)
        return f"{smallest} px" if smallest == largest else f"{smallest} to {largest} px"

    @property
    def bands_text(self) -> str:
        """Names of the bands in words."""
        return ("band " if len(self.header.bands) == 1 else "bands ") + " ".join(self.header.bands)

    @property
    def n_by_split(self) -> dict[str, int]:
        """How many images each split has, by its name."""
        names, counts = np.unique(np.asarray(self.catalog["split"], dtype=str), return_counts=True)
        return {str(name): int(count) for name, count in zip(names, counts, strict=True)}

    def select(self, rows: ArrayLike) -> "ImageSet":
        """Keep some images.

        Parameters
        ----------
        rows : array_like of bool or int
            A mask with one value an image, or the indices to keep, in their order.
        """
        chosen = np.asarray(rows)
        if chosen.dtype == bool:
            if chosen.shape != (len(self),):
                raise ValueError(
                    f"mask has shape {chosen.shape} for {len(self)} images; wanted one value each"
                )
            chosen = np.flatnonzero(chosen)
        chosen = chosen.astype(np.int64)
        return replace(
            self,
            pixels=SelectedPixels(self.pixels, chosen),
            catalog=self.catalog[chosen],
            content_hash=hash_json([self.content_hash, hashlib.sha256(chosen.tobytes()).hexdigest()]),
        )

    def as_parent(self, role: str) -> Parent:
        """Name this set as a parent of what is made from it."""
        return Parent(role, self.content_hash, self.path)

    def in_split(self, name: str) -> "ImageSet":
        """Keep the images of one split: ``"train"``, ``"validation"`` or ``"test"``."""
        return self.select(np.asarray(self.catalog["split"], dtype=str) == name)

    def stacked(self) -> Pixels:
        """All pixels in one array, [galaxy, band, y, x] float32; raises `ValueError` if sizes differ."""
        sizes = np.unique(self.shapes, axis=0)
        if len(sizes) > 1:
            raise ValueError(
                f"images have {len(sizes)} different sizes, from {tuple(sizes[0])} to {tuple(sizes[-1])} pixels; "
                "wanted one size: crop or resize the set"
            )
        return np.stack(self.pixels.read(np.arange(len(self))))

    def chunks(self, size: int) -> Iterator[tuple[NDArray[np.int64], list[Pixels]]]:
        """Read all images in order, `size` at a time, as (indices, images)."""
        for start in range(0, len(self), size):
            indices = np.arange(start, min(start + size, len(self)))
            yield indices, self.pixels.read(indices)


def image_set_from_arrays(
    images: Sequence[ArrayLike],
    header: ImageHeader,
    *,
    catalog: QTable | None = None,
    provenance: Provenance | None = None,
) -> ImageSet:
    """Make an `ImageSet` from arrays in memory.

    Parameters
    ----------
    images : sequence of array_like
        Each [band, y, x], or [y, x] for one band; kept as float32.
    header : ImageHeader
        Bands and unit at the least, as ``ImageHeader(("g", "r"), "nJy")``.
    catalog : QTable, optional
        One row an image; missing standard columns are added.
    provenance : Provenance, optional
        Where the arrays come from.

    Raises
    ------
    ValueError
        If an image has another number of bands or of axes.
    """
    pixels = [header.checked_image(image, f"image {position}") for position, image in enumerate(images)]
    return ImageSet(
        pixels=_ArrayPixels(pixels),
        header=header,
        catalog=completed_catalog(catalog, [min(image.shape[-2:]) for image in pixels]),
        provenance=provenance or Provenance("arrays in memory"),
        content_hash=_hash_of_arrays(pixels, header),
    )


def completed_catalog(catalog: QTable | None, native_sizes_pix: Sequence[int]) -> QTable:
    """Copy a catalog and add the standard columns that it lacks: object_id, split, native_size_pix (the shorter sides)."""
    count = len(native_sizes_pix)
    completed = QTable() if catalog is None else catalog.copy()
    if "object_id" not in completed.colnames:
        completed["object_id"] = np.array([f"{index:08d}" for index in range(count)], dtype=str)
    if "split" not in completed.colnames:
        completed["split"] = np.full(count, "train", dtype="U10")
    if "native_size_pix" not in completed.colnames:
        completed["native_size_pix"] = np.asarray(native_sizes_pix, dtype=np.int32)
    return completed


class _ArrayPixels:
    """Pixels in memory."""

    def __init__(self, images: Sequence[Pixels]) -> None:
        self._images = list(images)

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Pixels:
        return self._images[index]

    @property
    def shapes(self) -> NDArray[np.int64]:
        return np.array([image.shape[-2:] for image in self._images], dtype=np.int64).reshape(-1, 2)

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> list[Pixels]:
        return [self._images[int(index)] for index in indices]


class SelectedPixels:
    """Some of the pixels of another sequence, in a chosen order.

    Parameters
    ----------
    base : PixelSequence
        The others among them.
    rows : ndarray [galaxy], int64
        Which of it.
    """

    def __init__(self, base: PixelSequence, rows: NDArray[np.int64]) -> None:
        self.base = base
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Pixels:
        return self.base[int(self.rows[index])]

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Height and width of every chosen image, [galaxy, 2] int64, in pixels."""
        return self.base.shapes[self.rows]

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> list[Pixels]:
        """Read several of the chosen images, in the order of `indices`."""
        return self.base.read(self.rows[np.asarray(indices, dtype=np.int64)])


def _hash_of_arrays(images: Sequence[Pixels], header: ImageHeader) -> str:
    """Hash of images in memory."""
    shown = f"|{header.shows}" if header.shows_fields else ""
    digest = hashlib.sha256(f"{list(header.bands)}|{header.flux_unit}{shown}".encode())
    for image in images:
        digest.update(str(image.shape).encode())
        digest.update(np.ascontiguousarray(image).tobytes())
    return digest.hexdigest()
