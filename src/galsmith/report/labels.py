"""What a property is called on a page: words for its name, HTML for its symbol, digits for its numbers."""

import math
import re

from markupsafe import Markup, escape

from galsmith.compare import Distance
from galsmith.compare.marginal.columns import type_of_distance
from galsmith.measure.properties.colors import pair_of_column

GROUP_TITLES = {
    "morphology": "Morphology",
    "power_wavelength": "Power by wavelength",
    "power_rings": "Power by rings",
    "size": "Sizes",
    "position": "Position in the frame",
    "photometry": "Photometry",
    "sersic": "Sérsic fit",
    "double_sersic": "Double Sérsic fit",
    "sky": "Sky",
    "color": "Colors",
}
WORDS = {
    "gini": "Gini coefficient",
    "m20": "M20",
    "r_half_pix": "half-light radius",
    "r_half_ellip_pix": "half-light semi-major axis",
    "r_petro_pix": "Petrosian radius",
    "r_petro_ellip_pix": "Petrosian semi-major axis",
    "r_max_pix": "largest radius",
    "sersic_index": "Sérsic index",
    "sersic_r_eff_pix": "Sérsic effective radius",
    "sersic_amplitude": "Sérsic amplitude",
    "sersic_ellipticity": "Sérsic ellipticity",
    "sersic_orientation_rad": "Sérsic orientation",
    "sn_per_pixel": "signal to noise a pixel",
    "flux_ellip": "flux in ellipse",
    "flux_frame": "flux of the frame",
    "center_x_pix": "center x",
    "center_y_pix": "center y",
    "sky_sigma": "sky sigma",
    "pc_rest": "length of the rest",
}
STATUS_WORDS = {"pass": "passes", "borderline": "borderline", "fail": "fails"}
UNIT_SUFFIXES = ("_pix", "_rad", "_mag", "_arcsec", "_kpc")
LARGEST_PLAIN = 1000.0
POWER = re.compile(r"power_(wavelength|rings)_(\d+)(?:_(.+))?$")
COMPONENT = re.compile(r"pc_(\d+)$")
LETTERS = {r"\theta": "θ", r"\mu": "μ", r"\sigma": "σ", r"\log": "log", r"\Delta": "Δ"}
SUBSCRIPT = re.compile(r"_(?:\{((?:[^{}]|\{[^{}]*\})*)\}|(\w))")


def group_title(group: str) -> str:
    """Words for a group of properties."""
    return GROUP_TITLES.get(group, group.replace("_", " ").capitalize())


def mean_title(name: str) -> str:
    """Words for a mean."""
    return {"headline": "headline: mean of the group means", "all properties": "all properties"}.get(
        name, group_title(name).lower()
    )


def label_of(distance: Distance, *, with_band: bool = True) -> str:
    """Words for a property, with the band of a power mode and the circle of an angle."""
    band = band_of(distance.column)
    label = words_of(distance.column if with_band or not band else distance.column.removesuffix(f"_{band}"))
    type_name = type_of_distance(distance.name, distance.column)
    if type_name:
        return f"{label}, {type_name.replace('_', ' ')}s"
    return f"{label}, on the circle" if distance.metric == "circular" else label


def band_of(column: str) -> str:
    """Band of a column of power, or nothing."""
    match = POWER.match(column)
    return (match.group(3) or "") if match else ""


def mode_of(column: str) -> int | None:
    """Mode of a column of power, or None."""
    match = POWER.match(column)
    return int(match.group(2)) if match else None


def symbol_html(symbol: str) -> Markup:
    r"""Write a symbol of matplotlib's mathematical text as HTML: ``$r_\mathrm{half}$`` to r with an index."""
    text = str(escape(symbol.strip("$"))).replace(" - ", " − ")
    for name, letter in LETTERS.items():
        text = text.replace(name, letter)
    text = re.sub(r"\\(?:mathrm|mathit)\{([^{}]*)\}", r"\1", re.sub(r"_\\mathrm\{([^{}]*)\}", r"_{\1}", text))
    text = SUBSCRIPT.sub(lambda found: f"<sub>{found.group(1) or found.group(2)}</sub>", text)
    return Markup("<i>{}</i>").format(Markup(re.sub(r"[{}\\]", "", text)))


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
    if abs(value) >= LARGEST_PLAIN:
        return number(value)
    return f"{value:.3f}".replace("-", "−") if math.isfinite(value) else "–"


def floors_text(value: float) -> str:
    """Write a count of floors, or of standard deviations, with one decimal; huge ones shorter."""
    if abs(value) >= LARGEST_PLAIN:
        return number(value)
    return f"{value:.1f}".replace("-", "−") if math.isfinite(value) else "–"


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
    """Say a status as a verb."""
    return STATUS_WORDS[status]


def p_text(p_value: float) -> str:
    """Write a probability; a dash where there was no test."""
    if not math.isfinite(p_value):
        return "–"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def words_of(column: str) -> str:
    """Words for a column of a measurement table, or for a product of columns such as ``"gini * m20"``."""
    if " * " in column:
        return " × ".join(words_of(part) for part in column.split(" * "))
    match = POWER.match(column)
    if match:
        kind = "power mode" if match.group(1) == "wavelength" else "power ring"
        band = f" ({match.group(3)})" if match.group(3) else ""
        return f"{kind} {int(match.group(2))}{band}"
    component = COMPONENT.match(column)
    if component:
        return f"component {int(component.group(1))}"
    colors = pair_of_column(column)
    if colors is not None:
        return f"{colors.first} − {colors.second}"
    if column in WORDS:
        return WORDS[column]
    for suffix in UNIT_SUFFIXES:
        column = column.removesuffix(suffix)
    return column.replace("_", " ")
