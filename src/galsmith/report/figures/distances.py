"""Figures of the verdict: all checks of all sets, and every property's distance in floors."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

from galsmith.compare import Distance
from galsmith.compare.marginal.columns import label_of
from galsmith.compare.verdict import COPIES, DISTANCES, RULE, TOLD, Check, distance_status
from galsmith.report.figures.style import FLOOR, STATUS_STYLES, ZONE
from galsmith.report.panels.board import TITLES, axis_of, limits_of
from galsmith.report.panels.dots import floors_axis, grouped
from galsmith.report.verdict import VerdictWords

FLOOR_TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
SHARE_TICKS = (0.01, 0.1, 1.0)
ROW_INCHES = 0.27


def board_figure(verdicts: tuple[VerdictWords, ...]) -> Figure:
    """Draw all checks of all sets: one panel a scale, one row a check and set."""
    scales = [
        (scale, rows) for scale in (DISTANCES, TOLD, COPIES) if (rows := _rows_of_scale(verdicts, scale))
    ]
    heights = [len(rows) + 1.6 for _, rows in scales]
    figure = Figure(figsize=(7.2, 0.5 + ROW_INCHES * sum(heights)), layout="constrained")
    axes = figure.subplots(len(scales), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axis, (scale, rows) in zip(axes, scales, strict=True):
        _board_axis(axis, scale, rows)
    return figure


def dot_figure(counted: tuple[Distance, ...]) -> Figure:
    """Distances in units of the floor, one row a property."""
    groups = grouped(counted)
    heights = [len(members) + 1 for _, members in groups]
    figure = Figure(figsize=(6.4, 0.9 + 0.21 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(groups), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    for axis, (title, members) in zip(axes, groups, strict=True):
        _dot_axis(axis, members)
        axis.set_title(title, loc="left", fontsize=10, fontweight="bold")
    axis_range = floors_axis(counted)
    axes[-1].set_xscale("log")
    axes[-1].set_xlim(axis_range.low, axis_range.high)
    axes[-1].set_xticks([tick for tick in FLOOR_TICKS if axis_range.low <= tick <= axis_range.high])
    axes[-1].xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axes[-1].minorticks_off()
    axes[-1].set_xlabel("$W_1$ in units of its floor")
    return figure


def _dot_axis(axis: Axes, members: list[Distance]) -> None:
    """Draw the dots of one group."""
    rows = np.arange(len(members))[::-1]
    for row, item in zip(rows, members, strict=True):
        floor = item.floor if item.floor > 0 else np.nan
        spread = 2 * item.estimate.floor_sigma / floor
        axis.fill_betweenx([row - 0.35, row + 0.35], max(1 - spread, 0.05), 1 + spread, color=FLOOR, lw=0)
        axis.hlines(
            row, max(item.interval[0] / floor, 0.05), max(item.interval[1] / floor, 0.05), color="0.4", lw=1.2
        )
        mark(axis, item.in_floors, float(row), distance_status(item))
    axis.axvline(1, color="0.3", lw=0.8)
    axis.axvline(RULE.floors_within, color="0.3", lw=0.8, ls="--")
    axis.set_yticks(rows, [label_of(item, with_band=False) for item in members])
    axis.set_ylim(-0.7, len(members) - 0.3)
    axis.tick_params(axis="y", length=0)


def mark(axis: Axes, x: float, y: float, status: str) -> None:
    """Draw one number as its status looks: a disc, a ring or a diamond."""
    shape, color, face = STATUS_STYLES[status]
    axis.plot(x, y, shape, color=color, mfc=face, mew=1.6, ms=5.5, zorder=3, clip_on=False)


def _rows_of_scale(verdicts: tuple[VerdictWords, ...], scale: str) -> list[tuple[str, Check]]:
    """List the checks of one scale, those of one title together."""
    every = [
        (verdict.name, check)
        for verdict in verdicts
        for check in verdict.verdict.checks
        if check.scale == scale
    ]
    titles = list(dict.fromkeys(check.title for _, check in every))
    several = len(verdicts) > 1
    return [
        (f"{title}: {name}" if several else title, check)
        for title in titles
        for name, check in every
        if check.title == title
    ]


def _board_axis(axis: Axes, scale: str, rows: list[tuple[str, Check]]) -> None:
    """Draw the rows of one scale."""
    across = axis_of(scale, tuple(check for _, check in rows))
    expected, limit = limits_of(scale, rows[0][1])
    axis.axvspan(across.low, limit, color=ZONE, lw=0)
    axis.axvline(expected, color="0.3", lw=0.8)
    axis.axvline(limit, color="0.3", lw=0.8, ls="--")
    for row, (_, check) in enumerate(rows):
        for item in check.marks:
            mark(axis, float(np.clip(item.value, across.low, across.high)), -row, item.status)
        worst = check.worst
        text = worst.label if len(check.marks) > 1 else ""
        axis.annotate(text, (1.01, -row), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axis.set_yticks(-np.arange(len(rows)), [name for name, _ in rows])
    axis.set_ylim(-len(rows) + 0.4, 0.6)
    axis.set_xlim(across.low, across.high)
    if across.is_log:
        ticks = FLOOR_TICKS if scale == DISTANCES else SHARE_TICKS
        axis.set_xscale("log")
        axis.set_xticks([tick for tick in ticks if across.low <= tick <= across.high])
        axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axis.minorticks_off()
    axis.tick_params(axis="y", length=0)
    # The title begins at the left end of the figure, where it has room; the blank one keeps the height.
    axis.set_title(" ", fontsize=9)
    axis.annotate(
        TITLES[scale],
        (0.01, 1.0),
        xycoords=("figure fraction", "axes fraction"),
        xytext=(0, 5),
        textcoords="offset points",
        fontsize=9,
        fontweight="bold",
    ).set_in_layout(False)
