"""Painting of the page's own drawings (SVG) into figures that become files."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch, PathPatch, Rectangle
from matplotlib.path import Path as Outline
from PIL import Image

from galsmith.errors import SettingsError
from galsmith.files import Kind
from galsmith.report.words import caption_of

# one pixel of a drawing is a hundredth of an inch on paper, so that its texts of 11 to 13 pixels have 8 to 9 points
PIXELS_PER_INCH, POINTS_PER_PIXEL = 100, 0.72
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.dpi": 100,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,
}
FORMATS = ("png", "pdf", "svg")
MADE_BY = "galsmith"  # what a figure says of its program, by which it is known again
PDF_INFO, PDF_WORD = rb"/Info (\d+) 0 R", rb"/%s \(([^)]*)\)"
SVG_WORDS = "{http://purl.org/dc/elements/1.1/}"
MARGIN, TITLE_HEIGHT, NOTE_HEIGHT, HEAD_HEIGHT = 10.0, 20.0, 16.0, 26.0

CUSTOM_PROPERTY = "--"  # How the style sheet begins the names of its colors.
Look = dict[str, str]


@dataclass(frozen=True)
class Panel:
    """One drawing of the page, with a title above and a note below that."""

    markup: str
    title: str = ""
    note: str = ""


@cache
def _rules() -> list[tuple[frozenset[str], str, frozenset[str], Look]]:
    """Rules of the page's style sheet, light and on a screen: classes of the drawing, tag, classes, properties."""
    text = (files("galsmith.report") / "templates" / "style.css").read_text(encoding="utf-8")
    plain = re.sub(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}", "", text)
    rules = []
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", plain):
        properties = dict(re.findall(r"([\w-]+)\s*:\s*([^;]+?)\s*(?:;|$)", body.strip()))
        for selector in selectors.split(","):
            found = re.fullmatch(r"(?:svg(\.[\w.-]+)? )?([a-z]*|:root)(\.[\w.-]+)?", selector.strip())
            if found:
                within, tag, classes = (part or "" for part in found.groups())
                rules.append((_classes(within), tag, _classes(classes), properties))
    return rules


def look_of(tag: str, classes: str, within: str = "") -> Look:
    """Look of an element, as the page's style sheet has it on white paper.

    Parameters
    ----------
    tag : str
        Such as ``"path"``; ``":root"`` for the colors by their names.
    classes : str
        Of the element, apart by blanks.
    within : str
        Classes of its drawing.
    """
    look: Look = {}
    given, outer = frozenset(classes.split()), frozenset(within.split())
    for wanted_outer, wanted_tag, wanted, properties in _rules():
        if wanted_outer <= outer and wanted <= given and wanted_tag in ("", tag, ":root"):
            look |= properties
    known = dict(look)
    return {name: _filled(value, known) for name, value in look.items()}


def color_of(name: str, classes: str = "") -> str:
    """Color that the page's style sheet knows by a name, such as ``"reference"``; ``"set"`` is that of a class."""
    return look_of(":root", classes)[CUSTOM_PROPERTY + name]


def paint(axis: Axes, markup: str, corner: tuple[float, float] = (0.0, 0.0)) -> None:
    """Paint a drawing of the page on axes whose unit is its pixel, the first row at the top.

    Parameters
    ----------
    axis : Axes
        Such as those of `sheet`.
    markup : str
        The page's ``svg`` element.
    corner : tuple of float
        Where its upper left corner comes.

    Raises
    ------
    ValueError
        If it has an element or a step of a path that the page's drawings do not have.
    """
    drawing = ElementTree.fromstring(markup)
    within = drawing.get("class", "")
    for element in drawing.iter():
        if element.tag in ("svg", "title"):
            continue
        look = look_of(element.tag, element.get("class", ""), within) | element.attrib
        if element.tag == "text":
            _write(axis, element.text or "", look, corner)
        else:
            patch = _shape(element, corner)
            patch.set(**_strokes(look), clip_on=False)
            axis.add_artist(patch)


def sheet(
    panels: list[Panel], *, columns: int = 1, title: str = "", key: Iterable[tuple[str, str]] = ()
) -> Figure:
    """Paint drawings of one size side by side.

    Parameters
    ----------
    panels : list of Panel
        Of the same width and height.
    columns : int
        How many side by side.
    title : str
        Above all of them.
    key : iterable of (str, str)
        Classes of what is explained, and its name.
    """
    width, height = size_of(panels[0].markup)
    above = TITLE_HEIGHT * any(panel.title for panel in panels) + NOTE_HEIGHT * any(
        panel.note for panel in panels
    )
    columns = min(columns, len(panels))
    lines = -(-len(panels) // columns)
    entries = list(key)
    head = MARGIN + HEAD_HEIGHT * bool(title or entries)
    step = (width + MARGIN, height + above + MARGIN)
    figure, axis = canvas(step[0] * columns + MARGIN, step[1] * lines + head)
    if title:
        axis.text(MARGIN, head - MARGIN, title, fontsize=10, fontweight="bold", va="baseline")
    if entries:
        _explain(figure, entries, is_left=not title)
    for place, panel in enumerate(panels):
        left, top = MARGIN + step[0] * (place % columns), head + step[1] * (place // columns)
        texts: tuple[tuple[str, float, dict[str, Any]], ...] = (
            (panel.title, TITLE_HEIGHT - 6, {"fontweight": "bold", "fontsize": 9}),
            (panel.note, above - 5, {"color": "0.3", "fontsize": 8}),
        )
        for text, at, look in texts:
            axis.text(left + 6, top + at, text, parse_math=False, **look)
        paint(axis, panel.markup, (left, top + above))
    return figure


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Make a figure and its axes whose unit is a pixel of the page, the first row at the top."""
    figure = Figure(figsize=(width / PIXELS_PER_INCH, height / PIXELS_PER_INCH))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set(xlim=(0, width), ylim=(height, 0))
    axis.set_axis_off()
    return figure, axis


def size_of(markup: str) -> tuple[float, float]:
    """Width and height of a drawing, in pixels."""
    _, _, width, height = ElementTree.fromstring(markup).attrib["viewBox"].split()
    return float(width), float(height)


def metadata_of(kind: str, made_from: str = "") -> dict[str, Any]:
    """Say in a figure file what made it, but not the time of day, so that the same gives the same file."""
    if kind == "png":
        return {"Software": MADE_BY, "Description": made_from}
    return {"Creator": MADE_BY, "Keywords": made_from, "CreationDate" if kind == "pdf" else "Date": None}


def _made_from(path: Path) -> str | None:
    """Read from a figure's metadata what it was made from; None where its program is another."""
    kind = path.suffix.lower()
    if kind == ".png":
        with Image.open(path) as picture:
            program, words = picture.info.get("Software"), picture.info.get("Description", "")
    elif kind == ".svg":
        said = ElementTree.parse(path).find("{*}metadata")
        program = (
            None if said is None else said.findtext(f".//{SVG_WORDS}creator/{{*}}Agent/{SVG_WORDS}title")
        )
        words = "" if said is None else said.findtext(f".//{SVG_WORDS}subject//{{*}}li") or ""
    else:
        program, words = _said_by_pdf(path.read_bytes())
    return str(words) if program == MADE_BY else None


def _said_by_pdf(content: bytes) -> tuple[str, str]:
    """Program and key words of the dictionary of a PDF file to which its last lines lead."""
    number = re.findall(PDF_INFO, content)[-1]
    dictionary = content.split(b"\n%s 0 obj\n" % number)[1].partition(b"endobj")[0]
    found = (re.search(PDF_WORD % key, dictionary) for key in (b"Creator", b"Keywords"))
    program, words = ("" if match is None else match.group(1).decode() for match in found)
    return program, words


FIGURE = Kind("figure", _made_from)


def figure_format(path: Path, argument: str) -> str:
    """Give the format that a figure's name asks for: ``"png"``, ``"pdf"`` or ``"svg"``.

    Raises
    ------
    SettingsError
        If it ends in something else; `argument` is what names the figure.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise SettingsError(argument=argument, came=path, wanted="a name that ends in .png, .pdf or .svg")
    return suffix


def save(figure: Figure, stem: Path) -> None:
    """Write a figure as PNG and PDF."""
    figure.savefig(stem.with_suffix(".png"), metadata=metadata_of("png"))
    figure.set_layout_engine("none")
    figure.savefig(stem.with_suffix(".pdf"), metadata=metadata_of("pdf"))


def write_captions(folder: Path) -> None:
    """Write ``captions.txt`` beside the figures of a folder: one paragraph a figure."""
    stems = sorted(path.stem for path in folder.glob("*.pdf"))
    text = "\n\n".join(f"{stem}: {caption_of(stem)}" for stem in stems)
    (folder / "captions.txt").write_text(f"{text}\n", encoding="utf-8")


def outline_of(steps: str, corner: tuple[float, float] = (0.0, 0.0)) -> Outline:
    """Outline of a path from its attribute ``d``; of lines only, as the page's paths are."""
    points: list[tuple[float, float]] = []
    codes: list[Any] = []
    x = y = 0.0
    for command, rest in re.findall(r"([A-DF-Za-df-z])([^A-DF-Za-df-z]*)", steps):
        values = [float(value) for value in rest.split()]
        match command:
            case "M" | "L":
                x, y = values
            case "H":
                (x,) = values
            case "V":
                (y,) = values
            case "h":
                x += values[0]
            case "v":
                y += values[0]
            case "Z":
                pass
            case _:
                raise ValueError(f"a path has the step {command!r}; wanted one of M, L, H, V, h, v, Z")
        points.append((x + corner[0], y + corner[1]))
        codes.append({"M": Outline.MOVETO, "Z": Outline.CLOSEPOLY}.get(command, Outline.LINETO))
    return Outline(points or [(0.0, 0.0)], codes or [Outline.MOVETO])


def _classes(text: str) -> frozenset[str]:
    """Split what a selector has after points."""
    return frozenset(text.split(".")) - {""}


def _filled(value: str, known: Look) -> str:
    """Put variables in."""
    return re.sub(r"var\((--[\w-]+)\)", lambda found: _filled(known[found.group(1)], known), value)


def _shape(element: ElementTree.Element, corner: tuple[float, float]) -> Patch:
    """Give an element its shape."""
    number = {name: float(element.get(name, 0)) for name in ("x", "y", "cx", "cy", "r", "width", "height")}
    match element.tag:
        case "path":
            return PathPatch(outline_of(element.get("d", ""), corner), capstyle="butt")
        case "circle":
            return Circle((number["cx"] + corner[0], number["cy"] + corner[1]), number["r"])
        case "rect":
            place = number["x"] + corner[0], number["y"] + corner[1]
            return Rectangle(place, number["width"], number["height"])
        case other:
            raise ValueError(f"a drawing has the element {other!r}; wanted path, circle, rect or text")


def _strokes(look: Look) -> dict[str, Any]:
    """Colors and strokes of a look, in the words of the painter."""
    fill, stroke = look.get("fill", "#000000"), look.get("stroke", "none")
    width = float(look.get("stroke-width", 1))
    dashes = look.get("stroke-dasharray", "none")
    # dashes of the painter are in widths of the line
    pattern = (0, [float(dash) / width for dash in dashes.split()]) if dashes != "none" else "solid"
    return {
        "facecolor": "none" if fill == "none" else to_rgba(fill, float(look.get("fill-opacity", 1))),
        "edgecolor": "none" if stroke == "none" else to_rgba(stroke, float(look.get("stroke-opacity", 1))),
        "linewidth": 0.0 if stroke == "none" else width * POINTS_PER_PIXEL,
        "linestyle": pattern,
        "joinstyle": look.get("stroke-linejoin", "miter"),
    }


def _write(axis: Axes, text: str, look: Look, corner: tuple[float, float]) -> None:
    """Write a text of a drawing."""
    moved = re.findall(r"(translate|rotate)\(([^)]*)\)", look.get("transform", ""))
    steps = {name: [float(value) for value in values.split()] for name, values in moved}
    x, y = steps.get("translate", [float(look.get("x", 0)), float(look.get("y", 0))])
    pixels = re.search(r"([\d.]+)px", look.get("font-size", look["font"]))
    axis.text(
        x + corner[0],
        y + corner[1],
        text,
        fontsize=POINTS_PER_PIXEL * float(pixels.group(1) if pixels else 11),
        color=look["fill"],
        ha={"middle": "center", "end": "right"}.get(look.get("text-anchor", ""), "left"),
        va="baseline",
        rotation=-steps.get("rotate", [0.0])[0],
        rotation_mode="anchor",
        parse_math=False,
    )


def _explain(figure: Figure, entries: list[tuple[str, str]], *, is_left: bool) -> None:
    """Write what colors and lines mean, at the top."""
    handles: list[Artist] = []
    for classes, _ in entries:
        strokes = _strokes(look_of("path", classes))
        if "fill" in classes:
            handles.append(Patch(**strokes))
        else:
            handles.append(
                Line2D([], [], color=strokes["edgecolor"], lw=strokes["linewidth"], ls=strokes["linestyle"])
            )
    figure.legend(
        handles,
        [name.replace("$", r"\$") for _, name in entries],
        loc="upper left" if is_left else "upper right",
        ncols=len(entries),
        frameon=False,
        fontsize=8,
        borderaxespad=0.3,
    )
