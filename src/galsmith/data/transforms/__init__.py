"""Invertible maps between physical pixels and network space, fitted on the training split only."""

from galsmith.data.transforms.pixel_fit import (
    FittingSample,
    fit_pixel_transform,
    fit_with_sample,
    gather_fitting_sample,
)
from galsmith.data.transforms.pixel_transform import (
    NetworkArrays,
    PixelTransform,
    TransformSettings,
)
from galsmith.data.transforms.scalar_columns import ScalarColumn, scalar_columns, with_values
from galsmith.data.transforms.scalars import ColumnEncoding, ValueRange

__all__ = [
    "ColumnEncoding",
    "FittingSample",
    "NetworkArrays",
    "PixelTransform",
    "ScalarColumn",
    "TransformSettings",
    "ValueRange",
    "fit_pixel_transform",
    "fit_with_sample",
    "gather_fitting_sample",
    "scalar_columns",
    "with_values",
]
