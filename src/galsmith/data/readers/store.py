"""A store as a source: some of its galaxies, cropped or resized, with measured properties joined to its catalog."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import MaskedColumn, QTable
from numpy.typing import NDArray

from galsmith.data.readers.labels import RESERVED_NAMES, read_table
from galsmith.data.readers.listing import file_as_parent
from galsmith.data.readers.options import with_zero_points
from galsmith.data.readers.registry import StoreOptions
from galsmith.data.readers.source import Listing, Origin, UnusableImage
from galsmith.data.store import Companions, bytes_beside, companions_of, open_store
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import place_of

Pixels = NDArray[np.float32]
NAME_COLUMN = "object_id"
logger = logging.getLogger(__name__)


class StoreSource:
    """All images of a store, with its catalog, splits, point spread functions and units.

    Parameters
    ----------
    store : str or Path
        The store.
    options : StoreOptions
        Properties to join.
    progress : callable
        Not told of anything.

    Raises
    ------
    InputError
        If the store or the table cannot be used; the message names it.
    """

    def __init__(
        self,
        store: str | Path,
        options: StoreOptions = StoreOptions(),
        *,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        del progress  # the catalog is read as a whole
        properties = options.properties
        self._images = open_store(store)
        images = self._images
        self.header = with_zero_points(images.header, options.zero_points_mag)
        self.catalog = images.catalog.copy()
        self.catalog.meta.clear()
        names = [f"{images.path}: {name}" for name in self.catalog[NAME_COLUMN]]
        self.listing = Listing(
            names,
            images.shapes,
            splits=np.asarray(self.catalog["split"], dtype=str),
            bytes_beside=bytes_beside(images),
        )
        parents, notes = [images.as_parent("store")], {}
        if properties is not None:
            table = place_of(properties)
            notes["properties"] = join_properties(self.catalog, table)
            parents.append(file_as_parent(table, "properties"))
        settings: dict[str, Any] = {"kind": "store", "properties": properties is not None}
        if options.zero_points_mag is not None:
            settings["zero_points_mag"] = dict(self.header.zero_points_mag)
        lost = dict((images.catalog.meta.get("given") or {}).get("unusable", {}))
        self.origin = Origin(settings, tuple(parents), notes, stage="copying", lost_before=lost)

    def read(self, rows: NDArray[np.int64]) -> Sequence[Pixels | UnusableImage]:
        """Read images, each [band, y, x] float32 in the header's unit per pixel."""
        return self._images.pixels.read(rows)

    def companions(self, rows: NDArray[np.int64]) -> Companions | None:
        """Read what lies beside images, where the store has anything."""
        return companions_of(self._images, rows)


def join_properties(catalog: QTable, path: Path) -> dict[str, int]:
    """Add the columns of a table to a catalog, in place, row by row of the same ``object_id``.

    Columns keep their units. Galaxies without a row get NaN, or ``""`` in text; a name that the catalog has already gets
    ``label_`` before it.

    Parameters
    ----------
    catalog : QTable
        With ``object_id``.
    path : Path
        Parquet, ECSV, FITS or CSV.

    Returns
    -------
    dict
        ``galaxies_without_row`` and ``rows_without_galaxy``.

    Raises
    ------
    InputError
        If the table cannot be read, has no ``object_id``, has one twice, or shares none with the catalog.
    """
    table = read_table(path, QTable, way_out="make one with galsmith measure")
    if NAME_COLUMN not in table.colnames:
        raise InputError(
            f"{path}: has no column object_id, by which rows are joined to galaxies; it has "
            f"{', '.join(table.colnames[:12])}"
        )
    names = [str(name) for name in table[NAME_COLUMN]]
    row_of = {name: row for row, name in enumerate(names)}
    if len(row_of) < len(names):
        twice = next(name for row, name in enumerate(names) if row_of[name] != row)
        raise InputError(f"{path}: several rows have the object_id {twice!r}; keep one")
    rows = np.array([row_of.get(str(name), -1) for name in catalog[NAME_COLUMN]], dtype=np.int64)
    if np.all(rows < 0):
        raise InputError(
            f"{path}: none of its object_id, such as {names[0] if names else 'none'!r}, is in the store, which has such as "
            f"{str(catalog[NAME_COLUMN][0])!r}; give the table that was measured on this store"
        )
    for name in table.colnames:
        if name != NAME_COLUMN:
            taken = name in RESERVED_NAMES or name in catalog.colnames
            catalog[f"label_{name}" if taken else name] = _in_order(table[name], rows)
    notes = {
        "galaxies_without_row": int(np.sum(rows < 0)),
        "rows_without_galaxy": len(names) - int(np.sum(rows >= 0)),
    }
    if any(notes.values()):
        logger.warning(
            "%s: %d galaxies have no row there (their properties are NaN), %d rows have no galaxy",
            path,
            *notes.values(),
        )
    return notes


def _in_order(column: Any, rows: NDArray[np.int64]) -> Any:
    """Take values by row, with NaN or empty text where the row is -1 or the table has a gap."""
    missing = rows < 0
    if isinstance(column, MaskedColumn):
        missing = missing | np.asarray(column.mask)[rows]
        column = column.data.data
    if not missing.any():
        return column[rows]
    values = np.asarray(getattr(column, "value", column))[np.where(missing, 0, rows)]
    if values.dtype.kind in "USO":
        return np.where(missing, "", values.astype(str))
    filled = np.where(missing, np.nan, values.astype(np.float64))
    unit = getattr(column, "unit", None)
    return filled if unit is None else filled * unit
