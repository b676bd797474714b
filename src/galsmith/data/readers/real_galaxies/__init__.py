"""GalSim's real galaxies: directories that ``RealGalaxyCatalog`` and ``COSMOSCatalog`` read, read here by astropy."""
