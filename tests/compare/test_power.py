"""Measured power: faults are what they say, draws and limits hold, and real cards see the dose that is stated."""

import numpy as np
import pytest
from scipy.stats import norm
from tests.compare.conftest import galaxies

from galsmith.compare import judge_tables
from galsmith.compare.joint.correlations import dense_ranks, spearman
from galsmith.compare.marginal.columns import pair_columns
from galsmith.compare.papers import choices_of
from galsmith.compare.power.core import (
    core_distances,
    correlation_differences,
    limits_of,
    null_numbers,
    told_draws,
)
from galsmith.compare.power.doses import FAULTS, Fault
from galsmith.compare.power.measured import NO_IMAGES, Seen, measured_doses, smallest_dose
from galsmith.compare.resampling import Chance, drawn_sets
from galsmith.compare.tables import ready_pairs
from galsmith.compare.verdict import dose_text
from galsmith.judging.faulty_images import sky_sigma
from galsmith.seeds import random_stream

COLUMNS = ("asymmetry", "concentration", "sersic_index", "r_half_pix")
LADDER = Fault("test", "a dose of {dose}", (0.1, 0.2, 0.4, 0.8, 1.6))


def told_at(share):
    """A share of cards that one family tells."""
    return Seen(share, "marginal")


def test_the_ladder_is_halved_and_the_dose_interpolated():
    asked = []

    def law(dose):
        asked.append(dose)
        # a share that is a normal integral of the logarithm, which is what is interpolated: 0.9 at 0.3
        return told_at(norm.cdf(norm.ppf(0.9) + 2.0 * np.log(dose / 0.3)))

    found = smallest_dose(LADDER, law)
    assert asked == [0.4, 0.1, 0.2]
    assert found.between == (0.2, 0.4)
    assert found.smallest == pytest.approx(0.3, rel=0.02)
    assert [dose for dose, _ in found.tried] == sorted(asked)
    assert found.by == "Properties"


def test_a_dose_below_the_ladder_and_one_above_are_said_as_such():
    all_seen = smallest_dose(LADDER, lambda dose: told_at(1.0))
    assert (all_seen.smallest, all_seen.between) == (0.1, (0.0, 0.1))
    never = smallest_dose(LADDER, lambda dose: told_at(0.5))
    assert np.isnan(never.smallest)
    assert never.between[0] == 1.6


def test_nothing_is_told_where_no_family_has_a_test():
    assert np.isnan(smallest_dose(LADDER, lambda dose: Seen(0.0, "")).smallest)


def test_weighted_correlations_are_those_of_repeated_rows():
    rng = random_stream(3, "test.weights")
    values = rng.normal(size=(60, 4)).round(1)  # with ties
    weights = rng.integers(0, 4, 60)
    ranks = dense_ranks(values)
    expected = spearman(ranks[np.repeat(np.arange(60), weights)])
    assert spearman(ranks, weights) == pytest.approx(expected, abs=1e-12)


def test_sets_are_drawn_with_replacement_and_in_the_sizes_of_the_card():
    drawn = drawn_sets((30, 20), (400, 100), 1, "test", 5)
    assert np.maximum(drawn, 0).sum(axis=1).tolist() == [400] * 5
    assert np.minimum(drawn, 0).sum(axis=1).tolist() == [-100] * 5
    assert (drawn[:, :30] >= 0).all()
    assert (drawn[:, 30:] <= 0).all()


def test_core_distances_are_those_of_the_rows_that_were_drawn():
    base, other = galaxies(40, case=1), galaxies(50, case=2, shift=0.5)
    pairs = pair_columns(base, other, list(COLUMNS), {"morphology": "none", "size": "none", "sersic": "none"})
    counts = drawn_sets((40, 50), (70, 60), 2, "test", 3)
    numbers = core_distances(pairs, counts)
    from scipy.stats import wasserstein_distance

    for draw, row in enumerate(counts):
        one = np.repeat(base["asymmetry"], row[:40])
        two = np.repeat(other["asymmetry"], -row[40:])
        assert numbers["marginal"]["asymmetry"][draw] == pytest.approx(wasserstein_distance(one, two))


def test_cards_in_which_nothing_differs_are_hardly_ever_told():
    base = galaxies(1000, case=4)
    kinds = dict.fromkeys(("morphology", "size", "sersic", "power_wavelength"), "none")
    columns = [*COLUMNS, "orientation_rad", "power_wavelength_07"]
    pairs = pair_columns(base, base, columns, kinds)
    null = null_numbers(pairs, (300, 200), 5, "null")
    drawn = drawn_sets((1000, 1000), (300, 200), 6, "fresh", 400)
    fresh = {**core_distances(pairs, drawn), "pairs": correlation_differences(pairs, drawn)}
    told = np.any(list(told_draws(fresh, limits_of(null)).values()), axis=0)
    # four families at 5 % / 16 each: 1.25 % of 400 are 5; 14 or more have a chance of 1e-3
    assert told.sum() < 14


def test_limits_are_those_of_a_card_that_holds_both_sets():
    # A few galaxies outside of a correlation of 1 widen what chance makes of it, as in the deals of a card.
    base = galaxies(600, case=4)
    columns = ("sersic_index", "power_wavelength_00")
    mixed = FAULTS["decorrelation"].alter_rows(base, 0.02, random_stream(1, "test"), columns)
    kinds = dict.fromkeys(("morphology", "sersic", "power_wavelength"), "none")
    limits = [
        limits_of(null_numbers(pair_columns(base, other, list(columns), kinds), (300, 300), 5, "null"))
        for other in (base, mixed)
    ]
    pair = "sersic_index with power_wavelength_00"
    differences = correlation_differences(
        pair_columns(base, mixed, list(columns), kinds), drawn_sets((600, 600), (300, 300), 6, "x", 50)
    )
    # 6 galaxies of 300 on one side: told of a limit that has not seen them, not told of one that has
    assert np.median(differences[pair]) < limits[1]["pairs"][pair]
    assert limits[1]["pairs"][pair] > 0.005


def test_a_shifted_column_moves_by_the_dose_and_nothing_else_does():
    table = galaxies(300, case=5)
    shifted = FAULTS["shift of a property"].alter_rows(table, 0.3, random_stream(1, "test"), ("r_half_pix",))
    moved = (shifted["r_half_pix"] - table["r_half_pix"]).value
    assert moved == pytest.approx(0.3 * np.std(table["r_half_pix"].value))
    assert np.array_equal(shifted["asymmetry"], table["asymmetry"])


def test_decorrelation_keeps_each_property_and_breaks_pairs():
    table = galaxies(800, case=6)
    columns = ("concentration", "sersic_index", "power_wavelength_00")
    mixed = FAULTS["decorrelation"].alter_rows(table, 1.0, random_stream(1, "test"), columns)
    for column in columns:
        assert np.array_equal(np.sort(mixed[column]), np.sort(table[column]))
    before, after = (
        np.corrcoef(np.log(one["sersic_index"]), one["power_wavelength_00"])[0, 1] for one in (table, mixed)
    )
    assert before > 0.99
    assert abs(after) < 4 / np.sqrt(800)
    tenth = FAULTS["decorrelation"].alter_rows(table, 0.1, random_stream(1, "test"), columns)
    assert np.count_nonzero(tenth["sersic_index"] != table["sersic_index"]) == pytest.approx(80, abs=8)


def test_a_lost_mode_is_the_galaxies_most_alike():
    table = galaxies(1000, case=7)
    table["asymmetry"][:100] = 5.0 + 0.001 * np.arange(100)  # a kind of its own
    kept = [
        FAULTS["mode drop"].alter_rows(table, 0.1, random_stream(seed, "test"), ("asymmetry",))
        for seed in range(30)
    ]
    assert {len(one) for one in kept} == {900}
    left = [int((one["asymmetry"] > 4).sum()) for one in kept]
    # whichever galaxy is at the center, either its whole kind goes or none of it
    assert set(left) <= {0, 100}
    assert 0 in left


def test_image_faults_are_what_they_say():
    rng = random_stream(8, "test")
    image = rng.normal(size=(2, 64, 64)).astype(np.float32)
    sky = np.array([2.0, 3.0])
    noisy = FAULTS["noise"].alter_image(image, 0.5, rng, sky)
    assert (noisy - image).std(axis=(1, 2)) == pytest.approx([1.0, 1.5], rel=0.05)
    moved = FAULTS["shift"].alter_image(image, 2.0, rng, sky)
    assert moved[:, :, 10:50] == pytest.approx(image[:, :, 8:48], abs=1e-4)
    band = FAULTS["band shift"].alter_image(image, 2.0, rng, sky)
    assert np.array_equal(band[0], image[0])
    assert band[1, :, 10:50] == pytest.approx(image[1, :, 8:48], abs=1e-4)
    point = np.zeros((1, 41, 41), dtype=np.float32)
    point[0, 20, 20] = 1
    blurred = FAULTS["blur"].alter_image(point, 1.5, rng, sky)[0]
    x = np.arange(41) - 20
    assert blurred.sum() == pytest.approx(1, abs=1e-5)
    assert np.sqrt((blurred.sum(axis=0) * x**2).sum()) == pytest.approx(1.5, rel=0.01)
    assert blurred.dtype == noisy.dtype == moved.dtype == np.float32


def test_the_sky_is_found_at_the_edge_whatever_the_galaxy():
    image = random_stream(9, "test").normal(size=(2, 80, 80)) * np.array([1.0, 4.0])[:, None, None]
    image[:, 30:50, 30:50] += 500
    assert sky_sigma(image.astype(np.float32)) == pytest.approx([1, 4], rel=0.1)


def test_shares_are_written_in_percent_and_other_doses_in_their_unit():
    share = smallest_dose(FAULTS["mode drop"], lambda dose: told_at(1.0))
    assert dose_text(share, 0.07) == "7 %"
    assert dose_text(smallest_dose(FAULTS["blur"], lambda dose: told_at(1.0)), 0.31) == "0.31"


def test_a_card_of_tables_tells_what_it_tried_and_what_not():
    reference, generated = galaxies(400, case=1), galaxies(300, case=2)
    card = judge_tables(reference, generated, beyond=False, power=True, replicates=20, splits=20)
    power = card.judgment().verdict.power
    by_name = {item.name: item for item in power.doses}
    assert list(by_name) == list(FAULTS)
    assert {item.reason for name, item in by_name.items() if FAULTS[name].alter_image} == {NO_IMAGES}
    assert 0.1 < by_name["shift of a property"].smallest < 0.6
    plain = judge_tables(reference, generated, beyond=False, replicates=20, splits=20)
    assert plain.judgment().verdict.power.doses == ()


def test_more_galaxies_see_smaller_doses():
    reference = galaxies(2000, case=1)
    smallest = []
    for count in (100, 400, 1600):
        pair = ready_pairs(reference, {"one": galaxies(count, case=2)}, choices_of(None, Chance()))["one"]
        found = {item.name: item.smallest for item in measured_doses(pair, choices_of(None, Chance()))}
        smallest.append([found["shift of a property"], found["mode drop"]])
    assert (np.diff(smallest, axis=0) < 0).all()
    # a shift is seen from z of about 4.5 sqrt(1/n + 1/m) on, so that it falls as the root of the smaller set
    assert smallest[0][0] / smallest[1][0] == pytest.approx(
        np.sqrt((1 / 100 + 1 / 2000) / (1 / 400 + 1 / 2000)), rel=0.2
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shift of a property", "decorrelation"])
def test_whole_cards_see_the_stated_dose(name):
    reference = galaxies(3000, case=11)
    pair = ready_pairs(reference[:400], {"one": galaxies(400, case=12)}, choices_of(None, Chance()))["one"]
    dose = next(
        item for item in measured_doses(pair, choices_of(None, Chance())) if item.name == name
    ).smallest
    told = 0
    for case in range(40):
        population = galaxies(400, case=100 + case)
        altered = FAULTS[name].alter_rows(
            galaxies(400, case=200 + case),
            dose,
            random_stream(case, "test.whole"),
            tuple(item for item in pair.columns),
        )
        card = judge_tables(population, altered, beyond=name == "decorrelation", replicates=2, splits=2)
        told += card.judgment().verdict.status == "told_apart"
    # 0.9 of 40 is 36; a whole card sees a little more, and 40 cards scatter by 1.9
    assert told >= 32
