"""Measuring chunk by chunk, so that a killed run goes on where it stopped."""

import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galsmith.data.store import open_store
from galsmith.data.store.reader import StorePixels
from galsmith.errors import InputError, OutputExistsError
from galsmith.files import raise_if_unwritable, read_json, write_json, written_atomically
from galsmith.images import ImageSet
from galsmith.measure.galaxies import rows_of
from galsmith.measure.settings import MeasureSettings

# A killed run loses at most a chunk, about a second of work of one core; writing it takes some milliseconds.
GALAXIES_PER_CHUNK = {"galsmith": 128, "statmorph": 16}
GALAXIES_PER_CHUNK_WITHOUT_MORPHOLOGY = 256
PIXELS_PER_CHUNK = 16_000_000
MARK_FILE = "settings.json"


_READING = threading.Lock()  # the files of a store are not for several threads at once


@dataclass
class ImageChunk:
    """Some images of a set, read where they are measured.

    Attributes
    ----------
    start, stop : int
        Which images of the set.
    images : ImageSet or None
        The set, in this process; other processes get `store` or `pixels`.
    store : str
        Path of the store to open, where the set is a whole store.
    pixels : list of ndarray [band, y, x] or None
        The images themselves, where the set lies in memory or is a selection.
    """

    start: int
    stop: int
    images: ImageSet | None
    store: str = ""
    pixels: list[NDArray[np.float32]] | None = None

    def read(self) -> list[NDArray[np.float32]]:
        """Read the images, [band, y, x] each."""
        if self.pixels is not None:
            return self.pixels
        with _READING:
            images = _opened(self.store) if self.images is None else self.images
            return images.pixels.read(np.arange(self.start, self.stop))

    def __getstate__(self) -> dict[str, Any]:
        """Leave the set behind; sent one task at a time, so that memory holds few images."""
        pixels = None if self.store else self.read()
        return {**self.__dict__, "images": None, "pixels": pixels}


@dataclass
class ChunkTask:
    """One chunk to measure and the file to write."""

    chunk: ImageChunk
    file: Path
    settings: MeasureSettings
    bands: tuple[str, ...]
    engine: str


class PartialTable:
    """The folder of finished chunks beside a table that is being made.

    Parameters
    ----------
    output : Path
        The table to become; the folder is ``<output>.partial``.
    fingerprint : str
        Of all that decides the values; a folder of another one is not continued.
    n_images : int
        How many images are measured.
    chunk_size : int
        Galaxies a chunk.
    overwrite : bool
        Replace a folder of another fingerprint.

    Raises
    ------
    OutputExistsError
        If the folder belongs to another measurement.
    """

    def __init__(
        self, output: Path, fingerprint: str, *, n_images: int, chunk_size: int, overwrite: bool
    ) -> None:
        self.folder = output.with_name(output.name + ".partial")
        self.n_images = n_images
        self.chunk_size = chunk_size
        self._claim({"fingerprint": fingerprint, "n_images": n_images, "chunk_size": chunk_size}, overwrite)

    def file(self, chunk: int) -> Path:
        """Where a chunk is written."""
        return self.folder / f"chunk-{chunk:05d}.parquet"

    def ranges(self) -> list[tuple[int, int]]:
        """First and last-but-one image of every chunk."""
        return [
            (start, min(start + self.chunk_size, self.n_images))
            for start in range(0, self.n_images, self.chunk_size)
        ]

    def left(self) -> list[tuple[int, int, Path]]:
        """First and last-but-one image, and file, of every chunk that is not measured yet."""
        numbered = [(start, stop, self.file(number)) for number, (start, stop) in enumerate(self.ranges())]
        return [(start, stop, file) for start, stop, file in numbered if not file.exists()]

    def n_done(self) -> int:
        """How many images are measured."""
        return self.n_images - sum(stop - start for start, stop, _ in self.left())

    def joined(self) -> dict[str, NDArray[Any]]:
        """All finished chunks as columns, in order."""
        parts = [_read_chunk(self.file(chunk)) for chunk in range(len(self.ranges()))]
        table = pa.concat_tables(parts)
        return {name: table[name].to_numpy() for name in table.column_names}

    def remove(self) -> None:
        """Remove the folder once the table is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _claim(self, mark: dict[str, Any], overwrite: bool) -> None:  # noqa: FBT001
        """Take the folder, or go on with one of the same mark."""
        mark_file = self.folder / MARK_FILE
        if mark_file.exists() and read_json(mark_file) == mark:
            return
        if self.folder.exists() and any(self.folder.iterdir()):
            if not overwrite:
                raise OutputExistsError(
                    f"{self.folder}: an unfinished measurement of other images or settings; finish it with its own "
                    "command, choose another -o, or replace it with --overwrite"
                )
            shutil.rmtree(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise_if_unwritable(error, self.folder)
            raise
        write_json(mark_file, mark)


def chunk_tasks(
    partial: PartialTable, images: ImageSet, settings: MeasureSettings, *, engine: str
) -> list[ChunkTask]:
    """Tasks that are left."""
    whole_store = images.path if isinstance(images.pixels, StorePixels) else ""
    return [
        ChunkTask(
            ImageChunk(start, stop, images, store=whole_store), file, settings, images.header.bands, engine
        )
        for start, stop, file in partial.left()
    ]


def measure_chunk(task: ChunkTask) -> int:
    """Measure one chunk, write its file and return how many galaxies it has."""
    images = task.chunk.read()
    write_chunk(task.file, rows_of(images, task.settings, task.bands, engine=task.engine))
    return len(images)


def write_chunk(file: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write the columns of one chunk, atomically."""
    with written_atomically(file) as temporary:
        pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), temporary)


def chunk_size_for(images: ImageSet, quantities: Sequence[str], *, engine: str) -> int:
    """Galaxies a chunk: few where each takes long, so that a killed run loses little, or where each is large."""
    wanted = GALAXIES_PER_CHUNK_WITHOUT_MORPHOLOGY
    if "morphology" in quantities:
        wanted = GALAXIES_PER_CHUNK[engine]
    pixels = float(np.mean(np.prod(images.shapes, axis=1))) * len(images.header.bands)
    return int(np.clip(PIXELS_PER_CHUNK / max(pixels, 1.0), 1, wanted))


@lru_cache(maxsize=2)
def _opened(store: str) -> ImageSet:
    """Open a store once a process."""
    return open_store(store)


def _read_chunk(file: Path) -> Any:
    """Read one chunk; `InputError` names a damaged one."""
    try:
        return pq.read_table(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            f"{file}: cannot be read ({error}); remove it and run the same command again"
        ) from error
