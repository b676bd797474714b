"""Opening images whatever format they have: a folder of FITS cutouts or of pictures, or an array in a file."""

from pathlib import Path

from galsmith.data.readers.array_files import array_place
from galsmith.data.readers.arrays import ArraySource
from galsmith.data.readers.fits import FITS_SUFFIXES
from galsmith.data.readers.fits_cutouts import FitsSource
from galsmith.data.readers.pictures import SUFFIXES as PICTURE_SUFFIXES
from galsmith.data.readers.pictures import PictureSource
from galsmith.data.readers.source import Source
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ignore_progress


def is_image_place(place: str | Path) -> bool:
    """Whether a name is that of a folder, or of an array in a file, whether or not there is one."""
    return Path(place).is_dir() or array_place(place) is not None


def open_source(place: str | Path, *, progress: ProgressCallback = ignore_progress) -> Source:
    """Open images by what their names say; all options have their defaults.

    Parameters
    ----------
    place : str or Path
        A folder of FITS cutouts, or of pictures where it has none, or an array such as ``set.h5:/images``.
    progress : callable
        Told how far reading the heads is.

    Raises
    ------
    InputError
        If there are no images, or they cannot be used; the message names what.
    """
    if array_place(place) is not None:
        return ArraySource(place)
    folder = Path(place)
    if not folder.is_dir():
        raise InputError(f"{folder}: there is no such folder or file of images")
    names = [path.name.lower() for path in folder.iterdir()]
    if any(name.endswith(FITS_SUFFIXES) for name in names):
        return FitsSource(folder, progress=progress)
    if any(name.endswith(PICTURE_SUFFIXES) for name in names):
        return PictureSource(folder, progress=progress)
    raise InputError(
        f"{folder}: is no store, and holds no {' '.join((*FITS_SUFFIXES, *PICTURE_SUFFIXES))} files; "
        "give the folder that does"
    )
