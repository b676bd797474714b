"""Writing a report: the page, its figures for talks and papers, its tables."""

import re
from itertools import product
from pathlib import Path

from galsmith.compare import ReportCard, read_card
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress
from galsmith.files import Kind, Partial, check_output, sha256_of_file
from galsmith.report.calls import IN_PYTHON, Spelling
from galsmith.report.figures import write_figures
from galsmith.report.figures.painting import FIGURE
from galsmith.report.material import gather
from galsmith.report.page import GENERATOR, page_html
from galsmith.report.panels.drawn import drawn_set, drawn_together
from galsmith.report.tables import TABLES, write_tables

PAGE_FILE = "index.html"
HEAD_BYTES = 2000  # of a page, in which its first tags lie
GENERATOR_TAG = re.compile(
    rf'\s*<!DOCTYPE html>\s*<html[^>]*>\s*<head>\s*(?:<meta [^>]*>\s*)*?<meta name="generator" content="{GENERATOR} (\w+)">'
)


def _made_from(page: Path) -> str | None:
    """Hash of the card that a page shows, from its tag for that."""
    with page.open("rb") as stream:
        found = GENERATOR_TAG.match(stream.read(HEAD_BYTES).decode("utf-8", errors="replace"))
    return None if found is None else found.group(1)


TABLE_FILES = tuple(
    f"tables/{of_set}{name}{suffix}"
    for of_set, name, suffix in product(("", "*/"), TABLES, (".ecsv", ".tex"))
)
REPORT = Kind(
    "report",
    _made_from,
    PAGE_FILE,
    (PAGE_FILE, "figures/captions.txt", "figures/*/captions.txt", *TABLE_FILES),
    {"figures/*.png": FIGURE, "figures/*.pdf": FIGURE},
)


def write_report(
    comparison: str | Path,
    output: str | Path,
    *,
    spelling: Spelling = IN_PYTHON,
    overwrite: bool = False,
    progress: ProgressCallback = ignore_progress,
) -> Path:
    """Write a report card as one self-contained page, with its figures and tables beside it.

    Reads stored results only: the card, and the tables and stores that it names. What is not there any
    more, or was not judged, is left out, and the page says so.

    Parameters
    ----------
    comparison : path
        What `galsmith.judging.judge` wrote.
    output : path
        The folder to become the report: ``index.html``, ``figures/`` (PNG and PDF), ``tables/`` (ECSV and
        LaTeX); of several generated sets the latter two have a folder each, beside what shows all of them.
        It appears only once all of it is
        written.
    spelling : Spelling
        How the page writes the calls that it advises; the command line writes commands.
    overwrite : bool
        Replace a report, or whatever else galsmith made there, once the new one is complete.
    progress : callable
        Told after each piece.

    Returns
    -------
    Path
        Of ``index.html``.

    Raises
    ------
    OutputExistsError
        If the folder is there already.
    InputError
        If the comparison cannot be read.
    OutputError
        If the report cannot be written.
    """
    folder, source = Path(output), Path(comparison)
    check_output(folder, REPORT, inputs=[source], overwrite=overwrite)
    inputs = [source, *_sources_of(read_card(source), source.parent)]
    with Partial(
        folder, REPORT, sha256_of_file(source), inputs=inputs, overwrite=overwrite, resumes=False
    ) as partial:
        if not partial.is_complete:
            _write(partial.content, source, spelling, progress)
            partial.finish()
    return folder / PAGE_FILE


def _write(folder: Path, source: Path, spelling: Spelling, progress: ProgressCallback) -> None:
    """Write all of a report."""
    material = gather(source)
    folder.mkdir()
    progress(ProgressEvent("reading images", 1, 4, "pieces"))
    together = drawn_together(material)
    sets = [drawn_set(item, is_alone=together is None) for item in material.sets]
    progress(ProgressEvent("writing the page", 2, 4, "pieces"))
    html = page_html(material, source, sets, together, spelling=spelling)
    (folder / PAGE_FILE).write_text(html, encoding="utf-8")
    progress(ProgressEvent("drawing figures", 3, 4, "pieces"))
    write_figures(folder / "figures", sets, together)
    write_tables(folder / "tables", material.card)
    progress(ProgressEvent("report", 4, 4, "pieces"))


def _sources_of(card: ReportCard, folder: Path) -> list[Path]:
    """Tables and stores that a card names."""
    comparisons = [judgment.comparison for judgment in card.judgments]
    sides = [side for one in comparisons for side in (one.reference, one.generated)]
    return [folder / path for side in sides for path in (side.path, side.images_path) if path]
