"""Figures of measured properties: histograms, spectra, corner plots, color and bulge."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from galsmith.compare import Distance
from galsmith.compare.marginal.columns import group_title, label_of, mode_of
from galsmith.report.figures.style import FLOOR, GENERATED, REFERENCE, wavelength_axis
from galsmith.report.labels import file_name, unit_text
from galsmith.report.material import Material
from galsmith.report.panels.color_bulge import AT_MOST, BINS, ColorBulge, shares_of
from galsmith.report.panels.corner import CornerData, Floats, plane_of, short_label
from galsmith.report.panels.histograms import bins_of
from galsmith.report.panels.plane_spectra import OneSpectrum
from galsmith.report.panels.spectra import Spectrum

COLUMNS = 4


def histogram_figures(material: Material) -> list[tuple[str, Figure]]:
    """One figure for each group that enters the means; the spectrum's figure stands for the power modes."""
    reference, generated = (side.table for side in material.sides)
    if reference is None or generated is None:
        return []
    groups: dict[str, list[Distance]] = {}
    for item in material.comparison.distances:
        if item.in_means and mode_of(item.column) is None:
            groups.setdefault(item.group, []).append(item)
    return [
        (f"histograms_{file_name(group)}", _histogram_figure(group, members, material))
        for group, members in groups.items()
    ]


def _histogram_figure(group: str, members: list[Distance], material: Material) -> Figure:
    """Small histograms side by side."""
    lines = -(-len(members) // COLUMNS)
    height = 1.9 * lines + 0.4
    figure = Figure(figsize=(2.5 * COLUMNS, height))
    axes = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    # Every panel is alike, so that fixed margins in inches do what a slow layout would.
    figure.subplots_adjust(
        left=0.02, right=0.98, bottom=0.5 / height, top=1 - 0.6 / height, wspace=0.12, hspace=0.75
    )
    for axis, item in zip(axes, members, strict=False):
        _histogram_axis(axis, item, material)
    axes[0].legend(frameon=False, fontsize=7, handlelength=1.2, borderaxespad=0.1)
    for axis in axes[len(members) :]:
        axis.set_visible(False)
    figure.suptitle(group_title(group), x=0.02, y=1 - 0.12 / height, va="top", ha="left", fontweight="bold")
    return figure


def _histogram_axis(axis: Axes, item: Distance, material: Material) -> None:
    """Draw one histogram."""
    bins = bins_of(item, material.reference.table, material.generated.table)
    axis.stairs(bins.reference, bins.edges, fill=True, color=REFERENCE, alpha=0.32, label="reference")
    axis.stairs(bins.generated, bins.edges, color=GENERATED, lw=1.4, label="generated")
    unit = unit_text(item.unit, material.comparison.reference.flux_unit)
    axis.set_xlabel(label_of(item) + (f" [{unit}]" if unit else ""))
    text = "not compared" if item.reason else f"$W_1$ {item.value:.3f}, floor {item.floor:.3f}"
    axis.set_title(text, fontsize=8, color="0.3")
    axis.set_yticks([])
    axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.spines["left"].set_visible(False)


def spectrum_figure(spectrum: Spectrum) -> Figure:
    """Spectra above, difference of the medians below."""
    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    x = spectrum.wavelength
    for values, color, name, line in (
        (spectrum.reference, REFERENCE, "reference", "-"),
        (spectrum.generated, GENERATED, "generated", "--"),
    ):
        upper.fill_between(x, values[0], values[2], color=color, alpha=0.2, lw=0)
        upper.plot(x, values[1], line, color=color, label=name)
    lower.fill_between(x, -spectrum.floor, spectrum.floor, color=FLOOR, lw=0)
    lower.axhline(0, color="0.3", lw=0.8)
    lower.plot(x, spectrum.generated[1] - spectrum.reference[1], "o-", color=GENERATED, ms=3)
    upper.set_ylabel("log10 power [dex]")
    upper.legend(frameon=False)
    lower.set_ylabel("difference")
    wavelength_axis(lower, spectrum.unit)
    return figure


def one_spectrum_figure(one: OneSpectrum) -> Figure:
    """One galaxy of each side, its two-dimensional spectrum, and its modes."""
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    axes = figure.subplot_mosaic([["a", "b", "m", "m"], ["c", "d", "m", "m"]])
    for galaxy, names in zip(one.galaxies, ("ab", "cd"), strict=True):
        for name, pixels in zip(names, (galaxy.picture.pixels, galaxy.plane), strict=True):
            axes[name].imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes[name].set(xticks=[], yticks=[])
        axes[names[0]].set_ylabel(galaxy.role, fontweight="bold")
    lines = axes["m"]
    x, spectrum = one.spectrum.wavelength, one.spectrum
    lines.fill_between(
        x, spectrum.reference[0], spectrum.reference[2], color=FLOOR, lw=0, label="reference, 16–84 %"
    )
    for galaxy, color, line in zip(one.galaxies, (REFERENCE, GENERATED), ("-", "--"), strict=True):
        lines.plot(x, galaxy.modes, line, color=color, label=galaxy.role)
    lines.set_ylabel("log10 power [dex]")
    wavelength_axis(lines, spectrum.unit)
    lines.legend(frameon=False, fontsize=7)
    return figure


def corner_figure(data: CornerData) -> Figure:
    """Contours of every pair of properties, histograms on the diagonal."""
    count = len(data.members)
    figure = Figure(figsize=(1.25 * count + 0.5, 1.25 * count + 0.3))
    axes = figure.subplots(count, count, squeeze=False)
    figure.subplots_adjust(left=0.09, right=0.99, bottom=0.09, top=0.99, wspace=0.06, hspace=0.06)
    for row in range(count):
        for column in range(count):
            axis = axes[row, column]
            if column > row:
                axis.set_visible(False)
                continue
            _corner_axis(axis, data, row, column)
            axis.tick_params(labelbottom=row == count - 1, labelleft=column == 0 and row > 0, labelsize=6)
        if row:
            axes[row, 0].set_ylabel(short_label(data.members[row]), fontsize=7)
        axes[-1, row].set_xlabel(short_label(data.members[row]), fontsize=7)
    return figure


def _corner_axis(axis: Axes, data: CornerData, row: int, column: int) -> None:
    """Draw one cell of a corner plot."""
    axis.set_xlim(*data.ranges[column])
    axis.xaxis.set_major_locator(MaxNLocator(3))
    sides = ((data.reference, REFERENCE, "-"), (data.generated, GENERATED, "--"))
    if row == column:
        edges = np.linspace(*data.ranges[row], 25)
        for (side, color, _), filled in zip(sides, (True, False), strict=True):
            kept = side[np.isfinite(side[:, row]), row]
            alpha = 0.32 if filled else 1.0
            axis.stairs(shares_of(kept, edges), edges, fill=filled, color=color, alpha=alpha)
        axis.set_yticks([])
        return
    axis.set_ylim(*data.ranges[row])
    axis.yaxis.set_major_locator(MaxNLocator(3))
    for side, color, line in sides:
        _contours(axis, side[:, [column, row]].T, (data.ranges[column], data.ranges[row]), color, line)


def _contours(
    axis: Axes,
    values: Floats,
    ranges: tuple[tuple[float, float], tuple[float, float]],
    color: str,
    line: str,
) -> None:
    """Draw the contours that hold 39 % and 86 % of the galaxies, [x or y, row]."""
    plane = plane_of(values[0], values[1], ranges)
    if plane is not None and plane.levels[0] < plane.levels[1]:
        axis.contour(
            plane.x, plane.y, plane.density, plane.levels, colors=color, linestyles=line, linewidths=1
        )


def color_bulge_figure(data: ColorBulge) -> Figure:
    """Bulge statistic against color, with the marginals of early and late types."""
    figure = Figure(figsize=(5.0, 5.0), layout="constrained")
    axes = figure.subplot_mosaic(
        [["early", "."], ["late", "."], ["plane", "bulge"]],
        height_ratios=[1, 1, 4],
        width_ratios=[4, 1],
    )
    sides = ((data.reference, REFERENCE, "-", "o"), (data.generated, GENERATED, "--", "+"))
    color_edges, bulge_edges = (np.linspace(*ends, BINS + 1) for ends in (data.color_range, data.bulge_range))
    for (side, color, line, shape), filled in zip(sides, (True, False), strict=True):
        alpha = 0.32 if filled else 1.0
        shown = side[:, :AT_MOST]
        axes["plane"].plot(shown[0], shown[1], shape, color=color, ms=2 if filled else 3, alpha=0.5, mew=0.6)
        _contours(axes["plane"], side, (data.color_range, data.bulge_range), color, line)
        for name in ("early", "late"):
            shares = shares_of(data.colors(side, is_early=name == "early"), color_edges)
            axes[name].stairs(shares, color_edges, fill=filled, color=color, alpha=alpha)
        axes["bulge"].stairs(
            shares_of(side[1], bulge_edges),
            bulge_edges,
            fill=filled,
            color=color,
            alpha=alpha,
            orientation="horizontal",
        )
    for name in ("early", "late"):
        axes[name].set(xlim=data.color_range, xticks=[], yticks=[])
        axes[name].set_ylabel(f"{name} types", fontsize=7)
    axes["bulge"].set(ylim=data.bulge_range, xticks=[], yticks=[])
    axes["plane"].axhline(0, color="0.3", ls="--", lw=0.8)
    axes["plane"].set(
        xlim=data.color_range,
        ylim=data.bulge_range,
        xlabel=f"{data.color_name} [{data.unit}]",
        ylabel="bulge statistic $F(G, M_{20})$",
    )
    return figure
