"""Distances in floors and the other checks, a row each: of the verdict over all sets, and of every property."""

from dataclasses import dataclass
from itertools import groupby

from galsmith.compare import Comparison, Distance
from galsmith.compare.marginal.columns import band_of, group_title, label_of
from galsmith.compare.verdict import (
    COPIES,
    DISTANCES,
    FAIL,
    RULE,
    TOLD,
    Check,
    Mark,
    distance_status,
)
from galsmith.report.labels import distance_number, floors_text, share_text
from galsmith.report.panels.axes import Axis, Tick
from galsmith.report.verdict import VerdictWords

LEAST_FLOORS = 0.25
LEAST_REACH = 8.0
TITLES = {
    DISTANCES: "Distances, in floors",
    TOLD: "Told apart by a classifier, area under the curve",
    COPIES: "Images nearer to a training image than 99 % of the held-out ones",
}
UNITS = {DISTANCES: "floors", TOLD: "", COPIES: ""}
LEAST_SHARE = 0.002
TOLD_TICKS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SCALES = {
    TOLD: Axis(0.45, 1.0, 0.0, 100.0),
    COPIES: Axis(LEAST_SHARE, 1.0, 0.0, 100.0, is_log=True),
}


@dataclass(frozen=True)
class Dot:
    """One number, in percent of the axis."""

    at: float
    status: str
    text: str


@dataclass(frozen=True)
class Row:
    """One check of one generated set, or one property.

    Attributes
    ----------
    title : str
        The check, where it is its first row, or the property; else empty.
    name : str
        The generated set's; empty where there is one.
    words : str
        What the row is, for those who do not see it.
    status : str
        ``"pass"``, ``"borderline"`` or ``"fail"``.
    dots : list of Dot
        Its numbers.
    low, high : float or None
        Interval of its only number, in percent of the axis.
    expected_low, expected_high : float
        Where its numbers are if nothing differs.
    text : str
        What it says in words.
    """

    title: str
    name: str
    words: str
    status: str
    dots: list[Dot]
    low: float | None
    high: float | None
    expected_low: float
    expected_high: float
    text: str


@dataclass(frozen=True)
class Part:
    """Rows on one scale; `one` and `two` are where one floor, or guessing, and its limit are."""

    scale: str
    title: str
    unit: str
    rows: list[Row]
    ticks: list[Tick]
    one: float
    two: float


def board_of(verdicts: tuple[VerdictWords, ...]) -> list[Part]:
    """Lay out all checks of all sets: one part a scale, one row a check and set."""
    every = [check for verdict in verdicts for check in verdict.verdict.checks]
    parts = []
    for scale in (DISTANCES, TOLD, COPIES):
        axis = axis_of(scale, tuple(every))
        titles = list(dict.fromkeys(check.title for check in every if check.scale == scale))
        rows = [row for title in titles for row in _rows(title, verdicts, axis)]
        if rows:
            first = next(check for check in every if check.scale == scale)
            one, two = axis.at(limits_of(scale, first)).tolist()
            parts.append(Part(scale, TITLES[scale], UNITS[scale], rows, ticks_of(scale, axis), one, two))
    return parts


def dots_of(comparison: Comparison) -> list[Part]:
    """Lay out the distances that count: one part a group, morphology from far to near, power by mode."""
    counted = comparison.counted
    farthest = max((item.in_floors for item in counted if item.in_floors > 0), default=LEAST_REACH)
    axis = _floors_axis(farthest)
    one, two = axis.at([1.0, RULE.floors_within]).tolist()
    return [
        Part(
            DISTANCES, title, UNITS[DISTANCES], [_dot(item, axis) for item in members], axis.ticks(), one, two
        )
        for title, members in grouped(counted)
    ]


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


def axis_of(scale: str, checks: tuple[Check, ...]) -> Axis:
    """Give the axis of a scale, 0 to 100 percent."""
    values = [mark.value for check in checks if check.scale == scale for mark in check.marks]
    if scale == DISTANCES:
        return _floors_axis(max(values, default=1.0))
    if scale == TOLD and values:
        return Axis(min(SCALES[TOLD].low, min(values) - 0.02), 1.0, 0.0, 100.0)
    return SCALES[scale]


def limits_of(scale: str, check: Check) -> tuple[float, float]:
    """Where nothing differs, and from where on it fails."""
    if scale == DISTANCES:
        return 1.0, check.largest
    return check.expected, check.largest


def ticks_of(scale: str, axis: Axis) -> list[Tick]:
    """Ticks of a scale; shares in percent."""
    if scale == COPIES:
        return [Tick(float(axis.at(share)), f"{100 * share:g} %") for share in (0.01, 0.1, 0.5)]
    if scale == TOLD:
        return [Tick(float(axis.at(value)), f"{value:g}") for value in TOLD_TICKS if value >= axis.low]
    ticks = axis.ticks()
    return [tick for tick in ticks if tick.at < 96] if len(ticks) > 4 else ticks


def _rows(title: str, verdicts: tuple[VerdictWords, ...], axis: Axis) -> list[Row]:
    """Rows of one check, one a generated set."""
    rows: list[Row] = []
    for verdict in verdicts:
        for check in verdict.verdict.checks:
            if check.title == title:
                name = verdict.name if len(verdicts) > 1 else ""
                rows.append(_row("" if rows and name else title, name, check, axis))
    return rows


def _row(title: str, name: str, check: Check, axis: Axis) -> Row:
    """Place the marks of one check."""
    dots = [
        Dot(float(axis.at(mark.value)), mark.status, f"{mark.label}: {mark_text(check.scale, mark)}")
        for mark in check.marks
    ]
    low, high = (
        axis.at([check.marks[0].low, check.marks[0].high]).tolist() if len(check.marks) == 1 else (None, None)
    )
    near, far = axis.at(_expected_range(check, axis)).tolist()
    words = ", ".join(part for part in (check.title, name) if part)
    return Row(title, name, words, check.status, dots, low, high, near, far, row_text(check))


def _expected_range(check: Check, axis: Axis) -> tuple[float, float]:
    """Where its numbers are if nothing differs."""
    if check.scale == TOLD:
        spread = 2 * check.expected_sigma
        return check.expected - spread, check.expected + spread
    return axis.low, limits_of(check.scale, check)[1]


def mark_text(scale: str, mark: Mark) -> str:
    """Write a mark's number."""
    if scale == DISTANCES:
        return f"{mark.value:.1f} floors"
    return share_text(mark.value) if scale == COPIES else f"{mark.value:.2f}"


def row_text(check: Check) -> str:
    """Say what a row shows: how many pass, and the worst."""
    worst = check.worst
    if check.scale != DISTANCES:
        return (
            f"{worst.label} {mark_text(check.scale, worst)}"
            if len(check.marks) > 1
            else mark_text(check.scale, worst)
        )
    counted = f"{check.count(FAIL)} of {len(check.marks)} fail; " if len(check.marks) > 1 else ""
    return f"{counted}{worst.label}: {worst.value:.1f}"


def _floors_axis(farthest: float) -> Axis:
    """Give the axis in units of the floor, 0 to 100 percent."""
    return Axis(LEAST_FLOORS, max(LEAST_REACH, 1.3 * farthest), 0.0, 100.0, is_log=True)


def _far_to_near(members: list[Distance]) -> list[Distance]:
    """Sort by units of the floor, the largest first."""
    return sorted(members, key=lambda item: -item.in_floors)


def _dot(item: Distance, axis: Axis) -> Row:
    """Place one distance; expected is where 95 % of the distances between parts of the reference lie, about."""
    floor = item.floor if item.floor > 0 else float("nan")
    spread = 2 * item.estimate.floor_sigma / floor
    low, high, floor_low, floor_high, at = axis.at(
        [item.interval[0] / floor, item.interval[1] / floor, 1 - spread, 1 + spread, item.in_floors]
    ).tolist()
    label, status = label_of(item, with_band=False), distance_status(item)
    words = f"{label}: W1 {distance_number(item.value)}, floor {distance_number(item.floor)}"
    text = floors_text(item.in_floors)
    return Row(label, "", words, status, [Dot(at, status, words)], low, high, floor_low, floor_high, text)
