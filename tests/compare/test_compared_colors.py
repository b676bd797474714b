"""Colors in a comparison: by type, in their group, as the recipes normalize and count them."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from galsmith.compare import judge_tables
from galsmith.compare.marginal.columns import values_of_distance
from galsmith.compare.papers import PAPERS
from galsmith.errors import InputError
from galsmith.provenance import Provenance
from galsmith.seeds import random_stream

QUICK = {"replicates": 40, "splits": 40, "permutations": 40}
ROWS = ("color_gi_mag", "color_gi_mag_early_type", "color_gi_mag_late_type")


def compare(*tables, **how):
    """Compare two tables, property by property."""
    return judge_tables(*tables, beyond=False, **how).judgment().comparison


@pytest.fixture
def colored(make_table):
    """A set whose early types are red: ``colored(count, case=, early_share=, redder=)``, redder in magnitudes."""

    def draw(count, *, case=0, early_share=0.4, redder=0.0, **meta):
        rng = random_stream(case, "test.colored")
        is_early = np.arange(count) < early_share * count
        color = np.where(is_early, 1.1, 0.6) + rng.normal(0, 0.1, count) + redder
        return make_table(
            {
                "gini": rng.normal(0.5, 0.05, count),
                "bulge_statistic": np.where(is_early, 0.2, -0.3) * rng.uniform(0.1, 1, count),
                "power_rings_03": rng.normal(-1, 0.3, count),
                "flux_g": rng.uniform(1, 2, count),
                "color_gi_mag": color,
            },
            **meta,
        )

    return draw


def plain(table, name="color_gi_mag"):
    return np.asarray(table[name], dtype=float)


def test_early_and_late_types_are_compared_apart_and_enter_the_means(colored):
    reference, generated = colored(300), colored(200, case=1, redder=0.05)
    found = compare(reference, generated, normalization={"color": "none"}, **QUICK)
    is_early = [plain(table, "bulge_statistic") >= 0 for table in (reference, generated)]
    for name, kept in (
        ("color_gi_mag_early_type", is_early),
        ("color_gi_mag_late_type", [~rows for rows in is_early]),
        ("color_gi_mag", [np.ones(300, bool), np.ones(200, bool)]),
    ):
        distance = found.distance(name)
        expected = wasserstein_distance(plain(reference)[kept[0]], plain(generated)[kept[1]])
        assert distance.value == pytest.approx(expected, rel=1e-9)
        assert (distance.n_reference, distance.n_generated) == (kept[0].sum(), kept[1].sum())
        assert (distance.group, distance.unit, distance.column) == ("color", "mag", "color_gi_mag")
    assert [found.distance(name).in_means for name in ROWS] == [False, True, True]
    assert found.mean("color").n_properties == 2
    assert not found.distance("flux_g").in_means


def test_galaxies_of_another_type_are_not_lost_and_those_of_no_type_are(colored):
    reference, generated = colored(200), colored(200, case=1)
    reference["color_gi_mag"][:3] = np.nan
    reference["bulge_statistic"][3:5] = np.nan
    reference["flags"] = np.array(["nonpositive_flux_g"] * 3 + ["bad"] * 2 + [""] * 195)
    found = compare(reference, generated, **QUICK)
    early, late = (found.distance(name) for name in ROWS[1:])
    assert dict(early.lost_reference.reasons) == {"nonpositive_flux_g": 3, "bad": 2}
    assert dict(late.lost_reference.reasons) == {"bad": 2}
    assert early.lost_generated.count == late.lost_generated.count == 0
    assert early.n_reference == 75
    assert late.n_reference == 120


def test_where_one_type_is_too_rare_the_color_of_all_counts(colored):
    found = compare(colored(300), colored(200, case=1, early_share=0.02), **QUICK)
    assert [found.distance(name).in_means for name in ROWS] == [True, False, False]
    assert "measured on 4 of 200 galaxies of the generated set" in found.distance(ROWS[1]).reason


@pytest.mark.parametrize(("early_share", "counts"), [(0.2, False), (0.25, True)])
def test_types_of_few_galaxies_are_shown_but_stay_out_of_the_means(colored, early_share, counts):
    found = compare(colored(300), colored(200, case=1, early_share=early_share), **QUICK)
    assert [found.distance(name).in_means for name in ROWS] == [not counts, counts, counts]
    assert np.isfinite([found.distance(name).value for name in ROWS]).all()


def test_without_the_bulge_statistic_the_color_of_all_counts(colored):
    tables = [colored(100), colored(100, case=1)]
    for table in tables:
        table.remove_column("bulge_statistic")
    found = compare(*tables, **QUICK)
    assert found.distance("color_gi_mag").in_means
    assert [item.name for item in found.distances if item.column == "color_gi_mag"] == ["color_gi_mag"]


def test_an_equal_set_lies_in_its_floor_and_a_redder_one_does_not(colored):
    reference = colored(600)
    same, redder = (compare(reference, colored(600, case=2, redder=shift), **QUICK) for shift in (0.0, 0.1))
    for name in ROWS[1:]:
        assert same.distance(name).in_floors < 2.5
        assert redder.distance(name).in_floors > 4
        assert redder.distance(name).p_value < 0.05


def test_swapped_bands_are_seen_in_every_row(colored):
    reference, generated = colored(300), colored(300, case=1)
    generated["color_gi_mag"] *= -1
    found = compare(reference, generated, **QUICK)
    assert all(found.distance(name).in_floors > 20 for name in ROWS)


def test_values_of_a_row_are_those_it_was_found_from(colored):
    table = colored(50)
    early = values_of_distance(table, "color_gi_mag_early_type", "color_gi_mag")
    assert np.array_equal(np.isnan(early), plain(table, "bulge_statistic") < 0)
    assert np.array_equal(values_of_distance(table, "color_gi_mag", "color_gi_mag"), plain(table))


def test_the_skirt_recipe_counts_raw_colors_and_the_bulge_statistic_as_table_2(colored):
    card = judge_tables(
        colored(200), colored(200, case=1, redder=0.05), paper="holzschuh2022-skirt", beyond=False, **QUICK
    )
    found = card.judgment().comparison
    members = [item for item in found.counted if item.group == "color"]
    assert {item.name for item in members} == {"bulge_statistic", *ROWS[1:]}
    assert {item.normalization for item in members} == {"none"}
    assert found.mean("color").value == pytest.approx(np.mean([item.value for item in members]))
    assert [item.name for item in found.counted if item.group == "morphology"] == ["gini"]
    names = {name for column in card.published for name in column.values}
    assert {item.name for item in members} | {"mean color"} <= names


def test_a_paper_without_colors_counts_no_bulge_statistic(colored):
    tables = [colored(100), colored(100, case=1)]
    for table in tables:
        table.remove_columns(["color_gi_mag", "flux_g"])
    found = judge_tables(*tables, paper="holzschuh2022-cosmos", beyond=False, **QUICK).judgment().comparison
    assert not found.distance("bulge_statistic").in_means
    assert found.distance("bulge_statistic").group == "morphology"
    assert {mean.name for mean in found.means} == {"morphology", "power_rings", "all properties", "headline"}
    # this package's own choice counts it
    assert compare(*tables, **QUICK).distance("bulge_statistic").in_means


def test_table_2_means_of_colors_are_those_of_its_three_rows():
    for column in PAPERS["holzschuh2022-skirt"].published:
        if column.table == "Table 2":
            rows = [column.values[name] for name in ("bulge_statistic", *ROWS[1:])]
            assert np.mean(rows) == pytest.approx(column.values["mean color"], abs=1.01e-4)


def test_colors_of_other_zero_points_or_apertures_are_not_compared(colored):
    def told(**settings):
        return {"provenance": Provenance("measure", settings, versions={}).to_dict()}

    known = colored(100, **told(zero_points_mag=["g 25", "i 24"]))
    with pytest.raises(
        InputError, match=r"measured with zero_points_mag = g 25, i 24, the generated set with none"
    ):
        compare(known, colored(100, **told(zero_points_mag=["none"])), **QUICK)
    shared, each = (colored(100, **told(color_apertures=name)) for name in ("shared", "each"))
    with pytest.raises(
        InputError, match="measured with color_apertures = shared, the generated set with each"
    ):
        compare(shared, each, **QUICK)
