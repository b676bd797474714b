"""Figures of images: galaxies, average spectra, and the closest pairs."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from galsmith.report.figures.style import GENERATED, REFERENCE
from galsmith.report.panels.average_spectra import DIFFERENCE_DB, AverageSpectra
from galsmith.report.panels.copies import PairPictures
from galsmith.report.panels.galaxies import Block, Picture


def galaxy_figure(blocks: list[Block]) -> Figure:
    """Rows of the reference over rows of the generated set."""
    rows = [
        (name, REFERENCE if name == "reference" else GENERATED, getattr(block, name))
        for block in blocks
        for name in ("reference", "generated")
    ]
    return picture_rows(rows)


def picture_rows(rows: list[tuple[str, str, list[Picture]]]) -> Figure:
    """Rows of galaxies, each with its name and color."""
    width = max(len(pictures) for _, _, pictures in rows)
    figure = Figure(figsize=(1.25 * width + 0.4, 1.25 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), width, squeeze=False)
    for (name, color, pictures), line in zip(rows, axes, strict=True):
        for place, axis in enumerate(line):
            _show(axis, pictures[place] if place < len(pictures) else None)
        line[0].set_ylabel(name, color=color, fontweight="bold")
    return figure


def _show(axis: Axes, picture: Picture | None) -> None:
    """Show one galaxy."""
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)
    if picture is not None:
        axis.imshow(picture.pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def plane_figure(planes: AverageSpectra) -> Figure:
    """Average spectra of both sides and their difference."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots(1, 3)
    names = ("reference", "generated", "difference")
    for axis, name in zip(axes, names, strict=True):
        limits = (-DIFFERENCE_DB, DIFFERENCE_DB) if name == "difference" else (planes.floor_db, 0.0)
        shown = axis.imshow(
            getattr(planes, name),
            cmap="PuOr_r" if name == "difference" else "magma",
            origin="lower",
            vmin=limits[0],
            vmax=limits[1],
        )
        axis.set(xticks=[], yticks=[], title="generated − reference" if name == "difference" else name)
        figure.colorbar(shown, ax=axis, label="dB", shrink=0.8)
    return figure


def pair_figure(pairs: list[PairPictures]) -> Figure:
    """Show generated images over their nearest training images."""
    figure = Figure(figsize=(1.35 * len(pairs) + 0.4, 2.9), layout="constrained")
    axes = figure.subplots(2, len(pairs), squeeze=False)
    for place, item in enumerate(pairs):
        _show(axes[0, place], item.generated)
        _show(axes[1, place], item.training)
        axes[1, place].set_xlabel(f"{item.pair.distance:.3g}", fontsize=8)
    axes[0, 0].set_ylabel("generated", color=GENERATED, fontweight="bold")
    axes[1, 0].set_ylabel("training", color=REFERENCE, fontweight="bold")
    return figure
