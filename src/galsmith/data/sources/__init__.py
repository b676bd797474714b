"""Sources of galaxy images, one file a format, and the one path by which each of them becomes a store."""

from galsmith.data.sources.fits_cutouts import FitsSource
from galsmith.data.sources.pictures import PictureSource
from galsmith.data.sources.source import Source, UnusableImage
from galsmith.data.sources.to_store import write_source

__all__ = ["FitsSource", "PictureSource", "Source", "UnusableImage", "write_source"]
