"""The page itself: what the template is given."""

from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from galsmith.compare import Comparison
from galsmith.compare.marginal.columns import label_of, words_of
from galsmith.files import sha256_of_file
from galsmith.report import labels
from galsmith.report.calls import IN_PYTHON, Spelling
from galsmith.report.labels import percent
from galsmith.report.material import CardMaterial
from galsmith.report.panels import color_bulge, copies, corner, heat_map, histograms, plane_spectra, spectra
from galsmith.report.panels.distances import board_of, dots_of
from galsmith.report.panels.drawn import DrawnSet, DrawnTogether
from galsmith.report.panels.overlaid_spectra import overlaid_panel
from galsmith.report.panels.overlays import overlay_panel
from galsmith.report.repeat import flattened, steps_of
from galsmith.report.sets_table import difference_text, sets_table, values_table
from galsmith.report.tables import flag_rows, lossy_distances, reasons_text, rows_of
from galsmith.report.verdict import (
    STATUS_TITLES,
    family_rows,
    headline_of,
    judged_statistics,
    mean_losses,
    rule_text,
    warnings_of,
)
from galsmith.report.words import CITATIONS, GLOSSARY, LIMITS, caption_of, other_reasons, sentence_of

GENERATOR = "galsmith report"  # the page's tag of this name also says from which card it was made
LABELS = (
    labels.number,
    labels.distance_number,
    label_of,
    words_of,
    labels.symbol_html,
    labels.mean_title,
    labels.share_text,
    labels.p_text,
    labels.statistic_number,
    labels.distance_range,
    labels.floors_text,
    labels.statistic_range,
    labels.statistic_html,
    labels.status_word,
)


def page_html(
    material: CardMaterial,
    card_path: Path,
    sets: list[DrawnSet],
    together: DrawnTogether | None = None,
    *,
    spelling: Spelling = IN_PYTHON,
) -> str:
    """Render the page.

    Parameters
    ----------
    material : CardMaterial
        Card, tables and stores.
    card_path : Path
        Where the card was read.
    sets : list of DrawnSet
        What there is to show of every generated set.
    together : DrawnTogether, optional
        What shows several sets in one panel.
    spelling : Spelling
        How calls and arguments are written.
    """
    card = material.card
    first = card.judgments[0].comparison
    verdicts = tuple(item.words for item in sets)
    return (
        _environment(spelling)
        .get_template("page.html.j2")
        .render(
            card=card,
            material=material,
            comparison=first,
            images_name=first.images_name,
            title=headline_of(verdicts),
            generator=f"{GENERATOR} {sha256_of_file(card_path)}",
            verdicts=verdicts,
            warnings=warnings_of(verdicts),
            board=board_of(verdicts),
            rule=rule_text(card.judgments[0].verdict.rule),
            caption_of=caption_of,
            confidence=f"{100 * first.settings.get('confidence', 0.95):.0f} %",
            setting=setting_text(first),
            sets=[_set_context(item, number, spelling) for number, item in enumerate(sets, start=1)],
            together=_together_context(together),
            sets_table=sets_table(card),
            values_table=values_table(card),
            settings=flattened(card.settings),
            steps=steps_of(material, card_path, spelling),
            definitions=[item for item in first.distances if item.in_means],
            glossary=GLOSSARY,
            limits=LIMITS,
            citations=CITATIONS,
            version=metadata.version("galsmith"),
        )
    )


def drawing(name: str, panel: Any) -> str:
    """Draw a panel: the ``svg`` element that the page shows of it.

    Parameters
    ----------
    name : str
        Of the drawing in ``drawings.html.j2``, such as ``"histogram"``.
    panel : object
        What it draws.
    """
    drawings = _environment().get_template("drawings.html.j2").module
    return str(getattr(drawings, f"{name}_svg")(panel)).strip()


def setting_text(comparison: Comparison) -> str:
    """Say bands, pixel scale and unit in one line."""
    side = comparison.reference
    parts = [", ".join(side.bands)] if side.bands else []
    if side.pixel_scale_arcsec is not None:
        parts.append(f"{side.pixel_scale_arcsec:g}″ a pixel")
    if side.flux_unit:
        parts.append("pictures" if side.flux_unit == "display" else side.flux_unit)
    return " · ".join(parts)


def _set_context(item: DrawnSet, number: int, spelling: Spelling) -> dict[str, Any]:
    """Collect what the template shows of one generated set."""
    comparison = item.material.comparison
    return {
        "number": number,
        "drawn": item,
        "name": item.material.name,
        "comparison": comparison,
        "beyond": item.material.judgment.beyond,
        "judged": {one.statistic: one for one in judged_statistics(item.material.judgment)},
        "suffix": "" if number == 1 else f"-{number}",
        "losses": [percent(share, 1) for share in mean_losses(comparison)],
        "is_display": comparison.reference.flux_unit == "display",
        "dots": dots_of(comparison, item.material.evidence),
        "families": family_rows(item.words),
        "counted_rows": rows_of(comparison, item.material.evidence, in_means=True),
        "other_rows": rows_of(comparison, item.material.evidence, in_means=False),
        "flags": flag_rows(comparison),
        "lossy": lossy_distances(comparison),
        "other_reasons": other_reasons(item.material, spelling),
    }


def _together_context(together: DrawnTogether | None) -> dict[str, Any] | None:
    """Collect what the template shows of several sets in one panel."""
    if together is None:
        return None
    return {
        "legend": list(zip(together.names, together.styles, strict=True)),
        "blocks": together.blocks,
        "groups": [
            (group, [overlay_panel(overlay) for overlay in group.overlays]) for group in together.histograms
        ],
        "spectra": [overlaid_panel(data) for data in together.spectra],
    }


def page_environment() -> Environment:
    """Find the templates of all pages; everything that is filled in is escaped, and what is missing is an error."""
    return Environment(
        loader=PackageLoader("galsmith.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _environment(spelling: Spelling = IN_PYTHON) -> Environment:
    """Prepare the templates; everything that is filled in is escaped."""
    environment = page_environment()
    environment.globals.update({function.__name__: function for function in LABELS})
    environment.globals.update(
        spelled=lambda text: labels.with_whole_flags(spelling.text(text)),
        status_titles=STATUS_TITLES,
        sentence_of=lambda *what: labels.with_whole_flags(sentence_of(*what, spelling=spelling)),
        reasons=reasons_text,
        difference_text=difference_text,
        size=_frame(histograms),
        frame=_frame(spectra),
        one_frame=_frame(plane_spectra),
        color_frame=_frame(color_bulge),
        copies_frame=_frame(copies),
        corner_frame=_frame(corner),
        heat_frame=_frame(heat_map),
    )
    return environment


def _frame(module: Any) -> dict[str, Any]:
    """Collect the lengths of a drawing, which its module names in capitals."""
    return {
        name.lower(): value
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, int | float)
    }
