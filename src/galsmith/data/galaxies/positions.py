"""Reading a catalog of positions (CSV, ECSV, FITS, Parquet, text) and bringing them to pixels of an image."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.table import QTable, Table
from numpy.typing import NDArray

from galsmith.data.galaxies.given_columns import given_columns
from galsmith.data.readers.fits import FitsHead, sky_coordinates
from galsmith.data.readers.labels import read_table
from galsmith.errors import InputError, SettingsError
from galsmith.settings import near_miss, near_words

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS

# The first of these that a catalog has is taken, whatever its case.
ROLES: Mapping[str, Sequence[str]] = {
    "x": ["x", "x_pix", "xcentroid", "x_centroid", "xc", "xpos", "center_x_pix", "x_image", "xwin_image"],
    "y": ["y", "y_pix", "ycentroid", "y_centroid", "yc", "ypos", "center_y_pix", "y_image", "ywin_image"],
    "ra": [
        "ra",
        "ra_deg",
        "raj2000",
        "ra_j2000",
        "alpha_j2000",
        "alphawin_j2000",
        "ra_icrs",
        "right_ascension",
    ],
    "dec": [
        "dec",
        "dec_deg",
        "dej2000",
        "decj2000",
        "dec_j2000",
        "delta_j2000",
        "deltawin_j2000",
        "dec_icrs",
        "de_icrs",
        "declination",
    ],
    "id": [
        *(
            "object_id",
            "id",
            "objid",
            "obj_id",
            "objectid",
            "coadd_object_id",
            "coadd_objects_id",
            "ls_id",
            "targetid",
        ),
        *("source_id", "number", "name", "designation", "asset_id", "label"),
    ],
    "size": ["cutout_pix", "cutout", "cutout_size", "cutout_size_pix", "size_pix", "size"],
}
MOST_STEPS, LARGEST_ERROR_PIX = 20, 1e-4
# SExtractor counts pixels from 1, as FITS does.
COUNTED_FROM_ONE = ("x_image", "y_image", "xwin_image", "ywin_image")


@dataclass(frozen=True)
class PositionColumns:
    """Columns of a catalog by what they are used for.

    Attributes
    ----------
    first, second : str
        x and y in pixels, or right ascension and declination.
    on_sky : bool
        Whether they are angles.
    counted_from : int
        What the first pixel's center is called: 0, or 1 in SExtractor's columns.
    name : str or None
        The identifier.
    size : str or None
        Side of the cutout in pixels.
    """

    first: str
    second: str
    on_sky: bool
    counted_from: int = 0
    name: str | None = None
    size: str | None = None

    def to_dict(self) -> dict[str, str | int | None]:
        """Return what was used, for the metadata."""
        roles = ("ra", "dec") if self.on_sky else ("x", "y")
        return {
            roles[0]: self.first,
            roles[1]: self.second,
            "counted_from": self.counted_from,
            "id": self.name,
            "size": self.size,
        }


def parse_columns(text: str) -> dict[str, str]:
    """Read ``x=XPOS,y=YPOS,id=NUM`` into role -> column.

    Raises
    ------
    SettingsError
        If a part is not of that form or its role is unknown.
    """
    chosen: dict[str, str] = {}
    for part in text.split(","):
        role, separator, column = (piece.strip() for piece in part.partition("="))
        if not separator or not column:
            raise SettingsError(argument="columns", came=part.strip(), wanted="role=column, such as x=XPOS")
        if role not in ROLES:
            raise SettingsError(
                f"unknown role{near_miss(role, list(ROLES))}; wanted {', '.join(ROLES)}",
                argument="columns",
                came=part.strip(),
            )
        chosen[role] = column
    return chosen


def find_columns(path: str, names: Sequence[str], chosen: Mapping[str, str]) -> PositionColumns:
    """Find the columns of a catalog.

    Parameters
    ----------
    path : str
        The catalog, for messages.
    names : sequence of str
        Its columns.
    chosen : mapping of role to column
        What the user named; it goes before everything else.

    Raises
    ------
    InputError
        If there is neither a pair of pixel columns nor one of sky coordinates; near misses are named.
    """
    for role, column in chosen.items():
        if column not in names:
            raise InputError(
                f"{path}: has no column {column!r} for {role}{near_miss(column, names)}; it has {_listed(names)}"
            )
    found = {role: chosen.get(role) or _first_of(known, names) for role, known in ROLES.items()}
    wants_sky = ("ra" in chosen or "dec" in chosen) and not ("x" in chosen or "y" in chosen)
    x, y, ra, dec = (found[role] for role in ("x", "y", "ra", "dec"))
    if x is not None and y is not None and not wants_sky:
        counted_from = 1 if x.lower() in COUNTED_FROM_ONE and y.lower() in COUNTED_FROM_ONE else 0
        return PositionColumns(
            x, y, on_sky=False, counted_from=counted_from, name=found["id"], size=found["size"]
        )
    if ra is not None and dec is not None:
        return PositionColumns(ra, dec, on_sky=True, name=found["id"], size=found["size"])
    raise InputError(
        f"{path}: has no columns of positions{_misses(names)}; wanted x and y in pixels or ra and dec in degrees, or name "
        f"them with `columns=x=...,y=...`; it has {_listed(names)}"
    )


def _first_of(known: Sequence[str], names: Sequence[str]) -> str | None:
    """Find the first known name that a catalog has, whatever its case."""
    by_lower: dict[str, str] = {}
    for name in names:
        by_lower.setdefault(name.lower(), name)
    return next((by_lower[name] for name in known if name in by_lower), None)


def _misses(names: Sequence[str]) -> str:
    """Name columns that come near to positions."""
    lowered = {name.lower(): name for name in names}
    for known in (*ROLES["x"], *ROLES["ra"]):
        close = near_words(known, [name for name in lowered if len(name) > 1 or name in "xy"])
        if close:
            return f" (did you mean {lowered[close[0]]!r}?)"
    return ""


def _listed(names: Sequence[str]) -> str:
    """List columns, the first dozen."""
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


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
    given : QTable
        All columns of the catalog, as `given_columns` names them.
    """

    names: NDArray[np.str_]
    x_pix: NDArray[np.float64]
    y_pix: NDArray[np.float64]
    sizes_pix: NDArray[np.float64] | None
    columns: PositionColumns
    given: QTable


def read_positions(path: Path, head: FitsHead, *, chosen: Mapping[str, str]) -> Positions:
    """Read a catalog and give every row's pixel in an image.

    Parameters
    ----------
    path : Path
        The catalog.
    head : FitsHead
        Of the image; its world coordinates are used for ra and dec.
    chosen : mapping of role to column
        As `parse_columns` gave it.

    Raises
    ------
    InputError
        If the catalog cannot be read, is empty, lacks columns, holds text where numbers are wanted, names two
        galaxies alike, or the image has no world coordinates for a catalog of sky positions.
    """
    table = read_table(path, Table, way_out="give one row a galaxy, with its position")
    if len(table) == 0:
        raise InputError(f"{path}: holds no rows; wanted one row a galaxy")
    columns = find_columns(str(path), table.colnames, chosen)
    if columns.on_sky:
        ra = _degrees(path, table, columns.first, is_right_ascension=True)
        x, y = _to_pixels(path, head, ra, _degrees(path, table, columns.second, is_right_ascension=False))
    else:
        x, y = (
            _numbers(path, table, name) - columns.counted_from for name in (columns.first, columns.second)
        )
    sizes = None if columns.size is None else _numbers(path, table, columns.size)
    return Positions(_names(path, table, columns.name), x, y, sizes, columns, given_columns(table))


def _numbers(path: Path, table: Table, name: str) -> NDArray[np.float64]:
    """Values of a column as float64; masked ones are NaN."""
    column = table[name]
    if getattr(column, "ndim", 1) != 1 or np.asarray(column).dtype.kind not in "iufb":
        raise InputError(
            f"{path}: column {name!r} holds {np.asarray(column).dtype.name}, wanted numbers; "
            "name another with `columns`"
        )
    values: Any = getattr(column, "value", column)
    return np.asarray(np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan), dtype=np.float64)


def _degrees(path: Path, table: Table, name: str, *, is_right_ascension: bool) -> NDArray[np.float64]:
    """Angles of a column in degrees, whatever its unit; without one degrees, or sexagesimal where they are text."""
    column = table[name]
    if np.asarray(column).dtype.kind in "SUO":
        return _sexagesimal(path, column, name, is_right_ascension=is_right_ascension)
    factor = 1.0
    if column.unit is not None and u.Unit(column.unit).is_equivalent(u.deg):
        factor = float(u.Unit(column.unit).to(u.deg))
    return _numbers(path, table, name) * factor


def _sexagesimal(path: Path, column: Any, name: str, *, is_right_ascension: bool) -> NDArray[np.float64]:
    """Read angles such as ``10:00:00.7``, right ascensions in hours where they have parts, ``10h00m00.7s`` or ``150.0``."""
    from astropy.coordinates import Angle  # all of them take 40 ms, and few images come with a catalog

    found = np.full(len(column), np.nan)
    for row, value in enumerate(column):
        text = "" if np.ma.is_masked(value) else _text(value)
        if not text or text.lower() in ("nan", "--"):
            continue
        has_parts = any(separator in text.strip() for separator in (":", " ", "h"))
        unit = u.hourangle if is_right_ascension and has_parts and "d" not in text.lower() else u.deg
        try:
            found[row] = Angle(text, unit=None if "h" in text or "d" in text else unit).to_value(u.deg)
        except (ValueError, TypeError, u.UnitsError) as error:
            raise InputError(
                f"{path}: column {name!r} holds {text!r}, wanted degrees or an angle such as 10:00:00.7; "
                "name another with `columns`"
            ) from error
    return found


def _to_pixels(
    path: Path, head: FitsHead, ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels of sky positions by the image's world coordinates; NaN where there is none."""
    from astropy.coordinates import SkyCoord

    coordinates = sky_coordinates(head)
    if coordinates is None:
        raise InputError(
            f"{head.place}: has no world coordinates, and {path} gives ra and dec; give x and y in pixels, or an "
            "image whose header has a WCS"
        )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        known = np.isfinite(ra_deg) & np.isfinite(dec_deg) & (np.abs(dec_deg) <= 90)
        sky = SkyCoord(ra_deg[known] * u.deg, dec_deg[known] * u.deg, frame="icrs")
        found = np.full((2, len(known)), np.nan)
        found[:, known] = _pixels_of(coordinates, sky)
    return found[0], found[1]


def _pixels_of(coordinates: "WCS", sky: "SkyCoord") -> NDArray[np.float64]:
    """Pixels [2, position] of places on the sky, whatever system and order of axes the image has."""
    first = np.array(coordinates.world_to_pixel(sky), dtype=np.float64)
    if coordinates.det2im1 is None and coordinates.det2im2 is None:
        return first
    # astropy inverts all but the tables of a detector: x + first - first(sky(x)), until it stays
    found = first
    for _ in range(MOST_STEPS):
        step = first - np.array(coordinates.world_to_pixel(coordinates.pixel_to_world(*found)))
        found = found + step
        if not np.nanmax(np.abs(step), initial=0.0) > LARGEST_ERROR_PIX:
            break
    return found


def _names(path: Path, table: Table | QTable, column: str | None) -> NDArray[np.str_]:
    """Take identifiers as text; the row's number where the catalog, or a row of it, has none."""
    if column is None:
        return np.array([f"{row:08d}" for row in range(len(table))], dtype=str)
    texts = ["" if np.ma.is_masked(value) else _text(value) for value in table[column]]
    texts = ["" if text.lower() in ("nan", "--") else text for text in texts]
    names = np.array([text or f"{row:08d}" for row, text in enumerate(texts)], dtype=str)
    unique, counts = np.unique(names, return_counts=True)
    if len(unique) < len(names):
        raise InputError(
            f"{path}: {counts.max()} rows are named {str(unique[np.argmax(counts)])!r} in column {column!r}; wanted one "
            "row a galaxy, or name another column with `columns=id=...`"
        )
    return names


def _text(value: Any) -> str:
    """Write an identifier as text."""
    return value.decode() if isinstance(value, bytes) else str(value).strip()
