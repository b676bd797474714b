"""The cosmology fields of the Galaxy Project in their published layout: three folders of PNG, and a CSV for two of them."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.readers.labels import read_labels
from galsmith.data.readers.listing import check_existence, file_as_parent, list_files
from galsmith.data.readers.options import COSMOLOGY_PARTS, CosmologyOptions
from galsmith.data.readers.pictures import GRAY, PictureSource
from galsmith.data.readers.source import Origin, UnusableImage
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress

Pixels = NDArray[np.float32]
SUFFIXES = (".png",)
ID_COLUMN, VALUE_COLUMN = "Id", "Actual"
ALL_PARTS = CosmologyOptions()
NAMES_SHOWN = 10
HIGHEST_SCORE = 8.0
# Blatter et al. 2020, sec. II-A: what the numbers of a part mean, as the column of the catalog that they go to
MEANINGS = {"labeled": "label", "scored": "score"}


@dataclass(frozen=True)
class _Part:
    """One folder of images, with the number of each where it has a CSV."""

    name: str
    files: Mapping[str, Path]
    values: Mapping[str, float]


class CosmologyFields:
    """Images of ``labeled/``, ``scored/`` and ``query/``, in this order, each sorted by its Id.

    Everything but the pixels is checked before any is decoded; pixels are decoded once, when they are read.

    Parameters
    ----------
    folder : str or Path
        Holds the folders, and ``labeled.csv`` and ``scored.csv`` with the columns ``Id`` and ``Actual``.
    options : CosmologyOptions
        Which of the parts; all that are there when None.
    progress : callable
        Told how far reading the heads is.

    Raises
    ------
    InputError
        If a folder or table is missing, images and rows do not belong together, an Id is there twice, a label or score is
        out of range, only one class is labeled, or a picture is not gray of 8 bits or of another size than the others.
    """

    def __init__(
        self,
        folder: str | Path,
        options: CosmologyOptions = ALL_PARTS,
        *,
        progress: ProgressCallback = ignore_progress,
    ) -> None:
        place = Path(folder)
        check_existence(place, wanted="a folder that holds labeled/, scored/ or query/")
        parts = [_read_part(place, name) for name in _chosen_parts(place, options)]
        files = _joined(parts)
        self._pictures = PictureSource(place, files=files, progress=progress)
        _check_pictures(self._pictures, list(files.values()))
        self.header = replace(self._pictures.header, shows="field")
        self.listing = self._pictures.listing
        self.catalog = _catalog(parts)
        tables = [file_as_parent(_table_of(place, part.name), part.name) for part in parts if part.values]
        settings = {"kind": "cosmology", "parts": [part.name for part in parts]}
        self.origin = Origin(settings, (*self._pictures.origin.parents, *tables))

    def read(self, rows: NDArray[np.int64]) -> Iterator[Pixels | UnusableImage]:
        """Read images, each [1, y, x] float32 from 0 to 255, bottom row first."""
        return self._pictures.read(rows)


def _chosen_parts(place: Path, options: CosmologyOptions) -> Sequence[str]:
    """Name the parts to read, in the order of the paper."""
    there = [name for name in COSMOLOGY_PARTS if (place / name).is_dir()]
    if not there:
        raise InputError(
            f"{place}: holds none of the folders {', '.join(f'{name}/' for name in COSMOLOGY_PARTS)}"
        )
    if options.parts is None:
        _refuse_lone_tables(place, there)
        return there
    missing = [name for name in options.parts if name not in there]
    if missing:
        raise SettingsError(
            f"{place} has no folder {missing[0]}/; it has {', '.join(there)}",
            argument="parts",
            came=options.parts,
        )
    return [name for name in there if name in options.parts]


def _refuse_lone_tables(place: Path, there: Sequence[str]) -> None:
    """Refuse a table whose folder of images is not there: all of its rows would be left out unsaid."""
    for name in MEANINGS:
        if name not in there and _table_of(place, name).is_file():
            raise InputError(
                f"{place}: has {name}.csv without the folder {name}/ of its images; put it there, or choose `parts`"
            )


def _table_of(place: Path, part: str) -> Path:
    """Where the numbers of a part are."""
    return place / f"{part}.csv"


def _read_part(place: Path, name: str) -> _Part:
    """List a part's images and read its numbers; images and rows have to be the same."""
    files = list_files(place / name, SUFFIXES, nested=False)
    if name not in MEANINGS:
        return _Part(name, files, {})
    if not _table_of(place, name).is_file():
        raise InputError(
            f"{_table_of(place, name)}: there is no such file; wanted the {MEANINGS[name]} of each image of {name}/, or "
            "leave the part out with `parts`"
        )
    values = _read_values(_table_of(place, name), MEANINGS[name])
    for problem, ids in (
        (f"rows of {name}.csv have no image", [one for one in values if one not in files]),
        (f"images have no row in {name}.csv", [one for one in files if one not in values]),
    ):
        if ids:
            raise InputError(
                f"{place / name}: {len(ids)} {problem}: {_some(ids)}; mend the table or the folder"
            )
    if name == "labeled" and len(set(values.values())) == 1:
        only = next(iter(values.values()))
        raise InputError(
            f"{_table_of(place, name)}: all {len(values)} images have the label {only:g}; wanted both classes, 0 and 1; "
            "leave the part out with `parts`"
        )
    return _Part(name, files, values)


def _read_values(path: Path, meaning: str) -> dict[str, float]:
    """Read the number of each Id."""
    table = read_labels(path)
    absent = [column for column in (ID_COLUMN, VALUE_COLUMN) if column not in table.names]
    if absent:
        raise InputError(
            f"{path}: has no column {absent[0]}; wanted {ID_COLUMN},{VALUE_COLUMN}, it has {', '.join(table.names)}"
        )
    name, number = (table.names.index(column) for column in (ID_COLUMN, VALUE_COLUMN))
    ids = [row[name] for row in table.rows]
    if len(set(ids)) < len(ids):
        twice = sorted(one for one, count in Counter(ids).items() if count > 1)
        raise InputError(f"{path}: {len(twice)} Ids have several rows: {_some(twice)}; keep one of each")
    values = {row[name]: _number(row[number]) for row in table.rows}
    wanted = "0 or 1" if meaning == "label" else f"a score from 0 to {HIGHEST_SCORE:g}"
    bad = [one for one, value in values.items() if not _is_in_range(value, meaning)]
    if bad:
        shown = ", ".join(f"{one} ({table.rows[ids.index(one)][number]})" for one in bad[:NAMES_SHOWN])
        raise InputError(
            f"{path}: {len(bad)} of {len(values)} values are no {meaning}: {shown}; wanted {wanted}"
        )
    return values


def _number(text: str) -> float:
    """Read a number; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _is_in_range(value: float, meaning: str) -> bool:
    """Whether a number is a label or a score."""
    return value in (0.0, 1.0) if meaning == "label" else 0 <= value <= HIGHEST_SCORE


def _joined(parts: Sequence[_Part]) -> dict[str, Path]:
    """All images by Id, part by part."""
    files: dict[str, Path] = {}
    for part in parts:
        twice = [one for one in part.files if one in files]
        if twice:
            where = files[twice[0]].parent.name
            raise InputError(
                f"{part.files[twice[0]].parent}: {len(twice)} Ids are in {where}/ as well: {_some(twice)}; "
                "an Id names one image"
            )
        files.update(part.files)
    return files


def _check_pictures(pictures: PictureSource, paths: Sequence[Path]) -> None:
    """Refuse pictures that are not gray of 8 bits, or of several sizes; those without a readable head are told of later."""
    shapes = pictures.listing.shapes
    readable = np.array(
        [row for row in range(len(shapes)) if row not in pictures.listing.faults], dtype=np.int64
    )
    if not len(readable):
        return
    if pictures.header.bands != GRAY or pictures.bits != 8:
        kind = "gray" if pictures.header.bands == GRAY else "RGB"
        raise InputError(f"{paths[readable[0]]}: is {kind} of {pictures.bits} bits; wanted gray of 8 bits")
    sizes, which, counts = np.unique(shapes[readable], axis=0, return_inverse=True, return_counts=True)
    if len(sizes) > 1:
        usual = int(np.argmax(counts))
        odd = int(readable[np.flatnonzero(which != usual)[0]])
        height, width = shapes[odd]
        raise InputError(
            f"{paths[odd]}: has {height}x{width} px, {counts[usual]} others have {sizes[usual][0]}x{sizes[usual][1]}; "
            "wanted one size"
        )


def _catalog(parts: Sequence[_Part]) -> QTable:
    """One row an image: its Id, part, label and score."""
    table = QTable()
    table["object_id"] = np.array([one for part in parts for one in part.files], dtype=str)
    table["part"] = np.repeat([part.name for part in parts], [len(part.files) for part in parts])
    for name, column in MEANINGS.items():
        table[column] = np.array(
            [part.values[one] if part.name == name else math.nan for part in parts for one in part.files],
            dtype=np.float64,
        )
    return table


def _some(ids: Sequence[str]) -> str:
    """Name the first ten."""
    shown = ", ".join(ids[:NAMES_SHOWN])
    return shown if len(ids) <= NAMES_SHOWN else f"{shown}, ..."
