"""Figures of what goes beyond single properties: correlations, give-aways, distances to training images."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from galsmith.compare.marginal.columns import words_of
from galsmith.compare.records import BeyondMarginals
from galsmith.report.figures.style import BEYOND, GENERATED, REFERENCE
from galsmith.report.panels.copies import CopiesPanel
from galsmith.report.panels.giveaways import ClassifierPanel

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
