"""What one pass over a training split leaves to fit on: the fluxes of all images, and some images in bounded memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from galsmith.data.transforms.fluxes import border_sigma
from galsmith.errors import InputError
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageSet

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
