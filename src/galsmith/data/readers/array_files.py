"""Files of named arrays that others wrote, HDF5, NPY and NPZ: what they hold, and reading some rows of it."""

import math
import re
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from galsmith.data.readers.listing import ARRAY_SUFFIXES, HDF5_SUFFIXES, ArrayPlace
from galsmith.errors import InputError
from galsmith.files.bounds import bytes_on_disk, refuse_excess
from galsmith.files.hdf5 import own_dataset
from galsmith.files.hdf5_probe import refuse_hostile
from galsmith.settings import near_miss

READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,  # of headers of NPY files, which are Python's words
    zipfile.BadZipFile,
    zlib.error,
)
SCALING = {"scale_factor": 1.0, "add_offset": 0.0}
UNDEFINED = ("_FillValue", "missing_value")
UNIT_ATTRIBUTES = ("flux_unit", "BUNIT", "unit", "units")
# Others are not read: the library loops for ever over some damaged ones, and nobody can stop it.
READ_ATTRIBUTES = (*SCALING, *UNDEFINED, *UNIT_ATTRIBUTES, "pixel_scale_arcsec", "bands")
LEAST_BYTES_A_ROW = 256  # of its name, its size and its row of the catalog
MEMBER_SUFFIX = ".npy"
ARRAYS_NAMED = 8
# Of chunks that hold small parts of very many images.
MOST_BYTES_TOGETHER = 2**28


@dataclass(frozen=True)
class ArrayHead:
    """What a file says of one of its arrays.

    Attributes
    ----------
    name : str
        Its path in an HDF5 file, as ``/images``; the name of a member of an NPZ file; empty for NPY.
    shape : tuple of int or None
        None for an HDF5 dataset without values.
    dtype : numpy dtype
        Of its values.
    rows_per_chunk : int
        How many rows are best read together, because they are compressed as one; 1 where any can be read by itself.
    is_text : bool
        Whether its values are text.
    attributes : mapping
        Those HDF5 attributes that readers know, by name.
    """

    name: str
    shape: tuple[int, ...] | None
    dtype: np.dtype[Any]
    rows_per_chunk: int = 1
    is_text: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_scaled(self) -> bool:
        """Whether its attributes say that values stand for others, or for nothing."""
        return not self.is_text and any(key in self.attributes for key in (*SCALING, *UNDEFINED))

    def __str__(self) -> str:
        """Write name, shape and type, for an error that lists arrays."""
        return f"{self.name} {self.shape} {self.dtype}".strip()


def arrays_in(path: Path) -> list[ArrayHead]:
    """List all arrays of a file, without reading them.

    Raises
    ------
    InputError
        If there is no such file, or it is not what its name says.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "there is no such file"
        raise InputError(f"{path}: {what}; wanted an {' '.join(ARRAY_SUFFIXES)} file")
    try:
        if _is_hdf5(path):
            refuse_hostile(path, READ_ATTRIBUTES)
            with h5py.File(path, "r") as file:
                return _datasets_of(file)
        return _members_of(path) if path.suffix.lower() == ".npz" else [_npy_head(path)]
    except InputError:
        raise
    except READ_ERRORS as error:
        kind = "HDF5" if _is_hdf5(path) else path.suffix[1:].upper()
        raise InputError(
            f"{path}: is not an {kind} file that can be read ({_first_line(error)}); write it again, or give the right file"
        ) from error


def read_rows(path: Path, head: ArrayHead, start: int, stop: int) -> NDArray[Any]:
    """Read rows `start` to `stop` of an array, as the file has them; of an NPZ file its whole member is decompressed.

    Raises
    ------
    InputError
        If they cannot be read.
    """
    try:
        if _is_hdf5(path):
            with h5py.File(path, "r") as file:
                dataset = own_dataset(file, head.name)
                refuse_rows(path, head, start, stop)
                values = np.asarray((dataset.asstr() if head.is_text else dataset)[start:stop])
                return values if head.is_text else _unscaled(values, head)
        refuse_rows(path, head, start, stop)
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as members:
                return np.asarray(members[head.name][start:stop])
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False)[start:stop])
    except InputError:
        raise
    except READ_ERRORS as error:
        raise InputError(
            f"{path}:{head.name}: rows {start} to {stop - 1} cannot be read ({_first_line(error)})"
        ) from error


def refuse_rows(path: Path, head: ArrayHead, start: int, stop: int) -> None:
    """Raise `InputError` if rows of an array, or names for all of them, take more memory than can be believed.

    Of an NPZ file a whole member is read, whatever its rows.
    """
    n_rows, *others = head.shape if head.shape else (1,)
    row_bytes = math.prod(others) * head.dtype.itemsize
    n_read = n_rows if path.suffix.lower() == ".npz" else stop - start
    refuse_excess(
        f"{path}:{head.name}", max(n_read * row_bytes, n_rows * LEAST_BYTES_A_ROW), bytes_on_disk(path)
    )


def choose_array(place: ArrayPlace, heads: list[ArrayHead], image_like: list[ArrayHead]) -> ArrayHead:
    """Take the array that the user names, else the only one that may hold images.

    Parameters
    ----------
    place : ArrayPlace
        What the user named.
    heads, image_like : list of ArrayHead
        All arrays of the file, and those that may hold images.

    Raises
    ------
    InputError
        If there is none of that name, it cannot hold images, or there is not exactly one to choose from.
    """
    if place.dataset is not None:
        named = [head for head in heads if head.name.strip("/") == place.dataset.strip("/")]
        if not named:
            near = near_miss(place.dataset.strip("/"), [head.name.strip("/") for head in heads])
            raise InputError(f"{place}: has no such dataset{near}; it holds {listed_arrays(heads)}")
        if named[0] not in image_like:
            raise InputError(
                f"{place}: holds {named[0]}, wanted numbers [galaxy, y, x], [galaxy, band, y, x] or [galaxy, y, x, band]; "
                f"the file holds {listed_arrays(heads)}"
            )
        return named[0]
    if len(image_like) == 1:
        return image_like[0]
    if image_like:
        raise InputError(
            f"{place}: {len(image_like)} datasets could be images: {listed_arrays(image_like)}; "
            f"choose one as {place.path}:{image_like[0].name}"
        )
    raise InputError(
        f"{place}: no dataset of 3 or 4 axes of numbers could be images; it holds {listed_arrays(heads)}"
    )


def _unscaled(values: NDArray[Any], head: ArrayHead) -> NDArray[Any]:
    """Give the numbers that a file's values stand for, by the conventions of netCDF and CF, float64 where there are any.

    scale_factor and add_offset make them; _FillValue and missing_value, in the file's own numbers, are NaN.
    """
    if not head.is_scaled or values.dtype.kind not in "iuf":
        return values
    undefined = np.zeros(values.shape, dtype=bool)
    for key in UNDEFINED:
        fills = np.atleast_1d(head.attributes.get(key, ()))
        undefined |= np.isin(values, fills.astype(values.dtype) if fills.dtype.kind in "iuf" else ())
    factor, offset = (_one_number(head.attributes.get(key), default) for key, default in SCALING.items())
    if factor == 1 and offset == 0 and not undefined.any() and values.dtype.kind == "f":
        return values
    return np.where(undefined, np.nan, values.astype(np.float64) * factor + offset)


def _one_number(value: Any, default: float) -> float:
    """Read an attribute that may be a number or an array of one."""
    array = np.asarray(default if value is None else value)
    return float(array.item()) if array.size == 1 and array.dtype.kind in "iuf" else default


def _is_hdf5(path: Path) -> bool:
    """Whether a name is that of an HDF5 file."""
    return path.name.lower().endswith(HDF5_SUFFIXES)


def _datasets_of(file: h5py.File) -> list[ArrayHead]:
    """Heads of all datasets in all groups."""
    heads: list[ArrayHead] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            heads.append(
                ArrayHead(
                    name=f"/{name}",
                    shape=item.shape,
                    dtype=item.dtype,
                    rows_per_chunk=_rows_together(item),
                    is_text=h5py.check_string_dtype(item.dtype) is not None,
                    attributes={key: item.attrs[key] for key in READ_ATTRIBUTES if key in item.attrs},
                )
            )

    file.visititems(visit)
    return heads


def _rows_together(dataset: h5py.Dataset) -> int:
    """Rows of one chunk, fewer where they are too many for the memory."""
    if not dataset.chunks:
        return 1
    bytes_per_row = max(1, dataset.nbytes // max(1, dataset.shape[0]))
    return max(1, min(int(dataset.chunks[0]), MOST_BYTES_TOGETHER // bytes_per_row))


def _members_of(path: Path) -> list[ArrayHead]:
    """Heads of all arrays in an NPZ file; each is decompressed as a whole."""
    heads = []
    with zipfile.ZipFile(path) as archive:
        for member in (name for name in archive.namelist() if name.endswith(MEMBER_SUFFIX)):
            with archive.open(member) as stream:
                version = np.lib.format.read_magic(stream)
                reader = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, _, dtype = reader(stream)
            rows = max(1, shape[0]) if shape else 1
            heads.append(
                ArrayHead(member.removesuffix(MEMBER_SUFFIX), shape, dtype, rows, dtype.kind in "SU")
            )
    return heads


def _npy_head(path: Path) -> ArrayHead:
    """Head of the only array of an NPY file."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    return ArrayHead("", array.shape, array.dtype)


def listed_arrays(heads: list[ArrayHead]) -> str:
    """Write arrays for an error, the first of them, with names, shapes and types."""
    shown = ", ".join(map(str, heads[:ARRAYS_NAMED])) if heads else "nothing"
    return f"{shown}, and {len(heads) - ARRAYS_NAMED} more" if len(heads) > ARRAYS_NAMED else shown


def words_of_array(name: str) -> tuple[str, ...]:
    """Split the name of an array, without its group, into words of lower case: ``/a/image_ivar`` is image, ivar."""
    return tuple(word for word in re.split(r"[^a-z0-9]+", name.rpartition("/")[2].lower()) if word)


def _first_line(error: BaseException) -> str:
    """Shorten a library's message to one line."""
    return (str(error) or type(error).__name__).splitlines()[0]
