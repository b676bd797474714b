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


def convolved_kernels(one: Floats, other: Floats, *, largest: int) -> NDArray[np.float32]:
    """Convolve kernels with kernels, band by band, and cut them to an image.

    Parameters
    ----------
    one, other : ndarray [band, k, k]
        Of odd sides; [1, k, k] is for all bands.
    largest : int
        Side of the image in pixels, which the result is not to pass.

    Returns
    -------
    ndarray [band, k, k], float32
        Of odd side, each of sum 1.
    """
    side = one.shape[-1] + other.shape[-1] - 1
    size = (side, side)
    product = scipy.fft.rfft2(one.astype(np.float64), s=size) * scipy.fft.rfft2(
        other.astype(np.float64), s=size
    )
    whole = scipy.fft.irfft2(product, s=size)
    cut = max(0, side // 2 - (largest - 1) // 2)
    inner = whole[:, cut : side - cut, cut : side - cut]
    return (inner / inner.sum(axis=(-2, -1), keepdims=True)).astype(np.float32)


@lru_cache(maxsize=1024)
def _fast_length(length: int) -> int:
    """Smallest length at which a transform is fast."""
    return int(scipy.fft.next_fast_len(length, real=True))
