"""The engine's Sérsic fits against statmorph's frozen ones: through its own steps, and integrated.

Left out, listed and counted: fits that statmorph itself does not repeat when the last bit of the pixels changes.
"""

import warnings

import numpy as np
import pytest
import statmorph_names as names
from compared import Pair, engine_input, failures, frozen_rows, galaxies_of, options_for, pairs_of
from oracle_sets import expected_reference_values
from repeatable import CHI2_REPEATS, REPEATABLE_DOUBLE, UNREPEATABLE

from galsmith.measure.engine.batch import measure_galaxy_input
from galsmith.measure.engine.segmentation.methods import paper_map
from galsmith.seeds import random_stream

PARITY = 1e-6  # as `names.difference` takes it
FIRST = 40  # galaxies of each set whose fit the fast tests take through statmorph's steps
REPEATABLE = {
    "noisy_sersic": {"2023-048", "2023-051", "2023-054", "2023-087", "2023-102", "2023-185"},
    "cosmos": {"004"},
    "hst": {"f814w_disk137"},
    "efigi": {"PGC0025143"},
}
REPEATABLE = {
    "noisy_sersic": {"2023-000"},
    "cosmos": {"000"},
    "hst": {"f814w_disk0"},
    "efigi": {"PGC0000212"},
}
# The integrated law's chi-squared may be so much above that of the law at pixel centers.
CHI2_APART = 0.01
# Galaxies with a nucleus of their own, behind a point spread: the law at pixel centers has one too, by its error.
FAR_FROM_ANY_LAW = {"KiDS-G265911": 0.03, "KiDS-G266033": 0.1}


@pytest.fixture
def best_pairs(oracle_set, oracle_data):
    return pairs_of(oracle_set, oracle_data, sersic="integrated")


def test_fits_with_statmorphs_steps_end_where_statmorphs_do(oracle_set, oracle_data):
    _assert_parity(oracle_set, pairs_of(oracle_set, oracle_data, first=FIRST, sersic="parity"))


@pytest.mark.slow
def test_all_fits_with_statmorphs_steps_end_where_statmorphs_do(oracle_set, oracle_data):
    _assert_parity(oracle_set, pairs_of(oracle_set, oracle_data, sersic="parity"))


def _assert_parity(oracle_set, pairs):
    unrepeatable = UNREPEATABLE.get(oracle_set, set())
    rest = [pair for pair in pairs if pair.galaxy.name not in unrepeatable]
    assert failures(rest, names.SERSIC, greatest=PARITY) == []
    assert _wrong_flags(pairs) == []


def _wrong_flags(pairs):
    return [
        (pair.galaxy.name, pair.ours.fit_flags, pair.ours.flags)
        for pair in pairs
        if pair.is_measured and pair.ours.fit_flags["flag_sersic"] != pair.frozen["flag_sersic"]
    ]


@pytest.mark.slow
@pytest.mark.parametrize("oracle_set", UNREPEATABLE)
def test_statmorph_itself_does_not_repeat_the_fits_that_are_left_out(oracle_set, oracle_data):
    statmorph = pytest.importorskip("statmorph", reason="statmorph is in galsmith[statmorph]")
    asked = UNREPEATABLE[oracle_set] | REPEATABLE[oracle_set]
    moved = {}
    for galaxy, frozen in zip(galaxies_of(oracle_set, oracle_data), frozen_rows(oracle_set), strict=True):
        if galaxy.name in asked:
            again = [_asked_again(statmorph, galaxy, draw) for draw in range(3)]
            moved[galaxy.name] = max(
                names.difference(name, float(source[quantity]), frozen)
                for source in again
                for name, (quantity, _) in names.SERSIC.items()
            )
    assert {name for name, apart in moved.items() if apart > PARITY} == UNREPEATABLE[oracle_set]


def _asked_again(statmorph, galaxy, draw):
    """What statmorph says of pixels that differ in the last bit."""
    labels, _ = paper_map(galaxy.image, 1.5, 5, 10)
    bits = random_stream(1, "tests.last_bit", draw).integers(-1, 2, galaxy.image.shape)
    image = galaxy.image * (1 + np.finfo(float).eps * bits)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return statmorph.SourceMorphology(image, labels, 1, gain=galaxy.gain)


def test_the_integrated_fit_describes_images_as_well_as_statmorphs(best_pairs):
    # of images that no law fits, one law may by chance be nearer than the other
    apart = {
        pair.galaxy.name: pair.ours.values["sersic_chi2_dof"] / pair.frozen["sersic_chi2_dof"] - 1
        for pair in best_pairs
        if pair.has_fit
    }
    assert np.median(list(apart.values())) < 1e-4
    worse = {name for name, share in apart.items() if share > CHI2_APART}
    assert worse <= FAR_FROM_ANY_LAW.keys()
    assert all(apart[name] < FAR_FROM_ANY_LAW[name] for name in worse)


def test_no_integrated_fit_of_a_galaxy_is_left_unconverged(best_pairs):
    assert [pair.galaxy.name for pair in best_pairs if "sersic_not_converged" in pair.ours.flags] == []


def _double_pairs(oracle_set, oracle_data):
    """Those of a set that statmorph was asked to fit two laws to."""
    both = zip(galaxies_of(oracle_set, oracle_data), frozen_rows(oracle_set), strict=True)
    asked = [(galaxy, row) for galaxy, row in both if row.get("doublesersic_n1") is not None]
    methods = [options_for([galaxy], sersic="parity", double_sersic=True) for galaxy, _ in asked]
    return [
        Pair(galaxy, row, measure_galaxy_input(engine_input(galaxy), method))
        for (galaxy, row), method in zip(asked, methods, strict=True)
    ]


def test_two_laws_are_fitted_as_well_as_statmorph_does(oracle_set, oracle_data):
    pairs = _double_pairs(oracle_set, oracle_data)
    rest = [pair for pair in pairs if pair.galaxy.name in REPEATABLE_DOUBLE]
    assert failures(rest, names.DOUBLE_SERSIC, greatest=PARITY) == []
    for pair in rest:
        assert pair.ours.fit_flags["flag_double_sersic"] == pair.frozen["flag_doublesersic"], pair.galaxy.name
    for pair in pairs:
        greatest = (1 + CHI2_REPEATS) * pair.frozen["doublesersic_chi2_dof"]
        assert pair.ours.values["double_sersic_chi2_dof"] <= greatest, pair.galaxy.name


@pytest.mark.real_data
def test_statmorphs_own_expectations_of_its_reference_galaxy(shared_data):
    expected = expected_reference_values(shared_data)
    galaxies = galaxies_of("reference", shared_data)
    method = options_for(galaxies, sersic="parity", double_sersic=True)
    ours = measure_galaxy_input(engine_input(galaxies[0]), method)
    assert len(names.ALL) + len(names.LEFT_OUT) + 3 == len(expected) == 72  # and three flags
    for name, (quantity, _) in names.ALL.items():
        # Theirs were made in float32, and statmorph's own tests ask for 1e-5. The last bit of the pixels moves
        # its Sérsic fit by more, its fit of two laws by 5e-4.
        tolerance = 2e-3 if "double" in name else 2e-4 if "sersic" in name else 1e-5
        apart = names.difference(name, ours.values[name], expected)
        assert apart <= tolerance, f"{name}: {ours.values[name]!r} for {expected[quantity]!r}"
    assert (ours.flag, ours.fit_flags) == (0, {"flag_sersic": 0, "flag_double_sersic": 0})
