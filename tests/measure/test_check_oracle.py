"""The check of the frozen numbers sees what moved, and forgives only what statmorph itself does not repeat."""

import math

import pytest

pytest.importorskip("statmorph", reason="statmorph is in galsmith[statmorph]")
import check_oracle

REPEATS, DOES_NOT = ("hst", "f814w_disk0"), ("hst", "f814w_disk1")


@pytest.mark.parametrize("quantity", ["gini", "sersic_n", "doublesersic_n1", "doublesersic_chi2_dof"])
def test_a_fit_that_repeats_is_held_to_rounding(quantity):
    assert check_oracle.tolerance_of(quantity, *REPEATS) <= 1e-5


def test_of_a_fit_of_two_laws_that_does_not_repeat_the_chi_squared_is_held():
    assert math.isinf(check_oracle.tolerance_of("doublesersic_n1", *DOES_NOT))
    assert check_oracle.tolerance_of("doublesersic_chi2_dof", *DOES_NOT) == 0.01
    assert check_oracle.tolerance_of("sersic_n", *DOES_NOT) == 1e-5


def test_a_number_that_moved_is_named(monkeypatch):
    def answer_with_a_moved_number(galaxy, *, double_sersic):
        return {"name": galaxy.name, "gini": 0.123, "flag": 0.0}

    monkeypatch.setattr(check_oracle, "answer", answer_with_a_moved_number)
    lines = list(check_oracle.differences("noise_free_sersic", data=None, galaxies=1))
    assert any(" gini: 0.123, frozen 0." in line for line in lines)
