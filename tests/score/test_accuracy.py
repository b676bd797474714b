"""Mean absolute errors, their standard errors, and differences between methods, against cases that are known."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from galsmith.errors import InputError
from galsmith.score import accuracy_differences, accuracy_of


def held_out(errors, *, splits=1, real=True, seed=0):
    """Predictions that are off by `errors`."""
    n = len(errors)
    actual = np.random.default_rng(seed).uniform(0, 6, n)
    return pd.DataFrame(
        {
            "Id": [f"f{number}" for number in range(n)],
            "Actual": actual,
            "Predicted": actual + errors,
            "split": np.arange(n) % splits,
            "is_real": np.asarray(real, dtype=object) * np.ones(n, dtype=int),
        }
    )


def test_the_mean_is_over_splits_and_its_error_is_theirs():
    errors = np.tile([0.1, -0.2, 0.3, -0.4, 0.5], 20)
    found = accuracy_of(held_out(errors, splits=5))
    assert found.by_split == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert found.mae == pytest.approx(0.3)
    assert found.standard_error == pytest.approx(np.std([0.1, 0.2, 0.3, 0.4, 0.5], ddof=1) / np.sqrt(5))
    assert found.n_fields == 100


def test_deciles_and_cosmology_are_told_apart():
    table = held_out(np.zeros(1000))
    table["Predicted"] = table["Actual"] * 1.1
    table["is_real"] = (table["Actual"] > 1.0).astype(int)
    found = accuracy_of(table)
    # an error that grows with the score
    assert list(found.decile_mae) == sorted(found.decile_mae)
    middles = [0.5 * (low + high) for low, high in zip(found.deciles[:-1], found.deciles[1:], strict=True)]
    assert found.decile_mae == pytest.approx(0.1 * np.array(middles), rel=0.1)
    assert found.cosmology_mae == pytest.approx(0.1 * table["Actual"][table["Actual"] > 1.0].mean())


def test_where_labels_are_unknown_there_is_no_error_on_cosmology():
    table = held_out(np.ones(10))
    table["is_real"] = np.nan
    assert np.isnan(accuracy_of(table).cosmology_mae)


def test_nothing_held_out_is_refused():
    with pytest.raises(InputError, match="no fields were held out"):
        accuracy_of(held_out(np.ones(0)))


def test_differences_are_paired():
    rng = np.random.default_rng(1)
    shared = np.abs(rng.normal(1.0, 1.0, 400))
    one, other = held_out(shared + 0.05), held_out(shared)
    (found,) = accuracy_differences({"one": one, "other": other})
    assert found.difference == pytest.approx(0.05)
    # what both share drops out: unpaired, the interval would be 0.2 wide
    assert found.interval[1] - found.interval[0] < 1e-9
    assert found.ratio == pytest.approx((shared + 0.05).mean() / shared.mean())


def test_the_interval_is_student_s():
    rng = np.random.default_rng(2)
    errors = rng.normal(0, 1, (2, 50))
    tables = {name: held_out(row) for name, row in zip("ab", errors, strict=True)}
    (found,) = accuracy_differences(tables)
    paired = stats.ttest_rel(*np.abs(errors)).confidence_interval(0.95)
    assert found.interval == pytest.approx((paired.low, paired.high))


def test_methods_without_a_field_in_common_are_not_compared():
    one, other = held_out(np.ones(5)), held_out(np.ones(5))
    other["Id"] = [f"g{number}" for number in range(5)]
    assert accuracy_differences({"one": one, "other": other}) == ()
