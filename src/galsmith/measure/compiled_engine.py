"""One stamp to morphological values and named flags, by galsmith's compiled engine."""

import logging
import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.execution import ProgressCallback, ProgressEvent
from galsmith.measure.engine import ENGINE_VERSION, kernels
from galsmith.measure.engine.batch import GalaxyInput, Options, Segmenting, measure_galaxy_input
from galsmith.measure.row import Measured
from galsmith.measure.segmentation import border_level
from galsmith.measure.settings import MeasureSettings, chosen_segmentation, chosen_sky

LOGGER = logging.getLogger("galsmith")

ORACLE = "statmorph 0.7.2, photutils 3.0.0"
COMPILING = (
    "compiling the engine for the first time on this machine: about half a minute, kept for later runs"
)
PSF_REACH_SIGMA = 4.0
SIGMA_PER_FWHM = 1 / (2 * math.sqrt(2 * math.log(2)))


def engine_versions() -> dict[str, str]:
    """Name what decides the engine's numbers."""
    return {"galsmith.measure.engine": ENGINE_VERSION, "oracle": ORACLE}


def kernels_of(settings: MeasureSettings, *, has_psf: bool) -> list[str]:
    """Names of the kernels that settings ask for, where the images bring point spread functions or not."""
    return kernels.kernels_for(
        segmentation=chosen_segmentation(settings),
        sersic=settings.sersic,
        has_psf=has_psf or settings.psf_fwhm_pix is not None,
    )


def load_kernels(progress: ProgressCallback, names: Sequence[str] = tuple(kernels.KERNELS)) -> None:
    """Load kernels if they are not in memory, or compile them where they were never used, and say so.

    Parameters
    ----------
    progress : callable
        Told that the engine is loaded, or how many of its functions are compiled.
    names : sequence of str
        As `kernels_of` gives them; by default all.
    """
    if _is_loaded(names):
        return
    progress(ProgressEvent("loading the engine", 0, None, "functions"))
    missing, processes = kernels.missing_kernels(names), kernels.usable_cores()

    def tell(done: int) -> None:
        progress(ProgressEvent("compiling the engine", done, None, "functions"))

    if missing:
        LOGGER.warning(COMPILING)
    if len(missing) > 1 and processes > 1 and sys.executable:
        kernels.compile_in_processes(missing, processes=processes, tell=tell)
    kernels.compile_kernels(list(names), tell=tell)


def _is_loaded(names: Sequence[str]) -> bool:
    """Whether kernels are in memory."""
    return all(kernels.KERNELS[name].function.signatures for name in names)


def options_of(settings: MeasureSettings) -> Options:
    """Bring settings to the form in which kernels read them."""
    return Options(
        segmenting=Segmenting(
            chosen_segmentation(settings),
            settings.threshold_sigma,
            settings.minimum_pixels,
            settings.smoothing_pix,
        ),
        sky=chosen_sky(settings),
        sersic=settings.sersic,
        double_sersic=settings.double_sersic,
        gain=settings.gain,
        psf_kind=settings.psf_kind,
        psf=None if settings.psf_fwhm_pix is None else gaussian_psf(settings.psf_fwhm_pix),
    )


def measure_morphology(galaxy: GalaxyInput, settings: MeasureSettings) -> Measured:
    """Measure one galaxy in one band; a stamp that cannot be measured gives NaN and a flag, never an error.

    Parameters
    ----------
    galaxy : GalaxyInput
        Flux per pixel, and the maps that were given.
    settings : MeasureSettings
        As `resolved_settings` gave them.
    """
    level = sky_level(galaxy.image, settings)
    return measure_galaxy_input(replace(galaxy, level=level), options_of(settings))


def sky_level(stamp: NDArray[Any], settings: MeasureSettings) -> float:
    """Level of the border where the settings take it off, otherwise 0."""
    return border_level(np.asarray(stamp, dtype=np.float64)) if settings.subtract_background else 0.0


def above_sky(stamp: NDArray[Any], settings: MeasureSettings) -> NDArray[np.float64]:
    """Take that level off, [y, x] float64."""
    return np.asarray(stamp, dtype=np.float64) - sky_level(stamp, settings)


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
    reach = max(1, math.ceil(PSF_REACH_SIGMA * sigma))
    profile = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    psf = np.outer(profile, profile)
    return np.asarray(psf / psf.sum())
