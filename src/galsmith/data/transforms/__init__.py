"""Invertible maps between physical pixels and network space, fitted on the training split only."""

from galsmith.data.transforms.pixel_transform import (
    NetworkArrays,
    PixelTransform,
    TransformSettings,
    fit_pixel_transform,
)

__all__ = ["NetworkArrays", "PixelTransform", "TransformSettings", "fit_pixel_transform"]
