"""A Gaussian point spread function on pixels, where nothing but its width is known."""

import math

import numpy as np
from numpy.typing import NDArray

REACH_SIGMA = 4.0
SIGMA_PER_FWHM = 1 / (2 * math.sqrt(2 * math.log(2)))


def gaussian_psf(fwhm_pix: float) -> NDArray[np.float64]:
    """Gaussian point spread function out to 4 sigma.

    Parameters
    ----------
    fwhm_pix : float
        Full width at half maximum, in pixels.

    Returns
    -------
    ndarray [y, x], float64
        Of odd sides, sum 1.
    """
    sigma = fwhm_pix * SIGMA_PER_FWHM
    reach = max(1, math.ceil(REACH_SIGMA * sigma))
    profile = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    psf = np.outer(profile, profile)
    return np.asarray(psf / psf.sum())
