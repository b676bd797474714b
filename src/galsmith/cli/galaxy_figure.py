"""``galsmith measure --figure``: choose one galaxy and draw it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from galsmith.cli.outcome import Outcome
from galsmith.errors import InputError, SettingsError
from galsmith.settings import near_miss

if TYPE_CHECKING:
    from galsmith.data.galaxies import Galaxies
    from galsmith.execution import ProgressCallback
    from galsmith.measure.engine.batch import GalaxyInput
    from galsmith.measure.galaxies import Method

SUFFIXES = (".png", ".pdf")
ROWS_NAMED = 5


def write_figure(
    galaxies: "Galaxies",
    method: "Method",
    figure: Path,
    *,
    index: int | None,
    name: str | None,
    progress: "ProgressCallback",
) -> Outcome:
    """Draw one galaxy with its center, radii and maps.

    Raises
    ------
    SettingsError
        If there is no such galaxy, or the figure's name ends in neither .png nor .pdf.
    InputError
        If the galaxy has no pixels.
    """
    if figure.suffix not in SUFFIXES:
        raise SettingsError(f"--figure {figure}: wanted a name that ends in {' or '.join(SUFFIXES)}")
    names = [str(name) for name in galaxies.catalog["object_id"]]
    row = _row_of(names, index, name)
    galaxy = galaxies.read([row])[0]
    if galaxy.reason:
        raise InputError(f"--figure {figure}: galaxy {names[row]} cannot be drawn: {galaxy.message}")
    from galsmith.measure.compiled_engine import load_kernels
    from galsmith.measure.galaxies import input_of
    from galsmith.report.galaxy.figure import write_galaxy_figure

    load_kernels(progress)
    drawn = input_of(galaxy, method.header.bands.index(method.bands[0]))
    label_map, mask = _as_one_label(drawn)
    write_galaxy_figure(
        drawn.image,
        figure,
        settings=method.settings,
        segmentation_map=label_map,
        mask=mask,
        psf=drawn.psf,
        sigma=drawn.sigma_map,
        title=names[row],
    )
    return Outcome("measure", summary=f"drew galaxy {names[row]}", output=figure, numbers={"index": row})


def _row_of(names: Sequence[str], index: int | None, name: str | None) -> int:
    """Find the galaxy that is meant; the first where none is named."""
    if name is not None:
        if name not in names:
            some = ", ".join(names[:ROWS_NAMED])
            raise SettingsError(
                f"--id {name}: there is no such galaxy{near_miss(name, names)}; the first are {some}"
            )
        return names.index(name)
    row = 0 if index is None else index
    if not 0 <= row < len(names):
        raise SettingsError(f"--index {row}: there are {len(names)} galaxies, wanted 0 to {len(names) - 1}")
    return row


def _as_one_label(galaxy: "GalaxyInput") -> tuple["np.ndarray | None", "np.ndarray | None"]:
    """Map with the galaxy's label alone, and the mask with all others in it, which measures the same."""
    if galaxy.labels is None:
        return None, galaxy.mask
    others = (galaxy.labels > 0) & (galaxy.labels != galaxy.label)
    mask = others if galaxy.mask is None else others | galaxy.mask
    return (galaxy.labels == galaxy.label).astype(np.int32), mask
