"""The verdict's picture: what passes, what fails, by how many floors, of every generated set."""

from dataclasses import dataclass

from galsmith.compare.verdict import COPIES, DISTANCES, FAIL, TOLD, Check, Mark
from galsmith.report.labels import share_text
from galsmith.report.panels.axes import Axis, Tick
from galsmith.report.panels.dots import LEAST_FLOORS, LEAST_REACH
from galsmith.report.verdict import VerdictWords

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
    """One check of one generated set.

    Attributes
    ----------
    title : str
        The check, where it is its first row; else empty.
    name : str
        The generated set's; empty where there is one.
    check : Check
        What is shown.
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
    check: Check
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
    every = [(verdict, check) for verdict in verdicts for check in verdict.verdict.checks]
    parts = []
    for scale in (DISTANCES, TOLD, COPIES):
        axis = axis_of(scale, tuple(check for _, check in every))
        titles = list(dict.fromkeys(check.title for _, check in every if check.scale == scale))
        rows = [row for title in titles for row in _rows(title, verdicts, axis)]
        if rows:
            one, two = axis.at(limits_of(scale, rows[0].check)).tolist()
            parts.append(Part(scale, TITLES[scale], UNITS[scale], rows, ticks_of(scale, axis), one, two))
    return parts


def axis_of(scale: str, checks: tuple[Check, ...]) -> Axis:
    """Give the axis of a scale, 0 to 100 percent."""
    values = [mark.value for check in checks if check.scale == scale for mark in check.marks]
    if scale == DISTANCES:
        return Axis(LEAST_FLOORS, max(LEAST_REACH, 1.3 * max(values, default=1.0)), 0.0, 100.0, is_log=True)
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
    expected = axis.at(_expected_range(check, axis)).tolist()
    return Row(title, name, check, dots, low, high, expected[0], expected[1], row_text(check))


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
