"""The figures of a report as files, PNG and PDF, for talks and papers."""

from collections.abc import Iterator
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from galsmith.report.captions import write_captions
from galsmith.report.figures.distances import board_figure, dot_figure
from galsmith.report.figures.pictures import (
    copies_figure,
    correlation_figure,
    galaxy_figure,
    giveaway_figure,
    pair_figure,
    plane_figure,
)
from galsmith.report.figures.properties import (
    color_bulge_figure,
    corner_figure,
    histogram_figures,
    one_spectrum_figure,
    spectrum_figure,
)
from galsmith.report.figures.style import STYLE, save
from galsmith.report.figures.together import figures_together
from galsmith.report.labels import file_name
from galsmith.report.panels.drawn import DrawnSet, DrawnTogether

__all__ = ["STYLE", "write_figures"]


def write_figures(folder: Path, sets: list[DrawnSet], together: DrawnTogether | None = None) -> None:
    """Write every figure that there is material for; several generated sets have a folder each.

    What shows several sets in one panel lies above these folders.
    """
    folder.mkdir(parents=True)
    verdicts = tuple(item.words for item in sets)
    with rc_context(STYLE):
        if any(item.verdict.checks for item in verdicts):
            save(board_figure(verdicts), folder / "verdict")
        for name, figure in () if together is None else figures_together(together):
            save(figure, folder / name)
        for item in sets:
            place = folder if len(sets) == 1 else folder / file_name(item.material.name)
            place.mkdir(exist_ok=True)
            for name, figure in _figures_of(item):
                save(figure, place / name)
            write_captions(place)
        write_captions(folder)


def _figures_of(item: DrawnSet) -> Iterator[tuple[str, Figure]]:
    """Draw the figures of one generated set, one at a time."""
    if item.material.comparison.counted:
        yield "distances", dot_figure(item.material.comparison.counted)
    if item.blocks:
        yield "galaxies", galaxy_figure(item.blocks)
    yield from histogram_figures(item.material)
    for spectrum in item.spectra:
        suffix = f"_{file_name(spectrum.band)}" if spectrum.band else ""
        yield f"power_spectrum{suffix}", spectrum_figure(spectrum)
    if item.one_spectrum is not None:
        yield "one_galaxy", one_spectrum_figure(item.one_spectrum)
    if item.planes is not None:
        yield "average_spectra", plane_figure(item.planes)
    for data in item.corners:
        yield data.file_name, corner_figure(data)
    if item.color_bulge is not None:
        yield "color_bulge", color_bulge_figure(item.color_bulge)
    yield from _evidence_figures(item)


def _evidence_figures(item: DrawnSet) -> Iterator[tuple[str, Figure]]:
    """Draw what goes beyond single properties."""
    beyond = item.material.judgment.beyond
    if beyond is not None and beyond.correlation_pairs:
        yield "correlations", correlation_figure(beyond)
    if any(panel.bars for panel in item.classifiers):
        yield "giveaways", giveaway_figure(item.classifiers)
    for panel in item.copies:
        yield f"copies_{file_name(panel.space)}", copies_figure(panel)
        if panel.pairs:
            yield f"closest_pairs_{file_name(panel.space)}", pair_figure(panel.pairs)
