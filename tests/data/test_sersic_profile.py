import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gamma, gammainc

from galsmith.data.sersic import b_n, central_brightness


def test_b_n_halves_the_light():
    n = np.array([0.5, 1.0, 2.5, 4.0, 6.0])
    assert gammainc(2 * n, b_n(n)) == pytest.approx(np.full(5, 0.5), rel=1e-12)


def test_b_n_of_an_exponential_and_a_de_vaucouleurs_law():
    # 1.67834699 and 7.66924944: Graham & Driver 2005, sec. 2.1.
    assert b_n([1.0, 4.0]) == pytest.approx([1.678346990, 7.669249443], rel=1e-9)


def test_series_is_near_the_exact_constant_but_not_equal():
    n = np.array([0.5, 1.0, 4.0])
    difference = np.abs(b_n(n, kind="series") - b_n(n)) / b_n(n)
    assert np.all(difference < [3e-3, 1e-4, 1e-6])
    assert difference[0] > 1e-5


def test_series_is_the_one_that_the_paper_prints():
    assert b_n(1.0, kind="series") == pytest.approx(
        2 - 1 / 3 + 4 / 405 + 46 / 25515 + 131 / 1148175, rel=1e-14
    )


@pytest.mark.parametrize("n", [0.5, 1.0, 4.0])
def test_brightness_integrates_to_the_flux(n):
    r_eff, b = 3.0, float(b_n(n))
    brightness = central_brightness(7.0, n, r_eff, b)
    total = quad(lambda r: 2 * np.pi * r * brightness * np.exp(-b * (r / r_eff) ** (1 / n)), 0, np.inf)[0]
    assert total == pytest.approx(7.0, rel=1e-6)


def test_brightness_is_the_formula_of_the_paper():
    n, r_eff, b = 2.0, 5.0, 3.67
    formula = 2.0 / (2 * np.pi * n * gamma(2 * n) * b ** (-2 * n) * r_eff**2)
    assert central_brightness(2.0, n, r_eff, b) == pytest.approx(formula, rel=1e-12)
