"""The bulge statistic against a color, early and late types apart (Holzschuh et al. 2022, Fig. 7)."""

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from galsmith.compare.marginal.columns import BULGE, core_range, measured, of_type, values_of
from galsmith.images.bands import PAPER_PAIR, BandPair
from galsmith.measure.properties.colors import color_columns, flux_column
from galsmith.report.material import Material
from galsmith.report.panels.axes import Axis, Tick, step_path
from galsmith.report.panels.corner import contour_path, plane_of

AT_MOST, BINS = 300, 24
WIDTH, HEIGHT = 460, 470
LEFT, RIGHT, SIDE = 58, 350, 448
TOP, EARLY_BOTTOM, LATE_TOP, LATE_BOTTOM, MAIN_TOP, BOTTOM = 8, 66, 74, 132, 142, 424

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ColorBulge:
    """Color and bulge statistic of both sides.

    Attributes
    ----------
    color_name : str
        Such as ``"g − i"``.
    unit : str
        ``"mag"``, or ``"mag, instrumental"`` where colors have no zero points.
    reference, generated : ndarray [2, row], float64
        Color in magnitudes, and bulge statistic; both are there.
    color_range, bulge_range : tuple of float
        Shown.
    """

    color_name: str
    unit: str
    reference: Floats
    generated: Floats
    color_range: tuple[float, float]
    bulge_range: tuple[float, float]

    def early_share(self, side: Floats) -> float:
        """Share of early types: bulge statistic 0 or more."""
        return float(np.mean(side[1] >= 0)) if side.size else float("nan")

    def colors(self, side: Floats, *, is_early: bool) -> Floats:
        """Colors of one type."""
        return side[0, of_type(side[1], "early_type" if is_early else "late_type")]


@dataclass(frozen=True)
class ColorBulgePanel:
    """What the page draws; paths are for the attribute ``d``."""

    data: ColorBulge
    reference_points: list[tuple[float, float]]
    generated_points: list[tuple[float, float]]
    reference_contours: str
    generated_contours: str
    early: tuple[str, str]
    late: tuple[str, str]
    bulge: tuple[str, str]
    zero: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def color_bulge_of(material: Material) -> ColorBulge | None:
    """Find color and bulge statistic in both tables; None where they have none."""
    tables = [side.table for side in material.sides]
    if any(table is None or BULGE not in table.colnames for table in tables):
        return None
    colors = [_color(table) for table in tables]
    if colors[0] is None or colors[1] is None or colors[0][0] != colors[1][0]:
        return None
    sides = []
    for table, color in zip(tables, (colors[0][1], colors[1][1]), strict=True):
        both = np.array([color, values_of(table, BULGE)])
        sides.append(both[:, np.isfinite(both).all(axis=0)])
    if min(side.shape[1] for side in sides) < 2:
        return None
    ranges = [_widened(core_range(*(measured(side[place]) for side in sides))) for place in (0, 1)]
    is_instrumental = any(_is_instrumental(table) for table in tables)
    return ColorBulge(
        colors[0][0],
        "mag, instrumental" if is_instrumental else "mag",
        sides[0],
        sides[1],
        ranges[0],
        ranges[1],
    )


def color_bulge_panel(data: ColorBulge) -> ColorBulgePanel:
    """Draw the plane, the marginals of the color by type, and that of the bulge statistic."""
    across = Axis(*data.color_range, LEFT, RIGHT)
    up = Axis(*data.bulge_range, BOTTOM, MAIN_TOP)
    sides = (data.reference, data.generated)
    points = [_points(side, data, across, up) for side in sides]
    contours = [
        contour_path(plane_of(side[0], side[1], (data.color_range, data.bulge_range)), across, up)
        for side in sides
    ]
    early = [data.colors(side, is_early=True) for side in sides]
    late = [data.colors(side, is_early=False) for side in sides]
    return ColorBulgePanel(
        data,
        points[0],
        points[1],
        contours[0],
        contours[1],
        _marginal(early, data.color_range, across, (EARLY_BOTTOM, TOP)),
        _marginal(late, data.color_range, across, (LATE_BOTTOM, LATE_TOP)),
        _side_marginal([side[1] for side in sides], data.bulge_range, up),
        float(up.at(0.0)),
        across.ticks(5),
        up.ticks(6),
    )


def shares_of(values: Floats, edges: Floats) -> Floats:
    """Share of values in each bin."""
    shares: Floats = np.histogram(values, edges)[0] / max(values.size, 1)
    return shares


def _color(table: QTable) -> tuple[str, Floats] | None:
    """Find a color: g - i before others, or from fluxes of the bands g and i."""
    found = color_columns(table.colnames)
    if found:
        column = next((name for name, pair in found.items() if pair == PAPER_PAIR), next(iter(found)))
        return _name_of(found[column]), values_of(table, column)
    fluxes = [flux_column(band) for band in PAPER_PAIR]
    if not set(fluxes) <= set(table.colnames):
        return None
    one, other = (values_of(table, name) for name in fluxes)
    with np.errstate(divide="ignore", invalid="ignore"):
        color = -2.5 * np.log10(one / other)
    return _name_of(BandPair(*PAPER_PAIR)), np.where(np.isfinite(color), color, np.nan)


def _name_of(pair: BandPair) -> str:
    """Write a color for readers."""
    return f"{pair.first} − {pair.second}"


def _is_instrumental(table: QTable) -> bool:
    """Whether a table says that its colors have no zero points."""
    return dict(table.meta.get("colors") or {}).get("magnitudes") == "instrumental"


def _widened(ends: tuple[float, float]) -> tuple[float, float]:
    """Give a range some room."""
    low, high = ends
    room = 0.06 * (high - low) if high > low else 0.5
    return low - room, high + room


def _points(side: Floats, data: ColorBulge, across: Axis, up: Axis) -> list[tuple[float, float]]:
    """Place the first galaxies that lie in the ranges."""
    inside = (
        (side[0] > data.color_range[0])
        & (side[0] < data.color_range[1])
        & (side[1] > data.bulge_range[0])
        & (side[1] < data.bulge_range[1])
    )
    shown = side[:, inside][:, :AT_MOST]
    return list(
        zip(np.round(across.at(shown[0]), 1).tolist(), np.round(up.at(shown[1]), 1).tolist(), strict=True)
    )


def _marginal(
    values: list[Floats], ends: tuple[float, float], across: Axis, edge: tuple[float, float]
) -> tuple[str, str]:
    """Draw histograms of both sides above the plane."""
    edges = np.linspace(*ends, BINS + 1)
    shares = [shares_of(side, edges) for side in values]
    up = Axis(0.0, 1.05 * max(float(np.max(shares)), 1e-12), *edge)
    paths = [
        step_path(across.at(edges), np.append(up.at(share), edge[0]), closed=closed)
        for share, closed in zip(shares, (True, False), strict=True)
    ]
    return paths[0], paths[1]


def _side_marginal(values: list[Floats], ends: tuple[float, float], up: Axis) -> tuple[str, str]:
    """Draw histograms of both sides to the right of the plane."""
    edges = np.linspace(*ends, BINS + 1)
    shares = [shares_of(side, edges) for side in values]
    right = Axis(0.0, 1.05 * max(float(np.max(shares)), 1e-12), RIGHT + 10, SIDE)
    paths = []
    for share in shares:
        x, y = np.repeat(right.at(share), 2), np.repeat(up.at(edges), 2)[1:-1]
        steps = "".join(f"L{one:g} {other:g}" for one, other in zip(x, y, strict=True))
        paths.append(f"M{RIGHT + 10} {y[0]:g}{steps}L{RIGHT + 10} {y[-1]:g}")
    return paths[0], paths[1]
