"""The panels of one galaxy's figure."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse
from matplotlib.patheffects import AbstractPathEffect, withStroke
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from matplotlib.transforms import BboxTransformTo, ScaledTranslation, Transform, blended_transform_factory
from numpy.typing import NDArray

from galsmith.report.galaxy.view import GalaxyView

Floats = NDArray[np.float64]

# Okabe and Ito (2008): told apart with every kind of color vision; each also has a dash of its own
BLUE, ORANGE, GREEN, YELLOW, PINK = "#56b4e9", "#e69f00", "#009e73", "#f0e442", "#cc79a7"
INK, MUTED = "#15171c", "#555c69"
HALO: list[AbstractPathEffect] = [withStroke(linewidth=2.6, foreground="#000000b0")]
DASHES: dict[str, Any] = {"r20": ":", "r80": (0, (5, 1.5, 1, 1.5)), "r_half": "--", "r_petro": "-"}
# what the key says, the column, whether it is a circle, color
RADII = (
    ("$r_{20}$", "r20", True, BLUE),
    ("$r_{80}$", "r80", True, BLUE),
    (r"$r_\mathrm{half}$", "r_half", True, BLUE),
    (r"$r_\mathrm{petro}$", "r_petro", True, BLUE),
    (r"$a_\mathrm{half}$", "r_half_ellip", False, ORANGE),
    (r"$a_\mathrm{petro}$", "r_petro_ellip", False, ORANGE),
)
CENTERS = (("centroid", "centroid", "x", YELLOW), ("least asymmetry", "center", "+", "#ffffff"))
MAP_LINES: dict[str, tuple[str, Any, float]] = {
    "segmentation": ("#ffffff", "-", 1.0),
    "Gini": (ORANGE, "-", 1.5),
    "MID": (BLUE, (0, (4, 1.5)), 1.5),
    "shape": (PINK, (0, (1, 1.2)), 1.7),
}
DARK_VEIL, LIGHT_VEIL = (0.20, 0.32, 0.55, 0.55), (0.84, 0.86, 0.89, 1.0)
RESIDUAL_COLORS = "RdBu_r"
RESIDUAL_SIGMA = 5.0
# below the bottom of a panel, whose height differs by image: ticks, their numbers and the label take 0.4 inches
KEY_INCHES, BAR_INCHES, BAR_HEIGHT_INCHES = -0.46, -0.6, 0.1


def _title(axis: Axes, text: str) -> None:
    axis.set_title(text, loc="left", fontsize=10.5, fontweight="bold", color=INK)


def _extent(view: GalaxyView) -> tuple[float, float, float, float]:
    """Edges of the shown pixels in the image's coordinates."""
    n_y, n_x = view.pixels.shape
    return (view.x_min - 0.5, view.x_min + n_x - 0.5, view.y_min - 0.5, view.y_min + n_y - 0.5)


def _frame(axis: Axes, title: str, view: GalaxyView) -> None:
    """Name an image panel and its axes; of a cutout, coordinates are those of the image it was cut from."""
    _title(axis, title)
    axis.tick_params(direction="out", length=3, labelsize=8, colors=MUTED)
    for edge in axis.spines.values():
        edge.set_visible(True)
        edge.set_color("#a5aebd")
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    of_what = "pixels of the whole image" if view.cutout.is_part else "pixels"
    axis.set_xlabel(f"x ({of_what})", fontsize=8.5, color=MUTED)
    axis.set_ylabel(f"y ({of_what})", fontsize=8.5, color=MUTED)


def leave_blank(axis: Axes, title: str, reason: str) -> None:
    """Leave a panel empty and say why."""
    _title(axis, title)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_facecolor("#f5f6f8")
    axis.spines[:].set_visible(False)
    axis.set_box_aspect(1)
    axis.text(0.5, 0.5, reason, transform=axis.transAxes, ha="center", va="center", color=MUTED)


def _stretched(pixels: Floats, view: GalaxyView) -> Floats:
    """Bring flux to gray by asinh, 0 at the sky and 1 at the galaxy's peak."""
    finite = np.isfinite(view.pixels)
    shown = view.pixels[finite & ~view.mask] if (finite & ~view.mask).any() else view.pixels[finite]
    if shown.size == 0 or np.ptp(shown) == 0:
        return np.full(pixels.shape, 0.4)
    sky = float(np.median(shown[shown <= np.median(shown)]))
    noise = 1.4826 * float(np.median(np.abs(shown - np.median(shown))))
    span = float(shown.max()) - sky
    soft = float(np.clip(2 * noise, 1e-3 * span, 0.1 * span))
    with np.errstate(invalid="ignore"):
        gray = np.arcsinh((np.nan_to_num(pixels, nan=sky) - sky + 0.5 * soft) / soft)
    return np.asarray(np.clip(gray / np.arcsinh(span / soft + 0.5), 0, 1))


def _show(axis: Axes, pixels: Floats, view: GalaxyView, title: str) -> None:
    """Draw flux in gray."""
    axis.imshow(_stretched(pixels, view), cmap="gray", vmin=0, vmax=1, origin="lower", extent=_extent(view))
    _frame(axis, title, view)


def _veil(axis: Axes, view: GalaxyView, color: tuple[float, float, float, float]) -> None:
    """Color the masked pixels over."""
    if view.mask.any():
        veil = np.zeros((*view.mask.shape, 4))
        veil[view.mask] = color
        axis.imshow(veil, origin="lower", extent=_extent(view))


def _keep_to_stamp(axis: Axes, view: GalaxyView) -> None:
    """Cut off what is drawn beyond the stamp."""
    left, right, bottom, top = _extent(view)
    axis.set_xlim(left, right)
    axis.set_ylim(bottom, top)


def _below(axis: Axes) -> Transform:
    """Give places under a panel: along it in its widths, upward from its bottom in inches."""
    inches = axis.figure.dpi_scale_trans + ScaledTranslation(0, 0, BboxTransformTo(axis.bbox))
    return blended_transform_factory(axis.transAxes, inches)


def _key(axis: Axes, entries: Iterable[tuple[str, Line2D]], columns: int) -> None:
    """Write what the lines are, below the panel."""
    names, lines = zip(*entries, strict=True)
    axis.legend(
        lines,
        names,
        loc="upper center",
        bbox_to_anchor=(0.5, KEY_INCHES),
        bbox_transform=_below(axis),
        ncols=columns,
        fontsize=8,
        frameon=True,
        facecolor="#2b3038",
        framealpha=1.0,
        edgecolor="none",
        labelcolor="white",
        handlelength=1.9,
        handletextpad=0.5,
        columnspacing=0.9,
        borderpad=0.5,
    )


def _outline(axis: Axes, view: GalaxyView, axes_pix: tuple[float, float], **style: Any) -> None:
    """Draw an ellipse of semi-axes a and b about the point of least asymmetry."""
    values = view.measured.values
    a, b = axes_pix
    angle = float(np.degrees(values["orientation_center_rad"])) if a != b else 0.0
    center = values["center_x_pix"], values["center_y_pix"]
    patch = Ellipse(center, 2 * a, 2 * b, angle=angle, fill=False, lw=1.4, **style)
    patch.set_path_effects(HALO)
    axis.add_patch(patch)


def draw_radii(axis: Axes, view: GalaxyView) -> None:
    """Show the galaxy with both centers, its circles and its ellipses."""
    _show(axis, view.pixels, view, "Centers and radii")
    _veil(axis, view, DARK_VEIL)
    values = view.measured.values
    flattening = 1.0 - values.get("ellipticity_center", np.nan)
    entries = []
    for symbol, column, ratio, color in RADII:
        a = values.get(f"{column}_pix", np.nan)
        b = a if ratio else a * flattening
        if np.isfinite(a) and np.isfinite(b) and a > 0:
            dashes = DASHES[column.removesuffix("_ellip")]
            _outline(axis, view, (a, b), ec=color, ls=dashes)
            entries.append((symbol, Line2D([], [], color=color, ls=dashes)))
    entries += _draw_centers(axis, values)
    _keep_to_stamp(axis, view)
    if entries:
        _key(axis, entries, columns=4)


def _draw_centers(axis: Axes, values: dict[str, float]) -> list[tuple[str, Line2D]]:
    """Mark the centroid and the point of least asymmetry; what the marks are."""
    entries = []
    for name, column, marker, color in CENTERS:
        x, y = (values.get(f"{column}_{along}_pix", np.nan) for along in "xy")
        if np.isfinite(x) and np.isfinite(y):
            style: dict[str, Any] = {"color": color, "marker": marker, "mew": 1.6, "ls": "none"}
            axis.add_line(Line2D([x], [y], ms=9, path_effects=HALO, **style))
            entries.append((name, Line2D([], [], ms=7, **style)))
    return entries


def draw_maps(axis: Axes, view: GalaxyView) -> None:
    """Show the outlines of the maps on which things are measured."""
    _show(axis, view.pixels, view, "Maps")
    _veil(axis, view, DARK_VEIL)
    entries = []
    for name, region in view.maps.items():
        color, dashes, width = MAP_LINES[name]
        if region.any():
            n_y, n_x = region.shape
            lines = axis.contour(
                np.arange(-1, n_x + 1) + view.x_min,
                np.arange(-1, n_y + 1) + view.y_min,
                np.pad(region, 1).astype(float),
                [0.5],
                colors=color,
                linestyles=[dashes],
                linewidths=width,
            )
            lines.set(path_effects=HALO)
            entries.append((name, Line2D([], [], color=color, ls=dashes, lw=width + 0.3)))
    _keep_to_stamp(axis, view)
    if entries:
        _key(axis, entries, columns=4)


def draw_half_turn(axis: Axes, view: GalaxyView) -> None:
    """Show what a half turn about the point of least asymmetry leaves."""
    title = "Image less its half turn"
    if view.turned is None:
        leave_blank(axis, title, "not measured")
        return
    _residual(axis, view, np.where(view.mask, 0.0, view.pixels) - view.turned, title)
    values = view.measured.values
    radius = 1.5 * values["r_petro_pix"]
    if np.isfinite(radius):
        circle = Ellipse(
            (values["center_x_pix"], values["center_y_pix"]),
            2 * radius,
            2 * radius,
            fill=False,
            ec=INK,
            lw=1.1,
        )
        axis.add_patch(circle)
        _note(axis, r"circle: $1.5\,r_\mathrm{petro}$")
    axis.plot(values["center_x_pix"], values["center_y_pix"], "+", color=INK, ms=9, mew=1.4)
    _keep_to_stamp(axis, view)


def draw_model(axis: Axes, view: GalaxyView) -> None:
    """Show the Sérsic fit under the stretch of the image."""
    title = view.model_name.capitalize().replace("sérsic", "Sérsic")
    if view.model is None:
        leave_blank(axis, title, "no fit")
        return
    _show(axis, view.model, view, title)


def draw_model_residual(axis: Axes, view: GalaxyView) -> None:
    """Show what the Sérsic fit leaves."""
    title = f"Image less {view.model_name}"
    if view.model is None:
        leave_blank(axis, title, "no fit")
        return
    _residual(axis, view, np.where(view.mask, 0.0, view.pixels - view.model), title)


def _note(axis: Axes, text: str) -> None:
    """Write a remark into the lower left corner of a panel."""
    axis.text(
        0.03,
        0.03,
        text,
        transform=axis.transAxes,
        fontsize=8.5,
        color=INK,
        bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 2.5},
    )


def _residual(axis: Axes, view: GalaxyView, residual: Floats, title: str) -> None:
    """Draw a difference, white at zero, with its scale."""
    sigma = view.measured.values.get("sky_sigma", np.nan)
    inside = np.abs(residual[np.isfinite(residual) & ~view.mask])
    reach = float(np.percentile(inside, 99.5)) if inside.size else 0.0
    if np.isfinite(sigma):
        reach = max(reach, RESIDUAL_SIGMA * sigma)
    reach = reach if reach > 0 else 1.0
    axis.imshow(
        np.nan_to_num(residual),
        cmap=RESIDUAL_COLORS,
        vmin=-reach,
        vmax=reach,
        origin="lower",
        extent=_extent(view),
    )
    _frame(axis, title, view)
    _veil(axis, view, LIGHT_VEIL)
    scale = ScalarMappable(Normalize(-reach, reach), cmap=RESIDUAL_COLORS)
    place = axis.inset_axes((0.0, BAR_INCHES, 1.0, BAR_HEIGHT_INCHES), transform=_below(axis))
    bar = axis.figure.colorbar(scale, cax=place, orientation="horizontal", format=_short_numbers())
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(5, symmetric=True)
    place.tick_params(labelsize=8, colors=MUTED, length=2)
    place.set_xlabel("flux of a pixel", fontsize=8.5, color=MUTED, labelpad=1)


def _short_numbers() -> ScalarFormatter:
    """Ticks with a common power of ten where they are very large or small."""
    formatter = ScalarFormatter(useMathText=True)
    formatter.set_powerlimits((-2, 4))
    return formatter
