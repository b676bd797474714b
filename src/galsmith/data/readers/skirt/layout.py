"""Where things are in ``skirt_images_sdss``: a folder a snapshot, a file a galaxy; morphologies joined by subfind id."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.readers.array_files import arrays_in, read_rows
from galsmith.data.readers.labels import add_column
from galsmith.errors import InputError

SNAPSHOT = re.compile(r"snapnum_(\d+)")
IMAGE = re.compile(r"broadband_(\d+)\.fits(\.gz)?")
IMAGE_FOLDER, IDS_FILE, MORPHOLOGY_FILES = "data", "subfind_ids.txt", "morphs_*.hdf5"
WANTED = "snapnum_099/data/broadband_<subfind id>.fits"
ID_NAMES = ("subfind_id", "subfind_ids", "SubfindID")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """One snapshot's files.

    Attributes
    ----------
    folder : Path
        Such as ``snapnum_099``.
    images : dict of int to Path
        By subfind id, sorted.
    ids : Path or None
        ``subfind_ids.txt``, where it is.
    morphologies : dict of str to Path
        ``morphs_g.hdf5`` and so on, by band.
    """

    folder: Path
    images: dict[int, Path]
    ids: Path | None
    morphologies: dict[str, Path]

    @property
    def number(self) -> int | None:
        """Number of the snapshot, where the folder's name has it."""
        found = SNAPSHOT.fullmatch(self.folder.resolve().name)
        return None if found is None else int(found[1])


def find_snapshot(place: Path) -> Snapshot:
    """Find a snapshot's files.

    Parameters
    ----------
    place : Path
        The snapshot's folder, its folder of images, or a folder above with one snapshot.

    Raises
    ------
    InputError
        If there are no images, two have one id, or there are several snapshots.
    """
    if not place.is_dir():
        what = "is a file" if place.exists() else "there is no such folder"
        raise InputError(f"{place}: {what}; wanted a folder with {WANTED}")
    if _images(place):
        above = place.resolve().parent
        return _snapshot(above if place.resolve().name == IMAGE_FOLDER else place, place)
    if _images(place / IMAGE_FOLDER):
        return _snapshot(place, place / IMAGE_FOLDER)
    inside = sorted(folder for folder in place.glob("snapnum_*") if _images(folder / IMAGE_FOLDER))
    if len(inside) > 1:
        raise InputError(
            f"{place}: holds {len(inside)} snapshots ({', '.join(folder.name for folder in inside)}); give one, "
            f"such as {inside[-1]}"
        )
    if not inside:
        raise InputError(f"{place}: holds no {WANTED}; give the folder of TNG's skirt_images_sdss that does")
    return _snapshot(inside[0], inside[0] / IMAGE_FOLDER)


def _snapshot(folder: Path, image_folder: Path) -> Snapshot:
    """List the files of a snapshot."""
    ids = folder / IDS_FILE
    morphologies = {path.stem.removeprefix("morphs_"): path for path in sorted(folder.glob(MORPHOLOGY_FILES))}
    return Snapshot(folder, _images(image_folder), ids if ids.is_file() else None, morphologies)


def _images(folder: Path) -> dict[int, Path]:
    """List the images of a folder by subfind id."""
    images: dict[int, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        found = IMAGE.fullmatch(path.name)
        if found is None:
            continue
        if int(found[1]) in images:
            raise InputError(
                f"{path}: has the subfind id of {images[int(found[1])].name}; remove one of them"
            )
        images[int(found[1])] = path
    return dict(sorted(images.items()))


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
