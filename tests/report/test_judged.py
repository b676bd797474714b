"""Each statistic of the page says by what it is told, or why it is not."""

import math

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


def by_name(judgment):
    """Judged statistics by name; of a classifier's, those of the last one."""
    return {item.statistic.name: item for item in judged_statistics(judgment)}


def test_statuses_are_those_of_the_evidence(judgment):
    found = by_name(judgment)
    # Three tests of p 0.001, 0.4 and 0.4, of one block of 8 families or so.
    assert found["sliced W1"].status == judgment.evidence("sliced").status == "told"
    assert found["energy distance"].status == judgment.evidence("energy").status == "not_told"
    assert found["sliced W1"].has_floors
    assert found["share closer"].status == judgment.evidence("share nearer in pixels").status == "told"
    assert found["area under the curve"].status == "told"
    assert found["AuthPct"].status == "told"
    assert found["C_T"].status == "told"


def test_p_values_are_said_alone_and_among_all(judgment):
    item = judgment.evidence("sliced")
    assert by_name(judgment)["sliced W1"].by == f"p 0.001 alone, {item.p_overall:.3f} among all tests"
    assert item.p_overall > 3 * item.p_value


def test_what_has_no_test_says_so(judgment):
    found = by_name(judgment)
    assert found["FD[efficientnet-lite0]"].status == ""
    assert found["FD[efficientnet-lite0]"].by.startswith("it has no test")
    for name in ("precision", "recall", "density", "coverage"):  # without p values in these records
        assert found[name].status == ""
        assert found[name].by == "shown only"


def test_tables_have_no_floors_where_they_mean_nothing(judgment):
    table = statistic_table(judgment)
    rows = {row["name"]: row for row in table}
    assert rows["sliced W1"]["in_floors"] == pytest.approx(5.17)
    for name in ("precision", "area under the curve", "KD[efficientnet-lite0]", "C_T"):
        assert math.isnan(rows[name]["in_floors"]), name
    assert rows["precision"]["status"] == "not tested"
    assert rows["sliced W1"]["status"] == "told"


def test_intervals_are_read_beside_minus_signs():
    assert distance_range((0.0141, 0.0526)) == "0.014 – 0.053"
    assert distance_range((-0.888, -0.775)) == "−0.888 to −0.775"
    assert distance_range((math.nan, math.nan)) == "–"
    assert statistic_range((-2.17, 1.713)) == "−2.170 to 1.713"


def test_an_index_stands_below_the_line():
    assert statistic_html("C_T") == "C<sub>T</sub>"
    assert statistic_html("<b>") == "&lt;b&gt;"
