"""Drawings of the page of scores: histograms, scatters, errors by decile, as paths on common axes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from galsmith.report.panels.axes import Axis, Tick, line_path, step_path

WIDTH, HEIGHT = 480, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 470, 12, 236
DOT = 1.2
N_STYLES = 5
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plot:
    """One drawing.

    Attributes
    ----------
    label : str
        What it shows, in words for those who cannot see it.
    x_label, y_label : str
        Of the axes.
    x_ticks, y_ticks : list of Tick
        On them.
    paths : list of (class, path)
        Drawn in this order.
    key : list of (class, name)
        What the classes are.
    """

    label: str
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    paths: list[tuple[str, str]]
    key: list[tuple[str, str]] = field(default_factory=list)


def score_histogram(counts: Sequence[int], highest: float) -> Plot:
    """Draw how many fields have which score (Fig. 2)."""
    heights = np.asarray(counts, dtype=np.float64)
    x, y = _x(0, highest), _y(0, heights.max())
    edges = x.at(np.linspace(0, 8, len(heights) + 1))
    path = step_path(edges, y.at(np.append(heights, 0)), closed=True)
    return Plot("Histogram of scores", "score", "fields", x.ticks(8), y.ticks(), [("r-fill", path)])


def law_histograms(judged: Mapping[str, Any], highest: float) -> Plot:
    """Draw predicted scores of generated sets over the source's, each as a share (Fig. 3)."""
    laws = [judged["source"], *(one["law"] for one in judged["sets"])]
    shares = [np.asarray(law["counts"], dtype=np.float64) / max(1, law["n"]) for law in laws]
    x, y = _x(0, highest), _y(0, max(share.max() for share in shares))
    edges = x.at(np.linspace(0, 8, len(shares[0]) + 1))
    paths, key = [], []
    for number, (law, share) in enumerate(zip(laws, shares, strict=True)):
        style = "r-fill" if number == 0 else f"s-line s{1 + (number - 1) % N_STYLES}"
        paths.append((style, step_path(edges, y.at(np.append(share, 0)), closed=number == 0)))
        key.append((style, law["name"]))
    return Plot(
        "Histograms of predicted scores",
        "predicted score",
        "share of fields",
        x.ticks(8),
        y.ticks(),
        paths,
        key,
    )


def scatter(points: Sequence[Sequence[float]], words: tuple[str, str], *, is_diagonal: bool = False) -> Plot:
    """Draw pairs of numbers as dots, and the line on which both are equal where that is meant."""
    x_values, y_values = np.asarray(points, dtype=np.float64).T
    top = max(x_values.max(), y_values.max()) if is_diagonal else y_values.max()
    x, y = _x(0, x_values.max()), _y(0, top)
    at_x, at_y = x.at(x_values), y.at(y_values)
    dots = "".join(
        f"M{one - DOT:.1f} {other - DOT:.1f}h{2 * DOT}v{2 * DOT}h-{2 * DOT}z"
        for one, other in zip(at_x, at_y, strict=True)
    )
    paths = [("r-dot", dots)]
    if is_diagonal:
        ends = np.array([0.0, min(x_values.max(), top)])
        paths.insert(0, ("limit", line_path(x.at(ends), y.at(ends))))
    return Plot(f"{words[1]} against {words[0]}", *words, x.ticks(8), y.ticks(), paths)


def errors_by_decile(methods: Sequence[Mapping[str, Any]], deciles: Sequence[float]) -> Plot:
    """Draw the mean absolute error of every method in each decile of the actual score."""
    ends = np.asarray(deciles, dtype=np.float64)
    middles = 0.5 * (ends[:-1] + ends[1:])
    errors = [
        np.array([np.nan if v is None else v for v in one["decile_mae"]], dtype=np.float64) for one in methods
    ]
    x, y = _x(0, float(ends[-1])), _y(0, max(float(np.nanmax(one)) for one in errors))
    paths, key = [], []
    for number, (method, values) in enumerate(zip(methods, errors, strict=True)):
        style = f"s-line s{1 + number % N_STYLES}"
        paths.append((style, line_path(x.at(middles), y.at(values))))
        key.append((style, method["name"]))
    return Plot(
        "Errors by decile of the score",
        "actual score",
        "mean absolute error",
        x.ticks(8),
        y.ticks(),
        paths,
        key,
    )


def pixel_histogram(shares: Floats) -> Plot:
    """Draw the share of a field's pixels that have each level, with a logarithmic height (appendix 1)."""
    least = float(shares[shares > 0].min())
    x = _x(0, 255)
    y = Axis(0.5 * least, 1.0, BOTTOM, TOP, is_log=True)
    edges = x.at(np.linspace(0, 255, len(shares) + 1))
    heights = y.at(np.append(np.maximum(shares, 0.5 * least), 0.5 * least))
    path = step_path(edges, heights, closed=True)
    return Plot(
        "Histogram of a field's pixels", "level", "share of pixels", x.ticks(6), y.ticks(), [("r-fill", path)]
    )


def _x(low: float, high: float) -> Axis:
    """Lay the horizontal axis."""
    return Axis(low, high, LEFT, RIGHT)


def _y(low: float, high: float) -> Axis:
    """Lay the vertical axis, with some room above."""
    return Axis(low, 1.05 * high if high > low else low + 1.0, BOTTOM, TOP)
