"""The numbers of one galaxy, and its profile of light."""

import math
import textwrap
from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from galsmith.measure.flags import flag_named
from galsmith.measure.properties.registry import property_of_column
from galsmith.report.galaxy.panels import DASHES, INK, MUTED, RADII, leave_blank
from galsmith.report.galaxy.view import GalaxyView, annular_means

SUSPECT, BAD = "#b84a00", "#98286f"
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


def way_out_of(names: Iterable[str]) -> str:
    """Say what can be done about the gravest of some flags; nothing where there is no way out."""
    known = [flag for flag in map(flag_named, names) if flag is not None and flag.way_out and flag.gravity]
    if not known:
        return ""
    gravest = max(known, key=lambda flag: flag.gravity)
    return f"{gravest.name.replace('_', ' ')}: {gravest.way_out}"


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


Floats = NDArray[np.float64]


def draw_profile(axis: Axes, view: GalaxyView) -> None:
    """Show mean flux in rings about the point of least asymmetry, with radii and the model."""
    title = "Profile in rings"
    values = view.measured.values
    center = (
        values.get("center_x_pix", np.nan) - view.x_min,
        values.get("center_y_pix", np.nan) - view.y_min,
    )
    if view.turned is None or not np.isfinite(center).all():
        leave_blank(axis, title, "not measured")
        return
    radius, mean, error = annular_means(view.pixels, view.mask, center)
    shown = mean > 0
    axis.set_yscale("log")
    axis.errorbar(
        radius[shown],
        mean[shown],
        yerr=(np.minimum(error, 0.999 * np.abs(mean))[shown], error[shown]),
        fmt="o",
        ms=3.2,
        color="#0069a8",
        ecolor="#9fc3dc",
        elinewidth=1,
        label="image",
        zorder=3,
    )
    if view.model is not None:
        model_radius, model, _ = annular_means(view.model, view.mask, center)
        axis.plot(model_radius, model, color="#b84a00", lw=1.6, label=view.model_name, zorder=4)
    sigma = values["sky_sigma"]
    bottom, top = _profile_limits(mean[shown], sigma)
    if np.isfinite(sigma) and bottom < sigma < top:
        axis.axhline(sigma, color=MUTED, lw=0.9, ls=":", label=r"$\sigma_\mathrm{sky}$ of a pixel")
    axis.set_ylim(bottom, top)
    axis.set_xlim(0, _profile_reach(view, center))
    _mark_radii(axis, values)
    _finish_profile(axis, title)


def _finish_profile(axis: Axes, title: str) -> None:
    """Write the profile's names, the title above those of the radii."""
    axis.set_title(title, loc="left", fontsize=10.5, fontweight="bold", color=INK, y=1.1)
    axis.set_box_aspect(1)
    axis.set_xlabel("radius (pixels)", fontsize=8.5, color=MUTED)
    axis.set_ylabel("mean flux of a pixel", fontsize=8.5, color=MUTED)
    axis.tick_params(labelsize=8, colors=MUTED, which="both")
    lines, names = axis.get_legend_handles_labels()
    first = names.index("image")
    axis.legend(
        [lines[first], *lines[:first], *lines[first + 1 :]],
        [names[first], *names[:first], *names[first + 1 :]],
        fontsize=8,
        frameon=False,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.13),
        ncols=3,
        columnspacing=1.2,
        handlelength=1.6,
    )


def _profile_limits(mean: Floats, sigma: float) -> tuple[float, float]:
    """Lowest and highest flux of the profile's axis: down to a fiftieth of the noise, eight decades at most."""
    if mean.size == 0:
        return 0.1, 1.0
    top = float(mean.max())
    bottom = max(float(mean.min()), 1e-8 * top)
    if np.isfinite(sigma) and sigma > 0:
        bottom = max(bottom, 0.02 * sigma)
    return min(bottom, 0.1 * top) / 1.5, 2.5 * top


def _profile_reach(view: GalaxyView, center: tuple[float, float]) -> float:
    """Largest radius of the profile: a little beyond 1.5 Petrosian radii, at most the stamp's farthest side."""
    n_y, n_x = view.pixels.shape
    side = max(center[0], n_x - 1 - center[0], center[1], n_y - 1 - center[1], 1.0)
    petrosian = view.measured.values.get("r_petro_pix", np.nan)
    return min(side, 1.9 * petrosian) if petrosian > 0 else side


def _mark_radii(axis: Axes, values: dict[str, float]) -> None:
    """Draw a line at each radius and write its name above, moved aside where two would touch."""
    _, reach = axis.get_xlim()
    marks = []
    for symbol, column, is_circle, _ in RADII:
        radius, dashes = values.get(f"{column}_pix", np.nan), DASHES[column.removesuffix("_ellip")]
        if is_circle and 0 < radius < reach:
            axis.axvline(radius, color="#a5aebd", lw=1, ls=dashes, zorder=1)
            marks.append((radius / reach, symbol))
    marks.sort()
    at = spread([place for place, _ in marks], apart=0.11)
    for (place, text), label_at in zip(marks, at, strict=True):
        axis.annotate(
            text,
            (place, 1.0),
            (label_at, 1.045),
            xycoords="axes fraction",
            textcoords="axes fraction",
            ha="center",
            va="bottom",
            fontsize=8.5,
            color=MUTED,
            arrowprops={"arrowstyle": "-", "color": "#a5aebd", "lw": 0.8, "shrinkA": 0, "shrinkB": 0},
        )


def spread(places: list[float], *, apart: float) -> list[float]:
    """Move ascending places apart as little as needed, within 0 and 1."""
    result: list[float] = []
    for place in places:
        result.append(max(place, result[-1] + apart) if result else place)
    for index in range(len(result) - 1, -1, -1):
        highest = 1.0 if index == len(result) - 1 else result[index + 1] - apart
        result[index] = min(result[index], highest)
    return result
