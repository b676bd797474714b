"""From galaxies out of files to rows of values and flags."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from galsmith.data.galaxies.galaxy import FileGalaxy
from galsmith.measure.colors import add_fluxes
from galsmith.measure.engine.batch import GalaxyInput
from galsmith.measure.galaxies import MORPHOLOGY_ENGINES, measure_input
from galsmith.measure.row import CATASTROPHIC, Measured
from galsmith.measure.settings import ALL_BANDS, MeasureSettings

POSITION_COLUMN = re.compile(r"(?:^|_)([xy])_(?:min_|max_)?pix$")


def measured_bands(
    galaxy: FileGalaxy, settings: MeasureSettings, bands: Sequence[str], *, engine: str
) -> list[Measured]:
    """Measure one galaxy in one or each of its bands; positions are those in the image that it was cut from.

    Parameters
    ----------
    galaxy : FileGalaxy
        As its sequence read it.
    settings : MeasureSettings
        As `resolved_settings` gave them.
    bands : sequence of str
        Names of the image's first axis.
    engine : str
        What measures.
    """
    measured = bands if settings.band == ALL_BANDS else [str(settings.band)]
    if galaxy.reason:
        return [_not_measured(galaxy, settings, bands, engine=engine) for _ in measured]
    inputs = [_input_of(galaxy, place) for place in range(len(bands))]
    rows = []
    for band in measured:
        row = measure_input(inputs[list(bands).index(band)], settings, engine=engine)
        if "morphology" in settings.quantities:
            add_fluxes(row, inputs, settings, bands, measure=MORPHOLOGY_ENGINES[engine])
        rows.append(_with_notes(row, galaxy))
    return rows


def _input_of(galaxy: FileGalaxy, band: int) -> GalaxyInput:
    """Give what the engine reads of one band."""
    return GalaxyInput(
        galaxy.image[band],
        labels=galaxy.label_map,
        label=galaxy.label if galaxy.label_map is not None else None,
        mask=galaxy.mask,
        sigma_map=None if galaxy.sigma_map is None else galaxy.sigma_map[band],
        psf=galaxy.psf,
    )


def _not_measured(
    galaxy: FileGalaxy, settings: MeasureSettings, bands: Sequence[str], *, engine: str
) -> Measured:
    """Make the row of a galaxy without pixels: all NaN, and why."""
    nothing: NDArray[np.float64] = np.full((1, 1), np.nan)
    empty = measure_input(GalaxyInput(nothing), settings, engine=engine)
    if "morphology" in settings.quantities:
        inputs = [GalaxyInput(nothing)] * len(bands)
        add_fluxes(empty, inputs, settings, bands, measure=MORPHOLOGY_ENGINES[engine])
    return replace(
        empty,
        values=dict.fromkeys(empty.values, np.nan),
        flag=CATASTROPHIC,
        fit_flags=dict.fromkeys(empty.fit_flags, CATASTROPHIC),
        flags=[galaxy.reason],
        message=galaxy.message,
    )


def _with_notes(measured: Measured, galaxy: FileGalaxy) -> Measured:
    """Bring positions to the whole image, and add what was noticed when the galaxy was cut out."""
    offsets = {"x": galaxy.x_offset_pix, "y": galaxy.y_offset_pix}
    for name in measured.values:
        found = POSITION_COLUMN.search(name)
        if found:
            measured.values[name] += offsets[found[1]]
    measured.flags.extend(galaxy.noticed)
    return measured
