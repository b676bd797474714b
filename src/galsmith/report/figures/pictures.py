"""Figures of galaxies, average spectra and pairs: the pictures of the page, beside one another."""

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from galsmith.report.figures.painting import HEAD_HEIGHT, canvas, color_of, paint, size_of
from galsmith.report.page import drawing
from galsmith.report.panels.galaxies import Block, Bytes, Picture
from galsmith.report.panels.plane_spectra import AverageSpectra, OneSpectrum

GAP = 4.0
STYLE_OF_ROLE = {"reference": "s0", "generated": "s1"}


def galaxy_figure(blocks: list[Block]) -> Figure:
    """Rows of the reference over rows of the generated set."""
    rows = [(name, STYLE_OF_ROLE[name], getattr(block, name)) for block in blocks for name in STYLE_OF_ROLE]
    return picture_rows(rows)


def picture_rows(rows: list[tuple[str, str, list[Picture]]]) -> Figure:
    """Rows of galaxies, each with its name and the class of its color."""
    width = max(len(pictures) for _, _, pictures in rows)
    figure = Figure(figsize=(1.25 * width + 0.4, 1.25 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), width, squeeze=False)
    for (name, style, pictures), line in zip(rows, axes, strict=True):
        for place, axis in enumerate(line):
            _show(axis, pictures[place].pixels if place < len(pictures) else None)
        line[0].set_ylabel(name, color=_color(style), fontweight="bold")
    return figure


def _show(axis: Axes, pixels: Bytes | None) -> None:
    """Show a picture of the page, its first row at the top."""
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)
    if pixels is not None:
        axis.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def plane_figure(planes: AverageSpectra) -> Figure:
    """Average spectra of both sides and their difference, as the page has them."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axis, name in zip(figure.subplots(1, 3), ("reference", "generated", "difference"), strict=True):
        _show(axis, planes.picture(name))
        axis.set_title("generated − reference" if name == "difference" else name)
        low, high, colors = planes.scale(name)
        scale = ScalarMappable(Normalize(low, high), colors)
        figure.colorbar(scale, ax=axis, label="dB", shrink=0.8)
    return figure


def one_spectrum_figure(one: OneSpectrum) -> Figure:
    """One galaxy of each side, its two-dimensional spectrum, and its modes as the page draws them."""
    markup = drawing("one_spectrum", one)
    width, height = size_of(markup)
    side = height / 2
    figure, axis = canvas(2 * side + width, height + HEAD_HEIGHT)
    paint(axis, markup, (2 * side, HEAD_HEIGHT))
    for row, galaxy in enumerate(one.galaxies):
        color = _color(STYLE_OF_ROLE[galaxy.role])
        for column, pixels in enumerate((galaxy.picture.pixels, galaxy.plane)):
            left, top = column * side + GAP, HEAD_HEIGHT + row * side
            place = axis.inset_axes((left, top, side - 2 * GAP, side - HEAD_HEIGHT), transform=axis.transData)
            _show(place, pixels)
            words = galaxy.role if column == 0 else "its spectrum"
            axis.text(left, top - 5, words, color=color, fontsize=8, fontweight="bold")
    axis.text(
        2 * side + 68,
        HEAD_HEIGHT - 8,
        "reference solid, generated dashed; gray: the reference set",
        fontsize=8,
    )
    return figure


def pair_figure(pairs: list[tuple[Picture, Picture, str]], second: str) -> Figure:
    """Show generated images over those that they are near to, with words below."""
    figure = Figure(figsize=(1.35 * len(pairs) + 0.4, 2.9), layout="constrained")
    axes = figure.subplots(2, len(pairs), squeeze=False)
    for place, (upper, lower, words) in enumerate(pairs):
        _show(axes[0, place], upper.pixels)
        _show(axes[1, place], lower.pixels)
        axes[1, place].set_xlabel(words, fontsize=8)
    axes[0, 0].set_ylabel("generated", color=_color("s1"), fontweight="bold")
    axes[1, 0].set_ylabel(second, color=_color("s1" if second == "generated" else "s0"), fontweight="bold")
    return figure


def _color(style: str) -> str:
    """Color of a class of the page's style sheet."""
    return color_of("set", style)
