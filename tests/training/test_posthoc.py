"""Averages of any width from averages of two: profiles against quadrature, reconstructions against true averages."""

import numpy as np
import pytest
from scipy.integrate import quad

from galsmith.training.averages.power_function import (
    Profile,
    combination,
    gamma_from_width,
    inner_products,
    profile_error,
)

KEPT_WIDTHS = (0.05, 0.10)


def density(profile: Profile, time: float) -> float:
    gamma = gamma_from_width(profile.width)
    return float((gamma + 1) * time**gamma / profile.end ** (gamma + 1)) if time <= profile.end else 0.0


def kept_at(n: int, end: float = 1000.0) -> list[Profile]:
    return [Profile(end * (k + 1) / n, width) for k in range(n) for width in KEPT_WIDTHS]


def average_of_power(profile: Profile, exponent: float) -> float:
    """Average of t**exponent under a profile, in closed form."""
    gamma = gamma_from_width(profile.width)
    return float((gamma + 1) / (gamma + 1 + exponent) * profile.end**exponent)


def average_of_steps(profile: Profile, values: np.ndarray) -> float:
    """Average of one weight as `PowerFunctionEma` takes it: of a value a step of one image."""
    gamma = gamma_from_width(profile.width)
    reached = (np.minimum(np.arange(len(values) + 1), profile.end) / profile.end) ** (gamma + 1)
    return float(np.diff(reached) @ values)


@pytest.mark.parametrize("one", [Profile(100.0, 0.05), Profile(60.0, 0.1), Profile(3e7, 0.03)])
@pytest.mark.parametrize("other", [Profile(100.0, 0.1), Profile(2.9e7, 0.25)])
def test_inner_products_are_the_integrals(one: Profile, other: Profile) -> None:
    end = min(one.end, other.end)
    found, _ = quad(
        lambda share: end * density(one, end * share) * density(other, end * share), 0.0, 1.0, epsabs=0
    )
    assert inner_products([one], [other])[0, 0] == pytest.approx(found, rel=1e-9)


def test_inner_products_are_symmetric_and_positive() -> None:
    products = inner_products(kept_at(8), kept_at(8))
    assert np.allclose(products, products.T, rtol=1e-14)
    assert np.all(products > 0)
    assert products[0, 1] ** 2 < products[0, 0] * products[1, 1]


@pytest.mark.parametrize("width", KEPT_WIDTHS)
def test_a_kept_width_is_given_back(width: float) -> None:
    weights = combination(kept_at(8), Profile(1000.0, width))
    wanted = np.zeros(16)
    wanted[14 + KEPT_WIDTHS.index(width)] = 1.0
    assert weights == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("width", [0.03, 0.08, 0.15, 0.2])
@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_a_known_trajectory_is_averaged_the_better_the_more_was_kept(width: float, exponent: float) -> None:
    wanted = Profile(1000.0, width)
    true = average_of_power(wanted, exponent)
    errors = []
    for n in (8, 16, 32):
        found = combination(kept_at(n), wanted) @ [average_of_power(one, exponent) for one in kept_at(n)]
        errors.append(abs(found / true - 1))
    assert errors[0] < 1e-2
    assert errors[0] > 2 * errors[1] > 4 * errors[2]


@pytest.mark.parametrize("width", [0.03, 0.08, 0.15])
def test_as_many_averages_as_steps_are_exact(width: float) -> None:
    n = 128
    values = np.random.default_rng(0).normal(size=n).cumsum()
    wanted = Profile(float(n), width)
    kept = kept_at(n, end=float(n))
    found = combination(kept, wanted) @ [average_of_steps(one, values) for one in kept]
    assert found == pytest.approx(average_of_steps(wanted, values), abs=1e-6 * values.std())


@pytest.mark.parametrize("width", [0.03, 0.08, 0.2])
def test_weights_that_do_not_change_stay(width: float) -> None:
    assert combination(kept_at(4), Profile(1000.0, width)).sum() == pytest.approx(1.0, abs=1e-9)


def test_the_error_of_a_profile_is_the_integrated_difference() -> None:
    kept, wanted = kept_at(8), Profile(1000.0, 0.03)
    weights = combination(kept, wanted)
    times = (np.arange(200_000) + 0.5) / 200
    sums = sum(
        weight
        * np.where(times <= one.end, density(Profile(1000.0, one.width), 1000.0), 0)
        * (times / one.end) ** gamma_from_width(one.width)
        * (1000.0 / one.end)
        for weight, one in zip(weights, kept, strict=True)
    )
    gamma = gamma_from_width(0.03)
    right = (gamma + 1) / 1000.0 * (times / 1000.0) ** gamma
    found = np.sqrt(np.sum((sums - right) ** 2) / np.sum(right**2))
    assert profile_error(kept, weights, wanted) == pytest.approx(found, rel=1e-3)
    assert profile_error(kept_at(32), combination(kept_at(32), wanted), wanted) < 0.2 * found


def test_no_step_away_from_the_combination_is_nearer() -> None:
    kept, wanted = kept_at(4), Profile(1000.0, 0.07)
    weights = combination(kept, wanted)
    best = profile_error(kept, weights, wanted)
    rng = np.random.default_rng(1)
    for _ in range(20):
        step = rng.normal(size=len(weights))
        assert profile_error(kept, weights + 1e-3 * (step - step.mean()), wanted) >= best


def test_nothing_kept_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no average was kept"):
        combination([], Profile(1.0, 0.1))
