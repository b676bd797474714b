"""The color against the bulge statistic: which color is drawn, by which type, in which unit."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable

from galsmith.compare.marginal.columns import label_of, words_of
from galsmith.report.panels.color_bulge import color_bulge_of
from galsmith.seeds import random_stream


def table_of(*columns, magnitudes="AB", case=0):
    """A table of 60 galaxies whose early types are redder by 1 in every color."""
    rng = random_stream(case, "test.color_panel")
    bulge = rng.uniform(-1, 1, 60)
    table = QTable({"bulge_statistic": bulge})
    for place, name in enumerate(columns):
        table[name] = (place + (bulge >= 0) + rng.normal(0, 0.05, 60)) * u.mag
    table.meta["colors"] = {"magnitudes": magnitudes}
    return table


def drawn(*tables):
    return color_bulge_of(SimpleNamespace(sides=[SimpleNamespace(table=table) for table in tables]))


@pytest.mark.parametrize(
    ("columns", "name"),
    [
        (("color_gr_mag", "color_gi_mag"), "g − i"),
        (("color_blue_red_mag", "color_blue_green_mag"), "blue − red"),
        (("color_F606W_F814W_mag",), "F606W − F814W"),
    ],
)
def test_g_i_is_drawn_before_others_and_else_the_first(columns, name):
    found = drawn(table_of(*columns), table_of(*columns, case=1))
    assert (found.color_name, found.unit) == (name, "mag")


def test_early_types_are_the_redder_ones():
    found = drawn(table_of("color_gi_mag"), table_of("color_gi_mag", case=1))
    for side in (found.reference, found.generated):
        early, late = (found.colors(side, is_early=is_early) for is_early in (True, False))
        assert early.min() > 0.5 > late.max()
        assert found.early_share(side) == len(early) / 60


def test_colors_without_zero_points_say_so():
    tables = table_of("color_gi_mag"), table_of("color_gi_mag", case=1, magnitudes="instrumental")
    assert drawn(*tables).unit == "mag, instrumental"


def test_other_colors_on_the_two_sides_are_not_drawn():
    assert drawn(table_of("color_gi_mag"), table_of("color_gr_mag")) is None
    assert drawn(table_of("color_gi_mag"), table_of()) is None
    bare = table_of("color_gi_mag")
    bare["color_gi_mag"] = np.nan
    assert drawn(bare, table_of("color_gi_mag")) is None


def test_a_row_names_its_color_and_type():
    column = "color_F606W_F814W_mag"
    labels = [
        label_of(SimpleNamespace(name=name, column=column, metric="linear"))
        for name in (column, f"{column}_early_type", f"{column}_late_type")
    ]
    assert labels == ["F606W − F814W", "F606W − F814W, early types", "F606W − F814W, late types"]
    assert words_of("color_gi_mag * gini") == "g − i × Gini coefficient"
