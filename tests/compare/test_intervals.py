"""Intervals of distances: laws with a known answer, ends that are never empty, and how often they hold the truth."""

import numpy as np
import pytest
from benchmark_coverage import interval_of, many_columns, one_column
from scipy.stats import binom, binomtest, norm

from galsmith.compare.intervals import Law, inverted, norm_law, plain_ends, student_ends, wilson_ends
from galsmith.compare.marginal.empirical_process import bootstrap_processes
from galsmith.compare.marginal.per_property import BOOTSTRAP, redrawn_distances
from galsmith.compare.marginal.wasserstein import pool_values
from galsmith.compare.normalization import NORMALIZATIONS, influence_of
from galsmith.seeds import random_stream


def scatter_of(first, second, *, draws=400, seed=0, period=None):
    pooled = [pool_values(one, other, period=period) for one, other in zip(first.T, second.T, strict=True)]
    return bootstrap_processes(
        pooled, n_reference=len(first), n_generated=len(second), draws=draws, seed=seed
    )


def test_inverting_a_normal_law_gives_the_normal_interval():
    truths = np.linspace(0, 20, 81)
    z = norm.ppf((np.arange(4000) + 0.5) / 4000)
    ends = inverted(10.0, Law(truths, truths[:, None] + z), 0.95)
    assert ends == pytest.approx((10.0, 10 - 1.96, 10 + 1.96), abs=0.01)
    beyond = inverted(30.0, Law(truths, truths[:, None] + z), 0.95)  # the law goes on as a line
    assert beyond == pytest.approx((30.0, 30 - 1.96, 30 + 1.96), abs=0.01)


def test_length_of_a_noisy_vector_has_the_noncentral_law():
    # |t e + z| in three dimensions is Rice's law; its 97.5 % quantile without signal is the root of chi2's, 3.06.
    noise = random_stream(0, "test.norm").normal(size=(20_000, 3))
    law = norm_law(noise[:, 0], (noise**2).sum(axis=1))
    assert inverted(3.0, law, 0.95).low == 0
    assert inverted(3.2, law, 0.95).low > 0
    far = inverted(9.0, law, 0.95)
    # (t + z1)^2 + z2^2 + z3^2 lies two noise squares higher: 9 = sqrt(t^2 + 3) in the mean.
    assert far == pytest.approx((np.sqrt(79), np.sqrt(79) - 1.96, np.sqrt(79) + 1.96), abs=0.15)


@pytest.mark.parametrize("successes", [0, 7, 50])
def test_shares_have_wilsons_interval(successes):
    ends = wilson_ends(successes, 50, 0.95)
    expected = binomtest(successes, 50).proportion_ci(0.95, method="wilson")
    assert ends[1:] == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert ends.low < ends.high


def test_few_draws_are_bounded_by_student_and_never_empty():
    drawn = random_stream(0, "test.student").normal(size=20)
    reach = 2.093 * drawn.std(ddof=1)  # t of 19 degrees of freedom
    assert student_ends(-1.0, drawn, 0.95) == pytest.approx((0.0, 0.0, reach), rel=1e-3)
    low, high = student_ends(5.0, drawn, 0.95)[1:]
    assert low == pytest.approx(5 - reach, rel=1e-3)
    # At the upper end the spread is larger, as the root of the truth is.
    assert high - 5 == pytest.approx(reach * np.sqrt(high / 5), rel=1e-3)
    assert student_ends(5.0, 1e-9 * drawn, 0.95) == pytest.approx((5.0, 5.0, 5.0))
    assert student_ends(0.0, np.zeros(20), 0.95) == (0, 0, 0)


def test_plain_distances_allow_for_deals_near_zero_and_for_their_bias_far_away():
    noise = random_stream(0, "test.plain").normal(size=(2, 5000))
    near = plain_ends(1.0, drawn=1.4 + 0.3 * noise[0], dealt=1.0 + 0.3 * noise[1], confidence=0.95)
    assert near.low == 0
    assert near.high == pytest.approx(1.0 + 1.96 * 0.3, abs=0.05)
    far = plain_ends(9.0, drawn=9.1 + 0.3 * noise[0], dealt=0.1 + 0.01 * noise[1], confidence=0.95)
    assert far == pytest.approx((8.9, 8.9 - 1.96 * 0.3, 9 + 1.96 * 0.3), abs=0.05)


def test_draws_are_those_of_the_plain_bootstrap_and_their_unit_is_drawn_too():
    rng = random_stream(1, "test.process")
    first, second = rng.normal(size=(300, 2)), rng.normal(size=(200, 2)) + 0.5
    first[::7, 1] = np.nan
    pooled = [pool_values(one, other) for one, other in zip(first.T, second.T, strict=True)]
    sizes = {"n_reference": 300, "n_generated": 200, "draws": 70, "seed": 3}
    plain = redrawn_distances(pooled, BOOTSTRAP, **sizes)
    assert np.array_equal(bootstrap_processes(pooled, **sizes)[0], plain)
    influences = np.stack([influence_of(one, "reference-zscore") for one in first.T], axis=1)
    drawn, _ = bootstrap_processes(pooled, **sizes, influences=influences)
    units = plain / drawn
    # The standard deviation of n normal values scatters by 1 / sqrt(2 n); 70 draws know it to 9 %.
    assert units.std(axis=0) == pytest.approx(1 / np.sqrt(2 * np.array([300, 257])), rel=0.3)


@pytest.mark.parametrize("normalization", ["reference-zscore", "reference-iqr"])
def test_influence_is_the_scatter_of_the_unit_and_none_of_a_given_one(normalization):
    rng = random_stream(2, "test.influence")
    values = rng.gamma(2.0, size=2000)
    drawn = [NORMALIZATIONS[normalization](rng.choice(values, len(values))) for _ in range(400)]
    expected = np.std(drawn) / NORMALIZATIONS[normalization](values)
    influence = influence_of(np.append(values, np.nan), normalization)
    assert np.isnan(influence[-1])
    assert influence[:-1].std() / np.sqrt(len(values)) == pytest.approx(expected, rel=0.2)
    assert not influence_of(values, "none").any()


def test_ends_are_never_empty_or_backwards_and_hold_the_distance():
    for case, shift in enumerate((0.0, 0.02, 0.2, 0.8, 6.0)):
        rng = random_stream(case, "test.ends")
        first, second = rng.normal(size=(150, 4)), rng.normal(size=(120, 4)) + shift
        _, scatter = scatter_of(first, second, draws=200)
        for weights in (*np.eye(4), np.full(4, 0.25)):
            ends = scatter.ends(weights, 0.95)
            assert 0 <= ends.low <= ends.corrected <= ends.high
            assert ends.low <= scatter.values @ weights <= ends.high
            assert ends.high > ends.low
    _, same = scatter_of(first, first, draws=200)  # nearer than chance makes equal sets
    assert same.values.max() == 0
    assert same.ends(np.eye(4)[0], 0.95).low == 0 < same.ends(np.eye(4)[0], 0.95).high


def test_interval_narrows_as_galaxies_are_added_and_moves_with_the_truth():
    ends = {
        (n, d): interval_of(one_column("shift", d, n, 0), 0, 200) for n in (200, 3200) for d in (0.0, 1.0)
    }
    for distance in (0.0, 1.0):
        few, many = (ends[n, distance][1] - ends[n, distance][0] for n in (200, 3200))
        assert 2.5 < few / many < 6  # 16 times the galaxies: 4
    assert ends[3200, 0.0][1] < 0.2
    assert ends[3200, 1.0][0] > 0.8


def test_angles_are_bounded_on_their_circle():
    rng = random_stream(0, "test.circle")
    first = np.mod(rng.vonmises(0, 2, size=(400, 1)), 2 * np.pi)
    # Turned by 0.7: on the circle that is the distance, across the branch cut.
    second = np.mod(rng.vonmises(0, 2, size=(400, 1)) + 0.7, 2 * np.pi)
    _, scatter = scatter_of(first, second, period=2 * np.pi)
    ends = scatter.ends(np.ones(1), 0.95)
    assert ends.low < 0.7 < ends.high < 1.0
    _, null = scatter_of(first, np.mod(rng.vonmises(0, 2, size=(400, 1)), 2 * np.pi), period=2 * np.pi)
    assert null.ends(np.ones(1), 0.95).low < 0.05


def held(draw, truth, cards):
    """How many of the cards have an interval that holds the truth."""
    ends = np.array([interval_of(draw(case), case, 300) for case in range(cards)])
    return int(np.count_nonzero((ends[:, 0] <= truth) & (truth <= ends[:, 1])))


@pytest.mark.slow
@pytest.mark.parametrize("count", [400, 2000])
@pytest.mark.parametrize("truth", [0.0, 0.03, 0.1, 0.3, 1.0])
def test_intervals_of_rows_hold_the_truth_as_often_as_they_say(truth, count):
    # 95 % asked; at and near 0 the interval can miss at one end only, and 97.5 % hold.
    cards = 400 if count == 400 else 200
    found = held(lambda case: one_column("shift", truth, count, case), truth, cards)
    assert binom.sf(found, cards, 0.93) < 0.99, found  # not fewer than 93 %, at 1 % of chance
    if truth >= 0.3:
        assert binom.cdf(found, cards, 0.97) < 0.999, found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["scale", "mixture", "skewed"])
def test_intervals_of_other_differences_hold_the_truth(kind):
    found = held(lambda case: one_column(kind, 0.3, 400, case), 0.3, 300)
    assert binom.sf(found, 300, 0.93) < 0.99, found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "truth", "count"),
    [("shift", truth, 400) for truth in (0.0, 0.03, 0.1, 0.3, 1.0)]
    + [("common", 0.1, 400), ("some", 0.1, 400), ("shift", 0.0, 2000), ("shift", 0.3, 2000)],
)
def test_interval_of_the_mean_holds_the_truth(kind, truth, count):
    cards = 100 if count == 400 else 50
    found = held(lambda case: many_columns(kind, truth, count, case), truth, cards)
    assert binom.sf(found, cards, 0.93) < 0.99, found


@pytest.mark.slow
def test_the_percentile_interval_does_not_hold_it():
    # The check can fail: what a plain bootstrap of the distance says holds 0 in no more than two of three sets.
    found = 0
    for case in range(100):
        first, second = one_column("shift", 0.0, 400, case)
        drawn, scatter = scatter_of(first, second, draws=300, seed=case)
        low = np.quantile(drawn[:, 0], 0.025) - drawn.mean() + 2 * scatter.values[0] - drawn.mean()
        found += low <= 0
    assert found < 80
