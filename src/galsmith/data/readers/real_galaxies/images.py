"""Images in many header-data units of few files: their sizes and pixels, a file open only while it is read."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.data.readers.fits_files import READ_ERRORS, opened_fits
from galsmith.data.readers.source import UnusableImage

Pixels = NDArray[np.float32]


def images_of(path: Path, numbers: NDArray[Any]) -> list[Pixels | UnusableImage]:
    """Read several HDUs of one file.

    Parameters
    ----------
    path : Path
        Is open only while they are read.
    numbers : ndarray [image], int
        Of the HDUs.

    Returns
    -------
    list of ndarray [y, x], float32, or UnusableImage
        In the order of `numbers`.
    """
    read: list[Pixels | UnusableImage] = []
    try:
        with opened_fits(path) as units:
            for number in numbers:
                read.append(_image_of(path, units, int(number)))
    except FileNotFoundError:
        return [_missing(path)] * len(numbers)
    except READ_ERRORS as error:
        damaged = UnusableImage("truncated or damaged", f"{path}: is no FITS file that can be read ({error})")
        return [*read, *[damaged] * (len(numbers) - len(read))]
    return read


def _image_of(path: Path, units: Any, number: int) -> Pixels | UnusableImage:
    """Read one HDU."""
    try:
        data = units[number].data
        with np.errstate(over="ignore"):
            return np.array(data, dtype=np.float32)
    except READ_ERRORS as error:
        return UnusableImage("truncated or damaged", f"{path}[{number}]: is truncated or damaged ({error})")


def shapes_of(path: Path, numbers: NDArray[Any]) -> list[tuple[int, int] | UnusableImage]:
    """Read the height and width of several HDUs of one file, in pixels, in the order of `numbers`."""
    try:
        with opened_fits(path) as units:
            return [_shape_of(path, units, int(number)) for number in numbers]
    except FileNotFoundError:
        return [_missing(path)] * len(numbers)
    except READ_ERRORS as error:
        damaged = UnusableImage("truncated or damaged", f"{path}: is no FITS file that can be read ({error})")
        return [damaged] * len(numbers)


def _shape_of(path: Path, units: Any, number: int) -> tuple[int, int] | UnusableImage:
    """Read the size of one HDU."""
    try:
        shape = units[number].shape
    except READ_ERRORS as error:
        return UnusableImage("without an image", f"{path}: has no HDU {number} ({error})")
    if len(shape) != 2:
        return UnusableImage("without an image", f"{path}[{number}]: has {len(shape)} axes, wanted [y, x]")
    return int(shape[0]), int(shape[1])


def _missing(path: Path) -> UnusableImage:
    """Say that a file which the catalog names is not there."""
    return UnusableImage("without an image", f"{path}: the catalog names this file, and it is not there")
