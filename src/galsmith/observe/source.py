"""A store as an instrument would see it, as a source: observed images, with inverse variances, masks and kernels."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.data.readers.fits_header import gain_columns
from galsmith.data.readers.source import Listing, Origin
from galsmith.data.store import Companions, companions_of
from galsmith.data.store.companions import CORRELATION_COLUMN
from galsmith.images import ImageHeader, ImageSet
from galsmith.images.units import is_per_area
from galsmith.observe.convolution import convolved_kernels
from galsmith.observe.observation import Observation
from galsmith.observe.observed import Observed
from galsmith.observe.pixel_grid import resampled_side
from galsmith.observe.psf import brought_to_step
from galsmith.seeds import random_stream

Pixels = NDArray[np.float32]
PURPOSE = "observe"
SCALE_COLUMN = "pixel_scale_arcsec"
KPC_COLUMN = "physical_pixel_kpc"
CORRELATION_NAME = "observed"
# columns in pixels that say how an image came, not what is in it
OF_THE_FILE = ("native_size_pix",)
logger = logging.getLogger(__name__)


class ObservedSource:
    """The images of a store, observed; image k depends on the seed and on k alone.

    Parameters
    ----------
    images : ImageSet
        The clean images, as their store was opened.
    observation : Observation
        What is done to them.
    seed : int
        The user's seed.

    Raises
    ------
    SettingsError
        If the observation does not fit the images.
    """

    def __init__(self, images: ImageSet, observation: Observation, *, seed: int) -> None:
        self._images, self._observation, self._seed = images, observation, seed
        self._headers = _headers_of(images)
        self._factors = np.array([observation.factor(header) for header in self._headers])
        if len(self._factors) == 1:
            self._factors = np.repeat(self._factors, len(images))
        if len(self._factors) and self._factors.min() < 1:
            logger.warning(
                "%s: clean pixels are up to %.3g times as large as observed ones; what is finer than them is flat",
                images.path,
                1 / self._factors.min(),
            )
        self.header = self._observed_header()
        self.catalog = self._observed_catalog()
        shapes = np.array(
            [
                observation.observed_shape(shape, self._header_of(row))
                for row, shape in enumerate(images.shapes.tolist())
            ],
            dtype=np.int64,
        ).reshape(-1, 2)
        # of each pixel and band its inverse variance, its mask, and at most as large a kernel
        bytes_beside = len(images.header.bands) * (4 + 1 + 4)
        names = [f"{images.path}: {name}" for name in images.catalog["object_id"]]
        self.listing = Listing(
            names, shapes, splits=np.asarray(images.catalog["split"], dtype=str), bytes_beside=bytes_beside
        )
        lost = dict((images.catalog.meta.get("given") or {}).get("unusable", {}))
        settings = {"observation": observation.to_dict()}
        self.origin = Origin(
            settings, (images.as_parent("clean images"),), stage="observing", lost_before=lost
        )
        self._observed: dict[int, Observed] = {}

    def read(self, rows: NDArray[np.int64]) -> Iterator[Pixels]:
        """Observe images, one when it is asked for, each [band, y, x] float32 in the header's unit per pixel."""
        beside = companions_of(self._images, rows)
        masks = () if beside is None else beside.masks
        if beside is not None and len(beside.ivars):
            logger.warning(
                "%s: its images have noise of their own, which inverse variances of the observed ones leave out",
                self._images.path,
            )
        self._observed.clear()
        for position, row in enumerate(rows):
            [clean] = self._images.pixels.read([int(row)])
            observed = self._observation.observe(
                clean,
                random_stream(self._seed, PURPOSE, int(row)),
                self._header_of(int(row)),
                mask=masks[position] if len(masks) else None,
            )
            self._observed[int(row)] = observed
            yield observed.image

    def companions(self, rows: NDArray[np.int64]) -> Companions:
        """Give what lies beside images that were read just now, in the order of `rows`."""
        observed = [self._observed[int(row)] for row in rows]
        beside = companions_of(self._images, rows)
        correlations = [one.noise_correlation for one in observed if one.noise_correlation is not None]
        own_scale = None if beside is None else beside.psf_pixel_scale_arcsec
        own = () if beside is None else beside.psfs
        psfs = [
            one.psf if not len(own) else self._total_psf(one, own[position], own_scale, int(row))
            for position, (one, row) in enumerate(zip(observed, rows, strict=True))
        ]
        sources = () if beside is None else beside.sources
        return Companions(
            psfs,
            self.header.pixel_scale_arcsec,
            {CORRELATION_NAME: correlations[0]} if correlations else {},
            sources=[self._moved(values, int(row)) for values, row in zip(sources, rows, strict=False)],
            ivars=[] if self._observation.noise is None else [one.ivar for one in observed],
            masks=_masks(observed),
            # a kernel is applied to light that lies in pixels already; a star that was observed before has these in it
            psf_kind="optical" if beside is None or not len(own) else beside.psf_kind,
        )

    def _header_of(self, row: int) -> ImageHeader:
        """Give the header of one clean image, which has its own size of a pixel where these differ."""
        return self._headers[row if len(self._headers) > 1 else 0]

    def _observed_header(self) -> ImageHeader:
        """Give what is true of all observed images."""
        first = self._observation.observed_header(self._headers[0])
        if len(self._headers) == 1:
            return first
        factor = float(self._factors[0]) if np.ptp(self._factors) == 0 else None
        own = self._images.header
        return replace(
            own.enlarged(factor), pixel_scale_arcsec=self._observation.pixel_scale_arcsec, psf=dict(own.psf)
        )

    def _observed_catalog(self) -> QTable:
        """Carry the catalog on; what it states in pixels, or of their size, follows."""
        table = self._images.catalog.copy()
        table.meta.clear()
        sides = np.asarray(self._images.shapes, dtype=np.float64)
        for name in table.colnames:
            if name in (SCALE_COLUMN, KPC_COLUMN):
                table[name] = table[name] * self._factors
            elif name.endswith("_pix") and name not in OF_THE_FILE:
                axis = {"x": 1, "y": 0}.get(_axis_of(name), -1)
                middle = (sides[:, axis] - 1) / 2 if axis >= 0 else 0.0
                table[name] = self._in_observed_pixels(
                    table[name], middle, sides[:, axis], is_place=axis >= 0
                )
        if self.header.pixel_scale_arcsec is not None and SCALE_COLUMN in table.colnames:
            table.remove_column(SCALE_COLUMN)
        noise = self._observation.noise
        # what columns say of the noise of the clean images is no longer true
        stale = gain_columns(table.colnames, self._images.header.bands)
        stale += [CORRELATION_COLUMN] * (CORRELATION_COLUMN in table.colnames)
        table.remove_columns(stale)
        if noise is not None and noise.correlation is not None:
            table[CORRELATION_COLUMN] = np.full(len(table), CORRELATION_NAME)
        return table

    def _in_observed_pixels(self, values: Any, middle: Any, sides: Any, *, is_place: bool) -> Any:
        """Bring lengths, or places along an axis, to observed pixels; middles stay middles."""
        if not is_place:
            return values / self._factors
        observed = np.array(
            [resampled_side(int(side), factor) for side, factor in zip(sides, self._factors, strict=True)]
        )
        unit = getattr(values, "unit", None)
        plain = np.asarray(values.value if unit is not None else values, dtype=np.float64)
        moved = (plain - middle) / self._factors + (observed - 1) / 2
        return moved if unit is None else moved * unit

    def _total_psf(self, observed: Observed, own: Pixels, scale: float | None, row: int) -> Pixels:
        """Convolve the kernel with the point spread function that the clean image has already."""
        pixel = self._header_of(row).pixel_scale_arcsec
        enlarged = 1.0 if scale is None or pixel is None else pixel / scale
        step = float(self._factors[row]) * enlarged
        stamps = np.atleast_3d(own.T).T.astype(np.float64)
        brought = np.stack([brought_to_step(stamp, step) for stamp in stamps])
        return convolved_kernels(observed.psf, brought, largest=min(observed.image.shape[-2:]))

    def _moved(self, sources: NDArray[np.float64], row: int) -> NDArray[np.float64]:
        """Bring the true sources of a field to observed pixels; those that are cut off at the edges go."""
        factor = float(self._factors[row])
        before = np.asarray(self._images.shapes[row], dtype=np.float64)[::-1]
        after = np.asarray(self.listing.shapes[row], dtype=np.float64)[::-1]
        moved = sources.copy()
        moved[:, :2] = (moved[:, :2] - (before - 1) / 2) / factor + (after - 1) / 2
        moved[:, 3] /= factor
        if self._observation.resampling == "linear" and not is_per_area(self.header.flux_unit):
            moved[:, 2] /= factor**2
        # those that lie out of the clean frame shine into it, and stay
        gone = _in_frame(sources, before) & ~_in_frame(moved, after)
        return moved[~gone]


def _headers_of(images: ImageSet) -> list[ImageHeader]:
    """Give the header of all clean images, or one an image where the catalog has sizes of their pixels."""
    header = images.header
    if header.pixel_scale_arcsec is not None or SCALE_COLUMN not in images.catalog.colnames:
        return [header]
    column = images.catalog[SCALE_COLUMN]
    scales = np.asarray(getattr(column, "value", column), dtype=np.float64)
    return [
        replace(header, pixel_scale_arcsec=float(scale) if np.isfinite(scale) and scale > 0 else None)
        for scale in scales
    ]


def _in_frame(sources: NDArray[np.float64], sides: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the middle of each source lies on a pixel of a frame of these sides (x, y)."""
    places = sources[:, :2]
    return np.asarray(((places >= -0.5) & (places < sides - 0.5)).all(axis=1))


def _axis_of(name: str) -> str:
    """Say along which axis a column is a place, such as ``x_pix`` or ``center_y_pix``; empty for a length."""
    stem = name.removesuffix("_pix").removeprefix("center_")
    return stem if stem in ("x", "y") else ""


def _masks(observed: list[Observed]) -> list[NDArray[np.bool_]]:
    """Give a mask of each image where one of them has one."""
    if all(one.mask is None for one in observed):
        return []
    return [np.zeros(one.image.shape, dtype=bool) if one.mask is None else one.mask for one in observed]
