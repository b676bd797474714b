"""Writing and reading a measurement table as Parquet, ECSV, FITS or CSV, by the name's ending."""

import csv
import itertools
import json
import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table
from astropy.table.meta import get_header_from_yaml, get_yaml_from_table
from astropy.table.serialize import represent_mixins_as_columns
from astropy.utils.data_info import serialize_context_as

from galsmith.errors import InputError, OutputExistsError, SettingsError
from galsmith.files import at_hand, read_json, sha256_of_file, write_json, written_atomically
from galsmith.files.bounds import refuse_large_parquet
from galsmith.files.seal import BLANK, KEY, refuse_changed, seal
from galsmith.measure.arrow import KINDS, arrow_of
from galsmith.settings import near_miss

logger = logging.getLogger("galsmith")

METADATA_HDU = "METADATA"
TABLE_HDU = "MEASUREMENTS"
FORMAT_NAMES = {".parquet": "Parquet", ".ecsv": "ECSV", ".fits": "FITS"}
JSON_COLUMN = "json"
BESIDE_CSV, FORMAT_BESIDE_CSV = ".meta.json", "galsmith-beside-csv"
ASTROPY_KEY = b"table_meta_yaml"  # of a Parquet schema's metadata


def checked_output(path: Path) -> Path:
    """Refuse an output whose ending names no format.

    Raises
    ------
    SettingsError
        It names the endings that do.
    """
    if path.suffix not in WRITERS:
        raise SettingsError(
            f"output {path}: wanted a name that ends in {', '.join(WRITERS)}{near_miss(path.suffix, list(WRITERS))}"
        )
    return path


def check_texts(path: Path, catalog: QTable, bands: Sequence[str]) -> None:
    """Refuse names that the format of an output cannot hold: text of FITS tables is ASCII (FITS standard 4.0, 7.2).

    Raises
    ------
    SettingsError
        It names the galaxy or the band, and the formats that can.
    """
    if path.suffix != ".fits":
        return
    columns = [name for name in catalog.colnames if np.asarray(catalog[name]).dtype.kind in "UO"]
    texts = [("band", band) for band in bands]
    texts += [(name, str(value)) for name in columns for value in catalog[name]]
    for name, text in texts:
        if not text.isascii():
            raise SettingsError(
                f"output {path}: FITS tables hold ASCII text alone, and {name} {text!r} is none; choose .parquet or .ecsv, "
                "or rename it"
            )


def write_table(path: Path, table: QTable, *, suffix: str = "") -> None:
    """Write a table in the format that the ending names, its own or another, atomically.

    Parquet, ECSV and FITS keep units and metadata; what CSV cannot keep is `write_beside_csv`'s.
    """
    kind = path.suffix if suffix == "" else suffix
    with written_atomically(path) as temporary:
        if kind == ".csv":  # its hash stands beside it
            WRITERS[kind](temporary, table)
            return
        blank = table.copy(copy_data=False)
        blank.meta[KEY] = BLANK
        WRITERS[kind](temporary, blank)
        seal(temporary)


def write_beside_csv(path: Path, content: Path, table: QTable) -> None:
    """Write what a CSV table cannot hold into a JSON file beside it: metadata, types and units, and the hash of its bytes.

    Parameters
    ----------
    path : Path
        Where the table will stand.
    content : Path
        Where it stands now.
    table : QTable
        What was written.

    Raises
    ------
    OutputExistsError
        If another file has the name.
    """
    place = beside_csv(path)
    if place.exists() and _said_beside(place).get("format") != FORMAT_BESIDE_CSV:
        raise OutputExistsError(
            "is not ours, and what a CSV table cannot hold would be written there",
            argument="output",
            came=place,
            way_out="move it elsewhere, or choose another `output`",
        )
    columns = {name: str(_plain(table, name).dtype) for name in table.colnames}
    units = {
        name: table[name].unit.to_string() for name in table.colnames if getattr(table[name], "unit", None)
    }
    said: dict[str, Any] = {
        "format": FORMAT_BESIDE_CSV,
        "sha256": sha256_of_file(content),
        "columns": columns,
        "units": units,
    }
    if is_our_csv(path):  # known until the new one has its place
        said["replaces"] = sha256_of_file(path)
    # made where the table is made, so that a kill leaves nothing half-written beside the output
    made = content.with_name(content.name + BESIDE_CSV)
    write_json(made, {**said, "meta": dict(table.meta)})
    made.replace(place)
    logger.warning(
        "%s: CSV keeps neither units nor definitions; they stand beside it in %s (.ecsv is text that has all)",
        path,
        place.name,
    )


def beside_csv(path: Path) -> Path:
    """Name the file that says what made a CSV table."""
    return path.with_name(path.name + BESIDE_CSV)


def read_csv(path: Path) -> QTable:
    """Read a CSV table that has not changed since it was written, with what stands beside it; else an error of any type."""
    said = _beside_unchanged(path)
    with path.open(encoding="utf-8", newline="") as stream:
        names, *rows = csv.reader(stream)
    table = QTable()
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        kind = np.dtype(said["columns"][name])
        numbers = [value or "nan" for value in values] if kind.kind == "f" else values
        column = (
            np.array([value == "True" for value in values])
            if kind.kind == "b"
            else np.array(numbers).astype(kind)
        )
        unit = said["units"].get(name)
        table[name] = column if unit is None else column * u.Unit(unit)
    table.meta = said["meta"]
    return table


def is_our_csv(path: Path) -> bool:
    """Whether a CSV table is there that was written by `write_table`, or is just being replaced by one."""
    said = _said_beside(beside_csv(path)) if path.is_file() else {}
    return said.get("format") == FORMAT_BESIDE_CSV and sha256_of_file(path) in (
        said["sha256"],
        said.get("replaces"),
    )


def _said_beside(place: Path) -> dict[str, Any]:
    """Read what stands beside a CSV table; nothing where it is no JSON."""
    try:
        said: dict[str, Any] = read_json(place)
    except (ValueError, OSError):
        return {}
    return said


def _beside_unchanged(path: Path) -> dict[str, Any]:
    """Read what stands beside a CSV table if it is about these bytes."""
    said = _said_beside(beside_csv(path))
    if said.get("format") != FORMAT_BESIDE_CSV or said["sha256"] != sha256_of_file(path):
        raise LookupError(f"{path}: nothing beside it says what made it")
    return said


def _metadata_of_csv(path: Path) -> dict[str, Any]:
    """Take the metadata of the file beside a CSV table that has not changed since."""
    return dict(_beside_unchanged(path)["meta"])


def read_table(path: Path) -> QTable:
    """Read a table that `write_table` wrote, with units and metadata.

    Raises
    ------
    InputError
        If the file cannot be read, or is CSV, which lacks both.
    """
    if path.suffix not in READERS:
        raise InputError(
            f"{path}: wanted a measurement table that ends in {', '.join(READERS)}"
            + ("; CSV has no units and metadata: write it again as .ecsv" * (path.suffix == ".csv"))
        )
    try:
        with at_hand(path) as local, warnings.catch_warnings():
            refuse_changed(local, way_out="measure again with galsmith measure, or copy it again")
            warnings.simplefilter("ignore")
            table = READERS[path.suffix](local)
    except InputError:
        raise
    except Exception as error:
        words = " ".join(str(error).split())
        raise InputError(
            f"{path}: cannot be read as a {FORMAT_NAMES[path.suffix]} table ({words}); measure again with galsmith measure"
        ) from error
    table.meta.pop(KEY, None)
    return table


def read_metadata(path: Path) -> dict[str, Any]:
    """Read the metadata alone of a table that `write_table` wrote; an error of any type where there are none."""
    with at_hand(path) as local:
        found = METADATA_READERS[path.suffix](local)
    return {key: value for key, value in found.items() if key != KEY}


def _write_parquet(path: Path, table: QTable) -> None:
    """Write the bytes that astropy's own writer would: it hands arrays to pyarrow in the way that imports pandas."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if any(column.ndim > 1 or column.dtype.kind not in KINDS for column in table.columns.values()):
        table.write(path, format="parquet")  # a catalog's own columns of vectors, bytes or times
        return
    with serialize_context_as("parquet"):
        plain = represent_mixins_as_columns(table)
    # astropy's order: the description of the table behind the length of texts of the first column
    described = "\n".join(get_yaml_from_table(plain))
    metadata: dict[str | bytes, str] = {}
    for name in plain.colnames:
        if plain[name].dtype.kind == "U":
            metadata[f"table::len::{name}"] = str(plain[name].dtype.itemsize // 4)
        metadata.setdefault(ASTROPY_KEY, described)
    columns = {name: arrow_of(np.asarray(plain[name])) for name in plain.colnames}
    schema = pa.schema([(name, column.type) for name, column in columns.items()], metadata=metadata)
    with pq.ParquetWriter(path, schema, version="2.4") as writer:
        writer.write_table(pa.Table.from_arrays(list(columns.values()), schema=schema))


def _write_ecsv(path: Path, table: QTable) -> None:
    table.write(path, format="ascii.ecsv", delimiter=",")


def _write_csv(path: Path, table: QTable) -> None:
    plain = Table({name: _plain(table, name) for name in table.colnames})
    plain.write(path, format="ascii.csv")


def _write_fits(path: Path, table: QTable) -> None:
    """Write a binary table, and the metadata as JSON in a second one, since headers hold no nested values."""
    columns = fits.table_to_hdu(Table({name: _plain(table, name) for name in table.colnames}))
    for number, name in enumerate(table.colnames, start=1):
        unit = getattr(table[name], "unit", None)
        if unit is not None:  # in astropy's own words: the standard's list has no electrons
            columns.header.set(f"TUNIT{number}", unit.to_string(), after=f"TFORM{number}")
    columns.name = TABLE_HDU
    # one line of JSON a row: none ends in a space, which FITS would strip
    parts = json.dumps(table.meta, indent=1).splitlines()
    metadata = fits.BinTableHDU(Table({JSON_COLUMN: np.array(parts, dtype="S")}), name=METADATA_HDU)
    fits.HDUList([fits.PrimaryHDU(), columns, metadata]).writeto(path)


def _read_parquet(path: Path) -> QTable:
    refuse_large_parquet(path)
    return QTable.read(path, format="parquet")


def _read_ecsv(path: Path) -> QTable:
    return _text_filled(QTable.read(path, format="ascii.ecsv"))


def _metadata_of_parquet(path: Path) -> dict[str, Any]:
    """Take the metadata of a Parquet file where astropy puts them, in its schema."""
    import pyarrow.parquet as pq

    lines = pq.read_schema(path).metadata[ASTROPY_KEY].decode("utf-8").split("\n")
    return _metadata_in(lines)


def _metadata_of_ecsv(path: Path) -> dict[str, Any]:
    """Take the metadata of the head of an ECSV file."""
    with path.open(encoding="utf-8") as stream:
        head = list(itertools.takewhile(lambda line: line.startswith("#"), stream))
    return _metadata_in([line.removeprefix("# ").rstrip("\n") for line in head[1:]])


def _metadata_in(lines: list[str]) -> dict[str, Any]:
    """Read astropy's description of a table, without that of columns of several parts."""
    meta = get_header_from_yaml(lines)["meta"]
    return {key: value for key, value in meta.items() if key != "__serialized_columns__"}


def _metadata_of_fits(path: Path) -> dict[str, Any]:
    """Take the metadata out of the second table."""
    with fits.open(path, memmap=False) as units:
        return dict(json.loads("".join(units[METADATA_HDU].data[JSON_COLUMN])))


def _read_fits(path: Path) -> QTable:
    """Read the columns and put the metadata back."""
    table = Table.read(path, format="fits", hdu=TABLE_HDU)
    with fits.open(path, memmap=False) as units:
        header = units[TABLE_HDU].header
    table.meta = _metadata_of_fits(path)
    for number, name in enumerate(table.colnames, start=1):
        if f"TUNIT{number}" in header:
            table[name].unit = u.Unit(header[f"TUNIT{number}"])
    for name in table.colnames:
        if table[name].dtype.kind == "S":
            table[name] = np.asarray(table[name]).astype(str)
    return _text_filled(QTable(table))


def _text_filled(table: QTable) -> QTable:
    """Take missing text as empty text, and missing numbers as NaN."""
    for name in table.colnames:
        column = table[name]
        if getattr(column, "mask", None) is not None and np.any(column.mask):
            filling = "" if column.dtype.kind in "USO" else np.nan
            table[name] = column.filled(filling)
    return table


def _plain(table: QTable, name: str) -> np.ndarray:
    """Values of a column without its unit."""
    column = table[name]
    return np.asarray(getattr(column, "value", column))


WRITERS: dict[str, Callable[[Path, QTable], None]] = {
    ".parquet": _write_parquet,
    ".ecsv": _write_ecsv,
    ".fits": _write_fits,
    ".csv": _write_csv,
}
READERS: dict[str, Callable[[Path], QTable]] = {
    ".parquet": _read_parquet,
    ".ecsv": _read_ecsv,
    ".fits": _read_fits,
}
METADATA_READERS: dict[str, Callable[[Path], dict[str, Any]]] = {
    ".csv": _metadata_of_csv,
    ".parquet": _metadata_of_parquet,
    ".ecsv": _metadata_of_ecsv,
    ".fits": _metadata_of_fits,
}
