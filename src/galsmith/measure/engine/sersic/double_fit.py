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
from galsmith.measure.engine.sersic.fit import (
    INTEGRATED,
    PARITY,
    Outcome,
    SersicFit,
    Start,
    fit_data,
    fit_parameters,
    information_criteria,
    make_conventional,
)
from galsmith.measure.engine.sersic.law import CENTER_PARAMETERS, COMPONENT_PARAMETERS
from galsmith.measure.engine.sersic.residuals import SersicData, count_used
from galsmith.measure.engine.stamp import Stamp

# statmorph's doublesersic_rsep_over_rhalf; acc and maxiter of its two rough fits
_SEPARATION_IN_R_HALF = 2.0
_ROUGH_TOLERANCE, _MOST_ROUGH_EVALUATIONS = 1e-4, 100
_N_PARAMETERS = CENTER_PARAMETERS + 2 * COMPONENT_PARAMETERS
_EVERY = np.arange(_N_PARAMETERS)


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


UNDEFINED_DOUBLE_FIT = DoubleSersicFit._make([math.nan] * 15 + [0])


def fit_double_sersic(
    stamp: Stamp,
    noise: NDArray[np.float64],
    start: Start,
    single: SersicFit,
    psf: NDArray[np.float64],
    mode: int,
    noticed: NDArray[np.uint8],
) -> DoubleSersicFit:
    """Fit two Sérsic laws with one center to the pixels of a stamp.

    The two start from fits of one law within and beyond twice the half-light radius, its center held. Two laws have
    several minima: INTEGRATED takes the lower of two, the one that exact derivatives lead to from there and the one
    that they lead to from statmorph's own answer.

    Parameters
    ----------
    stamp, noise, start, psf, mode
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
    data = fit_data(stamp, noise, psf, mode)
    n_used = count_used(data.weights)
    if n_used <= _N_PARAMETERS:
        noticed[DOUBLE_SERSIC_NOT_ENOUGH_PIXELS] = 1
        return UNDEFINED_DOUBLE_FIT
    # statmorph's _doublesersic_initial_guess: one law within, one beyond, both about the single fit's center
    inside = _inner_weights(data.weights, start)
    parameters, outcome = _fit_from_start(data, inside, single, mode)
    if mode == INTEGRATED:
        parameters, outcome = _lower_of(parameters, outcome, *_fit_below_parity(data, inside, single))
    if not outcome.has_converged:
        noticed[DOUBLE_SERSIC_NOT_CONVERGED] = 1
    if make_conventional(parameters):
        noticed[DOUBLE_SERSIC_AT_BOUND] = 1
    if not (math.isfinite(outcome.chi2) and np.isfinite(parameters).all()):
        noticed[DOUBLE_SERSIC_NOT_CONVERGED] = 1
        return UNDEFINED_DOUBLE_FIT
    criteria = information_criteria(outcome.chi2, _N_PARAMETERS, n_used)
    chi2_dof = outcome.chi2 / (n_used - _N_PARAMETERS)
    return DoubleSersicFit._make([*parameters.tolist(), chi2_dof, *criteria, outcome.n_evaluations])


def _fit_from_start(
    data: SersicData, inside: NDArray[np.float64], single: SersicFit, mode: int
) -> tuple[NDArray[np.float64], Outcome]:
    """Fit both laws, from fits of one to the inner and of one to the outer pixels."""
    outside = np.where(inside == 0.0, data.weights, 0.0)
    one = [single.x, single.y, single.amplitude, single.r_eff, single.sersic_index]
    one += [single.ellipticity, single.orientation_rad]
    shape = np.arange(CENTER_PARAMETERS, len(one))
    parameters = [single.x, single.y]
    for weights in (inside, outside):
        # both rough fits begin with the single one
        law = np.array(one)
        fit_parameters(
            data._replace(weights=weights),
            law,
            free=shape,
            mode=mode,
            tolerance=_ROUGH_TOLERANCE,
            gain_tolerance=_ROUGH_TOLERANCE,
            most_evaluations=_MOST_ROUGH_EVALUATIONS,
        )
        parameters += law[CENTER_PARAMETERS:].tolist()
    both = np.array(parameters)
    return both, fit_parameters(data, both, free=_EVERY, mode=mode)


def _fit_below_parity(
    data: SersicData, inside: NDArray[np.float64], single: SersicFit
) -> tuple[NDArray[np.float64], Outcome]:
    """Go on from statmorph's answer to the minimum below it."""
    parameters, before = _fit_from_start(data, inside, single, PARITY)
    after = fit_parameters(data, parameters, free=_EVERY, mode=INTEGRATED)
    return parameters, after._replace(n_evaluations=before.n_evaluations + after.n_evaluations)


def _lower_of(
    one: NDArray[np.float64], one_outcome: Outcome, other: NDArray[np.float64], other_outcome: Outcome
) -> tuple[NDArray[np.float64], Outcome]:
    """Choose the fit of smaller chi^2, and count the evaluations of both."""
    is_other = other_outcome.chi2 < one_outcome.chi2 or not math.isfinite(one_outcome.chi2)
    outcome = other_outcome if is_other else one_outcome
    total = one_outcome.n_evaluations + other_outcome.n_evaluations
    return (other if is_other else one), outcome._replace(n_evaluations=total)


@compiled
def _inner_weights(weights: NDArray[np.float64], start: Start) -> NDArray[np.float64]:
    """Weights of the pixels within an ellipse of twice the half-light radius, 0 beyond."""
    x, y, moments = start.x, start.y, start.moments
    a = _SEPARATION_IN_R_HALF * start.r_half_ellip
    cosine, sine = math.cos(moments.orientation_rad), math.sin(moments.orientation_rad)
    inside = np.zeros(weights.shape)
    for row in range(weights.shape[0]):
        for column in range(weights.shape[1]):
            along = (column - x) * cosine + (row - y) * sine
            across = (row - y) * cosine - (column - x) * sine
            # elliptical radius, as statmorph's
            if math.sqrt(along**2 + (across * moments.elongation) ** 2) < a:
                inside[row, column] = weights[row, column]
    return inside
