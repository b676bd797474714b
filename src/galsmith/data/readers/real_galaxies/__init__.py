"""GalSim's real galaxies: directories that ``RealGalaxyCatalog`` and ``COSMOSCatalog`` read, read here by astropy."""

from galsmith.data.readers.real_galaxies.source import RealGalaxySource
from galsmith.data.readers.real_galaxies.tables import EXCLUSION_LEVELS, ExclusionLevel, find_catalog

__all__ = ["EXCLUSION_LEVELS", "ExclusionLevel", "RealGalaxySource", "find_catalog"]
