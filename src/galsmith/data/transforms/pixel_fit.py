"""Fitting a `PixelTransform` on a training split: one pass over all images, then on a sample of bounded size."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from galsmith.data.transforms.conditions import condition_values, fit_conditions
from galsmith.data.transforms.fluxes import FLUX_FLOOR, border_sigma, fit_flux_softening, fluxes_of_log
from galsmith.data.transforms.pixel_transform import (
    BRIGHTEST_DISPLAYED,
    NETWORK_SIGMA,
    PixelTransform,
    TransformSettings,
)
from galsmith.data.transforms.scalars import (
    SizeEncoding,
    Standardization,
    ValueRange,
    fit_standardization,
    fit_whitening,
)
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageSet

logger = logging.getLogger("galsmith")

DISPLAYED_UNIT = "display"
IMAGES_FOR_SOFTENING, PIXELS_FOR_SOFTENING = 2048, 2**24
BYTES_OF_SAMPLE = 800_000_000  # 3,050 images of 256 px in one band, 48,800 of 64 px
IMAGES_PER_CHUNK, BYTES_PER_CHUNK = 256, 2**26

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class FittingSample:
    """Some images of a training split, and what is known of all.

    Attributes
    ----------
    rows : ndarray [image], int64
        Which of the training images are kept, evenly spread over the split.
    images : list of ndarray [band, y, x], float32
        These, in their native sizes, in the flux unit of the set.
    fluxes : ndarray [galaxy, band], float64
        Summed flux of all training images.
    sigmas : ndarray [galaxy, band], float64
        Noise of these sums, from the noise of pixels along the border.
    """

    rows: NDArray[np.int64]
    images: list[Pixels]
    fluxes: NDArray[np.float64]
    sigmas: NDArray[np.float64]

    def evenly(self, at_most: int) -> list[Pixels]:
        """Give at most so many of the kept images, evenly spread from the first to the last."""
        count = min(len(self.images), max(1, at_most))
        chosen = np.linspace(0, len(self.images) - 1, count).astype(np.int64)
        return [self.images[position] for position in chosen]


def gather_fitting_sample(
    training_set: ImageSet, *, progress: ProgressCallback = ignore_progress
) -> FittingSample:
    """Go once over a training split.

    Parameters
    ----------
    training_set : ImageSet
        The training split only. All images are kept where their pixels take less than 0.8 GB, else every k-th.
    progress : callable
        Told how far the pass is.

    Raises
    ------
    InputError
        If pixels are not finite.
    """
    n_images, n_bands = len(training_set), len(training_set.header.bands)
    n_bytes = 4 * n_bands * np.prod(training_set.shapes, axis=1)
    every = max(1, int(np.ceil(n_bytes.sum() / BYTES_OF_SAMPLE)))
    per_chunk = int(np.clip(BYTES_PER_CHUNK // max(1, int(n_bytes.max(initial=1))), 1, IMAGES_PER_CHUNK))
    kept: list[Pixels] = []
    fluxes, sigmas = np.empty((n_images, n_bands)), np.empty((n_images, n_bands))
    for rows, images in training_set.chunks(per_chunk):
        for row, image in zip(rows, images, strict=True):
            fluxes[row] = image.sum(axis=(-2, -1), dtype=np.float64)
            if not np.isfinite(fluxes[row]).all():
                raise InputError(
                    f"image {row} has NaN or infinite pixels; ingest with `on_bad=skip`, or leave such images out with "
                    "`where`"
                )
            sigmas[row] = border_sigma(image[np.newaxis]) * np.sqrt(image[0].size)
            if row % every == 0:
                kept.append(image.copy() if every > 1 else image)  # a view would hold its whole chunk
        progress(ProgressEvent("preparing", int(rows[-1]) + 1, n_images, "images", {"for": "all fits"}))
    return FittingSample(np.arange(0, n_images, every), kept, fluxes, sigmas)


def fit_pixel_transform(training_set: ImageSet, settings: TransformSettings) -> PixelTransform:
    """Fit a transform on a training split, in one pass over it; see `fit_with_sample`."""
    transform, _ = fit_with_sample(training_set, settings)
    return transform


def fit_with_sample(
    training_set: ImageSet, settings: TransformSettings, *, progress: ProgressCallback = ignore_progress
) -> tuple[PixelTransform, FittingSample | None]:
    """Fit a transform on a training split in one pass over it, and give what that pass left for other fits.

    Parameters
    ----------
    training_set : ImageSet
        The training split only, square images.
    settings : TransformSettings
        What kind of transform.
    progress : callable
        Told how far the pass is.

    Returns
    -------
    transform : PixelTransform
        Fluxes are those of all images; softening, mean and scale of the pixels those of the sample.
    sample : FittingSample or None
        None for the kind ``"display"``, of which nothing is fitted and no image read.

    Raises
    ------
    InputError
        If images are not square, sizes differ without ``size_pix``, pixels are not finite, all pixels are equal, or a
        condition is not a column of differing finite numbers.
    """
    size_pix, sizes_differ = _network_size(training_set, settings)
    if settings.kind == "display":
        return _display_transform(training_set, size_pix, settings, sizes_differ=sizes_differ), None
    names = settings.conditions or ()
    values = condition_values(training_set.catalog, names)
    conditions = fit_conditions(training_set.catalog, names, values)
    sample = gather_fitting_sample(training_set, progress=progress)
    start = _fit_of_pixels(sample, settings, training_set.header.bands, size_pix=size_pix)
    log_flux = start.log_flux(sample.fluxes) if settings.factor_flux else np.empty((len(values), 0))
    fluxes = fluxes_of_log(log_flux, start.softening_of_flux) if settings.factor_flux else log_flux
    sizes = training_set.shapes[:, 1:].astype(np.float64) if sizes_differ else np.empty((len(values), 0))
    fitted = replace(
        start,
        flux=fit_standardization(log_flux) if settings.factor_flux else Standardization((), ()),
        native_size=SizeEncoding.fit(training_set.shapes[:, 1]) if sizes_differ else None,
        conditions=conditions,
        ranges=tuple(map(ValueRange.fit, np.concatenate([fluxes, values, sizes], axis=1).T)),
    )
    columns = fitted.columns(log_flux, values, training_set.shapes[:, 1])
    return replace(fitted, whitening=fit_whitening(columns, fitted.scalar_names)), sample


def _fit_of_pixels(
    sample: FittingSample, settings: TransformSettings, bands: Sequence[str], *, size_pix: int
) -> PixelTransform:
    """Fit softenings, mean and scale, and nothing that stands beside the pixels."""
    n_bands = len(bands)
    start = PixelTransform(
        kind=settings.kind,
        factor_flux=settings.factor_flux,
        size_pix=size_pix,
        softening=(settings.softening or 1.0,) * n_bands,
        mean=(0.0,) * n_bands,
        scale=(1.0,) * n_bands,
        flux=Standardization((), ()),
        native_size=None,
        flux_softening=_flux_softening(sample, bands) if settings.factor_flux else (),
    )
    if settings.softening is None and settings.kind == "asinh":
        start = replace(start, softening=_fitted_softening(sample, start))
    mean, scale = _moments(sample, start, bands)
    return replace(start, mean=mean, scale=scale)


def _display_transform(
    training_set: ImageSet, size_pix: int, settings: TransformSettings, *, sizes_differ: bool
) -> PixelTransform:
    """Make the transform of pictures, of which nothing is fitted."""
    unit, n_bands = training_set.header.flux_unit, len(training_set.header.bands)
    if unit != DISPLAYED_UNIT:
        raise InputError(
            f"transform.kind is 'display' and the images are in {unit}; wanted pictures in unit 'display', 0 to 255: set "
            "transform.kind=asinh"
        )
    if sizes_differ:
        raise InputError(
            f"transform.kind is 'display' and not all images are of {size_pix} px; ingest with `resize_pix={size_pix}` or "
            "`crop_pix`, or set transform.kind=asinh"
        )
    return PixelTransform(
        kind=settings.kind,
        factor_flux=False,
        size_pix=size_pix,
        softening=(1.0,) * n_bands,
        mean=(0.0,) * n_bands,
        scale=(BRIGHTEST_DISPLAYED * NETWORK_SIGMA,) * n_bands,
        flux=Standardization((), ()),
        native_size=None,
        whole_numbers=bool(settings.whole_numbers),
    )


def _network_size(training_set: ImageSet, settings: TransformSettings) -> tuple[int, bool]:
    """Side of the network's images, and whether native sizes differ."""
    if len(training_set) == 0:
        raise InputError(
            "the training split is empty; ingest with `split`, or check the catalog's column 'split'"
        )
    shapes = training_set.shapes
    if np.any(shapes[:, 0] != shapes[:, 1]):
        odd = shapes[shapes[:, 0] != shapes[:, 1]][0]
        raise InputError(
            f"images of {odd[0]}x{odd[1]} px: networks want square ones; ingest with `crop_pix` or `resize_pix`"
        )
    sizes = np.unique(shapes[:, 0])
    if settings.size_pix is None and len(sizes) > 1:
        raise InputError(
            f"images of {len(sizes)} sizes, {sizes[0]} to {sizes[-1]} px; set transform.size_pix to train on resized "
            "ones with the native size as a scalar, or ingest with `crop_pix` or `resize_pix`"
        )
    size_pix = settings.size_pix if settings.size_pix is not None else int(sizes[0])
    return size_pix, bool(len(sizes) > 1 or sizes[0] != size_pix)


def _flux_softening(sample: FittingSample, bands: Sequence[str]) -> tuple[float, ...]:
    """Softening of the fluxes, and a word on the bands that need one; empty where none does."""
    softening, faint = fit_flux_softening(sample.fluxes, sample.sigmas)
    named = [f"{count:,} in band {band!r}" for band, count in zip(bands, faint, strict=True) if count]
    if not named:
        return ()
    logger.warning(
        "the summed flux of some of %s training galaxies is below its noise (%s): there flux is learned as an asinh "
        "magnitude, in all other bands as its logarithm",
        f"{len(sample.fluxes):,}",
        ", ".join(named),
    )
    return softening


def _fitted_softening(sample: FittingSample, transform: PixelTransform) -> tuple[float, ...]:
    """Softening per band: three sigma of the sky, taken from the corners' scatter, or the faintest tenth of the light.

    The scatter is that of second differences of neighboring border pixels, which smooth galaxy light leaves out.
    """
    # a quantile of so many pixels is known to a thousandth, and their float64 copies take some hundred MB
    at_most = min(IMAGES_FOR_SOFTENING, PIXELS_FOR_SOFTENING // (len(transform.mean) * transform.size_pix**2))
    surface, _ = transform.surface_brightness(sample.evenly(at_most))
    sky_sigma = border_sigma(surface)
    np.abs(surface, out=surface)
    typical = surface.mean(axis=(0, 2, 3)).clip(min=FLUX_FLOOR)
    faint = np.quantile(surface, 0.1, axis=(0, 2, 3))
    softening = np.maximum(3 * sky_sigma, np.maximum(faint, 1e-3 * typical))
    return tuple(float(value) for value in softening)


def _moments(
    sample: FittingSample, transform: PixelTransform, bands: Sequence[str]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per band of the stretched pixels."""
    count, total, squares = 0, np.zeros(len(bands)), np.zeros(len(bands))
    for rows in transform.slices(len(sample.images)):
        surface, _ = transform.surface_brightness(sample.images[rows], first=rows.start)
        stretched = transform.stretched(surface)
        count += stretched.shape[0] * stretched.shape[2] * stretched.shape[3]
        total += stretched.sum(axis=(0, 2, 3))
        squares += (stretched**2).sum(axis=(0, 2, 3))
    mean = total / count
    variance = np.clip(squares / count - mean**2, 0.0, None)
    constant = variance <= 1e-13 * mean**2  # rounding leaves this much of equal pixels
    if np.any(constant):
        band = int(np.argmax(constant))
        raise InputError(f"all training pixels of band {bands[band]!r} are equal; nothing can be learned")
    return tuple(map(float, mean)), tuple(map(float, np.sqrt(variance)))
