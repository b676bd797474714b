import numpy as np
import pytest

from galsmith.data.readers.to_store import assign_splits, split_counts


@pytest.mark.parametrize(
    ("count", "fractions", "wanted"),
    [
        (10, (0.8, 0.1, 0.1), (8, 1, 1)),
        (3571, (0.8, 0.1, 0.1), (2857, 357, 357)),
        (3, (1 / 3, 1 / 3, 1 / 3), (1, 1, 1)),
        (7, (1.0, 0.0, 0.0), (7, 0, 0)),
        (1, (0.8, 0.1, 0.1), (1, 0, 0)),
        (0, (0.8, 0.1, 0.1), (0, 0, 0)),
    ],
)
def test_counts_are_exact(count, fractions, wanted):
    assert split_counts(count, fractions) == wanted


@pytest.mark.parametrize("count", range(40))
def test_counts_sum_to_the_whole_and_stay_within_one(count):
    fractions = (0.7, 0.17, 0.13)
    counts = split_counts(count, fractions)
    assert sum(counts) == count
    assert np.abs(np.array(counts) - count * np.array(fractions)).max() < 1


def test_the_seed_decides_the_order():
    one, same, other = (assign_splits(200, (0.8, 0.1, 0.1), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.any(one != other)
    assert {name: int((one == name).sum()) for name in set(one)} == {
        "train": 160,
        "validation": 20,
        "test": 20,
    }


def test_splits_are_mixed_not_sorted():
    names = assign_splits(1000, (0.5, 0.25, 0.25), seed=0)
    first_half = (names[:500] == "train").mean()
    assert first_half == pytest.approx(0.5, abs=0.1)  # 4 sigma of a random order
