"""Aligned survey images as a source: galaxies are detected in one band, told from stars, and cut out of all bands."""

from galsmith.data.readers.field.options import FieldOptions
from galsmith.data.readers.field.source import FieldSource

__all__ = ["FieldOptions", "FieldSource"]
