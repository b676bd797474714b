"""The store's files, shared by its reader and its writer: names, records, and the catalog as Parquet."""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.errors import InputError
from galsmith.files import Kind, said_in_json, written_atomically
from galsmith.images import ImageHeader
from galsmith.provenance import Provenance, hash_json

FORMAT_NAME = "galsmith-store"
FORMAT_VERSION = 1
DESCRIPTION_FILE = "dataset.json"
CATALOG_FILE = "catalog.parquet"
IMAGE_FOLDER = "images"
PART_COLUMN, ROW_COLUMN = "store_part", "store_row"
# gzip because every HDF5 has it (lzf is of h5py alone); level 4 takes 1.6 times as long for fields half as large.
COMPRESSED: Mapping[str, Any] = {"compression": "gzip", "compression_opts": 1}
SAMPLED_IMAGES = 8
LARGEST_SHARE = 0.5  # of its size that a part may keep when compressed, or it stays as it is and reads faster


@dataclass(frozen=True)
class StoreHeader:
    """What is true of every image of a store, and what made them.

    Attributes
    ----------
    images : ImageHeader
        Bands, unit, size of a pixel, zero points, PSF.
    provenance : Provenance
        What made the store.
    """

    images: ImageHeader
    provenance: Provenance

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**self.images.to_dict(), "provenance": self.provenance.to_dict()}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "StoreHeader":
        """Read what `to_dict` wrote."""
        return cls(ImageHeader.from_dict(value), Provenance.from_dict(value["provenance"]))

    def fingerprint(self) -> str:
        """Hash of all that decides the images: an interrupted writer goes on only under the same one."""
        return hash_json([self.images.to_dict(), self.provenance.fingerprint()])


STORE = Kind(
    "store",
    said_in_json(FORMAT_NAME, lambda page: StoreHeader.from_dict(page).fingerprint()),
    DESCRIPTION_FILE,
    (DESCRIPTION_FILE, CATALOG_FILE, f"{IMAGE_FOLDER}/part-*.h5"),
)


@dataclass(frozen=True)
class Part:
    """One HDF5 file of images of one size.

    Attributes
    ----------
    file : str
        Path below the store, such as ``images/part-00000.h5``.
    n_images : int
        How many images it has.
    height_pix, width_pix : int
        Their size.
    sha256 : str
        Of the file's bytes.
    """

    file: str
    n_images: int
    height_pix: int
    width_pix: int
    sha256: str


def content_hash(header: StoreHeader, parts: list[Part], catalog_hash: str) -> str:
    """Hash of a store's content; two stores with one hash have the same images, catalog and units."""
    return hash_json([FORMAT_VERSION, header.images.to_dict(), [part.sha256 for part in parts], catalog_hash])


def compression_of(stored: NDArray[Any]) -> dict[str, Any]:
    """Compress images that become much smaller by it, such as gray levels, masks and even noise; others are read faster."""
    if not stored.size:
        return {}
    rows = np.unique(np.linspace(0, len(stored) - 1, SAMPLED_IMAGES).astype(np.int64))
    sample = stored[rows].tobytes()
    is_smaller = len(zlib.compress(sample, COMPRESSED["compression_opts"])) < LARGEST_SHARE * len(sample)
    return dict(COMPRESSED) if is_smaller else {}


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
