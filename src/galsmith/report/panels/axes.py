"""Axes of the page's own vector graphics: from values to positions, and where the ticks are."""

import math
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from galsmith.report.labels import number

Floats = NDArray[np.float64]

ROUND_STEPS = (1, 2, 2.5, 5, 10)  # between ticks, times a power of ten
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Tick:
    """A tick: where it is, in pixels of the drawing, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes
    ----------
    low, high : float
        Values at its two ends; `high` may be the smaller one.
    start, end : float
        Where these lie, in pixels of the drawing.
    is_log : bool
        Whether equal steps are equal ratios.
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, values: ArrayLike) -> Floats:
        """Positions of values in pixels of the drawing; what lies outside is put on the nearer end."""
        array = np.asarray(values, dtype=np.float64)
        low, high = (math.log(end) if self.is_log else end for end in (self.low, self.high))
        with np.errstate(divide="ignore", invalid="ignore"):
            given = np.log(array) if self.is_log else array
        share = np.clip((given - low) / (high - low), 0, 1)
        return np.round(self.start + share * (self.end - self.start), 2)

    def ticks(self, count: int = 4) -> list[Tick]:
        """Round values on the axis; on a logarithmic one 1, 2 and 5 of each power of ten."""
        first, last = min(self.low, self.high), max(self.low, self.high)
        values = (
            _round_numbers(first, last)
            if self.is_log
            else MaxNLocator(count, steps=ROUND_STEPS).tick_values(first, last)
        )
        slack = 1e-9 * (last - first)
        inside = [float(value) for value in values if first - slack <= value <= last + slack]
        return [Tick(float(self.at(value)), tick_text(value)) for value in inside]


def tick_text(value: float) -> str:
    """Write a tick without needless digits; large powers of ten as such."""
    exponent = round(math.log10(abs(value))) if value else 0
    if exponent >= 4 and math.isclose(abs(value), 10.0**exponent):
        return ("−" if value < 0 else "") + "10" + str(exponent).translate(SUPERSCRIPTS)
    return f"{value:g}".replace("-", "−") if abs(value) < 1e4 else number(value, 2)


def step_path(edges: Floats, heights: Floats, *, closed: bool) -> str:
    """Path of a histogram, for the attribute ``d``: edges [bin + 1] and heights [bin] in pixels of the drawing.

    The base line is the last of `heights`, so that it has one more entry than there are bins.
    """
    base = heights[-1]
    points = [f"M{edges[0]:g} {base:g}"]
    for left, right, height in zip(edges[:-1], edges[1:], heights[:-1], strict=True):
        points.append(f"L{left:g} {height:g}L{right:g} {height:g}")
    points.append(f"L{edges[-1]:g} {base:g}" + ("Z" if closed else ""))
    return "".join(points)


def line_path(x: Floats, y: Floats) -> str:
    """Path through points, for the attribute ``d``; points that are not finite break the line."""
    pieces: list[str] = []
    pen_up = True
    for one, other in zip(x, y, strict=True):
        if not (np.isfinite(one) and np.isfinite(other)):
            pen_up = True
            continue
        pieces.append(f"{'M' if pen_up else 'L'}{one:g} {other:g}")
        pen_up = False
    return "".join(pieces)


def band_path(x: Floats, low: Floats, high: Floats) -> str:
    """Draw the closed path between two lines."""
    kept = np.isfinite(x) & np.isfinite(low) & np.isfinite(high)
    if not kept.any():
        return ""
    there = line_path(x[kept], high[kept])
    back = line_path(x[kept][::-1], low[kept][::-1])
    return f"{there}L{back[1:]}Z"


def _round_numbers(first: float, last: float) -> list[float]:
    """1, 2 and 5 of each power of ten, or the powers alone where those are many."""
    powers = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)
    digits = (1, 2, 5) if len(powers) <= 4 else (1,)
    return [digit * 10.0**power for power in powers for digit in digits]
