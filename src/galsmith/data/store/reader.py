"""Reading a store lazily, by chunk and by index, from any number of processes; and checking its hashes."""

import contextlib
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.store.layout import (
    CATALOG_FILE,
    DESCRIPTION_FILE,
    FORMAT_NAME,
    FORMAT_VERSION,
    IMAGES,
    PART_COLUMN,
    ROW_COLUMN,
    STORE,
    Part,
    StoreHeader,
    StorePage,
    content_hash,
    hash_of_catalog,
    read_catalog,
)
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import partial_folder, place_of, read_json, read_mark, settle, sha256_of_file
from galsmith.files.hdf5 import opened_hdf5, own_dataset, refuse_claim
from galsmith.files.pages import checked_page
from galsmith.files.seal import unsealed
from galsmith.images import ImageSet

Pixels = NDArray[np.float32]
Found = TypeVar("Found")
WAY_OUT = "the store is damaged, make it again"
OPEN_FILES_AT_MOST = 16
PIXEL_BYTES = 4
ROWS_SKIPPED = 3  # A call costs as much as a few images of 64 px.


def is_store(path: str | Path) -> bool:
    """Whether there is a finished or a partial store at a path."""
    return (place_of(path) / DESCRIPTION_FILE).is_file() or partial_chunks(path) is not None


def partial_chunks(path: str | Path) -> tuple[int, int] | None:
    """How many chunks of how many are done of a store that is not finished; None where there is no such store."""
    mark = read_mark(path)
    if mark is None or mark.get("kind") != STORE.name:
        return None
    return len(list(partial_folder(path).glob("chunk-*.json"))), mark["n_chunks"]


def read_description(path: str | Path) -> dict[str, Any]:
    """Read a store's JSON page and check that this version of galsmith can read it.

    Raises
    ------
    InputError
        If there is no store, it is partial, or its format version is unknown.
    """
    folder = place_of(path)
    settle(folder)
    if not (folder / DESCRIPTION_FILE).is_file():
        raise InputError(_why_no_store(folder))
    description = read_json(folder / DESCRIPTION_FILE)
    if description.get("format") != FORMAT_NAME:
        raise InputError(
            f"{folder / DESCRIPTION_FILE}: not a galsmith store; make one with galsmith ingest or simulate"
        )
    version = description.get("format_version")
    if version != FORMAT_VERSION:
        raise InputError(
            f"{folder}: has store format version {version}, this galsmith reads version {FORMAT_VERSION}; "
            "read it with the galsmith that made it (see galsmith info) or make it again"
        )
    checked_page(StorePage, description, folder / DESCRIPTION_FILE, way_out=WAY_OUT)
    return description


def open_store(path: str | Path) -> ImageSet:
    """Open a store; the catalog is read now, pixels when asked for.

    Raises
    ------
    InputError
        If there is no store, it is partial, of an unknown format version, or damaged.
    """
    folder = place_of(path)
    description = read_description(folder)
    header = StoreHeader.from_dict(description)
    parts = [Part(**part) for part in description["parts"]]
    refuse_outside(folder, CATALOG_FILE)
    catalog = read_catalog(folder / CATALOG_FILE, sha256=description["catalog"]["sha256"])
    if len(catalog) != description["n_images"]:
        raise InputError(
            f"{folder / CATALOG_FILE}: has {len(catalog)} rows, {DESCRIPTION_FILE} says {description['n_images']}; "
            "the store is damaged, make it again"
        )
    part_of, row_of = _places_in(catalog, parts, folder / CATALOG_FILE)
    catalog.remove_columns([PART_COLUMN, ROW_COLUMN])
    return ImageSet(
        pixels=StorePixels(folder, parts, part_of, row_of),
        header=header.images,
        catalog=catalog,
        provenance=header.provenance,
        content_hash=description["content_hash"],
        path=str(folder),
    )


def _places_in(catalog: QTable, parts: list[Part], path: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Part and row of every image, [image] int64 each; refuse those that no part has."""
    found = []
    for name in (PART_COLUMN, ROW_COLUMN):
        if name not in catalog.colnames or np.asarray(catalog[name]).dtype.kind not in "iu":
            raise InputError(f"{path}: has no column {name} of whole numbers; {WAY_OUT}")
        found.append(np.asarray(catalog[name], dtype=np.int64))
    part_of, row_of = found
    is_part = (part_of >= 0) & (part_of < len(parts))
    counts = np.array([part.n_images for part in parts], dtype=np.int64)
    is_row = (row_of >= 0) & (row_of < np.append(counts, 0)[np.where(is_part, part_of, -1)])
    if not is_row.all():
        raise InputError(f"{path}: names rows that no part has, first in row {np.argmin(is_row)}; {WAY_OUT}")
    return part_of, row_of


class StorePixels:
    """Pixels that stay on disk; may be sent to another process, which opens the files anew."""

    def __init__(
        self, folder: Path, parts: list[Part], part_of: NDArray[np.int64], row_of: NDArray[np.int64]
    ) -> None:
        self._folder = folder
        self._parts = parts
        self._part_of = part_of
        self._row_of = row_of
        self._open: OrderedDict[int, h5py.File] = OrderedDict()
        self._process = os.getpid()
        self._reading = threading.Lock()  # open files are not for several threads at once

    def __len__(self) -> int:
        """Return how many images there are."""
        return len(self._part_of)

    def __getitem__(self, index: int) -> Pixels:
        """Read one image, [band, y, x] float32."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"image {index} of a store with {len(self)} images")
        return self.read([index])[0]

    @property
    def shapes(self) -> NDArray[np.int64]:
        """Height and width of every image, [galaxy, 2] int64, in pixels."""
        sizes = np.array([(part.height_pix, part.width_pix) for part in self._parts], dtype=np.int64)
        return sizes.reshape(-1, 2)[self._part_of]

    def read(self, indices: Sequence[int] | NDArray[np.int64]) -> list[Pixels]:
        """Read several images, in the order of `indices`; rows of a part that are near to one another are read at once."""
        wanted = np.asarray(indices, dtype=np.int64)
        images: list[Pixels] = [np.empty(0, dtype=np.float32)] * len(wanted)
        order = np.lexsort((self._row_of[wanted], self._part_of[wanted]))
        parts, rows = self._part_of[wanted[order]], self._row_of[wanted[order]]
        gaps = np.where(np.diff(parts) != 0, ROWS_SKIPPED + 1, np.diff(rows) - 1)
        breaks = np.flatnonzero((gaps < 0) | (gaps > ROWS_SKIPPED)) + 1
        for run in np.split(np.arange(len(order)), breaks) if len(order) else []:
            first, count = int(rows[run[0]]), int(rows[run[-1]] - rows[run[0]]) + 1
            with self._reading:
                block = self._read_rows(int(parts[run[0]]), first, count)
            # A copy, for rows between would stay in memory with those that were asked for.
            block = block if count == len(run) else block[rows[run] - first]
            for position, image in zip(order[run], block, strict=True):
                images[int(position)] = image
        return images

    @property
    def folder(self) -> Path:
        """The store."""
        return self._folder

    def read_parts(
        self,
        indices: Sequence[int] | NDArray[np.int64],
        read: Callable[[h5py.File, NDArray[np.int64]], Found],
    ) -> Iterator[tuple[NDArray[np.int64], Found]]:
        """Read something else of the parts that hold images, one after the other.

        Parameters
        ----------
        indices : sequence of int
            Which images.
        read : callable
            Is given an open part and rows of it.

        Yields
        ------
        positions : ndarray [image], int64
            Of the part's images in `indices`.
        found : object
            What `read` gave.

        Raises
        ------
        InputError
            If a part cannot be read.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        for part in np.unique(self._part_of[wanted]).tolist():
            positions = np.flatnonzero(self._part_of[wanted] == part)
            with self._reading, self._readable(part):
                found = read(self._file(part), self._row_of[wanted[positions]])
            yield positions, found

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open files and the lock behind."""
        return {**self.__dict__, "_open": OrderedDict(), "_reading": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Start without open files."""
        self.__dict__.update(state, _reading=threading.Lock())

    def _read_rows(self, part: int, start: int, count: int) -> Pixels:
        """Read consecutive rows of one part, [galaxy, band, y, x]."""
        with self._readable(part):
            stored = self._images_of(part, count)[start : start + count]
        return np.asarray(stored, dtype=np.float32)  # 8-bit integers where all pixels are some

    def _images_of(self, part: int, count: int) -> h5py.Dataset:
        """Open the images of a part, of which some are to be read; they have to be those that the store's page states."""
        file, said = self._file(part), self._parts[part]
        images = own_dataset(file, IMAGES)
        size = images.shape[2:]
        if images.ndim != 4 or (len(images), *size) != (said.n_images, said.height_pix, said.width_pix):
            raise InputError(
                f"{file.filename}: holds images of shape {images.shape}, {DESCRIPTION_FILE} says {said.n_images} of "
                f"{said.height_pix}x{said.width_pix} px; the store is damaged, make it again"
            )
        refuse_claim(file, IMAGES, count * math.prod(images.shape[1:]) * PIXEL_BYTES)
        return images

    @contextlib.contextmanager
    def _readable(self, part: int) -> Iterator[None]:
        """Turn what HDF5 says of a damaged part into an error that names it."""
        try:
            yield
        except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            path = self._folder / self._parts[part].file
            raise InputError(
                f"{path}: cannot be read ({error}); check the store with galsmith info (`verify`)"
            ) from error

    def _file(self, part: int) -> h5py.File:
        """Open a part, keeping the last few open; a forked process never shares its parent's handles."""
        if self._process != os.getpid():
            self._open, self._process = OrderedDict(), os.getpid()
        if part not in self._open:
            refuse_outside(self._folder, self._parts[part].file)
            if len(self._open) >= OPEN_FILES_AT_MOST:
                self._open.popitem(last=False)[1].close()
            self._open[part] = opened_hdf5(self._folder / self._parts[part].file)
        self._open.move_to_end(part)
        return self._open[part]


def refuse_outside(folder: Path, name: str) -> None:
    """Raise `InputError` where the path of a part, or a link on it, leads out of its store."""
    place = folder / name
    if not place.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{place}: leads out of the store, so it is not read; put the file itself there")


def _why_no_store(folder: Path) -> str:
    """Explain why a path is not a readable store."""
    chunks = partial_chunks(folder)
    if chunks is not None:
        done, total = chunks
        return f"{folder}: a partial store, {done} of {total} chunks done; run the command that makes it again to finish it"
    if folder.exists():
        return f"{folder}: not a galsmith store (no {DESCRIPTION_FILE} in it); make one with galsmith ingest or simulate"
    return f"{folder}: there is no such store; make one with galsmith ingest or simulate"


def verify_store(path: str | Path, *, progress: ProgressCallback = ignore_progress) -> list[str]:
    """Compare every file of a store with its checksum, and the content hash that it states with its content.

    Returns
    -------
    list of str
        One line for each file that is missing, altered or cannot be told; empty when all is well.
    """
    folder = place_of(path)
    description = read_description(folder)
    files = [(CATALOG_FILE, description["catalog"]["sha256"])]
    files += [(part["file"], part["sha256"]) for part in description["parts"]]
    faults = unsealed([folder / DESCRIPTION_FILE])
    for done, (name, wanted) in enumerate(files, start=1):
        faults.extend(_faults(folder / name, wanted))
        progress(ProgressEvent("verifying", done, len(files), "files"))
    if not faults:
        parts = [Part(**part) for part in description["parts"]]
        catalog_hash = hash_of_catalog(read_catalog(folder / CATALOG_FILE))
        if (
            content_hash(StoreHeader.from_dict(description), parts, catalog_hash)
            != description["content_hash"]
        ):
            faults.append(
                f"{folder / DESCRIPTION_FILE}: states a content hash that is not that of its content"
            )
    return faults


def _faults(file: Path, wanted: str) -> Iterator[str]:
    """Say what is wrong with one file."""
    if not file.exists():
        yield f"{file}: is missing"
    elif sha256_of_file(file) != wanted:
        made_by = "galsmith" if file.name != CATALOG_FILE else "galsmith or a program that edited the catalog"
        yield f"{file}: its bytes differ from what {made_by} wrote; make the store again or restore the file"
