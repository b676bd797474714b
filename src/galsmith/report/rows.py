"""Rows of the page's tables."""

from dataclasses import dataclass

from markupsafe import Markup

from galsmith.compare import Comparison, Distance, Losses
from galsmith.compare.marginal.columns import label_of
from galsmith.compare.verdict import distance_status
from galsmith.report.dots import grouped
from galsmith.report.labels import percent, symbol_beside_label, unit_text


@dataclass(frozen=True)
class Row:
    """One row of the table of distances.

    Attributes
    ----------
    distance : Distance
        What the row states.
    label, unit : str
        In words.
    symbol : Markup
        The property's symbol as HTML.
    status : str
        ``"pass"``, ``"borderline"`` or ``"fail"``.
    bar : float
        Length in percent.
    """

    distance: Distance
    label: str
    symbol: Markup
    unit: str
    status: str
    bar: float


@dataclass(frozen=True)
class FlagRow:
    """How often both sides carry a flag."""

    name: str
    reference: int
    generated: int
    reference_share: str
    generated_share: str


def rows_of(comparison: Comparison, *, in_means: bool) -> list[Row]:
    """Rows of the table, the farthest first."""
    chosen = tuple(item for item in comparison.distances if item.in_means == in_means)
    longest = max((item.value for item in chosen if not item.reason), default=1.0)
    ordered = [item for _, members in grouped(chosen) for item in members]
    return [
        Row(
            distance=item,
            label=label_of(item),
            symbol=symbol_beside_label(item),
            unit=unit_text(item.unit, comparison.reference.flux_unit),
            status=distance_status(item),
            bar=0.0 if item.reason or longest <= 0 else round(100 * item.value / longest, 1),
        )
        for item in ordered
    ]


def flag_rows(comparison: Comparison) -> list[FlagRow]:
    """Count flags on both sides."""
    one, other = comparison.reference, comparison.generated
    names = sorted(
        {*one.flags, *other.flags},
        key=lambda name: (-max(one.flags.get(name, 0), other.flags.get(name, 0)), name),
    )
    return [
        FlagRow(
            name.replace("_", " "),
            one.flags.get(name, 0),
            other.flags.get(name, 0),
            percent(one.flags.get(name, 0), one.n_compared),
            percent(other.flags.get(name, 0), other.n_compared),
        )
        for name in names
    ]


def lossy_distances(comparison: Comparison) -> list[Distance]:
    """Properties that could not be measured on all galaxies."""
    return [item for item in comparison.distances if item.lost_reference.count or item.lost_generated.count]


def reasons_text(losses: Losses) -> str:
    """List the flags of lost galaxies."""
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in losses.reasons.items())
