"""Measuring chunk by chunk, so that a killed run goes on where it stopped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from galsmith.data.galaxies import Galaxies
from galsmith.errors import InputError
from galsmith.execution import Briefing
from galsmith.files import written_atomically
from galsmith.measure.arrow import arrow_of, column_of
from galsmith.measure.galaxies import Method, rows_of
from galsmith.measure.row import columns_of_rows

# A killed run loses at most a chunk, about a second of work of one core; writing it takes some milliseconds.
GALAXIES_PER_CHUNK = {"galsmith": 128, "statmorph": 16}
GALAXIES_PER_CHUNK_WITHOUT_MORPHOLOGY = 256
PIXELS_PER_CHUNK = 16_000_000


@dataclass(frozen=True)
class Measuring:
    """What all chunks of a table have in common.

    Attributes
    ----------
    galaxies : Galaxies
        All of them, wherever they lie.
    method : Method
        How they are measured.
    """

    galaxies: Galaxies
    method: Method


@dataclass(frozen=True)
class Chunk:
    """Some galaxies to measure, read where they are measured.

    Attributes
    ----------
    briefing : Briefing of Measuring
        What they are taken from, and how they are measured.
    start, stop : int
        Which of them.
    file : Path or None
        Where their columns go.
    """

    briefing: Briefing[Measuring]
    start: int
    stop: int
    file: Path | None = None


@dataclass(frozen=True)
class ChunkFiles:
    """Files of the chunks of a table in the making.

    Attributes
    ----------
    folder : Path
        Where they lie.
    n_images : int
        How many images are measured.
    chunk_size : int
        Galaxies a chunk.
    """

    folder: Path
    n_images: int
    chunk_size: int

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
        return {name: column_of(table[name]) for name in table.column_names}


def measure_chunk(chunk: Chunk) -> dict[str, NDArray[Any]]:
    """Measure the galaxies of a chunk, one after another."""
    work = chunk.briefing.value
    galaxies = work.galaxies.read(range(chunk.start, chunk.stop))
    return columns_of_rows([row for galaxy in galaxies for row in rows_of(galaxy, work.method)])


def measure_into_file(chunk: Chunk) -> int:
    """Measure a chunk, write its file and return how many galaxies it has."""
    if chunk.file is not None:
        write_chunk(chunk.file, measure_chunk(chunk))
    return chunk.stop - chunk.start


def joined_columns(parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Put the columns of several chunks one below the other."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def write_chunk(file: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    """Write the columns of one chunk, atomically."""
    with written_atomically(file) as temporary:
        pq.write_table(pa.table({name: arrow_of(values) for name, values in columns.items()}), temporary)


def chunk_size_for(galaxies: Galaxies, method: Method) -> int:
    """Galaxies a chunk: few where each takes long, so that a killed run loses little, or where each is large."""
    wanted = GALAXIES_PER_CHUNK_WITHOUT_MORPHOLOGY
    if "morphology" in method.settings.quantities:
        wanted = GALAXIES_PER_CHUNK[method.engine]
    pixels = float(np.mean(np.prod(galaxies.shapes, axis=1))) * len(method.header.bands)
    return int(np.clip(PIXELS_PER_CHUNK / max(pixels, 1.0), 1, wanted))


def _read_chunk(file: Path) -> Any:
    """Read one chunk; `InputError` names a damaged one."""
    try:
        return pq.ParquetFile(file).read()  # read_table would import pandas
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(
            f"{file}: cannot be read ({error}); remove it and run the same command again"
        ) from error
