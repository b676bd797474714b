"""The page itself: what the template is given."""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from galsmith.compare import Comparison, Distance, Losses
from galsmith.report import histograms, spectra
from galsmith.report.average_spectra import AverageSpectra
from galsmith.report.dots import dot_plot, grouped
from galsmith.report.galaxies import Block
from galsmith.report.histograms import HistogramPanel, histogram_panel
from galsmith.report.labels import (
    distance_number,
    group_title,
    label_of,
    number,
    percent,
    symbol_html,
    unit_text,
)
from galsmith.report.material import Material
from galsmith.report.references import CITATIONS, GLOSSARY, LIMITS
from galsmith.report.repeat import steps_of
from galsmith.report.spectra import spectra_of, spectrum_panel
from galsmith.report.verdict import is_within, mean_losses, verdict_of

OPEN_GROUPS = ("morphology", "color")


@dataclass(frozen=True)
class PanelGroup:
    """Histograms under one title."""

    title: str
    is_open: bool
    panels: list[HistogramPanel]


@dataclass(frozen=True)
class Row:
    """One row of the table of distances; `bar` is its length in percent."""

    distance: Distance
    label: str
    symbol: Markup
    unit: str
    is_within: bool
    bar: float


@dataclass(frozen=True)
class FlagRow:
    """How often both sides carry a flag."""

    name: str
    reference: int
    generated: int
    reference_share: str
    generated_share: str


def page_html(
    material: Material,
    comparison_path: Path,
    *,
    blocks: list[Block],
    planes: AverageSpectra | None,
) -> str:
    """Render the page.

    Parameters
    ----------
    material : Material
        Comparison, tables and stores.
    comparison_path : Path
        Where the comparison was read.
    blocks : list of Block
        Galaxies; may be empty.
    planes : AverageSpectra or None
        Two-dimensional spectra.
    """
    comparison = material.comparison
    environment = _environment()
    template = environment.get_template("page.html.j2")
    return template.render(
        material=material,
        comparison=comparison,
        verdict=verdict_of(comparison),
        dots=dot_plot(comparison),
        confidence=f"{100 * comparison.settings.get('confidence', 0.95):.0f} %",
        losses=[percent(share, 1) for share in mean_losses(comparison)],
        setting=setting_text(comparison),
        is_display=comparison.reference.flux_unit == "display",
        blocks=blocks,
        planes=planes,
        histograms=panel_groups(material),
        spectra=[spectrum_panel(item) for item in spectra_of(comparison)],
        counted_rows=rows_of(comparison, in_means=True),
        other_rows=rows_of(comparison, in_means=False),
        flags=flag_rows(comparison),
        lossy=[
            item for item in comparison.distances if item.lost_reference.count or item.lost_generated.count
        ],
        steps=steps_of(material, comparison_path),
        definitions=[item for item in comparison.distances if item.in_means],
        glossary=GLOSSARY,
        limits=LIMITS,
        citations=CITATIONS,
        version=metadata.version("galsmith"),
    )


def setting_text(comparison: Comparison) -> str:
    """Say bands, pixel scale and unit in one line."""
    side = comparison.reference
    parts = [", ".join(side.bands)] if side.bands else []
    if side.pixel_scale_arcsec is not None:
        parts.append(f"{side.pixel_scale_arcsec:g}″ a pixel")
    if side.flux_unit:
        parts.append("pictures" if side.flux_unit == "display" else side.flux_unit)
    return " · ".join(parts)


def panel_groups(material: Material) -> list[PanelGroup]:
    """Histograms by group, those of the headline's morphology open; none where a table is gone."""
    reference, generated = (side.table for side in material.sides)
    if reference is None or generated is None:
        return []
    groups: dict[tuple[str, bool], list[Distance]] = {}
    for distance in material.comparison.distances:
        if distance.metric == "linear":
            is_open = distance.in_means and distance.group in OPEN_GROUPS
            groups.setdefault((distance.group, is_open), []).append(distance)
    return [
        PanelGroup(
            title=group_title(group)
            + ("" if is_open or group not in OPEN_GROUPS else ", outside of the means"),
            is_open=is_open,
            panels=[
                histogram_panel(item, reference, generated, flux_unit=material.comparison.reference.flux_unit)
                for item in members
            ],
        )
        for (group, is_open), members in sorted(groups.items(), key=lambda entry: not entry[0][1])
    ]


def rows_of(comparison: Comparison, *, in_means: bool) -> list[Row]:
    """Rows of the table, the farthest first."""
    chosen = tuple(item for item in comparison.distances if item.in_means == in_means)
    longest = max((item.value for item in chosen if not item.reason), default=1.0)
    ordered = [item for _, members in grouped(chosen) for item in members]
    return [
        Row(
            distance=item,
            label=label_of(item),
            symbol=symbol_html(item.symbol),
            unit=unit_text(item.unit, comparison.reference.flux_unit),
            is_within=is_within(item),
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


def mean_title(name: str) -> str:
    """Words for a mean."""
    return {"headline": "headline: mean of the group means", "all properties": "all properties"}.get(
        name, group_title(name).lower()
    )


def reasons_text(losses: Losses) -> str:
    """List the flags of lost galaxies."""
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in losses.reasons.items())


def _environment() -> Environment:
    """Prepare the templates; everything that is filled in is escaped."""
    environment = Environment(
        loader=PackageLoader("galsmith.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        number=number,
        distance_number=distance_number,
        label_of=label_of,
        symbol_html=symbol_html,
        mean_title=mean_title,
        reasons=reasons_text,
        size={
            "width": histograms.WIDTH,
            "height": histograms.HEIGHT,
            "left": histograms.LEFT,
            "right": histograms.RIGHT,
            "bottom": histograms.BOTTOM,
        },
        frame={
            "width": spectra.WIDTH,
            "height": spectra.HEIGHT,
            "left": spectra.LEFT,
            "right": spectra.RIGHT,
            "top": spectra.TOP,
            "middle_bottom": spectra.MIDDLE_BOTTOM,
            "lower_top": spectra.LOWER_TOP,
            "bottom": spectra.BOTTOM,
        },
    )
    return environment
