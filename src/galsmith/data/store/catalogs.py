"""Writing, reading and hashing the catalog of a store: a table with units as Parquet."""

import hashlib
from pathlib import Path

import numpy as np
from astropy.table import QTable

from galsmith.errors import InputError
from galsmith.files import written_atomically


def write_catalog(path: Path, catalog: QTable) -> None:
    """Write a table as Parquet, units and metadata included, atomically."""
    with written_atomically(path) as temporary:
        catalog.write(temporary, format="parquet")


def read_catalog(path: Path) -> QTable:
    """Read a Parquet table; `InputError` names the file when it is missing or damaged."""
    try:
        return QTable.read(path, format="parquet")
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file; the store is damaged, make it again") from error
    except Exception as error:
        raise InputError(
            f"{path}: cannot be read as a Parquet table ({error}); make the store again"
        ) from error


def hash_of_catalog(catalog: QTable) -> str:
    """SHA-256 of a table's columns: names, units and values in order, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in catalog.colnames:
        column = catalog[name]
        values = np.asarray(getattr(column, "value", column))
        digest.update(f"{name}|{getattr(column, 'unit', None)}|{values.dtype.kind}|".encode())
        if values.dtype.kind in "USO":
            digest.update("\0".join(str(value) for value in values).encode())
        else:
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
