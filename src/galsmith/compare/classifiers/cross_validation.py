"""Cross-validation of classifiers that tell two sets apart: their scores, with tests that hold, and what they look at."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from galsmith.compare.classifiers.heads import HEADS, FittedHead, load_libraries
from galsmith.compare.records import Giveaway
from galsmith.execution import ProgressCallback, ProgressEvent, ignore_progress, map_tasks, one_thread
from galsmith.seeds import derive_seed, random_stream

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

# A p value of 0 would claim what no test can.
SMALLEST_P = 1e-300
SHUFFLES = 2
MOST_GIVEAWAYS = 15
# Rows times columns from which on a process of its own, which takes a second or two to start, is worth it.
VALUES_WORTH_A_PROCESS = 500_000


@dataclass(frozen=True)
class FoldScore:
    """A number that was measured on one fold, and how it scatters.

    Attributes
    ----------
    value : float
        The number; 0.5 is chance.
    variance : float
        Of the fold's galaxies, the classifier given.
    null_variance : float
        The same if the scores had nothing to do with the sets, all ties counted.
    """

    value: float
    variance: float
    null_variance: float


Score = Callable[[Floats, Labels], FoldScore]


def area_under_curve(scores: Floats, labels: Labels) -> FoldScore:
    """Area under the receiver operating characteristic: the chance that a generated row scores above a real one.

    Variance after DeLong et al. (1988); that without difference is the Mann-Whitney test's, with ties
    (Lehmann 1975).

    Parameters
    ----------
    scores : ndarray [row], float64
        Larger for rows that look generated.
    labels : ndarray [row], int64
        1 for generated rows, 0 for those of the reference; both must be there.
    """
    generated = labels == 1
    n_generated = int(generated.sum())
    n_reference = len(labels) - n_generated
    ranks = rankdata(scores)
    above = (ranks[generated] - rankdata(scores[generated])) / n_reference
    below = 1 - (ranks[~generated] - rankdata(scores[~generated])) / n_generated
    # DeLong et al. (1988): placements of each set among the other, which are independent of one another.
    variance = _mean_variance(above) + _mean_variance(below)
    ties = np.unique(scores, return_counts=True)[1].astype(np.float64)
    count = len(labels)
    # Lehmann (1975): the null variance of U with ties, divided by (n m)^2.
    spread = (count + 1 - (ties**3 - ties).sum() / (count * (count - 1))) / 12
    return FoldScore(float(above.mean()), variance, float(spread / (n_reference * n_generated)))


def area_alone(scores: Floats, labels: Labels) -> float:
    """Area under the curve without its variances, for those who need it often."""
    generated = labels == 1
    n_generated = int(generated.sum())
    # Mann-Whitney: the area is (mean rank of one set - (n + 1) / 2) / m.
    mean_rank = float(rankdata(scores)[generated].mean())
    return (mean_rank - (n_generated + 1) / 2) / (len(labels) - n_generated)


def balanced_accuracy(scores: Floats, labels: Labels) -> FoldScore:
    """Share of rows told right at a score of 0, both sets counting the same.

    Without difference the generated rows among those called generated are hypergeometric, as in Fisher's test.

    Parameters
    ----------
    scores, labels
        As for `area_under_curve`.
    """
    generated = labels == 1
    n_generated = int(generated.sum())
    n_reference = len(labels) - n_generated
    called = scores > 0
    right_generated = float(called[generated].mean())
    right_reference = float(1 - called[~generated].mean())
    variance = (
        right_generated * (1 - right_generated) / n_generated
        + right_reference * (1 - right_reference) / n_reference
    ) / 4
    share = float(called.mean())
    count = len(labels)
    # The value is a constant plus (1/n + 1/m)/2 times the number of generated rows that are called so.
    hypergeometric = n_generated * n_reference / (count - 1) * share * (1 - share)
    null_variance = ((1 / n_generated + 1 / n_reference) / 2) ** 2 * hypergeometric
    return FoldScore((right_generated + right_reference) / 2, variance, null_variance)


def mean_of_folds(folds: Sequence[FoldScore]) -> tuple[float, float]:
    """Mean over the folds of a cross-validation, and its standard deviation.

    Folds train the classifiers of one another, so that their mean scatters more than independent folds would:
    by 1/K + 1/(K - 1) in place of 1/K (the corrected variance of Nadeau & Bengio 2003), which simulations confirm.

    Parameters
    ----------
    folds : sequence of FoldScore
        K of them, 2 or more.
    """
    count = len(folds)
    # Nadeau & Bengio (2003): 1/K + n_test / n_train, with n_test / n_train = 1 / (K - 1).
    variance = np.mean([fold.variance for fold in folds])
    return float(np.mean([fold.value for fold in folds])), float(
        np.sqrt(variance * (1 / count + 1 / (count - 1)))
    )


def null_sigma(folds: Sequence[FoldScore]) -> float:
    """Find the standard deviation of `mean_of_folds` where nothing differs, from the null variances of the folds."""
    count = len(folds)
    variance = np.mean([fold.null_variance for fold in folds])
    return float(
        np.sqrt(variance * (1 / count + 1 / (count - 1)))
    )  # Nadeau & Bengio (2003), as for the mean.


def sequential_p(folds: Sequence[FoldScore]) -> float:
    """One-sided p value that the sets do not differ, from folds that were told by earlier folds alone.

    Given the folds before it, such a fold's score has mean 0.5 and a known variance, so that the
    standardized scores are independent and their sum over the root of their number is normal. Folds of an
    ordinary cross-validation are not: their mean scatters about 1.4 times as much as it seems to, and a test
    that ignores this gives 12 % of false alarms at 5 %.

    Parameters
    ----------
    folds : sequence of FoldScore
        In order.
    """
    standardized = [
        (fold.value - 0.5) / np.sqrt(fold.null_variance) if fold.null_variance > 0 else 0.0 for fold in folds
    ]
    # Stouffer's sum: independent standard normals over the root of their number.
    return max(float(norm.sf(np.sum(standardized) / np.sqrt(len(standardized)))), SMALLEST_P)


def _mean_variance(values: Floats) -> float:
    """Variance of the mean."""
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.0


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
class Case:
    """One kind of classifier to judge by cross-validation.

    Attributes
    ----------
    rows : LabeledRows
        Of both sets.
    head : str
        A key of `galsmith.compare.classifiers.heads.HEADS`.
    seed : int
        Of the classifiers and of the shuffles.
    """

    rows: LabeledRows
    head: str
    seed: int


@dataclass(frozen=True)
class Validated:
    """Classifiers of all folds, each trained on the other folds, and those that earlier folds alone have trained.

    Attributes
    ----------
    heads : tuple
        One a fold.
    scores : ndarray [row], float64
        Of each row, by the classifier that has not seen it.
    losses : ndarray [shuffle, column], float64
        Area under the curve that a classifier loses when a column is shuffled, `SHUFFLES` times a fold.
    sequence : tuple of ndarray [row of the fold], float64
        Scores of fold k, for each k from 1, by the classifier that folds 0 to k - 1 have trained.
    """

    heads: tuple[FittedHead, ...]
    scores: Floats
    losses: Floats
    sequence: tuple[Floats, ...]


def label_rows(reference: Floats, generated: Floats, *, folds: int, seed: int) -> LabeledRows:
    """Put rows of two equally large sets together and deal them into folds."""
    parts = [
        # Each side is dealt by itself, so that every fold has as many of one set as of the other.
        random_stream(seed, f"compare.classifier.folds.{side}").permutation(len(values)) % folds
        for side, values in (("reference", reference), ("generated", generated))
    ]
    labels = np.repeat([0, 1], [len(reference), len(generated)])
    return LabeledRows(np.concatenate([reference, generated]), labels, np.concatenate(parts))


@dataclass(frozen=True)
class _Training:
    """One classifier of a case: which fold it shall score, and whether only earlier folds train it."""

    case: Case
    fold: int
    is_sequential: bool


class _Trained(NamedTuple):
    """A classifier, its scores of its fold, and what it loses by shuffled columns; none of a sequence."""

    head: FittedHead
    scores: Floats
    losses: Floats


def cross_validate(
    cases: Sequence[Case], *, workers: int = 1, progress: ProgressCallback = ignore_progress
) -> list[Validated]:
    """Train on all folds but one and score that one, for each fold; and on the first k folds to score the next.

    Parameters
    ----------
    cases : sequence of Case
        All are trained side by side.
    workers : int
        Processes that share the classifiers where these are large, else threads; each has one core, and no number
        depends on how many there are.
    progress : callable
        Told after each classifier.
    """
    trainings = [
        _Training(case, fold, is_sequential)
        for case in cases
        for is_sequential, folds in (
            (False, range(case.rows.n_folds)),
            # Fold K is scored by one classifier in both ways: all others are earlier ones.
            (True, range(1, case.rows.n_folds - 1)),
        )
        for fold in folds
    ]
    load_libraries()
    found: dict[int, _Trained] = {}
    with one_thread():
        for place, trained in _each_trained(trainings, workers):
            found[place] = trained
            progress(ProgressEvent("classifiers", len(found), len(trainings), "classifiers"))
    in_order = iter(found[place] for place in range(len(trainings)))
    return [_validated(case, in_order) for case in cases]


def _each_trained(trainings: Sequence[_Training], workers: int) -> Iterator[tuple[int, _Trained]]:
    """Train all, with the place of each: on processes where they are large, else in threads, which start at once."""
    if max(training.case.rows.values.size for training in trainings) >= VALUES_WORTH_A_PROCESS:
        yield from map_tasks(_train, trainings, workers=workers)
        return
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        yield from enumerate(pool.map(_train, trainings))


def _train(training: _Training) -> _Trained:
    """Train one classifier, in one thread: more would wait for one another at every split of a tree."""
    rows, fold, seed = training.case.rows, training.fold, training.case.seed
    unseen = rows.folds == fold
    # Trained on folds 0 to k - 1 alone, the score of fold k is independent of theirs given them.
    seen = rows.folds < fold if training.is_sequential else ~unseen
    load_libraries()
    with one_thread():
        head = HEADS[training.case.head](*rows.chosen(seen), seed=_head_seed(seed, fold))
        values, labels = rows.chosen(unseen)
        scores = head.scores(values)
        if training.is_sequential:
            return _Trained(head, scores, np.empty((0, values.shape[1])))
        told = area_alone(scores, labels)
        losses = [
            told - _without_columns(head, values, labels, order) for order in _orders(seed, fold, len(values))
        ]
    return _Trained(head, scores, np.stack(losses))


def _validated(case: Case, trained: Iterator[_Trained]) -> Validated:
    """Put the classifiers of one case together."""
    n_folds = case.rows.n_folds
    of_folds = [next(trained) for _ in range(n_folds)]
    scores = np.empty(len(case.rows.labels))
    for fold, one in enumerate(of_folds):
        scores[case.rows.folds == fold] = one.scores
    sequence = [next(trained).scores for _ in range(1, n_folds - 1)]
    return Validated(
        tuple(one.head for one in of_folds),
        scores,
        np.concatenate([one.losses for one in of_folds]),
        (*sequence, of_folds[-1].scores),
    )


def scores_by_fold(rows: LabeledRows, validated: Validated, score: Score) -> list[FoldScore]:
    """Judge the scores of each fold on its own, so that folds need not have one zero point."""
    each = (rows.folds == fold for fold in range(rows.n_folds))
    return [score(validated.scores[unseen], rows.labels[unseen]) for unseen in each]


def sequential_scores(rows: LabeledRows, validated: Validated, score: Score) -> list[FoldScore]:
    """Judge the scores of each fold but the first by the classifier that the folds before it have trained."""
    return [
        score(scores, rows.labels[rows.folds == fold])
        for fold, scores in enumerate(validated.sequence, start=1)
    ]


def find_giveaways(case: Case, validated: Validated, columns: Sequence[str]) -> tuple[Giveaway, ...]:
    """Find what the classifiers look at: the loss of area under the curve by shuffling a column (Breiman 2001).

    Columns are shuffled among the rows that a classifier has not seen, `SHUFFLES` times a fold, and so are
    the products of two that add most to its scores. Of columns that tell the same, each hides the others.

    Returns
    -------
    tuple of Giveaway
        The `MOST_GIVEAWAYS` most telling columns, and as many products, the most telling first.
    """
    pairs = list(combinations_with_replacement(columns, 2))
    strongest = _strongest_products(case.rows, validated)
    by_product = []
    for fold, head in enumerate(validated.heads):
        values, labels = case.rows.chosen(case.rows.folds == fold)
        told = area_alone(validated.scores[case.rows.folds == fold], labels)
        by_product += [
            told - _without_products(head, values, labels, order, strongest)
            for order in _orders(case.seed, fold, len(values))
        ]
    products = [" * ".join(pairs[place]) for place in strongest]
    found = [*_largest(columns, validated.losses), *_largest(products, np.stack(by_product))]
    return tuple(sorted(found, key=lambda item: -item.importance))


def _orders(seed: int, fold: int, count: int) -> Iterator[Labels]:
    """Orders of a fold's rows, by which columns are shuffled."""
    for shuffle in range(SHUFFLES):
        # Breiman (2001), section 10: a column is given to the wrong rows, all others stay.
        yield random_stream(seed, "compare.classifier.shuffle", fold, shuffle).permutation(count)


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
    # A logistic law's score is a sum, so that a product is shuffled by taking its part out and putting it back.
    return np.array([area_alone(scores - part + part[order], labels) for part in parts[chosen]])


def _largest(names: Sequence[str], losses: Floats) -> list[Giveaway]:
    """Keep the names with the largest mean losses, of losses [shuffle, name]."""
    means, sigmas = losses.mean(axis=0), losses.std(axis=0)
    order = np.argsort(-means, kind="stable")[:MOST_GIVEAWAYS]
    return [Giveaway(names[place], float(means[place]), float(sigmas[place])) for place in order]


def _head_seed(seed: int, fold: int) -> int:
    """Seed of one classifier."""
    return derive_seed(seed, "compare.classifier.head", fold)
