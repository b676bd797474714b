import logging

import numpy as np
import pytest
from astropy import units as u
from scipy.stats import wasserstein_distance as scipy_wasserstein

from galsmith.compare import judge_tables
from galsmith.errors import InputError, OutputExistsError, SettingsError
from galsmith.seeds import random_stream

QUICK = {"replicates": 100, "splits": 60}


def compare(*tables, **how):
    """Compare two tables, property by property."""
    return judge_tables(*tables, beyond=False, **how).judgment().comparison


def test_value_is_scipys_on_standardized_columns(reference, generated):
    comparison = compare(reference, generated, **QUICK)
    for name in ("asymmetry", "r_half_pix", "power_wavelength_07"):
        one, other = (np.asarray(table[name].value) for table in (reference, generated))
        oracle = scipy_wasserstein((one - one.mean()) / one.std(), (other - one.mean()) / one.std())
        assert comparison.distance(name).value == pytest.approx(oracle, abs=1e-9)


def test_normalization_by_group(reference, generated):
    comparison = compare(reference, generated, normalization={"power_wavelength": "none"}, **QUICK)
    one, other = (np.asarray(table["power_wavelength_00"].value) for table in (reference, generated))
    assert comparison.distance("power_wavelength_00").value == pytest.approx(scipy_wasserstein(one, other))
    assert comparison.distance("power_wavelength_00").scale == 1
    assert comparison.distance("asymmetry").normalization == "reference-zscore"


def test_iqr_normalization_equals_zscore_for_gaussians(make_galaxies):
    sets = make_galaxies(20000, case=1), make_galaxies(2000, case=2, shift=0.5)
    zscore, iqr = (
        compare(*sets, normalization=name, replicates=2, splits=2).distance("asymmetry").value
        for name in ("reference-zscore", "reference-iqr")
    )
    assert iqr == pytest.approx(zscore, rel=0.03)


def test_a_shift_is_found_at_its_size(make_galaxies):
    comparison = compare(make_galaxies(4000, case=1), make_galaxies(4000, case=2, shift=0.5), **QUICK)
    asymmetry = comparison.distance("asymmetry")
    assert asymmetry.value == pytest.approx(0.5, abs=0.05)
    assert asymmetry.interval[0] < 0.5 < asymmetry.interval[1]
    assert asymmetry.estimate.z > 10


def test_intervals_cover_the_truth(make_galaxies):
    # The distance of the shifted normal is 0.5; 40 trials of a 95 % interval miss 2 on average and more
    # than 6 once in 300; the seeds are fixed.
    hits = 0
    for trial in range(40):
        sets = make_galaxies(300, case=100 + trial), make_galaxies(300, case=900 + trial, shift=0.5)
        asymmetry = compare(*sets, replicates=100, splits=2, normalization="none").distance("asymmetry")
        hits += asymmetry.interval[0] < 0.5 * 0.05 < asymmetry.interval[1]
    assert hits >= 34


def test_two_halves_of_one_set_are_at_the_floor(make_galaxies):
    # Null: over 12 pairs the mean distance in floors is 1, and z rarely exceeds 3.
    within, ratios = [], []
    for trial in range(12):
        comparison = compare(make_galaxies(300, case=trial), make_galaxies(300, case=50 + trial), **QUICK)
        ratios.append(comparison.headline.in_floors)
        within += [abs(item.estimate.z) < 3 for item in comparison.counted]
    assert np.mean(ratios) == pytest.approx(1, abs=0.15)
    assert np.mean(within) > 0.95


def test_distance_grows_with_the_dose(make_galaxies):
    reference = make_galaxies(500, case=1)
    for knob, doses in (("shift", (0.0, 0.2, 0.4, 0.8)), ("stretch", (1.0, 0.8, 0.5, 0.2))):
        values = [
            compare(reference, make_galaxies(500, case=2, **{knob: dose}), **QUICK).headline.value
            for dose in doses
        ]
        assert values == sorted(values)
        assert values[-1] > 2 * values[0]


def test_set_against_itself_is_zero(reference):
    comparison = compare(reference, reference, **QUICK)
    assert all(item.value == pytest.approx(0, abs=1e-12) for item in comparison.distances)
    assert comparison.headline.value == pytest.approx(0, abs=1e-12)


def test_means_are_of_declared_properties(reference, generated):
    comparison = compare(reference, generated, **QUICK)
    morphology = ["asymmetry", "concentration", "r_half_pix", "sersic_index", "orientation_rad"]
    power = ["power_wavelength_00", "power_wavelength_07"]
    assert [item.name for item in comparison.counted] == morphology + power
    first, second = (
        np.mean([comparison.distance(name).value for name in names]) for names in (morphology, power)
    )
    assert comparison.mean("morphology").value == pytest.approx(first)
    assert comparison.mean("all properties").value == pytest.approx((5 * first + 2 * second) / 7)
    assert comparison.headline.value == pytest.approx((first + second) / 2)
    assert not comparison.distance("r_petro_pix").in_means


def test_uncertainty_of_a_mean_knows_that_properties_go_together(make_galaxies):
    # Two columns that are one and the same: their mean is as uncertain as each of them.
    one, other = make_galaxies(300, case=1), make_galaxies(300, case=2, shift=1)
    for table in (one, other):
        table["m20"] = 2 * table["asymmetry"]
        table.keep_columns(["asymmetry", "m20"])
    comparison = compare(one, other, **QUICK)
    assert comparison.headline.estimate.uncertainty == pytest.approx(
        comparison.distance("m20").estimate.uncertainty, rel=1e-9
    )


def test_orientation_is_compared_on_the_line_and_on_the_circle(make_table):
    # A narrow bundle that straddles the branch: far on the line, near on the circle.
    angles = np.linspace(1.45, 1.69, 200)
    wrapped = np.where(angles > np.pi / 2, angles - np.pi, angles)
    turned = np.linspace(1.2, 1.44, 200)
    comparison = compare(
        make_table({"orientation_rad": wrapped}),
        make_table({"orientation_rad": turned}),
        normalization="none",
        **QUICK,
    )
    assert comparison.distance("orientation_rad_circular").value == pytest.approx(0.25, abs=1e-12)
    assert comparison.distance("orientation_rad").value > 1
    assert not comparison.distance("orientation_rad_circular").in_means


def test_losses_are_counted_with_their_flags(make_table):
    rng = np.random.default_rng(3)
    values, other = rng.normal(size=(2, 100))
    flags = [""] * 100
    for row, flag in ((3, "no source"), (4, "no source,bad sky"), (5, ""), (6, "bad sky")):
        flags[row] = flag
    values[[3, 4, 5]] = [np.nan, np.inf, np.nan]
    comparison = compare(make_table({"gini": values}, flags=flags), make_table({"gini": other}), **QUICK)
    gini = comparison.distance("gini")
    assert (gini.n_reference, gini.n_generated) == (97, 100)
    assert gini.lost_reference.count == 3
    assert gini.lost_reference.reasons == {"no source": 2, "bad sky": 1, "unflagged": 1}
    assert gini.lost_generated.count == 0
    assert comparison.reference.flags == {"bad sky": 2, "no source": 2}
    kept = np.isfinite(values)
    scale = values[kept].std()
    assert gini.value == pytest.approx(scipy_wasserstein(values[kept] / scale, other / scale), abs=1e-12)


def test_all_nan_is_listed_with_its_reason_and_left_out_of_means(reference, generated):
    generated["asymmetry"] = np.nan
    reference["concentration"] = 3.0
    comparison = compare(reference, generated, **QUICK)
    assert comparison.distance("asymmetry").reason.startswith(
        "measured on 0 of 300 galaxies of the generated set"
    )
    assert np.isnan(comparison.distance("asymmetry").value)
    assert "does not vary" in comparison.distance("concentration").reason
    assert {"asymmetry", "concentration"}.isdisjoint(item.name for item in comparison.counted)
    assert np.isfinite(comparison.headline.value)


def test_what_is_one_value_but_for_rounding_or_a_few_galaxies_is_not_comparable(reference, generated):
    rng = random_stream(0, "test.constant")
    nearly = np.full(400, 7.0)
    reference["asymmetry"] = np.float32(nearly) * (1 + 1e-8 * rng.normal(size=400))
    reference["concentration"] = np.where(np.arange(400) < 9, 8.0, nearly)
    reference["power_wavelength_07"] = np.where(np.arange(400) < 10, 8.0, nearly)  # ten are enough
    comparison = compare(reference, generated, **QUICK)
    rounding, few = (comparison.distance(name) for name in ("asymmetry", "concentration"))
    assert rounding.reason.startswith(
        "not comparable: the reference set does not vary but for rounding (7e-08 about 7)"
    )
    assert few.reason == (
        "not comparable: 391 of 400 galaxies of the reference set have one value, 7 (0 of 300 of the generated set), so "
        "that its spread is that of 9"
    )
    assert np.isnan([rounding.value, few.value]).all()
    assert comparison.distance("power_wavelength_07").reason == ""
    assert {"asymmetry", "concentration"}.isdisjoint(item.name for item in comparison.counted)
    # A unit that is given is no rounding.
    plain = compare(reference, generated, normalization="none", **QUICK)
    assert plain.distance("concentration").reason == ""


def test_nothing_measured_at_all_is_stated_not_raised(make_table):
    sets = make_table({"gini": np.linspace(0, 1, 60)}), make_table({"gini": np.full(60, np.nan)})
    comparison = compare(*sets, **QUICK)
    assert comparison.means == ()
    assert comparison.distance("gini").lost_generated.count == 60
    with pytest.raises(KeyError, match="no mean 'headline'; nothing was compared"):
        comparison.mean("headline")


def test_property_of_one_side_is_listed(reference, generated):
    del generated["sersic_index"]
    del reference["asymmetry"]
    comparison = compare(reference, generated, **QUICK)
    assert comparison.left_out == {
        "sersic_index": "only in the reference set",
        "asymmetry": "only in the generated set",
    }


def test_same_seed_same_numbers_other_seed_other_intervals(reference, generated):
    first, again, other = (compare(reference, generated, seed=seed, **QUICK) for seed in (1, 1, 2))
    assert first.distances == again.distances
    assert first.distance("asymmetry").value == other.distance("asymmetry").value
    assert first.distance("asymmetry").interval != other.distance("asymmetry").interval


def test_cuts_remove_whole_galaxies_and_say_how_many(reference, generated):
    n_index = int(np.sum(np.asarray(reference["sersic_index"]) > 2))
    comparison = compare(
        reference, generated, cuts={"sersic_index": (None, 2.0), "r_half_pix": (0, 1e9)}, **QUICK
    )
    first, second = comparison.cuts
    assert (first.column, first.removed_reference) == ("sersic_index", n_index)
    assert second.removed_reference == second.removed_generated == 0
    assert comparison.reference.n_compared == 400 - n_index
    assert comparison.reference.n_measured == 400
    assert comparison.distance("asymmetry").n_reference == 400 - n_index


def test_named_cuts(reference, generated):
    for table in (reference, generated):
        table["smoothness"] = 0.1
    comparison = compare(reference, generated, cuts="holzschuh2022-notebook", **QUICK)
    assert [cut.column for cut in comparison.cuts] == [
        "sersic_index",
        "asymmetry",
        "smoothness",
        "r_half_pix",
    ]


@pytest.mark.parametrize(
    ("cuts", "message"),
    [
        ("holzschuh2022", "did you mean 'holzschuh2022-notebook'"),
        ({"asymetry": (0, 1)}, "did you mean 'asymmetry'"),
        ({"asymmetry": (1, 0)}, "wanted low <= high"),
        ({"asymmetry": 1.0}, r"wanted \(low, high\)"),
        ({"object_id": (0, 1)}, "holds text"),
    ],
)
def test_bad_cuts(reference, generated, cuts, message):
    with pytest.raises(SettingsError, match=message):
        compare(reference, generated, cuts=cuts, **QUICK)


@pytest.mark.parametrize(
    ("normalization", "message"),
    [
        ("reference-zscor", "did you mean 'reference-zscore'"),
        ({"morpholgy": "none"}, "did you mean 'morphology'"),
        (
            {"morphology": "robust"},
            r"`normalization=robust`: there is no such normalization \(of group morphology\)",
        ),
    ],
)
def test_bad_normalization(reference, generated, normalization, message):
    with pytest.raises(SettingsError, match=message):
        compare(reference, generated, normalization=normalization, **QUICK)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"replicates": 1}, "`replicates=1`: wanted 2 or more"),
        ({"splits": 0}, "`splits=0`: wanted 2 or more"),
        ({"confidence": 95}, "`confidence=95`: wanted a share"),
    ],
)
def test_bad_chance(reference, generated, settings, message):
    with pytest.raises(SettingsError, match=message):
        compare(reference, generated, **settings)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"bands": ["g", "r"]}, "has bands F814W, the generated set g, r"),
        ({"pixel_scale_arcsec": 0.06}, "a pixel scale of 0.03, the generated set 0.06"),
        ({"flux_unit": "nJy"}, "a flux unit of electron / s, the generated set nJy"),
        (
            {"provenance": {"verb": "measure", "settings": {"gain": 750.0}}},
            "gain = 1.0, the generated set with 750.0",
        ),
    ],
)
def test_unlike_sets_are_refused(reference, make_galaxies, meta, message):
    with pytest.raises(InputError, match=message):
        compare(reference, make_galaxies(100, **meta), **QUICK)


def test_what_one_side_does_not_know_is_warned_of(reference, make_galaxies, caplog):
    other = make_galaxies(100)
    del other.meta["pixel_scale_arcsec"]
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        compare(reference, other, **QUICK)
    assert "pixel_scale_arcsec is known of one side only" in caplog.text


def test_units_that_differ_are_refused(reference, generated):
    generated["r_half_pix"] = generated["r_half_pix"].value * u.arcsec
    with pytest.raises(InputError, match="r_half_pix is in pix in the reference set and in arcsec"):
        compare(reference, generated, **QUICK)


def test_no_common_property_is_refused(make_table):
    values = np.arange(20.0)
    with pytest.raises(InputError, match="no property in common"):
        compare(make_table({"gini": values}), make_table({"m20": values}), **QUICK)


def test_few_galaxies_warn_and_fewer_are_refused(reference, make_galaxies, caplog):
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        compare(reference, make_galaxies(30), **QUICK)
    assert "only 30 galaxies" in caplog.text
    with pytest.raises(InputError, match="the generated set has 9 galaxies"):
        compare(reference, make_galaxies(9), **QUICK)


def test_existing_output_is_refused(reference, generated, tmp_path):
    output = tmp_path / "comparison.json"
    output.write_text("mine")
    with pytest.raises(OutputExistsError, match="with `overwrite`"):
        compare(reference, generated, output, **QUICK)
    assert output.read_text() == "mine"


def test_a_few_wild_values_are_told_from_a_shift(make_galaxies):
    reference, wild, shifted = (
        make_galaxies(400, case=1),
        make_galaxies(400, case=2),
        make_galaxies(400, case=2, shift=3),
    )
    wild["asymmetry"][:2] = 50.0
    outlying = compare(reference, wild, **QUICK).distance("asymmetry")
    assert outlying.tail_share > 0.9
    assert outlying.core[1] < 0.5
    elsewhere = compare(reference, shifted, **QUICK).distance("asymmetry")
    assert elsewhere.tail_share < 0.05
    assert elsewhere.core[0] < 0.1
    assert elsewhere.core[1] > 0.25


def test_fits_that_are_flagged_bad_are_left_out_and_counted(make_galaxies):
    one, other = make_galaxies(400, case=1), make_galaxies(400, case=2)
    for table in (one, other):
        table["sersic_index"] = 1 + table["asymmetry"].value
        table["flag_sersic"] = 0
    clean = compare(one, other, **QUICK).distance("sersic_index")
    other["sersic_index"][7] = 500.0
    spoiled = compare(one, other, **QUICK).distance("sersic_index")
    other["flag_sersic"][7] = 2
    other["flags"] = np.where(np.arange(400) == 7, "sersic_not_converged", "")
    flagged = compare(one, other, **QUICK).distance("sersic_index")
    assert spoiled.value > 10 * clean.value
    assert flagged.value == pytest.approx(clean.value, abs=0.01)
    assert flagged.n_generated == 399
    assert flagged.lost_generated.reasons == {"sersic_not_converged": 1}
    assert compare(one, other, **QUICK).distance("asymmetry").n_generated == 400
