"""One stamp to morphological values and named flags, by statmorph (Rodriguez-Gomez et al. 2019)."""

import importlib
import logging
import math
import warnings
from dataclasses import replace
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.errors import SettingsError
from galsmith.measure.compiled_engine import above_sky, gaussian_psf, options_of
from galsmith.measure.engine.batch import GalaxyInput, chosen_label, find_galaxy, is_elsewhere
from galsmith.measure.engine.flags import FLAG_NAMES
from galsmith.measure.engine.row import columns_of
from galsmith.measure.engine.segmentation.methods import FOUND
from galsmith.measure.flags import CATASTROPHIC, ENGINE_ERROR, FLAGS, GRAVITY_NAMES, NO_VALUE
from galsmith.measure.properties.morphology import KERNEL_PROPERTIES
from galsmith.measure.row import Measured
from galsmith.measure.segmentation import segment
from galsmith.measure.settings import MeasureSettings, chosen_segmentation

LOGGER = logging.getLogger("galsmith")

STATMORPH_NAMES = {entry.name: entry.statmorph for entry in KERNEL_PROPERTIES if entry.statmorph is not None}
FIT_ANGLES = ("sersic_orientation_rad", "double_sersic_orientation_1_rad", "double_sersic_orientation_2_rad")
INVALID = -99.0


def require_statmorph() -> dict[str, str]:
    """Check that the engine can be imported and give the versions that decide its numbers.

    Raises
    ------
    SettingsError
        If statmorph is not installed.
    """
    try:
        importlib.import_module("galsmith.measure.statmorph.lean")
    except ImportError as error:
        raise SettingsError(
            f"engine 'statmorph': cannot be imported ({error}); install it with pip install galsmith[statmorph]"
        ) from error
    return {name: metadata.version(name) for name in ("statmorph", "photutils")}


def measure_morphology(galaxy: GalaxyInput, settings: MeasureSettings) -> Measured:
    """Measure one galaxy in one band; a stamp that cannot be measured gives NaN and a flag, never an error.

    Parameters
    ----------
    galaxy : GalaxyInput
        Flux per pixel, and the maps that were given.
    settings : MeasureSettings
        As `resolved_settings` gave them.

    Returns
    -------
    Measured
        With the columns that the compiled engine gives for these settings.
    """
    image = np.asarray(galaxy.image, dtype=np.float64)
    finite = np.isfinite(image)
    has_fit = settings.sersic != "none"
    columns = columns_of(sersic="parity" if has_fit else "none", double_sersic=settings.double_sersic)
    fits = {"flag_sersic": has_fit, "flag_double_sersic": settings.double_sersic}
    result = Measured(
        values=dict.fromkeys(columns, np.nan),
        fit_flags={name: CATASTROPHIC for name, is_wanted in fits.items() if is_wanted},
    )
    if not finite.all():
        result.flags.append("not_finite_pixels")
    if finite.any():
        result.values["flux_frame"] = float(np.sum(image, where=finite))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            _measure_into(result, replace(galaxy, image=image), settings)
        except Exception as error:
            result.flag = CATASTROPHIC
            result.flags.append(ENGINE_ERROR.name)
            result.message = f"{type(error).__name__}: {error}"
            LOGGER.info("statmorph failed on a stamp: %s", result.message)
    return result


def _measure_into(result: Measured, galaxy: GalaxyInput, settings: MeasureSettings) -> None:
    """Segment, measure and note what came out."""
    image = above_sky(galaxy.image, settings)
    segmentation_map, label, reason = _segmentation(image, galaxy, settings)
    if segmentation_map is None:
        result.flag = CATASTROPHIC
        result.flags.append(reason)
        return
    from galsmith.measure.statmorph.lean import LeanSourceMorphology

    gain = galaxy.gain if settings.gain is None else settings.gain
    source = LeanSourceMorphology(
        image,
        segmentation_map,
        label,
        mask=galaxy.mask,
        weightmap=galaxy.sigma_map,
        gain=math.inf if gain is None else gain,
        psf=_psf(galaxy, settings),
        include_doublesersic=settings.double_sersic,
    )
    result.flag = int(source.flag)
    if galaxy.labels is None and is_elsewhere(
        _searched(image, galaxy), segmentation_map, options_of(settings).segmenting
    ):
        result.flags.append("not_central")
        result.flag = max(result.flag, FLAGS["not_central"].gravity)
    for name in result.fit_flags:
        result.fit_flags[name] = int(source[name.replace("double_sersic", "doublesersic")])
    if result.flag in GRAVITY_NAMES:
        result.flags.append(GRAVITY_NAMES[result.flag])
    for name, flag in result.fit_flags.items():
        if flag in GRAVITY_NAMES:
            result.flags.append(f"{name.removeprefix('flag_')}_{GRAVITY_NAMES[flag]}")
    if result.flag != CATASTROPHIC:
        _copy_values(result, source)


def _segmentation(
    image: NDArray[np.float64], galaxy: GalaxyInput, settings: MeasureSettings
) -> tuple[NDArray[np.int32] | None, int, str]:
    """Give the map and the galaxy's label in it, found as the settings say where no map was given.

    Without a map there is the reason.
    """
    if galaxy.labels is not None:
        labels = np.asarray(galaxy.labels, dtype=np.int32)
        label, failure = chosen_label(labels, galaxy.label)
        return (labels, label, "") if failure == FOUND else (None, 0, FLAG_NAMES[failure])
    searched = _searched(image, galaxy)
    if chosen_segmentation(settings) == "paper":
        found, reason = segment(searched, settings)
        return found, 1, reason
    labels, failure = find_galaxy(searched, options_of(settings).segmenting)
    return (labels, 1, "") if failure == FOUND else (None, 0, FLAG_NAMES[failure])


def _searched(image: NDArray[np.float64], galaxy: GalaxyInput) -> NDArray[np.float64]:
    """Leave out what the caller masks."""
    return image if galaxy.mask is None else np.where(galaxy.mask, np.nan, image)


def _psf(galaxy: GalaxyInput, settings: MeasureSettings) -> NDArray[np.float64] | None:
    """Give the point spread function of this galaxy, else the one of the settings."""
    if galaxy.psf is not None:
        return np.asarray(galaxy.psf, dtype=np.float64)
    return None if settings.psf_fwhm_pix is None else gaussian_psf(settings.psf_fwhm_pix)


def _copy_values(result: Measured, source: Any) -> None:
    """Take statmorph's values over, its invalid ones as NaN and a flag."""
    for name in result.values:
        if name == "flux_frame":
            continue
        theirs = STATMORPH_NAMES.get(name)
        value = INVALID if theirs is None else float(source[theirs])
        if value == INVALID or not math.isfinite(value):
            result.flags.append(NO_VALUE.of(name))
            continue
        result.values[name] = _half_circle(value) if name in FIT_ANGLES else value
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
