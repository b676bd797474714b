"""The figure of a contact sheet: pictures in rows, a name and a value below each, and a heading."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from galsmith.report.figures.painting import PIXELS_PER_INCH, canvas
from galsmith.report.galaxy.numbers import MEANING
from galsmith.report.galaxy.panels import INK, MUTED
from galsmith.report.sheets.tiles import Tile

# lengths are in the canvas's pixels, a hundredth of an inch each; text is in points
MARGIN, GAP, LINE = 24.0, 9.0, 12.5
TITLE_HEIGHT, NOTE_HEIGHT = 22.0, 14.0
SHEET_WIDTH, LARGEST_TILE, SMALLEST_TILE = 1100.0, 520.0, 104.0
MOST_COLUMNS = 12
HEADING_WIDTH_LEAST = 420.0
TITLE_SIZE, NOTE_SIZE, NAME_SIZE = 13.0, 8.0, 7.5
# of a letter of DejaVu Sans, in its size: digits are 0.64 wide, the mean of English text 0.55
LETTER_SHARE = 0.6
POINTS_PER_UNIT = 72 / PIXELS_PER_INCH
FRAME, EMPTY = "#c9ccd3", "#f1f2f5"


@dataclass(frozen=True)
class Grid:
    """Where the tiles of a sheet lie.

    Attributes
    ----------
    columns, rows : int
        How many.
    side : float
        Of a tile.
    lines : int
        Lines of text below each.
    """

    columns: int
    rows: int
    side: float
    lines: int

    @property
    def step(self) -> tuple[float, float]:
        """From one tile to the next, to the right and down."""
        return self.side + GAP, self.side + self.lines * LINE + GAP + 4


def grid_of(n_tiles: int, *, columns: int | None, lines: int) -> Grid:
    """Lay tiles out about three wide for two high; few are shown large.

    Parameters
    ----------
    n_tiles : int
        1 or more.
    columns : int or None
        As asked.
    lines : int
        Lines of text below each.
    """
    usual = min(MOST_COLUMNS, max(1, math.ceil(math.sqrt(1.6 * n_tiles))))
    count = min(n_tiles, usual if columns is None else columns)
    side = min(LARGEST_TILE, max(SMALLEST_TILE, SHEET_WIDTH / count - GAP))
    return Grid(count, -(-n_tiles // count), side, lines)


def sheet_figure(tiles: Sequence[Tile], grid: Grid, *, title: str, notes: Sequence[str] = ()) -> Figure:
    """Draw a contact sheet.

    Parameters
    ----------
    tiles : sequence of Tile
        One or more, row by row.
    grid : Grid
        Of `grid_of`.
    title : str
        Above all.
    notes : sequence of str
        Below the title, in small letters; long ones are broken.
    """
    step_x, step_y = grid.step
    width = max(grid.columns * step_x - GAP, HEADING_WIDTH_LEAST) + 2 * MARGIN
    lines = _broken(notes, width - 2 * MARGIN)
    head = MARGIN + TITLE_HEIGHT + NOTE_HEIGHT * len(lines) + 6
    figure, axis = canvas(width, head + grid.rows * step_y - GAP + MARGIN)
    axis.set_autoscale_on(False)
    shown = shortened(title, width - 2 * MARGIN, TITLE_SIZE)
    _write(axis, MARGIN, MARGIN + 8, shown, fontsize=TITLE_SIZE, fontweight="bold", color=INK)
    for number, line in enumerate(lines):
        _write(
            axis,
            MARGIN,
            MARGIN + TITLE_HEIGHT + NOTE_HEIGHT * number + 5,
            line,
            fontsize=NOTE_SIZE,
            color=MUTED,
        )
    left = (width - grid.columns * step_x + GAP) / 2 if grid.rows == 1 else MARGIN
    for place, tile in enumerate(tiles):
        row, column = divmod(place, grid.columns)
        _draw(axis, tile, (left + column * step_x, head + row * step_y), grid)
    return figure


def shortened(text: str, width: float, size: float) -> str:
    """Leave out the middle of a text that is longer than a width, so that names still differ at both ends."""
    most = max(4, int(width * POINTS_PER_UNIT / (LETTER_SHARE * size)))
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def _draw(axis: Axes, tile: Tile, corner: tuple[float, float], grid: Grid) -> None:
    """Draw one picture, centered in its square, and what stands below it."""
    left, top = corner
    side = grid.side
    if tile.pixels is None:
        axis.add_patch(Rectangle(corner, side, side, facecolor=EMPTY, edgecolor=FRAME, lw=0.6))
        words = "\n".join(_broken([tile.message], side - 12))
        _write(axis, left + side / 2, top + side / 2, words, fontsize=NAME_SIZE, color=MUTED, ha="center")
    else:
        n_y, n_x = tile.pixels.shape[:2]
        width, height = side * n_x / max(n_y, n_x), side * n_y / max(n_y, n_x)
        x, y = left + (side - width) / 2, top + (side - height) / 2
        axis.imshow(tile.pixels, extent=(x, x + width, y + height, y), aspect="auto")
        axis.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=FRAME, lw=0.6))
    below = top + side + LINE / 2 + 3
    beside = LETTER_SHARE * NAME_SIZE * (len(tile.size) + 1) / POINTS_PER_UNIT if tile.size else 0.0
    _write(axis, left, below, shortened(tile.name, side - beside, NAME_SIZE), fontsize=NAME_SIZE, color=INK)
    if tile.size:
        _write(axis, left + side, below, tile.size, fontsize=NAME_SIZE - 1, color=MUTED, ha="right")
    if tile.value:
        _write(axis, left, below + LINE, tile.value, fontsize=NAME_SIZE, color=MUTED, parse_math=True)
    if tile.flag:
        meaning, color = MEANING.get(tile.flag, (f"flag {tile.flag}", INK))
        last = below + LINE * (grid.lines - 1)
        _write(axis, left, last, meaning, fontsize=NAME_SIZE, color=color, fontweight="bold")


def _write(axis: Axes, x: float, y: float, text: str, **look: Any) -> None:
    """Write a text whose middle is at a height."""
    axis.text(x, y, text, **{"va": "center", "parse_math": False, **look})


def _broken(notes: Sequence[str], width: float) -> list[str]:
    """Break notes into lines of a width, between words."""
    most = max(8, int(width * POINTS_PER_UNIT / (0.9 * LETTER_SHARE * NOTE_SIZE)))
    lines = []
    for note in notes:
        line = ""
        for word in note.split():
            if line and len(line) + 1 + len(word) > most:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}".strip()
        lines.append(line)
    return lines
