"""From a chunk of images to rows of values and flags: the work of one task."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.measure import compiled_engine
from galsmith.measure.colors import add_fluxes
from galsmith.measure.engine.batch import GalaxyInput
from galsmith.measure.power.spectrum import Binning, log_power
from galsmith.measure.row import Measured, columns_of_rows
from galsmith.measure.settings import ALL_BANDS, MeasureSettings
from galsmith.measure.statmorph import engine as statmorph_engine

BINNINGS: tuple[Binning, ...] = ("wavelength", "rings")
MORPHOLOGY_ENGINES: dict[str, Callable[[GalaxyInput, MeasureSettings], Measured]] = {
    "galsmith": compiled_engine.measure_morphology,
    "statmorph": statmorph_engine.measure_morphology,
}


def rows_of(
    images: Sequence[NDArray[np.float32]], settings: MeasureSettings, bands: Sequence[str], *, engine: str
) -> dict[str, NDArray[Any]]:
    """Measure several galaxies, one after another.

    Parameters
    ----------
    images : sequence of ndarray [band, y, x], float32
        Flux per pixel.
    settings : MeasureSettings
        As `resolved_settings` gave them.
    bands : sequence of str
        Names of the first axis.
    engine : str
        A key of `MORPHOLOGY_ENGINES`.

    Returns
    -------
    dict of column to ndarray [row]
        float64 values, int32 flags, and the texts ``flags`` and ``message``; one row an image, or one an
        image and band where the setting `band` is ``"all"``, the bands of an image together.
    """
    rows: list[Measured] = []
    for image in images:
        if settings.band == ALL_BANDS:
            rows += [_measured(band[np.newaxis], settings, [""], 0, engine=engine) for band in image]
        else:
            place = list(bands).index(str(settings.band))
            rows.append(_measured(image, settings, bands, place, engine=engine))
    return columns_of_rows(rows)


def measure_input(galaxy: GalaxyInput, settings: MeasureSettings, *, engine: str) -> Measured:
    """Measure one galaxy in one band, with the maps that were given, in all that the settings name."""
    result = Measured()
    if "morphology" in settings.quantities:
        result = MORPHOLOGY_ENGINES[engine](galaxy, settings)
    if "power" in settings.quantities:
        _add_power(result, galaxy.image, suffix="")
    return result


def _measured(
    image: NDArray[np.float32], settings: MeasureSettings, bands: Sequence[str], place: int, *, engine: str
) -> Measured:
    """Measure the morphology of one band and the power of all; columns name a band where there are several."""
    result = Measured()
    if "morphology" in settings.quantities:
        galaxies = [GalaxyInput(stamp) for stamp in image]
        result = MORPHOLOGY_ENGINES[engine](galaxies[place], settings)
        add_fluxes(result, galaxies, settings, bands, measure=MORPHOLOGY_ENGINES[engine])
    if "power" in settings.quantities:
        for band, stamp in zip(bands, image, strict=True):
            _add_power(result, stamp, suffix=f"_{band}" if len(bands) > 1 else "")
    return result


def _add_power(result: Measured, stamp: NDArray[np.floating[Any]], *, suffix: str) -> None:
    """Add the power modes of one band; pixels that are not finite leave none."""
    finite = bool(np.isfinite(stamp).all())
    if not finite and "not_finite_pixels" not in result.flags:
        result.flags.append("not_finite_pixels")
    for binning in BINNINGS:
        modes = log_power([stamp], binning=binning)[0]
        for mode, value in enumerate(modes):
            result.values[f"power_{binning}_{mode:02d}{suffix}"] = float(value)
        if finite and np.isnan(modes).any():
            result.flags.append(f"no_power_{binning}{suffix}")
