import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from galsmith.errors import SettingsError
from galsmith.images import rows_chosen, rows_where
from galsmith.settings import Condition, parse_where


@pytest.fixture
def catalog():
    return QTable(
        {
            "mag": [20.0, 22.0, 23.0, np.nan] * u.mag,
            "T": [-5, 0, 3, 5],
            "kind": ["E", "S0", "Sb", "3"],
            "barred": [False, True, True, False],
        }
    )


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("mag=22..23", [1, 2]),
        ("mag=..22", [0, 1]),
        ("mag=22..", [1, 2]),
        ("T=3", [2]),
        ("T=-5..0", [0, 1]),
        ("mag=20..23, T=0..", [1, 2]),
        ("kind=S0", [1]),
        ("kind=3", [3]),
        ("barred=1", [1, 2]),
        ("", [0, 1, 2, 3]),
    ],
)
def test_rows_that_meet_all_conditions(catalog, expression, wanted):
    assert np.flatnonzero(rows_where(catalog, parse_where(expression))).tolist() == wanted


def test_parsing_gives_closed_ranges():
    assert parse_where("mag=22..23,T=..0,kind=Sb") == (
        Condition("mag", low=22.0, high=23.0),
        Condition("T", high=0.0),
        Condition("kind", text="Sb"),
    )


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("mag", "`where='mag'`: wanted column=low..high or column=value"),
        ("=3", "`where='=3'`: wanted"),
        ("mag=", "`where='mag='`: wanted"),
        ("mag=a..3", "'a' is not a number"),
    ],
)
def test_other_forms_are_refused(expression, message):
    with pytest.raises(SettingsError, match=message):
        parse_where(expression)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("mab=3", r"no such column \(did you mean 'mag'\?\); the catalog has mag, T, kind, barred"),
        ("kind=3..4", "`where=kind`: holds text"),
        ("mag=bright", "`where=mag=bright`: the column holds numbers"),
    ],
)
def test_conditions_that_do_not_fit_the_catalog(catalog, expression, message):
    with pytest.raises(SettingsError, match=message):
        rows_where(catalog, parse_where(expression))


def test_either_side_of_or_is_enough():
    table = QTable({"score": [0.5, 1.0, np.nan, np.nan], "label": [np.nan, np.nan, 1.0, 0.0]})
    assert rows_chosen(table, "score=1.0.. or label=1").tolist() == [False, True, True, False]
    assert rows_chosen(table, "score=0.. , score=..0.7").tolist() == [True, False, False, False]
    with pytest.raises(SettingsError, match=r"column=low\.\.high"):
        rows_chosen(table, "score=1.. or label")
