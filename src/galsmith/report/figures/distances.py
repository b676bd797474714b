"""Figures of rows: the tests of all sets, every property's distance in floors, and what gives a set away.

On the page these rows are text that flows, so that they fit a phone; both places take what is drawn from the same
`Part` and `ClassifierPanel`.
"""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from galsmith.compare import Comparison, Evidence
from galsmith.report.figures.painting import color_of
from galsmith.report.panels.distances import Part, Row, board_of, dots_of
from galsmith.report.panels.giveaways import ClassifierPanel
from galsmith.report.verdict import VerdictWords

MARKS = {"not_told": "o", "borderline": "o", "told": "D"}
MARK_POINTS = 5.5
MARGIN = 2.5  # percent of the axis, at either end: room for half a mark
BOARD_INCHES, DOTS_INCHES = 0.27, 0.21
STATUS_COLORS = {
    "not_told": color_of("within"),
    "borderline": color_of("open"),
    "told": color_of("beyond"),
}


def board_figure(verdicts: tuple[VerdictWords, ...]) -> Figure:
    """Draw the tests of all sets: one panel a scale, one row a heading and set."""
    parts = board_of(verdicts)
    figure, axes = _tracks(parts, width=7.2, row_inches=BOARD_INCHES)
    for axis, part in zip(axes, parts, strict=True):
        for place, row in enumerate(part.rows):
            _shade(axis, place, row, half_height=0.5, color=color_of("zone"))
            axis.annotate(
                row.text, (1.01, -place), xycoords=("axes fraction", "data"), va="center", fontsize=8
            )
        names = [
            f"{row.title}: {row.name}" if row.title and row.name else row.title or row.name
            for row in part.rows
        ]
        axis.set_yticks(-np.arange(len(part.rows)), names)
    return figure


def dot_figure(comparison: Comparison, evidence: Mapping[str, Evidence]) -> Figure:
    """Distances in units of the floor, one row a property."""
    parts = dots_of(comparison, evidence)
    figure, axes = _tracks(parts, width=6.4, row_inches=DOTS_INCHES)
    for axis, part in zip(axes, parts, strict=True):
        for place, row in enumerate(part.rows):
            _shade(axis, place, row, half_height=0.35, color=color_of("floor"))
        axis.set_yticks(-np.arange(len(part.rows)), [row.title for row in part.rows])
    axes[-1].set_xlabel("$W_1$ in units of its floor")
    return figure


def _shade(axis: Axes, place: int, row: Row, *, half_height: float, color: str) -> None:
    """Shade where the distance of a row is expected to lie if nothing differs."""
    low = row.expected_low if row.expected_low > 0 else -MARGIN
    high = row.expected_high if row.expected_high < 100 else 100 + MARGIN
    axis.fill_betweenx([-place - half_height, -place + half_height], low, high, color=color, lw=0, zorder=0)


def giveaway_figure(panels: list[ClassifierPanel]) -> Figure:
    """Draw what each classifier goes by."""
    shown = [panel for panel in panels if panel.bars]
    figure = Figure(figsize=(5.2 * len(shown), 2.8), layout="constrained")
    for axis, panel in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        rows = -np.arange(len(panel.bars))
        axis.barh(
            rows,
            [item.giveaway.importance for item in panel.bars],
            xerr=[item.giveaway.importance_sigma for item in panel.bars],
            color=color_of("generated"),
            ecolor="0.3",
        )
        axis.set_yticks(rows, [item.label for item in panel.bars])
        axis.set_xlabel("loss of area when shuffled")
        axis.set_title(f"{panel.title}: {panel.test.auc.value:.3f}", fontsize=9)
    return figure


def _tracks(parts: list[Part], *, width: float, row_inches: float) -> tuple[Figure, list[Axes]]:
    """Draw the marks of rows on one axis a part, in percent of the axis as on the page."""
    heights = [len(part.rows) + 1.6 for part in parts]
    figure = Figure(figsize=(width, 0.5 + row_inches * sum(heights)), layout="constrained")
    axes = figure.subplots(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0].tolist()
    for axis, part in zip(axes, parts, strict=True):
        if part.one is not None:
            axis.axvline(part.one, color="0.3", lw=0.8)
        for place, row in enumerate(part.rows):
            if row.limit is not None:
                axis.vlines(row.limit, -place - 0.5, -place + 0.5, color="0.3", lw=0.8, ls="--")
            if row.low is not None and row.high is not None:
                axis.hlines(-place, row.low, row.high, color="0.4", lw=1.2)
            for dot in row.dots:
                _mark(axis, dot.at, -place, dot.status)
        axis.set(xlim=(-MARGIN, 100 + MARGIN), ylim=(-len(part.rows) + 0.4, 0.6))
        axis.set_xticks([tick.at for tick in part.ticks], [tick.text for tick in part.ticks])
        axis.tick_params(axis="y", length=0)
        # The title begins at the left end of the figure, where it has room; the blank one keeps the height.
        axis.set_title(" ", fontsize=9)
        title = axis.annotate(
            part.title,
            (0.01, 1.0),
            (0, 5),
            xycoords=("figure fraction", "axes fraction"),
            textcoords="offset points",
            fontsize=9,
            fontweight="bold",
        )
        title.set_in_layout(False)
    return figure, axes


def _mark(axis: Axes, x: float, y: float, status: str) -> None:
    """Draw one number as its status looks: a disc, a ring or a diamond."""
    color = STATUS_COLORS[status]
    face = "white" if status == "borderline" else color
    axis.plot(x, y, MARKS[status], color=color, mfc=face, mew=1.6, ms=MARK_POINTS, zorder=3, clip_on=False)
