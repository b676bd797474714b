"""Detecting the sources of a survey image, a tile at a time, so that the image may be larger than the memory."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.data.readers.field.images import Section
from galsmith.data.readers.field.sky import SkyMap
from galsmith.data.readers.options import FieldOptions
from galsmith.errors import SettingsError

Values = NDArray[np.float64]
TILE_PIX, MARGIN_PIX = 1024, 256
LABELS_PER_TILE = 2**32
KERNEL_FWHM_PIX = 3.0
DEBLENDING_LEVELS, DEBLENDING_CONTRAST = 32, 0.02
# Kron fluxes are larger than isophotal ones by less than this factor.
FAINTER_BY = 2.0
EXTRA = "ingest field detects sources with photutils, which is not installed; pip install 'galsmith[field]'"


@dataclass(frozen=True)
class Detections:
    """Sources of one image, sorted by row, then column; all arrays [source] float64 unless said otherwise.

    Attributes
    ----------
    x_pix, y_pix : ndarray
        Centroid; pixel centers on integers.
    flux : ndarray
        In the Kron aperture, in the image's own unit.
    r_half_pix : ndarray
        Radius of the circle with half of that.
    peak : ndarray
        Brightest pixel.
    snr : ndarray
        Isophotal flux over its noise, taking that of pixels as independent.
    left_pix, right_pix, below_pix, above_pix : ndarray
        First and last column and row of the isophote.
    parent : ndarray, int64
        The same for sources that were one above the threshold.
    """

    x_pix: Values
    y_pix: Values
    flux: Values
    r_half_pix: Values
    peak: Values
    snr: Values
    left_pix: Values
    right_pix: Values
    below_pix: Values
    above_pix: Values
    parent: NDArray[np.int64]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.x_pix)

    @property
    def extent_pix(self) -> Values:
        """Distance of the isophote's furthest edge from the centroid along x or y, [source] float64."""
        sides = (
            self.x_pix - self.left_pix,
            self.right_pix - self.x_pix,
            self.y_pix - self.below_pix,
            self.above_pix - self.y_pix,
        )
        return np.asarray(np.max(sides, axis=0) + 0.5, dtype=np.float64)

    def of(self, which: NDArray[Any]) -> "Detections":
        """Keep some, by mask or index."""
        return Detections(**{field.name: getattr(self, field.name)[which] for field in fields(self)})


@dataclass(frozen=True)
class Tile:
    """A part of an image, and what is read around it."""

    rows: slice
    columns: slice
    wide_rows: slice
    wide_columns: slice


def detect(
    section: Section,
    shape: tuple[int, int],
    sky: SkyMap,
    *,
    options: FieldOptions,
    least_flux: float,
    tell: Callable[[int, int], None],
) -> Detections:
    """Detect sources: smooth, take what is above the threshold, part what touches, measure.

    Parameters
    ----------
    section : callable
        Reads rows and columns of the image.
    shape : tuple of int
        Its height and width.
    sky : SkyMap
        Level and noise.
    options : FieldOptions
        Threshold, smallest area, least signal to noise.
    least_flux : float
        Sources of less Kron flux are not taken.
    tell : callable
        Told how many tiles are done, and of how many.

    Raises
    ------
    SettingsError
        If photutils is not installed.
    """
    tiles = _tiles(shape)
    found: list[Detections] = []
    for number, tile in enumerate(tiles):
        in_tile = _detect_in(tile, section, sky, options=options, least_flux=least_flux)
        found.append(replace(in_tile, parent=in_tile.parent + number * LABELS_PER_TILE))
        tell(number + 1, len(tiles))
    joined = Detections(
        **{
            field.name: np.concatenate([getattr(some, field.name) for some in found])
            for field in fields(Detections)
        }
    )
    return joined.of(np.lexsort((joined.x_pix, joined.y_pix)))


def _tiles(shape: tuple[int, int]) -> list[Tile]:
    """Cut an image into tiles."""
    vertical, horizontal = (
        [slice(low, min(low + TILE_PIX, size)) for low in range(0, size, TILE_PIX)] for size in shape
    )
    return [
        Tile(rows, columns, _with_margin(rows, shape[0]), _with_margin(columns, shape[1]))
        for rows in vertical
        for columns in horizontal
    ]


def _with_margin(part: slice, size: int) -> slice:
    """Widen a part of a side."""
    return slice(max(0, part.start - MARGIN_PIX), min(size, part.stop + MARGIN_PIX))


def _detect_in(
    tile: Tile, section: Section, sky: SkyMap, *, options: FieldOptions, least_flux: float
) -> Detections:
    """Detect the sources whose centroid lies in one tile; it is read with a margin."""
    image = section(tile.wide_rows, tile.wide_columns) - sky.level(tile.wide_rows, tile.wide_columns)
    is_bad = ~np.isfinite(image)
    image[is_bad] = 0.0
    sigma = sky.sigma(tile.wide_rows, tile.wide_columns)
    found = _measured(image, is_bad, sigma, options=options, least_flux=least_flux)
    left, below = tile.wide_columns.start, tile.wide_rows.start
    placed = replace(
        found,
        **{name: getattr(found, name) + left for name in ("x_pix", "left_pix", "right_pix")},
        **{name: getattr(found, name) + below for name in ("y_pix", "below_pix", "above_pix")},
    )
    x, y = np.round(placed.x_pix), np.round(placed.y_pix)
    inside = (
        (x >= tile.columns.start) & (x < tile.columns.stop) & (y >= tile.rows.start) & (y < tile.rows.stop)
    )
    return placed.of(inside)


def _measured(
    image: Values, is_bad: NDArray[np.bool_], sigma: Values, *, options: FieldOptions, least_flux: float
) -> Detections:
    """Segment and measure an image without sky; positions are those in it."""
    try:
        from photutils.segmentation import SourceCatalog, deblend_sources, detect_sources
    except ImportError as error:
        raise SettingsError(EXTRA) from error
    smooth = ndimage.gaussian_filter(image, KERNEL_FWHM_PIX / np.sqrt(8 * np.log(2)))
    threshold = np.where(sigma > 0, options.threshold_sigma * sigma, np.inf)
    parents = detect_sources(smooth, threshold, options.minimum_area_pix, mask=is_bad)
    if parents is None:
        return _none()
    bright = _bright_labels(image, sigma, parents.data, options=options, least_flux=least_flux)
    if not len(bright):
        return _none()
    parted = deblend_sources(
        smooth,
        parents,
        options.minimum_area_pix,
        labels=bright,
        n_levels=DEBLENDING_LEVELS,
        contrast=DEBLENDING_CONTRAST,
        progress_bar=False,
    )
    bright = _bright_labels(image, sigma, parted.data, options=options, least_flux=least_flux)
    if not len(bright):
        return _none()
    catalog = SourceCatalog(image, parted, mask=is_bad).select_labels(bright)
    found = _properties(catalog, parents.data, parted.data, sigma)
    return found.of((found.flux >= least_flux) & np.isfinite(found.r_half_pix))


def _bright_labels(
    image: Values, sigma: Values, labels: NDArray[Any], *, options: FieldOptions, least_flux: float
) -> NDArray[Any]:
    """Labels of segments with enough signal to noise that may be bright enough."""
    numbers = np.unique(labels[labels > 0])
    fluxes = ndimage.sum_labels(image, labels, numbers)
    noise = np.sqrt(ndimage.sum_labels(sigma**2, labels, numbers))
    return numbers[(fluxes >= options.minimum_snr * noise) & (fluxes * FAINTER_BY >= least_flux)]


def _properties(catalog: Any, parent_labels: NDArray[Any], labels: NDArray[Any], sigma: Values) -> Detections:
    """Read what is wanted from photutils' catalog."""
    numbers = np.atleast_1d(catalog.label)
    isophotal, kron = _array(catalog.segment_flux), _array(catalog.kron_flux)
    noise = np.sqrt(ndimage.sum_labels(sigma**2, labels, numbers))
    parents = ndimage.maximum(parent_labels, labels, numbers)
    return Detections(
        x_pix=_array(catalog.x_centroid),
        y_pix=_array(catalog.y_centroid),
        flux=np.where(np.isfinite(kron), kron, isophotal),
        r_half_pix=_array(catalog.flux_radius(0.5)),
        peak=_array(catalog.max_value),
        snr=isophotal / noise,
        left_pix=_array(catalog.bbox_xmin),
        right_pix=_array(catalog.bbox_xmax),
        below_pix=_array(catalog.bbox_ymin),
        above_pix=_array(catalog.bbox_ymax),
        parent=np.asarray(parents, dtype=np.int64),
    )


def _array(values: Any) -> Values:
    """Give plain numbers."""
    return np.atleast_1d(np.asarray(getattr(values, "value", values), dtype=np.float64))


def _none() -> Detections:
    """No sources."""
    empty: dict[str, Any] = {field.name: np.empty(0) for field in fields(Detections)}
    return Detections(**{**empty, "parent": np.empty(0, dtype=np.int64)})
