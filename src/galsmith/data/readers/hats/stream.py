"""Reading images out of the Parquet files of a catalog, a batch of rows at a time, in memory that does not grow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from galsmith.data.hats.layout import IMAGE
from galsmith.data.hats.nested import Cube, lists_to_cubes
from galsmith.data.readers.hats.columns import READ_ERRORS, first_line, open_file
from galsmith.errors import InputError

MOST_VALUES = 2**22  # of one batch, of pixels and of each map
MOST_ROWS = 256


@dataclass(frozen=True)
class Groups:
    """The row groups of all files, one after the other.

    Attributes
    ----------
    files : sequence of Path
        The file of each.
    numbers : ndarray [group], int64
        Which of its file.
    starts : ndarray [group + 1], int64
        Row of the catalog where each begins, and the end.
    """

    files: Sequence[Path]
    numbers: NDArray[np.int64]
    starts: NDArray[np.int64]

    def at(self, row: int) -> int:
        """Say which row group has a row of the catalog."""
        return int(np.searchsorted(self.starts, row, side="right")) - 1


@dataclass
class _Place:
    """How far one row group was read."""

    group: int
    batches: Iterator[pa.RecordBatch]
    first: int
    cubes: Mapping[str, Sequence[Cube | None]] = field(default_factory=dict)
    end: int = 0


class ImageStream:
    """Some lists of the images of a catalog; rows that come in their order are read once.

    Parameters
    ----------
    groups : Groups
        Where rows lie.
    names : sequence of str
        Of the lists, such as ``("flux", "ivar")``.
    values_a_row : int
        Pixels of the largest image, all bands together.
    """

    def __init__(self, groups: Groups, names: Sequence[str], *, values_a_row: int) -> None:
        self._groups, self._names = groups, tuple(names)
        self._rows = max(1, min(MOST_ROWS, MOST_VALUES // max(1, values_a_row)))
        self._place: _Place | None = None
        self._broken: dict[int, str] = {}

    def read(self, row: int) -> dict[str, Cube | None]:
        """Read the lists of one image, each [band, y, x] as the file has it; None for what is no such cube.

        Raises
        ------
        InputError
            If the file is damaged there.
        """
        group = self._groups.at(row)
        if group in self._broken:
            raise InputError(self._broken[group])
        place = self._place
        if place is None or place.group != group or row < place.first:
            place = self._begin(group)
        try:
            while row >= place.end:
                batch = next(place.batches)
                place.first, place.end = place.end, place.end + batch.num_rows
                images = batch.column(0)
                place.cubes = {name: lists_to_cubes(_field(images, name)) for name in self._names}
        except (*READ_ERRORS, StopIteration) as error:
            self._place = None
            first, end = self._groups.starts[group : group + 2]
            self._broken[group] = (
                f"{self._groups.files[group]}: rows {first} to {end - 1} of the catalog cannot be read "
                f"({first_line(error)}); download it anew"
            )
            raise InputError(self._broken[group]) from error
        return {name: place.cubes[name][row - place.first] for name in self._names}

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open file behind."""
        return {**self.__dict__, "_place": None}

    def _begin(self, group: int) -> _Place:
        """Start at the first row of a row group."""
        start, columns = int(self._groups.starts[group]), [f"{IMAGE}.{name}" for name in self._names]
        batches: Any = open_file(self._groups.files[group]).iter_batches(
            batch_size=self._rows,
            row_groups=[int(self._groups.numbers[group])],
            columns=columns,
            use_threads=False,
        )
        self._place = _Place(group, batches, start, end=start)
        return self._place


def _field(images: pa.StructArray, name: str) -> pa.Array:
    """Take one list of the images; null where an image is."""
    found = images.flatten()[images.type.get_field_index(name)]
    return found.storage if isinstance(found, pa.ExtensionArray) else found
