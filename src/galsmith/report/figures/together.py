"""Figures of several generated sets in one panel: histograms, power spectra and galaxies."""

from collections.abc import Iterator

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from galsmith.compare.marginal.columns import label_of
from galsmith.report.figures.pictures import picture_rows
from galsmith.report.figures.style import FLOOR, REFERENCE, SET_COLORS, SET_DASHES, wavelength_axis
from galsmith.report.labels import file_name
from galsmith.report.panels.drawn import DrawnTogether
from galsmith.report.panels.overlaid_spectra import OverlaidSpectra
from galsmith.report.panels.overlays import OPEN_GROUPS, Overlay, OverlayGroup

COLUMNS = 4


def figures_together(together: DrawnTogether) -> Iterator[tuple[str, Figure]]:
    """Draw what all sets share, one figure at a time: file name and figure."""
    if together.blocks:
        rows = [(row.name, _color(row.style), row.pictures) for block in together.blocks for row in block]
        yield "galaxies", picture_rows(rows)
    for group in together.histograms:
        if group.is_open and group.file_name in OPEN_GROUPS:
            yield f"histograms_{file_name(group.file_name)}", overlay_figure(group, together)
    for data in together.spectra:
        band = data.spectra[0].band
        yield f"power_spectrum{f'_{file_name(band)}' if band else ''}", overlaid_spectra_figure(data)


def overlay_figure(group: OverlayGroup, together: DrawnTogether) -> Figure:
    """Histograms of one group of properties, the reference filled and every set a line."""
    lines = -(-len(group.overlays) // COLUMNS)
    height = 1.9 * lines + 0.75
    figure = Figure(figsize=(2.5 * COLUMNS, height))
    axes = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    # Every panel is alike, so that fixed margins in inches do what a slow layout would.
    figure.subplots_adjust(
        left=0.02, right=0.98, bottom=0.5 / height, top=1 - 0.85 / height, wspace=0.12, hspace=0.75
    )
    for axis, overlay in zip(axes, group.overlays, strict=False):
        _overlay_axis(axis, overlay)
    for axis in axes[len(group.overlays) :]:
        axis.set_visible(False)
    figure.suptitle(group.title, x=0.02, y=1 - 0.1 / height, va="top", ha="left", fontweight="bold")
    figure.text(
        0.02,
        1 - 0.42 / height,
        "above each panel the distances in floors, in the order of the sets",
        fontsize=8,
        color="0.3",
    )
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="upper right",
        ncols=len(together.names) + 1,
        frameon=False,
        fontsize=8,
        bbox_to_anchor=(0.985, 1 - 0.04 / height),
    )
    return figure


def overlaid_spectra_figure(data: OverlaidSpectra) -> Figure:
    """Spectra of all sets above, differences of the medians below."""
    figure = Figure(figsize=(5.2, 4.6), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    first = data.spectra[0]
    x = first.wavelength
    upper.fill_between(x, first.reference[0], first.reference[2], color=REFERENCE, alpha=0.2, lw=0)
    upper.plot(x, first.reference[1], color=REFERENCE, label="reference, 16–84 %")
    lower.fill_between(x, -data.floor, data.floor, color=FLOOR, lw=0)
    lower.axhline(0, color="0.3", lw=0.8)
    for name, style, one, difference in zip(
        data.names, data.styles, data.spectra, data.differences, strict=True
    ):
        look = {"color": _color(style), "ls": SET_DASHES[style - 1]}
        upper.plot(x, one.generated[1], label=name, **look)
        lower.plot(x, difference, **look)
    if first.band:
        upper.set_title(f"{first.band} band", loc="left", fontsize=9, fontweight="bold")
    upper.set_ylabel("log10 power [dex]")
    upper.legend(frameon=False, fontsize=8)
    lower.set_ylabel("difference")
    wavelength_axis(lower, first.unit)
    return figure


def _overlay_axis(axis: Axes, overlay: Overlay) -> None:
    """Draw one property."""
    axis.stairs(
        overlay.reference, overlay.edges, fill=True, color=REFERENCE, alpha=0.32, label="reference", lw=0
    )
    for item in overlay.sets:
        axis.stairs(
            item.shares,
            overlay.edges,
            color=_color(item.style),
            ls=SET_DASHES[item.style - 1],
            lw=1.3,
            label=item.name,
        )
    axis.set_xlabel(label_of(overlay.distance) + (f" [{overlay.unit}]" if overlay.unit else ""))
    worst = "; ".join(f"{item.distance.in_floors:.1f}" for item in overlay.sets if item.status)
    axis.set_title(f"{worst} floors" if worst else "not compared", fontsize=8, color="0.3")
    axis.set_yticks([])
    axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.spines["left"].set_visible(False)


def _color(style: int) -> str:
    """Color of a line style; that of the reference for 0."""
    return SET_COLORS[style - 1] if style else REFERENCE
