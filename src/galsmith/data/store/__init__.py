"""The store: a folder of HDF5 parts, a Parquet catalog and one JSON page; docs/format.md specifies it."""

from galsmith.data.store.companions import (
    SOURCE_COLUMNS,
    Companions,
    bytes_beside,
    companions_of,
    joined,
    names_beside,
    read_companions,
    read_noise_correlation,
    read_psfs,
    read_sources,
)
from galsmith.data.store.layout import FORMAT_VERSION, StoreHeader
from galsmith.data.store.reader import is_store, open_store, partial_chunks, read_description, verify_store
from galsmith.data.store.writer import StoreWriter, write_store

__all__ = [
    "FORMAT_VERSION",
    "SOURCE_COLUMNS",
    "Companions",
    "StoreHeader",
    "StoreWriter",
    "bytes_beside",
    "companions_of",
    "is_store",
    "joined",
    "names_beside",
    "open_store",
    "partial_chunks",
    "read_companions",
    "read_description",
    "read_noise_correlation",
    "read_psfs",
    "read_sources",
    "verify_store",
    "write_store",
]
