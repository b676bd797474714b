"""Which galaxies a sheet shows, and what stands below each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.counts import counted
from galsmith.data.galaxies import FileRequest, Galaxies, StoreGalaxies, open_galaxies
from galsmith.data.readers.fits import split_hdu
from galsmith.data.store import is_store, open_store
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback
from galsmith.files import sha256_of_file
from galsmith.images import ImageSet
from galsmith.images.where import rows_where
from galsmith.measure import read_measurements
from galsmith.provenance import hash_json
from galsmith.report.material import find
from galsmith.seeds import random_stream
from galsmith.settings import near_miss, parse_where

Order = Literal["spread", "smallest", "largest", "extremes"]
ORDERS = ("spread", "smallest", "largest", "extremes")
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Gathered:
    """Galaxies that may be shown.

    Attributes
    ----------
    name : str
        Of what was named, for the heading.
    galaxies : Galaxies
        Where their pixels are.
    rows : ndarray [entry], int64
        Which galaxy each row of the catalog is.
    catalog : QTable
        What can be sorted by and chosen from; ``object_id`` is always there.
    made_from : str
        What decides all of it.
    """

    name: str
    galaxies: Galaxies
    rows: Rows
    catalog: QTable
    made_from: str

    @property
    def names(self) -> list[str]:
        """Identifier of each entry."""
        return [str(name) for name in self.catalog["object_id"]]


def galaxies_of_set(images: ImageSet) -> Gathered:
    """Take the galaxies of a store, or of a set in memory."""
    name = Path(images.path).name if images.path else "images in memory"
    return Gathered(name, StoreGalaxies(images), np.arange(len(images)), images.catalog, images.content_hash)


def galaxies_of_files(files: Sequence[str], progress: ProgressCallback) -> Gathered:
    """Take image files, folders and arrays as they are."""
    galaxies = open_galaxies(FileRequest(tuple(files), mask="none", sigma="none"), progress=progress)
    name = Path(files[0]).name if len(files) == 1 else counted(len(files), "files")
    return Gathered(name, galaxies, np.arange(len(galaxies)), galaxies.catalog, galaxies.origin.content_hash)


def galaxies_of_table(file: Path) -> Gathered:
    """Take the rows of a table, with the images that they were measured on.

    Raises
    ------
    InputError
        If it is no table of `galsmith.measure.measure`, or its store is gone.
    """
    table = read_measurements(file)
    hint = str(table.meta.get("source", {}).get("path", ""))
    place = find(hint, file.resolve().parent)
    if place is None or not is_store(place):
        return _of_measured_files(file, table, hint)
    images = open_store(place)
    row_of = {str(name): row for row, name in enumerate(images.catalog["object_id"])}
    names = [str(name) for name in table["object_id"]]
    lost = [name for name in names if name not in row_of]
    if lost:
        raise InputError(f"{file}: {len(lost):,} of its galaxies are not in {place}, the first {lost[0]}")
    rows = np.array([row_of[name] for name in names], dtype=np.int64)
    made_from = hash_json([sha256_of_file(file), images.content_hash])
    return Gathered(file.name, StoreGalaxies(images), rows, table, made_from)


def _of_measured_files(file: Path, table: QTable, hint: str) -> Gathered:
    """Take the rows of a table of image files, one galaxy each, where they still lie as it names them."""
    names = [str(name) for name in table["file"]] if "file" in table.colnames else []
    lost = [name for name in names if not Path(split_hdu(name)[0]).is_file()]
    if not names or lost or len(set(names)) < len(names):
        why = f", {lost[0]} is not there" if lost else ""
        raise InputError(
            f"{file}: its images ({hint or 'kept in memory'}) are in no store and no files of one galaxy each that are "
            f"there{why}; look at the images themselves"
        )
    galaxies = open_galaxies(FileRequest(tuple(names), mask="none", sigma="none"))
    made_from = hash_json([sha256_of_file(file), galaxies.origin.content_hash])
    return Gathered(file.name, galaxies, np.arange(len(galaxies)), table, made_from)


def chosen_entries(
    gathered: Gathered, *, n: int, where: str | None, sort: str | None, order: Order, seed: int | None
) -> tuple[Rows, int]:
    """Choose what is shown, in its order, and say of how many it was chosen.

    Parameters
    ----------
    gathered : Gathered
        All.
    n : int
        At most.
    where : str or None
        Conditions on columns of the catalog.
    sort : str or None
        Column of numbers; what has none comes last, and only where there is room.
    order : {"spread", "smallest", "largest", "extremes"}
        Which of the sorted.
    seed : int or None
        Chooses by chance; the first ones where None.

    Raises
    ------
    SettingsError
        If a column is missing, or holds no numbers.
    InputError
        If none is left.
    """
    catalog = gathered.catalog
    entries = np.arange(len(catalog))
    if where is not None:
        entries = np.flatnonzero(rows_where(catalog, parse_where(where)))
    if not len(entries):
        said = "is empty" if where is None else f"has no galaxy where {where}"
        raise InputError(f"{gathered.name}: {said}; there is nothing to look at")
    n_there, count = len(entries), min(n, len(entries))
    if seed is not None:
        entries = np.sort(random_stream(seed, "look.galaxies").permutation(entries)[:count])
    if sort is None:
        return entries[:count], n_there
    values = numbers_of(catalog, sort)[entries]
    known = np.isfinite(values)
    ranked = entries[known][np.argsort(values[known], kind="stable")]
    shown = _of_order(ranked, min(count, len(ranked)), order)
    return np.concatenate([shown, entries[~known][: count - len(shown)]]), n_there


def numbers_of(catalog: QTable, name: str) -> NDArray[np.float64]:
    """Read a column of numbers, [entry] float64 in its own unit; NaN where it is masked.

    Raises
    ------
    SettingsError
        If there is no such column (the near miss is named), or it holds something else.
    """
    if name not in catalog.colnames:
        raise SettingsError(
            f"no such column{near_miss(name, catalog.colnames)}; there are {', '.join(catalog.colnames)}",
            argument="sort",
            came=name,
        )
    column: Any = catalog[name]
    values: Any = np.ma.asarray(getattr(column, "value", column))
    if values.dtype.kind not in "biuf" or values.ndim != 1:
        raise SettingsError("the column holds no numbers", argument="sort", came=name)
    filled: NDArray[np.float64] = values.astype(np.float64).filled(np.nan)
    return filled


def flags_of(catalog: QTable) -> Rows:
    """Read how good each measurement is, [entry] int64; 0 where nothing was measured or all is well."""
    is_table = "flag" in catalog.colnames and "flags" in catalog.colnames
    return np.asarray(catalog["flag"], dtype=np.int64) if is_table else np.zeros(len(catalog), dtype=np.int64)


def _of_order(ranked: Rows, count: int, order: Order) -> Rows:
    """Take some of the entries that are sorted, the smallest first."""
    match order:
        case "smallest":
            return ranked[:count]
        case "largest":
            return ranked[::-1][:count]
        case "extremes":
            low = -(-count // 2)
            return np.concatenate([ranked[:low], ranked[len(ranked) - (count - low) :]])
        case _:
            return ranked[np.linspace(0, len(ranked) - 1, count).round().astype(np.int64)]
