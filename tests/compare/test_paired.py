"""Differences between two generated sets: signed, paired, and blind to what both have in common."""

import numpy as np
import pytest

from galsmith.compare.estimates import Replicates
from galsmith.compare.marginal.distances import NamedReplicates, paired_differences
from galsmith.seeds import random_stream

NAMES = ("gini", "m20", "power_wavelength_01")
GROUPS = ("morphology", "morphology", "power_wavelength")


def _set(values, *, common, case, sigma=0.01, names=NAMES, groups=GROUPS):
    rng = random_stream(case, "test.paired")
    own = sigma * rng.normal(size=(len(common), len(names)))
    drawn = np.asarray(values) + common[:, None] + own
    return NamedReplicates(names, groups, Replicates(np.asarray(values, float), drawn, drawn))


@pytest.fixture
def common():
    return 0.5 * random_stream(0, "test.common").normal(size=2000)


def _named(differences):
    return {item.name: item for item in differences}


def test_signs_means_and_the_cancelling_of_the_common_draw(common):
    sets = {
        "a": _set([0.1, 0.2, 0.6], common=common, case=1),
        "b": _set([0.2, 0.2, 0.2], common=common, case=2),
    }
    found = _named(paired_differences(sets, confidence=0.95))
    assert list(found) == ["headline", "all properties", "morphology", "power_wavelength", *NAMES]
    assert found["gini"].value == pytest.approx(-0.1)
    assert found["morphology"].value == pytest.approx(-0.05)
    assert found["all properties"].value == pytest.approx(0.1)
    assert found["headline"].value == pytest.approx((-0.05 + 0.4) / 2)
    # Two independent draws of 0.01 each; the common draw of 0.5 is gone.
    assert found["gini"].uncertainty == pytest.approx(0.01 * np.sqrt(2), rel=0.1)
    assert found["gini"].interval[1] < 0 < found["power_wavelength_01"].interval[0]
    assert found["gini"].p_value < 0.01
    assert found["m20"].p_value > 0.5


def test_equal_sets_do_not_differ_and_unpaired_draws_would_hide_a_difference(common):
    one = _set([0.1, 0.2, 0.6], common=common, case=1)
    same = _set([0.1, 0.2, 0.6], common=common, case=3)
    assert all(item.p_value > 0.05 for item in paired_differences({"a": one, "b": same}, confidence=0.95))
    other_draws = _set([0.2, 0.2, 0.6], common=common[::-1], case=2)
    paired = _set([0.2, 0.2, 0.6], common=common, case=2)
    hidden = _named(paired_differences({"a": one, "b": other_draws}, confidence=0.95))["gini"]
    seen = _named(paired_differences({"a": one, "b": paired}, confidence=0.95))["gini"]
    assert hidden.p_value > 0.05 > seen.p_value


def test_only_what_both_have_is_compared(common):
    one = _set([0.1, 0.2, 0.6], common=common, case=1)
    less = _set([0.3], common=common, case=2, names=("m20",), groups=("morphology",))
    found = _named(paired_differences({"a": one, "b": less}, confidence=0.95))
    assert list(found) == ["headline", "all properties", "morphology", "m20"]
    assert found["headline"].value == pytest.approx(-0.1)
    none = _set([0.3], common=common, case=2, names=("gini2",), groups=("morphology",))
    assert paired_differences({"a": one, "b": none}, confidence=0.95) == ()
