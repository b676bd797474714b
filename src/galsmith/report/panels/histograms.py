"""Histograms of a property on both sides, as paths that the page draws."""

from dataclasses import dataclass

import numpy as np
from astropy.table import QTable
from markupsafe import Markup
from numpy.typing import NDArray

from galsmith.compare import Distance
from galsmith.compare.marginal.columns import label_of, measured, values_of_distance
from galsmith.report.labels import symbol_beside_label, unit_text
from galsmith.report.panels.axes import Axis, Tick, step_path

WIDTH, HEIGHT = 280, 132
LEFT, RIGHT, TOP, BOTTOM = 6, 274, 6, 108
LEAST_BINS, MOST_BINS = 12, 40
WORTH_SAYING = 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bins:
    """Histograms of both sides on common bins.

    Attributes
    ----------
    edges : ndarray [bin + 1], float64
        In the property's unit.
    reference, generated : ndarray [bin], float64
        Share of each side's measured galaxies in the bin.
    outside_reference, outside_generated : float
        Share of each side that lies beyond the bins.
    """

    edges: Floats
    reference: Floats
    generated: Floats
    outside_reference: float
    outside_generated: float


@dataclass(frozen=True)
class HistogramPanel:
    """One small histogram of the page.

    Attributes
    ----------
    distance : Distance
        What is written beside it.
    label : str
        The property in words.
    symbol : Markup
        The property's symbol as HTML.
    unit : str
        As readers write it.
    reference_path, generated_path : str
        For the attribute ``d``.
    ticks : list of Tick
        Of the horizontal axis.
    outside : str
        What lies beyond the axis; empty where nothing does.
    """

    distance: Distance
    label: str
    symbol: Markup
    unit: str
    reference_path: str
    generated_path: str
    ticks: list[Tick]
    outside: str


def bins_of(distance: Distance, reference: QTable, generated: QTable) -> Bins:
    """Sort both sides into common bins over the range where their bulk lies."""
    sides = [
        measured(values_of_distance(table, distance.name, distance.column))
        for table in (reference, generated)
    ]
    edges = edges_of([distance.core], sides)
    one, other = (shares_in(edges, values) for values in sides)
    return Bins(edges, one, other, outside_of(one, sides[0]), outside_of(other, sides[1]))


def edges_of(cores: list[tuple[float, float]], sides: list[Floats]) -> Floats:
    """Edges of bins that all sides share, [bin + 1].

    Parameters
    ----------
    cores : list of (float, float)
        Ranges where the bulk of the sides lies; the bins cover all of them.
    sides : list of ndarray [galaxy], float64
        Measured values; the fewest say how fine the bins are.
    """
    known = [core for core in cores if core[1] > core[0]]
    if known:
        low, high = min(core[0] for core in known), max(core[1] for core in known)
    else:
        middle = cores[0][0] if cores and np.isfinite(cores[0][0]) else 0.0
        room = max(abs(middle), 1.0) / 2
        low, high = middle - room, middle + room
    fewest = min(values.size for values in sides)
    n_bins = int(np.clip(1.3 * np.sqrt(fewest), LEAST_BINS, MOST_BINS))
    return np.linspace(low, high, n_bins + 1)


def shares_in(edges: Floats, values: Floats) -> Floats:
    """Share of the values in each bin, [bin]."""
    shares: Floats = np.histogram(values, edges)[0] / max(values.size, 1)
    return shares


def outside_of(shares: Floats, values: Floats) -> float:
    """Share of the values beyond the bins."""
    return max(0.0, round(1 - float(shares.sum()), 12)) if values.size else 0.0


def histogram_panel(
    distance: Distance, reference: QTable, generated: QTable, *, flux_unit: str
) -> HistogramPanel:
    """Draw one small histogram."""
    bins = bins_of(distance, reference, generated)
    across = Axis(float(bins.edges[0]), float(bins.edges[-1]), LEFT, RIGHT)
    top = max(float(bins.reference.max()), float(bins.generated.max()), 1e-12)
    up = Axis(0.0, top * 1.05, BOTTOM, TOP)
    x = across.at(bins.edges)
    return HistogramPanel(
        distance=distance,
        label=label_of(distance),
        symbol=symbol_beside_label(distance),
        unit=unit_text(distance.unit, flux_unit),
        reference_path=step_path(x, np.append(up.at(bins.reference), BOTTOM), closed=True),
        generated_path=step_path(x, np.append(up.at(bins.generated), BOTTOM), closed=False),
        ticks=across.ticks(),
        outside=_outside_text(bins, distance),
    )


def _outside_text(bins: Bins, distance: Distance) -> str:
    """Say what lies beyond the axis where that matters."""
    if max(bins.outside_reference, bins.outside_generated) <= WORTH_SAYING and distance.tail_share <= 0.3:
        return ""
    shares = (("reference", bins.outside_reference), ("generated", bins.outside_generated))
    text = "Beyond the axis: " + ", ".join(f"{100 * share:.1f} % of the {name}" for name, share in shares)
    return f"{text}; they make {100 * distance.tail_share:.0f} % of W1."
