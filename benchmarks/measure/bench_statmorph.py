"""statmorph from pixels, as it comes and tuned by hand: what the benchmark compares with."""

import warnings
from typing import Any

import numpy as np
import skimage.transform
import statmorph
from numpy.typing import NDArray
from photutils.segmentation import detect_sources, detect_threshold
from scipy.ndimage import uniform_filter

Pixels = NDArray[np.float64]
THRESHOLD_SIGMA, MINIMUM_PIXELS, SMOOTHING_PIX = 1.5, 5, 10

# What the galaxies paper reports, and what that needs: no multimode, intensity, deviation, no other asymmetries.
NEEDED = (
    "ellipticity_centroid",
    "elongation_centroid",
    "orientation_centroid",
    "rpetro_circ",
    "rpetro_ellip",
    "rhalf_circ",
    "rhalf_ellip",
    "r20",
    "r50",
    "r80",
    "gini",
    "m20",
    "gini_m20_bulge",
    "concentration",
    "asymmetry",
    "smoothness",
    "sky_mean",
    "sky_sigma",
    "sersic_n",
    "sersic_rhalf",
    "sersic_ellip",
    "sersic_theta",
)
_turn = skimage.transform.rotate


class TunedSourceMorphology(statmorph.SourceMorphology):
    """statmorph with the needed quantities only, as somebody in a hurry would tune it."""

    def _calculate_morphology(self) -> None:
        for name in NEEDED:
            self[name]

    def _check_segmaps(self) -> None:
        """The check of the maps would compute one that is not needed."""


def turn_unless_empty(image: Any, angle: float, **options: Any) -> Any:
    """Turn an image, but not a mask that masks nothing."""
    if image.dtype == bool and not image.any():
        return image
    return _turn(image, angle, **options)


def segmented(pixels: Pixels) -> NDArray[np.int32] | None:
    """Segment as the galaxies paper did, by photutils."""
    sources = detect_sources(pixels, detect_threshold(pixels, THRESHOLD_SIGMA), MINIMUM_PIXELS)
    if sources is None:
        return None
    largest = sources.labels[np.argmax(sources.areas)]
    outline = uniform_filter(np.float64(sources.data == largest), size=SMOOTHING_PIX) > 0.5
    return outline.astype(np.int32) if outline.any() else None


def plain(pixels: Pixels, gain: float) -> Any:
    """Segment and measure everything, as statmorph's documentation shows; None where nothing is found."""
    return _measured(statmorph.SourceMorphology, pixels, gain)


def tuned(pixels: Pixels, gain: float) -> Any:
    """Segment and measure what is needed, without turning empty masks."""
    skimage.transform.rotate = turn_unless_empty
    try:
        return _measured(TunedSourceMorphology, pixels, gain)
    finally:
        skimage.transform.rotate = _turn


def _measured(kind: type, pixels: Pixels, gain: float) -> Any:
    """Segment and measure, quietly."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        segmentation_map = segmented(pixels)
        return None if segmentation_map is None else kind(pixels, segmentation_map, 1, gain=gain)
