"""Identifiers of images: each once in a set, told at any size."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from galsmith.errors import InputError

NAMES_AT_ONCE = 65_536
NAMES_SHOWN = 5


def repeated(names: Sequence[str] | NDArray[np.str_]) -> dict[str, int]:
    """Find identifiers that several rows have, and how many rows each.

    Parameters
    ----------
    names : sequence of str, or ndarray [row]
        Numbers are compared as text.

    Returns
    -------
    dict of str to int
        In the order of their first rows. Beside the names eight bytes a row are taken.
    """
    pieces = [
        pd.util.hash_array(np.asarray(names[start : start + NAMES_AT_ONCE]).astype(str).astype(object))
        for start in range(0, len(names), NAMES_AT_ONCE)
    ]
    hashes = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.uint64)
    ordered = np.sort(hashes)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    # different names may share a hash
    counts = Counter(str(names[row]) for row in np.flatnonzero(np.isin(hashes, twice)).tolist())
    return {name: count for name, count in counts.items() if count > 1}


def refuse_repeated(names: Sequence[str] | NDArray[np.str_], *, place: object) -> None:
    """Raise `InputError`, which names `place` and the first of them, where an identifier is there twice."""
    found = repeated(names)
    if found:
        shown = ", ".join(f"{name!r} ({count} rows)" for name, count in list(found.items())[:NAMES_SHOWN])
        more = f", and {len(found) - NAMES_SHOWN:,} more" if len(found) > NAMES_SHOWN else ""
        raise InputError(
            f"{place}: {len(found):,} object_id are there more than once: {shown}{more}; keep one of each, or rename them"
        )
