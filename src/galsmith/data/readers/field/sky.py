"""The level and noise of the sky over a field: measured in boxes, read a strip at a time, interpolated anywhere."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from galsmith.data.readers.field.images import Section

Mesh = NDArray[np.float64]
LARGEST_VALUE = 1e100
CLIP_SIGMA, CLIPS_AT_MOST = 3.0, 10
LEAST_FRACTION = 0.25
FAR_APART = 0.3


@dataclass(frozen=True)
class SkyMap:
    """Level and noise of the sky in boxes.

    Attributes
    ----------
    box_pix : int
        Side of a box.
    levels, sigmas : ndarray [y box, x box], float64
        In the image's own unit; not finite nowhere, 0 where no box has data.
    """

    box_pix: int
    levels: Mesh
    sigmas: Mesh

    @property
    def has_data(self) -> bool:
        """Whether any box has noise."""
        return bool(np.any(self.sigmas > 0))

    def level(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Interpolate the level, [y, x] float64."""
        return self._at(self.levels, rows, columns)

    def sigma(self, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Interpolate the standard deviation, [y, x] float64."""
        return self._at(self.sigmas, rows, columns)

    def sigmas_at(self, x_pix: Mesh, y_pix: Mesh) -> Mesh:
        """Interpolate the standard deviation at some pixels, [pixel] float64."""
        places = np.array([(y_pix + 0.5) / self.box_pix - 0.5, (x_pix + 0.5) / self.box_pix - 0.5])
        return np.asarray(
            ndimage.map_coordinates(self.sigmas, places, order=1, mode="nearest"), dtype=np.float64
        )

    def _at(self, mesh: Mesh, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Interpolate linearly between the middles of boxes, constant beyond the outermost."""
        y = (np.arange(rows.start, rows.stop) + 0.5) / self.box_pix - 0.5
        x = (np.arange(columns.start, columns.stop) + 0.5) / self.box_pix - 0.5
        places = np.array(np.meshgrid(y, x, indexing="ij"))
        return np.asarray(ndimage.map_coordinates(mesh, places, order=1, mode="nearest"), dtype=np.float64)


def measure_sky(
    section: Section, shape: tuple[int, int], *, box_pix: int, tell: Callable[[int, int], None]
) -> SkyMap:
    """Measure the sky of an image in boxes.

    In each box, pixels further than 3 standard deviations from the median are clipped until none is; the level
    is 2.5 median - 1.5 mean (Bertin & Arnouts 1996, sec. 7.1), or the median where the two are far apart. Boxes
    with few finite pixels, or without noise, take the median of the others; then a median of 3 x 3 boxes
    removes those on large galaxies.

    Parameters
    ----------
    section : callable
        Reads rows and columns of the image.
    shape : tuple of int
        Its height and width.
    box_pix : int
        Side of a box; those at the upper edges may be larger or smaller by half.
    tell : callable
        Told how many rows of boxes are done, and of how many.
    """
    rows, columns = _edges(shape[0], box_pix), _edges(shape[1], box_pix)
    levels = np.full((len(rows), len(columns)), np.nan)
    sigmas = np.full_like(levels, np.nan)
    for row, vertical in enumerate(rows):
        strip = section(vertical, slice(0, shape[1]))
        for column, horizontal in enumerate(columns):
            levels[row, column], sigmas[row, column] = _sky_of(strip[:, horizontal])
        tell(row + 1, len(rows))
    return SkyMap(box_pix, _smooth(levels), _smooth(sigmas))


def _edges(size: int, box_pix: int) -> list[slice]:
    """Cut a side into boxes; what is left at the end goes to the last one if it is less than half a box."""
    count = max(1, round(size / box_pix))
    return [slice(box_pix * k, size if k == count - 1 else box_pix * (k + 1)) for k in range(count)]


def _sky_of(pixels: NDArray[np.float64]) -> tuple[float, float]:
    """Level and noise of one box; NaN where it has no data."""
    with np.errstate(invalid="ignore"):
        kept = pixels[np.abs(pixels) < LARGEST_VALUE]  # neither undefined nor beyond what can be squared
    if kept.size < LEAST_FRACTION * pixels.size or kept.size < 2:
        return np.nan, np.nan
    for _ in range(CLIPS_AT_MOST):
        inside = kept[np.abs(kept - np.median(kept)) <= CLIP_SIGMA * np.std(kept)]
        if len(inside) == len(kept):
            break
        kept = inside
    median, mean, sigma = float(np.median(kept)), float(np.mean(kept)), float(np.std(kept))
    if not sigma > 0:
        return np.nan, np.nan
    return 2.5 * median - 1.5 * mean if abs(mean - median) < FAR_APART * sigma else median, sigma


def _smooth(mesh: Mesh) -> Mesh:
    """Fill boxes without data, and take the median of 3 x 3."""
    known = np.isfinite(mesh)
    filled = np.where(known, mesh, np.median(mesh[known]) if known.any() else 0.0)
    return np.asarray(ndimage.median_filter(filled, size=3, mode="nearest"), dtype=np.float64)
