"""Sources of galaxy images, one file a format, and the one path by which each of them becomes a store."""

from galsmith.data.sources.fits_cutouts import FitsSource
from galsmith.data.sources.image_arrays import ArraySource
from galsmith.data.sources.open import is_image_place, open_source
from galsmith.data.sources.pictures import PictureSource
from galsmith.data.sources.source import Source, UnusableImage
from galsmith.data.sources.stored import StoreSource
from galsmith.data.sources.to_store import write_source

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
