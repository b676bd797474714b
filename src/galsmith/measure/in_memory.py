"""Measuring an image set without a file: the table that `measure` would write, for whoever needs it at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.images import ImageSet
from galsmith.measure.chunks import ImageChunk
from galsmith.measure.compiled_engine import load_kernels
from galsmith.measure.galaxies import rows_of
from galsmith.measure.measure import checked_count
from galsmith.measure.settings import MeasureSettings, resolved_settings
from galsmith.measure.table import measurement_table
from galsmith.provenance import Provenance

GALAXIES_AT_ONCE = 16
ENGINE = "galsmith"


def measure_in_memory(
    images: ImageSet,
    *,
    settings: MeasureSettings | None = None,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> QTable:
    """Measure some hundreds of galaxies with the compiled engine and write nothing.

    Parameters
    ----------
    images : ImageSet
        What to measure.
    settings : MeasureSettings, optional
        How to measure; the defaults where left out.
    workers : int
        Threads; the table does not depend on their number.
    progress : callable
        Told after every few galaxies.

    Returns
    -------
    QTable
        The rows and columns of `galsmith.measure.measure`.

    Raises
    ------
    SettingsError
        If a setting does not fit the images.
    InputError
        If there is no image, or one cannot be read.
    """
    total = checked_count(len(images), None, workers, name=images.path or "images")
    wanted = MeasureSettings() if settings is None else settings
    chosen = resolved_settings(wanted, bands=images.header.bands, flux_unit=images.header.flux_unit)
    if "morphology" in chosen.quantities:
        load_kernels(progress)

    def measured(chunk: ImageChunk) -> dict[str, NDArray[Any]]:
        return rows_of(chunk.read(), chosen, images.header.bands, engine=ENGINE)

    parts = []
    with ThreadPoolExecutor(workers) as threads:
        for chunk, part in zip(_chunks(images), threads.map(measured, _chunks(images)), strict=True):
            parts.append(part)
            progress(ProgressEvent("measuring", chunk.stop, total, "galaxies"))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    made_by = Provenance(
        "measure", chosen.model_dump(mode="json"), parents=(images.as_parent("measured images"),)
    )
    return measurement_table(columns, images, settings=chosen, provenance=made_by)


def _chunks(images: ImageSet) -> Iterator[ImageChunk]:
    """Cut the set into a few images each, to be read by whoever measures them."""
    for start in range(0, len(images), GALAXIES_AT_ONCE):
        yield ImageChunk(start, min(start + GALAXIES_AT_ONCE, len(images)), images)
