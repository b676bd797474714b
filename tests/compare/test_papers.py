"""Papers' choices and numbers: the tables add up as printed, and a recipe decides what counts."""

import numpy as np
import pytest

from galsmith.compare import judge_tables
from galsmith.compare.papers import OWN, PAPERS, paper_named
from galsmith.errors import SettingsError
from galsmith.measure import MeasureSettings
from galsmith.measure.properties.registry import property_of_column

QUICK = {"replicates": 20, "splits": 20, "permutations": 20}
TABLE_2 = [column for recipe in PAPERS.values() for column in recipe.published if column.table == "Table 2"]


def compare(*tables, **how):
    """Compare two tables, property by property."""
    return judge_tables(*tables, beyond=False, **how).judgment().comparison


def test_there_are_three_models_on_three_sets():
    assert {(column.data, column.model) for column in TABLE_2} == {
        (data, model) for data in ("SKIRT", "COSMOS", "Sérsic") for model in ("VAE", "StyleGAN", "ALAE")
    }


@pytest.mark.parametrize("column", TABLE_2, ids=lambda column: f"{column.data}-{column.model}")
def test_the_rows_of_table_2_give_the_means_that_the_paper_prints(column):
    rows = {name: value for name, value in column.values.items() if property_of_column(name) is not None}
    for group, mean in (("morphology", "mean morphology"), ("power_rings", "mean power_rings")):
        members = [
            value
            for name, value in rows.items()
            # The paper counts the bulge statistic among the colors.
            if property_of_column(name).group == group and name != "bulge_statistic"
        ]
        assert np.mean(members) == pytest.approx(column.values[mean], abs=1.01e-4)
    assert len(rows) in (25, 26)


def test_published_headlines_are_those_of_the_design():
    headline = {
        column.data: np.mean([value for name, value in column.values.items() if name.startswith("mean ")])
        for column in TABLE_2
        if column.model == "StyleGAN"
    }
    assert headline == pytest.approx({"Sérsic": 0.0719, "COSMOS": 0.0598, "SKIRT": 0.0508}, abs=1e-4)


def test_table_c1_bounds_some_distances_of_table_2_from_below():
    """|difference of means| over the reference's sigma cannot exceed the distance; 14 rows break it, as known."""
    by_model = {(c.model, c.table): c.values for c in PAPERS["holzschuh2022-skirt"].published}
    sigmas = next(c.sigmas for c in PAPERS["holzschuh2022-skirt"].published if c.model == "source")
    source = by_model["source", "Table C1"]
    bound = abs(by_model["VAE", "Table C1"]["asymmetry"] - source["asymmetry"]) / sigmas["asymmetry"]
    assert bound == pytest.approx(by_model["VAE", "Table 2"]["asymmetry"], abs=0.005)


def test_each_recipe_can_be_measured_by():
    for recipe in PAPERS.values():
        settings = MeasureSettings(**recipe.measure)
        assert settings.gain in (1.0, 1200.0)
    assert paper_named(None) is OWN
    with pytest.raises(SettingsError, match="did you mean 'holzschuh2022-cosmos'"):
        paper_named("holzschuh2022-cosmo")


def test_the_binning_decides_which_power_modes_count(reference, generated):
    for table in (reference, generated):
        table["power_rings_07"] = table["power_wavelength_07"]
    counted = {
        binning: {item.name for item in compare(reference, generated, binning=binning, **QUICK).counted}
        for binning in ("wavelength", "rings")
    }
    assert "power_rings_07" in counted["rings"] - counted["wavelength"]
    assert "power_wavelength_07" in counted["wavelength"] - counted["rings"]
