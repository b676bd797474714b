"""Opening FITS files that others wrote: what can go wrong when one is read, and where its images are."""

import contextlib
import warnings
import zlib
from collections.abc import Iterator

from astropy.io import fits

from galsmith.data.readers.tar_files import FilePlace

FITS_SUFFIXES = (".fits.gz", ".fit.gz", ".fits.fz", ".fits", ".fit", ".fts")
READ_ERRORS = (OSError, EOFError, ValueError, TypeError, IndexError, KeyError, zlib.error)


@contextlib.contextmanager
def opened_fits(path: FilePlace, *, memmap: bool = False) -> Iterator[fits.HDUList]:
    """Open a FITS file; warnings are not shown, as data that are too short fail when they are read.

    Parameters
    ----------
    path : FilePlace
        A path, plain or compressed, or a file in an archive.
    memmap : bool
        Map the file into memory, so that a section of a large image is read without the rest.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with path.open("rb") as stream, fits.open(stream, memmap=memmap, lazy_load_hdus=True) as units:
            yield units


def images_in(units: fits.HDUList) -> str:
    """Name the image HDUs of a file, as the way out of a wrong --hdu."""
    found = [
        f"{number} ({unit.name})" if unit.name else str(number)
        for number, unit in enumerate(units)
        if unit.is_image and len(unit.shape) in (2, 3)
    ]
    return f"images are in {', '.join(found)}: choose with --hdu" if found else "the file holds no image"
