"""What the scalars of a transform are outside of it: columns with a name, a unit and the range that was trained."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from galsmith.data.transforms.fluxes import FluxEncoding
from galsmith.data.transforms.pixel_transform import PixelTransform
from galsmith.data.transforms.scalars import (
    LARGEST_SIZE_PIX,
    SMALLEST_SIZE_PIX,
    ColumnEncoding,
    ValueRange,
    Whitening,
)
from galsmith.images import ImageHeader

MAGNITUDES_PER_LOG = -2.5 / math.log(10)


@dataclass(frozen=True)
class ScalarColumn:
    """One column that a drawn galaxy can be asked for.

    Attributes
    ----------
    encoding : ColumnEncoding or FluxEncoding
        Its name, unit, and its values <-> the scalar.
    position : int
        Of the scalar; columns that share one are two ways to say the same.
    trained : ValueRange or None
        Of the training set, in the column's unit; None in snapshots of earlier versions.
    is_condition : bool
        Whether it was a column of the training set's catalog, and comes back as one.
    whitening : Whitening or None
        Of all scalars of the transform.
    """

    encoding: ColumnEncoding | FluxEncoding
    position: int
    trained: ValueRange | None
    is_condition: bool = False
    whitening: Whitening | None = None

    @property
    def name(self) -> str:
        """Of the column."""
        return self.encoding.name

    def values(self, scalars: NDArray[np.float32]) -> NDArray[np.float64]:
        """Values of the column, [...], of scalars [..., scalar]; what overflows is infinite."""
        with np.errstate(all="ignore"):
            columns = scalars.astype(np.float64)
            if self.whitening is not None:
                columns = self.whitening.inverse(columns)
            return self.encoding.inverse(columns[..., self.position])


def scalar_columns(transform: PixelTransform, header: ImageHeader) -> dict[str, ScalarColumn]:
    """Give every column that a transform keeps apart from the pixels, by name.

    Conditions have the names of their catalog's columns. Where flux is factored out, ``flux_<band>`` is the summed
    flux of an image, and ``magnitude_<band>`` its AB magnitude where the zero point is known. Where sizes differ,
    ``native_size_pix``, which ``size_pix`` also stands for, is the side of an image. A condition goes before the others
    of its name.

    Parameters
    ----------
    transform : PixelTransform
        Fitted.
    header : ImageHeader
        Of the images.
    """
    flux = _flux_columns(transform, header)
    found = {column.name: column for column in flux} | _size_columns(transform)
    n_flux = len(header.bands) if transform.factor_flux else 0
    for position, encoding in enumerate(transform.conditions, start=n_flux):
        trained = _trained(transform, position)
        found[encoding.name] = ScalarColumn(encoding, position, trained, is_condition=True)
    return {name: replace(column, whitening=transform.whitening) for name, column in found.items()}


def with_values(
    columns: Sequence[ScalarColumn], scalars: NDArray[np.float32], values: Sequence[NDArray[np.float64]]
) -> NDArray[np.float32]:
    """Scalars of galaxies that have given values in some columns; see `Whitening.brought_in` for the others.

    Parameters
    ----------
    columns : sequence of ScalarColumn
        One or more, of one transform.
    scalars : ndarray [galaxy, scalar], float32
        Of the galaxies as they are.
    values : sequence of ndarray [galaxy], float64
        Of each column, in its unit.
    """
    given = {
        column.position: column.encoding.forward(wanted)
        for column, wanted in zip(columns, values, strict=True)
    }
    whitening = columns[0].whitening
    if whitening is not None:
        return whitening.forward(whitening.brought_in(scalars, given)).astype(np.float32)
    result = scalars.copy()
    for position, standardized in given.items():
        result[:, position] = standardized
    return result


def _flux_columns(transform: PixelTransform, header: ImageHeader) -> list[ScalarColumn]:
    """Flux and magnitude of each band."""
    if not transform.factor_flux:
        return []
    columns = []
    for position, band in enumerate(header.bands):
        trained = _trained(transform, position)
        columns.append(ScalarColumn(_flux_encoding(transform, header, position), position, trained))
        if band in header.zero_points_mag:
            zero_point = header.zero_points_mag[band]
            magnitude = _magnitude_encoding(transform, band, position, zero_point)
            columns.append(ScalarColumn(magnitude, position, _as_magnitudes(trained, zero_point)))
    return columns


def _flux_encoding(
    transform: PixelTransform, header: ImageHeader, position: int
) -> ColumnEncoding | FluxEncoding:
    """Choose how the summed flux of one band is encoded."""
    name, unit = f"flux_{header.bands[position]}", header.flux_unit
    mean, scale = transform.flux.mean[position], transform.flux.scale[position]
    softening = float(transform.softening_of_flux[position])
    if softening > 0:
        return FluxEncoding(name, unit, mean, scale, softening)
    return ColumnEncoding(name, unit, is_log=True, is_whole=False, mean=mean, scale=scale)


def _magnitude_encoding(
    transform: PixelTransform, band: str, position: int, zero_point_mag: float
) -> ColumnEncoding | FluxEncoding:
    """Choose how the AB magnitude of one band is encoded."""
    name, mean, scale = f"magnitude_{band}", transform.flux.mean[position], transform.flux.scale[position]
    softening = float(transform.softening_of_flux[position])
    if softening > 0:
        return FluxEncoding(name, "mag", mean, scale, softening, zero_point_mag)
    return ColumnEncoding(
        name,
        "mag",
        is_log=False,
        is_whole=False,
        mean=zero_point_mag + MAGNITUDES_PER_LOG * mean,
        scale=MAGNITUDES_PER_LOG * scale,
    )


def _size_columns(transform: PixelTransform) -> dict[str, ScalarColumn]:
    """Native size, by its name and by the short one."""
    if transform.native_size is None:
        return {}
    standardization = transform.native_size.standardization
    width = math.log(LARGEST_SIZE_PIX) - math.log(SMALLEST_SIZE_PIX)
    encoding = ColumnEncoding(
        name="native_size_pix",
        unit="",
        is_log=True,
        is_whole=True,
        mean=standardization.mean[0] * width + math.log(SMALLEST_SIZE_PIX),
        scale=standardization.scale[0] * width,
    )
    position = len(transform.scalar_names) - 1
    return dict.fromkeys(
        ("native_size_pix", "size_pix"), ScalarColumn(encoding, position, _trained(transform, position))
    )


def _trained(transform: PixelTransform, position: int) -> ValueRange | None:
    """Range of one scalar's column, where the transform has it."""
    return transform.ranges[position] if transform.ranges else None


def _as_magnitudes(fluxes: ValueRange | None, zero_point_mag: float) -> ValueRange | None:
    """Range of magnitudes of a range of fluxes: the brightest has the least, and none is infinite."""
    if fluxes is None:
        return None
    faint_last = (fluxes.maximum, fluxes.high, fluxes.low, fluxes.minimum)
    return ValueRange(
        *(zero_point_mag - 2.5 * math.log10(flux) if flux > 0 else math.inf for flux in faint_last)
    )
