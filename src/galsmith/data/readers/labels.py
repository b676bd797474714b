"""Tables that others wrote: of labels, joined to images by stem; and columns from loose values, numbers where all are."""

import codecs
import csv
import logging
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table
from numpy.typing import NDArray

from galsmith.data.readers.listing import FITS_SUFFIXES
from galsmith.errors import InputError
from galsmith.files import at_hand
from galsmith.files.bounds import bytes_on_disk, refuse_excess, refuse_large_parquet

Columns = TypeVar("Columns", bound=Table)
LIKELY_STEM_COLUMNS = ("object_id", "asset_id", "stem", "file", "filename", "name", "id")
FORMATS = {
    ".parquet": "parquet",
    ".ecsv": "ascii.ecsv",
    ".csv": "ascii.csv",
    **dict.fromkeys((".txt", ".dat", ".cat", ".tsv"), "ascii"),
    **dict.fromkeys(FITS_SUFFIXES, "fits"),
}
logger = logging.getLogger(__name__)
RESERVED_NAMES = (
    "object_id",
    "split",
    "native_size_pix",
    "gain",
    "pixel_scale_arcsec",
    "physical_pixel_kpc",
    "store_part",
    "store_row",
)
LARGEST_EXACT_FLOAT = 2**53
# galsmith's own, and the image header that SExtractor puts before each FITS_LDAC catalog.
NOT_CATALOGS = ("METADATA", "LDAC_IMHEAD")
WORDS_FOR_MISSING = ("", "nan", "na", "n/a", "null", "none", "--")


@dataclass(frozen=True)
class LabelTable:
    """Rows of text as they stand in a file."""

    path: Path
    names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_labels(path: Path) -> LabelTable:
    """Read a table whose columns are parted by commas, semicolons, tabs or spaces, found from its content.

    Lines that start with ``#`` are comments; when the last one before the data has as many words as the data
    has columns, it names them.

    Raises
    ------
    InputError
        If the file is missing, is not text, is empty, or a row has another number of columns.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file of labels") from error
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: cannot be read as a text table ({error})") from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    data = [(number, line) for number, line in numbered if not line.lstrip().startswith("#")]
    if not data:
        raise InputError(f"{path}: holds no rows; wanted a table with one row an image")
    separator = _separator(data[0][1])
    rows = [(number, _fields(line, separator)) for number, line in data]
    first_data_line = data[0][0]
    comments = [line for number, line in numbered if number < first_data_line]
    commented_names = _fields(comments[-1].lstrip("# \t"), separator) if comments else []
    if len(commented_names) == len(rows[0][1]):
        return _checked(path, commented_names, rows)
    return _checked(path, rows[0][1], rows[1:])


def join_labels(table: LabelTable, stems: Sequence[str]) -> tuple[QTable, dict[str, Any]]:
    """Give every image the row whose identifier is its file's stem.

    The identifier is the column that matches the most stems, with or without a file suffix; likely names and
    earlier columns win a tie.

    Parameters
    ----------
    table : LabelTable
        What `read_labels` read.
    stems : sequence of str
        One an image, in the order of the result.

    Returns
    -------
    labels : QTable
        One row an image, in the columns of the table; NaN or ``""`` where there is no row.
    notes : dict
        ``identifier``, ``files_without_row`` and ``rows_without_file``.

    Raises
    ------
    InputError
        If no column matches any stem, or two rows have the stem of one file.
    """
    identifier, row_of = _identified(table, stems)
    labels = QTable()
    for column, name in enumerate(table.names):
        values = [table.rows[row_of[stem]][column] if stem in row_of else None for stem in stems]
        add_column(labels, name, values)
    without_row = sum(stem not in row_of for stem in stems)
    notes = {
        "identifier": identifier,
        "files_without_row": without_row,
        "rows_without_file": len(table.rows) - (len(stems) - without_row),
    }
    if without_row or notes["rows_without_file"]:
        logger.warning(
            "%s: %d images have no row there (their labels are NaN), %d rows have no image",
            table.path,
            without_row,
            notes["rows_without_file"],
        )
    return labels, notes


def _identified(table: LabelTable, stems: Sequence[str]) -> tuple[str, dict[str, int]]:
    """Find the column that names images, and the row of each stem."""
    wanted = set(stems)
    order = sorted(range(len(table.names)), key=lambda column: _likelihood(table.names[column], column))
    matches = {column: _rows_by_stem(table, column, wanted) for column in order}
    best = max(order, key=lambda column: len({stem for stem, _ in matches[column]}))
    found = matches[best]
    if not found:
        raise InputError(
            f"{table.path}: no column holds file names without suffix, such as {stems[0]!r}; "
            f"its columns are {', '.join(table.names[:12])}"
        )
    row_of: dict[str, int] = {}
    for stem, row in found:
        if stem in row_of:
            raise InputError(
                f"{table.path}: rows {row_of[stem] + 1} and {row + 1} both have {stem!r} in column "
                f"{table.names[best]!r}; keep one"
            )
        row_of[stem] = row
    return table.names[best], row_of


def _likelihood(name: str, column: int) -> tuple[int, int]:
    """Sort key: likely names first, then earlier columns."""
    lowered = name.lower()
    rank = LIKELY_STEM_COLUMNS.index(lowered) if lowered in LIKELY_STEM_COLUMNS else len(LIKELY_STEM_COLUMNS)
    return rank, column


def _rows_by_stem(table: LabelTable, column: int, wanted: set[str]) -> list[tuple[str, int]]:
    """Rows whose value in a column is a wanted stem, as (stem, row)."""
    found = []
    for row, values in enumerate(table.rows):
        value = values[column].strip()
        stem = value if value in wanted else re.sub(r"(\.\w{2,4}){1,2}$", "", value)
        if stem in wanted:
            found.append((stem, row))
    return found


def _separator(line: str) -> str | None:
    """Guess what parts the columns; None is any run of spaces."""
    for separator in (",", ";", "\t"):
        if separator in line:
            return separator
    return None


def _fields(line: str, separator: str | None) -> list[str]:
    """Cut a line into values."""
    if separator is None:
        return line.split()
    return [field.strip() for field in next(csv.reader([line], delimiter=separator))]


def _checked(path: Path, names: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> LabelTable:
    """Refuse ragged rows, columns of one name and tables without rows."""
    if not rows:
        raise InputError(f"{path}: holds column names and no rows; wanted one row an image")
    for number, row in rows:
        if len(row) != len(names):
            raise InputError(f"{path}: line {number} has {len(row)} columns, wanted {len(names)}")
    if len(np.unique(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise InputError(f"{path}: two columns are named {twice!r}; rename one")
    return LabelTable(path, tuple(names), tuple(tuple(row) for _, row in rows))


def read_table(path: Path, kind: type[Columns], *, way_out: str) -> Columns:
    """Read a table by its suffix: Parquet, ECSV, CSV, text of other separators, the first table of a FITS file.

    Parameters
    ----------
    path : Path
        The file.
    kind : type
        `Table` or `QTable`, whose columns of a unit are quantities.
    way_out : str
        What to do where there is no such table.

    Raises
    ------
    InputError
        If the file is missing, of another format, or cannot be read.
    """
    suffix = next((known for known in FORMATS if path.name.lower().endswith(known)), None)
    if suffix is None:
        raise InputError(f"{path}: wanted a table that ends in {', '.join(FORMATS)}")
    if not path.is_file():
        raise InputError(f"{path}: there is no such table; {way_out}")
    try:
        with at_hand(path) as local, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if FORMATS[suffix] == "fits":
                return kind.read(local, format="fits", hdu=_first_table(local))
            if FORMATS[suffix] == "parquet":
                refuse_large_parquet(local)
                return kind.read(local, format="parquet")
            return _of_text(local, kind, FORMATS[suffix])
    except InputError:
        raise
    except Exception as error:
        words = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read as a table ({words})") from error


def _of_text(path: Path, kind: type[Columns], form: str) -> Columns:
    """Read a table of text; commas of a CSV may be semicolons or tabs."""
    lines = text_lines(path)
    if form != "ascii.csv":
        return kind.read(lines, format=form)
    first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    return kind.read(lines, format=form, delimiter=_separator(first) or ",", comment="#")


def text_lines(path: Path) -> list[str]:
    """Lines of a text in UTF-8 or UTF-16, with or without a mark of its byte order, or else in Latin letters.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16").splitlines()
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace").splitlines()


def _first_table(path: Path) -> int:
    """Find the first HDU that holds a table, besides those of a table's own metadata or of an image's header."""
    with fits.open(path, memmap=False) as units:
        for number, unit in enumerate(units):
            if isinstance(unit, fits.BinTableHDU | fits.TableHDU) and unit.name not in NOT_CATALOGS:
                if unit.header.get("ZTABLE"):
                    raise InputError(
                        f"{path}: its table is compressed in tiles (fpack), which is not read; unpack it with funpack"
                    )
                refuse_excess(path, unit.size, bytes_on_disk(path))
                return number
    raise InputError(f"{path}: holds no table; wanted one with a row a galaxy")


def add_column(table: QTable, name: str, values: Sequence[Any]) -> None:
    """Add a column of loose values; a name that the store uses itself gets ``label_`` before it."""
    free = f"label_{name}" if name in RESERVED_NAMES or name in table.colnames else name
    table[free] = typed_column(values)


def typed_column(values: Sequence[Any]) -> NDArray[Any]:
    """Bring values to one type.

    Parameters
    ----------
    values : sequence of str, number, bool or None
        None and words such as ``"nan"`` are missing.

    Returns
    -------
    ndarray [row]
        bool or int64 if all are there and of that kind; float64 with NaN for missing numbers; else str with
        ``""`` for missing. Whole numbers beyond 2^53 with gaps stay text, which keeps every digit.
    """
    present = [value for value in values if not _is_missing(value)]
    complete = len(present) == len(values)
    if present and complete and all(isinstance(value, bool | np.bool_) for value in present):
        return np.array(values, dtype=bool)
    numbers = [_number(value) for value in present]
    if any(number is None for number in numbers):
        return np.array(["" if _is_missing(value) else str(value) for value in values], dtype=str)
    whole = bool(present) and all(isinstance(number, int) for number in numbers)
    if whole and complete and max(abs(number or 0) for number in numbers) < 2**63:
        return np.array(numbers, dtype=np.int64)
    if whole and max(abs(number or 0) for number in numbers) > LARGEST_EXACT_FLOAT:
        return np.array(["" if _is_missing(value) else str(value) for value in values], dtype=str)
    return np.array([np.nan if _is_missing(value) else _number(value) for value in values], dtype=np.float64)


def _is_missing(value: Any) -> bool:
    """Whether a value stands for nothing."""
    return value is None or (isinstance(value, str) and value.strip().lower() in WORDS_FOR_MISSING)


def _number(value: Any) -> int | float | None:
    """Read a number; None if it is none."""
    if isinstance(value, bool | int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    text = str(value).strip()
    for kind in (int, float):
        try:
            return kind(text) if "_" not in text else None
        except ValueError:
            continue
    return None
