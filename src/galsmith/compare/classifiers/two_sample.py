"""Classifier two-sample tests: whether a classifier can tell generated galaxies from real ones, and by what."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from galsmith.compare.classifiers.cross_validation import (
    Case,
    FoldScore,
    Validated,
    area_under_curve,
    balanced_accuracy,
    cross_validate,
    find_giveaways,
    label_rows,
    mean_of_folds,
    null_sigma,
    scores_by_fold,
    sequential_p,
    sequential_scores,
)
from galsmith.compare.classifiers.heads import HEADS
from galsmith.compare.complete_rows import Rows, checked_rows, choose_rows, standardize_together
from galsmith.compare.records import ClassifierTest, Estimate, Statistic
from galsmith.compare.resampling import Chance
from galsmith.errors import SettingsError
from galsmith.execution import ProgressCallback, ignore_progress
from galsmith.seeds import derive_seed
from galsmith.settings import near_miss

Floats = NDArray[np.float64]

MOST_ROWS = 10_000
SUREST = 12
SCORES = (area_under_curve, balanced_accuracy)
NAMES = ("area under the curve", "balanced accuracy")
HEAD_NAMES = {
    "trees": "gradient-boosted trees",
    "pairs": "a logistic law of all columns and their products of two",
}
MOST_COLUMNS = 64
COMPONENTS = 50


@dataclass(frozen=True)
class Setup:
    """What all classifiers of one comparison share.

    Attributes
    ----------
    on : str
        ``"properties"`` or the id of a feature extractor.
    columns : tuple of str
        After the reduction to principal components, if there was one.
    n_given : int
        Columns before it.
    folds : int
        Of the cross-validation.
    confidence : float
        Of the intervals.
    seed : int
        Of everything.
    """

    on: str
    columns: tuple[str, ...]
    n_given: int
    folds: int
    confidence: float
    seed: int


def two_sample_classifiers(
    reference: ArrayLike,
    generated: ArrayLike,
    columns: Sequence[str],
    *,
    on: str = "properties",
    seed: int = 0,
    folds: int = 5,
    heads: Sequence[str] = ("trees", "pairs"),
    confidence: float = 0.95,
    workers: int = 1,
    progress: ProgressCallback = ignore_progress,
) -> tuple[ClassifierTest, ...]:
    """Train classifiers to tell two sets apart and judge them on galaxies that they have not seen.

    Classifier two-sample tests after Lopez-Paz & Oquab (2017). Both sets give the same number of
    galaxies, `MOST_ROWS` at most, drawn at random. Area under the curve and accuracy are means over the folds
    of a cross-validation, their p values come from folds that were told by earlier folds alone
    (`galsmith.compare.classifiers.cross_validation.sequential_p`), which keeps the promised share of false alarms.
    More than `MOST_COLUMNS` columns, such as features, are first reduced to the principal components of both
    sets together and the length of what these leave out (`galsmith.compare.classifiers.two_sample`).

    Parameters
    ----------
    reference, generated : array_like [galaxy, column], float
        Finite numbers in any unit.
    columns : sequence of str
        Their names.
    on : str
        What the columns are: ``"properties"`` or the id of a feature extractor.
    seed : int
        Fixes all draws.
    folds : int
        Of the cross-validation, 2 or more.
    heads : sequence of str
        Keys of `galsmith.compare.classifiers.heads.HEADS`.
    confidence : float
        Of the intervals.
    workers : int
        Processes that share the classifiers where these are large; no number depends on it.
    progress : callable
        Told after each classifier.

    Returns
    -------
    tuple of ClassifierTest
        One a head.

    Raises
    ------
    SettingsError
        If an argument is out of range or a head is unknown.
    InputError
        If a set has too few galaxies or values that are not finite.
    """
    _check_settings(folds, confidence, heads)
    # Four galaxies of either set a fold at least.
    first, second = checked_rows(reference, generated, columns, minimum=4 * folds)
    # Lopez-Paz & Oquab (2017), section 3: both sets give as many, so that guessing is right half of the time.
    n_each = min(len(first), len(second), MOST_ROWS)
    chosen = [
        choose_rows(len(side), n_each, seed=seed, purpose=f"compare.classifier.{role}")
        for role, side in (("reference", first), ("generated", second))
    ]
    # Both sets together set the unit: in the reference's own, rows would not be exchangeable.
    given = standardize_together(first[chosen[0]], second[chosen[1]])
    values, names = reduce_columns(*given, columns)
    setup = Setup(on, names, len(columns), folds, confidence, seed)
    cases = []
    for head in heads:
        of_head = derive_seed(seed, f"compare.classifier.{head}")
        cases.append(Case(label_rows(*values, folds=folds, seed=of_head), head, of_head))
    found = cross_validate(cases, workers=workers, progress=progress)
    return tuple(_test(case, validated, chosen, setup) for case, validated in zip(cases, found, strict=True))


def in_rows(test: ClassifierTest, reference: Rows, generated: Rows) -> ClassifierTest:
    """Name the rows that are told most surely by their place in whole sets, of which the classifier saw some rows.

    Parameters
    ----------
    test : ClassifierTest
        As `two_sample_classifiers` gave it.
    reference, generated : ndarray [row], int64
        Which rows of each set it was given.
    """
    return replace(
        test,
        # Pages show these galaxies, and find them by their rows.
        told_reference=tuple(int(reference[row]) for row in test.told_reference),
        told_generated=tuple(int(generated[row]) for row in test.told_generated),
    )


def _test(case: Case, validated: Validated, chosen: Sequence[Rows], setup: Setup) -> ClassifierTest:
    """Judge one kind of classifier."""
    rows, n_each = case.rows, len(chosen[0])
    auc, accuracy = (
        _statistic(
            scores_by_fold(rows, validated, score),
            sequential_p(sequential_scores(rows, validated, score)),
            confidence=setup.confidence,
            name=NAMES[place],
            definition=_definition(place, case.head, setup),
            n_each=n_each,
        )
        for place, score in enumerate(SCORES)
    )
    # Scores of all folds in one order, though folds have their own zero points.
    order = np.argsort(validated.scores, kind="stable")
    surest_real, surest_generated = order[order < n_each][:SUREST], order[order >= n_each][::-1][:SUREST]
    return ClassifierTest(
        head=case.head,
        on=setup.on,
        auc=auc,
        accuracy=accuracy,
        giveaways=find_giveaways(case, validated, setup.columns),
        told_reference=tuple(int(row) for row in chosen[0][surest_real]),
        told_generated=tuple(int(row) for row in chosen[1][surest_generated - n_each]),
    )


def _statistic(
    folds: Sequence[FoldScore],
    p_value: float,
    *,
    confidence: float,
    name: str,
    definition: str,
    n_each: int,
) -> Statistic:
    """Make the record of area under the curve or accuracy."""
    value, uncertainty = mean_of_folds(folds)
    # Normal: an area is a mean over thousands of pairs (DeLong et al. 1988).
    reach = float(norm.isf((1 - confidence) / 2)) * uncertainty
    estimate = Estimate(
        value=value,
        corrected=value,
        uncertainty=uncertainty,
        interval=(max(value - reach, 0.0), min(value + reach, 1.0)),
        # Known, so that no classifier is trained for it: by chance half of all pairs are in order.
        floor=0.5,
        floor_sigma=null_sigma(folds),
    )
    return Statistic(name, definition, estimate, p_value, n_each, n_each)


def _definition(place: int, head: str, setup: Setup) -> str:
    """One sentence on what was done, with its source."""
    what = ("Area under the receiver operating characteristic", "Balanced accuracy")[place]
    reduced = (
        f" of {len(setup.columns) - 1} principal components of {setup.n_given} columns and the length of the rest"
        if setup.n_given > MOST_COLUMNS
        else ""
    )
    return (
        f"{what} of {HEAD_NAMES[head]}{reduced} on images that it was not trained on, the mean of {setup.folds} folds "
        "with as many images of either set (Lopez-Paz & Oquab 2017); 0.5 is chance. The interval allows for "
        "folds that train one another (Nadeau & Bengio 2003), the test takes folds told by earlier ones alone; the floor "
        "is chance itself, with the scatter of scores that have nothing to do with the sets."
    )


def _check_settings(folds: int, confidence: float, heads: Sequence[str]) -> None:
    """Refuse settings from which nothing follows."""
    Chance(confidence=confidence)  # refuses what is no confidence
    if folds < 2:
        raise SettingsError(argument="folds", came=folds, wanted="2 or more (5 are usual)")
    for head in heads:
        if head not in HEADS:
            raise SettingsError(
                f"there is no such classifier{near_miss(head, list(HEADS))}",
                argument="heads",
                came=head,
                wanted=f"some of {', '.join(HEADS)}",
            )


def reduce_columns(
    reference: Floats, generated: Floats, columns: Sequence[str]
) -> tuple[tuple[Floats, Floats], tuple[str, ...]]:
    """Replace more than `MOST_COLUMNS` columns by `COMPONENTS` principal components and the length of the rest.

    The components are those of both sets together: fitted to the reference alone they would fit it better
    than any other set, and a classifier would tell the sets apart by that. The length of the rest, taken as
    its logarithm, keeps what the generated set has and no component shows.

    Parameters
    ----------
    reference, generated : ndarray [galaxy, column], float64
        Finite.
    columns : sequence of str
        Their names.

    Returns
    -------
    values : tuple of ndarray [galaxy, column], float64
        Reference and generated set; as given where there are few columns. Components have unit variance.
    names : tuple of str
        ``pc_00`` and so on, ``pc_rest`` last.
    """
    if reference.shape[1] <= MOST_COLUMNS:
        return (reference, generated), tuple(columns)
    pooled = np.concatenate([reference, generated])
    pooled -= pooled.mean(axis=0)
    # Eigenvalues ascend, so that the widest components come last.
    axes = np.linalg.eigh(pooled.T @ pooled)[1][:, ::-1][:, :COMPONENTS]
    along = pooled @ axes
    # Pythagoras: what the components leave of each row's squared length.
    rest = np.sqrt(np.maximum((pooled**2).sum(axis=1) - (along**2).sum(axis=1), 0.0))
    # 1e-6 of the mean keeps the logarithm finite where nothing is left.
    found = np.column_stack([along, np.log(rest + 1e-6 * (rest.mean() + 1e-12))])
    sigma = found.std(axis=0)
    found = (found - found.mean(axis=0)) / np.where(sigma > 0, sigma, 1.0)
    names = (*(f"pc_{number:02d}" for number in range(COMPONENTS)), "pc_rest")
    return (found[: len(reference)], found[len(reference) :]), names
