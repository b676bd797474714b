"""The one type that both wings share: a set of galaxy images with bands, scale, unit, catalog, provenance."""

from galsmith.images.header import ImageHeader
from galsmith.images.image_set import ImageSet, PixelSequence, image_set_from_arrays
from galsmith.images.resample import (
    crop_center,
    middle_of,
    resampled_ivar,
    resampled_mask,
    resampled_psf,
    resize_conserving_flux,
    resize_in_unit,
    resize_keeping_level,
    resize_linear,
)
from galsmith.images.where import rows_chosen, rows_where

__all__ = [
    "ImageHeader",
    "ImageSet",
    "PixelSequence",
    "crop_center",
    "image_set_from_arrays",
    "middle_of",
    "resampled_ivar",
    "resampled_mask",
    "resampled_psf",
    "resize_conserving_flux",
    "resize_in_unit",
    "resize_keeping_level",
    "resize_linear",
    "rows_chosen",
    "rows_where",
]
