"""Comparing sets by features: floors, tests and names; what must pass beside what must fail."""

import numpy as np
import pytest

from galsmith.compare.features.comparison import STANDARD_ID, NamedFeatures, compare_features
from galsmith.compare.features.frechet import frechet_distance, frechet_statistic
from galsmith.compare.features.kernel import kernel_distance, kernel_statistic
from galsmith.compare.files import from_plain, to_plain
from galsmith.compare.records import FeatureComparison
from galsmith.compare.resampling import Chance
from galsmith.errors import InputError
from galsmith.seeds import random_stream

ID = "efficientnet-lite0/0/pool/resize/magma-of-r"
FEW = Chance(replicates=10, splits=10, permutations=50)


def features(count, n_features=6, *, case=0, mean=0.0, stretch=1.0, slope=0.5):
    """Gaussian features whose spread falls from one to the next."""
    sigma = np.arange(1, n_features + 1.0) ** -slope
    rows = random_stream(case, "test.features").normal(size=(count, n_features))
    return ((stretch * rows + mean) * sigma).astype(np.float32)


def compared(first, second, *, extractor_id=ID, **settings):
    settings = {"chance": FEW, "classifiers": False} | settings
    return compare_features(
        NamedFeatures(first, extractor_id), NamedFeatures(second, extractor_id), **settings
    )


def test_values_are_those_of_the_plain_functions():
    first, second = features(200, case=1), features(150, case=2, mean=0.3)
    found = compared(first, second)
    assert found.frechet.value == pytest.approx(frechet_distance(first, second), rel=1e-12)
    assert found.kernel.value == pytest.approx(kernel_distance(first, second), rel=1e-9)
    assert (found.frechet.n_reference, found.frechet.n_generated) == (200, 150)
    assert found.kernel_subsets[0] == pytest.approx(found.kernel.value, rel=0.3)
    assert found.kernel_subsets[1] > 0


@pytest.mark.parametrize(("n_features", "n_each"), [(6, 300), (64, 60), (64, 100), (64, 300)], ids=str)
def test_the_frechet_floor_is_the_distance_of_equal_sets(n_features, n_each):
    null = np.mean(
        [
            frechet_distance(
                features(n_each, n_features, case=case), features(n_each, n_features, case=case + 100)
            )
            for case in range(1, 61)
        ]
    )
    found = [
        frechet_statistic(
            features(n_each, n_features, case=case),
            features(n_each, n_features, case=case + 100),
            chance=Chance(replicates=2, splits=6),
            label="FD",
        ).floor
        for case in range(1, 25)
    ]
    # Measured ratios lie between 0.99 and 1.09; with fewer galaxies than features the floor errs upward.
    assert 0.9 < np.mean(found) / null < 1.2


def test_the_floor_of_a_large_reference_needs_no_scale():
    large, generated = features(900, case=1), features(300, case=2)
    found = frechet_statistic(large, generated, chance=FEW, label="FD")
    null = np.mean(
        [frechet_distance(features(900, case=case), features(300, case=case + 50)) for case in range(3, 23)]
    )
    assert found.floor == pytest.approx(null, rel=0.3)


def test_equal_sets_lie_on_the_floor_and_others_far_above():
    reference = features(400, case=1)
    equal = compared(reference, features(400, case=2))
    assert 0.5 < equal.frechet.in_floors < 2
    assert abs(equal.kernel.estimate.z) < 4
    assert equal.kernel.p_value > 0.02
    for other in (
        features(400, case=2, mean=0.5),
        features(400, case=2, stretch=1.3),
        features(400, case=2)[:200].repeat(2, axis=0) * 1.2,
    ):
        found = compared(reference, other)
        assert found.frechet.in_floors > 3
        assert found.frechet.interval[0] > 0
        assert found.kernel.p_value <= 2 / 51
        assert found.kernel.value > found.kernel.floor


def test_half_samples_remove_the_bias_and_tell_the_spread():
    sets = [(features(300, case=case), features(300, case=case + 500, mean=0.6)) for case in range(1, 41)]
    found = [frechet_statistic(*pair, chance=Chance(replicates=20, splits=2), label="FD") for pair in sets]
    truth = 0.36 * (np.arange(1, 7.0) ** -1.0).sum()
    values = np.array([statistic.value for statistic in found])
    corrected = np.array([statistic.estimate.corrected for statistic in found])
    assert values.mean() > 1.04 * truth
    assert corrected.mean() == pytest.approx(truth, rel=0.04)
    spread = np.mean([statistic.estimate.uncertainty for statistic in found])
    assert spread == pytest.approx(corrected.std(), rel=0.3)


@pytest.mark.parametrize("n_each", [60, 120, 300])
def test_the_bias_is_removed_with_fewer_galaxies_than_features_too(n_each):
    pairs = [
        (features(n_each, 64, case=case), features(n_each, 64, case=case + 500)) for case in range(1, 21)
    ]
    found = [frechet_statistic(*pair, chance=Chance(replicates=6, splits=6), label="FD") for pair in pairs]
    # Nothing differs, so that a tenth of the distance at most may be left.
    assert np.mean([statistic.estimate.corrected for statistic in found]) < 0.1 * np.mean(
        [statistic.value for statistic in found]
    )
    assert np.isnan([statistic.p_value for statistic in found]).all()


@pytest.mark.slow
def test_the_kernel_test_keeps_its_promise():
    rejected = [
        kernel_statistic(
            features(60, 4, case=case),
            features(50, 4, case=case + 10_000),
            chance=Chance(replicates=2, splits=2, permutations=199),
            label="KD",
        )[0].p_value
        <= 0.05
        for case in range(400)
    ]
    assert 0.03 <= np.mean(rejected) <= 0.07


def test_sets_without_any_spread_are_no_trouble():
    dead = np.ones((60, 6), dtype=np.float32)
    found = frechet_statistic(dead, dead, chance=FEW, label="FD")
    assert (found.value, found.estimate.corrected, found.floor) == (0, 0, 0)


def test_only_the_standard_network_may_say_fid():
    first, second = features(60, case=1), features(60, case=2)
    standard = compared(first, second, extractor_id=f"{STANDARD_ID}/magma-of-r")
    assert (standard.label, standard.frechet.name, standard.kernel.name) == ("FID", "FID", "KID")
    offline = compared(first, second)
    assert offline.label == "FD[efficientnet-lite0]"
    assert offline.kernel.name == "KD[efficientnet-lite0]"
    other_weights = STANDARD_ID.replace("6726825d0af5f729", "0" * 16)
    assert compared(first, second, extractor_id=other_weights).label == "FD[inception-2015-12-05]"


def test_other_ids_are_refused_and_the_difference_is_named():
    first, second = NamedFeatures(features(60), ID), NamedFeatures(features(60), ID.replace("of-r", "of-g"))
    with pytest.raises(InputError, match=r"cannot be compared \(magma-of-r against magma-of-g\)"):
        compare_features(first, second)


def test_few_galaxies_and_other_widths_are_refused():
    with pytest.raises(
        InputError, match="the generated set has 49 galaxies with features; wanted 50 or more"
    ):
        compared(features(60), features(49))
    with pytest.raises(InputError, match="the reference have 6 columns, of the generated set 7"):
        compared(features(60), features(60, 7))


def test_rows_of_nan_are_left_out():
    first, second = features(60, case=1), features(60, case=2)
    found = compared(first, np.insert(second, [0, 30], np.nan, axis=0))
    assert to_plain(found) == to_plain(compared(first, second))
    assert found.frechet.n_generated == 60


@pytest.mark.slow
def test_classifiers_tell_rows_of_the_whole_sets():
    first, second = features(120, case=1), features(120, case=2, mean=2.0)
    holed = np.insert(second, [0, 60], np.nan, axis=0)
    whole, found = (compared(first, values, classifiers=True) for values in (second, holed))
    expected = [row + 1 if row < 60 else row + 2 for row in whole.classifiers[0].told_generated]
    assert list(found.classifiers[0].told_generated) == expected
    assert {test.on for test in found.classifiers} == {ID}
    assert whole.classifiers[0].auc.value > 0.9


def test_the_seed_decides_and_nothing_else():
    first, second = features(80, case=1), features(80, case=2)
    assert to_plain(compared(first, second)) == to_plain(compared(first, second))
    other = compared(first, second, chance=Chance(seed=1, replicates=10, splits=10, permutations=50))
    assert other.frechet.value == compared(first, second).frechet.value
    assert to_plain(from_plain(FeatureComparison, to_plain(other))) == to_plain(other)
    assert other.frechet.floor != compared(first, second).frechet.floor
