"""Convolving images with point spread functions, by Fourier transform, with nothing outside of the frame."""

from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Floats = NDArray[np.floating]


class Convolver:
    """Convolves images of one size with one kernel a band; the kernels are transformed once.

    Parameters
    ----------
    kernels : ndarray [band, k, k]
        Of odd sides; the middle pixel is the place that light comes from.
    shape : tuple of int
        Height and width of the images, in pixels.
    """

    def __init__(self, kernels: Floats, shape: tuple[int, ...]) -> None:
        reach = kernels.shape[-1] // 2
        self._shape = shape
        # with `reach` zeros beside it, what leaves the frame at one edge does not come in at the other
        self._padded = tuple(_fast_length(side + reach) for side in shape)
        placed = np.zeros((len(kernels), *self._padded))
        offsets = np.arange(-reach, reach + 1)
        rows, columns = offsets[:, np.newaxis] % self._padded[0], offsets[np.newaxis, :] % self._padded[1]
        # of two offsets that fall on one place, one is farther than any two pixels of the image lie apart
        for band, kernel in enumerate(kernels):
            np.add.at(placed[band], (rows, columns), kernel)
        self._transformed = scipy.fft.rfft2(placed)

    def __call__(self, images: Floats) -> NDArray[np.float64]:
        """Convolve [..., band, y, x] images; what falls out of the frame is lost, and nothing comes in."""
        height, width = self._shape
        transformed = scipy.fft.rfft2(np.asarray(images, dtype=np.float64), s=self._padded)
        transformed *= self._transformed
        convolved = scipy.fft.irfft2(transformed, s=self._padded, overwrite_x=True)
        return convolved[..., :height, :width]


@lru_cache(maxsize=1024)
def _fast_length(length: int) -> int:
    """Smallest length at which a transform is fast."""
    return int(scipy.fft.next_fast_len(length, real=True))
