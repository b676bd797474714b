"""The list of properties: complete, consistent and the same as the documentation."""

from pathlib import Path

import pytest

from galsmith.measure import FLAGS, PROPERTIES, properties_markdown, property_of_column
from galsmith.measure.engine.flags import FLAG_GRAVITY, FLAG_NAMES
from galsmith.measure.engine.row import PLACE, columns_of

# Holzschuh et al. (2022), section 4.1.1 and appendix B.
PAPER_LIST = {
    "asymmetry",
    "smoothness",
    "concentration",
    "gini",
    "m20",
    "r_half_pix",
    "sersic_index",
    "orientation_rad",
    "ellipticity",
    "elongation",
    "bulge_statistic",
}


def test_the_headline_holds_the_papers_morphology_and_one_power_binning():
    # of fields, of which that paper has none, all count
    headline = {entry.name for entry in PROPERTIES if entry.headline and entry.group != "field"}
    assert {name for name in headline if not name.startswith("power_")} == PAPER_LIST
    assert {name for name in headline if name.startswith("power_")} == {
        f"power_wavelength_{mode:02d}" for mode in range(15)
    }


def test_names_are_unique_and_carry_their_unit():
    names = [entry.name for entry in PROPERTIES]
    assert len(set(names)) == len(names)
    for entry in PROPERTIES:
        assert entry.name.endswith("_pix") == (entry.unit == "pix"), entry.name
        assert entry.name.endswith("_rad") == (entry.unit == "rad"), entry.name
        # an angle's uncertainty is a length on the circle
        is_angle = entry.unit == "rad" and "_sigma" not in entry.name
        assert (entry.period is not None) == entry.is_circular == is_angle, entry.name


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("gini", "gini"),
        ("power_wavelength_03", "power_wavelength_03"),
        ("power_rings_14_g", "power_rings_14"),
        ("power_wavelength_00_F814W_new", "power_wavelength_00"),
    ],
)
def test_a_column_finds_its_property(column, name):
    assert property_of_column(column).name == name


@pytest.mark.parametrize("column", ["object_id", "flag", "power_wavelength_15", "power_other_01", "gini_g"])
def test_other_columns_have_no_property(column):
    assert property_of_column(column) is None


def test_the_page_of_properties_is_rendered_from_the_list():
    page = (Path(__file__).parents[2] / "docs" / "properties.md").read_text(encoding="utf-8")
    assert properties_markdown().strip() in page


def test_the_page_explains_every_flag_with_its_gravity():
    page = (Path(__file__).parents[2] / "docs" / "properties.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    explained = {name.strip(" `"): cells[2].strip() for cells in rows for name in cells[1].split(",")}
    for name, gravity in zip(FLAG_NAMES, FLAG_GRAVITY, strict=True):
        assert explained.get(name) == str(gravity), name


def test_every_flag_of_a_fit_says_the_way_out():
    fits = [flag for flag in FLAGS.values() if "sersic" in flag.name]
    assert len(fits) > 10
    assert [flag.name for flag in fits if not flag.way_out] == []


def test_the_engine_has_a_place_for_every_property_but_power_details_and_fields():
    declared = [
        entry.name
        for entry in PROPERTIES
        if not entry.group.startswith(("power_", "grid", "winding", "field")) and entry.compute is None
    ]
    assert [name for name, _ in sorted(PLACE._asdict().items(), key=lambda item: item[1])] == declared
    assert set(columns_of(sersic="none", double_sersic=False)) == {
        name for name in declared if "sersic" not in name
    }
    assert columns_of(sersic="integrated", double_sersic=True) == tuple(declared)
