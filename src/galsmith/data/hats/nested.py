"""Images as Parquet keeps them, lists of rows of pixels, and as arrays [band, y, x]; in neither way a value is changed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Cube = NDArray[Any]
LEVELS = 3  # bands, rows, pixels


def list_of(kind: pa.DataType, levels: int = LEVELS) -> pa.DataType:
    """Type of lists in lists of values."""
    return kind if levels == 0 else pa.list_(list_of(kind, levels - 1))


def cubes_to_lists(cubes: Sequence[Cube], kind: pa.DataType) -> pa.ListArray:
    """Turn images, each [band, y, x] of a size of its own, to lists of planes of rows of pixels.

    Parameters
    ----------
    cubes : sequence of ndarray [band, y, x]
        Values of `kind`.
    kind : pyarrow type
        Of a pixel.
    """
    shapes = np.array([cube.shape for cube in cubes], dtype=np.int64).reshape(-1, LEVELS)
    rows_of_plane = np.repeat(shapes[:, 1], shapes[:, 0])
    pixels_of_row = np.repeat(shapes[:, 2], shapes[:, 0] * shapes[:, 1])
    flat = np.concatenate([np.ascontiguousarray(cube).ravel() for cube in cubes])
    found: pa.Array = pa.array(flat, type=kind)
    for counts in (pixels_of_row, rows_of_plane, shapes[:, 0]):
        found = pa.ListArray.from_arrays(pa.array(_starts(counts), type=pa.int32()), found)
    return found


def lists_to_cubes(lists: pa.Array) -> list[Cube | None]:
    """Turn lists of planes of rows of pixels to images [band, y, x]; None for one that is none, or no cube.

    Parameters
    ----------
    lists : pyarrow array
        Lists in lists in lists of values, of any of Arrow's kinds of lists.
    """
    kind, value = lists.type, lists.type
    for _ in range(LEVELS):
        value = value.value_type
    lists = lists if kind == list_of(value) else lists.cast(list_of(value))
    planes, rows = lists.values, lists.values.values
    starts = [level.offsets.to_numpy() for level in (lists, planes, rows)]
    flat = rows.values.to_numpy(zero_copy_only=False)
    there = [level.is_valid().to_numpy(zero_copy_only=False) for level in (lists, planes, rows)]
    return [_cube(flat, starts, there, row) for row in range(len(lists))]


def _cube(
    flat: NDArray[Any], starts: Sequence[NDArray[np.int32]], there: Sequence[NDArray[np.bool_]], row: int
) -> Cube | None:
    """Give one image as a view of all values; None if its rows are not of one length, or its planes of one height."""
    of_row, of_plane, of_pixels = starts
    first, last = of_row[row], of_row[row + 1]
    heights = np.diff(of_plane[first : last + 1])
    if not (there[0][row] and there[1][first:last].all()) or not len(heights) or np.ptp(heights):
        return None
    top, bottom = of_plane[first], of_plane[last]
    widths = np.diff(of_pixels[top : bottom + 1])
    if not there[2][top:bottom].all() or not len(widths) or np.ptp(widths) or not widths[0]:
        return None
    return flat[of_pixels[top] : of_pixels[bottom]].reshape(len(heights), heights[0], widths[0])


def _starts(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of several lists begins, and the end of the last."""
    return np.concatenate([[0], np.cumsum(counts)])
