"""Cross-validation of classifiers that tell two sets apart, and what they look at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from galsmith.compare.classifiers.heads import HEADS, FittedHead
from galsmith.compare.classifiers.scores import FoldScore, area_alone
from galsmith.compare.evidence import Giveaway
from galsmith.seeds import derive_seed, random_stream

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

SHUFFLES = 2
MOST_GIVEAWAYS = 15
Score = Callable[[Floats, Labels], FoldScore]


@dataclass(frozen=True)
class LabeledRows:
    """Rows of two sets of one size, the reference first.

    Attributes
    ----------
    values : ndarray [row, column], float64
        Standardized over both sets together, which keeps rows exchangeable where nothing differs.
    labels : ndarray [row], int64
        1 for generated rows.
    folds : ndarray [row], int64
        Which fold a row belongs to; each has as many rows of one set as of the other.
    """

    values: Floats
    labels: Labels
    folds: Labels

    def chosen(self, kept: NDArray[np.bool_]) -> tuple[Floats, Labels]:
        """Values and labels of some rows."""
        return self.values[kept], self.labels[kept]

    @property
    def n_folds(self) -> int:
        """How many folds there are."""
        return int(self.folds.max()) + 1


@dataclass(frozen=True)
class Validated:
    """Classifiers of all folds, each trained on the other folds.

    Attributes
    ----------
    heads : tuple
        One a fold.
    scores : ndarray [row], float64
        Of each row, by the classifier that has not seen it.
    """

    heads: tuple[FittedHead, ...]
    scores: Floats


def label_rows(reference: Floats, generated: Floats, *, folds: int, seed: int) -> LabeledRows:
    """Put rows of two equally large sets together and deal them into folds."""
    parts = [
        random_stream(seed, f"compare.classifier.folds.{side}").permutation(len(values)) % folds
        for side, values in (("reference", reference), ("generated", generated))
    ]
    labels = np.repeat([0, 1], [len(reference), len(generated)])
    return LabeledRows(np.concatenate([reference, generated]), labels, np.concatenate(parts))


def cross_validate(rows: LabeledRows, head: str, *, seed: int) -> Validated:
    """Train on all folds but one and score that one, for each fold."""
    scores = np.empty(len(rows.labels))
    heads = []
    for fold in range(rows.n_folds):
        unseen = rows.folds == fold
        fitted = HEADS[head](*rows.chosen(~unseen), seed=_head_seed(seed, fold))
        scores[unseen] = fitted.scores(rows.values[unseen])
        heads.append(fitted)
    return Validated(tuple(heads), scores)


def scores_by_fold(rows: LabeledRows, validated: Validated, score: Score) -> list[FoldScore]:
    """Judge the scores of each fold on its own, so that folds need not have one zero point."""
    each = (rows.folds == fold for fold in range(rows.n_folds))
    return [score(validated.scores[unseen], rows.labels[unseen]) for unseen in each]


def sequential_scores(
    rows: LabeledRows, validated: Validated, head: str, scores: Sequence[Score], *, seed: int
) -> list[list[FoldScore]]:
    """Train on the first k folds and judge fold k + 1, for each k from 1; one list a score.

    The last of these classifiers is the cross-validation's own.
    """
    found: list[list[FoldScore]] = [[] for _ in scores]
    for fold in range(1, rows.n_folds):
        unseen = rows.folds == fold
        fitted = (
            validated.heads[fold]
            if fold == rows.n_folds - 1
            else HEADS[head](*rows.chosen(rows.folds < fold), seed=_head_seed(seed, fold))
        )
        values, labels = rows.chosen(unseen)
        told = fitted.scores(values)
        for place, score in enumerate(scores):
            found[place].append(score(told, labels))
    return found


def find_giveaways(
    rows: LabeledRows, validated: Validated, columns: Sequence[str], *, seed: int
) -> tuple[Giveaway, ...]:
    """Find what the classifiers look at: the loss of area under the curve by shuffling a column (Breiman 2001).

    Columns are shuffled among the rows that a classifier has not seen, `SHUFFLES` times a fold, and so are
    the products of two that add most to its scores. Of columns that tell the same, each hides the others.

    Returns
    -------
    tuple of Giveaway
        The `MOST_GIVEAWAYS` most telling columns, and as many products, the most telling first.
    """
    pairs = list(combinations_with_replacement(columns, 2))
    strongest = _strongest_products(rows, validated)
    by_column, by_product = [], []
    for fold, head in enumerate(validated.heads):
        values, labels = rows.chosen(rows.folds == fold)
        told = area_alone(head.scores(values), labels)
        for shuffle in range(SHUFFLES):
            order = random_stream(seed, "compare.classifier.shuffle", fold, shuffle).permutation(len(values))
            by_column.append(told - _without_columns(head, values, labels, order))
            by_product.append(told - _without_products(head, values, labels, order, strongest))
    products = [" * ".join(pairs[place]) for place in strongest]
    found = [*_largest(columns, np.stack(by_column)), *_largest(products, np.stack(by_product))]
    return tuple(sorted(found, key=lambda item: -item.importance))


def _strongest_products(rows: LabeledRows, validated: Validated) -> Labels:
    """Find the products that make the scores vary most, on average over the folds; none for trees."""
    variances = [
        parts.var(axis=1)
        for fold, head in enumerate(validated.heads)
        if (parts := head.products(rows.values[rows.folds == fold])) is not None
    ]
    if not variances:
        return np.empty(0, dtype=np.int64)
    return np.argsort(-np.mean(variances, axis=0), kind="stable")[: 2 * MOST_GIVEAWAYS]


def _without_columns(head: FittedHead, values: Floats, labels: Labels, order: Labels) -> Floats:
    """Area under the curve with each column shuffled in turn."""
    areas = np.empty(values.shape[1])
    for column in range(values.shape[1]):
        shuffled = values.copy()
        shuffled[:, column] = values[order, column]
        areas[column] = area_alone(head.scores(shuffled), labels)
    return areas


def _without_products(
    head: FittedHead, values: Floats, labels: Labels, order: Labels, chosen: Labels
) -> Floats:
    """Area under the curve with each chosen product of two columns shuffled in turn."""
    parts = head.products(values)
    if parts is None:
        return np.empty(0)
    scores = head.scores(values)
    return np.array([area_alone(scores - part + part[order], labels) for part in parts[chosen]])


def _largest(names: Sequence[str], losses: Floats) -> list[Giveaway]:
    """Keep the names with the largest mean losses, of losses [shuffle, name]."""
    means, sigmas = losses.mean(axis=0), losses.std(axis=0)
    order = np.argsort(-means, kind="stable")[:MOST_GIVEAWAYS]
    return [Giveaway(names[place], float(means[place]), float(sigmas[place])) for place in order]


def _head_seed(seed: int, fold: int) -> int:
    """Seed of one classifier."""
    return derive_seed(seed, "compare.classifier.head", fold)
