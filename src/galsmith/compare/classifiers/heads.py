"""Classifiers that try to tell two sets apart: gradient-boosted trees, and a logistic law with products of columns."""

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


class FittedHead(Protocol):
    """A classifier after its training."""

    def scores(self, values: Floats) -> Floats:
        """Scores [row] of rows [row, column]; above 0 where the row looks generated."""

    def products(self, values: Floats) -> Floats | None:
        """Parts [pair, row] of the scores that products of two columns make, if the classifier has them.

        Pairs come as `numpy.triu_indices` has them, squares among them.
        """


@dataclass(frozen=True)
class FittedTrees:
    """Gradient-boosted trees after their training."""

    trees: Any

    def scores(self, values: Floats) -> Floats:
        """Scores [row] in log odds."""
        return np.asarray(self.trees.decision_function(values), dtype=np.float64)

    def products(self, values: Floats) -> None:
        """Trees have no products."""


@dataclass(frozen=True)
class FittedPairs:
    """A logistic law of second degree: ``score = constant + linear x + x quadratic x``.

    Attributes
    ----------
    constant : float
        Log odds at x = 0.
    linear : ndarray [column], float64
        Of the columns.
    quadratic : ndarray [column, column], float64
        Of their products; zero below the diagonal.
    """

    constant: float
    linear: Floats
    quadratic: Floats

    def scores(self, values: Floats) -> Floats:
        """Scores [row] in log odds."""
        return self.constant + values @ self.linear + ((values @ self.quadratic) * values).sum(axis=1)

    def products(self, values: Floats) -> Floats:
        """Parts [pair, row] of the log odds that come from each product of two columns."""
        first, second = np.triu_indices(values.shape[1])
        turned = values.T
        return self.quadratic[first, second][:, None] * turned[first] * turned[second]


def load_libraries() -> None:
    """Load what classifiers are made of: threads are limited in libraries that are there already, and in no others."""
    importlib.import_module("sklearn.ensemble")
    importlib.import_module("sklearn.linear_model")


def fit_trees(values: Floats, labels: Labels, *, seed: int) -> FittedTrees:
    """Fit gradient-boosted trees on binned values (scikit-learn, after Ke et al. 2017).

    Parameters
    ----------
    values : ndarray [row, column], float64
        Finite.
    labels : ndarray [row], int64
        1 for generated rows, 0 for those of the reference.
    seed : int
        Of the binning.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees = HistGradientBoostingClassifier(
        # scikit-learn's own number of trees, with 15 leaves in place of its 31.
        max_iter=100,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed % 2**32,
    )
    return FittedTrees(trees.fit(values, labels))


def fit_pairs(values: Floats, labels: Labels, *, seed: int) -> FittedPairs:
    """Fit a logistic regression on all columns and their products of two.

    Parameters
    ----------
    values : ndarray [row, column], float64
        Finite, standardized.
    labels : ndarray [row], int64
        1 for generated rows, 0 for those of the reference.
    seed : int
        Not used: the minimum is unique.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    terms = _with_products(values)
    # Products have wider tails than columns: the ridge must see all terms in one unit.
    center, sigma = terms.mean(axis=0), terms.std(axis=0)
    scale = np.where(sigma > 1e-12, sigma, 1.0)
    terms -= center
    terms /= scale
    model = LogisticRegression(C=RIDGE, max_iter=MOST_STEPS)
    with warnings.catch_warnings():
        # A law that is not quite at its minimum is still a law, judged on galaxies that it has not seen.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(terms, labels)
    weights = model.coef_[0] / scale
    n_columns = values.shape[1]
    quadratic = np.zeros((n_columns, n_columns))
    quadratic[np.triu_indices(n_columns)] = weights[n_columns:]
    # Back from standardized terms to the columns as given.
    return FittedPairs(float(model.intercept_[0] - weights @ center), weights[:n_columns], quadratic)


def _with_products(values: Floats) -> Floats:
    """Put all products of two columns beside them, in the order of `numpy.triu_indices`."""
    n_columns = values.shape[1]
    terms = np.empty((len(values), n_columns + n_columns * (n_columns + 1) // 2))
    terms[:, :n_columns] = values
    place = n_columns
    for column in range(n_columns):
        count = n_columns - column
        np.multiply(values[:, column, None], values[:, column:], out=terms[:, place : place + count])
        place += count
    return terms


# The inverse strength of the ridge, small because a few hundred terms are correlated.
RIDGE = 0.01
MOST_STEPS = 200
HEADS: dict[str, Callable[..., FittedHead]] = {"trees": fit_trees, "pairs": fit_pairs}
