"""Morphologies that come with SKIRT images, joined to them by subfind id."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.readers.array_files import arrays_in, read_rows
from galsmith.data.readers.columns import add_column
from galsmith.data.readers.skirt.layout import IDS_FILE, Snapshot
from galsmith.errors import InputError

ID_NAMES = ("subfind_id", "subfind_ids", "SubfindID")
logger = logging.getLogger(__name__)


def joined_morphologies(snapshot: Snapshot) -> tuple[QTable, dict[str, Any]]:
    """Give every image its row of every file of morphologies.

    The rows of a file are those of ``subfind_ids.txt``, unless it has an array ``subfind_id`` of its own.

    Returns
    -------
    table : QTable
        One row an image; each array as a column with the band behind its name, such as ``gini_g``; NaN or
        ``""`` where there is no row.
    notes : dict
        Of each file, and of the list of ids, how many images have no row and how many rows no image.

    Raises
    ------
    InputError
        If a list of ids or a file cannot be read, has an id twice, or they do not fit each other.
    """
    table, notes = QTable(), {}
    listed = None if snapshot.ids is None else _read_ids(snapshot.ids)
    wanted = list(snapshot.images)
    if listed is not None and snapshot.ids is not None:
        notes[snapshot.ids.name] = _mismatch(snapshot.ids, wanted, listed.tolist())
    for band, path in snapshot.morphologies.items():
        arrays = _read_arrays(path)
        ids = next((arrays.pop(name) for name in ID_NAMES if name in arrays), listed)
        row_of = _rows_by_id(path, ids, arrays)
        notes[path.name] = _mismatch(path, wanted, list(row_of))
        for name, values in arrays.items():
            loose = values.tolist()
            add_column(
                table,
                f"{name}_{band}",
                [loose[row_of[ident]] if ident in row_of else None for ident in wanted],
            )
    return table, notes


def _read_ids(path: Path) -> NDArray[np.int64]:
    """Read a list of subfind ids, [galaxy] int64."""
    try:
        words = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error})") from error
    wrong = [word for word in words if not word.isdecimal()]
    if wrong or not words:
        raise InputError(
            f"{path}: holds {wrong[0]!r} where a subfind id was wanted" if wrong else f"{path}: is empty"
        )
    return np.array([int(word) for word in words], dtype=np.int64)


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays of one axis from an HDF5 file, by name."""
    heads = [head for head in arrays_in(path) if head.shape is not None and len(head.shape) == 1]
    arrays = {
        head.name.rpartition("/")[2]: read_rows(path, head, 0, head.shape[0])
        for head in heads
        if head.shape is not None and (head.is_text or head.dtype.kind in "biuf")
    }
    if not arrays:
        raise InputError(f"{path}: holds no arrays with one value a galaxy; get the file again, or remove it")
    return arrays


def _rows_by_id(path: Path, ids: NDArray[np.int64] | None, arrays: dict[str, NDArray[Any]]) -> dict[int, int]:
    """Row of each subfind id in a file's arrays."""
    if ids is None:
        raise InputError(
            f"{path}: has no array subfind_id, and there is no {IDS_FILE} beside it, so that its rows have no names; "
            f"get {IDS_FILE}, or remove the file"
        )
    for name, values in arrays.items():
        if len(values) != len(ids):
            raise InputError(
                f"{path}: {name} has {len(values)} values for {len(ids)} subfind ids; get the files of one snapshot"
            )
    row_of = {int(ident): row for row, ident in enumerate(ids.tolist())}
    if len(row_of) < len(ids):
        raise InputError(f"{path}: its subfind ids are not unique; get the files of one snapshot")
    return row_of


def _mismatch(path: Path, images: Sequence[int], ids: Sequence[int]) -> dict[str, int]:
    """Count images without a row and rows without an image."""
    without_row, without_image = len(set(images) - set(ids)), len(set(ids) - set(images))
    if without_row or without_image:
        logger.warning(
            "%s: %d images have no row there, %d rows have no image", path, without_row, without_image
        )
    return {"images_without_row": without_row, "rows_without_image": without_image}
