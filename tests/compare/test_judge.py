"""The report card: several sets by name, what is missing said, the recipe followed, read back as written."""

import numpy as np
import pytest
from tests.compare.conftest import galaxies

from galsmith.compare import judge_tables, read_card
from galsmith.errors import SettingsError

QUICK = {"replicates": 20, "splits": 20, "permutations": 20}


@pytest.fixture
def sets(reference, generated):
    for table in (reference, generated):
        table["power_rings_07"] = table["power_wavelength_07"]
    return reference, {"near": reference, "far": generated}


def test_several_sets_are_judged_by_name_and_paired(sets, tmp_path):
    reference, named = sets
    path = tmp_path / "card.json"
    card = judge_tables(reference, named, path, beyond=False, **QUICK)
    assert [item.name for item in card.judgments] == ["near", "far"]
    near, far = (card.judgment(name).comparison.headline for name in ("near", "far"))
    assert near.value == 0
    assert far.value > 0
    headline = next(item for item in card.paired if item.name == "headline")
    assert (headline.first, headline.second) == ("near", "far")
    assert headline.value == pytest.approx(near.value - far.value)
    assert headline.interval[1] < 0
    assert repr(vars(read_card(path))) == repr(vars(card))
    assert repr(card).startswith("ReportCard(near: ")
    assert "; far: " in repr(card)
    assert len(repr(card)) < 500
    shown = card._repr_html_()
    assert shown.count("<tr>") == 3
    assert f"headline: {far.value:.3f} (floor {far.floor:.3f})" in shown


def test_what_all_properties_tell_is_judged_on_complete_rows(sets):
    reference, named = sets
    reference["asymmetry"][:7] = np.nan
    card = judge_tables(reference, named, **QUICK)
    found = card.judgment("far").beyond
    assert found is not None
    assert found.n_reference == len(reference) - 7
    assert set(found.columns) == {item.column for item in card.judgment("far").comparison.counted}
    told = {row for test in found.classifiers for row in test.told_reference}
    assert told.isdisjoint(range(7))
    assert card.judgment("near").missing == {}


def test_too_few_complete_rows_are_said_not_hidden(sets):
    reference, named = sets
    columns = ["asymmetry", "concentration", "sersic_index"]
    for row in range(40, len(reference)):  # each galaxy lacks one, so that every property has enough
        reference[columns[row % len(columns)]][row] = np.nan
    card = judge_tables(reference, {"far": named["far"]}, **QUICK)
    judgment = card.judgment()
    assert judgment.beyond is None
    assert "only 40 of 400 galaxies of the reference set have all of the" in judgment.missing["beyond"]


def test_a_recipe_decides_normalization_binning_and_what_stands_beside(sets):
    reference, named = sets
    card = judge_tables(reference, named["far"], paper="holzschuh2022-cosmos", beyond=False, **QUICK)
    assert card.paper == "holzschuh2022-cosmos"
    assert {column.model for column in card.published} == {"VAE", "StyleGAN", "ALAE", "source"}
    comparison = card.judgment().comparison
    assert comparison.distance("power_rings_07").in_means
    assert not comparison.distance("power_wavelength_07").in_means
    assert comparison.distance("power_rings_07").normalization == "none"
    assert judge_tables(reference, named["far"], beyond=False, **QUICK).published == ()


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({}, "`generated`: there is no generated set to judge"),
        (["a/one.parquet", "b/one.parquet"], "`generated=one`: 2 of them have this name"),
    ],
)
def test_names_must_tell_the_sets_apart(reference, named, message):
    with pytest.raises(SettingsError, match=message):
        judge_tables(reference, named, beyond=False, **QUICK)


def test_extras_of_an_unknown_set_are_refused(sets):
    with pytest.raises(
        SettingsError, match=r"`extras=nearr`: there is no such generated set; wanted .*: near, far"
    ):
        judge_tables(*sets, extras={"nearr": None}, beyond=False, **QUICK)


def test_a_set_too_small_for_any_property_is_not_judged_and_nothing_breaks():
    # the spread of ten galaxies is made by fewer than ten of them
    card = judge_tables(galaxies(10, case=1), galaxies(10, case=2), **QUICK)
    judgment = card.judgment()
    assert judgment.verdict.status == "not_judged"
    assert "no property could be compared" in judgment.missing["beyond"]
