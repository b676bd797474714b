"""Which columns of somebody's catalog say where a galaxy is, what it is called and how large its cutout is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from galsmith.errors import InputError, SettingsError
from galsmith.settings import near_miss

# The first of these that a catalog has is taken, whatever its case.
X_NAMES = ("x", "x_pix", "xcentroid", "x_centroid", "xc", "xpos", "center_x_pix", "x_image", "xwin_image")
Y_NAMES = ("y", "y_pix", "ycentroid", "y_centroid", "yc", "ypos", "center_y_pix", "y_image", "ywin_image")
RA_NAMES = (
    "ra",
    "ra_deg",
    "raj2000",
    "ra_j2000",
    "alpha_j2000",
    "alphawin_j2000",
    "ra_icrs",
    "right_ascension",
)
DEC_NAMES = (
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
)
ID_NAMES = ("object_id", "id", "objid", "obj_id", "source_id", "number", "name", "asset_id", "label")
SIZE_NAMES = ("cutout_pix", "cutout", "cutout_size", "cutout_size_pix", "size_pix", "size")
# SExtractor counts pixels from 1, as FITS does.
COUNTED_FROM_ONE = ("x_image", "y_image", "xwin_image", "ywin_image")
ROLES: Mapping[str, Sequence[str]] = {
    "x": X_NAMES,
    "y": Y_NAMES,
    "ra": RA_NAMES,
    "dec": DEC_NAMES,
    "id": ID_NAMES,
    "size": SIZE_NAMES,
}


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
            raise SettingsError(f"--columns {part.strip()}: wanted role=column, such as x=XPOS")
        if role not in ROLES:
            raise SettingsError(
                f"--columns {part.strip()}: unknown role{near_miss(role, list(ROLES))}; wanted {', '.join(ROLES)}"
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
        f"them with --columns x=...,y=...; it has {_listed(names)}"
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
    for known in (*X_NAMES, *RA_NAMES):
        close = near_miss(known, [name for name in lowered if len(name) > 1 or name in "xy"])
        if close:
            column = lowered[close.split("'")[1]]
            return f" (did you mean {column!r}?)"
    return ""


def _listed(names: Sequence[str]) -> str:
    """List columns, the first dozen."""
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
