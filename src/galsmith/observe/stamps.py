"""Small images in settings: given as arrays, or as FITS files that are read when they are needed."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from galsmith.data.readers.fits import FitsPlace, read_head, read_part, split_hdu
from galsmith.errors import InputError

Stamp = NDArray[np.float64]


def _nested(value: Any) -> Any:
    """Bring an array [y, x] or [band, y, x] to nested tuples, which settings can hold and compare."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple) and value and isinstance(value[0], list | tuple):
        planes = value if value[0] and isinstance(value[0][0], list | tuple) else [value]
        return tuple(tuple(tuple(float(one) for one in row) for row in plane) for plane in planes)
    return value


Stamps = Annotated[tuple[tuple[tuple[float, ...], ...], ...], BeforeValidator(_nested)]


def read_stamp(text: str, *, argument: str) -> tuple[Stamp, float | None]:
    """Read a FITS image, such as ``psf.fits`` or ``stars.fits[PSF]``, [plane, y, x] float64, and its pixel scale.

    Raises
    ------
    InputError
        If it cannot be read, or has pixels that are not finite.
    """
    file = Path(split_hdu(text)[0])
    changed = file.stat().st_mtime_ns if file.exists() else 0
    stamp, scale = _read(text, changed)
    bad = int(stamp.size - np.count_nonzero(np.isfinite(stamp)))
    if bad:
        raise InputError(
            f"{bad} of {stamp.size} pixels are NaN or infinite; wanted finite ones",
            argument=argument,
            came=text,
        )
    return stamp, scale


def hash_of_stamp(stamp: Stamp) -> str:
    """SHA-256 of values and shape, 64 hexadecimal digits."""
    return hashlib.sha256(repr(stamp.shape).encode() + np.ascontiguousarray(stamp).tobytes()).hexdigest()


@lru_cache(maxsize=64)
def _read(text: str, changed: int) -> tuple[Stamp, float | None]:
    """Read a FITS image; once, while the file stays as it is."""
    del changed  # a key of the cache alone
    name, hdu = split_hdu(text)
    head = read_head(FitsPlace(Path(name), hdu), is_map=True)
    values = read_part(head, planes=range(head.n_planes)).astype(np.float64)
    return values, read_head(FitsPlace(Path(name), hdu)).pixel_scale_arcsec
