"""How things are written on a page: HTML for symbols, digits for numbers, words for statuses and means."""

import math
import re

from markupsafe import Markup, escape

from galsmith.compare import Distance, Evidence
from galsmith.compare.marginal.columns import group_title
from galsmith.measure.properties.colors import pair_of_column

STATUS_WORDS = {"told": "told apart", "borderline": "borderline", "not_told": "not told apart"}
LARGEST_PLAIN = 1000.0
LETTERS = {
    r"\chi": "χ",
    r"\nu": "ν",
    r"\theta": "θ",
    r"\mu": "μ",
    r"\sigma": "σ",
    r"\log": "log",
    r"\Delta": "Δ",
    r"\xi": "ξ",
    r"\langle ": "⟨",
    r"\langle": "⟨",
    r"\rangle": "⟩",
}
SUPERSCRIPT = re.compile(r"\^(\w)")
SUBSCRIPT = re.compile(r"_(?:\{((?:[^{}]|\{[^{}]*\})*)\}|(\w))")


def mean_title(name: str) -> str:
    """Words for a mean."""
    return {"headline": "headline: mean of the group means", "all properties": "all properties"}.get(
        name, group_title(name).lower()
    )


def symbol_html(symbol: str) -> Markup:
    r"""Write a symbol of matplotlib's mathematical text as HTML: ``$r_\mathrm{half}$`` to r with an index."""
    text = str(escape(symbol.strip("$"))).replace(" - ", " − ")
    for name, letter in LETTERS.items():
        text = text.replace(name, letter)
    text = re.sub(r"\\bar\{?(\w)\}?", "\\1\u0304", text)  # a combining macron
    text = re.sub(r"\\(?:mathrm|mathit)\{([^{}]*)\}", r"\1", re.sub(r"_\\mathrm\{([^{}]*)\}", r"_{\1}", text))
    text = SUBSCRIPT.sub(lambda found: f"<sub>{found.group(1) or found.group(2)}</sub>", text)
    text = SUPERSCRIPT.sub(r"<sup>\1</sup>", text)
    return Markup("<i>{}</i>").format(Markup(re.sub(r"[{}\\]", "", text)))


def with_whole_flags(text: str) -> Markup:
    """Write a sentence whose flags no line end breaks."""
    return Markup(re.sub(r"(--[a-z][a-z-]*)", r'<span class="flag">\1</span>', str(escape(text))))


def symbol_beside_label(distance: Distance) -> Markup:
    """Write a property's symbol as HTML; nothing for a color, whose words are its symbol already."""
    return Markup("") if pair_of_column(distance.column) else symbol_html(distance.symbol)


def unit_text(unit: str, flux_unit: str) -> str:
    """Write a unit for readers."""
    return {"pix": "px", "flux": flux_unit}.get(unit, unit)


def number(value: float, digits: int = 3) -> str:
    """Write a number in `digits` significant digits; a dash where there is none."""
    if not math.isfinite(value):
        return "–"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else digits - 1
    return f"{value:.{min(decimals, 4)}f}".replace("-", "−")


def distance_number(value: float) -> str:
    """Write a distance with three decimals, so that a column of them can be read down; huge ones shorter."""
    return _with_decimals(value, 3)


def floors_text(value: float) -> str:
    """Write a count of floors, or of standard deviations, with one decimal; huge ones shorter."""
    return _with_decimals(value, 1)


def _with_decimals(value: float, decimals: int) -> str:
    """Write a number with so many decimals; a huge one with three digits."""
    if abs(value) >= LARGEST_PLAIN:
        return number(value)
    return f"{value:.{decimals}f}".replace("-", "−") if math.isfinite(value) else "–"


def file_name(text: str) -> str:
    """Keep what is safe in a file's name."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in text)


def percent(part: float, whole: float) -> str:
    """Write a share in percent."""
    if whole <= 0:
        return "–"
    return f"{100 * part / whole:.1f} %"


def share_text(share: float) -> str:
    """Write a share of 0 to 1 in percent, with a decimal where it is small."""
    if not math.isfinite(share):
        return "–"
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"


def statistic_number(value: float) -> str:
    """Write a statistic of any size: three decimals between 0.01 and 10, else three significant digits."""
    return distance_number(value) if value == 0 or 0.01 <= abs(value) < 10 else number(value)


def distance_range(ends: tuple[float, float]) -> str:
    """Write an interval of distances; one dash where there is none."""
    return _range_text([distance_number(end) for end in ends])


def statistic_range(ends: tuple[float, float]) -> str:
    """Write an interval of statistics of any size; one dash where there is none."""
    return _range_text([statistic_number(end) for end in ends])


def _range_text(ends: list[str]) -> str:
    """Join two numbers by a dash, or by a word where a minus sign would stand beside it."""
    if "–" in ends:
        return "–"
    return (" to " if any("−" in end for end in ends) else " – ").join(ends)


def statistic_html(name: str) -> Markup:
    """Write a statistic's name with its index below the line."""
    base, _, index = name.partition("_")
    return Markup("{}<sub>{}</sub>").format(base, index) if index else escape(name)


def status_word(status: str) -> str:
    """Say the status of one test."""
    return STATUS_WORDS[status]


def chance_text(item: Evidence) -> str:
    """Write the p value of a test, alone and among all tests of the card."""
    return f"p {p_text(item.p_value)} alone, {p_text(item.p_overall)} among all tests"


def p_text(p_value: float) -> str:
    """Write a probability; a dash where there was no test."""
    if not math.isfinite(p_value):
        return "–"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
