"""``galsmith measure --figure``: choose one galaxy and draw it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from galsmith.cli.measurable import Measurable
from galsmith.cli.outcome import Outcome
from galsmith.errors import InputError, SettingsError
from galsmith.settings import near_miss

if TYPE_CHECKING:
    from galsmith.data.galaxies import FileGalaxy
    from galsmith.execution import ProgressCallback

SUFFIXES = (".png", ".pdf")
ROWS_NAMED = 5


def write_figure(
    galaxies: Measurable,
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
    names = galaxies.names()
    row = _row_of(names, index, name)
    galaxy = galaxies.galaxy(row)
    if galaxy.reason:
        raise InputError(f"--figure {figure}: galaxy {names[row]} cannot be drawn: {galaxy.message}")
    from galsmith.measure.compiled_engine import load_kernels
    from galsmith.report.galaxy_figure import write_galaxy_figure

    load_kernels(progress)
    label_map, mask = _as_one_label(galaxy)
    write_galaxy_figure(
        galaxy.image[0],
        figure,
        settings=galaxies.settings,
        segmentation_map=label_map,
        mask=mask,
        psf=galaxy.psf,
        sigma=None if galaxy.sigma_map is None else galaxy.sigma_map[0],
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


def _as_one_label(galaxy: "FileGalaxy") -> tuple["np.ndarray | None", "np.ndarray | None"]:
    """Map with the galaxy's label alone, and the mask with all others in it, which measures the same."""
    if galaxy.label_map is None:
        return None, galaxy.mask
    others = (galaxy.label_map > 0) & (galaxy.label_map != galaxy.label)
    mask = others if galaxy.mask is None else others | galaxy.mask
    return (galaxy.label_map == galaxy.label).astype(np.int32), mask
