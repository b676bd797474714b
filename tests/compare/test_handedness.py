"""A reference that is like its mirror image says so; one of more of one hand does not."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from galsmith.compare.marginal.handedness import handedness_note, mirror_p_value
from galsmith.seeds import random_stream


def test_values_of_either_sign_alike_have_fair_p_values():
    p_values = [
        mirror_p_value(random_stream(case, "test.symmetric").normal(size=80), seed=case)
        for case in range(200)
    ]
    assert 0.01 <= np.mean(np.array(p_values) <= 0.05) <= 0.09
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.07)


def test_the_excess_of_one_hand_is_found_the_surer_the_larger():
    rng = random_stream(0, "test.handed")
    values = np.abs(rng.normal(size=1000))
    found = [
        mirror_p_value(values * np.where(rng.random(1000) < share, 1, -1), seed=0)
        for share in (0.5, 0.55, 0.6, 1.0)
    ]
    assert found[0] > 0.05
    assert found[3] == found[2] == 0.001
    assert found == sorted(found, reverse=True)


def test_what_is_tested_is_the_distance_to_the_mirror_image():
    """By hand: 1, 2 and -3 against -1, -2 and 3 are (1 + 1 + 2) ... apart, as SciPy has it."""
    values = np.array([1.0, 2.0, -3.0])
    signs = np.array([1.0, 1.0, -1.0])
    gaps = np.diff(np.abs(values), prepend=0.0)
    by_signs = 2 * np.abs(np.cumsum(signs[::-1])[::-1]) @ gaps / 3
    assert by_signs == pytest.approx(wasserstein_distance(values, -values))


def test_the_note_says_so_and_knows_what_is_not_measured():
    values = random_stream(1, "test.note").normal(size=300)
    values[:50] = np.nan
    assert handedness_note(values, seed=0).startswith("this reference cannot tell handedness")
    assert handedness_note(np.abs(values), seed=0) == ""
    assert "p = 1.00" in handedness_note(np.full(5, np.nan), seed=0)
