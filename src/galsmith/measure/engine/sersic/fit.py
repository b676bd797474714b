"""The fit of one Sérsic law to a stamp, as statmorph 0.7.2 starts, weighs and flags it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.flags import (
    SERSIC_AT_BOUND,
    SERSIC_NONPOSITIVE_AMPLITUDE,
    SERSIC_NOT_CONVERGED,
    SERSIC_NOT_ENOUGH_PIXELS,
    SERSIC_RADIUS_BELOW_ANNULUS,
)
from galsmith.measure.engine.light.apertures import Ellipse, ellipse_sum_and_area
from galsmith.measure.engine.sersic.law import (
    CENTER_PARAMETERS,
    COMPONENT_PARAMETERS,
    ELLIPTICITY,
    INDEX,
    LOWEST_INDEX,
    ORIENTATION,
    R_EFF,
)
from galsmith.measure.engine.sersic.optimum import fit_to_minimum
from galsmith.measure.engine.sersic.parity import fit_as_minpack
from galsmith.measure.engine.sersic.residuals import SersicData, count_used, sersic_data
from galsmith.measure.engine.stamp import Moments, Stamp

PARITY, OPTIMUM = 0, 1
_ANNULUS_WIDTH_PIX = 1.0
_LEAST_FIRST_INDEX, _GREATEST_FIRST_INDEX = 1.0, 3.5
# acc and maxiter of statmorph's call of LevMarLSQFitter
TOLERANCE, MOST_EVALUATIONS = 1e-5, 500
# MINPACK's info: 1 to 4 converged, 5 to 8 not
_GREATEST_CONVERGED = 4
# astropy corrects the criterion for smaller samples
_SAMPLES_PER_PARAMETER = 40.0


class SersicFit(NamedTuple):
    """One Sérsic law.

    Attributes
    ----------
    amplitude : float
        Flux per pixel at the effective radius.
    r_eff : float
        Effective radius along the major axis, pixels.
    sersic_index : float
        Sérsic index n.
    x, y : float
        Center in the stamp, pixels.
    ellipticity : float
        1 - b/a.
    orientation_rad : float
        Of the major axis, counter-clockwise from +x, in (-pi/2, pi/2].
    chi2_dof, aic, bic : float
        Sum of the squared, weighted residuals per degree of freedom; Akaike's and the Bayesian criterion.
    n_evaluations : int
        How often the model was computed.
    """

    amplitude: float
    r_eff: float
    sersic_index: float
    x: float
    y: float
    ellipticity: float
    orientation_rad: float
    chi2_dof: float
    aic: float
    bic: float
    n_evaluations: int


UNDEFINED_FIT = SersicFit._make([math.nan] * 10 + [0])


class Start(NamedTuple):
    """What a fit starts from.

    Attributes
    ----------
    x, y : float
        Point of least asymmetry, pixels of the stamp.
    r_half_ellip : float
        Elliptical half-light radius, pixels.
    concentration : float
        5 log10(r80 / r20).
    moments : Moments
        About that point.
    """

    x: float
    y: float
    r_half_ellip: float
    concentration: float
    moments: Moments


class Outcome(NamedTuple):
    """How a fit ended: whether it converged, the evaluations of the model, the sum of squared residuals."""

    has_converged: bool
    n_evaluations: int
    chi2: float


def fit_sersic(
    stamp: Stamp,
    noise: NDArray[np.float64],
    start: Start,
    psf: NDArray[np.float64],
    mode: int,
    noticed: NDArray[np.uint8],
) -> SersicFit:
    """Fit a Sérsic law, evaluated at pixel centers, to the pixels of a stamp.

    Parameters
    ----------
    stamp : Stamp
        The galaxy; pixels of exactly 0 are left out, as masked ones are.
    noise : ndarray [y, x], float64
        Standard deviation of each pixel, 0 where it is to be left out.
    start : Start
        Where the fit starts.
    psf : ndarray [y, x], float64
        Point spread that the law is convolved with, 0 by 0 for none.
    mode : int
        PARITY: statmorph's own steps. OPTIMUM: the minimum of chi^2 that the same start leads down to, with
        exact derivatives and to 1e-10 of chi^2.
    noticed : ndarray [flag], uint8
        The Sérsic flags are set in it.

    Returns
    -------
    SersicFit
        All NaN where there are too few pixels, no start, or the model overflows.
    """
    parameters = sersic_start(stamp, start, noticed)
    data = sersic_data(stamp.pixels, noise, psf)
    n_used = count_used(data.weights)
    if n_used <= parameters.size:
        noticed[SERSIC_NOT_ENOUGH_PIXELS] = 1
        return UNDEFINED_FIT
    free = np.arange(parameters.size)
    outcome = fit_parameters(data, parameters, free=free, mode=mode, tolerance=TOLERANCE)
    if not outcome.has_converged:
        noticed[SERSIC_NOT_CONVERGED] = 1
    if make_conventional(parameters):
        noticed[SERSIC_AT_BOUND] = 1
    if not (math.isfinite(outcome.chi2) and np.isfinite(parameters).all()):
        noticed[SERSIC_NOT_CONVERGED] = 1
        return UNDEFINED_FIT
    center_x, center_y, *law = parameters.tolist()
    amplitude, r_eff, index, ellipticity, angle = law
    criteria = information_criteria(outcome.chi2, parameters.size, n_used)
    chi2_dof = outcome.chi2 / (n_used - parameters.size)
    return SersicFit(
        amplitude,
        r_eff,
        index,
        center_x,
        center_y,
        ellipticity,
        angle,
        chi2_dof,
        *criteria,
        outcome.n_evaluations,
    )


@compiled
def sersic_start(stamp: Stamp, start: Start, noticed: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Where the fit starts: parameters [7] as `law` orders them."""
    x, y, r_half_ellip, concentration, moments = start
    index = _LEAST_FIRST_INDEX
    # statmorph's empirical relation of n and the concentration, held to 1 to 3.5
    if concentration > 0.0:
        index = min(max(10.0 ** (-1.5) * concentration**3.5, _LEAST_FIRST_INDEX), _GREATEST_FIRST_INDEX)
    # mean flux in a ring one pixel wide at the half-light radius
    a_in = r_half_ellip - 0.5 * _ANNULUS_WIDTH_PIX
    a_out = r_half_ellip + 0.5 * _ANNULUS_WIDTH_PIX
    if not a_in >= 0.0:
        noticed[SERSIC_RADIUS_BELOW_ANNULUS] = 1
        a_in = r_half_ellip
    # 1 - ellipticity, not 1 / elongation: the two differ in the last bit
    b_out = (1.0 - moments.ellipticity) * a_out
    theta = moments.orientation_rad
    outer, outer_area = ellipse_sum_and_area(stamp, Ellipse(x, y, a_out, b_out, theta))
    inner, inner_area = ellipse_sum_and_area(stamp, Ellipse(x, y, a_in, b_out * a_in / a_out, theta))
    area = outer_area - inner_area
    # a ring of less area is off the stamp: two areas differ by rounding only
    amplitude = (outer - inner) / area if area > 1e-8 else 0.0
    if not amplitude > 0.0:
        noticed[SERSIC_NONPOSITIVE_AMPLITUDE] = 1
        amplitude = abs(amplitude)
    return np.array([x, y, amplitude, r_half_ellip, index, moments.ellipticity, theta])


def fit_parameters(
    data: SersicData,
    parameters: NDArray[np.float64],
    *,
    free: NDArray[np.int64],
    mode: int,
    tolerance: float,
    most_evaluations: int = MOST_EVALUATIONS,
) -> Outcome:
    """Fit some parameters of one or two laws.

    Parameters
    ----------
    data : SersicData
        What is fitted.
    parameters : ndarray [2 + 5 components], float64
        The start, as `law` orders it; becomes the result, its indices not below their bound.
    free : ndarray [n], int64
        Which of them are fitted.
    mode : int
        PARITY or OPTIMUM.
    tolerance : float
        Of the parameters; that of chi^2, which is flat at its minimum, is its square.
    most_evaluations : int
        Bound of the work.
    """
    if mode == PARITY:
        status, evaluations, chi2 = fit_as_minpack(data, parameters, free, tolerance, most_evaluations)
    else:
        status, evaluations, chi2 = fit_to_minimum(data, parameters, free, tolerance**2, most_evaluations)
    # lmdif itself knows no bounds: astropy clips inside the model, and here the result
    indices = parameters[CENTER_PARAMETERS + INDEX :: COMPONENT_PARAMETERS]
    np.maximum(indices, LOWEST_INDEX, out=indices)
    return Outcome(1 <= status <= _GREATEST_CONVERGED, evaluations, chi2)


@compiled
def make_conventional(parameters: NDArray[np.float64]) -> bool:
    """Give each law a positive radius, an ellipticity in [0, 1] and an angle in (-pi/2, pi/2].

    Returns
    -------
    bool
        Whether one of the indices stands at its bound.
    """
    is_at_bound = False
    for base in range(CENTER_PARAMETERS, parameters.size, COMPONENT_PARAMETERS):
        is_at_bound = is_at_bound or parameters[base + INDEX] <= LOWEST_INDEX
        r_eff, ellipticity = abs(parameters[base + R_EFF]), parameters[base + ELLIPTICITY]
        angle = parameters[base + ORIENTATION]
        # a law of ellipticity 1 + x is that of 1 - x; below 0 its axes are exchanged
        if ellipticity > 1.0:
            ellipticity = 2.0 - ellipticity
        if ellipticity < 0.0:
            r_eff *= 1.0 - ellipticity
            ellipticity /= ellipticity - 1.0
            angle += 0.5 * math.pi
        parameters[base + R_EFF] = r_eff
        parameters[base + ELLIPTICITY] = ellipticity
        parameters[base + ORIENTATION] = angle - math.pi * math.ceil(angle / math.pi - 0.5)
    return is_at_bound


def information_criteria(chi2: float, n_parameters: int, n_samples: int) -> tuple[float, float]:
    """Akaike's criterion, corrected for small samples, and the Bayesian one (Schwarz 1978), as astropy has them.

    With one sample more than parameters the correction has its pole, and the first is infinite.
    """
    # astropy.stats' information criteria for least squares
    minus_log_likelihood = 0.5 * n_samples * math.log(chi2 / n_samples) if chi2 > 0.0 else -math.inf
    aic = 2.0 * (n_parameters + minus_log_likelihood)
    if n_samples == n_parameters + 1:
        aic = math.inf
    elif n_samples < _SAMPLES_PER_PARAMETER * n_parameters:
        aic += 2.0 * n_parameters * (n_parameters + 1.0) / (n_samples - n_parameters - 1.0)
    return aic, n_parameters * math.log(n_samples) + 2.0 * minus_log_likelihood
