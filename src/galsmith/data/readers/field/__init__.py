"""Aligned survey images as a source: galaxies are detected in one band, told from stars, and cut out of all bands."""
