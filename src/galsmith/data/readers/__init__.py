"""Sources of galaxy images, one file a format, and the one path by which each of them becomes a store."""

from galsmith.data.readers.arrays import ArraySource
from galsmith.data.readers.fits_cutouts import FitsSource
from galsmith.data.readers.open import is_image_place, open_source
from galsmith.data.readers.pictures import PictureSource
from galsmith.data.readers.source import Source, UnusableImage
from galsmith.data.readers.stored import StoreSource
from galsmith.data.readers.to_store import write_source

__all__ = [
    "ArraySource",
    "FitsSource",
    "PictureSource",
    "Source",
    "StoreSource",
    "UnusableImage",
    "is_image_place",
    "open_source",
    "write_source",
]
