"""Other people's files, read where they lie: FITS images with maps, catalogs of positions, pictures, arrays."""

from galsmith.data.galaxies.fits_image import parse_hdu
from galsmith.data.galaxies.galaxy import FileGalaxies, FileGalaxy
from galsmith.data.galaxies.open import FileRequest, open_galaxies

__all__ = ["FileGalaxies", "FileGalaxy", "FileRequest", "open_galaxies", "parse_hdu"]
