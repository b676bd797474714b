"""How figures look, and how they are saved."""

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator

REFERENCE, GENERATED, WITHIN, BORDER, BEYOND = "#0069a8", "#b84a00", "#00785a", "#6d6200", "#98286f"
FLOOR, ZONE = "#dde2ea", "#e3f1ec"
SET_COLORS = (GENERATED, "#5b3bb5", "#00707a", "#7a5c00", "#333a46", "#a3206b")
SET_DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 2.5)),
    (0, (2, 1.5)),
    (0, (6, 2, 1.5, 2)),
    (0, (9, 3)),
    (0, (1, 1.5)),
)
STATUS_STYLES = {
    "pass": ("o", WITHIN, WITHIN),
    "borderline": ("o", BORDER, "white"),
    "fail": ("D", BEYOND, BEYOND),
}
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "pdf.fonttype": 42,
}


def wavelength_axis(axis: Axes, unit: str) -> None:
    """Give an axis wavelengths in plain numbers, long waves at the left."""
    axis.set(xscale="log", xlabel=f"wavelength [{unit}]")
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    axis.minorticks_off()
    axis.invert_xaxis()


def save(figure: Figure, stem: Path) -> None:
    """Write a figure without the time of day, so that the same card gives the same files."""
    figure.savefig(stem.with_suffix(".png"), metadata={"Software": None})
    figure.set_layout_engine("none")
    figure.savefig(stem.with_suffix(".pdf"), metadata={"CreationDate": None})
