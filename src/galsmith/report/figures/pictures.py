"""Figures of galaxies and planes, and of what goes beyond single properties."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from galsmith.compare.marginal.columns import words_of
from galsmith.compare.records import BeyondMarginals
from galsmith.report.figures.style import BEYOND, GENERATED, REFERENCE
from galsmith.report.panels.copies import CopiesPanel, PairPictures
from galsmith.report.panels.galaxies import Block, Picture
from galsmith.report.panels.giveaways import ClassifierPanel
from galsmith.report.panels.plane_spectra import DIFFERENCE_DB, AverageSpectra


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


MOST_PAIRS = 10


def correlation_figure(beyond: BeyondMarginals) -> Figure:
    """Draw the pairs whose correlation differs most: both sets' correlations on a line each."""
    pairs = beyond.correlation_pairs[:MOST_PAIRS]
    figure = Figure(figsize=(6.0, 0.8 + 0.3 * len(pairs)), layout="constrained")
    axis = figure.subplots()
    rows = -np.arange(len(pairs))
    for row, pair in zip(rows, pairs, strict=True):
        axis.plot([pair.reference, pair.generated], [row, row], color="0.6", lw=1.2)
    axis.plot([pair.reference for pair in pairs], rows, "o", color=REFERENCE, label="reference")
    axis.plot([pair.generated for pair in pairs], rows, "D", color=GENERATED, label="generated")
    axis.set_yticks(rows, [f"{words_of(pair.first)}, {words_of(pair.second)}" for pair in pairs])
    axis.axvline(0, color="0.3", lw=0.8)
    axis.set(xlim=(-1.02, 1.02), xlabel="Spearman's correlation")
    axis.legend(frameon=False, fontsize=7)
    return figure


def giveaway_figure(panels: list[ClassifierPanel]) -> Figure:
    """Draw what each classifier goes by."""
    shown = [panel for panel in panels if panel.bars]
    figure = Figure(figsize=(4.4 * len(shown), 2.8), layout="constrained")
    for axis, panel in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _giveaway_axis(axis, panel)
    return figure


def copies_figure(panel: CopiesPanel) -> Figure:
    """Draw quantiles of the distance to the nearest training image, of generated and held-out images."""
    memory = panel.memory
    figure = Figure(figsize=(4.8, 3.4), layout="constrained")
    axis = figure.subplots()
    axis.plot(memory.quantiles, memory.distances_held_out, "-", color=REFERENCE, label="held-out")
    axis.plot(memory.quantiles, memory.distances_generated, "--", color=GENERATED, label="generated")
    axis.set(
        xlim=(0, 1),
        ylim=(0, None),
        xlabel="share of the images that are nearer",
        ylabel=f"distance in {panel.space}",
    )
    axis.legend(frameon=False)
    return figure


def _giveaway_axis(axis: Axes, panel: ClassifierPanel) -> None:
    """Draw the give-aways of one classifier."""
    rows = -np.arange(len(panel.bars))
    axis.barh(
        rows,
        [item.giveaway.importance for item in panel.bars],
        xerr=[item.giveaway.importance_sigma for item in panel.bars],
        color=BEYOND,
        ecolor="0.3",
    )
    axis.set_yticks(rows, [item.label for item in panel.bars])
    axis.set_xlabel("loss of area under the curve when shuffled")
    axis.set_title(f"{panel.title}: {panel.test.auc.value:.3f}", fontsize=9)
