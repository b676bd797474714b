"""Columns of a HATS catalog: what of its schema are images, and the columns with one value a row as a table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from astropy.table import QTable
from astropy.units import Quantity
from numpy.typing import NDArray

from galsmith.data.hats.layout import (
    BAND,
    FLUX,
    HEIGHT,
    IMAGE,
    INDEX,
    IVAR,
    MASK,
    METADATA_KEY,
    METADATA_VERSION,
    NAME,
    PSF_FWHM,
    SCALE,
    WIDTH,
)
from galsmith.data.hats.nested import LEVELS
from galsmith.data.readers.labels import RESERVED_NAMES
from galsmith.errors import InputError
from galsmith.files.bounds import bytes_on_disk, refuse_excess
from galsmith.images import ImageHeader
from galsmith.images.units import unit_of
from galsmith.settings import near_miss

READ_ERRORS = (OSError, pa.ArrowException, ValueError, KeyError, TypeError, UnicodeDecodeError)
NUMBER_BYTES = 8
EXTENSION_NAME, EXTENSION = b"ARROW:extension:name", b"ARROW:extension:metadata"
COLUMNS_NAMED = 12


@dataclass(frozen=True)
class ImageColumn:
    """What the schema of a file says of its images.

    Attributes
    ----------
    fields : tuple of str
        Names of the lists in the column of images.
    scalars : tuple of str
        Columns with one value a row.
    left : tuple of str
        Columns with more, which no catalog takes.
    size : tuple of int or None
        Height and width of all images, where the schema says it.
    has_sizes : bool
        Whether there are columns of the sides of each.
    """

    fields: tuple[str, ...]
    scalars: tuple[str, ...]
    left: tuple[str, ...]
    size: tuple[int, int] | None
    has_sizes: bool


@dataclass(frozen=True)
class OwnMetadata:
    """What galsmith wrote into its own files: the header of the images, and what earlier steps lost."""

    header: ImageHeader | None = None
    lost_before: Mapping[str, int] = field(default_factory=dict)


def open_file(file: Path) -> pq.ParquetFile:
    """Open a Parquet file, so that it is read a piece at a time.

    Raises
    ------
    InputError
        If it is none.
    """
    try:
        return pq.ParquetFile(file, buffer_size=2**20, pre_buffer=False)
    except READ_ERRORS as error:
        raise InputError(
            f"{file}: is not a Parquet file that can be read ({first_line(error)}); download it anew"
        ) from error


def image_column(file: Path, schema: pa.Schema) -> ImageColumn:
    """Find the images in the schema of a file, and refuse what is not in the layout of the MultimodalUniverse.

    Raises
    ------
    InputError
        If a column is missing or has another shape; the message names it.
    """
    for name in (NAME, IMAGE):
        if name not in schema.names:
            shown = ", ".join(schema.names[:COLUMNS_NAMED])
            raise InputError(f"{file}: has no column {name}{near_miss(name, schema.names)}; it has {shown}")
    kind = schema.field(IMAGE).type
    wanted = f"a struct of lists {BAND}, {FLUX}, {MASK}, {IVAR}, {PSF_FWHM}, {SCALE}, as the MultimodalUniverse has it"
    if not pa.types.is_struct(kind):
        raise InputError(f"{file}: its column {IMAGE} is of the type {_shortened(kind)}; wanted {wanted}")
    found = {kind.field(number).name: kind.field(number) for number in range(kind.num_fields)}
    for name in (BAND, FLUX):
        if name not in found:
            raise InputError(
                f"{file}: its column {IMAGE} has no list {name}, but {', '.join(found)}; wanted {wanted}"
            )
    for name, levels in (
        (BAND, 1),
        (FLUX, LEVELS),
        (MASK, LEVELS),
        (IVAR, LEVELS),
        (PSF_FWHM, 1),
        (SCALE, 1),
    ):
        if name in found and not _is_list(found[name].type, levels, is_text=name == BAND):
            shape = "names" if name == BAND else "[band, y, x]" if levels > 1 else "numbers"
            raise InputError(
                f"{file}: its list {IMAGE}.{name} is of the type {_shortened(found[name].type)}; wanted one of {shape}"
            )
    own = {NAME, IMAGE, INDEX, HEIGHT, WIDTH}
    others = [name for name in schema.names if name not in own]
    scalars = tuple(name for name in others if _is_scalar(schema.field(name).type))
    return ImageColumn(
        tuple(found),
        scalars,
        tuple(name for name in others if name not in scalars),
        _stated_size(found[FLUX]),
        {HEIGHT, WIDTH} <= set(schema.names),
    )


def own_metadata(file: Path, schema: pa.Schema) -> OwnMetadata:
    """Read what galsmith put into the metadata of a schema, where it did.

    Raises
    ------
    InputError
        If it is there and cannot be read.
    """
    said = (schema.metadata or {}).get(METADATA_KEY)
    if said is None:
        return OwnMetadata()
    try:
        page = json.loads(said)
        if page["version"] != METADATA_VERSION:
            raise ValueError(f"version {page['version']!r}; this galsmith reads {METADATA_VERSION}")
        lost = {str(reason): int(count) for reason, count in page["lost_before"].items()}
        return OwnMetadata(ImageHeader.from_dict(page["header"]), lost)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{file}: what galsmith said of the images cannot be read ({error}); export them anew"
        ) from error


def read_columns(file: pq.ParquetFile, path: Path, column: ImageColumn) -> pa.Table:
    """Read all of a file but pixels.

    Raises
    ------
    InputError
        If it claims more than can be believed, or is damaged.
    """
    lists = [f"{IMAGE}.{name}" for name in (BAND, PSF_FWHM, SCALE) if name in column.fields]
    sides = [HEIGHT, WIDTH] if column.has_sizes else []
    names = [NAME, *column.scalars, *sides, *lists]
    said = file.metadata
    refuse_excess(path, said.num_rows * len(names) * NUMBER_BYTES, bytes_on_disk(path))
    try:
        return file.read(columns=names)
    except READ_ERRORS as error:
        raise InputError(
            f"{path}: its catalog cannot be read ({first_line(error)}); download it anew"
        ) from error


def names_of(rows: pa.Table) -> NDArray[np.str_]:
    """Give identifiers as text, [row]; whole numbers are written out."""
    column = rows[NAME]
    if column.null_count:
        empty = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise InputError(f"row {empty} of the catalog has no {NAME}; wanted one for each image")
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        column = column.cast(pa.string())
    return np.asarray(column.to_pylist(), dtype=str)


def catalog_of(rows: pa.Table, names: Sequence[str], *, is_own: bool) -> QTable:
    """Make the catalog of all columns with one value a row, with their units.

    Parameters
    ----------
    rows : pyarrow Table
        Of all files.
    names : sequence of str
        The columns.
    is_own : bool
        Whether galsmith wrote them; else names that a store uses itself get ``label_`` before them.
    """
    table = QTable({NAME: names_of(rows)})
    for name in names:
        said = rows.schema.field(name)
        values = values_of(rows[name])
        text = (said.metadata or {}).get(b"unit", b"").decode(errors="replace")
        unit = unit_of(text) if text else None
        free = f"label_{name}" if name in RESERVED_NAMES and not is_own else name
        table[free] = (
            Quantity(values, unit, copy=False) if unit is not None and values.dtype.kind == "f" else values
        )
    return table


def values_of(column: pa.ChunkedArray) -> NDArray[Any]:
    """Turn a column to an array: NaN, or empty text, where there is no value."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        return column.cast(pa.float64()).to_numpy() if column.null_count else column.cast(kind).to_numpy()
    if pa.types.is_floating(kind):
        return column.cast(kind).to_numpy()
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64()).to_numpy()
    return np.asarray(pc.fill_null(column.cast(pa.string()), "").to_pylist(), dtype=str)


def first_line(error: BaseException) -> str:
    """Shorten a library's message to one line."""
    return (str(error) or type(error).__name__).splitlines()[0]


def _is_scalar(kind: pa.DataType) -> bool:
    """Whether a type has one value a row that a catalog can keep."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    is_of = pa.types
    return any(
        test(kind)
        for test in (
            *(is_of.is_boolean, is_of.is_integer, is_of.is_floating, is_of.is_decimal, is_of.is_string),
            *(is_of.is_large_string, is_of.is_timestamp, is_of.is_date),
        )
    )


def _is_list(kind: pa.DataType, levels: int, *, is_text: bool) -> bool:
    """Whether a type is that of lists in lists, so many deep, of names or of numbers."""
    is_of = pa.types
    for _ in range(levels):
        if not (is_of.is_list(kind) or is_of.is_large_list(kind) or is_of.is_fixed_size_list(kind)):
            return False
        kind = kind.value_type
    if is_text:
        return bool(is_of.is_string(kind) or is_of.is_large_string(kind) or is_of.is_dictionary(kind))
    return bool(is_of.is_integer(kind) or is_of.is_floating(kind) or is_of.is_boolean(kind))


def _stated_size(flux: pa.Field) -> tuple[int, int] | None:
    """Read the height and width that the type `Array2D` of the library `datasets` states of all images."""
    said = flux.type.value_field.metadata or {}
    if not said.get(EXTENSION_NAME, b"").endswith(b"Array2DExtensionType"):
        return None
    try:
        height, width = json.loads(said[EXTENSION])[0]
        return (int(height), int(width)) if height and width else None
    except (LookupError, TypeError, ValueError):
        return None


def _shortened(kind: pa.DataType) -> str:
    """Write a type, cut off where it is long."""
    text = str(kind)
    return text if len(text) <= 80 else f"{text[:77]}..."
