"""The measurement table: one row a galaxy, with units, flags and all that made it, as one Parquet file."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import astropy.units as u
import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.galaxies import Galaxies
from galsmith.data.store import is_store
from galsmith.data.store.layout import hash_of_catalog
from galsmith.errors import InputError
from galsmith.files import Kind, place_of, settle
from galsmith.measure.colors import color_pairs, described_colors, with_colors
from galsmith.measure.galaxies import Method
from galsmith.measure.properties.morphology import CORRECTED_QUANTITIES, correction_column
from galsmith.measure.properties.property import Property
from galsmith.measure.properties.registry import property_of_column
from galsmith.measure.segmentation import GIVEN_MAPS, method_text
from galsmith.measure.settings import ALL_BANDS
from galsmith.measure.table_formats import is_our_csv, read_metadata, read_table
from galsmith.provenance import Provenance, hash_json

TABLE_KIND = "galsmith-measurements"
TABLE_VERSION = 2


Columns = Literal["all", "short"]
COLUMNS = ("all", "short")
# of 100 to 220 columns what is looked at first, in this order, besides the catalog's, colors and fluxes
SHORT = (
    *("r_half_pix", "r_petro_pix", "r_half_ellip_pix", "ellipticity", "orientation_rad", "concentration"),
    *("asymmetry", "smoothness", "gini", "m20", "sersic_index", "sersic_r_eff_pix", "flux", "sn_per_pixel"),
    *("flag", "flag_sersic", "flags"),
)


def shortened(table: QTable) -> QTable:
    """Keep of a table the catalog's columns, `SHORT` and colors; the others are left out of its metadata too."""
    described = table.meta["properties"]
    measured = [*described, "flag", "flag_sersic", "flags", "message"]
    names = [name for name in table.colnames if name not in measured]
    colors = [name for name, said in described.items() if name in table.colnames and said["group"] == "color"]
    kept = table[[*names, *(name for name in SHORT if name in table.colnames), *colors]]
    kept.meta["properties"] = {name: said for name, said in described.items() if name in kept.colnames}
    kept.meta["content_hash"] = content_hash(kept)
    return kept


def _made_from(file: Path) -> str | None:
    """Fingerprint of what decided a table's values; that of a CSV table stands beside it."""
    try:
        meta = read_metadata(file)
    except LookupError:
        return "" if is_our_csv(file) else None
    return Provenance.from_dict(meta["provenance"]).fingerprint() if meta.get("kind") == TABLE_KIND else None


TABLE = Kind("table", _made_from, travels=True)


def measurement_table(
    columns: Mapping[str, NDArray[Any]], galaxies: Galaxies, method: Method, *, provenance: Provenance
) -> QTable:
    """Build the table from measured columns.

    Parameters
    ----------
    columns : mapping of column to ndarray [row]
        Of the first of `galaxies`, as `galsmith.measure.row.columns_of_rows` gives them.
    galaxies : Galaxies
        What was measured.
    method : Method
        How.
    provenance : Provenance
        Of the measurement.
    """
    settings, header, origin = method.settings, method.header, galaxies.origin
    columns = with_colors(columns, color_pairs(settings, header.bands), header.zero_points_mag)
    n_measured = len(columns["flag"]) // len(method.bands)
    table = QTable()
    for name in galaxies.catalog.colnames:
        column = galaxies.catalog[name][:n_measured]
        values = column if isinstance(column, u.Quantity) else np.asarray(column)
        table[name] = np.repeat(values, len(method.bands))
    if settings.band == ALL_BANDS:
        table["band"] = np.tile(np.array(header.bands, dtype=str), n_measured)
    add_measured_columns(table, columns, flux_unit=header.flux_unit)
    table.meta = {
        "kind": TABLE_KIND,
        "table_version": TABLE_VERSION,
        "content_hash": "",
        "n_measured": n_measured,
        "n_images": len(galaxies),
        "n_flagged": counted_flags(table),
        "bands": list(header.bands),
        **({"shows": header.shows} if header.shows_fields else {}),
        "band": settings.band,
        "flux_unit": header.flux_unit,
        "pixel_scale_arcsec": header.pixel_scale_arcsec,
        "segmentation": GIVEN_MAPS if origin.has_maps else method_text(settings),
        "source": {"path": origin.path, "content_hash": origin.content_hash},
        "given": dict(origin.given),
        "colors": described_colors(settings, header),
        "properties": described_columns(columns, flux_unit=header.flux_unit),
        "provenance": provenance.to_dict(),
    }
    table.meta["content_hash"] = content_hash(table)
    return table


def add_measured_columns(table: QTable, columns: Mapping[str, NDArray[Any]], *, flux_unit: str) -> None:
    """Add measured columns to a table, with their units where astropy knows them."""
    for name, values in columns.items():
        entry = property_of_column(name)
        unit = None if entry is None else _column_unit(entry, flux_unit)
        plain = values.astype(str) if values.dtype == object else values
        table[name] = plain if unit is None else plain * unit


def described_columns(columns: Iterable[str], *, flux_unit: str) -> dict[str, dict[str, Any]]:
    """Say of each measured column what a reader needs to know."""
    return {name: _described(name, flux_unit) for name in columns if property_of_column(name)}


def content_hash(table: QTable) -> str:
    """Hash of a table's values, units and of what made it: the same measurement has the same hash."""
    provenance = Provenance.from_dict(table.meta["provenance"])
    return hash_json([TABLE_VERSION, hash_of_catalog(table), provenance.fingerprint()])


def counted_flags(table: QTable) -> dict[str, int]:
    """How many galaxies carry each named flag, most frequent first."""
    counts = Counter(name for text in table["flags"] for name in str(text).split(",") if name)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def numbers_of(table: QTable) -> dict[str, Any]:
    """How many galaxies and rows a table has, and how many rows are without a flag and with each: plain JSON values.

    Where quantities were corrected also the median ``corrections``, and in how many rows these are known.
    """
    numbers: dict[str, Any] = {
        "n_galaxies": int(table.meta.get("n_measured", len(table))),
        "n_rows": len(table),
        "n_without_flag": int(np.count_nonzero(np.asarray(table["flag"]) == 0)),
        "flags": dict(table.meta.get("n_flagged", {})),
    }
    columns = [correction_column(name) for name in CORRECTED_QUANTITIES]
    if columns[0] in table.colnames:
        sizes = np.array([np.asarray(table[column], dtype=np.float64) for column in columns])
        known = sizes[:, np.isfinite(sizes).all(axis=0)]
        numbers["n_corrected"] = known.shape[1]
        medians = np.median(known, axis=1).tolist() if known.size else []
        numbers["corrections"] = dict(zip(CORRECTED_QUANTITIES, medians, strict=False))
    return numbers


def read_measurements(path: str | Path) -> QTable:
    """Read a measurement table.

    Raises
    ------
    InputError
        If there is no such file, it is a store, no Parquet table, or one that galsmith measure did not write.
    """
    file = place_of(path)
    settle(file)
    if is_store(file):
        raise InputError(
            f"{file}: a store of images; measure it first: galsmith measure {file} -o TABLE.parquet"
        )
    if not file.is_file():
        raise InputError(f"{file}: there is no such measurement table; make it with galsmith measure")
    table = read_table(file)
    _check_kind(file, table)
    return table


def _check_kind(file: Path, table: QTable) -> None:
    """Refuse tables of another kind or version."""
    if table.meta.get("kind") != TABLE_KIND:
        raise InputError(
            f"{file}: a Parquet table without galsmith's measurements; make one with galsmith measure"
        )
    version = table.meta.get("table_version")
    if version != TABLE_VERSION:
        raise InputError(
            f"{file}: has measurement table version {version}, this galsmith reads version {TABLE_VERSION}; measure the "
            "images again with galsmith measure, or read the values with astropy.table.QTable.read"
        )


def _column_unit(entry: Property, flux_unit: str) -> u.UnitBase | None:
    """Astropy unit of a column; None for numbers, dex and flux units that astropy does not know."""
    if entry.unit == "flux":
        return _flux_unit(flux_unit)
    return u.Unit(entry.unit) if entry.unit in ("pix", "rad", "mag") else None


@cache
def _flux_unit(text: str) -> u.UnitBase | None:
    """Astropy unit of a flux; None where astropy does not know it, which takes it long to find."""
    unit = u.Unit(text, parse_strict="silent")
    return None if isinstance(unit, u.UnrecognizedUnit) or unit == u.dimensionless_unscaled else unit


def _described(column: str, flux_unit: str) -> dict[str, Any]:
    """Say what a reader needs to know of a column."""
    entry = property_of_column(column)
    if entry is None:
        return {}
    return {
        "symbol": entry.symbol,
        "unit": flux_unit if entry.unit == "flux" else entry.unit,
        "group": entry.group,
        "definition": entry.definition,
        "headline": entry.headline,
        "is_circular": entry.is_circular,
    }
