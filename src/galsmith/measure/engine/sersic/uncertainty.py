"""What the fit of one Sérsic law knows: total flux, and the covariance of flux, radius, index, shape and place."""

import math

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.sersic.law import (
    AMPLITUDE,
    CENTER_PARAMETERS,
    COMPONENT_PARAMETERS,
    ELLIPTICITY,
    INDEX,
    ORIENTATION,
    R_EFF,
)
from galsmith.measure.engine.sersic.special_functions import half_light_scale, half_light_slope

KNOWN = ("flux", "r_eff", "index", "ellipticity", "orientation", "x", "y")
# a parameter of which less than this share is left once the others are known is not told apart from them
_LEAST_SHARE = 1e-12
# a parameter that lies so much in a direction that is not told is not known
_LOST_SHARE = 0.5
# the flux hangs on the first four
_N_OF_FLUX = 4
# step of the derivative of log Gamma: its error falls as the square, rounding grows as the inverse
_STEP = 1e-4
# parameters of the fit in the order of KNOWN, the amplitude in the place of the flux
_ORDER = np.array(
    [*(CENTER_PARAMETERS + k for k in (AMPLITUDE, R_EFF, INDEX, ELLIPTICITY, ORIENTATION)), 0, 1]
)


def total_flux(amplitude: float, r_eff: float, index: float, ellipticity: float) -> float:
    """Flux of a law out to infinity (Graham & Driver 2005, eq. 4).

    Parameters
    ----------
    amplitude : float
        Flux per pixel at the effective radius.
    r_eff : float
        Along the major axis, pixels.
    index, ellipticity : float
        n and 1 - b/a.
    """
    scale = half_light_scale(index)
    log_shape = scale - 2.0 * index * math.log(scale) + math.lgamma(2.0 * index)
    return 2.0 * math.pi * index * r_eff**2 * (1.0 - ellipticity) * amplitude * math.exp(log_shape)


def covariance_of(
    matrix: NDArray[np.float64], parameters: NDArray[np.float64], is_held: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Covariance at the minimum of chi^2, from second derivatives and the noise that weighed the pixels.

    Parameters
    ----------
    matrix : ndarray [7, 7], float64
        J^T J in the upper triangle, J the weighted derivatives by the parameters of `law`.
    parameters : ndarray [7], float64
        There; conventional.
    is_held : ndarray [7], bool
        Those that stand at a bound, of which nothing is known.

    Returns
    -------
    ndarray [7, 7], float64
        Of `KNOWN`; NaN where a parameter is held or not told apart from the others.
    """
    free = np.flatnonzero(~is_held & (np.diag(matrix) > 0.0))
    of_parameters = np.full(matrix.shape, math.nan)
    with np.errstate(all="ignore"):
        of_parameters[free[:, None], free] = _inverse(matrix[free[:, None], free])
        ordered = of_parameters[_ORDER[:, None], _ORDER]
        slopes = np.eye(len(KNOWN))
        slopes[0] = _slopes_of_flux(parameters)
        # the flux hangs on amplitude, radius, index and ellipticity: any that is not known makes it unknown
        unknown = np.isnan(np.diag(ordered))
        unknown[0] = unknown[:_N_OF_FLUX].any()
        told = slopes @ np.where(np.isnan(ordered), 0.0, ordered) @ slopes.T
        told[unknown, :] = told[:, unknown] = math.nan
        return np.where(np.isfinite(told), told, math.nan)


def _inverse(upper: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse of the symmetric matrix of an upper triangle; NaN for what its other directions do not tell."""
    full = np.triu(upper) + np.triu(upper, 1).T
    diagonal = np.sqrt(np.diag(full))
    scaled = full / np.outer(diagonal, diagonal)
    if not np.isfinite(scaled).all():
        return np.full(full.shape, math.nan)
    values, vectors = np.linalg.eigh(scaled)
    is_told = values > _LEAST_SHARE * values.max(initial=0.0)
    inverse = (vectors[:, is_told] / values[is_told]) @ vectors[:, is_told].T
    lost = (vectors[:, ~is_told] ** 2).sum(axis=1) > _LOST_SHARE
    inverse[lost, :] = inverse[:, lost] = math.nan
    return np.asarray(inverse / np.outer(diagonal, diagonal))


def _slopes_of_flux(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Differentiate the total flux by amplitude, radius, index, ellipticity, orientation and place."""
    amplitude, r_eff, index, ellipticity, _ = parameters[CENTER_PARAMETERS:][:COMPONENT_PARAMETERS].tolist()
    scale = half_light_scale(index)
    # d log F / dn of eq. 4, b_n depending on n
    by_gamma = math.lgamma(2.0 * index + _STEP) - math.lgamma(2.0 * index - _STEP)
    by_index = 1.0 / index - 2.0 * math.log(scale) + by_gamma / _STEP
    by_index += half_light_slope(index) * (1.0 - 2.0 * index / scale)
    flux = total_flux(amplitude, r_eff, index, ellipticity)
    relative = [1.0 / amplitude if amplitude != 0.0 else math.nan, 2.0 / r_eff, by_index]
    return np.array([*(flux * part for part in relative), -flux / (1.0 - ellipticity), 0.0, 0.0, 0.0])
