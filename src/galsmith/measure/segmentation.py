"""Finding the galaxy in a stamp: the recipe of Holzschuh et al. (2022), as their evaluation ran it."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.segmentation.methods import PAPER_METHOD, SURVEY_METHOD
from galsmith.measure.settings import MeasureSettings, chosen_segmentation

CLIP_SIGMA = 3.0
CLIP_ITERATIONS = 10
BORDER_FRACTION = 16
EIGHT_CONNECTED = np.ones((3, 3), dtype=int)

GIVEN_MAPS = "given maps"
METHODS = {"paper": PAPER_METHOD, "survey": SURVEY_METHOD}


@dataclass(frozen=True)
class Background:
    """Sky of one stamp, sigma-clipped: mean and standard deviation, in flux units per pixel."""

    mean: float
    sigma: float


def method_text(settings: MeasureSettings) -> str:
    """Describe the segmentation in words, for a table's metadata."""
    return METHODS[chosen_segmentation(settings)].format(
        threshold_sigma=settings.threshold_sigma,
        minimum_pixels=settings.minimum_pixels,
        smoothing_pix=settings.smoothing_pix,
    )


def clipped_background(stamp: NDArray[np.float64]) -> Background:
    """Sigma-clipped mean and standard deviation of a stamp, as photutils' ``detect_threshold`` has them.

    Parameters
    ----------
    stamp : ndarray [y, x], float64
        Flux per pixel; pixels that are not finite are left out.

    Returns
    -------
    Background
        NaN where no pixel is finite.
    """
    from astropy.stats import SigmaClip

    if not np.isfinite(stamp).any():
        return Background(np.nan, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clipped = SigmaClip(sigma=CLIP_SIGMA, maxiters=CLIP_ITERATIONS)(
            stamp, masked=False, return_bounds=False
        )
        return Background(float(np.nanmean(clipped)), float(np.nanstd(clipped)))


def border_level(stamp: NDArray[np.float64]) -> float:
    """Median of the pixels along the four sides of a stamp, a sixteenth of its side deep: the sky of a picture.

    The galaxy reaches the border last, so this lies below the clipped mean of the whole stamp, which the
    wings of a galaxy lift. NaN where no such pixel is finite.
    """
    inner = np.zeros(stamp.shape, dtype=bool)
    rows, columns = (max(1, side // BORDER_FRACTION) for side in stamp.shape)
    inner[rows:-rows, columns:-columns] = True
    border = stamp[~inner]
    border = border[np.isfinite(border)]
    return float(np.median(border)) if border.size else float("nan")


def largest_source(
    stamp: NDArray[np.float64], *, threshold: float, minimum_pixels: int
) -> NDArray[np.bool_] | None:
    """Pixels of the source of largest area above a threshold.

    Parameters
    ----------
    stamp : ndarray [y, x], float64
        Flux per pixel.
    threshold : float
        In the same unit; a pixel has to be above it.
    minimum_pixels : int
        A source has at least so many pixels, joined by sides or corners.

    Returns
    -------
    ndarray [y, x], bool, or None
        None where there is no source. Of two equal areas the first in raster order is taken.
    """
    from scipy import ndimage

    with np.errstate(invalid="ignore"):
        above = stamp > threshold
    labels, count = ndimage.label(above, structure=EIGHT_CONNECTED)
    if count == 0:
        return None
    areas = np.bincount(labels.ravel())[1:]
    if areas.max() < minimum_pixels:
        return None
    return np.asarray(labels == np.argmax(areas) + 1)


def smoothed_outline(source: NDArray[np.bool_], *, size_pix: int) -> NDArray[np.bool_]:
    """Smooth the outline of a source: a uniform filter, cut at one half, [y, x] bool.

    The box of even size is off-center by half a pixel, as in the authors' evaluation.
    """
    from scipy import ndimage

    return np.asarray(ndimage.uniform_filter(source.astype(np.float64), size=size_pix) > 0.5)


def segment(stamp: NDArray[np.float64], settings: MeasureSettings) -> tuple[NDArray[np.int32] | None, str]:
    """Segmentation map of the galaxy in a stamp.

    Parameters
    ----------
    stamp : ndarray [y, x], float64
        Flux per pixel.
    settings : MeasureSettings
        Its three numbers of the recipe are used.

    Returns
    -------
    segmentation_map : ndarray [y, x], int32, or None
        1 where the galaxy is, 0 elsewhere.
    flag : str
        Empty, or why there is no map: ``no_source``, or ``source_below_smoothing`` where a source was
        found but is too small to outlive the smoothing.
    """
    background = clipped_background(stamp)
    source = largest_source(
        stamp,
        threshold=background.mean + settings.threshold_sigma * background.sigma,
        minimum_pixels=settings.minimum_pixels,
    )
    if source is None:
        return None, "no_source"
    outline = smoothed_outline(source, size_pix=settings.smoothing_pix)
    if not outline.any():
        return None, "source_below_smoothing"
    return outline.astype(np.int32), ""
