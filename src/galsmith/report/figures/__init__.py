"""The figures of a report as files, PNG and PDF, for talks and papers: the drawings of the page, painted."""

from collections.abc import Iterator
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from galsmith.compare.marginal.columns import group_title, label_of, mode_of
from galsmith.report.figures.distances import board_figure, dot_figure, giveaway_figure
from galsmith.report.figures.painting import STYLE, Panel, save, sheet, write_captions
from galsmith.report.figures.pictures import (
    galaxy_figure,
    one_spectrum_figure,
    pair_figure,
    picture_rows,
    plane_figure,
)
from galsmith.report.labels import distance_number, file_name, floors_text
from galsmith.report.page import drawing
from galsmith.report.panels.distances import board_of
from galsmith.report.panels.drawn import DrawnSet, DrawnTogether, panel_groups
from galsmith.report.panels.histograms import HistogramPanel
from galsmith.report.panels.overlaid_spectra import overlaid_panel
from galsmith.report.panels.overlays import OPEN_GROUPS, Overlay, OverlayGroup, overlay_panel
from galsmith.report.verdict import evidence_by_name

COLUMNS = 4
AREAS = (("r-fill", "reference"), ("g-line", "generated"))
LINES = (("r-line", "reference"), ("g-line g-dash", "generated"))

__all__ = ["STYLE", "write_figures"]


def write_figures(folder: Path, sets: list[DrawnSet], together: DrawnTogether | None = None) -> None:
    """Write every figure that there is material for; several generated sets have a folder each.

    What shows several sets in one panel lies above these folders.
    """
    folder.mkdir(parents=True)
    verdicts = tuple(item.words for item in sets)
    with rc_context(STYLE):
        if board_of(verdicts):
            save(board_figure(verdicts), folder / "verdict")
        for name, figure in () if together is None else _figures_together(together):
            save(figure, folder / name)
        for item in sets:
            place = folder if len(sets) == 1 else folder / file_name(item.material.name)
            place.mkdir(exist_ok=True)
            for name, figure in _figures_of(item):
                save(figure, place / name)
            write_captions(place)
        write_captions(folder)


def _figures_of(item: DrawnSet) -> Iterator[tuple[str, Figure]]:
    """Draw the figures of one generated set, one at a time: file name and figure."""
    if item.material.comparison.counted:
        yield "distances", dot_figure(item.material.comparison, evidence_by_name(item.words.evidence))
    if item.blocks:
        yield "galaxies", galaxy_figure(item.blocks)
    yield from _histogram_figures(item)
    for panel in item.spectra:
        band = panel.spectrum.band
        yield _in_band("power_spectrum", band), _spectrum_sheet(drawing("spectrum", panel), band, LINES)
    if item.one_spectrum is not None:
        yield "one_galaxy", one_spectrum_figure(item.one_spectrum)
    if item.planes is not None:
        yield "average_spectra", plane_figure(item.planes)
    for corner in item.corners:
        yield corner.file_name, sheet([Panel(drawing("corner", corner))], title=corner.title, key=LINES)
    if item.color_bulge is not None:
        yield "color_bulge", sheet([Panel(drawing("color_bulge", item.color_bulge))], key=LINES)
    yield from _evidence_figures(item)


def _evidence_figures(item: DrawnSet) -> Iterator[tuple[str, Figure]]:
    """Draw what goes beyond single properties."""
    if item.heat_map is not None:
        note = f"generated less reference; full color is {item.heat_map.most:.2f}"
        yield "correlations", sheet([Panel(drawing("heat_map", item.heat_map), note=note)])
    if any(panel.bars for panel in item.classifiers):
        yield "giveaways", giveaway_figure(item.classifiers)
    for panel in item.copies:
        title = f"Distance to the nearest training image, in {panel.space}"
        key = (("r-line", "held-out"), LINES[1])
        yield f"copies_{file_name(panel.space)}", sheet([Panel(drawing("copies", panel), title)], key=key)
        if panel.pairs:
            rows = [(item.generated, item.training, f"{item.pair.distance:.3g}") for item in panel.pairs]
            yield f"closest_pairs_{file_name(panel.space)}", pair_figure(rows, "training")
    for like in item.like:
        if like.pairs:
            pairs = [(one.first, one.second, one.words.replace(", ", "\n")) for one in like.pairs]
            yield f"like_{file_name(like.title)}", pair_figure(pairs, like.second)


def _histogram_figures(item: DrawnSet) -> Iterator[tuple[str, Figure]]:
    """One figure for each group that enters the means; the spectrum's figure stands for the power modes."""
    groups: dict[str, list[Panel]] = {}
    for group in item.histograms or panel_groups(item.material):
        for panel in group.panels:
            if panel.distance.in_means and mode_of(panel.distance.column) is None:
                groups.setdefault(panel.distance.group, []).append(_histogram_panel(panel))
    for name, panels in groups.items():
        title = group_title(name)
        yield f"histograms_{file_name(name)}", sheet(panels, columns=COLUMNS, title=title, key=AREAS)


def _figures_together(together: DrawnTogether) -> Iterator[tuple[str, Figure]]:
    """Draw what all sets share, one figure at a time: file name and figure."""
    sets = [(f"s-line s{style}", name) for name, style in zip(together.names, together.styles, strict=True)]
    if together.blocks:
        yield (
            "galaxies",
            picture_rows(
                [(row.name, f"s{row.style}", row.pictures) for block in together.blocks for row in block]
            ),
        )
    for group in together.histograms:
        if group.is_open and group.file_name in OPEN_GROUPS:
            yield f"histograms_{file_name(group.file_name)}", _overlay_figure(group, [AREAS[0], *sets])
    for data in together.spectra:
        markup, band = drawing("overlaid_spectrum", overlaid_panel(data)), data.spectra[0].band
        yield _in_band("power_spectrum", band), _spectrum_sheet(markup, band, (LINES[0], *sets))


def _overlay_figure(group: OverlayGroup, key: list[tuple[str, str]]) -> Figure:
    """Histograms of one group of properties, the reference filled and every set a line."""
    panels = [_overlay_panel(overlay) for overlay in group.overlays]
    return sheet(panels, columns=COLUMNS, title=f"{group.title}: distances in the order of the sets", key=key)


def _overlay_panel(overlay: Overlay) -> Panel:
    """One property of all sets."""
    worst = "; ".join(floors_text(item.distance.in_floors) for item in overlay.sets if item.status)
    return Panel(
        drawing("overlay", overlay_panel(overlay)),
        label_of(overlay.distance) + (f" [{overlay.unit}]" if overlay.unit else ""),
        f"{worst} floors" if worst else "not compared",
    )


def _histogram_panel(panel: HistogramPanel) -> Panel:
    """One property of one set."""
    one = panel.distance
    note = f"W1 {distance_number(one.value)}, floor {distance_number(one.floor)}"
    return Panel(
        drawing("histogram", panel),
        panel.label + (f" [{panel.unit}]" if panel.unit else ""),
        "not compared" if one.reason else note,
    )


def _spectrum_sheet(markup: str, band: str, key: tuple[tuple[str, str], ...]) -> Figure:
    """One power spectrum, its band above."""
    return sheet([Panel(markup, f"{band} band" if band else "")], key=key)


def _in_band(stem: str, band: str) -> str:
    """Name the file of a band's figure."""
    return f"{stem}_{file_name(band)}" if band else stem
