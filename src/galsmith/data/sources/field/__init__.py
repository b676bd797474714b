"""Aligned survey images as a source: galaxies are detected in one band, told from stars, and cut out of all bands."""

from galsmith.data.sources.field.options import FieldOptions
from galsmith.data.sources.field.source import FieldSource

__all__ = ["FieldOptions", "FieldSource"]
