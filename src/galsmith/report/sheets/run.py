"""The figure of a training run: its losses and the judge's numbers over the images seen, and the galaxies it drew."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.ticker import EngFormatter, MaxNLocator
from numpy.typing import NDArray

from galsmith.errors import InputError
from galsmith.files import sha256_of_file
from galsmith.provenance import hash_json
from galsmith.report.galaxy.panels import INK, MUTED
from galsmith.report.sheets.sheet import shortened

SETTINGS_FILE, LOG_FILE, GRIDS = "settings.toml", "log.jsonl", "samples/grid-*.png"
# what a line of the log says beside losses and the judge's numbers
BOOKKEEPING = ("images_seen", "seconds", "budget_used", "memory_mb", "bad_steps", "evaluation_seconds")
EVALUATION = "evaluation_seconds"
SPEED = "images_per_s"
MOST_CURVES, MOST_GRIDS, FEW_POINTS = 6, 3, 20
# inches
CURVES_WIDTH, CURVE_HEIGHT, TALLEST_CURVE, GRID_WIDTH = 4.6, 1.95, 3.0, 7.0
MARGIN, GAP, HEAD = 0.3, 0.15, 0.85
SMOOTH_SHARE = 0.05  # of the curve, in the running median
STEEP = 20.0  # a curve over such a range is shown on a logarithmic scale
LINE, POINT = "#0069a8", "#b84a00"


def is_run(path: Path) -> bool:
    """Whether a folder is a training run, finished or not."""
    return (path / SETTINGS_FILE).is_file() and not (path / "snapshot.json").is_file()


def state_of_run(path: Path) -> str:
    """Hash of what the figure of a run is drawn from."""
    files = [file for file in (path / LOG_FILE, *_grids(path)) if file.is_file()]
    return hash_json([[file.name, sha256_of_file(file)] for file in files])


def count_panels(path: Path) -> int:
    """Count the curves and pictures of a run.

    Raises
    ------
    InputError
        If it has written neither log nor pictures yet.
    """
    count = len(_curves(_lines(path / LOG_FILE))) + len(_grids(path))
    if not count:
        raise InputError(f"{path}: the run has written neither log nor pictures yet; look again later")
    return count


def run_figure(path: Path) -> Figure:
    """Draw a run: one panel a loss and a number of the judge, and up to three of its pictures, the last one included.

    Parameters
    ----------
    path : Path
        The run's folder.
    """
    curves, pictures = _curves(_lines(path / LOG_FILE)), _grids(path)
    grids = [imread(picture) for picture in pictures]
    heights = [GRID_WIDTH * grid.shape[0] / grid.shape[1] for grid in grids]
    left, right = (CURVES_WIDTH + MARGIN) * bool(curves) + MARGIN, (GRID_WIDTH + MARGIN) * bool(grids)
    width = left + right
    body = max(sum(heights) + GAP * len(heights), CURVE_HEIGHT * len(curves))
    room = min(body / max(len(curves), 1), TALLEST_CURVE)
    height = body + HEAD + MARGIN - GAP
    figure = Figure(figsize=(width, height))
    seen = max((curve.images_seen[-1] for curve in curves), default=0.0)
    words = f"{seen:,.0f} images seen" if seen else ""
    name = shortened(path.resolve().name, 100 * (width - 2 * MARGIN), 13)
    figure.text(
        MARGIN / width, 1 - 0.42 / height, name, fontsize=13, weight="bold", color=INK, parse_math=False
    )
    figure.text(MARGIN / width, 1 - 0.65 / height, words, fontsize=8, color=MUTED)
    for number, curve in enumerate(curves):
        place = _place(
            figure,
            (MARGIN + 0.55, HEAD + room * number + 0.25),
            (CURVES_WIDTH - 0.55, room - 0.75),
        )
        _draw_curve(figure.add_axes(place), curve, reach=seen, is_last=number == len(curves) - 1)
    at = HEAD
    for grid, tall in zip(grids, heights, strict=True):
        axis = figure.add_axes(_place(figure, (left, at), (GRID_WIDTH, tall)))
        axis.imshow(grid, aspect="auto")
        axis.set_axis_off()
        at += tall + GAP
    return figure


def _place(
    figure: Figure, corner: tuple[float, float], size: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Bring a place in inches from the upper left corner to shares of the figure."""
    width, height = figure.get_size_inches()
    return corner[0] / width, 1 - (corner[1] + size[1]) / height, size[0] / width, size[1] / height


@dataclass(frozen=True)
class Curve:
    """One number of the log over the images seen, [line] float64 each; whether the judge gave it."""

    name: str
    images_seen: NDArray[np.float64]
    values: NDArray[np.float64]
    is_judged: bool


def _draw_curve(axis: Axes, curve: Curve, *, reach: float, is_last: bool) -> None:
    """Draw one curve and its running median, or the points of the judge."""
    x, y = curve.images_seen, curve.values
    axis.set_title(curve.name.replace("_", " "), loc="left", fontsize=9, fontweight="bold", color=INK, pad=4)
    axis.set_title(f"last {y[-1]:.4g}", loc="right", fontsize=8, color=MUTED, pad=4)
    if y.min() > 0 and y.max() > STEEP * y.min():
        axis.set_yscale("log")
    else:
        axis.yaxis.set_major_locator(MaxNLocator(4))
    if curve.is_judged or len(x) < FEW_POINTS:
        axis.plot(x, y, "o-", color=POINT if curve.is_judged else LINE, ms=3.5, lw=1.2)
    else:
        axis.plot(x, y, color=LINE, lw=0.7, alpha=0.35)
        axis.plot(x, _running_median(y), color=LINE, lw=1.6)
    axis.set_xlim(0, 1.02 * reach)
    axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.xaxis.set_major_formatter(EngFormatter(sep=""))
    axis.tick_params(labelsize=7.5, colors=MUTED, length=3)
    axis.grid(color="#e3e5ea", lw=0.6)
    axis.set_axisbelow(True)
    for edge in axis.spines.values():
        edge.set_color(MUTED)
    if is_last:
        axis.set_xlabel("images seen", fontsize=8, color=MUTED, labelpad=2)


def _running_median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median of the values about each one; fewer at the ends."""
    reach = max(1, round(SMOOTH_SHARE * len(values) / 2))
    return np.array([np.median(values[max(0, k - reach) : k + reach + 1]) for k in range(len(values))])


def _lines(file: Path) -> list[dict[str, Any]]:
    """Read the lines of a log; one that is being written is left out."""
    lines = []
    for text in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            continue
    return lines


def _curves(lines: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """Gather finite numbers by name: losses, then what the judge says, then the speed."""
    found: dict[str, list[tuple[float, float, bool]]] = {}
    for line in lines:
        for name, value in line.items():
            if name not in BOOKKEEPING and isinstance(value, int | float) and np.isfinite(value):
                found.setdefault(name, []).append((line["images_seen"], value, EVALUATION in line))
    curves = []
    for name, points in found.items():
        x, y, judged = zip(*points, strict=True)
        curves.append(Curve(name, np.array(x, dtype=np.float64), np.array(y, dtype=np.float64), any(judged)))
    return sorted(curves, key=lambda curve: (curve.name == SPEED, curve.is_judged))[:MOST_CURVES]


def _grids(path: Path) -> list[Path]:
    """Pictures of drawn galaxies: at most three, evenly in time, with the last one."""
    every = sorted(path.glob(GRIDS))
    if len(every) <= MOST_GRIDS:
        return every
    return [every[place] for place in np.linspace(0, len(every) - 1, MOST_GRIDS).round().astype(int)]
