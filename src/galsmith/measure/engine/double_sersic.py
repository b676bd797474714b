"""The fit of two Sérsic laws with one center, as statmorph 0.7.2 starts, weighs and flags it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.flags import (
    DOUBLE_SERSIC_AT_BOUND,
    DOUBLE_SERSIC_NOT_CONVERGED,
    DOUBLE_SERSIC_NOT_ENOUGH_PIXELS,
)
from galsmith.measure.engine.point_spread import point_spread
from galsmith.measure.engine.sersic_data import SersicData, count_used, weights_of_noise
from galsmith.measure.engine.sersic_fit import (
    MOST_EVALUATIONS,
    OPTIMUM,
    PARITY,
    TOLERANCE,
    SersicFit,
    chi2_of,
    fit_parameters,
    hold_index,
    information_criteria,
    make_conventional,
)
from galsmith.measure.engine.sersic_law import (
    AMPLITUDE,
    CENTER_PARAMETERS,
    COMPONENT_PARAMETERS,
    ELLIPTICITY,
    FIRST,
    INDEX,
    ORIENTATION,
    R_EFF,
    SECOND,
    PixelGrid,
)
from galsmith.measure.engine.stamp import Moments, Stamp

_SEPARATION_IN_R_HALF = 2.0
_ROUGH_TOLERANCE, _MOST_ROUGH_EVALUATIONS = 1e-4, 100


class DoubleSersicFit(NamedTuple):
    """Two Sérsic laws with one center: the first began with the inner pixels, the second with the outer ones.

    Attributes
    ----------
    x, y : float
        Center in the stamp, pixels.
    amplitude_1, r_eff_1, index_1, ellipticity_1, orientation_1_rad : float
        As those of `SersicFit`, of the first law; of the second likewise.
    chi2_dof, aic, bic : float
        Sum of the squared, weighted residuals per degree of freedom; Akaike's and the Bayesian criterion.
    n_evaluations : int
        How often the sum of both was computed.
    """

    x: float
    y: float
    amplitude_1: float
    r_eff_1: float
    index_1: float
    ellipticity_1: float
    orientation_1_rad: float
    amplitude_2: float
    r_eff_2: float
    index_2: float
    ellipticity_2: float
    orientation_2_rad: float
    chi2_dof: float
    aic: float
    bic: float
    n_evaluations: int


@compiled
def fit_double_sersic(
    stamp: Stamp,
    noise: NDArray[np.float64],
    x: float,
    y: float,
    r_half_ellip: float,
    moments: Moments,
    single: SersicFit,
    psf: NDArray[np.float64],
    mode: int,
    noticed: NDArray[np.uint8],
) -> DoubleSersicFit:
    """Fit two Sérsic laws with one center to the pixels of a stamp.

    The two start from fits of one law within and beyond twice the half-light radius, its center held. Two laws have
    several minima: OPTIMUM takes the lower of two, the one that exact derivatives lead to from there and the one
    below statmorph's own answer.

    Parameters
    ----------
    stamp, noise, x, y, r_half_ellip, moments, psf, mode
        As `fit_sersic` takes them.
    single : SersicFit
        What that function found.
    noticed : ndarray [flag], uint8
        The double Sérsic flags are set in it.

    Returns
    -------
    DoubleSersicFit
        All NaN where there are too few pixels, no fit of one law, or the model overflows.
    """
    weights = weights_of_noise(stamp.pixels, noise)
    n_used = count_used(weights)
    n_parameters = CENTER_PARAMETERS + 2 * COMPONENT_PARAMETERS
    if n_used <= n_parameters:
        noticed[DOUBLE_SERSIC_NOT_ENOUGH_PIXELS] = 1
        return _undefined_fit()
    spread = point_spread(psf, stamp.pixels.shape[0], stamp.pixels.shape[1])
    data = SersicData(stamp.pixels, weights, PixelGrid(0.0, 1.0), spread)
    inside = _inner_weights(weights, x, y, _SEPARATION_IN_R_HALF * r_half_ellip, moments)
    parameters, has_converged, evaluations = _fit_from_start(data, inside, single, mode)
    if mode == OPTIMUM:
        rival, _, more = _fit_from_start(data, inside, single, PARITY)
        every = np.arange(n_parameters)
        rival_has_converged, most = fit_parameters(data, rival, every, OPTIMUM, TOLERANCE, MOST_EVALUATIONS)
        evaluations += more + most
        if chi2_of(data, rival) < chi2_of(data, parameters):
            parameters, has_converged = rival, rival_has_converged
    if not has_converged:
        noticed[DOUBLE_SERSIC_NOT_CONVERGED] = 1
    for base in (FIRST, SECOND):
        if hold_index(parameters, base):
            noticed[DOUBLE_SERSIC_AT_BOUND] = 1
        make_conventional(parameters, base)
    chi2 = chi2_of(data, parameters)
    if not math.isfinite(chi2):
        noticed[DOUBLE_SERSIC_NOT_CONVERGED] = 1
        return _undefined_fit()
    return _told(parameters, chi2, n_used, evaluations)


@compiled
def _fit_from_start(
    data: SersicData, inside: NDArray[np.float64], single: SersicFit, mode: int
) -> tuple[NDArray[np.float64], bool, int]:
    """Fit both laws; their parameters, whether the fit converged, and the evaluations of the model."""
    parameters = _start(data, inside, single, mode)
    every = np.arange(parameters.size)
    has_converged, evaluations = fit_parameters(data, parameters, every, mode, TOLERANCE, MOST_EVALUATIONS)
    return parameters, has_converged, evaluations


@compiled
def _told(parameters: NDArray[np.float64], chi2: float, n_used: int, evaluations: int) -> DoubleSersicFit:
    aic, bic = information_criteria(chi2, parameters.size, n_used)
    return DoubleSersicFit(
        parameters[0],
        parameters[1],
        parameters[FIRST + AMPLITUDE],
        parameters[FIRST + R_EFF],
        parameters[FIRST + INDEX],
        parameters[FIRST + ELLIPTICITY],
        parameters[FIRST + ORIENTATION],
        parameters[SECOND + AMPLITUDE],
        parameters[SECOND + R_EFF],
        parameters[SECOND + INDEX],
        parameters[SECOND + ELLIPTICITY],
        parameters[SECOND + ORIENTATION],
        chi2 / (n_used - parameters.size),
        aic,
        bic,
        evaluations,
    )


@compiled
def _undefined_fit() -> DoubleSersicFit:
    nan = math.nan
    return DoubleSersicFit(nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, 0)


@compiled
def _inner_weights(
    weights: NDArray[np.float64], x: float, y: float, a: float, moments: Moments
) -> NDArray[np.float64]:
    """Weights of the pixels within an ellipse of semi-major axis `a`, 0 beyond."""
    cosine, sine = math.cos(moments.orientation_rad), math.sin(moments.orientation_rad)
    inside = np.zeros(weights.shape)
    for row in range(weights.shape[0]):
        for column in range(weights.shape[1]):
            along = (column - x) * cosine + (row - y) * sine
            across = (row - y) * cosine - (column - x) * sine
            if math.sqrt(along**2 + (across * moments.elongation) ** 2) < a:
                inside[row, column] = weights[row, column]
    return inside


@compiled
def _start(
    data: SersicData, inside: NDArray[np.float64], single: SersicFit, mode: int
) -> NDArray[np.float64]:
    """Fit one law to the inner pixels and one to the outer ones, from the fit to all of them."""
    outside = np.zeros(inside.shape)
    for row in range(inside.shape[0]):
        for column in range(inside.shape[1]):
            if inside[row, column] == 0.0:
                outside[row, column] = data.weights[row, column]
    parameters = np.empty(CENTER_PARAMETERS + 2 * COMPONENT_PARAMETERS)
    one = np.array(
        [
            single.x,
            single.y,
            single.amplitude,
            single.r_eff,
            single.sersic_index,
            single.ellipticity,
            single.orientation_rad,
        ]
    )
    shape = np.arange(CENTER_PARAMETERS, one.size)
    for k in range(2):
        part = one.copy()
        region = SersicData(data.pixels, inside if k == 0 else outside, data.grid, data.spread)
        fit_parameters(region, part, shape, mode, _ROUGH_TOLERANCE, _MOST_ROUGH_EVALUATIONS)
        hold_index(part, FIRST)
        base = CENTER_PARAMETERS + k * COMPONENT_PARAMETERS
        for i in range(COMPONENT_PARAMETERS):
            parameters[base + i] = part[CENTER_PARAMETERS + i]
    parameters[0], parameters[1] = single.x, single.y
    return parameters
