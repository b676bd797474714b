"""`wavelets`: boosted trees on the shares of a field's energy in its Coiflet coefficients (paper, appendix E)."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.images.image_set import PixelSequence
from galsmith.score.boosted_trees import BoostedTrees, TreeSettings, grow_trees
from galsmith.score.method import Floats, Learning, Method, each_image

LEVELS, WAVELET = 10, "coif5"
N_SHARES = 3 * LEVELS + 1  # three orientations a level, and what is left


@dataclass(frozen=True)
class WaveletTrees:
    """Trees on 31 shares of energy."""

    trees: BoostedTrees

    def predict(self, seen: NDArray[np.float64], *, progress: ProgressCallback = ignore_progress) -> Floats:
        """Predict from what `energy_shares` gives of each image."""
        return self.trees.predict(seen)

    def to_page(self) -> dict[str, Any]:
        """Return what the features are."""
        return {"wavelet": WAVELET, "levels": LEVELS}

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the trees."""
        return self.trees.to_arrays()


def energy_shares(image: NDArray[np.float32]) -> Floats:
    """Shares of an image's energy in the coefficients of a 10-level Coiflet-5 transform with zero padding.

    Parameters
    ----------
    image : ndarray [y, x], float32
        0 to 255.

    Returns
    -------
    ndarray [31], float64
        The approximation, then horizontal, vertical and diagonal details from the coarsest level to the finest; they sum
        to 1, or are all 0 where the image is.
    """
    import pywt

    with warnings.catch_warnings():
        # 10 levels of a filter of 30 taps are more than an image of 1000 px has without its border
        warnings.filterwarnings("ignore", message="Level value of 10 is too high")
        approximation, *details = pywt.wavedec2(image, WAVELET, mode="zero", level=LEVELS)
    parts = [approximation, *(part for level in details for part in level)]
    energies = np.array([np.square(part, dtype=np.float64).sum() for part in parts])
    total = energies.sum()
    return energies / total if total > 0 else energies


def look(images: PixelSequence, *, progress: ProgressCallback = ignore_progress) -> NDArray[Any]:
    """Find the shares of every image, [field, 31] float64."""
    return each_image(energy_shares, images, stage="transforming", progress=progress)


def fit(
    seen: NDArray[np.float64], scores: Floats, settings: TreeSettings, learning: Learning
) -> WaveletTrees:
    """Grow the trees."""
    return WaveletTrees(grow_trees(seen, scores, settings, seed=learning.seed))


def restore(page: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> WaveletTrees:
    """Make it of its arrays."""
    return WaveletTrees(BoostedTrees.from_arrays(arrays))


METHOD = Method("wavelets", TreeSettings, fit, restore, look=look)
