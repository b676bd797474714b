"""Each statistic of the page says by what it is judged, or why it is not."""

import math
from dataclasses import replace

import pytest

from galsmith.compare import Judgment, read_card
from galsmith.report.labels import distance_range, statistic_html, statistic_range
from galsmith.report.tables import statistic_table
from galsmith.report.verdict import judged_statistics


@pytest.fixture
def judgment(one_band, records):
    found = read_card(one_band.comparison).judgment()
    return Judgment.of(
        found.name,
        found.comparison,
        beyond=records.beyond(),
        features=(records.features(),),
        memorization=(records.memorization(),),
    )


def with_frechet(judgment, frechet):
    """The same with another Fréchet distance alone, and the verdict on that."""
    features = (replace(judgment.features[0], frechet=frechet),)
    return Judgment.of(judgment.name, judgment.comparison, features=features)


def by_name(judgment):
    """Judged statistics by name; of a classifier's, those of the last one."""
    return {item.statistic.name: item for item in judged_statistics(judgment)}


def test_statuses_are_those_of_the_verdict(judgment):
    found = by_name(judgment)
    marks = {mark.label: mark.status for check in judgment.verdict.checks for mark in check.marks}
    for name in ("sliced W1", "energy distance", "correlation difference", "FD[efficientnet-lite0]"):
        assert found[name].status == marks[name], name
        assert found[name].has_floors
    assert found["share closer"].status == marks["share nearer"] == "fail"
    assert found["area under the curve"].status == "fail"


def test_what_decides_is_said_in_words(judgment):
    found = by_name(judgment)
    assert found["sliced W1"].by == "more than 2 floors, and p below 0.05 after Holm"
    assert found["area under the curve"].by.startswith("0.6 or more, and p below 0.05")
    assert found["share closer"].by.startswith("more than 2 % and twice what is expected, and p below 0.05")


def test_without_p_the_spread_of_the_floor_is_named_with_its_number(judgment, records):
    frechet = records.statistic("FD[efficientnet-lite0]", 0.743, floor=0.1, sigma=0.02, p_value=math.nan)
    changed = with_frechet(judgment, frechet)
    found = by_name(changed)["FD[efficientnet-lite0]"]
    # The value is 0.743, its floor 0.1 with a spread of 0.02.
    assert found.by == "more than 2 floors, and z above 3 (here 32.1), as there is no test"
    assert found.status == "fail"
    certain = replace(frechet, estimate=replace(frechet.estimate, floor_sigma=1.0))
    unsure = with_frechet(judgment, certain)
    assert by_name(unsure)["FD[efficientnet-lite0]"].status == "borderline"


@pytest.mark.parametrize(
    "name",
    [
        *("precision", "recall", "density", "coverage", "KD[efficientnet-lite0]"),
        *("AuthPct", "C_T", "balanced accuracy"),
    ],
)
def test_what_is_only_shown_says_so_and_has_no_floors(judgment, name):
    found = by_name(judgment)[name]
    assert found.status == ""
    assert found.by.startswith("not judged: ")
    assert not found.has_floors


def test_tables_have_no_floors_where_they_mean_nothing(judgment):
    table = statistic_table(judgment)
    rows = {row["name"]: row for row in table}
    assert rows["sliced W1"]["in_floors"] == pytest.approx(5.17)
    for name in ("precision", "area under the curve", "KD[efficientnet-lite0]", "C_T"):
        assert math.isnan(rows[name]["in_floors"]), name
    assert rows["precision"]["status"] == "not judged"
    assert rows["sliced W1"]["status"] == "fail"


def test_intervals_are_read_beside_minus_signs():
    assert distance_range((0.0141, 0.0526)) == "0.014 – 0.053"
    assert distance_range((-0.888, -0.775)) == "−0.888 to −0.775"
    assert distance_range((math.nan, math.nan)) == "–"
    assert statistic_range((-2.17, 1.713)) == "−2.170 to 1.713"


def test_an_index_stands_below_the_line():
    assert statistic_html("C_T") == "C<sub>T</sub>"
    assert statistic_html("<b>") == "&lt;b&gt;"
