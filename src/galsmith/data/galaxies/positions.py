"""Reading a catalog of positions (CSV, ECSV, FITS, Parquet, text) and bringing them to pixels of an image."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.table import QTable, Table
from astropy.wcs import WCS
from numpy.typing import NDArray

from galsmith.data.galaxies.fits_image import ImageHead
from galsmith.data.galaxies.position_columns import PositionColumns, find_columns
from galsmith.data.readers.fits import FITS_SUFFIXES
from galsmith.errors import InputError

TEXT_SUFFIXES = (".csv", ".txt", ".dat", ".cat", ".tsv")
CATALOG_SUFFIXES = (*TEXT_SUFFIXES, ".ecsv", ".parquet", *FITS_SUFFIXES)


@dataclass(frozen=True)
class Positions:
    """Where galaxies are in an image.

    Attributes
    ----------
    names : ndarray [galaxy], str
        The catalog's identifiers, else the row's number.
    x_pix, y_pix : ndarray [galaxy], float64
        The first pixel's center is 0; NaN where the catalog has no number or the sky position has no pixel.
    sizes_pix : ndarray [galaxy], float64, or None
        Sides of the cutouts where the catalog has them.
    columns : PositionColumns
        What was used.
    """

    names: NDArray[np.str_]
    x_pix: NDArray[np.float64]
    y_pix: NDArray[np.float64]
    sizes_pix: NDArray[np.float64] | None
    columns: PositionColumns


def read_positions(path: Path, head: ImageHead, *, chosen: Mapping[str, str]) -> Positions:
    """Read a catalog and give every row's pixel in an image.

    Parameters
    ----------
    path : Path
        The catalog.
    head : ImageHead
        Of the image; its world coordinates are used for ra and dec.
    chosen : mapping of role to column
        As `parse_columns` gave it.

    Raises
    ------
    InputError
        If the catalog cannot be read, is empty, lacks columns, holds text where numbers are wanted, names two
        galaxies alike, or the image has no world coordinates for a catalog of sky positions.
    """
    table = _read_table(path)
    if len(table) == 0:
        raise InputError(f"{path}: holds no rows; wanted one row a galaxy")
    columns = find_columns(str(path), table.colnames, chosen)
    if columns.on_sky:
        angles = [_degrees(path, table, name) for name in (columns.first, columns.second)]
        x, y = _to_pixels(path, head, *angles)
    else:
        x, y = (
            _numbers(path, table, name) - columns.counted_from for name in (columns.first, columns.second)
        )
    sizes = None if columns.size is None else _numbers(path, table, columns.size)
    return Positions(_names(path, table, columns.name), x, y, sizes, columns)


def _read_table(path: Path) -> Table:
    """Read a catalog by its suffix; text that is not comma-separated is recognized."""
    lowered = path.name.lower()
    if not path.is_file():
        raise InputError(f"{path}: there is no such catalog")
    if not lowered.endswith(CATALOG_SUFFIXES):
        raise InputError(f"{path}: wanted a catalog that ends in {' '.join(CATALOG_SUFFIXES)}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if lowered.endswith(FITS_SUFFIXES):
                return Table.read(path, format="fits", hdu=_first_table(path))
            if lowered.endswith((".ecsv", ".parquet")):
                return Table.read(path, format="ascii.ecsv" if lowered.endswith(".ecsv") else "parquet")
            return Table.read(path, format="ascii.csv" if lowered.endswith(".csv") else "ascii")
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path}: cannot be read as a table ({' '.join(str(error).split())[:200]})"
        ) from error


def _first_table(path: Path) -> int:
    """Find the first HDU that holds a table."""
    with fits.open(path, memmap=False) as units:
        for number, unit in enumerate(units):
            if isinstance(unit, fits.BinTableHDU | fits.TableHDU) and unit.name != "METADATA":
                return number
    raise InputError(f"{path}: holds no table, wanted a catalog of positions (images are given before it)")


def _numbers(path: Path, table: Table, name: str) -> NDArray[np.float64]:
    """Values of a column as float64; masked ones are NaN."""
    column = table[name]
    if getattr(column, "ndim", 1) != 1 or np.asarray(column).dtype.kind not in "iufb":
        raise InputError(
            f"{path}: column {name!r} holds {np.asarray(column).dtype.name}, wanted numbers; "
            "name another with --columns"
        )
    values: Any = getattr(column, "value", column)
    return np.asarray(np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan), dtype=np.float64)


def _degrees(path: Path, table: Table, name: str) -> NDArray[np.float64]:
    """Angles of a column in degrees, whatever its unit; without one they are degrees."""
    unit = table[name].unit
    factor = 1.0
    if unit is not None and u.Unit(unit).is_equivalent(u.deg):
        factor = float(u.Unit(unit).to(u.deg))
    return _numbers(path, table, name) * factor


def _to_pixels(
    path: Path, head: ImageHead, ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels of sky positions by the image's world coordinates; NaN where there is none."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        coordinates = WCS(fits.Header.fromstring(head.header, sep="\n")).celestial
        if not coordinates.has_celestial:
            raise InputError(
                f"{head.place}: has no world coordinates, and {path} gives ra and dec; give x and y in pixels, or an "
                "image whose header has a WCS"
            )
        pixels = coordinates.all_world2pix(np.column_stack([ra_deg, dec_deg]), 0, quiet=True)
    return np.ascontiguousarray(pixels[:, 0]), np.ascontiguousarray(pixels[:, 1])


def _names(path: Path, table: Table | QTable, column: str | None) -> NDArray[np.str_]:
    """Take identifiers as text; the row's number where the catalog has none."""
    if column is None:
        return np.array([f"{row:08d}" for row in range(len(table))], dtype=str)
    names = np.array([_text(value) for value in table[column]], dtype=str)
    unique, counts = np.unique(names, return_counts=True)
    if len(unique) < len(names):
        raise InputError(
            f"{path}: {counts.max()} rows are named {str(unique[np.argmax(counts)])!r} in column {column!r}; wanted one "
            "row a galaxy, or name another column with --columns id=..."
        )
    return names


def _text(value: Any) -> str:
    """Write an identifier as text."""
    return value.decode() if isinstance(value, bytes) else str(value).strip()
