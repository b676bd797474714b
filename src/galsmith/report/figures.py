"""The figures of a report as files, PNG and PDF, for talks and papers."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, MaxNLocator

from galsmith.compare import Distance
from galsmith.report.average_spectra import DIFFERENCE_DB, AverageSpectra
from galsmith.report.dots import floors_axis, grouped
from galsmith.report.galaxies import Block, Picture
from galsmith.report.histograms import bins_of
from galsmith.report.labels import group_title, label_of, mode_of, unit_text
from galsmith.report.material import Material
from galsmith.report.spectra import Spectrum, spectra_of
from galsmith.report.verdict import FLOORS_WITHIN, is_within

REFERENCE, GENERATED, WITHIN, BEYOND, FLOOR = "#0069a8", "#b84a00", "#00785a", "#98286f", "#dde2ea"
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "pdf.fonttype": 42,
}
COLUMNS = 4
FLOOR_TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def write_figures(
    folder: Path, material: Material, *, blocks: list[Block], planes: AverageSpectra | None
) -> None:
    """Write every figure that there is material for."""
    folder.mkdir(parents=True)
    with rc_context(STYLE):
        if material.comparison.counted:
            _save(_dot_figure(material.comparison.counted), folder / "distances")
        if blocks:
            _save(_galaxy_figure(blocks), folder / "galaxies")
        for name, figure in _histogram_figures(material):
            _save(figure, folder / name)
        for spectrum in spectra_of(material.comparison):
            suffix = f"_{_file_name(spectrum.band)}" if spectrum.band else ""
            _save(_spectrum_figure(spectrum), folder / f"power_spectrum{suffix}")
        if planes is not None:
            _save(_plane_figure(planes), folder / "average_spectra")


def _dot_figure(counted: tuple[Distance, ...]) -> Figure:
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
        spread = 2 * item.floor_sigma / floor
        axis.fill_betweenx([row - 0.35, row + 0.35], max(1 - spread, 0.05), 1 + spread, color=FLOOR, lw=0)
        axis.hlines(
            row, max(item.interval[0] / floor, 0.05), max(item.interval[1] / floor, 0.05), color="0.4", lw=1.2
        )
        style = ("o", WITHIN) if is_within(item) else ("D", BEYOND)
        axis.plot(item.in_floors, row, style[0], color=style[1], ms=5, zorder=3)
    axis.axvline(1, color="0.3", lw=0.8)
    axis.axvline(FLOORS_WITHIN, color="0.3", lw=0.8, ls="--")
    axis.set_yticks(rows, [label_of(item, with_band=False) for item in members])
    axis.set_ylim(-0.7, len(members) - 0.3)
    axis.tick_params(axis="y", length=0)


def _galaxy_figure(blocks: list[Block]) -> Figure:
    """Rows of the reference over rows of the generated set."""
    rows = [(name, getattr(block, name)) for block in blocks for name in ("reference", "generated")]
    width = max(len(pictures) for _, pictures in rows)
    figure = Figure(figsize=(1.25 * width + 0.4, 1.25 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), width, squeeze=False)
    for (name, pictures), line in zip(rows, axes, strict=True):
        color = REFERENCE if name == "reference" else GENERATED
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


def _histogram_figures(material: Material) -> list[tuple[str, Figure]]:
    """One figure for each group that enters the means; the spectrum's figure stands for the power modes."""
    reference, generated = (side.table for side in material.sides)
    if reference is None or generated is None:
        return []
    groups: dict[str, list[Distance]] = {}
    for item in material.comparison.distances:
        if item.in_means and mode_of(item.column) is None:
            groups.setdefault(item.group, []).append(item)
    return [
        (f"histograms_{_file_name(group)}", _histogram_figure(group, members, material))
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


def _spectrum_figure(spectrum: Spectrum) -> Figure:
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
    lower.set(xscale="log", xlabel=f"wavelength [{spectrum.unit}]", ylabel="difference")
    lower.invert_xaxis()
    return figure


def _plane_figure(planes: AverageSpectra) -> Figure:
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


def _file_name(text: str) -> str:
    """Keep what is safe in a file's name."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in text)


def _save(figure: Figure, stem: Path) -> None:
    """Write a figure without the time of day, so that the same comparison gives the same files."""
    figure.savefig(stem.with_suffix(".png"), metadata={"Software": None})
    figure.set_layout_engine("none")
    figure.savefig(stem.with_suffix(".pdf"), metadata={"CreationDate": None})
