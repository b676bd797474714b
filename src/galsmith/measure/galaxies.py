"""From a chunk of images to rows of values and flags: the work of one task."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.measure.measure_settings import MeasureSettings
from galsmith.measure.power_spectrum import log_power_rings, log_power_wavelength
from galsmith.measure.properties import N_POWER_MODES
from galsmith.measure.statmorph_engine import MORPHOLOGY_COLUMNS, Measured, measure_morphology

BINNINGS = {"wavelength": log_power_wavelength, "rings": log_power_rings}


def measured_columns(settings: MeasureSettings, bands: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of values, in order; power modes carry their band where there are several."""
    columns: list[str] = []
    if "morphology" in settings.quantities:
        columns += MORPHOLOGY_COLUMNS
    if "power" in settings.quantities:
        for band in bands:
            suffix = f"_{band}" if len(bands) > 1 else ""
            columns += [
                f"power_{binning}_{mode:02d}{suffix}" for binning in BINNINGS for mode in range(N_POWER_MODES)
            ]
    return tuple(columns)


def measure_galaxy(image: NDArray[np.float32], settings: MeasureSettings, bands: Sequence[str]) -> Measured:
    """Measure one galaxy in all that the settings name.

    Parameters
    ----------
    image : ndarray [band, y, x], float32
        Flux per pixel.
    settings : MeasureSettings
        As `resolved_settings` gave them.
    bands : sequence of str
        Names of the first axis.

    Returns
    -------
    Measured
        One value for each of `measured_columns`; NaN and a flag for what could not be measured.
    """
    result = Measured()
    if "morphology" in settings.quantities:
        result = measure_morphology(image[list(bands).index(str(settings.band))], settings)
    if "power" in settings.quantities:
        for band, stamp in zip(bands, image, strict=True):
            _add_power(result, stamp, suffix=f"_{band}" if len(bands) > 1 else "")
    return result


def rows_of(
    images: Sequence[NDArray[np.float32]], settings: MeasureSettings, bands: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Measure several galaxies, one after another.

    Returns
    -------
    dict of column to ndarray [galaxy]
        float64 values, ``flag`` int32, and the texts ``flags`` and ``message``.
    """
    measured = [measure_galaxy(image, settings, bands) for image in images]
    columns: dict[str, NDArray[Any]] = {
        name: np.array([galaxy.values[name] for galaxy in measured], dtype=np.float64)
        for name in measured_columns(settings, bands)
    }
    columns["flag"] = np.array([galaxy.flag for galaxy in measured], dtype=np.int32)
    columns["flags"] = np.array([",".join(galaxy.flags) for galaxy in measured], dtype=object)
    columns["message"] = np.array([galaxy.message for galaxy in measured], dtype=object)
    return columns


def _add_power(result: Measured, stamp: NDArray[np.float32], *, suffix: str) -> None:
    """Add the power modes of one band; pixels that are not finite leave none."""
    pixels = np.asarray(stamp, dtype=np.float64)
    finite = bool(np.isfinite(pixels).all())
    if not finite and "not_finite_pixels" not in result.flags:
        result.flags.append("not_finite_pixels")
    for binning, log_power in BINNINGS.items():
        modes = log_power(pixels) if finite else np.full(N_POWER_MODES, np.nan)
        for mode, value in enumerate(modes):
            result.values[f"power_{binning}_{mode:02d}{suffix}"] = float(value)
        if finite and np.isnan(modes).any():
            result.flags.append(f"no_power_{binning}{suffix}")
