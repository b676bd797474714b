"""The fit of one Sérsic law to a stamp, as statmorph 0.7.2 starts, weighs and flags it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.apertures import ellipse_sum_and_area
from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.flags import (
    SERSIC_AT_BOUND,
    SERSIC_NONPOSITIVE_AMPLITUDE,
    SERSIC_NOT_CONVERGED,
    SERSIC_NOT_ENOUGH_PIXELS,
    SERSIC_RADIUS_BELOW_ANNULUS,
)
from galsmith.measure.engine.point_spread import point_spread
from galsmith.measure.engine.sersic_data import (
    SersicData,
    count_used,
    fill_residuals,
    sum_of_squares,
    weights_of_noise,
)
from galsmith.measure.engine.sersic_law import (
    AMPLITUDE,
    CENTER_PARAMETERS,
    ELLIPTICITY,
    INDEX,
    LOWEST_INDEX,
    ORIENTATION,
    R_EFF,
    PixelGrid,
)
from galsmith.measure.engine.sersic_optimum import fit_to_minimum
from galsmith.measure.engine.sersic_parity import fit_as_minpack
from galsmith.measure.engine.stamp import Moments, Stamp

PARITY, OPTIMUM = 0, 1
_ANNULUS_WIDTH_PIX = 1.0
_LEAST_FIRST_INDEX, _GREATEST_FIRST_INDEX = 1.0, 3.5
TOLERANCE, MOST_EVALUATIONS = 1e-5, 500
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


@compiled
def fit_sersic(
    stamp: Stamp,
    noise: NDArray[np.float64],
    x: float,
    y: float,
    r_half_ellip: float,
    concentration: float,
    moments: Moments,
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
    x, y : float
        The center of least asymmetry, in the stamp: where the fit starts.
    r_half_ellip, concentration, moments
        Elliptical half-light radius in pixels, concentration and the moments about that center: the other starts.
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
    parameters = sersic_start(stamp, x, y, r_half_ellip, concentration, moments, noticed)
    weights = weights_of_noise(stamp.pixels, noise)
    n_used = count_used(weights)
    if n_used <= parameters.size:
        noticed[SERSIC_NOT_ENOUGH_PIXELS] = 1
        return _undefined_fit()
    spread = point_spread(psf, stamp.pixels.shape[0], stamp.pixels.shape[1])
    data = SersicData(stamp.pixels, weights, PixelGrid(0.0, 1.0), spread)
    has_converged, evaluations = fit_parameters(
        data, parameters, np.arange(parameters.size), mode, TOLERANCE, MOST_EVALUATIONS
    )
    if not has_converged:
        noticed[SERSIC_NOT_CONVERGED] = 1
    if hold_index(parameters, CENTER_PARAMETERS):
        noticed[SERSIC_AT_BOUND] = 1
    make_conventional(parameters, CENTER_PARAMETERS)
    chi2 = chi2_of(data, parameters)
    if not math.isfinite(chi2):
        noticed[SERSIC_NOT_CONVERGED] = 1
        return _undefined_fit()
    aic, bic = information_criteria(chi2, parameters.size, n_used)
    return SersicFit(
        parameters[CENTER_PARAMETERS + AMPLITUDE],
        parameters[CENTER_PARAMETERS + R_EFF],
        parameters[CENTER_PARAMETERS + INDEX],
        parameters[0],
        parameters[1],
        parameters[CENTER_PARAMETERS + ELLIPTICITY],
        parameters[CENTER_PARAMETERS + ORIENTATION],
        chi2 / (n_used - parameters.size),
        aic,
        bic,
        evaluations,
    )


@compiled
def _undefined_fit() -> SersicFit:
    nan = math.nan
    return SersicFit(nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, 0)


@compiled
def sersic_start(
    stamp: Stamp,
    x: float,
    y: float,
    r_half_ellip: float,
    concentration: float,
    moments: Moments,
    noticed: NDArray[np.uint8],
) -> NDArray[np.float64]:
    """Where the fit starts: parameters [7] as ``sersic_law`` orders them; the arguments are `fit_sersic`'s."""
    index = _LEAST_FIRST_INDEX
    if concentration > 0.0:
        index = min(max(10.0 ** (-1.5) * concentration**3.5, _LEAST_FIRST_INDEX), _GREATEST_FIRST_INDEX)
    a_in = r_half_ellip - 0.5 * _ANNULUS_WIDTH_PIX
    a_out = r_half_ellip + 0.5 * _ANNULUS_WIDTH_PIX
    if not a_in >= 0.0:
        noticed[SERSIC_RADIUS_BELOW_ANNULUS] = 1
        a_in = r_half_ellip
    b_out = (1.0 - moments.ellipticity) * a_out
    theta = moments.orientation_rad
    outer, outer_area = ellipse_sum_and_area(stamp, x, y, a_out, b_out, theta)
    inner, inner_area = ellipse_sum_and_area(stamp, x, y, a_in, b_out * a_in / a_out, theta)
    area = outer_area - inner_area
    amplitude = (outer - inner) / area if area > 1e-8 else 0.0
    if not amplitude > 0.0:
        noticed[SERSIC_NONPOSITIVE_AMPLITUDE] = 1
        amplitude = abs(amplitude)
    return np.array([x, y, amplitude, r_half_ellip, index, moments.ellipticity, theta])


@compiled
def fit_parameters(
    data: SersicData,
    parameters: NDArray[np.float64],
    free: NDArray[np.int64],
    mode: int,
    tolerance: float,
    most_evaluations: int,
) -> tuple[bool, int]:
    """Fit some parameters in place; whether that converged, and the evaluations of the model.

    The tolerance is one of the parameters; that of chi^2, which is flat at its minimum, is its square.
    """
    if mode == PARITY:
        status, evaluations = fit_as_minpack(data, parameters, free, tolerance, most_evaluations)
    else:
        status, evaluations, _ = fit_to_minimum(
            data, parameters, free, tolerance * tolerance, most_evaluations
        )
    return 1 <= status <= _GREATEST_CONVERGED, evaluations


@compiled
def hold_index(parameters: NDArray[np.float64], base: int) -> bool:
    """Raise the index of the component at `base` to its bound if it is below; whether it stands there now."""
    if parameters[base + INDEX] <= LOWEST_INDEX:
        parameters[base + INDEX] = LOWEST_INDEX
        return True
    return False


@compiled
def make_conventional(parameters: NDArray[np.float64], base: int) -> None:
    """Give the component at `base` a positive radius, an ellipticity in [0, 1] and an angle in (-pi/2, pi/2]."""
    r_eff, ellipticity = abs(parameters[base + R_EFF]), parameters[base + ELLIPTICITY]
    angle = parameters[base + ORIENTATION]
    if ellipticity > 1.0:
        ellipticity = 2.0 - ellipticity
    if ellipticity < 0.0:
        r_eff *= 1.0 - ellipticity
        ellipticity /= ellipticity - 1.0
        angle += 0.5 * math.pi
    parameters[base + R_EFF] = r_eff
    parameters[base + ELLIPTICITY] = ellipticity
    parameters[base + ORIENTATION] = angle - math.pi * math.ceil(angle / math.pi - 0.5)


@compiled
def chi2_of(data: SersicData, parameters: NDArray[np.float64]) -> float:
    """Sum of the squared, weighted residuals."""
    residuals = np.empty(data.pixels.size)
    fill_residuals(data, parameters, residuals)
    return sum_of_squares(residuals)


@compiled
def information_criteria(chi2: float, n_parameters: int, n_samples: int) -> tuple[float, float]:
    """Akaike's criterion, corrected for small samples, and the Bayesian one (Schwarz 1978), as astropy has them."""
    minus_log_likelihood = 0.5 * n_samples * math.log(chi2 / n_samples) if chi2 > 0.0 else -math.inf
    aic = 2.0 * (n_parameters + minus_log_likelihood)
    if n_samples < _SAMPLES_PER_PARAMETER * n_parameters:
        aic += 2.0 * n_parameters * (n_parameters + 1.0) / (n_samples - n_parameters - 1.0)
    return aic, n_parameters * math.log(n_samples) + 2.0 * minus_log_likelihood
