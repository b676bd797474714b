"""Histograms of a property of several generated sets over the reference, in one panel (Holzschuh et al. 2022, Fig. 4)."""

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from markupsafe import Markup
from numpy.typing import NDArray

from galsmith.compare import Distance
from galsmith.compare.marginal.columns import group_title, label_of, measured, values_of_distance
from galsmith.report.labels import symbol_beside_label, unit_text
from galsmith.report.material import Material
from galsmith.report.panels.axes import Axis, Tick, step_path
from galsmith.report.panels.histograms import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    WORTH_SAYING,
    edges_of,
    outside_of,
    shares_in,
)
from galsmith.report.verdict import status_of

OPEN_GROUPS = ("morphology", "color", "field")
N_STYLES = 6

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class OverlaidSet:
    """One generated set in a panel.

    Attributes
    ----------
    name : str
        Of the set.
    style : int
        Which of the line styles it has, from 1 on; sets beyond the sixth take them again.
    distance : Distance
        Its distance from the reference.
    status : str
        ``"told"``, ``"borderline"`` or ``"not_told"``; empty where it was not compared.
    shares : ndarray [bin], float64
        Share of its measured galaxies in each bin.
    outside : float
        Share beyond the bins.
    """

    name: str
    style: int
    distance: Distance
    status: str
    shares: Floats
    outside: float


@dataclass(frozen=True)
class Overlay:
    """One property of the reference and of every generated set that has it, on common bins.

    Attributes
    ----------
    distance : Distance
        Of the first set; names the property.
    edges : ndarray [bin + 1], float64
        In the property's unit.
    reference : ndarray [bin], float64
        Share of the reference's measured galaxies in each bin.
    outside : float
        Share of the reference beyond the bins.
    sets : list of OverlaidSet
        In the order of the card.
    unit : str
        As readers write it.
    """

    distance: Distance
    edges: Floats
    reference: Floats
    outside: float
    sets: list[OverlaidSet]
    unit: str


@dataclass(frozen=True)
class OverlayGroup:
    """Overlays of one group of properties; open ones enter the means."""

    title: str
    file_name: str
    is_open: bool
    overlays: list[Overlay]


@dataclass(frozen=True)
class OverlayPanel:
    """What the page draws of one property; paths are for the attribute ``d``."""

    overlay: Overlay
    label: str
    symbol: Markup
    reference_path: str
    set_paths: list[str]
    ticks: list[Tick]
    outside: str


def line_style(place: int) -> int:
    """Give the set at a place, from 0 on, the number of its line style."""
    return place % N_STYLES + 1


def overlay_groups(sets: tuple[Material, ...]) -> list[OverlayGroup]:
    """Overlay every property of every set, by group, those of the means first; none where a table is gone."""
    tables = [side.table for item in sets for side in item.sides]
    if any(table is None for table in tables):
        return []
    chosen: dict[str, tuple[str, bool]] = {}
    for item in sets:
        for one in item.comparison.distances:
            if one.metric == "linear":
                chosen.setdefault(one.name, (one.group, one.in_means and one.group in OPEN_GROUPS))
    groups: dict[tuple[str, bool], list[Overlay]] = {}
    for name, key in chosen.items():
        groups.setdefault(key, []).append(_overlay(name, sets))
    return [
        OverlayGroup(_title(group, is_open=is_open), group, is_open, overlays)
        for (group, is_open), overlays in sorted(groups.items(), key=lambda entry: not entry[0][1])
    ]


def overlay_panel(overlay: Overlay) -> OverlayPanel:
    """Draw one property for the page."""
    across = Axis(float(overlay.edges[0]), float(overlay.edges[-1]), LEFT, RIGHT)
    shares = [overlay.reference, *(item.shares for item in overlay.sets)]
    up = Axis(0.0, 1.05 * max(1e-12, *(float(side.max()) for side in shares)), BOTTOM, TOP)
    x = across.at(overlay.edges)
    paths = [
        step_path(x, np.append(up.at(side), BOTTOM), closed=place == 0) for place, side in enumerate(shares)
    ]
    return OverlayPanel(
        overlay,
        label_of(overlay.distance),
        symbol_beside_label(overlay.distance),
        paths[0],
        paths[1:],
        across.ticks(),
        _outside_text(overlay),
    )


def _title(group: str, *, is_open: bool) -> str:
    """Words for a group of overlays."""
    return group_title(group) + ("" if is_open or group not in OPEN_GROUPS else ", outside of the means")


def _overlay(name: str, sets: tuple[Material, ...]) -> Overlay:
    """Sort one property of the reference and of all sets that have it into common bins."""
    found = [
        (place, item, one)
        for place, item in enumerate(sets)
        for one in item.comparison.distances
        if one.name == name
    ]
    first = found[0][2]
    reference = _values(first, found[0][1].reference.table)
    generated = [_values(one, item.generated.table) for _, item, one in found]
    edges = edges_of([one.core for _, _, one in found], [reference, *generated])
    shares = shares_in(edges, reference)
    overlaid = []
    for (place, item, one), values in zip(found, generated, strict=True):
        inside = shares_in(edges, values)
        status = "" if one.reason else status_of(item.evidence, one.name)
        overlaid.append(
            OverlaidSet(item.name, line_style(place), one, status, inside, outside_of(inside, values))
        )
    unit = unit_text(first.unit, found[0][1].comparison.reference.flux_unit)
    return Overlay(first, edges, shares, outside_of(shares, reference), overlaid, unit)


def _values(distance: Distance, table: QTable) -> Floats:
    """Measured values of a property."""
    return measured(values_of_distance(table, distance.name, distance.column))


def _outside_text(overlay: Overlay) -> str:
    """Say what lies beyond the axis where that matters."""
    shares = [("reference", overlay.outside), *((item.name, item.outside) for item in overlay.sets)]
    named = [f"{100 * share:.1f} % of {name}" for name, share in shares if share > WORTH_SAYING]
    return f"Beyond the axis: {', '.join(named)}." if named else ""
