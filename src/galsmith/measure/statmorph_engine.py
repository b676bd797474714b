"""One stamp to morphological values and named flags, by statmorph (Rodriguez-Gomez et al. 2019)."""

import importlib
import logging
import math
import warnings
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import SettingsError
from galsmith.measure.measure_settings import MeasureSettings
from galsmith.measure.properties import PROPERTIES
from galsmith.measure.segmentation import border_level, segment

LOGGER = logging.getLogger("galsmith")

# Property of galsmith: attribute of statmorph.
STATMORPH_NAMES = {
    "asymmetry": "asymmetry",
    "smoothness": "smoothness",
    "concentration": "concentration",
    "gini": "gini",
    "m20": "m20",
    "r_half_pix": "rhalf_circ",
    "sersic_index": "sersic_n",
    "orientation_rad": "orientation_centroid",
    "ellipticity": "ellipticity_centroid",
    "elongation": "elongation_centroid",
    "bulge_statistic": "gini_m20_bulge",
    "merger_statistic": "gini_m20_merger",
    "r_petro_pix": "rpetro_circ",
    "r_petro_ellip_pix": "rpetro_ellip",
    "r_half_ellip_pix": "rhalf_ellip",
    "r20_pix": "r20",
    "r50_pix": "r50",
    "r80_pix": "r80",
    "r_max_pix": "rmax_circ",
    "center_x_pix": "xc_asymmetry",
    "center_y_pix": "yc_asymmetry",
    "flux": "flux_circ",
    "flux_ellip": "flux_ellip",
    "sn_per_pixel": "sn_per_pixel",
    "sersic_amplitude": "sersic_amplitude",
    "sersic_r_eff_pix": "sersic_rhalf",
    "sersic_ellipticity": "sersic_ellip",
    "sersic_orientation_rad": "sersic_theta",
    "sky_mean": "sky_mean",
    "sky_sigma": "sky_sigma",
}
MORPHOLOGY_COLUMNS = tuple(
    entry.name for entry in PROPERTIES if entry.name in STATMORPH_NAMES or entry.name == "flux_frame"
)
INVALID = -99.0
CATASTROPHIC = 4
FLAG_NAMES = {1: "suspect", 2: "bad", 4: "catastrophic"}
SERSIC_FLAG_NAMES = {1: "sersic_suspect", 2: "sersic_bad", 4: "sersic_catastrophic"}
PSF_REACH_SIGMA = 4.0
SIGMA_PER_FWHM = 1 / (2 * math.sqrt(2 * math.log(2)))


@dataclass
class Measured:
    """What one galaxy gave.

    Attributes
    ----------
    values : dict of property name to float
        NaN for what could not be measured.
    flag : int
        statmorph's: 0 good, 1 suspect, 2 bad, 4 nothing was measured.
    flags : list of str
        Names of all that was noticed.
    message : str
        Of the error, where the engine failed.
    """

    values: dict[str, float] = field(default_factory=dict)
    flag: int = 0
    flags: list[str] = field(default_factory=list)
    message: str = ""


def require_statmorph() -> dict[str, str]:
    """Check that the engine can be imported and give the versions that decide its numbers.

    Raises
    ------
    SettingsError
        If statmorph is not installed.
    """
    try:
        importlib.import_module("galsmith.measure.lean_statmorph")
    except ImportError as error:
        raise SettingsError(
            f"engine 'statmorph': cannot be imported ({error}); install it with pip install galsmith[statmorph]"
        ) from error
    return {name: metadata.version(name) for name in ("statmorph", "photutils")}


def measure_morphology(stamp: NDArray[np.floating[Any]], settings: MeasureSettings) -> Measured:
    """Measure one galaxy in one band; a stamp that cannot be measured gives NaN and a flag, never an error.

    Parameters
    ----------
    stamp : ndarray [y, x], float
        Flux per pixel.
    settings : MeasureSettings
        As `resolved_settings` gave them.

    Returns
    -------
    Measured
        With all of `MORPHOLOGY_COLUMNS`.
    """
    image = np.asarray(stamp, dtype=np.float64)
    finite = np.isfinite(image)
    result = Measured(values=dict.fromkeys(MORPHOLOGY_COLUMNS, np.nan))
    if not finite.all():
        result.flags.append("not_finite_pixels")
    if finite.any():
        result.values["flux_frame"] = float(np.sum(image, where=finite))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            _measure_into(result, image, settings)
        except Exception as error:
            result.flag = CATASTROPHIC
            result.flags.append("engine_error")
            result.message = f"{type(error).__name__}: {error}"
            LOGGER.info("statmorph failed on a stamp: %s", result.message)
    return result


def _measure_into(result: Measured, image: NDArray[np.float64], settings: MeasureSettings) -> None:
    """Segment, measure and note what came out."""
    if settings.subtract_background:
        image = image - border_level(image)
    segmentation_map, reason = segment(image, settings)
    if segmentation_map is None:
        result.flag = CATASTROPHIC
        result.flags.append(reason)
        return
    from galsmith.measure.lean_statmorph import LeanSourceMorphology

    source = LeanSourceMorphology(
        image, segmentation_map, 1, gain=settings.gain, psf=_gaussian_psf(settings.psf_fwhm_pix)
    )
    result.flag = int(source.flag)
    for flag, names in ((source.flag, FLAG_NAMES), (source.flag_sersic, SERSIC_FLAG_NAMES)):
        if flag in names:
            result.flags.append(names[flag])
    if result.flag != CATASTROPHIC:
        _copy_values(result, source)


def _copy_values(result: Measured, source: Any) -> None:
    """Take statmorph's values over, its invalid ones as NaN and a flag."""
    for name, attribute in STATMORPH_NAMES.items():
        value = float(source[attribute])
        if value == INVALID or not math.isfinite(value):
            result.flags.append(f"no_{name}")
            continue
        result.values[name] = value
    result.values["sersic_orientation_rad"] = _half_circle(result.values["sersic_orientation_rad"])
    if _is_beyond_stamp(source):
        result.flags.append("petrosian_beyond_stamp")
        result.values["r_petro_ellip_pix"] = result.values["flux_ellip"] = np.nan


def _is_beyond_stamp(source: Any) -> bool:
    """Whether the elliptical Petrosian annulus has no pixel: its radius is then a matter of rounding."""
    x, y = source._asymmetry_center
    theta = source.orientation_asymmetry
    dx = np.array([-0.5, source.nx_stamp - 0.5])[:, np.newaxis] - x
    dy = np.array([-0.5, source.ny_stamp - 0.5]) - y
    along = dx * np.cos(theta) + dy * np.sin(theta)
    across = (dy * np.cos(theta) - dx * np.sin(theta)) * source.elongation_asymmetry
    return bool(source.rpetro_ellip - 0.5 >= np.hypot(along, across).max())


def _half_circle(angle_rad: float) -> float:
    """Bring the angle of an axis to (-pi/2, pi/2]."""
    return angle_rad - math.pi if angle_rad > math.pi / 2 else angle_rad


def _gaussian_psf(fwhm_pix: float | None) -> NDArray[np.float64] | None:
    """Gaussian point spread function out to 4 sigma, [y, x], sum 1."""
    if fwhm_pix is None:
        return None
    sigma = fwhm_pix * SIGMA_PER_FWHM
    reach = max(1, math.ceil(PSF_REACH_SIGMA * sigma))
    offsets = np.arange(-reach, reach + 1)
    profile = np.exp(-0.5 * (offsets / sigma) ** 2)
    psf = np.outer(profile, profile)
    return psf / psf.sum()
