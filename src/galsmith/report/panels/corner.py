"""Corner plots: how properties go together on both sides, as contours that the page draws."""

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from galsmith.compare import Comparison, Distance
from galsmith.compare.marginal.columns import band_of, label_of, mode_of, type_of_distance, values_of
from galsmith.report.material import Material
from galsmith.report.panels.axes import Axis, Tick, line_path, step_path

MAIN = ("asymmetry", "concentration", "gini", "m20", "r_half_pix", "sersic_index", "ellipticity")
MAIN_OF_FIELDS = (
    "field_sources",
    "field_log_flux_mean",
    "field_log_size_mean",
    "field_pairs_25",
    "field_level",
    "field_noise",
    "field_power_16",
)
MODES = (1, 3, 5, 7, 9, 11, 13)
MOST_COLUMNS = 7
FEWEST_GALAXIES = 20
CELL, GAP, LEFT, BOTTOM, TOP = 92, 8, 62, 50, 4
TICK_ROOM = 18.0
N_BINS = 36
SHORT = {
    "gini": "Gini",
    "r_half_pix": "r half [px]",
    "sersic_index": "Sérsic n",
    "field_sources": "sources",
    "field_log_flux_mean": "log flux",
    "field_log_size_mean": "log width",
    "field_pairs_25": "pairs, 25 px",
    "field_level": "sky level",
    "field_noise": "sky noise",
    "field_power_16": "power, 16 px",
}
ENCLOSED = (0.865, 0.393)  # two and one standard deviations of a Gaussian in the plane

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plane:
    """Smoothed density of one side over two properties.

    Attributes
    ----------
    x, y : ndarray [bin], float64
        Middles of the bins.
    density : ndarray [bin_y, bin_x], float64
        Share of the galaxies in a bin.
    levels : tuple of float
        Densities that enclose 86.5 % and 39.3 % of the galaxies, rising.
    """

    x: Floats
    y: Floats
    density: Floats
    levels: tuple[float, ...]


@dataclass(frozen=True)
class CornerData:
    """Values behind a corner plot.

    Attributes
    ----------
    title : str
        Above it.
    file_name : str
        Of its figure.
    members : tuple of Distance
        The properties, in order.
    reference, generated : ndarray [row, property], float64
        NaN where lost.
    ranges : tuple of (float, float)
        Shown of each property.
    """

    title: str
    file_name: str
    members: tuple[Distance, ...]
    reference: Floats
    generated: Floats
    ranges: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Diagonal:
    """Histograms of one property, and the axis under its column."""

    label: str
    left: float
    top: float
    reference_path: str
    generated_path: str
    ticks: list[Tick]
    up_ticks: list[Tick]


@dataclass(frozen=True)
class Cell:
    """Contours of one pair of properties; paths are for the attribute ``d``."""

    left: float
    top: float
    reference_path: str
    generated_path: str


@dataclass(frozen=True)
class Corner:
    """A corner plot, ready to be drawn; `file_name` is that of the figure of the same."""

    title: str
    file_name: str
    width: float
    height: float
    diagonals: list[Diagonal]
    cells: list[Cell]


def corners_of(material: Material) -> list[CornerData]:
    """Corner plots of the main properties and of the power modes; none where a table is gone or too short."""
    reference, generated = (side.table for side in material.sides)
    if reference is None or generated is None:
        return []
    counted = material.comparison.counted
    chosen = (
        ("Main properties", "corner_properties", main_members(counted)),
        ("Power modes", "corner_power", _mode_members(material.comparison)),
    )
    found = [
        _data(title, name, members, (reference, generated))
        for title, name, members in chosen
        if len(members) > 1
    ]
    return [item for item in found if min(len(item.reference), len(item.generated)) >= FEWEST_GALAXIES]


def plane_of(x: Floats, y: Floats, ranges: tuple[tuple[float, float], tuple[float, float]]) -> Plane | None:
    """Density of one side over two properties, smoothed; None where too few galaxies lie in the ranges.

    Parameters
    ----------
    x, y : ndarray [row], float64
        NaN where lost.
    ranges : pair of (float, float)
        Of x and of y.
    """
    both = np.isfinite(x) & np.isfinite(y)
    counts, x_edges, y_edges = np.histogram2d(x[both], y[both], bins=N_BINS, range=ranges)
    if counts.sum() < FEWEST_GALAXIES:
        return None
    # Scott (1992): the width of the kernel is the spread times n^(-1/6) in the plane.
    widths = [
        max(1.0, float(np.std(values)) / (edges[1] - edges[0]) * counts.sum() ** (-1 / 6))
        for values, edges in (
            (_clipped(y[both], ranges[1]), y_edges),
            (_clipped(x[both], ranges[0]), x_edges),
        )
    ]
    density = gaussian_filter(counts.T / counts.sum(), widths, mode="constant")
    falling = np.sort(density, axis=None)[::-1]
    enclosed = np.cumsum(falling) / falling.sum()
    levels = tuple(float(falling[np.searchsorted(enclosed, share)]) for share in ENCLOSED)
    middles = [(edges[1:] + edges[:-1]) / 2 for edges in (x_edges, y_edges)]
    return Plane(middles[0], middles[1], density, levels)


def contour_path(plane: Plane | None, across: Axis, up: Axis) -> str:
    """Path of both contours of a density, for the attribute ``d``."""
    if plane is None or plane.levels[0] >= plane.levels[1]:
        return ""
    drawn = Figure().subplots().contour(plane.x, plane.y, plane.density, plane.levels)
    lines = [line for level in drawn.allsegs for line in level]
    return "".join(
        line_path(np.round(across.at(line[:, 0]), 1), np.round(up.at(line[:, 1]), 1)) for line in lines
    )


def corner_drawing(data: CornerData) -> Corner:
    """Lay out a corner plot for the page."""
    count = len(data.members)
    places = [LEFT + number * (CELL + GAP) for number in range(count)]
    tops = [TOP + number * (CELL + GAP) for number in range(count)]
    columns = [Axis(*data.ranges[k], places[k], places[k] + CELL) for k in range(count)]
    rows = [Axis(*data.ranges[k], tops[k] + CELL, tops[k]) for k in range(count)]
    cells = []
    for row in range(1, count):
        for column in range(row):
            paths = [
                contour_path(
                    plane_of(side[:, column], side[:, row], (data.ranges[column], data.ranges[row])),
                    columns[column],
                    rows[row],
                )
                for side in (data.reference, data.generated)
            ]
            cells.append(Cell(places[column], tops[row], paths[0], paths[1]))
    diagonals = [_diagonal(data, k, columns[k], rows[k]) for k in range(count)]
    return Corner(
        data.title, data.file_name, places[-1] + CELL + 4, tops[-1] + CELL + BOTTOM, diagonals, cells
    )


def main_members(counted: tuple[Distance, ...]) -> tuple[Distance, ...]:
    """Choose the main properties, or the first ones where few of those were measured."""
    whole = [item for item in counted if not type_of_distance(item.name, item.column)]
    plain = [item for item in whole if mode_of(item.column) is None and item.metric == "linear"]
    chosen = [item for name in (*MAIN, *MAIN_OF_FIELDS) for item in plain if item.column == name]
    rest = [item for item in plain if item not in chosen]
    return tuple((chosen if len(chosen) > 3 else chosen + rest)[:MOST_COLUMNS])


def _mode_members(comparison: Comparison) -> tuple[Distance, ...]:
    """Choose modes of the power spectrum, in the band that comes first."""
    modes = [item for item in comparison.counted if mode_of(item.column) in MODES]
    first = [item for item in modes if band_of(item.column) == band_of(modes[0].column)]
    return tuple(item for item in first if item.group == first[0].group)


def _data(title: str, name: str, members: tuple[Distance, ...], tables: tuple[QTable, QTable]) -> CornerData:
    """Collect the values of some properties."""
    sides = [np.stack([values_of(table, item.column) for item in members], axis=1) for table in tables]
    return CornerData(title, name, members, sides[0], sides[1], tuple(_shown_range(item) for item in members))


def _shown_range(item: Distance) -> tuple[float, float]:
    """Range of a property that holds the bulk of both sides, with some room."""
    low, high = item.core
    room = 0.08 * (high - low) if high > low else 0.5
    return low - room, high + room


def _clipped(values: Floats, ends: tuple[float, float]) -> Floats:
    """Keep the values that are shown."""
    return values[(values >= ends[0]) & (values <= ends[1])]


def short_label(item: Distance) -> str:
    """Words for a property that fit below a small panel."""
    mode = mode_of(item.column)
    return f"mode {mode}" if mode is not None else SHORT.get(item.column, label_of(item, with_band=False))


def _diagonal(data: CornerData, place: int, across: Axis, along: Axis) -> Diagonal:
    """Draw the histograms of one property."""
    edges = np.linspace(*data.ranges[place], 25)
    shares = [_shares(side[:, place], edges) for side in (data.reference, data.generated)]
    top, bottom = along.end, along.start
    up = Axis(0.0, max(float(np.max(shares)), 1e-12) * 1.08, bottom, top)
    paths = [
        step_path(across.at(edges), np.append(up.at(share), bottom), closed=closed)
        for share, closed in zip(shares, (True, False), strict=True)
    ]
    return Diagonal(
        short_label(data.members[place]),
        across.start,
        top,
        paths[0],
        paths[1],
        inner_ticks(across, TICK_ROOM),
        inner_ticks(along, TICK_ROOM / 2) if place else [],
    )


def inner_ticks(axis: Axis, room: float) -> list[Tick]:
    """Ticks that leave `room` to the ends, so that their texts do not run into those of the next cell."""
    for count in (2, 3, 5):
        inside = [
            tick
            for tick in axis.ticks(count)
            if min(abs(tick.at - axis.start), abs(tick.at - axis.end)) >= room
        ]
        if inside:
            return inside if len(inside) < 4 else inside[::2]
    return []


def _shares(values: Floats, edges: Floats) -> Floats:
    """Share of the measured values in each bin."""
    kept = values[np.isfinite(values)]
    shares: Floats = np.histogram(kept, edges)[0] / max(kept.size, 1)
    return shares
