"""Tests in floors, areas and shares, a row each: of the verdict over all sets, and of every property."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from galsmith.compare import Comparison, Distance, Evidence
from galsmith.compare.evidence.records import AREA, BORDERLINE, FLOORS, NOT_TOLD, SD, SHARE, STATUSES, TOLD
from galsmith.compare.marginal.columns import band_of, group_title, label_of
from galsmith.report.labels import distance_number, floors_text, p_text, share_text
from galsmith.report.panels.axes import Axis, Tick
from galsmith.report.verdict import VerdictWords

LEAST_FLOORS = 0.25
LEAST_REACH = 8.0
# Families whose numbers stand on a board; what is too near, lost or a mean is said in the table of families.
ON_BOARD = ("marginal", "outside", "joint", "classifiers", "copies")
TITLES = {
    FLOORS: "Distances, in floors",
    AREA: "Told apart by a classifier, area under the curve",
    SHARE: "Images nearer to a training image than 99 % of the held-out ones",
}
UNITS = {FLOORS: "floors", AREA: "", SHARE: ""}
LEAST_SHARE = 0.002
TOLD_TICKS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
SCALES = {
    AREA: Axis(0.45, 1.0, 0.0, 100.0),
    SHARE: Axis(LEAST_SHARE, 1.0, 0.0, 100.0, is_log=True),
}
TICKS_APART = 9.0  # Percent of the axis that a tick's number needs on a phone.


@dataclass(frozen=True)
class Dot:
    """One number, in percent of the axis."""

    at: float
    status: str
    text: str


@dataclass(frozen=True)
class Row:
    """Tests under one heading of one generated set, or one property.

    Attributes
    ----------
    title : str
        The heading, where it is its first row, or the property; else empty.
    name : str
        The generated set's; empty where there is one.
    words : str
        What the row is, for those who do not see it.
    status : str
        ``"told"``, ``"borderline"`` or ``"not_told"``: the worst of its numbers.
    dots : list of Dot
        Its numbers.
    low, high : float or None
        Interval of its only number, in percent of the axis.
    expected_low, expected_high : float
        Where its numbers are if nothing differs.
    limit : float or None
        From where on it is told, about.
    text : str
        What it says in words.
    chance : str
        The p value of a borderline property among all tests; else empty.
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
    limit: float | None
    text: str
    chance: str = ""


@dataclass(frozen=True)
class Part:
    """Rows on one scale; `one` is where one floor, or guessing, is."""

    scale: str
    title: str
    unit: str
    rows: list[Row]
    ticks: list[Tick]
    one: float | None


def board_of(verdicts: tuple[VerdictWords, ...]) -> list[Part]:
    """Lay out the tests of all sets: one part a scale, one row a heading and set."""
    every = [item for verdict in verdicts for item in verdict.evidence]
    parts = []
    for scale in (FLOORS, AREA, SHARE):
        members = [item for item in every if scale_of(item) == scale]
        if members:
            axis = axis_of(scale, members)
            titles = list(dict.fromkeys(item.title for item in members))
            rows = [row for title in titles for row in _rows(title, scale, verdicts, axis)]
            one = None if scale == SHARE else float(axis.at(1.0 if scale == FLOORS else 0.5))
            parts.append(Part(scale, TITLES[scale], UNITS[scale], rows, ticks_of(scale, axis), one))
    return parts


def dots_of(comparison: Comparison, evidence: Mapping[str, Evidence]) -> list[Part]:
    """Lay out the distances that count: one part a group, morphology from far to near, power by mode."""
    counted = comparison.counted
    farthest = max((item.in_floors for item in counted if item.in_floors > 0), default=LEAST_REACH)
    axis = _floors_axis(farthest)
    one = float(axis.at(1.0))
    return [
        Part(
            FLOORS,
            title,
            UNITS[FLOORS],
            [_dot(item, axis, evidence.get(item.name)) for item in members],
            ticks_of(FLOORS, axis),
            one,
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


def scale_of(item: Evidence) -> str:
    """On which scale a test stands; empty where on none."""
    if item.family not in ON_BOARD or item.name.endswith(", accuracy"):
        return ""
    if item.unit in (SD, FLOORS):
        return FLOORS if item.in_floors > 0 else ""
    if item.family == "copies":
        return SHARE if item.label == "share nearer" else ""
    return AREA if item.unit == AREA else ""


def axis_of(scale: str, members: list[Evidence]) -> Axis:
    """Give the axis of a scale, 0 to 100 percent."""
    if scale == FLOORS:
        return _floors_axis(max(item.in_floors for item in members))
    if scale == AREA:
        return Axis(min(SCALES[AREA].low, min(item.value for item in members) - 0.02), 1.0, 0.0, 100.0)
    return SCALES[scale]


def ticks_of(scale: str, axis: Axis) -> list[Tick]:
    """Ticks of a scale, so far apart that their numbers do not touch; shares in percent."""
    if scale == SHARE:
        return [Tick(float(axis.at(share)), f"{100 * share:g} %") for share in (0.01, 0.1, 0.5)]
    if scale == AREA:
        ticks = [Tick(float(axis.at(value)), f"{value:g}") for value in TOLD_TICKS if value >= axis.low]
    else:
        ticks = [tick for tick in axis.ticks() if tick.at < 96]
    return _apart(ticks)


def _apart(ticks: list[Tick]) -> list[Tick]:
    """Leave out ticks that come too soon after one that is kept."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick.at - kept[-1].at >= TICKS_APART:
            kept.append(tick)
    return kept


def _rows(title: str, scale: str, verdicts: tuple[VerdictWords, ...], axis: Axis) -> list[Row]:
    """Rows of one heading, one a generated set."""
    rows: list[Row] = []
    for verdict in verdicts:
        members = [item for item in verdict.evidence if item.title == title and scale_of(item) == scale]
        if members:
            name = verdict.name if len(verdicts) > 1 else ""
            rows.append(_row("" if rows and name else title, name, members, scale, axis))
    return rows


def _row(title: str, name: str, members: list[Evidence], scale: str, axis: Axis) -> Row:
    """Place the tests of one heading."""
    on_scale = [item.in_floors if scale == FLOORS else item.value for item in members]
    dots = [
        Dot(float(axis.at(value)), item.status, f"{item.label}: {value_text(scale, value)}")
        for item, value in zip(members, on_scale, strict=True)
    ]
    low, high = _interval(members[0], scale, axis) if len(members) == 1 else (None, None)
    limit = _limit(members)
    near, far = _expected_range(members[0], scale, limit, axis)
    words = ", ".join(part for part in (members[0].title, name) if part)
    status = max((item.status for item in members), key=STATUSES.index)
    text = row_text(scale, members, on_scale)
    at = None if limit is None else float(axis.at(limit))
    return Row(title, name, words, status, dots, low, high, near, far, at, text)


def _interval(item: Evidence, scale: str, axis: Axis) -> tuple[float | None, float | None]:
    """Place the ends of an interval on the axis; none where there is none."""
    unit = item.floor if scale == FLOORS else 1.0
    if not all(math.isfinite(end) for end in item.interval):
        return None, None
    low, high = axis.at([end / unit for end in item.interval]).tolist()
    return low, high


def _limit(members: list[Evidence]) -> float | None:
    """From how many floors on tests of one heading are told, in the middle; None where it is not known."""
    known = [item.told_from / item.floor for item in members if math.isfinite(item.told_from)]
    return float(np.median(known)) if known else None


def _expected_range(item: Evidence, scale: str, limit: float | None, axis: Axis) -> tuple[float, float]:
    """Where numbers are if nothing differs: up to the limit, or two spreads of the floor; an interval about guessing."""
    if scale == AREA:
        half = (item.interval[1] - item.interval[0]) / 2
        low, high = axis.at([0.5 - half, 0.5 + half]).tolist()
        return low, high
    usual = 1 + 2 * item.floor_sigma / item.floor if math.isfinite(item.floor_sigma) else 1.0
    up_to = item.floor if scale == SHARE else (limit if limit is not None else usual)
    low, high = axis.at([axis.low, up_to]).tolist()
    return low, high


def value_text(scale: str, value: float) -> str:
    """Write a number of a scale."""
    if scale == FLOORS:
        return f"{value:.1f} floors"
    return share_text(value) if scale == SHARE else f"{value:.2f}"


def row_text(scale: str, members: list[Evidence], on_scale: list[float]) -> str:
    """Say what a row shows: how many tell the sets apart, and the farthest; of a borderline one its p values."""
    order = [(STATUSES.index(item.status), value) for item, value in zip(members, on_scale, strict=True)]
    place = max(range(len(members)), key=order.__getitem__)
    worst, value = members[place], on_scale[place]
    n_told = sum(item.status == TOLD for item in members)
    counted = f"{n_told} of {len(members)} told; " if len(members) > 1 else ""
    label = f"{worst.label}: " if len(members) > 1 or scale == FLOORS else ""
    chance = f" (p {p_text(worst.p_overall)})" if worst.status == BORDERLINE else ""
    shown = floors_text(value) if scale == FLOORS else value_text(scale, value)
    return f"{counted}{label}{shown}{chance}"


def _floors_axis(farthest: float) -> Axis:
    """Give the axis in units of the floor, 0 to 100 percent."""
    return Axis(LEAST_FLOORS, max(LEAST_REACH, 1.3 * farthest), 0.0, 100.0, is_log=True)


def _far_to_near(members: list[Distance]) -> list[Distance]:
    """Sort by units of the floor, the largest first."""
    return sorted(members, key=lambda item: -item.in_floors)


def _dot(item: Distance, axis: Axis, test: Evidence | None) -> Row:
    """Place one distance; expected is where 95 % of the distances between parts of the reference lie, about."""
    floor = item.floor if item.floor > 0 else float("nan")
    spread = 2 * item.estimate.floor_sigma / floor
    ends = [item.interval[0], item.interval[1], item.told_from]
    low, high, limit, floor_low, floor_high, at = axis.at(
        [*(end / floor for end in ends), 1 - spread, 1 + spread, item.in_floors]
    ).tolist()
    label = label_of(item, with_band=False)
    words = f"{label}: W1 {distance_number(item.value)}, floor {distance_number(item.floor)}"
    text = floors_text(item.in_floors)
    status = NOT_TOLD if test is None else test.status
    chance = f"p {p_text(test.p_overall)}" if test is not None and status == BORDERLINE else ""
    dots = [Dot(at, status, words)]
    return Row(label, "", words, status, dots, low, high, floor_low, floor_high, limit, text, chance)
