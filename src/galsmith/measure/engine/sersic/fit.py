"""The fit of one Sérsic law to a stamp: integrated over pixels, to the minimum; or with statmorph 0.7.2's steps."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.engine.compiled import compiled
from galsmith.measure.engine.flags import (
    FIRST_DOUBLE_SERSIC_FLAG,
    FIRST_SERSIC_FLAG,
    SERSIC_AT_BOUND,
    SERSIC_NONPOSITIVE_AMPLITUDE,
    SERSIC_NOT_CONVERGED,
    SERSIC_NOT_ENOUGH_PIXELS,
    SERSIC_RADIUS_BELOW_ANNULUS,
    SERSIC_UNCERTAINTY_UNDEFINED,
    SERSIC_UNPHYSICAL,
)
from galsmith.measure.engine.light.apertures import Ellipse, ellipse_sum_and_area
from galsmith.measure.engine.light.statistics import noise_map
from galsmith.measure.engine.sersic.law import (
    CENTER_PARAMETERS,
    COMPONENT_PARAMETERS,
    ELLIPTICITY,
    INDEX,
    LOWEST_INDEX,
    ORIENTATION,
    R_EFF,
)
from galsmith.measure.engine.sersic.optimum import bounds_of, fit_integrated
from galsmith.measure.engine.sersic.parity import fit_as_minpack
from galsmith.measure.engine.sersic.residuals import (
    SersicData,
    count_used,
    sersic_data,
    with_light_from_beyond,
)
from galsmith.measure.engine.sersic.uncertainty import KNOWN, covariance_of, total_flux
from galsmith.measure.engine.stamp import Moments, SkyBox, Stamp

PARITY, INTEGRATED = 0, 1
_ANNULUS_WIDTH_PIX = 1.0
_LEAST_FIRST_INDEX, _GREATEST_FIRST_INDEX = 1.0, 3.5
# acc and maxiter of statmorph's call of LevMarLSQFitter
TOLERANCE, MOST_EVALUATIONS = 1e-5, 500
# of chi^2, which is flat at its minimum: of 10,000 pixels a parameter is then right to 1 % of its uncertainty
GAIN_TOLERANCE = 3e-8
# MINPACK's info: 1 to 4 converged, 5 to 8 not
_GREATEST_CONVERGED = 4
# a fit that ends far from the noise is begun again from laws of these indices, roughly
_FAR_CHI2_DOF = 4.0
_OTHER_INDICES = (1.0, 4.0)
_WORTH_GAINING = 1e-6
# the search for bad pixels takes the pixel of a cusp for one: they are looked for as far as the nine pixels that are
# integrated about the center reach, and given back where chi^2 rises by no more than 5 sigma a pixel
_REACH_PIX = 1
_MOST_CHI2 = 25.0
# a rough fit may be so far off in chi^2; one whose parameters come so near, sizes as shares, ended in the same minimum
_ROUGH_CHI2, _SAME = 1e-3, 0.05
# no galaxy is steeper
_GREATEST_INDEX = 8.0
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
    flux : float
        Out to infinity.
    covariance : ndarray [7, 7], float64
        Of `uncertainty.KNOWN`, from the noise of the pixels; NaN where it is not known, as of fits with statmorph's
        steps.
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
    flux: float
    covariance: NDArray[np.float64]


_NOT_KNOWN = np.full((len(KNOWN), len(KNOWN)), math.nan)
UNDEFINED_FIT = SersicFit._make([*[math.nan] * 10, 0, math.nan, _NOT_KNOWN])


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
    """How a fit ended.

    Attributes
    ----------
    has_converged : bool
        Whether it found a minimum.
    n_evaluations : int
        Of the model.
    chi2 : float
        Sum of squared residuals.
    matrix : ndarray [parameter, parameter], float64
        J^T J there, J the weighted derivatives, its upper triangle; NaN of fits with statmorph's steps.
    """

    has_converged: bool
    n_evaluations: int
    chi2: float
    matrix: NDArray[np.float64]


def fit_sersic(
    stamp: Stamp,
    noise: NDArray[np.float64],
    start: Start,
    psf: NDArray[np.float64],
    mode: int,
    noticed: NDArray[np.uint8],
) -> SersicFit:
    """Fit a Sérsic law to the pixels of a stamp.

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
        PARITY: statmorph's own steps, the law taken at pixel centers. INTEGRATED: the law integrated over pixels
        (behind a point spread, whose image has that in it, convolved with it), at the minimum of chi^2 within
        bounds; begun again from other laws where it ends far from the noise.
    noticed : ndarray [flag], uint8
        The Sérsic flags are set in it.

    Returns
    -------
    SersicFit
        All NaN where there are too few pixels, no start, or the model overflows.
    """
    parameters = sersic_start(stamp, start, noticed)
    data = fit_data(stamp, noise, psf, mode)
    n_used = count_used(data.weights)
    if n_used <= parameters.size:
        noticed[SERSIC_NOT_ENOUGH_PIXELS] = 1
        return UNDEFINED_FIT
    if mode == INTEGRATED:
        parameters, outcome = _best_fit(data, parameters, n_used)
    else:
        outcome = fit_parameters(data, parameters, free=np.arange(parameters.size), mode=mode)
    is_held = _at_bounds(data, parameters, mode)
    if make_conventional(parameters) or is_held.any():
        noticed[SERSIC_AT_BOUND] = 1
    is_defined = math.isfinite(outcome.chi2) and bool(np.isfinite(parameters).all())
    if not (is_defined and outcome.has_converged):
        noticed[SERSIC_NOT_CONVERGED] = 1
    if not is_defined:
        return UNDEFINED_FIT
    fit = _told(parameters, outcome, n_used)
    return (
        fit if mode == PARITY else _with_covariance(fit, data, outcome.matrix, parameters, is_held, noticed)
    )


class Maps(NamedTuple):
    """What was given beside the image that a stamp was cut from, and how its noise is made.

    Attributes
    ----------
    labels : ndarray [y, x], int32
        Segmentation map.
    label : int
        The galaxy's; pixels of others stay masked.
    caller_mask : ndarray [y, x], bool
        Stays masked; 0x0 for none.
    sigma_map : ndarray [y, x], float64
        As `noise_map` takes it, with `gain` and `sky`.
    gain : float
        Electrons per flux unit.
    sky : SkyBox
        Of the stamp.
    """

    labels: NDArray[np.int32]
    label: int
    caller_mask: NDArray[np.bool_]
    sigma_map: NDArray[np.float64]
    gain: float
    sky: SkyBox


class Fitted(NamedTuple):
    """A fit, and what was fitted."""

    fit: SersicFit
    stamp: Stamp
    noise: NDArray[np.float64]


def outliers_at_center(stamp: Stamp, start: Start, maps: Maps) -> NDArray[np.bool_] | None:
    """Map the pixels about the center that are masked for standing out alone, [y, x]; None where there is none."""
    if not (np.isfinite(start.x) and np.isfinite(start.y)):
        return None
    rows, columns = (
        slice(max(0, at - _REACH_PIX), max(0, at + _REACH_PIX + 1)) for at in (round(start.y), round(start.x))
    )
    there = (rows, columns)
    if not stamp.mask[there].any():
        return None
    height, width = stamp.mask.shape
    on_image = slice(stamp.y_min, stamp.y_min + height), slice(stamp.x_min, stamp.x_min + width)
    found = np.zeros((height, width), dtype=np.bool_)
    found[there] = stamp.mask[there] & np.isfinite(stamp.raw[there])
    found &= np.isin(maps.labels[on_image], (0, maps.label))
    if maps.caller_mask.size:
        found &= ~maps.caller_mask[on_image]
    return found if found.any() else None


def with_outliers(
    without: Fitted,
    start: Start,
    maps: Maps,
    psf: NDArray[np.float64],
    mode: int,
    noticed: NDArray[np.uint8],
) -> Fitted:
    """Fit the outliers at the center too, where there are any and noise lets the law explain them.

    A pixel over 10 standard deviations of its eight neighbors from their mean is bad (Lotz et al. 2004), and so is the
    central one of a steep law that no point spread blurs: without it n = 6 is known three to four times less well.

    Parameters
    ----------
    without : Fitted
        What `fit_sersic` found without them.
    start, psf, mode, noticed
        As that function took them; its flags become those of the fit that is given back.
    maps : Maps
        Of the galaxy.

    Returns
    -------
    Fitted
        The one given where chi^2 would rise by more than noise does: a hot pixel, or no cusp of a Sérsic law.
    """
    outliers = outliers_at_center(without.stamp, start, maps)
    if outliers is None:
        return without
    stamp = without.stamp._replace(
        pixels=np.where(outliers, without.stamp.raw, without.stamp.pixels),
        mask=without.stamp.mask & ~outliers,
    )
    noise = noise_map(stamp, maps.gain, maps.sky, maps.sigma_map)
    seen = np.zeros_like(noticed)
    whole = Fitted(fit_sersic(stamp, noise, start, psf, mode, seen), stamp, noise)
    most = _MOST_CHI2 * max(1.0, without.fit.chi2_dof) * np.count_nonzero(outliers)
    if not _chi2(whole) - _chi2(without) <= most:
        return without
    of_fit = slice(FIRST_SERSIC_FLAG, FIRST_DOUBLE_SERSIC_FLAG)
    noticed[of_fit] = seen[of_fit]
    return whole


def _chi2(fitted: Fitted) -> float:
    """Sum of the squared residuals."""
    n_used = np.count_nonzero(
        (fitted.stamp.pixels != 0.0) & (fitted.noise != 0.0) & np.isfinite(fitted.noise)
    )
    return fitted.fit.chi2_dof * (int(n_used) - len(KNOWN))


def _with_covariance(
    fit: SersicFit,
    data: SersicData,
    matrix: NDArray[np.float64],
    parameters: NDArray[np.float64],
    is_held: NDArray[np.bool_],
    noticed: NDArray[np.uint8],
) -> SersicFit:
    """Tell how well the fit is known, and flag one that is not, or that no galaxy has."""
    if fit.sersic_index > _GREATEST_INDEX or fit.r_eff > max(data.pixels.shape):
        noticed[SERSIC_UNPHYSICAL] = 1
    covariance = covariance_of(matrix, parameters, is_held)
    if np.isnan(covariance).any():
        noticed[SERSIC_UNCERTAINTY_UNDEFINED] = 1
    return fit._replace(covariance=covariance)


def fit_data(stamp: Stamp, noise: NDArray[np.float64], psf: NDArray[np.float64], mode: int) -> SersicData:
    """Prepare what is fitted; the arguments are those of `fit_sersic`."""
    data = sersic_data(stamp.pixels, noise, psf)
    # statmorph's model is dark beyond the edges of the stamp
    return with_light_from_beyond(data) if mode == INTEGRATED and psf.size > 0 else data


def _best_fit(
    data: SersicData, start: NDArray[np.float64], n_used: int
) -> tuple[NDArray[np.float64], Outcome]:
    """Fit from the start, and from other laws where that ends at a bound, nowhere, or far from the noise."""
    free = np.arange(start.size)
    best = start.copy()
    outcome = fit_parameters(data, best, free=free, mode=INTEGRATED)
    is_far = outcome.chi2 > _FAR_CHI2_DOF * (n_used - start.size)
    if not (is_far or not outcome.has_converged or _at_bounds(data, best, INTEGRATED).any()):
        return best, outcome
    for index in _OTHER_INDICES:
        other = start.copy()
        other[CENTER_PARAMETERS + INDEX] = index
        trial = fit_parameters(data, other, free=free, mode=INTEGRATED, ends_rough=True)
        outcome = outcome._replace(n_evaluations=outcome.n_evaluations + trial.n_evaluations)
        if _is_same(best, other) or trial.chi2 > outcome.chi2 * (1.0 + _ROUGH_CHI2):
            continue
        trial = fit_parameters(data, other, free=free, mode=INTEGRATED)
        if trial.chi2 < outcome.chi2 * (1.0 - _WORTH_GAINING) or not math.isfinite(outcome.chi2):
            best, outcome = other, trial._replace(n_evaluations=trial.n_evaluations + outcome.n_evaluations)
    return best, outcome


def _is_same(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether two rough fits ended in one minimum."""
    scale = np.ones(one.size)
    scale[CENTER_PARAMETERS : CENTER_PARAMETERS + ELLIPTICITY] = one[CENTER_PARAMETERS:][:ELLIPTICITY]
    # rounder laws are told apart by their angle less and less
    return bool((np.abs(one - other) <= _SAME * np.abs(scale))[:-1].all())


def _at_bounds(data: SersicData, parameters: NDArray[np.float64], mode: int) -> NDArray[np.bool_]:
    """Which parameters stand at a bound; none of fits with statmorph's steps, whose only one is that of the index."""
    if mode == PARITY:
        return np.zeros(parameters.size, dtype=np.bool_)
    bounds = bounds_of(data.pixels.shape, parameters.size)
    return (parameters <= bounds.low) | (parameters >= bounds.high)


def _told(parameters: NDArray[np.float64], outcome: Outcome, n_used: int) -> SersicFit:
    """Bring the result of a fit to its names."""
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
        total_flux(amplitude, r_eff, index, ellipticity),
        _NOT_KNOWN,
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
    tolerance: float = TOLERANCE,
    gain_tolerance: float = GAIN_TOLERANCE,
    most_evaluations: int = MOST_EVALUATIONS,
    ends_rough: bool = False,
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
        PARITY or INTEGRATED.
    tolerance : float
        Of the parameters, with statmorph's steps.
    gain_tolerance : float
        Of chi^2, to the minimum.
    most_evaluations : int
        Bound of the work.
    ends_rough : bool
        Whether a fit to the minimum ends before all pixels were read, near enough to tell minima apart.
    """
    matrix = np.full((parameters.size, parameters.size), math.nan)
    if mode == INTEGRATED:
        status, evaluations, chi2 = fit_integrated(
            data, parameters, free, gain_tolerance, most_evaluations, ends_rough, matrix
        )
    else:
        status, evaluations, chi2 = fit_as_minpack(data, parameters, free, tolerance, most_evaluations)
        # lmdif itself knows no bounds: astropy clips inside the model, and here the result
        indices = parameters[CENTER_PARAMETERS + INDEX :: COMPONENT_PARAMETERS]
        np.maximum(indices, LOWEST_INDEX, out=indices)
    return Outcome(1 <= status <= _GREATEST_CONVERGED, evaluations, chi2, matrix)


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
