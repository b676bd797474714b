"""A galaxy that a set has several times is one in every test of a card, so that no p value is of more than there are."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import fisher_exact
from tests.compare.conftest import galaxies
from tests.compare.test_copies import as_set
from tests.compare.test_copies import galaxies as pictures

from galsmith.compare import Extras, compare_features, judge_tables, memorization
from galsmith.compare.complete_rows import CompleteRows
from galsmith.compare.correction import ALARMS, deals_of
from galsmith.compare.evidence.families import FAMILIES
from galsmith.compare.evidence.losses import _loss
from galsmith.compare.features.comparison import NamedFeatures
from galsmith.compare.joint.correlations import correlation_difference
from galsmith.compare.joint.energy import energy_statistic
from galsmith.compare.joint.sliced import sliced_wasserstein
from galsmith.compare.joint.statistics import joint_distance
from galsmith.compare.marginal.empirical_process import bootstrap_processes
from galsmith.compare.marginal.per_property import floor_distances
from galsmith.compare.marginal.wasserstein import pool_values
from galsmith.compare.memory.copies import Copies, distinct_shares, find_copies, groups_of
from galsmith.compare.resampling import Chance, GalaxyGroups, dealt_counts
from galsmith.seeds import random_stream

FEW = {"replicates": 2, "splits": 2}
TIMES = {"twice": [2], "five times": [5], "some": [1, 1, 1, 1, 1, 6]}


@pytest.fixture(scope="module")
def nothing_copied():
    """What is found of fresh images, to which repeats are added."""
    return find_copies(as_set(pictures(60, case=2)), as_set(pictures(120, case=1)), **FEW)


def repeated_table(n_rows, times, *, case):
    """Galaxies of which some are there several times, and the rows of each."""
    counts = np.resize(times, n_rows)
    counts = counts[np.cumsum(counts) <= n_rows]
    table = galaxies(len(counts), case=case)
    rows = np.repeat(np.arange(len(counts)), counts)
    repeated = table[rows]
    repeated["object_id"] = np.array([f"{row:05d}" for row in range(len(rows))])
    return repeated, rows


def with_repeats(copies: Copies, rows) -> Copies:
    """Say which rows are of one galaxy."""
    names = tuple(
        tuple(f"{row:05d}" for row in np.flatnonzero(rows == galaxy))
        for galaxy in np.flatnonzero(np.bincount(rows) > 1)
    )
    return replace(copies, generated_repeats=names)


def test_a_deal_keeps_how_often_each_side_has_its_galaxies():
    groups = GalaxyGroups(np.arange(6), np.array([0, 0, 0, 1, 2, 2]))
    deal = groups.deal()
    of_rows = np.concatenate([np.arange(6), 6 + groups.generated])
    for number in range(50):
        counts = deal(0, number)
        assert sorted(counts[counts > 0]) == [1] * 6
        assert sorted(-counts[counts < 0]) == [1, 2, 3]
        # no galaxy is on both sides, or twice on one
        assert len(np.unique(of_rows[counts != 0])) == 9
    every = np.array([deal(1, number) for number in range(4000)])
    # of nine galaxies each is on the first side in six of nine deals; of three rows each stands for its galaxy as often
    assert (every[:, :6] > 0).mean(axis=0) == pytest.approx(2 / 3, abs=0.04)
    assert (every[:, 6:9] != 0).mean(axis=0) == pytest.approx(1 / 3, abs=0.04)


def test_without_repeats_deals_are_those_of_rows():
    deal = GalaxyGroups.of_sizes(7, 5).deal()
    assert all(np.array_equal(deal(3, number), dealt_counts(7, 5, 3, number)) for number in range(5))


def test_tables_find_their_groups_by_the_names_of_images(nothing_copied):
    table, rows = repeated_table(60, [3], case=1)
    copies = with_repeats(nothing_copied, rows)
    # cuts leave some rows, in another order
    kept = np.array([0, 5, 3, 1, 40])
    found = groups_of(copies, (galaxies(9), table[kept])).generated
    assert [
        [int(row) for row in np.flatnonzero(found == label)] for label in dict.fromkeys(found.tolist())
    ] == [
        [0, 3],
        [1, 2],
        [4],
    ]
    assert groups_of(None, (galaxies(9), table)).is_plain
    assert groups_of(nothing_copied, (galaxies(9), table)).is_plain


def side_by_side(reference, generated, groups):
    """Every interval and floor of two arrays [galaxy, column], by name."""
    sizes = {"n_reference": len(reference), "n_generated": len(generated), "seed": 3}
    pooled = [pool_values(*sides) for sides in zip(reference.T, generated.T, strict=True)]
    drawn, scatter = bootstrap_processes(pooled, **sizes, draws=60, groups=groups)
    alone = [pool_values(values, np.empty(0)) for values in reference.T]
    measured = np.tile((len(reference), len(generated)), (len(alone), 1))
    floor = floor_distances(alone, measured, **sizes, splits=30, groups=groups)
    chance = Chance(3, 60, 30, permutations=20)
    plain = joint_distance(
        "mean", "M", lambda one, two: float(np.abs(one.mean(0) - two.mean(0)).sum()), definition=""
    )
    rows = CompleteRows(reference, generated, ("a", "b", "c"), groups)
    found = {
        "energy": energy_statistic(reference, generated, groups, chance=chance),
        "sliced": sliced_wasserstein(reference, generated, groups, chance=chance),
        "correlation": correlation_difference(
            reference, generated, rows.columns, groups, chance=chance
        ).statistic,
        "mean": plain.compute(rows, chance, lambda event: None).statistic,
    }
    numbers = {
        name: (*one.estimate.interval, one.estimate.floor, one.estimate.uncertainty)
        for name, one in found.items()
    }
    numbers["drawn"], numbers["floor"] = drawn.std(axis=0), floor.distances.mean(axis=0)
    numbers["W1"] = scatter.ends(np.full(3, 1 / 3), 0.95)
    return numbers


def test_intervals_and_floors_of_a_set_doubled_are_those_of_the_set():
    rng = random_stream(0, "test.doubled")
    reference, generated = rng.normal(size=(90, 3)), rng.normal(0.1, 1, size=(60, 3))
    single = side_by_side(reference, generated, GalaxyGroups.of_sizes(90, 60))
    twice = np.tile(np.arange(60), 2)
    known = side_by_side(reference, generated[twice], GalaxyGroups(np.arange(90), twice))
    both = np.tile(np.arange(90), 2)
    unknown = side_by_side(reference, generated[twice], GalaxyGroups.of_sizes(90, 120))
    # bins of a process are cut at other ranks where there are more rows
    loose = {"sliced": 0.01, "W1": 0.01}
    for name, numbers in single.items():
        assert known[name] == pytest.approx(numbers, rel=loose.get(name, 1e-9)), name
        assert unknown[name] != pytest.approx(numbers, rel=0.02), name
    mirrored = side_by_side(reference[both], generated, GalaxyGroups(both, np.arange(60)))
    for name, numbers in single.items():
        assert mirrored[name] == pytest.approx(numbers, rel=loose.get(name, 1e-9)), name


def test_galaxies_are_drawn_with_all_their_rows_and_split_by_one():
    groups = GalaxyGroups(np.array([0, 0, 0, 1, 2, 3]), np.arange(4))
    assert groups.effective == (36 / 12, 4.0)
    assert groups.size_of_parts == 1
    for number in range(20):
        drawn, parts = groups.draw()(0, number), groups.split()(0, number)
        assert len(set(drawn[:3])) == 1
        assert drawn[[0, 3, 4, 5]].sum() == 4
        assert np.count_nonzero(parts) == 2
        assert np.count_nonzero(parts[:3]) <= 1


def test_power_is_that_of_the_galaxies(nothing_copied):
    assert distinct_shares(None) == (1.0, 1.0)
    assert distinct_shares(nothing_copied) == (1.0, 1.0)
    pairs = tuple((f"a{k}", f"b{k}") for k in range(60))
    doubled = replace(
        nothing_copied,
        reference_repeats=pairs,
        repeats=replace(nothing_copied.repeats, n_generated=60, n_effective=30.0),
    )
    assert distinct_shares(doubled) == (0.5, 0.5)
    reference, generated = galaxies(400, case=1), galaxies(300, case=2)
    shifts = [
        judge_tables(reference, generated, beyond=False, extras={"generated-1": Extras(copies=copies)}, **FEW)
        .judgment()
        .verdict.power.shift_sd
        for copies in (nothing_copied, doubled)
    ]
    # the tests are the same, as no row of the tables is named
    scatter = np.sqrt(1 / 400 + 1 / 300)
    assert np.diff(shifts) == pytest.approx(1.2816 * (np.sqrt(2) - 1) * scatter, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("times", TIMES.values(), ids=list(TIMES))
def test_single_properties_and_means_of_repeated_galaxies_keep_their_alarms(times, nothing_copied):
    n_cards, rejected = 60, {True: [], False: []}
    for case in range(n_cards):
        table, rows = repeated_table(200, times, case=1000 + case)
        reference = galaxies(400, case=2000 + case)
        for is_known, found in rejected.items():
            copies = with_repeats(nothing_copied, rows if is_known else np.arange(len(rows)))
            card = judge_tables(
                reference,
                table,
                beyond=False,
                extras={"generated-1": Extras(copies=copies)},
                seed=case,
                **FEW,
            )
            compared = card.judgment().comparison
            tests = [(item.p_family, item.p_near_family) for item in (*compared.counted, *compared.means)]
            found.append(np.min(tests, axis=0) < 0.05)
    # each tail of either block at 5 %: 3 of 60, and 10 have a chance of 1e-3
    known, unknown = (np.sum(rejected[kind], axis=0) for kind in (True, False))
    assert known.max() <= 10
    if times != TIMES["some"]:
        assert unknown[0] >= 12


def test_joint_statistics_of_repeated_galaxies_keep_their_alarms():
    chance, p_values = Chance(0, 2, 2, permutations=199), {True: [], False: []}
    for case in range(60):
        rng = random_stream(case, "test.joint")
        first, once = rng.normal(size=(150, 3)), rng.normal(size=(40, 3))
        rows = np.repeat(np.arange(40), 3)
        for is_known, found in p_values.items():
            groups = GalaxyGroups(np.arange(150), rows if is_known else np.arange(120))
            found.append(energy_statistic(first, once[rows], groups, chance=chance).p_value)
    known, unknown = (np.mean(np.array(p_values[kind]) <= 0.05) for kind in (True, False))
    assert known <= 0.15
    # of 40 galaxies 120: the spread is 1.4 times what rows say
    assert unknown > 0.3
    # uniform, also where sets are nearer than usual
    assert 0.3 < np.mean(p_values[True]) < 0.7


def test_networks_and_classifiers_see_each_galaxy_once():
    rng = random_stream(0, "test.features")
    first, once = rng.normal(size=(2, 120, 6)).astype(np.float32)
    rows = np.repeat(np.arange(60), 2)
    sides = [NamedFeatures(values, "test/1") for values in (first, once[rows])]
    found = compare_features(*sides, GalaxyGroups(np.arange(120), rows), chance=Chance(0, 2, 2))
    blind = compare_features(*sides, chance=Chance(0, 2, 2))
    assert found.kernel.value == blind.kernel.value
    assert min(item.p_value for item in found.support.statistics.values()) > 0.01
    assert found.kernel.p_value > 0.01
    # a classifier that has seen the twin knows the galaxy
    areas = {item.head: item.auc for item in found.classifiers}
    leaked = {item.head: item.auc for item in blind.classifiers}
    assert areas["trees"].p_value > 0.01
    assert leaked["trees"].value > areas["trees"].value + 0.1
    assert {item for test in found.classifiers for item in test.told_generated} <= set(range(0, 120, 2))


def test_tests_of_copies_see_each_galaxy_once():
    rng = random_stream(3, "test.memory")
    training, held_out = rng.normal(size=(2, 100, 4))
    ours = rng.normal(size=(100, 4))
    # one galaxy that is near by chance, forty times
    ours[:40] = training[0] + 0.01
    galaxies_of = np.concatenate([np.zeros(40, dtype=int), np.arange(1, 61)])
    blind = memorization(ours, training, held_out, space="f", **FEW)
    found = memorization(ours, training, held_out, galaxies=galaxies_of, space="f", **FEW)
    assert blind.share_closer.p_value < 1e-6
    assert found.share_closer.p_value > 0.01
    assert blind.share_closer.value == found.share_closer.value


def test_losses_are_of_galaxies():
    plain = _loss("lost", "lost", (10, 35), (500, 500), (1.0, 1.0))
    fifth = _loss("lost", "lost", (10, 35), (500, 500), (1.0, 0.2))
    assert plain.p_value < 5e-4
    # seven of a hundred
    assert fifth.p_value == pytest.approx(fisher_exact([[10, 490], [7, 93]])[1])
    assert fifth.p_value > 0.01
    assert plain.value == fifth.value == 0.07


def test_a_reference_with_repeats_is_dealt_by_its_galaxies(nothing_copied):
    reference, rows = repeated_table(400, [4], case=5)
    names = tuple(
        tuple(f"{row:05d}" for row in np.flatnonzero(rows == galaxy)) for galaxy in range(rows.max() + 1)
    )
    copies = replace(nothing_copied, reference_repeats=names)
    assert copies.shares_effective[0] == pytest.approx(120 / (120 + 400 * 3))
    groups = groups_of(copies, (reference, galaxies(50)))
    assert len(groups.once()[0]) == 100


def test_images_that_repeat_are_known_by_name_and_near_ones_too():
    ours = pictures(100, case=7)
    noise = random_stream(1, "test.noise").normal(scale=0.3, size=ours[:60].shape).astype(np.float32)
    images = as_set(np.concatenate([ours, ours[:60] + noise]))
    found = find_copies(images, as_set(pictures(160, case=8)), **FEW)
    pairs = {frozenset(names) for names in found.generated_repeats if len(names) == 2}
    right = {frozenset((f"{row:08d}", f"{row + 100:08d}")) for row in range(60)}
    assert len(pairs & right) > 55
    assert found.shares_effective[1] == pytest.approx(160 / (160 + 120), rel=0.1)


def test_a_family_of_many_blocks_can_still_tell():
    for n_blocks in range(1, 21):
        # the smallest p value, between the blocks of a family and between all families
        assert n_blocks * len(FAMILIES) / (deals_of(n_blocks) + 1) < ALARMS
    assert 5 * len(FAMILIES) / (deals_of(1) + 1) > ALARMS


def test_networks_are_tested_with_the_deals_that_are_asked_for():
    rng = random_stream(0, "test.deals")
    first, second = rng.normal(size=(2, 80, 4)).astype(np.float32)
    sides = [NamedFeatures(values, "test/1") for values in (first, second + 3)]
    found = compare_features(*sides, chance=Chance(0, 2, 2, permutations=deals_of(8)), classifiers=False)
    smallest = min(found.kernel.p_value, *found.support.p_together.values())
    assert smallest == pytest.approx(1 / (deals_of(8) + 1))
    assert 8 * len(FAMILIES) * found.kernel.p_value < ALARMS
