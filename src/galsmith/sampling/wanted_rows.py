"""What each drawn galaxy is asked to be: the rows of a catalog as checked values of a model's scalars."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table
from numpy.typing import NDArray

from galsmith.data.readers.labels import read_table
from galsmith.data.store.layout import hash_of_catalog
from galsmith.data.transforms import ScalarColumn
from galsmith.data.transforms.conditions import plain_column
from galsmith.errors import InputError, SettingsError
from galsmith.settings import near_miss

Values = NDArray[np.float64]

ROWS_NAMED = 10
PREFIX = "asked_"
# what catalogs say of a galaxy that is no quantity of its image
NAMES_OF_GALAXIES = ("object_id", "id", "index", "seed", "split")


@dataclass(frozen=True)
class WantedRows:
    """One galaxy a row.

    Attributes
    ----------
    columns : tuple of ScalarColumn
        What is asked, in the order of the model's scalars.
    values : ndarray [row, column], float64
        In the columns' units.
    catalog : QTable
        All that the rows say, each column's name with ``asked_`` before it.
    content_hash : str
        Of the catalog as it came.
    path : str
        Where it was read; empty where it came as a table.
    """

    columns: tuple[ScalarColumn, ...]
    values: Values
    catalog: QTable
    content_hash: str
    path: str

    def __len__(self) -> int:
        return len(self.values)

    @property
    def names(self) -> tuple[str, ...]:
        """Of what is asked."""
        return tuple(column.name for column in self.columns)

    def scalars(self) -> NDArray[np.float64]:
        """Standardized values, [row, column]."""
        encoded = [
            column.encoding.forward(one) for column, one in zip(self.columns, self.values.T, strict=True)
        ]
        return np.stack(encoded, axis=1)


def read_wanted_rows(
    catalog: str | Path | Table,
    known: Mapping[str, ScalarColumn],
    *,
    columns: Sequence[str] = (),
) -> WantedRows:
    """Read a catalog that names columns of a model.

    Parameters
    ----------
    catalog : str, Path or Table
        Parquet, ECSV, CSV or FITS, or a table in memory.
    known : mapping of str to ScalarColumn
        What the model can be asked for.
    columns : sequence of str
        What is asked, as ``name`` or ``name=column of the catalog``; all columns of numbers when left out.

    Raises
    ------
    InputError
        If the catalog cannot be read, has no rows or no column of the model, a column that the model does not know (the
        near miss is named), one in another unit, or rows without a finite value.
    SettingsError
        If `columns` names what the catalog or the model does not have, or one quantity twice.
    """
    path = "" if isinstance(catalog, Table) else str(catalog)
    table = QTable(catalog) if isinstance(catalog, Table) else _read(Path(catalog))
    place = path or "the catalog"
    if not len(table):
        raise InputError(f"{place}: holds no rows; wanted one a galaxy")
    sources = _named(columns, table, known, place) if columns else _found(table, known, place)
    chosen = sorted(sources, key=lambda name: known[name].position)
    _refuse_one_quantity_twice(chosen, known)
    values = [_values(table, sources[name], known[name], place) for name in chosen]
    return WantedRows(
        columns=tuple(known[name] for name in chosen),
        values=np.stack(values, axis=1),
        catalog=_kept(table),
        content_hash=hash_of_catalog(_kept(table)),
        path=path,
    )


def _read(path: Path) -> QTable:
    """Read a table of a file."""
    return read_table(path, QTable, way_out="give the catalog whose rows are to be drawn")


def _named(
    columns: Sequence[str], table: QTable, known: Mapping[str, ScalarColumn], place: str
) -> dict[str, str]:
    """Read which columns are asked, as model's name to catalog's name."""
    sources: dict[str, str] = {}
    for text in columns:
        name, _, source = (part.strip() for part in text.partition("="))
        source = source or name
        if name not in known:
            raise SettingsError(
                f"this model cannot be asked for it{near_miss(name, list(known))}; {_known_text(known)}",
                argument="columns",
                came=text,
            )
        if source not in table.colnames:
            raise SettingsError(
                f"{place} has no such column{near_miss(source, table.colnames)}; it has {', '.join(table.colnames)}",
                argument="columns",
                came=text,
            )
        if name in sources:
            raise SettingsError("names one quantity twice", argument="columns", came=", ".join(columns))
        sources[name] = source
    return sources


def _found(table: QTable, known: Mapping[str, ScalarColumn], place: str) -> dict[str, str]:
    """Find the columns that the model knows, and refuse numbers that it does not."""
    found = {name: name for name in table.colnames if name in known}
    unknown = [name for name in table.colnames if name not in known and _is_number(table, name)]
    if not found or unknown:
        name = (unknown or table.colnames)[0]
        lacks = f"column {name!r} is nothing" if unknown else "none of its columns is anything"
        miss = next((miss for one in unknown if (miss := near_miss(one, list(known)))), "")
        raise InputError(
            f"{place}: {lacks} that this model can be asked for{miss}; {_known_text(known)}; train with "
            "transform.conditions to ask for more, or name what is asked with `columns`, and the others are kept beside it"
        )
    return found


def _known_text(known: Mapping[str, ScalarColumn]) -> str:
    """Say what a model can be asked for, with units."""
    said = [
        f"{name} ({column.encoding.unit})" if column.encoding.unit else name
        for name, column in sorted(known.items())
    ]
    return f"it can be asked for {', '.join(said)}" if said else "it was trained with nothing to be asked for"


def _is_number(table: QTable, name: str) -> bool:
    """Whether a column is of numbers that say something of an image."""
    values, _ = plain_column(table[name])
    return values.dtype.kind in "iuf" and name.lower() not in NAMES_OF_GALAXIES


def _refuse_one_quantity_twice(chosen: Sequence[str], known: Mapping[str, ScalarColumn]) -> None:
    """Refuse, say, flux and magnitude of one band."""
    for one, other in itertools.pairwise(chosen):
        if known[one].position == known[other].position:
            raise SettingsError(
                "both ask for one quantity; name one of them", argument="columns", came=f"{one}, {other}"
            )


def _values(table: QTable, source: str, column: ScalarColumn, place: str) -> Values:
    """Read one column's values in the model's unit, [row] float64."""
    given = _converted(table[source], source, column, place)
    values, missing = plain_column(given)
    if values.dtype.kind not in "iuf" or values.ndim != 1:
        raise InputError(
            f"{place}: column {source!r} does not hold numbers; wanted one a row for {column.name}"
        )
    numbers = values.astype(np.float64)
    encoding = column.encoding
    _refuse_rows(missing | ~np.isfinite(numbers), f"{place}: column {source!r} has no finite number")
    if encoding.is_log:
        _refuse_rows(
            numbers <= 0, f"{place}: column {source!r} is not above zero, as {column.name} always is,"
        )
    if encoding.is_whole:
        _refuse_rows(
            numbers != np.round(numbers),
            f"{place}: column {source!r} is not a whole number, as {column.name} always is,",
        )
    return numbers


def _refuse_rows(is_bad: NDArray[np.bool_], problem: str) -> None:
    """Refuse rows by their number."""
    rows = np.flatnonzero(is_bad)
    if len(rows):
        named = ", ".join(map(str, rows[:ROWS_NAMED])) + (", ..." if len(rows) > ROWS_NAMED else "")
        raise InputError(
            f"{problem} in {len(rows):,} of {len(is_bad):,} rows ({named}, counted from 0); leave these rows out of the "
            "catalog, or the column out with `columns`"
        )


def _converted(given: Any, source: str, column: ScalarColumn, place: str) -> Any:
    """Bring a column to the model's unit; one without a unit is taken to be in it."""
    unit = getattr(given, "unit", None)
    if unit is None or str(unit) == "":
        return given
    wanted = column.encoding.unit
    if str(unit) == wanted or (wanted == "mag" and unit == u.ABmag):
        return given
    try:
        return (
            u.Quantity(given).to(u.Unit(wanted)) if wanted else u.Quantity(given).to(u.dimensionless_unscaled)
        )
    except (u.UnitConversionError, u.UnitTypeError, ValueError, TypeError) as error:
        raise InputError(
            f"{place}: column {source!r} is in {unit}, {column.name} of this model in {wanted or 'plain numbers'}; "
            f"convert it{_other_way(column)}"
        ) from error


def _other_way(column: ScalarColumn) -> str:
    """Say how fluxes are asked for in place of magnitudes, and the other way round."""
    for one, other in (("magnitude_", "flux_"), ("flux_", "magnitude_")):
        if column.name.startswith(one) and not column.is_condition:
            return f", or ask for {other}{column.name.removeprefix(one)} by `columns`"
    return ""


def _kept(table: QTable) -> QTable:
    """Keep what the rows say for the drawn catalog: numbers and text, one a row; NaN and "" where it is missing."""
    kept = QTable()
    for name in table.colnames:
        values, missing = plain_column(table[name])
        if values.ndim == 1 and values.dtype.kind in "iufbUSO":
            kept[f"{PREFIX}{name}"] = _with_unit(_filled(values, missing), getattr(table[name], "unit", None))
    return kept


def _filled(values: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Bring values to a type that catalogs hold, in this machine's byte order."""
    if values.dtype.kind in "USO":
        texts = (
            value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values
        )
        return np.array(["" if gone else text for text, gone in zip(texts, missing, strict=True)], dtype=str)
    if missing.any():
        return np.where(missing, np.nan, values.astype(np.float64))
    return values.astype(values.dtype.newbyteorder("="))


def _with_unit(values: NDArray[Any], unit: Any) -> Any:
    """Give values the unit that they came in; AB magnitudes are magnitudes here."""
    if unit is None or values.dtype.kind not in "iuf":
        return values
    return values << (u.mag if unit == u.ABmag else u.Unit(str(unit)))
