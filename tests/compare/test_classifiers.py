"""Classifier two-sample tests against scikit-learn, Gaussians whose answer is known, and what gives a set away."""

import numpy as np
import pytest
from scipy.stats import binom, mannwhitneyu, norm
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from threadpoolctl import threadpool_info, threadpool_limits

from galsmith.compare.classifiers.cross_validation import (
    Case,
    FoldScore,
    area_alone,
    area_under_curve,
    balanced_accuracy,
    cross_validate,
    label_rows,
    mean_of_folds,
    null_sigma,
    scores_by_fold,
    sequential_p,
    sequential_scores,
)
from galsmith.compare.classifiers.heads import HEADS, fit_pairs
from galsmith.compare.classifiers.two_sample import (
    COMPONENTS,
    MOST_ROWS,
    SUREST,
    reduce_columns,
    two_sample_classifiers,
)
from galsmith.errors import InputError, SettingsError
from galsmith.seeds import random_stream


def gaussians(n, m, columns, *, case=0, shift=0.0):
    rng = random_stream(case, "test.classifiers")
    first, second = rng.normal(size=(n, columns)), rng.normal(size=(m, columns))
    second[:, 0] += shift
    return first, second


def names(columns):
    return [f"column_{number}" for number in range(columns)]


def judged(first, second, head, **settings):
    (test,) = two_sample_classifiers(first, second, names(first.shape[1]), heads=[head], **settings)
    return test


def validate(rows, head, *, seed=0):
    (validated,) = cross_validate([Case(rows, head, seed)])
    return validated


@pytest.mark.parametrize("decimals", [8, 1, 0])
def test_area_and_accuracy_are_scikit_learns(decimals):
    rng = random_stream(decimals, "test.scores")
    labels = np.repeat([0, 1], [70, 50])
    scores = np.round(rng.normal(size=120) + 0.7 * labels, decimals)
    assert area_under_curve(scores, labels).value == pytest.approx(roc_auc_score(labels, scores), rel=1e-12)
    assert area_alone(scores, labels) == pytest.approx(roc_auc_score(labels, scores), rel=1e-12)
    expected = balanced_accuracy_score(labels, scores > 0)
    assert balanced_accuracy(scores, labels).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("decimals", [8, 0])
def test_null_variance_of_the_area_is_scipys(decimals):
    rng = random_stream(decimals, "test.scores")
    labels = np.repeat([0, 1], [70, 50])
    scores = np.round(rng.normal(size=120), decimals)
    found = area_under_curve(scores, labels)
    scipy = mannwhitneyu(
        scores[labels == 1],
        scores[labels == 0],
        alternative="greater",
        use_continuity=False,
        method="asymptotic",
    )
    assert norm.sf((found.value - 0.5) / np.sqrt(found.null_variance)) == pytest.approx(
        scipy.pvalue, rel=1e-9
    )


@pytest.mark.parametrize("score", [area_under_curve, balanced_accuracy])
def test_null_variances_are_those_of_shuffled_labels(score):
    rng = random_stream(0, "test.shuffled")
    labels = np.repeat([0, 1], [40, 30])
    scores = np.round(rng.normal(size=70) + 0.4, 1)
    shuffled = [score(scores, rng.permutation(labels)).value for _ in range(1500)]
    assert np.mean(shuffled) == pytest.approx(0.5, abs=0.01)
    assert score(scores, labels).null_variance == pytest.approx(np.var(shuffled), rel=0.12)  # 1500 give 4 %


@pytest.mark.parametrize("score", [area_under_curve, balanced_accuracy])
def test_variances_are_those_of_fresh_scores(score):
    rng = random_stream(1, "test.fresh")
    labels = np.repeat([0, 1], [80, 60])
    found = [score(rng.normal(size=140) + 1.6 * labels - 0.6, labels) for _ in range(1000)]
    assert np.mean([one.variance for one in found]) == pytest.approx(
        np.var([one.value for one in found]), rel=0.15
    )


@pytest.mark.parametrize("head", ["trees", "pairs"])
def test_area_for_two_gaussians_is_the_known_one(head):
    # The best score of N(0, 1) against N(d, 1) has the area Phi(d / sqrt 2) and the accuracy Phi(d / 2).
    test = judged(*gaussians(1500, 1500, 3, shift=1.5), head)
    best = norm.cdf(1.5 / np.sqrt(2)), norm.cdf(0.75)
    # 1500 a side scatter by 0.008; trees lose a hundredth or two to what they learn of the noise.
    for found, expected in zip((test.auc, test.accuracy), best, strict=True):
        assert expected - 0.045 < found.value < expected + 0.025
        assert found.interval[0] < found.value < found.interval[1]
        assert found.p_value < 1e-12
        assert found.floor == 0.5
    assert test.auc.estimate.uncertainty < 0.016
    assert test.giveaways[0].column == "column_0"
    assert test.giveaways[0].importance == pytest.approx(test.auc.value - 0.5, abs=0.05)


@pytest.mark.parametrize("head", ["trees", "pairs"])
def test_no_difference_is_not_seen(head):
    test = judged(*gaussians(300, 400, 4, case=3), head)
    assert test.auc.p_value > 0.05
    assert test.accuracy.p_value > 0.05
    assert test.auc.interval[0] < 0.5 < test.auc.interval[1]
    assert (test.auc.n_reference, test.auc.n_generated) == (300, 300)


def test_removed_correlations_are_seen_by_products_and_the_product_is_named():
    rng = random_stream(0, "test.removed")
    first, second = rng.normal(size=(2, 1500, 6))
    first[:, 4] = 0.6 * first[:, 1] + 0.8 * first[:, 4]  # the columns alone stay normal
    test = judged(first, second, "pairs")
    assert test.auc.p_value < 1e-6
    products = [item.column for item in test.giveaways if "*" in item.column]
    assert products[0] == "column_1 * column_4"
    assert {item.column for item in test.giveaways[:3]} == {"column_1 * column_4", "column_1", "column_4"}


def test_dose_is_monotone_and_rows_told_are_the_clearest():
    areas = []
    for shift in (0.0, 0.4, 0.8, 1.6):
        first, second = gaussians(500, 500, 3, shift=shift)
        test = judged(first, second, "pairs")
        areas.append(test.auc.value)
    assert areas == sorted(areas)
    assert len(test.told_reference) == len(test.told_generated) == SUREST
    # The score rises with column 0 alone, but for the noise in the other products.
    assert first[list(test.told_reference), 0].max() < np.quantile(first[:, 0], 0.15)
    assert second[list(test.told_generated), 0].min() > np.quantile(second[:, 0], 0.85)


def test_rows_told_are_rows_of_the_whole_sets():
    first, second = gaussians(120, 900, 2)
    odd = np.arange(3, 900, 9)
    second[odd] += 6.0
    test = judged(first, second, "pairs")
    assert set(test.told_generated) <= set(odd.tolist())


def test_units_do_not_matter_and_the_seed_decides():
    first, second = gaussians(150, 150, 3, shift=0.5)
    unit, zero = np.array([1e-3, 1.0, 1e4]), np.array([5.0, 0.0, -1e4])
    plain, scaled = judged(first, second, "pairs"), judged(first * unit + zero, second * unit + zero, "pairs")
    assert scaled.auc.value == pytest.approx(plain.auc.value, abs=2e-3)  # a rank or two by rounding
    assert judged(first, second, "pairs") == plain
    assert judged(first, second, "pairs", seed=1) != plain


def test_folds_hold_as_many_of_either_set():
    rows = label_rows(*gaussians(53, 53, 2), folds=5, seed=0)
    for fold in range(5):
        labels = rows.labels[rows.folds == fold]
        assert labels.sum() * 2 == len(labels)


def test_scores_come_from_classifiers_that_have_not_seen_the_row():
    # Labels at random: a classifier that has seen the rows would tell them, one that has not cannot.
    rows = label_rows(*gaussians(300, 300, 8), folds=5, seed=0)
    seen = HEADS["trees"](rows.values, rows.labels, seed=0).scores(rows.values)
    unseen = validate(rows, "trees")
    assert area_under_curve(seen, rows.labels).value > 0.95
    assert mean_of_folds(scores_by_fold(rows, unseen, area_under_curve))[0] == pytest.approx(0.5, abs=0.08)


def test_law_of_second_degree_is_scikit_learns_on_the_terms():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    first, second = gaussians(200, 200, 4, shift=0.7)
    values, labels = np.concatenate([first, second]), np.repeat([0, 1], 200)
    model = make_pipeline(
        PolynomialFeatures(2, include_bias=False), StandardScaler(), LogisticRegression(C=0.01, tol=1e-8)
    ).fit(values, labels)
    fitted = fit_pairs(values, labels, seed=0)
    # Both stop near the one minimum.
    assert fitted.scores(values) == pytest.approx(model.decision_function(values), abs=2e-3)
    linear = fitted.constant + values @ fitted.linear
    assert linear + fitted.products(values).sum(axis=0) == pytest.approx(fitted.scores(values))


def test_interval_covers_the_scatter_of_fresh_cross_validations():
    values, sigmas = [], []
    for case in range(60):
        first, second = gaussians(100, 100, 5, case=case)
        rows = label_rows(first, second, folds=5, seed=case)
        value, sigma = mean_of_folds(scores_by_fold(rows, validate(rows, "pairs"), area_under_curve))
        values.append(value)
        sigmas.append(sigma)
    # Folds as if they were independent would give a ratio of 1.4; 60 cases know the scatter to 9 %.
    assert 0.7 < np.std(values) / np.mean(sigmas) < 1.2


def test_floor_is_chance_and_scatters_as_nothing_does():
    # No classifier is trained for the floor: 0.5 and its scatter are known, and are those of sets without difference.
    values, sigmas = [], []
    for case in range(60):
        rows = label_rows(*gaussians(100, 100, 5, case=200 + case), folds=5, seed=case)
        folds = scores_by_fold(rows, validate(rows, "pairs"), area_under_curve)
        values.append(mean_of_folds(folds)[0])
        sigmas.append(null_sigma(folds))
    assert np.mean(values) == pytest.approx(0.5, abs=3 * np.mean(sigmas) / np.sqrt(60))
    assert 0.75 < np.std(values) / np.mean(sigmas) < 1.25  # 60 cases know the scatter to 9 %
    assert judged(*gaussians(100, 100, 5, shift=1.5), "pairs").auc.estimate.floor_sigma == pytest.approx(
        np.mean(sigmas), rel=0.02
    )


def test_numbers_do_not_depend_on_how_many_processes_train(monkeypatch):
    monkeypatch.setattr("galsmith.compare.classifiers.cross_validation.VALUES_WORTH_A_PROCESS", 1)
    sets = gaussians(60, 60, 3, shift=0.5)
    alone, shared = (two_sample_classifiers(*sets, names(3), workers=workers) for workers in (1, 2))
    assert alone == shared  # bit for bit: a float that differs in its last place is another


def test_classifiers_train_in_one_thread(monkeypatch):
    threads = []

    def watched(values, labels, *, seed):
        threads.extend(library["num_threads"] for library in threadpool_info())
        return fit_pairs(values, labels, seed=seed)

    monkeypatch.setitem(HEADS, "pairs", watched)
    with threadpool_limits(limits=2):
        judged(*gaussians(40, 40, 2), "pairs")
        assert {library["num_threads"] for library in threadpool_info()} == {2}
    assert threads
    assert set(threads) == {1}


def test_sequential_p_adds_independent_folds():
    folds = [FoldScore(0.5 + z * 0.1, 0.01, 0.01) for z in (1.0, 2.0, 0.0, 1.0)]
    assert sequential_p(folds) == pytest.approx(norm.sf(2.0))
    assert sequential_p([FoldScore(0.5, 0.0, 0.0)]) == 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "columns", "count"), [("trees", 5, 200), ("pairs", 5, 400), ("pairs", 70, 100)]
)
def test_false_alarms_are_as_many_as_promised(head, columns, count):
    # A test of a cross-validation's mean that takes its folds for independent gives 12 % instead of 5 %.
    alarms = np.zeros(2, dtype=int)
    for case in range(count):
        values, few = reduce_columns(*gaussians(100, 100, columns, case=1000 + case), names(columns))
        assert len(few) <= 51
        rows = label_rows(*values, folds=5, seed=case)
        validated = validate(rows, head, seed=case)
        scores = (
            sequential_scores(rows, validated, score) for score in (area_under_curve, balanced_accuracy)
        )
        alarms += np.array([sequential_p(folds) < 0.05 for folds in scores])
    low, high = binom.interval(0.998, count, 0.05)
    assert np.all((low <= alarms) & (alarms <= high)), alarms


def test_many_columns_become_principal_components_of_both_sets():
    first, second = gaussians(200, 150, 80)
    (one, other), columns = reduce_columns(first, second, names(80))
    assert columns[:2] == ("pc_00", "pc_01")
    assert columns[-1] == "pc_rest"
    assert len(columns) == COMPONENTS + 1 == one.shape[1]
    both = np.concatenate([one, other])
    assert np.cov(both[:, :COMPONENTS].T, bias=True) == pytest.approx(np.eye(COMPONENTS), abs=1e-9)
    few = first[:, :10], second[:, :10]
    kept, columns = reduce_columns(*few, names(10))
    assert kept == few
    assert columns == tuple(names(10))


def test_components_hold_what_scikit_learns_hold():
    from sklearn.decomposition import PCA

    first, second = gaussians(300, 200, 80)
    scale = np.linspace(3, 0.1, 80)
    (one, other), _ = reduce_columns(first * scale, second * scale, names(80))
    expected = PCA(COMPONENTS, whiten=True, svd_solver="full").fit_transform(
        np.concatenate([first, second]) * scale
    )
    found = np.concatenate([one, other])[:, :COMPONENTS]
    assert np.abs((found * expected).mean(axis=0)) == pytest.approx(1, abs=0.01)


def test_what_no_component_shows_is_seen_in_the_rest():
    rng = random_stream(0, "test.rest")
    scale = np.concatenate([np.full(50, 10.0), np.full(50, 0.1)])
    first, second = rng.normal(size=(2, 300, 100)) * scale
    second[:, 50:] *= 1.5
    # Standardizing would level the columns, so that the reduction is tested on its own.
    (one, other), columns = reduce_columns(first, second, names(100))
    assert columns[-1] == "pc_rest"
    assert roc_auc_score(np.repeat([0, 1], 300), np.concatenate([one, other])[:, -1]) > 0.95


def test_features_are_told_by_components_and_it_is_said():
    first, second = gaussians(150, 150, 90)
    second[:, :40] += 0.6
    test = judged(first, second, "pairs", on="network")
    assert test.on == "network"
    assert "50 principal components of 90 columns" in test.auc.definition
    assert all(item.column.startswith("pc_") for item in test.giveaways)
    assert "principal" not in judged(first[:, :3], second[:, :3], "pairs").auc.definition
    assert test.auc.p_value < 1e-3


def test_many_galaxies_are_thinned(monkeypatch):
    assert MOST_ROWS == 10_000
    monkeypatch.setattr("galsmith.compare.classifiers.two_sample.MOST_ROWS", 50)
    test = judged(*gaussians(200, 90, 2), "pairs")
    assert test.auc.n_reference == test.auc.n_generated == 50


def test_progress_is_told():
    events = []
    judged(*gaussians(40, 40, 2), "pairs", progress=events.append)
    # Five folds, and folds 2 to 4 once more by the folds before them alone.
    assert [(event.done, event.total) for event in events] == [(done, 8) for done in range(1, 9)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folds": 1}, "`folds=1`: wanted 2 or more"),
        ({"confidence": 95}, "`confidence=95`: wanted a share"),
        ({"heads": ["tree"]}, "`heads=tree`: there is no such classifier .did you mean 'trees'"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(SettingsError, match=message):
        two_sample_classifiers(*gaussians(40, 40, 2), names(2), **settings)


def test_too_few_galaxies_are_refused():
    with pytest.raises(InputError, match="`generated`: it has 19 galaxies; wanted 20 or more"):
        two_sample_classifiers(*gaussians(40, 19, 2), names(2))
