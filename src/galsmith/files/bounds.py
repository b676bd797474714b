"""How much a file may claim to hold, checked before anything is allocated for it."""

import os
from pathlib import Path

from galsmith.errors import InputError, SettingsError

VARIABLE = "GALSMITH_READ_LIMIT_GB"
LIMIT_GB = 2.0
EXPANSION = 10  # of a file's bytes: compressed images and tables of surveys come to less
NUMBER_BYTES = 8
BLOCK = 512  # bytes, of ``st_blocks`` (POSIX, sys/stat.h)


def read_limit_bytes() -> int:
    """Bytes that one image, one table or one array may take at once, whatever the size of its file.

    The environment variable ``GALSMITH_READ_LIMIT_GB`` sets it, in units of 1e9 bytes; 2 where there is none.

    Raises
    ------
    SettingsError
        If the variable is no positive number.
    """
    text = os.environ.get(VARIABLE, str(LIMIT_GB))
    try:
        limit = float(text) * 1e9
    except ValueError:
        limit = 0.0
    if not 0 < limit < float("inf"):
        raise SettingsError(argument=VARIABLE, came=text, wanted=f"a positive number, such as {LIMIT_GB:g}")
    return int(limit)


def bytes_on_disk(path: Path) -> int:
    """Bytes that a file takes on the disk: those of its holes, which are zeros that nobody wrote, are not counted."""
    stat = path.stat()
    return min(stat.st_size, getattr(stat, "st_blocks", stat.st_size) * BLOCK)


def excess(n_bytes: int, file_bytes: int) -> str:
    """Say that a claim is too large to be believed; nothing where it is not.

    Parameters
    ----------
    n_bytes : int
        What would be allocated.
    file_bytes : int
        Of the file that claims it; up to ten times as much is believed.
    """
    limit = max(read_limit_bytes(), EXPANSION * file_bytes)
    if n_bytes <= limit:
        return ""
    return (
        f"claims {n_bytes / 1e9:.3g} GB from {file_bytes:,} bytes on the disk, and {limit / 1e9:.3g} GB are read at most; "
        f"if the file is right, raise the limit with the environment variable {VARIABLE}"
    )


def refuse_excess(place: object, n_bytes: int, file_bytes: int) -> None:
    """Raise `InputError`, which names `place`, for a claim that is too large to be believed."""
    words = excess(n_bytes, file_bytes)
    if words:
        raise InputError(f"{place}: {words}")


def refuse_large_parquet(path: Path) -> None:
    """Raise `InputError` for a Parquet table whose footer claims more than can be believed; other faults pass by."""
    import pyarrow.parquet as pq  # imported late: a user of HDF5 alone needs none

    with pq.ParquetFile(path) as file:
        said = file.metadata
    # a run of equal values is stored once, so rows count as well as bytes
    stored = sum(said.row_group(number).total_byte_size for number in range(said.num_row_groups))
    refuse_excess(path, max(stored, said.num_rows * said.num_columns * NUMBER_BYTES), bytes_on_disk(path))
