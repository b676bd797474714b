"""Every property's distance in units of its floor, on one logarithmic axis."""

from dataclasses import dataclass
from itertools import groupby

from galsmith.compare import Comparison, Distance
from galsmith.compare.marginal.columns import band_of, group_title, label_of
from galsmith.compare.verdict import RULE, distance_status
from galsmith.report.panels.axes import Axis, Tick

LEAST_FLOORS = 0.25
LEAST_REACH = 8.0


@dataclass(frozen=True)
class Dot:
    """One property: positions in percent of the axis.

    Attributes
    ----------
    distance : Distance
        What the dot stands for.
    label : str
        The property in words.
    status : str
        ``"pass"``, ``"borderline"`` or ``"fail"``.
    at : float
        The distance.
    low, high : float
        Its interval.
    floor_low, floor_high : float
        Where 95 % of the distances between parts of the reference lie, about.
    """

    distance: Distance
    label: str
    status: str
    at: float
    low: float
    high: float
    floor_low: float
    floor_high: float


@dataclass(frozen=True)
class DotGroup:
    """The dots of one group, with the group's title."""

    title: str
    dots: list[Dot]


@dataclass(frozen=True)
class DotPlot:
    """The whole picture.

    Attributes
    ----------
    groups : list of DotGroup
        Morphology from far to near; power by mode.
    ticks : list of Tick
        In percent of the axis.
    one, two : float
        Where one and two floors are, in percent.
    """

    groups: list[DotGroup]
    ticks: list[Tick]
    one: float
    two: float


def dot_plot(comparison: Comparison) -> DotPlot:
    """Lay out the distances that count."""
    counted = comparison.counted
    axis = floors_axis(counted)
    groups = [DotGroup(title, [_dot(item, axis) for item in members]) for title, members in grouped(counted)]
    return DotPlot(groups, axis.ticks(), float(axis.at(1.0)), float(axis.at(RULE.floors_within)))


def grouped(distances: tuple[Distance, ...]) -> list[tuple[str, list[Distance]]]:
    """Split distances by group and band; power keeps its order of modes, the rest goes from far to near."""

    def title(item: Distance) -> str:
        band = band_of(item.column)
        return f"{group_title(item.group)}, {band} band" if band else group_title(item.group)

    groups = list(dict.fromkeys(item.group for item in distances))
    bands = list(dict.fromkeys(band_of(item.column) for item in distances))
    ordered = sorted(
        distances, key=lambda item: (groups.index(item.group), bands.index(band_of(item.column)))
    )
    return [
        (name, members if members[0].group.startswith("power") else _far_to_near(members))
        for name, group in groupby(ordered, key=title)
        if (members := list(group))
    ]


def floors_axis(counted: tuple[Distance, ...]) -> Axis:
    """Give the axis in units of the floor, 0 to 100 percent."""
    farthest = max((item.in_floors for item in counted if item.in_floors > 0), default=LEAST_REACH)
    return Axis(LEAST_FLOORS, max(LEAST_REACH, 1.3 * farthest), 0.0, 100.0, is_log=True)


def _far_to_near(members: list[Distance]) -> list[Distance]:
    """Sort by units of the floor, the largest first."""
    return sorted(members, key=lambda item: -item.in_floors)


def _dot(item: Distance, axis: Axis) -> Dot:
    """Place one distance."""
    floor = item.floor if item.floor > 0 else float("nan")
    spread = 2 * item.estimate.floor_sigma / floor
    low, high, floor_low, floor_high, at = axis.at(
        [item.interval[0] / floor, item.interval[1] / floor, 1 - spread, 1 + spread, item.in_floors]
    ).tolist()
    return Dot(
        item, label_of(item, with_band=False), distance_status(item), at, low, high, floor_low, floor_high
    )
