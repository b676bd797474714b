"""Files show what the page shows: the same drawings, painted, and the same rows."""

import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.colors import to_hex
from matplotlib.patches import PathPatch

from galsmith.compare import Judgment, read_card, write_card
from galsmith.report import figures, write_report
from galsmith.report.figures import painting, pictures
from galsmith.report.figures.distances import MARK_POINTS, board_figure, dot_figure
from galsmith.report.figures.painting import STYLE, Panel, look_of, outline_of, paint, sheet
from galsmith.report.material import gather
from galsmith.report.panels.drawn import drawn_set
from galsmith.report.verdict import evidence_by_name

SQUARE = '<svg viewBox="0 0 20 10"><path class="r-line" d="M1 2H9v3L4 6Z"/></svg>'


@pytest.fixture(scope="module")
def card_path(three_bands, records):
    card = read_card(three_bands.comparison)
    one = card.judgment()
    full = Judgment.of(
        one.name, one.comparison, beyond=records.beyond(), memorization=(records.memorization(),)
    )
    path = three_bands.folder / "painted.json"
    write_card(replace(card, judgments=(full,)), path)
    return path


@pytest.fixture(scope="module")
def painted(card_path, tmp_path_factory):
    """The page, and the drawings that were painted for its files."""
    markups = []

    def noted(axis, markup, corner=(0.0, 0.0)):
        markups.append(markup)
        paint(axis, markup, corner)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(painting, "paint", noted)
        patch.setattr(pictures, "paint", noted)
        patch.setattr(figures, "save", lambda figure, stem: None)
        patch.setattr(figures, "write_captions", lambda folder: None)
        page = write_report(card_path, tmp_path_factory.mktemp("painted") / "out")
    return page.read_text(encoding="utf-8"), markups


def test_files_are_painted_from_the_drawings_of_the_page(painted):
    text, markups = painted
    assert all(markup in text for markup in markups)
    moved = [re.sub(r'(class="r-\w+" d="M)', r"\g<1>1", markup) for markup in markups]
    moved = [one for one, markup in zip(moved, markups, strict=True) if one != markup]
    assert len(moved) >= 10
    assert not any(markup in text for markup in moved)
    kinds = {re.search(r'aria-label="(\w+)', markup).group(1) for markup in markups}
    assert kinds == {"Histogram", "Power", "Corner", "Differences", "Quantiles"}
    # On the page but in no file are the histograms of the power modes, which the spectrum's figure stands for.
    left = [svg for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL) if svg not in markups]
    assert left
    assert all("Histogram of power" in svg for svg in left)


def test_a_painted_path_has_the_steps_and_the_look_of_the_pages():
    figure = sheet([Panel(SQUARE)])
    (patch,) = [artist for artist in figure.axes[0].patches if isinstance(artist, PathPatch)]
    shifted = patch.get_path().vertices - [painting.MARGIN, painting.MARGIN]
    np.testing.assert_array_equal(shifted, [[1, 2], [9, 2], [9, 5], [4, 6], [4, 6]])
    assert to_hex(patch.get_edgecolor()) == "#0069a8"
    assert patch.get_linewidth() == pytest.approx(2 * painting.POINTS_PER_PIXEL)
    assert patch.get_facecolor()[3] == 0
    assert figure.axes[0].get_ylim()[0] > figure.axes[0].get_ylim()[1]


@pytest.mark.parametrize(
    ("markup", "says"),
    [
        (SQUARE.replace("L4 6", "Q4 6 7 8"), "the step 'Q'; wanted one of M, L, H"),
        (SQUARE.replace("path", "ellipse"), "the element 'ellipse'; wanted path, circle"),
    ],
)
def test_what_cannot_be_painted_is_refused_not_left_out(markup, says):
    with pytest.raises(ValueError, match=says):
        sheet([Panel(markup)])


def test_numbers_with_powers_of_ten_are_no_steps():
    np.testing.assert_array_equal(outline_of("M1e-05 2L3e+05 4").vertices, [[1e-5, 2], [3e5, 4]])


def test_colors_are_those_of_the_page_on_paper():
    assert look_of(":root", "")["--paper"] == "#ffffff"
    assert look_of("text", "name", "corner")["fill"] == "#15171c"
    assert look_of("text", "name")["fill"] == look_of("text", "")["fill"] == "#555c69"
    assert look_of("text", "", "large")["font-size"] == "13px"
    assert "font-size" not in look_of("text", "")
    assert look_of("path", "s-line s2")["stroke-dasharray"] == "5 2.5"


def test_rows_lie_on_paper_where_they_lie_on_the_page(painted, card_path):
    text, _ = painted
    item = drawn_set(gather(card_path).sets[0])
    with rc_context(STYLE):
        rows = dot_figure(item.material.comparison, evidence_by_name(item.words.evidence))
        drawn = board_figure((item.words,)), rows
    on_page = re.findall(r'<span class="dot (\w+)" style="left:([\d.]+)%"', text)
    on_paper = [
        float(line.get_xdata()[0])
        for figure in drawn
        for axis in figure.axes
        for line in axis.lines
        if line.get_marker() in ("o", "D")
    ]
    assert [float(at) for _, at in on_page] == on_paper
    assert len({at for _, at in on_page}) > 10
    # marks at the ends of an axis, where what lies beyond is put, stand beside its line and not on it
    for axis in (axis for figure in drawn for axis in figure.axes):
        per_point = axis.get_position().width * axis.figure.get_figwidth() * 72 / 100
        assert -axis.get_xlim()[0] * per_point > MARK_POINTS / 2
