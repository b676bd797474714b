"""Other people's files, measured where they lie: FITS images with maps, catalogs of positions, pictures."""

from galsmith.measure.files.fits_image import parse_hdu
from galsmith.measure.files.galaxy import FileGalaxies, FileGalaxy
from galsmith.measure.files.open import FileRequest, open_galaxies
from galsmith.measure.files.run import measure_files

__all__ = ["FileGalaxies", "FileGalaxy", "FileRequest", "measure_files", "open_galaxies", "parse_hdu"]
