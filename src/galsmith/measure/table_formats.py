"""Writing and reading a measurement table as Parquet, ECSV, FITS or CSV, by the name's ending."""

import json
import logging
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table

from galsmith.errors import InputError, SettingsError
from galsmith.files import written_atomically
from galsmith.settings import near_miss

logger = logging.getLogger("galsmith")

METADATA_HDU = "METADATA"
TABLE_HDU = "MEASUREMENTS"
FORMAT_NAMES = {".parquet": "Parquet", ".ecsv": "ECSV", ".fits": "FITS"}
JSON_COLUMN = "json"


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

    Parquet, ECSV and FITS keep units and metadata; CSV keeps neither, which is said.
    """
    kind = path.suffix if suffix == "" else suffix
    with written_atomically(path) as temporary:
        WRITERS[kind](temporary, table)
    if kind == ".csv":
        logger.warning(
            "%s: CSV keeps neither units, definitions nor provenance (so that `overwrite` does not know it again); choose "
            ".ecsv for text that does",
            path,
        )


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
            + ("; CSV has lost its units and metadata: write it again as .ecsv" * (path.suffix == ".csv"))
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return READERS[path.suffix](path)
    except Exception as error:
        words = " ".join(str(error).split())
        raise InputError(
            f"{path}: cannot be read as a {FORMAT_NAMES[path.suffix]} table ({words}); measure again with galsmith measure"
        ) from error


def _write_parquet(path: Path, table: QTable) -> None:
    table.write(path, format="parquet")


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
    return QTable.read(path, format="parquet")


def _read_ecsv(path: Path) -> QTable:
    return _text_filled(QTable.read(path, format="ascii.ecsv"))


def _read_fits(path: Path) -> QTable:
    """Read the columns and put the metadata back."""
    table = Table.read(path, format="fits", hdu=TABLE_HDU)
    with fits.open(path, memmap=False) as units:
        header = units[TABLE_HDU].header
        table.meta = json.loads("".join(units[METADATA_HDU].data[JSON_COLUMN]))
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
