"""Kernel ridge, its stack with trees, and what the score is read from."""

import numpy as np
import pytest
from sklearn.gaussian_process.kernels import Matern

from galsmith.errors import InputError
from galsmith.score.kernel_ridge import fit_ridges, knots_of, matern, normal_ranks, ranked_rows, ridge_weights
from galsmith.score.method import Learning
from galsmith.score.radial_power import STRETCHES, rings_of, tail_levels
from galsmith.score.spectrum import SpectrumSettings, explain, fit, folds_of

SIDE = 64
QUICK = SpectrumSettings(iterations=40, lengths=(1.0,), ridges=(0.01, 0.1))


def test_the_kernel_is_that_of_scikit_learn():
    points = np.random.default_rng(0).normal(0, 1, (20, 3))
    squares = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    assert matern(squares, 1.7) == pytest.approx(Matern(1.7, nu=2.5)(points), rel=1e-10)


def test_without_noise_the_ridge_passes_through_its_points():
    rng = np.random.default_rng(1)
    points, values = rng.normal(0, 1, (30, 2)), rng.normal(0, 1, 30)
    kernel = matern(((points[:, None] - points[None]) ** 2).sum(axis=2), 1.0)
    assert kernel @ ridge_weights(kernel, values, 1e-9) == pytest.approx(values, abs=1e-4)
    # and with noise it does not
    assert np.abs(kernel @ ridge_weights(kernel, values, 1.0) - values).max() > 0.5


def test_ranks_are_normal_know_no_unit_and_ties_share_theirs():
    rng = np.random.default_rng(2)
    features = np.column_stack([rng.exponential(1, 3000), rng.integers(0, 3, 3000)])
    ranks = normal_ranks(features, knots_of(features))
    assert (ranks[:, 0].mean(), ranks[:, 0].std()) == pytest.approx((0, 1), abs=0.02)
    stretched = np.exp(features)
    assert normal_ranks(stretched, knots_of(stretched)) == pytest.approx(ranks, abs=0.02)
    assert len(np.unique(ranks[:, 1])) == 3


def test_the_ridge_learns_a_smooth_function():
    rng = np.random.default_rng(3)
    features = rng.normal(0, 1, (600, 4))
    values = np.sin(features[:, 0]) + features[:, 1] * features[:, 2]
    rows = ranked_rows(features[:500])
    several = fit_ridges(rows, values[:500], length=1.0, ridges=[10.0, 0.01])
    errors = [np.abs(one.predict(features[500:]) - values[500:]).mean() for one in several]
    assert errors[1] < 0.35 * np.abs(values[500:] - values[:500].mean()).mean()
    assert errors[1] < errors[0]
    (alone,) = fit_ridges(rows, values[:500], length=1.0, ridges=[0.01])
    np.testing.assert_array_equal(several[1].weights, alone.weights)


def test_fields_that_look_the_same_are_refused():
    features, values = np.random.default_rng(4).normal(0, 1, (40, 3)), np.linspace(0, 8, 40)
    features[:12] = features[0]  # a few may
    (ridge,) = fit_ridges(ranked_rows(features), values, length=1.0, ridges=[0.01])
    assert np.isfinite(ridge.predict(features)).all()
    features[:36] = features[0]
    with pytest.raises(InputError, match="most of 40 training fields look the same"):
        ranked_rows(features)


def seen_fields(n, seed):
    """Features of the real layout, whose score is read from one octave of one stretch and the tails."""
    rng = np.random.default_rng(seed)
    n_rings = len(rings_of(SIDE).counts)
    seen = rng.normal(0, 1, (n, len(STRETCHES) * n_rings + len(tail_levels()) + 256)).astype(np.float32)
    edges = rings_of(SIDE).edges
    inside = np.flatnonzero((edges[:-1] >= 8) & (edges[:-1] < 16))
    shared = rng.normal(0, 1, n)
    seen[:, inside] = shared[:, None] + 0.3 * rng.normal(0, 1, (n, len(inside)))
    return seen, 3 + shared


@pytest.fixture(scope="module")
def learned():
    seen, scores = seen_fields(400, 0)
    return fit(seen, scores, QUICK, Learning(side_pix=SIDE, seed=1))


def test_the_stack_is_no_worse_than_the_ridge_alone(learned):
    seen, scores = seen_fields(300, 9)
    smooth = learned.ridge.predict(seen[:, : learned.ridge.points.shape[1]])
    stacked, alone = (np.abs(one - scores).mean() for one in (learned.predict(seen), smooth))
    assert stacked < alone < np.abs(scores - 3).mean()


def test_it_says_which_frequencies_carry_the_score(learned):
    seen, scores = seen_fields(300, 9)
    rows = explain(learned, seen, scores, seed=0)
    increases = {row["name"]: row["increase"] for row in rows}
    assert max(increases, key=increases.get) == "8 to 16 cycles a field"
    others = [value for name, value in increases.items() if name != "8 to 16 cycles a field"]
    assert max(others) < 0.3 * increases["8 to 16 cycles a field"]
    assert [row["low"] for row in rows] == [1, 2, 4, 8, 16, 32, 0]


def test_folds_are_a_partition():
    folds = folds_of(23, 5, seed=4)
    assert sorted(np.concatenate(folds)) == list(range(23))
    assert {len(fold) for fold in folds} == {4, 5}
