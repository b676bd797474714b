"""`Observed`: one image as an instrument would have taken it, and what is known of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Observed:
    """One image as an instrument would have taken it, and what is known of it.

    Attributes
    ----------
    image : ndarray [band, y, x], float32
        In the header's unit per pixel, with noise; the sky is subtracted unless it is kept. Always finite: what lies under
        the mask is filled in from around it.
    ivar : ndarray [band, y, x], float32
        Inverse variance of the noise as its law says it, 0 where masked; infinite where no noise was asked for.
    psf : ndarray [band, k, k], float32
        Kernel at the observed pixel scale, of odd side, sum 1, centered: the image is the truth convolved with it.
    truth : ndarray [band, y, x], float32, or None
        The same scene at the same scale without point spread function and noise; None for real data.
    mask : ndarray [band, y, x], bool, or None
        True where a pixel is not to be used; None where all can be.
    noise_correlation : ndarray [y, x], float32, or None
        Correlation of the noise of two pixels by their distance, 1 in the middle; None where pixels are independent.
    """

    image: Pixels
    ivar: Pixels
    psf: Pixels
    truth: Pixels | None = None
    mask: NDArray[np.bool_] | None = None
    noise_correlation: Pixels | None = None
