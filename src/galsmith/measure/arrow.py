"""Columns as Arrow arrays and back, through their buffers: pyarrow's own way imports pandas, 0.15 s of every command.

Buffers are laid out as the Arrow columnar format has them: values side by side, booleans as bits from the lowest up, text
as UTF-8 behind int32 offsets, without a bitmap of what is missing, since nothing is.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

KINDS, TEXTS = "bfiuU", "UO"  # of NumPy: what `arrow_of` takes in tables, and what is text


def arrow_of(values: NDArray[Any]) -> Any:
    """Arrow array of a column; NaN stays a value.

    Parameters
    ----------
    values : ndarray [row], bool, integer, float or text
        Objects are text.

    Returns
    -------
    pyarrow.Array
        As ``pyarrow.array`` makes it.
    """
    if values.dtype.kind in TEXTS:
        texts = [str(text).encode("utf-8") for text in values.tolist()]
        offsets = np.cumsum([0, *map(len, texts)]).astype("<i4")
        return pa.StringArray.from_buffers(len(texts), pa.py_buffer(offsets), pa.py_buffer(b"".join(texts)))
    if values.dtype.kind == "b":
        bits = np.packbits(np.asarray(values), bitorder="little")
        return pa.Array.from_buffers(pa.bool_(), len(values), [None, pa.py_buffer(bits)])
    plain = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return pa.Array.from_buffers(
        pa.from_numpy_dtype(values.dtype.type), len(plain), [None, pa.py_buffer(plain)]
    )


def column_of(array: Any) -> NDArray[Any]:
    """Column of an Arrow array that `arrow_of` made, read from a file or not; text comes as objects.

    Parameters
    ----------
    array : pyarrow.ChunkedArray
        Of numbers or text, without missing values.
    """
    if pa.types.is_string(array.type):
        return np.array(array.to_pylist(), dtype=object)
    dtype = np.dtype(array.type.to_pandas_dtype())  # NumPy's; pandas has no part in it
    parts = [
        np.frombuffer(part.buffers()[1], dtype, count=len(part), offset=part.offset * dtype.itemsize)
        for part in array.chunks
    ]
    return np.concatenate([np.empty(0, dtype), *parts])
