"""Writing a store chunk by chunk, so that a killed writer leaves a marked partial store that can go on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from astropy.table import QTable, vstack
from numpy.typing import NDArray

from galsmith.data.store.companions import Companions, companions_of
from galsmith.data.store.layout import (
    CATALOG_FILE,
    DESCRIPTION_FILE,
    FORMAT_NAME,
    FORMAT_VERSION,
    IMAGE_FOLDER,
    IMAGES,
    LIBRARY_VERSIONS,
    PART_COLUMN,
    ROW_COLUMN,
    STORE,
    Part,
    StoreHeader,
    compression_of,
    content_hash,
    hash_of_catalog,
    read_catalog,
    storage_of,
    write_catalog,
)
from galsmith.data.store.reader import open_store
from galsmith.files import (
    Partial,
    is_remote,
    place_of,
    raise_if_unwritable,
    read_json,
    read_mark,
    refuse_existing,
    sha256_of_file,
    write_json,
    written_atomically,
)
from galsmith.images import ImageSet
from galsmith.images.image_set import completed_catalog

Pixels = NDArray[np.float32]
IMAGES_PER_CHUNK = 256


class StoreWriter:
    """Writes one store, a chunk at a time, in any order; a rerun skips the chunks that are done.

    Leaving its ``with`` block before `finish` keeps the chunks and lets the next one go on.

    Parameters
    ----------
    path : Path
        The folder to become the store.
    header : StoreHeader
        What is true of every image.
    n_chunks : int
        How many chunks there will be.
    overwrite : bool
        Replace what galsmith made there once this store is finished, and a partial one made by other settings.
    inputs : iterable of str, Path or None
        What is read; none may be harmed.

    Raises
    ------
    OutputExistsError
        If a store or a partial one of other settings or anything else is there, or another process writes it.
    """

    def __init__(
        self,
        path: Path,
        header: StoreHeader,
        *,
        n_chunks: int,
        overwrite: bool = False,
        inputs: Iterable[str | Path | None] = (),
    ) -> None:
        self.path = path
        self.header = header
        self.n_chunks = n_chunks
        layout = {"n_chunks": n_chunks, "format_version": FORMAT_VERSION}
        self._partial = Partial(
            path, STORE, header.fingerprint(), layout=layout, inputs=inputs, overwrite=overwrite
        )

    @property
    def is_complete(self) -> bool:
        """Whether the store is finished, now or by an earlier call of the same settings."""
        return self._partial.is_complete

    def open(self) -> ImageSet:
        """Open the finished store."""
        return open_store(self.path)

    def discard(self) -> None:
        """Remove what was written so far."""
        self._partial.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._partial.close()

    @property
    def folder(self) -> Path:
        """Where the unfinished store lies."""
        return self._partial.folder

    def sidecar(self, chunk: int, suffix: str) -> Path:
        """Where what belongs to one finished chunk is kept until the store is finished."""
        return self._partial.folder / f"chunk-{chunk:05d}{suffix}"

    def is_done(self, chunk: int) -> bool:
        """Whether this chunk was written, now or by an earlier run."""
        return self.is_complete or self.sidecar(chunk, ".json").exists()

    @property
    def n_done(self) -> int:
        """How many chunks are written."""
        return sum(self.is_done(chunk) for chunk in range(self.n_chunks))

    def write_chunk(
        self, chunk: int, images: Sequence[Pixels], catalog: QTable, *, companions: Companions | None = None
    ) -> None:
        """Write the images and catalog rows of one chunk; it counts only once all of it is on disk.

        Parameters
        ----------
        chunk : int
            Position in the store, from 0.
        images : sequence of ndarray [band, y, x], float32
            In the header's unit per pixel; sizes may differ; may be empty.
        catalog : QTable
            One row an image; ``object_id``, ``split`` and ``native_size_pix`` are added when missing.
        companions : Companions, optional
            Arrays beside the images, such as their PSFs.

        Raises
        ------
        OutputError
            If the disk is full; the chunk is then not there at all.
        ValueError
            If an image has not the header's bands, or a companion does not belong to it.
        """
        images = [
            self.header.images.checked_image(image, f"image {position} of chunk {chunk}")
            for position, image in enumerate(images)
        ]
        if companions is not None:
            companions.check(images)
        rows = completed_catalog(catalog, [min(image.shape[-2:]) for image in images])
        try:
            parts, part_of, row_of = self._write_parts(chunk, images, companions)
            rows[PART_COLUMN] = np.asarray(part_of, dtype=np.int32)
            rows[ROW_COLUMN] = np.asarray(row_of, dtype=np.int32)
            write_catalog(self.sidecar(chunk, ".parquet"), rows)
            write_json(
                self.sidecar(chunk, ".json"),
                {"parts": [asdict(part) for part in parts], "n_images": len(images)},
            )
        except (OSError, RuntimeError) as error:
            raise_if_unwritable(error, self.path)
            raise

    def finish(self, complete: Callable[[QTable], QTable] | None = None) -> ImageSet:
        """Join the chunks into a finished store and open it.

        Parameters
        ----------
        complete : callable, optional
            Changes the whole catalog before it is written, such as to assign splits.

        Raises
        ------
        ValueError
            If a chunk is missing.
        """
        missing = [chunk for chunk in range(self.n_chunks) if not self.is_done(chunk)]
        if missing:
            raise ValueError(
                f"{self.path}: {len(missing)} of {self.n_chunks} chunks are not written, first {missing[0]}"
            )
        parts, catalog = self._joined()
        if complete is not None:
            catalog = complete(catalog)
        write_catalog(self._partial.content / CATALOG_FILE, catalog)
        write_json(self._partial.content / DESCRIPTION_FILE, self._description(parts, catalog))
        self._partial.finish()
        return self.open()

    def _write_parts(
        self, chunk: int, images: Sequence[Pixels], companions: Companions | None
    ) -> tuple[list[Part], list[int], list[int]]:
        """Write one HDF5 file for each size in the chunk."""
        groups: dict[tuple[int, int], list[int]] = {}
        for position, image in enumerate(images):
            groups.setdefault((image.shape[-2], image.shape[-1]), []).append(position)
        parts: list[Part] = []
        part_of, row_of = [0] * len(images), [0] * len(images)
        for (height, width), positions in sorted(groups.items()):
            suffix = f"-{height}x{width}" if len(groups) > 1 else ""
            name = f"{IMAGE_FOLDER}/part-{chunk:05d}{suffix}.h5"
            beside = None if companions is None else companions.of(positions)
            stacked = np.stack([images[position] for position in positions])
            self._write_part_file(self._partial.content / name, stacked, beside)
            for row, position in enumerate(positions):
                part_of[position], row_of[position] = len(parts), row
            parts.append(
                Part(name, len(positions), height, width, sha256_of_file(self._partial.content / name))
            )
        return parts, part_of, row_of

    def _write_part_file(self, path: Path, pixels: Pixels, companions: Companions | None) -> None:
        """Write one HDF5 file, atomically; HDF5 makes it in memory, as it crashes on a full disk."""
        with written_atomically(path) as temporary:
            temporary.write_bytes(self._part_content(pixels, companions))

    def _part_content(self, pixels: Pixels, companions: Companions | None) -> bytes:
        """Bytes of an HDF5 file with one galaxy a chunk."""
        with h5py.File(
            "part", "w", driver="core", backing_store=False, block_size=2**22, libver=LIBRARY_VERSIONS
        ) as part:
            stored = _smallest_exact(pixels)
            data = part.create_dataset(
                IMAGES,
                data=stored,
                **storage_of(stored),
                **(compression_of(stored) if stored.dtype == np.uint8 else {}),
            )
            header = self.header.images
            data.attrs["image_band"] = list(header.bands)
            data.attrs["unit"] = header.flux_unit
            if header.pixel_scale_arcsec is not None:
                data.attrs["image_scale"] = header.pixel_scale_arcsec
            if companions is not None:
                companions.write(part)
            part.flush()
            content: bytes = part.id.get_file_image()
        return content

    def _joined(self) -> tuple[list[Part], QTable]:
        """All parts and catalog rows, with part numbers counted over the whole store."""
        parts: list[Part] = []
        tables: list[QTable] = []
        for chunk in range(self.n_chunks):
            sidecar = read_json(self.sidecar(chunk, ".json"))
            rows = read_catalog(self.sidecar(chunk, ".parquet"))
            if len(rows):
                rows[PART_COLUMN] = np.asarray(rows[PART_COLUMN], dtype=np.int32) + len(parts)
                tables.append(rows)
            parts.extend(Part(**part) for part in sidecar["parts"])
        catalog = vstack(tables, metadata_conflicts="silent") if tables else QTable()
        if len(np.unique(np.asarray(catalog["object_id"], dtype=str))) < len(catalog):
            catalog["object_id"] = np.array([f"{index:08d}" for index in range(len(catalog))], dtype=str)
        return parts, catalog

    def _description(self, parts: list[Part], catalog: QTable) -> dict[str, Any]:
        """Content of the store's JSON page."""
        catalog_hash = hash_of_catalog(catalog)
        return {
            "format": FORMAT_NAME,
            "format_version": FORMAT_VERSION,
            "content_hash": content_hash(self.header, parts, catalog_hash),
            "n_images": len(catalog),
            **self.header.to_dict(),
            "catalog": {"file": CATALOG_FILE, "sha256": sha256_of_file(self._partial.content / CATALOG_FILE)},
            "parts": [asdict(part) for part in parts],
        }


def _smallest_exact(pixels: Pixels) -> NDArray[Any]:
    """Give pixels as 8-bit integers where all of them are some, as those of pictures are; else as float32."""
    floats = np.asarray(pixels, dtype=np.float32)
    with np.errstate(invalid="ignore"):  # what is not finite is no integer
        integers = floats.astype(np.uint8)
    is_exact = np.array_equal(integers, floats) and not np.signbit(floats).any()
    return integers if is_exact else floats


def write_store(path: str | Path, images: ImageSet, *, overwrite: bool = False) -> ImageSet:
    """Write an image set as a store, streaming, and open it; what lies beside images of a store goes with them.

    Parameters
    ----------
    path : str or Path
        The folder to become the store.
    images : ImageSet
        Read in chunks, so it may be larger than memory.
    overwrite : bool
        Replace what is there.
    """
    header, place = StoreHeader(images.header, images.provenance), place_of(path)
    if (
        not is_remote(place) and read_mark(place) is None
    ):  # a header does not tell which images of a set these are
        refuse_existing(place, STORE, overwrite=overwrite)
    n_chunks = max(1, -(-len(images) // IMAGES_PER_CHUNK))
    writer = StoreWriter(place, header, n_chunks=n_chunks, overwrite=overwrite, inputs=[images.path or None])
    with writer:
        for chunk, (indices, pixels) in enumerate(images.chunks(IMAGES_PER_CHUNK)):
            if not writer.is_done(chunk):
                beside = companions_of(images, indices)
                writer.write_chunk(chunk, pixels, images.catalog[indices], companions=beside)
        return writer.open() if writer.is_complete else writer.finish()
