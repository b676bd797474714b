"""The figure of one measured galaxy: its radii, maps, half-turn residual, Sérsic fit, profile and numbers."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from galsmith.counts import counted
from galsmith.data.galaxies import Galaxies
from galsmith.errors import InputError, SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.files import Partial
from galsmith.measure.compiled_engine import kernels_of, load_kernels
from galsmith.measure.engine.batch import GalaxyInput
from galsmith.measure.galaxies import WHOLE_IMAGE, Cutout, cutout_of, input_of, used
from galsmith.measure.measure import method_for
from galsmith.measure.settings import MeasureSettings
from galsmith.provenance import hash_json
from galsmith.report.figures import STYLE
from galsmith.report.figures.painting import FIGURE, figure_format, metadata_of
from galsmith.report.galaxy.numbers import draw_profile, way_out_of, write_numbers
from galsmith.report.galaxy.panels import (
    draw_half_turn,
    draw_maps,
    draw_model,
    draw_model_residual,
    draw_radii,
)
from galsmith.report.galaxy.view import GalaxyView, view_of
from galsmith.settings import near_miss

NAMES_SHOWN = 5
WIDTH_INCHES, HEIGHT_INCHES = 15.0, 9.3
MARGINS = {"left": 0.042, "right": 0.99, "top": 0.92, "bottom": 0.115, "wspace": 0.2, "hspace": 0.56}


def write_galaxy_figure(
    image: NDArray[Any],
    output: str | Path,
    *,
    settings: MeasureSettings,
    segmentation_map: NDArray[Any] | None = None,
    label: int | None = None,
    mask: NDArray[np.bool_] | None = None,
    psf: NDArray[Any] | None = None,
    sigma: NDArray[Any] | None = None,
    cutout: Cutout = WHOLE_IMAGE,
    title: str = "",
    spelled: Callable[[str], str] = str,
    overwrite: bool = False,
) -> None:
    """Measure one galaxy and draw how.

    Parameters
    ----------
    image : ndarray [y, x]
        Flux per pixel.
    output : str or Path
        The file to write, in the format that its suffix names: .png, .pdf or .svg.
    settings : MeasureSettings
        How to measure.
    segmentation_map : ndarray [y, x], integer, optional
        0 for the background; found as `settings` say where left out.
    label : int, optional
        The galaxy's number in the map; the one at the center, or the only one, where left out.
    mask : ndarray [y, x], bool, optional
        True where a pixel is to be ignored.
    psf : ndarray [y, x], optional
        Point spread function of the Sérsic fit, in place of that of the settings.
    sigma : ndarray [y, x], optional
        Standard deviation of each pixel, in flux units.
    cutout : Cutout
        Where the image was cut from, if it is part of a larger one; its coordinates are then told.
    title : str
        Written above.
    spelled : callable
        Spells the way out of a flag, whose arguments are in backticks, as the reader gives them.
    overwrite : bool
        Replace a figure that galsmith made.

    Raises
    ------
    SettingsError
        If the suffix is not one of these.
    OutputExistsError
        If another figure, or anything else, is there.
    InputError
        If the image has not two axes, or a map has not its shape.
    OutputError
        If the file cannot be written.
    """
    path = Path(output)
    suffix = figure_format(path, "figure")
    _check_shapes(image, segmentation_map=segmentation_map, mask=mask, sigma=sigma)
    maps = [
        None if given is None else _hash_of(given) for given in (image, segmentation_map, mask, psf, sigma)
    ]
    made_from = hash_json([maps, label, title, asdict(cutout), settings.model_dump(mode="json")])
    with Partial(path, FIGURE, made_from, overwrite=overwrite, resumes=False) as partial:
        if partial.is_complete:
            return
        view = view_of(GalaxyInput(image, segmentation_map, label, mask, sigma, psf), settings, cutout)
        with rc_context(STYLE | {"svg.hashsalt": "galsmith"}):
            figure = galaxy_figure(view, title=title, spelled=spelled)
            figure.savefig(partial.content, format=suffix, metadata=metadata_of(suffix, made_from))
        partial.finish()


def draw_galaxy(
    galaxies: Galaxies,
    output: str | Path,
    *,
    settings: MeasureSettings,
    index: int | None = None,
    object_id: str | None = None,
    spelled: Callable[[str], str] = str,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> int:
    """Draw one galaxy of a store or of image files, as `write_galaxy_figure` does.

    Parameters
    ----------
    galaxies : Galaxies
        A store, files or arrays.
    output : str or Path
        The file to write.
    settings : MeasureSettings
        How to measure, and in which band.
    index : int, optional
        Which galaxy, from 0; the first where neither this nor `object_id` is given.
    object_id : str, optional
        Which galaxy, by the column of this name.
    spelled : callable
        As `write_galaxy_figure` has it.
    overwrite : bool
        Replace a figure that galsmith made.
    progress : callable
        Told of the compilation, where it is the first.

    Returns
    -------
    int
        Which galaxy it is, from 0.

    Raises
    ------
    SettingsError
        If there is no such galaxy, or the suffix is unknown.
    InputError
        If the galaxy cannot be drawn.
    OutputError
        If the file cannot be written.
    """
    figure_format(Path(output), "figure")
    method = method_for(galaxies, settings)
    names = [str(name) for name in galaxies.catalog["object_id"]]
    row = _row_of(names, index, object_id)
    galaxy = galaxies.read([row])[0]
    if galaxy.reason:
        raise InputError(
            f"galaxy {names[row]} cannot be drawn: {galaxy.message}", argument="figure", came=output
        )
    galaxy = used(galaxy, method.settings)
    chosen = method.settings
    if galaxy.psf is not None and galaxy.psf_kind is not None:
        chosen = chosen.model_copy(update={"psf_kind": galaxy.psf_kind})
    drawn = input_of(galaxy, method.header.bands.index(method.bands[0]), method.header.flux_unit)
    if chosen.gain is None and drawn.gain is not None:
        chosen = chosen.model_copy(update={"gain": drawn.gain})
    load_kernels(progress, kernels_of(method.settings, has_psf=drawn.psf is not None))
    write_galaxy_figure(
        drawn.image,
        output,
        settings=chosen,
        segmentation_map=drawn.labels,
        label=drawn.label,
        mask=drawn.mask,
        psf=drawn.psf,
        sigma=drawn.sigma_map,
        cutout=cutout_of(galaxy),
        title=names[row],
        spelled=spelled,
        overwrite=overwrite,
    )
    return row


def _row_of(names: Sequence[str], index: int | None, object_id: str | None) -> int:
    """Find the galaxy that is meant; the first where none is named."""
    if object_id is not None:
        if object_id not in names:
            problem = f"there is no such galaxy{near_miss(object_id, names)}"
            first = f"the first are {', '.join(names[:NAMES_SHOWN])}"
            raise SettingsError(problem, argument="object_id", came=object_id, way_out=first)
        return names.index(object_id)
    row = 0 if index is None else index
    if not 0 <= row < len(names):
        raise SettingsError(
            f"there {'is' if len(names) == 1 else 'are'} {counted(len(names), 'galaxies')}",
            argument="index",
            came=row,
            wanted=f"0 to {len(names) - 1}",
        )
    return row


def _hash_of(pixels: NDArray[Any]) -> list[Any]:
    """Type, shape and SHA-256 of the values of an array, as plain JSON values."""
    values = np.ascontiguousarray(pixels)
    return [str(values.dtype), values.shape, hashlib.sha256(values.tobytes()).hexdigest()]


def _check_shapes(image: NDArray[Any], **maps: NDArray[Any] | None) -> None:
    """Refuse an image that is not one band of one galaxy, and maps of another shape."""
    if np.ndim(image) != 2:
        raise InputError(f"image of shape {np.shape(image)}: wanted [y, x], one band of one galaxy")
    for name, given in maps.items():
        if given is not None and np.shape(given) != np.shape(image):
            raise InputError(
                f"{name} of shape {np.shape(given)}: wanted that of the image, {np.shape(image)}"
            )


def galaxy_figure(view: GalaxyView, *, title: str = "", spelled: Callable[[str], str] = str) -> Figure:
    """Draw one galaxy: six panels and a column of numbers.

    Parameters
    ----------
    view : GalaxyView
        What to show; a panel without material says so.
    title : str
        Written above.
    spelled : callable
        Spells the way out of the gravest flag, which is written above.
    """
    figure = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES))
    grid = figure.add_gridspec(2, 4, width_ratios=[1, 1, 1, 1.02], **MARGINS)
    panels = (draw_radii, draw_maps, draw_half_turn, draw_model, draw_model_residual, draw_profile)
    for place, draw in enumerate(panels):
        draw(figure.add_subplot(grid[divmod(place, 3)]), view)
    write_numbers(figure.add_subplot(grid[:, 3]), view)
    said = way_out_of(view.measured.flags)
    if said:
        figure.text(MARGINS["right"], 0.985, spelled(said), ha="right", va="top", fontsize=8.5)
    if title:
        figure.suptitle(title, x=MARGINS["left"], y=0.985, ha="left", fontsize=13, fontweight="bold")
    return figure
