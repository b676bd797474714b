"""The user's own pictures: opened for mosaics, and cut to images that are no fields."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from galsmith.data.readers.registry import StoreOptions, find_reader, open_source
from galsmith.data.readers.source import Source, UnusableImage
from galsmith.data.store import is_store
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images import resize_linear

Pixels = NDArray[np.float32]
SMALLEST_SHARE = 0.5  # of a picture's shorter side that a cut takes


def open_pictures(place: str | Path, *, progress: ProgressCallback = ignore_progress) -> Source:
    """Open a folder of pictures, or a store of them.

    Parameters
    ----------
    place : str or Path
        Where they are.
    progress : callable
        Told how far reading the heads is.

    Raises
    ------
    InputError
        If there are none, the head of one cannot be read, or their pixels are not those of pictures.
    """
    if is_store(place):
        pictures = find_reader("store").open(place, StoreOptions(), progress=progress)
    else:
        pictures = open_source(place, progress=progress)
    if pictures.header.flux_unit != "display":
        raise InputError(
            f"{place}: has pixels in {pictures.header.flux_unit}; wanted pictures, in display units"
        )
    faults = pictures.listing.faults
    if faults:
        raise InputError(f"{faults[min(faults)].message}; mend or remove it")
    return pictures


def read_gray(pictures: Source, row: int) -> Pixels:
    """Read one picture as the mean of its bands, [y, x] float32.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    picture = next(iter(pictures.read(np.array([row], dtype=np.int64))))
    if isinstance(picture, UnusableImage):
        raise InputError(f"{picture.message}; mend or remove it")
    return np.asarray(picture.mean(axis=0, dtype=np.float64), dtype=np.float32)


def cut_photograph(pictures: Source, *, side_pix: int, level: float, rng: np.random.Generator) -> Pixels:
    """Cut a square out of a picture that is drawn by lot, bring it to a side and to a mean gray level, [y, x] float32."""
    gray = read_gray(pictures, int(rng.integers(len(pictures.listing.names))))
    side = max(1, int(min(gray.shape) * rng.uniform(SMALLEST_SHARE, 1)))
    bottom, left = (int(rng.integers(0, length - side + 1)) for length in gray.shape)
    cut = gray[np.newaxis, bottom : bottom + side, left : left + side]
    resized = resize_linear(cut, side_pix)[0]
    return np.asarray(resized * (level / max(float(resized.mean()), 1.0)), dtype=np.float32)
