"""Boosted trees walked by our own loop, against scikit-learn's; and the real features of the published scores."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from galsmith.score.boosted_trees import BoostedTrees, TreeSettings, grow_trees, trees_of


def table(n=400, seed=0):
    """Features with gaps, and a value that is no sum of them."""
    rng = np.random.default_rng(seed)
    features = rng.normal(0, 1, (n, 6))
    value = features[:, 0] * features[:, 1] + np.abs(features[:, 2])
    features[rng.random(features.shape) < 0.1] = np.nan
    return features, value


@pytest.mark.parametrize("loss", ["absolute_error", "squared_error"])
def test_our_walk_equals_scikit_learn_to_the_bit(loss):
    features, value = table()
    grown = HistGradientBoostingRegressor(loss=loss, max_iter=60, max_leaf_nodes=20).fit(features, value)
    others = table(seed=1)[0]
    others[0] = np.inf
    others[1] = -np.inf
    trees = trees_of(grown)
    assert np.array_equal(trees.predict(others), grown.predict(others))
    assert np.array_equal(trees.predict(others.astype(np.float32)), grown.predict(others.astype(np.float32)))


def test_a_tree_that_was_read_again_walks_the_same():
    features, value = table()
    trees = grow_trees(features, value, TreeSettings(iterations=20, leaves=10), seed=1)
    again = BoostedTrees.from_arrays(trees.to_arrays())
    assert np.array_equal(again.predict(features), trees.predict(features))
    assert len(trees.nodes.starts) == 20


def test_trees_learn_and_a_shuffled_value_is_not_learned():
    features, value = table(2000)
    held, known = table(500, seed=5)
    settings = TreeSettings(iterations=100, leaves=20)
    shuffled = np.random.default_rng(3).permutation(value)
    errors = [
        np.abs(grow_trees(features, given, settings, seed=0).predict(held) - known).mean()
        for given in (value, shuffled)
    ]
    constant = np.abs(known - np.median(value)).mean()
    assert errors[0] < 0.6 * constant
    assert errors[1] > 0.95 * constant


@pytest.fixture(scope="module")
def real_features(shared_data):
    folder = shared_data / "eth_cil_cosmology"
    features = pd.read_csv(folder / "features_train_X.csv").to_numpy(np.float64)
    return features, pd.read_csv(folder / "features_train_y.csv")["score"].to_numpy(np.float64)


@pytest.mark.slow
@pytest.mark.real_data
def test_real_features_with_real_scores_reach_0_36(real_features):
    features, scores = real_features
    assert features.shape == (9600, 29)
    errors, means = [], []
    for fold in np.array_split(np.random.default_rng(0).permutation(len(scores)), 10):
        rest = np.setdiff1d(np.arange(len(scores)), fold)
        trees = grow_trees(features[rest], scores[rest], TreeSettings(), seed=0)
        errors.append(np.abs(trees.predict(features[fold]) - scores[fold]).mean())
        means.append(np.abs(scores[fold] - scores[rest].mean()).mean())
    assert np.mean(errors) == pytest.approx(0.36, abs=0.01)
    # the mean absolute deviation of the 9,600 real scores from their mean is 0.8295
    assert np.mean(means) == pytest.approx(0.83, abs=0.005)
