"""Galaxies to measure: of stores, or of other people's files where they lie, images with maps, catalogs, pictures."""

from galsmith.data.galaxies.galaxy import Galaxies, Galaxy, GalaxyOrigin
from galsmith.data.galaxies.images import StoreGalaxies
from galsmith.data.galaxies.open import FileRequest, open_galaxies

__all__ = ["FileRequest", "Galaxies", "Galaxy", "GalaxyOrigin", "StoreGalaxies", "open_galaxies"]
