"""Boosted regression trees: fitted by scikit-learn, kept as plain arrays, and walked by a compiled loop of our own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from galsmith.execution import one_thread
from galsmith.score.method import Floats
from galsmith.settings import Settings

PREFIX = "trees."


class TreeSettings(Settings):
    """How trees are grown; the rest is scikit-learn's default.

    Attributes
    ----------
    iterations : int
        Trees, one after the other.
    leaves : int
        Of a tree, at most.
    learning_rate : float
        Share of each tree that is added.
    """

    iterations: int = 500
    leaves: int = 100
    learning_rate: float = 0.1


class Nodes(NamedTuple):
    """Nodes of all trees, one tree after the other.

    Attributes
    ----------
    starts : ndarray [tree], int64
        The root of each tree.
    feature : ndarray [node], int32
        Which feature a node asks for; any number in a leaf.
    threshold : ndarray [node], float64
        Up to which value the way goes left.
    missing_left : ndarray [node], uint8
        Whether it goes left where the feature is NaN.
    left, right : ndarray [node], int64
        The next nodes, counted from the root.
    is_leaf : ndarray [node], uint8
        Whether it ends here.
    value : ndarray [node], float64
        Of a leaf: what is added.
    """

    starts: NDArray[np.int64]
    feature: NDArray[np.int32]
    threshold: Floats
    missing_left: NDArray[np.uint8]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    is_leaf: NDArray[np.uint8]
    value: Floats


@dataclass(frozen=True)
class BoostedTrees:
    """Trees whose sum, and a baseline, is the prediction."""

    baseline: float
    nodes: Nodes

    def predict(self, features: NDArray[Any]) -> Floats:
        """Sum all trees, in scikit-learn's order and so to its bit.

        Parameters
        ----------
        features : ndarray [row, feature]
            As fitted; NaN where there is none.
        """
        given = np.ascontiguousarray(features, dtype=np.float64)
        sums = np.full(len(given), self.baseline)
        _add_trees(given, self.nodes, sums)
        return sums

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it by name."""
        named = {PREFIX + name: value for name, value in self.nodes._asdict().items()}
        return {PREFIX + "baseline": np.array([self.baseline]), **named}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> "BoostedTrees":
        """Read what `to_arrays` gave; other arrays are left alone."""
        nodes = Nodes(*(arrays[PREFIX + name] for name in Nodes._fields))
        return cls(float(arrays[PREFIX + "baseline"][0]), nodes)


def grow_trees(features: NDArray[Any], values: Floats, settings: TreeSettings, *, seed: int) -> BoostedTrees:
    """Fit histogram-based gradient boosting to least absolute deviations.

    Parameters
    ----------
    features : ndarray [row, feature]
        NaN where there is none.
    values : ndarray [row], float64
        What is to be predicted.
    settings : TreeSettings
        How trees are grown.
    seed : int
        Of scikit-learn's chance: which rows are held out for early stopping, from 10,000 rows on.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    grown = HistGradientBoostingRegressor(
        loss="absolute_error",
        max_iter=settings.iterations,
        max_leaf_nodes=settings.leaves,
        learning_rate=settings.learning_rate,
        random_state=seed % 2**32,
    )
    with one_thread():
        grown.fit(features, values)
    return trees_of(grown)


def trees_of(grown: Any) -> BoostedTrees:
    """Take the nodes out of a fitted regressor of scikit-learn without categories.

    Parameters
    ----------
    grown : HistGradientBoostingRegressor
        Fitted.
    """
    trees = [of_iteration[0].nodes for of_iteration in grown._predictors]
    nodes = np.concatenate(trees)
    ends = np.cumsum([len(tree) for tree in trees])
    found = Nodes(
        starts=(ends - [len(tree) for tree in trees]).astype(np.int64),
        feature=nodes["feature_idx"].astype(np.int32),
        threshold=nodes["num_threshold"].astype(np.float64),
        missing_left=nodes["missing_go_to_left"].astype(np.uint8),
        left=nodes["left"].astype(np.int64),
        right=nodes["right"].astype(np.int64),
        is_leaf=nodes["is_leaf"].astype(np.uint8),
        value=nodes["value"].astype(np.float64),
    )
    return BoostedTrees(float(np.ravel(grown._baseline_prediction)[0]), found)


@numba.njit(cache=True, nogil=True)
def _add_trees(features: Floats, nodes: Nodes, sums: Floats) -> None:
    """Add every tree to the sum of each row, the first tree first."""
    for row in range(features.shape[0]):
        for root in nodes.starts:
            node = root
            while not nodes.is_leaf[node]:
                asked = features[row, nodes.feature[node]]
                goes_left = nodes.missing_left[node] if np.isnan(asked) else asked <= nodes.threshold[node]
                node = root + (nodes.left[node] if goes_left else nodes.right[node])
            sums[row] += nodes.value[node]
