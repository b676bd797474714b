"""The store's files, shared by its reader and its writer: names, records, and the catalog as Parquet."""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveInt

from galsmith.errors import InputError
from galsmith.files import Kind, at_hand, said_in_json, sha256_of_file, written_atomically
from galsmith.files.bounds import refuse_large_parquet
from galsmith.files.pages import Page
from galsmith.images import ImageHeader
from galsmith.images.header import Shown
from galsmith.provenance import Provenance, hash_json

FORMAT_NAME = "galsmith-store"
FORMAT_VERSION = 1
DESCRIPTION_FILE = "dataset.json"
CATALOG_FILE = "catalog.parquet"
IMAGE_FOLDER, IMAGES = "images", "image_array"
PART_NAME = rf"^{IMAGE_FOLDER}/part-[0-9x-]+\.h5$"
PART_COLUMN, ROW_COLUMN = "store_part", "store_row"
# gzip because every HDF5 has it (lzf is of h5py alone); level 4 takes 1.6 times as long for fields half as large.
COMPRESSED: Mapping[str, Any] = {"compression": "gzip", "compression_opts": 1}
SAMPLED_IMAGES = 8
CHECKED: Mapping[str, Any] = {"fletcher32": True}  # HDF5 refuses to read a chunk whose sum does not fit
# checksums of all that is not pixels came with the file format of HDF5 1.10, which is read since 2016
LIBRARY_VERSIONS = ("v110", "v110")
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
    travels=True,
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

    file: Annotated[str, Field(pattern=PART_NAME)]
    n_images: PositiveInt
    height_pix: PositiveInt
    width_pix: PositiveInt
    sha256: str


class CatalogPage(Page):
    """What the page of a store says of its catalog."""

    file: Literal["catalog.parquet"]
    sha256: str


class StorePage(Page):
    """The page of a store, ``dataset.json``."""

    format: str
    format_version: int
    content_hash: str
    n_images: NonNegativeInt
    bands: Annotated[tuple[str, ...], Field(min_length=1)]
    pixel_scale_arcsec: float | None
    physical_pixel_kpc: float | None
    flux_unit: str
    zero_points_mag: dict[str, float]
    psf: dict[str, Any]
    shows: Shown = "galaxy"
    provenance: Provenance
    catalog: CatalogPage
    parts: tuple[Part, ...]


def content_hash(header: StoreHeader, parts: list[Part], catalog_hash: str) -> str:
    """Hash of a store's content; two stores with one hash have the same images, catalog and units."""
    return hash_json([FORMAT_VERSION, header.images.to_dict(), [part.sha256 for part in parts], catalog_hash])


def storage_of(stored: NDArray[Any]) -> dict[str, Any]:
    """Say how an array of images, or of what lies beside them, is stored: an image a chunk, with a sum of its bytes."""
    if not stored.size:
        return {}
    return {"chunks": (1, *stored.shape[1:]), **CHECKED}


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


def read_catalog(path: Path, *, sha256: str | None = None) -> QTable:
    """Read a Parquet table; `InputError` names the file when it is missing, damaged, or not of the hash that is given."""
    try:
        with at_hand(path) as local:
            if sha256 is not None and sha256_of_file(local) != sha256:
                raise InputError(
                    f"{path}: was changed or damaged after it was written (its hash is not that of {DESCRIPTION_FILE}); "
                    "make the store again"
                )
            refuse_large_parquet(local)
            return QTable.read(local, format="parquet")
    except InputError:
        raise
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
            # FITS tables are read with the first byte the largest
            digest.update(np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("=")).tobytes())
    return digest.hexdigest()
