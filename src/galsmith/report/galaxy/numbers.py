"""The numbers and flags of one galaxy, as the text beside its panels."""

import math
import textwrap

from matplotlib.axes import Axes

from galsmith.measure.flags import flag_named
from galsmith.measure.properties.registry import property_of_column
from galsmith.report.galaxy.view import GalaxyView

INK, MUTED, SUSPECT, BAD = "#15171c", "#555c69", "#b84a00", "#98286f"
MEANING = {0: ("good", "#00785a"), 1: ("suspect", SUSPECT), 2: ("bad", BAD), 4: ("not measured", BAD)}
# in place of the declared symbols, where the heading says the rest
SHORT = {
    "ellipticity_center": "$1 - b/a$",
    "orientation_center_rad": r"$\theta$ (rad)",
    "sersic_ellipticity": "$1 - b/a$",
    "bulge_statistic": r"$F$ (bulge)",
    "merger_statistic": r"$S$ (merger)",
}
BLOCKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Light and structure", ("concentration", "asymmetry", "smoothness", "gini", "m20", "sn_per_pixel")),
    (
        "Disturbance",
        (
            "bulge_statistic",
            "merger_statistic",
            "multimode",
            "intensity",
            "deviation",
            "shape_asymmetry",
            "outer_asymmetry",
        ),
    ),
    (
        "Sizes (pixels)",
        (
            "r20_pix",
            "r50_pix",
            "r80_pix",
            "r_half_pix",
            "r_petro_pix",
            "r_max_pix",
            "r_half_ellip_pix",
            "r_petro_ellip_pix",
        ),
    ),
    ("Shape about the center", ("ellipticity_center", "orientation_center_rad")),
    (
        "Sérsic fit",
        ("sersic_index", "sersic_r_eff_pix", "sersic_amplitude", "sersic_ellipticity", "sersic_chi2_dof"),
    ),
    ("Flux and sky", ("flux", "flux_ellip", "sky_mean", "sky_sigma")),
)
HEADING_LINES, BLOCK_LINES = 1.25, 0.55
TOP, FLAG_WRAP = 0.995, 34


def write_numbers(axis: Axes, view: GalaxyView) -> None:
    """Write the flags, and then the values in two columns under headings."""
    axis.axis("off")
    values = view.measured.values
    flag_lines = _flag_lines(view)
    rows = sum(HEADING_LINES + BLOCK_LINES + math.ceil(len(names) / 2) for _, names in BLOCKS)
    step = TOP / (rows + len(flag_lines) + 0.6)
    at = TOP
    for text, color, weight in flag_lines:
        axis.text(0.0, at, text, color=color, fontweight=weight, va="top", fontsize=9.5)
        at -= step
    at -= 0.6 * step
    for title, names in BLOCKS:
        axis.text(0.0, at, title, color=INK, fontweight="bold", va="top", fontsize=9.5)
        at -= HEADING_LINES * step
        for index, name in enumerate(names):
            column, line = index % 2, index // 2
            _write_value(axis, 0.55 * column, at - line * step, _symbol(name), values.get(name, math.nan))
        at -= (math.ceil(len(names) / 2) + BLOCK_LINES) * step
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)


def _write_value(axis: Axes, x: float, y: float, symbol: str, value: float) -> None:
    """Write a symbol and its value, the values of a column below one another."""
    known = math.isfinite(value)
    axis.text(x, y, symbol, color=MUTED, va="top", fontsize=9.5)
    axis.text(
        x + 0.43,
        y,
        digits(value) if known else "–",
        color=INK if known else MUTED,
        va="top",
        ha="right",
        fontsize=9.5,
    )


def digits(value: float) -> str:
    """Write a number with four digits, fewer where it is small, a true minus, and a power of ten at the extremes."""
    if value == 0.0:
        return "0"
    power = math.floor(math.log10(abs(value)))
    if -3 <= power < 5:
        return f"{value:.{max(0, 3 - max(power, 0), 1 - power)}f}".replace("-", "\N{MINUS SIGN}")
    return rf"${value / 10.0**power:.2f}\times10^{{{power}}}$"


def _flag_lines(view: GalaxyView) -> list[tuple[str, str, str]]:
    """Lines of text, color and weight that tell the flags, the gravest first."""
    measured = view.measured
    lines = []
    for title, flag in (
        ("Flag", measured.flag),
        *((_title(name), flag) for name, flag in measured.fit_flags.items()),
    ):
        meaning, color = MEANING[flag]
        lines.append((f"{title} {flag}: {meaning}", color, "bold"))
    for name in sorted(measured.flags, key=lambda name: -_gravity(name)):
        for piece in textwrap.wrap(name.replace("_", " "), FLAG_WRAP):
            lines.append(
                (
                    f"  {piece}",
                    MEANING[_gravity(name)][1] if _gravity(name) else MUTED,
                    "normal",
                )
            )
    return lines


def _symbol(name: str) -> str:
    """Give a quantity's symbol, without what the heading says."""
    declared = property_of_column(name)
    return SHORT.get(name, name if declared is None else declared.symbol)


def _gravity(name: str) -> int:
    """Say how grave a flag is."""
    flag = flag_named(name)
    return 0 if flag is None else flag.gravity


def _title(name: str) -> str:
    """Name the flag of a fit."""
    return {"flag_sersic": "Sérsic flag", "flag_double_sersic": "Double Sérsic flag"}.get(name, name)
