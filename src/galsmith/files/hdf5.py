"""Datasets of HDF5 files that others may have made: values from the file itself alone, no larger than can be believed."""

import io
import math
from pathlib import Path, PurePosixPath
from typing import Any

import h5py

from galsmith.errors import InputError
from galsmith.files.bounds import bytes_on_disk, refuse_excess
from galsmith.files.remote import is_remote, place_of

WAY_OUT = "is not read; copy it into one plain file (h5repack), if you trust it"


def opened_hdf5(path: Path) -> h5py.File:
    """Open a file for reading; of a remote one only what is read is fetched."""
    if not is_remote(path):
        return h5py.File(path, "r")
    stream: Any = place_of(path).open("rb")
    # a copy, where the server knows no ranges
    if isinstance(stream, io.FileIO):
        stream.close()
        return h5py.File(stream.name, "r")
    return h5py.File(stream, "r")


def own_dataset(file: h5py.File, name: str) -> h5py.Dataset:
    """Open a dataset whose values lie in the file itself.

    External storage and external links would put bytes of any file of the machine into pixels.

    Parameters
    ----------
    file : h5py.File
        Open for reading.
    name : str
        Path in it, such as ``"/images"``.

    Raises
    ------
    InputError
        If it, or a group above it, is a link to elsewhere, its values lie in other files, or a chunk of it is larger than
        can be believed.
    KeyError
        If there is none of that name.
    """
    place = f"{file.filename}:{name}"
    path = PurePosixPath(name.strip("/"))
    for group in (*reversed(path.parents[:-1]), path):
        link = file.get(str(group), getlink=True)
        if link is None:
            raise KeyError(f"has no {name}")
        if not isinstance(link, h5py.HardLink):
            raise InputError(f"{place}: {group} is a link, which {WAY_OUT}")
    dataset = file[name]
    if not isinstance(dataset, h5py.Dataset):
        raise KeyError(f"{name} is no dataset")
    # the first before its own question, which opens the files that are named
    creation = dataset.id.get_create_plist()
    if creation.get_layout() == h5py.h5d.VIRTUAL:
        raise InputError(f"{place}: a virtual dataset, of values in other files, {WAY_OUT}")
    if creation.get_external_count():
        raise InputError(f"{place}: has its values in other files (external storage), which {WAY_OUT}")
    if dataset.chunks:
        refuse_claim(file, name, math.prod(dataset.chunks) * dataset.dtype.itemsize)
    return dataset


def refuse_claim(file: h5py.File, name: str, n_bytes: int) -> None:
    """Raise `InputError` if reading this many bytes of a dataset at once is more than the file can be believed to hold."""
    refuse_excess(f"{file.filename}:{name}", n_bytes, bytes_on_disk(place_of(file.filename)))
