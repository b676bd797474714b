"""What is known of the noise of an image: whether a map of sigmas can be believed."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

# sky and map may differ so far: correlated noise, and the noise of the galaxy itself
GREATEST_DISAGREEMENT = 10.0
# an inverse variance is taken for one where its root agrees so well
_AGREEMENT = 3.0
_EVERY = 3


def without_negative(sigma_map: NDArray[Any]) -> tuple[NDArray[Any], bool]:
    """Let negative sigmas be undefined, so that their pixels are masked; and tell whether there were any."""
    with np.errstate(invalid="ignore"):
        is_negative = sigma_map < 0
    if not is_negative.any():
        return sigma_map, False
    return np.where(is_negative, np.nan, sigma_map), True


def disagreement(sigma_map: NDArray[np.float64], sky_sigma: float) -> tuple[bool, bool]:
    """Hold a map of sigmas against the scatter of the sky.

    Parameters
    ----------
    sigma_map : ndarray [y, x], float64
        Flux per pixel.
    sky_sigma : float
        In the same unit; NaN or 0 where it is not known.

    Returns
    -------
    disagrees, is_inverse_variance : bool
        Whether its median differs by more than a factor of ten, and whether one over its root then agrees.
    """
    some = sigma_map[::_EVERY, ::_EVERY]
    some = some[np.isfinite(some) & (some > 0)]
    if some.size == 0 or not 0 < sky_sigma < math.inf:
        return False, False
    median = float(np.median(some))
    disagrees = not 1 / GREATEST_DISAGREEMENT <= median / sky_sigma <= GREATEST_DISAGREEMENT
    root_over_sky = 1 / math.sqrt(median) / sky_sigma
    return disagrees, disagrees and 1 / _AGREEMENT <= root_over_sky <= _AGREEMENT
