"""Pictures of a race for its page: who is how near, what galaxies look like, properties, and power spectra."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, FuncFormatter, LogLocator, NullLocator
from numpy.typing import NDArray
from PIL import Image
from race_table import HEADS, Row

from galsmith.compare import Distance, Judgment, ReportCard
from galsmith.compare.marginal.columns import band_of, group_title, label_of
from galsmith.files import written_atomically
from galsmith.images import ImageSet
from galsmith.report.figures.painting import STYLE, look_of
from galsmith.report.panels.galaxies import Picture, rows_of_sets
from galsmith.report.panels.overlaid_spectra import overlaid_spectra
from galsmith.seeds import random_stream

FLOOR, REFERENCE = (look_of(":root", "")[f"--{name}"] for name in ("floor", "reference"))
COLORS = {
    "pca_diffusion": "#b84a00",
    "diffusion": "#5b3bb5",
    "flow": "#00707a",
    "relay_diffusion": "#1f6fb0",
    "vae": "#7a5c00",
    "alae": "#a3206b",
    "stylegan": "#333a46",
    "stylegan2": "#4f7f1f",
}
MARKS = {"trees": "o", "pairs": "D"}
HEAD_NAMES = {"trees": "boosted trees", "pairs": "products of two properties"}
LARGEST_BYTES = 300_000
LEAST_SHOWN = 0.01
COLUMNS = (10, 8, 6, 5)
JPEG_QUALITY = 92
TILE_INCHES, DOTS_PER_INCH = 0.8, 120
RACE_STYLE = {**STYLE, "svg.fonttype": "none", "svg.hashsalt": "galsmith", "font.family": "DejaVu Sans"}


def race_figure(rows: Sequence[Row]) -> Figure:
    """Excess over the floor at the left, what classifiers tell at the right; the nearest family on top."""
    figure = Figure(figsize=(9, 0.42 * len(rows) + 1.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    places = np.arange(len(rows))
    least = min(LEAST_SHOWN, *(max(row.mean.excess, 1e-4) for row in rows))
    for place, row in zip(places, rows, strict=True):
        color, excess = color_of(row.name), max(row.mean.excess, least)
        ends = [max(end, least) for end in row.interval]
        left.plot(ends, [place, place], color=color, lw=2.5, alpha=0.6, solid_capstyle="butt")
        left.plot(excess, place, "o", ms=8, color=color)
        left.annotate(
            f"{row.mean.excess:.3f}",
            (excess, place),
            (0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=8,
        )
        for head, mark in MARKS.items():
            filled = color if head == HEADS[0] else "white"
            right.plot(row.accuracies.get(head, np.nan), place, mark, ms=7, color=color, mfc=filled)
    left.axvspan(least / 2, rows[0].mean.floor, color=FLOOR, lw=0, zorder=0)
    left.set_title("shaded: less than the floor itself", loc="left", fontsize=8, color="0.35")
    left.set(yticks=places, yticklabels=[row.name for row in rows], xlabel="mean W1 in excess of the floor")
    left.set_xscale("log")
    left.set_xlim(left=0.8 * least)
    left.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    left.grid(axis="x", color="0.9")
    left.set_axisbelow(True)
    left.set_ylim(len(rows) - 0.5, -0.65)
    right.axvline(0.5, color=REFERENCE, lw=1.2)
    right.set(xlim=(0.47, 1.015), xlabel="galaxies told right from real ones, 0.5 is guessing")
    for head, mark in MARKS.items():
        filled = "0.3" if head == HEADS[0] else "white"
        right.plot([], [], mark, color="0.3", mfc=filled, label=HEAD_NAMES[head])
    figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    return figure


def property_figure(card: ReportCard, names: Sequence[str]) -> Figure:
    """Distance of every property in floors: a column a family, a block a group of properties."""
    judgments = [card.judgment(name) for name in names]
    groups = _groups(judgments)
    columns = _columns_of_blocks(groups)
    tallest = max(sum(len(groups[group]) + 2 for group in column) for column in columns)
    width = 2.3 + 0.62 * len(names)
    figure = Figure(figsize=(width * len(columns), 0.235 * tallest + 0.5), layout="constrained")
    outer = figure.add_gridspec(1, len(columns))
    for column, cell in zip(columns, outer, strict=True):
        heights = [len(groups[group]) + 2 for group in column]
        heights.append(max(tallest - sum(heights), 0) + 1e-3)
        inner = cell.subgridspec(len(heights), 1, height_ratios=heights, hspace=0.02)
        for place, group in enumerate(column):
            axis = figure.add_subplot(inner[place])
            _draw_block(axis, group, groups[group], judgments)
    return figure


def power_figure(card: ReportCard, names: Sequence[str]) -> Figure | None:
    """Median power of every family over that of the reference, a panel a band; None where there is no power."""
    panels = overlaid_spectra({name: card.judgment(name).comparison for name in names})
    if not panels:
        return None
    figure = Figure(figsize=(0.6 + 3.6 * max(len(panels), 1.4), 3.6), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, data in zip(axes, panels, strict=True):
        first = data.spectra[0]
        axis.fill_between(first.wavelength, -data.floor, data.floor, color=FLOOR, lw=0, label="floor")
        axis.axhline(0, color=REFERENCE, lw=1.2, label="reference")
        for name, difference in zip(data.names, data.differences, strict=True):
            axis.plot(first.wavelength, difference, color=color_of(name), lw=1.5, label=name)
        axis.set(xscale="log", xlabel=f"wavelength [{first.unit}]")
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
        axis.minorticks_off()
        axis.invert_xaxis()
        if first.band:
            axis.set_title(f"{first.band} band", loc="left", fontsize=9, fontweight="bold")
    axes[0].set_ylabel("median power over the reference's [dex]")
    axes[0].set_yscale("symlog", linthresh=0.1)
    axes[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=8)
    return figure


def galaxy_figure(
    sets: Mapping[str, ImageSet], reference: ImageSet, *, columns: int, shows_reference: bool
) -> Figure:
    """Galaxies by lot, a row a family; flux units are shown in shares of each galaxy's flux."""
    rows = [("real, held out", REFERENCE, reference)] if shows_reference else []
    rows += [(name, color_of(name), images) for name, images in sets.items()]
    drawn = _drawn_by_lot([images for _, _, images in rows], reference, columns)
    width, height = columns * TILE_INCHES, len(rows) * TILE_INCHES
    margin = 1.35
    figure = Figure(figsize=(width + margin, height), dpi=DOTS_PER_INCH, facecolor="white")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    figure.subplots_adjust(left=margin / (width + margin), right=1, bottom=0, top=1, wspace=0.02, hspace=0.02)
    for (name, color, _), pictures, line in zip(rows, drawn, axes, strict=True):
        for axis, picture in zip(line, pictures, strict=True):
            axis.imshow(picture.pixels, cmap="magma", vmin=0, vmax=255, interpolation="nearest")
            axis.set_axis_off()
        line[0].text(
            -0.08,
            0.5,
            name,
            color=color,
            transform=line[0].transAxes,
            ha="right",
            va="center",
            fontweight="bold",
        )
    return figure


def write_figures(
    folder: Path, card: ReportCard, rows: Sequence[Row], sets: Mapping[str, ImageSet], reference: ImageSet
) -> list[str]:
    """Write all figures and give their file names; real galaxies that are pictures of others stay out."""
    names = [row.name for row in rows]
    with rc_context(RACE_STYLE):
        found = {"race.svg": race_figure(rows), "properties.svg": property_figure(card, names)}
        power = power_figure(card, names)
        if power is not None:
            found["power.svg"] = power
        for name, figure in found.items():
            with written_atomically(folder / name) as temporary:
                figure.savefig(temporary, format="svg", metadata={"Date": None})
        name = "galaxies.jpg" if reference.header.flux_unit == "display" else "galaxies.png"
        with written_atomically(folder / name) as temporary:
            temporary.write_bytes(_galaxy_picture(sets, reference))
    return [*found, name]


def color_of(name: str) -> str:
    """Give a family its color, the same one in every figure."""
    return COLORS.get(name, "0.35")


def _galaxy_picture(sets: Mapping[str, ImageSet], reference: ImageSet) -> bytes:
    """Draw as many galaxies a row as a small file has room for: PNG in few colors, JPEG of color pictures."""
    shows_reference = reference.header.flux_unit != "display"
    encoded = b""
    for columns in COLUMNS:
        figure = galaxy_figure(sets, reference, columns=columns, shows_reference=shows_reference)
        drawn, small = io.BytesIO(), io.BytesIO()
        figure.savefig(drawn, format="png", dpi=DOTS_PER_INCH)
        picture = Image.open(drawn).convert("RGB")
        if shows_reference:
            picture.quantize(256, dither=Image.Dither.NONE).save(small, format="PNG", optimize=True)
        else:
            picture.save(small, format="JPEG", quality=JPEG_QUALITY, subsampling=0)
        encoded = small.getvalue()
        if len(encoded) <= LARGEST_BYTES:
            break
    return encoded


def _drawn_by_lot(sets: Sequence[ImageSet], reference: ImageSet, count: int) -> list[list[Picture]]:
    """Choose galaxies by lot and draw them; the reference sets the scale without being shown."""
    chosen = [
        random_stream(0, "race.galaxies", place).permutation(len(images))[:count]
        for place, images in enumerate(sets)
    ]
    if reference.header.flux_unit == "display":
        first = np.arange(min(count, len(reference)))
        return rows_of_sets([reference, *sets], [first, *chosen])[1:]
    scaled = [_in_shares(images.select(rows)) for images, rows in zip(sets, chosen, strict=True)]
    return rows_of_sets(scaled, [np.arange(count)] * len(scaled))


def _in_shares(images: ImageSet) -> ImageSet:
    """Divide each galaxy by its flux, so that faint ones are seen beside bright ones; the brightest come first."""
    from galsmith.images import ImageHeader, image_set_from_arrays

    pixels = images.pixels.read(np.arange(len(images)))
    fluxes = np.array([float(image.sum()) for image in pixels])
    order = np.argsort(-fluxes)
    shares: list[NDArray[np.float32]] = [
        (pixels[place] / max(abs(fluxes[place]), 1e-30)).astype(np.float32) for place in order
    ]
    return image_set_from_arrays(shares, ImageHeader(images.header.bands, "1"))


def _groups(judgments: Sequence[Judgment]) -> dict[str, list[Distance]]:
    """Properties that count in any set, by the title of their group, and by band where there are several."""
    members = {item.name: item for judgment in judgments for item in judgment.comparison.counted}
    groups: dict[str, list[Distance]] = {}
    for item in members.values():
        title = " ".join([group_title(item.group), band_of(item.column)]).strip()
        groups.setdefault(title, []).append(item)
    return groups


def _columns_of_blocks(groups: Mapping[str, Sequence[Distance]]) -> list[list[str]]:
    """Deal groups to two columns of about the same height."""
    columns: list[list[str]] = [[], []]
    for group in sorted(groups, key=lambda name: -len(groups[name])):
        min(columns, key=lambda column: sum(len(groups[name]) + 2 for name in column)).append(group)
    order = list(groups)
    ordered = [sorted(column, key=order.index) for column in columns if column]
    return sorted(ordered, key=lambda column: order.index(column[0]))


def _draw_block(axis: Axes, title: str, distances: Sequence[Distance], judgments: Sequence[Judgment]) -> None:
    """Draw one group of properties as a colored table."""
    floors = np.array([[_in_floors(judgment, item.name) for judgment in judgments] for item in distances])
    axis.imshow(floors, cmap="RdYlBu_r", norm=LogNorm(0.4, 40), aspect="auto", alpha=0.85)
    for (line, column), value in np.ndenumerate(floors):
        if np.isfinite(value):
            weight = "normal" if value > 2 else "bold"
            axis.text(column, line, _short(value), ha="center", va="center", fontsize=7, fontweight=weight)
    axis.set_xticks(
        range(len(judgments)), [item.name for item in judgments], rotation=25, ha="left", fontsize=7
    )
    axis.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False, length=0, pad=1)
    axis.set_yticks(range(len(distances)), [label_of(item) for item in distances], fontsize=7.5)
    axis.tick_params(axis="y", length=0)
    axis.xaxis.set_minor_locator(NullLocator())
    axis.spines[:].set_visible(False)
    axis.set_ylabel(title, fontweight="bold")


def _in_floors(judgment: Judgment, name: str) -> float:
    """Distance of a property in floors; NaN where it was not compared."""
    found = [item for item in judgment.comparison.distances if item.name == name]
    return found[0].in_floors if found else float("nan")


def _short(value: float) -> str:
    """Write a number in at most three characters or so."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"
