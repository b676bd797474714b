"""`PixelTransform`: physical flux per pixel <-> network space, with an exact inverse, saved as plain JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

import numpy as np
from astropy.table import QTable
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, field_validator, model_validator

from galsmith.data.transforms.conditions import condition_values
from galsmith.data.transforms.fluxes import (
    FLUX_FLOOR,
    fluxes_of_log,
    log_of_fluxes,
)
from galsmith.data.transforms.scalars import (
    ColumnEncoding,
    SizeEncoding,
    Standardization,
    ValueRange,
    Whitening,
)
from galsmith.errors import InputError
from galsmith.images import resize_linear
from galsmith.settings import Settings

Pixels = NDArray[np.float32]
Values = NDArray[np.float64]
NETWORK_SIGMA = 0.5
BRIGHTEST_DISPLAYED = 255.0  # of the pixels of pictures; networks see them divided by it
PIXELS_AT_ONCE = (
    2**16
)  # float64 copies of so many stay in the cache: at 256 px a fifth of the time of 256 images


class TransformSettings(Settings):
    """How pixels become network input.

    Attributes
    ----------
    kind : {"asinh", "linear", "display"}
        ``asinh`` compresses the range with an exact inverse; ``linear`` only standardizes, as the paper does;
        ``display`` is for pictures and fields in unit ``"display"``: networks see them divided by 255, nothing is kept
        apart from the pixels, and drawn images are clipped to 0 to 255.
    softening : float or None
        Where asinh turns from linear to logarithmic, in units of the mean surface brightness of an image when
        flux is factored out, else in `flux_unit`; None chooses it from the training set.
    factor_flux : bool
        Model log flux per band as a scalar of its own and renormalize every drawn image to it; an asinh magnitude in
        bands where fluxes are below their noise. False for ``display``.
    size_pix : int or None
        Side of the network's images; None takes the set's own size, which must then be one.
    conditions : tuple of str or None
        Columns of the catalog, numbers all, that drawn galaxies can be asked for by `where`;
        text is split at commas.
    whole_numbers : bool or None
        Round drawn pixels to whole numbers, as 8-bit pictures have them; for ``display`` alone, and True there unless it
        is said.
    """

    kind: Literal["asinh", "linear", "display"] = "asinh"
    softening: float | None = Field(default=None, gt=0)
    factor_flux: bool = True
    size_pix: int | None = Field(default=None, ge=4)
    conditions: tuple[str, ...] | None = None
    whole_numbers: bool | None = None

    @model_validator(mode="before")
    @classmethod
    def _pictures_as_they_are(cls, values: Any) -> Any:
        """Take what is not said of pictures as pictures have it."""
        if isinstance(values, Mapping) and values.get("kind") == "display":
            return {"factor_flux": False, "whole_numbers": True, **values}
        return values

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        """Refuse settings of another kind."""
        if self.kind != "display":
            if self.whole_numbers:
                raise ValueError("whole_numbers is for the kind display; leave it out")
            return self
        given = [name for name in ("factor_flux", "softening", "conditions") if getattr(self, name)]
        if given:
            raise ValueError(f"kind display keeps nothing apart from the pixels; leave {given[0]} out")
        return self

    @field_validator("conditions", mode="before")
    @classmethod
    def _list_of_names(cls, value: Any) -> Any:
        """Split text at commas, and take an empty list as None, as runs of earlier versions have it."""
        if isinstance(value, str):
            value = [name.strip() for name in value.strip("[] ").split(",") if name.strip()]
        return value if value else None

    @field_validator("conditions")
    @classmethod
    def _each_name_once(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Refuse a column that is named twice."""
        if value is not None and len(set(value)) < len(value):
            raise ValueError("a column is named twice")
        return value


@dataclass(frozen=True)
class NetworkArrays:
    """Galaxies in network space: `pixels` [galaxy, band, y, x] and `scalars` [galaxy, scalar], float32."""

    pixels: Pixels
    scalars: NDArray[np.float32]


@dataclass(frozen=True)
class PixelTransform:
    """A fitted transform; `forward` and `inverse` undo each other.

    Attributes
    ----------
    kind : str
        ``"asinh"``, ``"linear"`` or ``"display"``.
    factor_flux : bool
        Whether the scalars start with one log flux a band.
    size_pix : int
        Side of the network's images.
    softening : tuple of float
        One a band; see `TransformSettings`.
    mean, scale : tuple of float
        Per band, of the stretched training pixels; network pixels have a standard deviation of 0.5.
    flux : Standardization
        Of log flux per band (empty without `factor_flux`).
    native_size : SizeEncoding or None
        Present when sizes in the set differ: the last scalar is then the log of the native size.
    conditions : tuple of ColumnEncoding
        Columns of the catalog whose scalars come after the fluxes.
    ranges : tuple of ValueRange
        Training values of every scalar (flux, column, native size in pixels); empty in transforms of earlier versions.
    flux_softening : tuple of float
        Of `log_of_fluxes`, one a band; empty where all bands have the logarithm of flux.
    whole_numbers : bool
        Whether drawn pixels are rounded to whole numbers.
    whitening : Whitening or None
        Brings the columns of flux, conditions and size to scalars, each less what those before it say of it; None where
        the columns are the scalars.
    """

    kind: str
    factor_flux: bool
    size_pix: int
    softening: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    flux: Standardization
    native_size: SizeEncoding | None
    conditions: tuple[ColumnEncoding, ...] = ()
    ranges: tuple[ValueRange, ...] = ()
    flux_softening: tuple[float, ...] = ()
    whole_numbers: bool = False
    whitening: Whitening | None = None

    @property
    def pixel_range(self) -> tuple[float, float] | None:
        """Least and largest pixel that networks can see; None where it is not known beforehand."""
        return (0.0, 1.0) if self.kind == "display" else None

    @property
    def pixel_unit(self) -> float:
        """What a paper's pixel of 1 is in network space; see `DataDescription.pixel_unit`."""
        return 1.0 if self.kind == "display" else NETWORK_SIGMA

    @property
    def softening_of_flux(self) -> NDArray[np.float64]:
        """Softening of each band's flux, [band]; 0 for the logarithm."""
        return np.array(self.flux_softening or (0.0,) * len(self.mean))

    @property
    def scalar_names(self) -> tuple[str, ...]:
        """What each scalar is; with a `whitening`, what is left of it given those before it."""
        flux = tuple(f"log_flux_{band}" for band in range(len(self.mean))) if self.factor_flux else ()
        conditions = tuple(f"condition_{column.name}" for column in self.conditions)
        return flux + conditions + (("log_native_size",) if self.native_size else ())

    def condition_values(self, catalog: QTable) -> NDArray[np.float64]:
        """Read the conditions of galaxies from their catalog, [galaxy, condition] float64, each in its unit.

        Raises
        ------
        InputError
            If a column is missing or has no finite number for a galaxy.
        """
        return condition_values(catalog, [column.name for column in self.conditions])

    def forward(
        self, images: Sequence[Pixels], conditions: NDArray[np.float64] | None = None
    ) -> NetworkArrays:
        """Bring images to network space.

        Parameters
        ----------
        images : sequence of ndarray [band, y, x], float32
            In the flux unit of the training set, square, any size.
        conditions : ndarray [galaxy, condition], float64, optional
            What `condition_values` read; needed where there are conditions.

        Raises
        ------
        InputError
            If a band's summed flux is not positive while its logarithm is factored out.
        ValueError
            If `conditions` is not [galaxy, condition].
        """
        values = np.empty((len(images), 0)) if conditions is None else conditions
        if values.shape != (len(images), len(self.conditions)):
            raise ValueError(
                f"conditions has shape {values.shape}; wanted {(len(images), len(self.conditions))}: one value for each "
                "image and condition"
            )
        pixels = np.empty((len(images), len(self.mean), self.size_pix, self.size_pix), dtype=np.float32)
        fluxes = np.empty((len(images), len(self.mean)))
        for rows in self.slices(len(images)):
            surface, fluxes[rows] = self.surface_brightness(images[rows], first=rows.start)
            if self.kind == "display":
                _refuse_beyond_display(surface, first=rows.start)
            pixels[rows] = (
                (self.stretched(surface) - _per_band(self.mean)) / _per_band(self.scale) * NETWORK_SIGMA
            )
        return NetworkArrays(pixels, self.scalars(fluxes, values, [image.shape[-1] for image in images]))

    def scalars(
        self, fluxes: Values, conditions: NDArray[np.float64], sizes_pix: ArrayLike
    ) -> NDArray[np.float32]:
        """Scalars of galaxies, which need no pixels.

        Parameters
        ----------
        fluxes : ndarray [galaxy, band], float64
            Summed over the native images.
        conditions : ndarray [galaxy, condition], float64
            What `condition_values` read.
        sizes_pix : array_like [galaxy]
            Native sides.

        Raises
        ------
        InputError
            If a band's summed flux is not positive while its logarithm is factored out.
        """
        log_flux = self.log_flux(fluxes) if self.factor_flux else fluxes
        scalars = self.columns(log_flux, conditions, sizes_pix)
        if self.whitening is not None:
            scalars = self.whitening.forward(scalars)
        return scalars.astype(np.float32)

    def inverse(self, arrays: NetworkArrays) -> list[Pixels]:
        """Bring network space back to physical images, each [band, y, x] float32 of its native size."""
        network = arrays.pixels.astype(np.float64)
        surface = self._unstretch(network / NETWORK_SIGMA * _per_band(self.scale) + _per_band(self.mean))
        if self.kind == "display":
            surface = surface.clip(0.0, BRIGHTEST_DISPLAYED)
        if self.whole_numbers:
            surface = surface.round()
        columns = arrays.scalars.astype(np.float64)
        if self.whitening is not None:
            columns = self.whitening.inverse(columns)
        sizes = self._native_sizes(columns)
        images = [self._restored(image, size) for image, size in zip(surface, sizes, strict=True)]
        if not self.factor_flux:
            return [image.astype(np.float32) for image in images]
        log_flux = self.flux.inverse(columns[:, : len(self.mean)])
        fluxes, softening = fluxes_of_log(log_flux, self.softening_of_flux), self.softening_of_flux
        return [_with_flux(image, flux, softening) for image, flux in zip(images, fluxes, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; what earlier versions did not have is left out where it is not needed."""
        values = asdict(self)
        for name in ("flux_softening", "whole_numbers"):
            if not values[name]:
                del values[name]
        if self.whitening is None:
            del values["whitening"]
        return values

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "PixelTransform":
        """Read what `to_dict` wrote."""
        size, whitening = value["native_size"], value.get("whitening")
        return cls(
            kind=value["kind"],
            factor_flux=value["factor_flux"],
            size_pix=value["size_pix"],
            softening=tuple(value["softening"]),
            mean=tuple(value["mean"]),
            scale=tuple(value["scale"]),
            flux=Standardization.from_dict(value["flux"]),
            native_size=None if size is None else SizeEncoding.from_dict(size),
            conditions=tuple(map(ColumnEncoding.from_dict, value.get("conditions", ()))),
            ranges=tuple(map(ValueRange.from_dict, value.get("ranges", ()))),
            flux_softening=tuple(value.get("flux_softening", ())),
            whole_numbers=value.get("whole_numbers", False),
            whitening=None if whitening is None else Whitening.from_dict(whitening),
        )

    def columns(self, log_flux: Values, conditions: Values, sizes_pix: ArrayLike) -> Values:
        """Standardized flux, conditions and native size, [galaxy, column]."""
        columns = [self.flux.forward(log_flux)] if self.factor_flux else []
        for number, column in enumerate(self.conditions):
            columns.append(column.forward(conditions[:, [number]]))
        if self.native_size:
            columns.append(self.native_size.forward(sizes_pix))
        return np.concatenate(columns, axis=1) if columns else np.empty((len(conditions), 0))

    def slices(self, n_images: int) -> Iterator[slice]:
        """Rows of images that are brought to network space together."""
        per_slice = max(1, PIXELS_AT_ONCE // self.size_pix**2)
        return (slice(start, start + per_slice) for start in range(0, n_images, per_slice))

    def log_flux(self, fluxes: Values, *, first: int = 0) -> Values:
        """Log flux or asinh magnitude, [galaxy, band]; `first` is the number of the first galaxy."""
        softening = self.softening_of_flux
        is_lost = (fluxes <= FLUX_FLOOR) & (softening == 0)
        if is_lost.any():
            position, band = np.argwhere(is_lost)[0]
            raise InputError(
                f"image {first + position} has a summed flux of {fluxes[position, band]:.3g} in band {band}, whose "
                "logarithm the transform takes, as all fluxes that it was fitted on are above their noise: leave such "
                "images out with `where`, set transform.factor_flux=false, or train without `init_from`"
            )
        return log_of_fluxes(fluxes, softening)

    def surface_brightness(self, images: Sequence[Pixels], *, first: int = 0) -> tuple[Values, Values]:
        """Pixels to stretch, [galaxy, band, y, x], and fluxes [galaxy, band] of the native images."""
        stack = np.stack([self._resized(image) for image in images]).astype(np.float64)
        finite = np.isfinite(stack).all(axis=(1, 2, 3))
        if not finite.all():
            raise InputError(
                f"image {first + int(np.argmin(finite))} has NaN or infinite pixels; ingest with `on_bad=skip`, or leave "
                "such images out with `where`"
            )
        if not self.factor_flux:
            return stack, np.zeros((len(images), len(self.mean)))
        fluxes = np.array([image.sum(axis=(-2, -1), dtype=np.float64) for image in images])
        softening = self.softening_of_flux
        self.log_flux(fluxes, first=first)  # refuses those without one
        n_native = np.array([[image[0].size] for image in images])
        n_pixels = stack.shape[-2] * stack.shape[-1]
        totals = stack.sum(axis=(-2, -1), keepdims=True)
        spread = (softening * n_pixels / n_native)[..., np.newaxis, np.newaxis]
        return stack / _amplitude(totals, spread) * n_pixels, fluxes

    def _resized(self, image: Pixels) -> Pixels:
        """Bring one image to the network's size."""
        if image.shape[-2:] == (self.size_pix, self.size_pix):
            return image
        return resize_linear(image, self.size_pix)

    def _restored(self, surface: NDArray[np.float64], size: int) -> NDArray[np.float64]:
        """Bring one image back to its native size."""
        if size == self.size_pix:
            return surface
        return resize_linear(surface.astype(np.float32), size).astype(np.float64)

    def _native_sizes(self, columns: Values) -> list[int]:
        """Native size of each image, in pixels."""
        if self.native_size is None:
            return [self.size_pix] * len(columns)
        return self.native_size.inverse(columns[:, -1])

    def stretched(self, surface: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compress the range of [galaxy, band, y, x] surface brightness."""
        if self.kind != "asinh":
            return surface
        return np.arcsinh(surface / _per_band(self.softening))

    def _unstretch(self, stretched: NDArray[np.float64]) -> NDArray[np.float64]:
        """Undo `_stretch`."""
        if self.kind != "asinh":
            return stretched
        return np.sinh(stretched) * _per_band(self.softening)


def _refuse_beyond_display(surface: NDArray[np.float64], *, first: int) -> None:
    """Refuse pixels that no picture has."""
    is_beyond = ((surface < 0) | (surface > BRIGHTEST_DISPLAYED)).any(axis=(1, 2, 3))
    if is_beyond.any():
        position = int(np.argmax(is_beyond))
        image = surface[position]
        raise InputError(
            f"image {first + position} has pixels from {image.min():.4g} to {image.max():.4g}; transform.kind 'display' "
            "wants 0 to 255: leave such images out with `where`, or set transform.kind=asinh"
        )


def _per_band(values: Sequence[float]) -> NDArray[np.float64]:
    """Shape one value a band as [1, band, 1, 1]."""
    return np.asarray(values, dtype=np.float64)[np.newaxis, :, np.newaxis, np.newaxis]


def _amplitude(fluxes: NDArray[np.float64], softening: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positive factor of an image's shape: the flux itself, and the noise where it is below."""
    return np.hypot(fluxes, 2 * softening)


def _with_flux(
    surface: NDArray[np.float64], flux: NDArray[np.float64], softening: NDArray[np.float64]
) -> Pixels:
    """Scale each band [y, x] of a drawn shape to its drawn flux; a band without light stays as it is.

    Where flux is soft, a sum near zero is no factor of an image: it is scaled as far as it is above the noise, and what
    is left of the difference, a small share of the noise of a pixel, is added to all pixels alike.
    """
    totals = surface.sum(axis=(-2, -1))
    usable = np.abs(totals) > 1e-6 * np.abs(surface).sum(axis=(-2, -1)).clip(min=FLUX_FLOOR)
    scale = np.where(usable, flux / np.where(usable, totals, 1.0), 1.0)
    n_pixels, is_soft = surface[0].size, softening > 0
    drawn = _amplitude(flux, softening) / n_pixels
    ratio = _amplitude(flux, softening) / np.where(is_soft, _amplitude(totals * drawn, softening), 1.0)
    scale = np.where(is_soft, drawn * ratio, scale)
    rest = np.where(is_soft, (flux - totals * scale) / n_pixels, 0.0)
    result: Pixels = (surface * scale[:, np.newaxis, np.newaxis] + rest[:, np.newaxis, np.newaxis]).astype(
        np.float32
    )
    return result
