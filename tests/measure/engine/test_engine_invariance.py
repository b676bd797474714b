"""Turns, flips, shifts and flux units through all steps of the engine: what must stay, and what is known not to."""

import numpy as np
import pytest

from galsmith.measure.engine.batch import GalaxyInput, Options, Segmenting, measure_galaxy_input
from galsmith.seeds import random_stream

SIZE = 121
FLUXES = ("flux", "flux_ellip", "flux_frame", "sky_mean", "sky_median", "sky_sigma")
PLACES = ("centroid_x_pix", "centroid_y_pix", "center_x_pix", "center_y_pix")
ANGLES = ("orientation_rad", "orientation_center_rad")
STAMP = ("stamp_x_min_pix", "stamp_y_min_pix", "stamp_x_max_pix", "stamp_y_max_pix")
TURNS = {
    "turn": (np.rot90, lambda x, y: (y, SIZE - 1 - x), lambda angle: angle - np.pi / 2),
    "half_turn": (
        lambda image: image[::-1, ::-1],
        lambda x, y: (SIZE - 1 - x, SIZE - 1 - y),
        lambda angle: angle,
    ),
    "flip_x": (np.fliplr, lambda x, y: (SIZE - 1 - x, y), lambda angle: -angle),
    "flip_y": (np.flipud, lambda x, y: (x, SIZE - 1 - y), lambda angle: -angle),
    "transpose": (np.transpose, lambda x, y: (y, x), lambda angle: np.pi / 2 - angle),
}


def _galaxy(sersic, *, r_eff):
    """A galaxy with a companion and noise, and a map so large that the stamp is the whole image."""
    image = sersic(SIZE, r_eff=r_eff, n=1.2, q=0.7, angle=0.4, center=(58.3, 61.8))
    image += sersic(SIZE, r_eff=2.0, n=0.6, center=(66.0, 64.5), flux=900.0)
    image += random_stream(31, "tests.engine.invariance").normal(0.0, 0.02, image.shape)
    y, x = np.mgrid[:SIZE, :SIZE]
    return image, np.int32(np.hypot(x - 58.3, y - 61.8) < 26)


def _measured(image, labels, *, sky="annulus", gain=100.0):
    options = Options(Segmenting(), sky=sky, sersic="none", gain=gain)
    found = measure_galaxy_input(GalaxyInput(image, labels=np.ascontiguousarray(labels)), options)
    assert found.flag == 0
    return found.values


@pytest.fixture(scope="module")
def galaxy(sersic):
    """Image and map of a galaxy whose smoothness has a boxcar of 3 px."""
    return _galaxy(sersic, r_eff=6.5)


@pytest.mark.parametrize("turn", TURNS)
def test_turns_and_flips_change_only_places_and_angles(galaxy, turn):
    turned, place, angle = TURNS[turn]
    before = _measured(*galaxy)
    after = _measured(*(turned(array) for array in galaxy))
    assert int(0.25 * before["r_petro_pix"]) == 3
    for kind in ("centroid", "center"):
        expected = place(before[f"{kind}_x_pix"], before[f"{kind}_y_pix"])
        # The center is where a search over a surface with kinks ends: to 1e-6, as statmorph asks of it.
        assert (after[f"{kind}_x_pix"], after[f"{kind}_y_pix"]) == pytest.approx(expected, abs=2e-6)
    for name in ANGLES:
        difference = (after[name] - angle(before[name]) + np.pi / 2) % np.pi - np.pi / 2
        assert difference == pytest.approx(0.0, abs=1e-6), name
    assert len(before) > 40
    for name in set(before) - {*PLACES, *ANGLES, *STAMP}:
        assert after[name] == pytest.approx(before[name], rel=1e-5, abs=1e-7), name


@pytest.mark.parametrize("factor", [1e-9, 1024.0, 3e5])
def test_flux_units_change_only_fluxes(galaxy, factor):
    image, labels = galaxy
    before, after = _measured(image, labels), _measured(factor * image, labels, gain=100.0 / factor)
    for name, value in before.items():
        expected = factor * value if name in FLUXES else value
        # searches for the center end within 1e-6 px of one another
        assert after[name] == pytest.approx(expected, rel=1e-7, abs=1e-12 * factor), name


@pytest.mark.parametrize("shift", [(0, 1), (7, -3), (-20, 40)])
@pytest.mark.parametrize("sky", ["annulus", "box"])
def test_a_shift_by_whole_pixels_moves_places_and_nothing_else(galaxy, shift, sky):
    image, labels = galaxy
    field = random_stream(32, "tests.engine.invariance").normal(0.0, 0.02, (260, 280))
    fields = np.zeros((2, 260, 280)), np.zeros((2, 260, 280), dtype=np.int32)
    for k, (down, right) in enumerate(((0, 0), shift)):
        there = (k, slice(70 + down, 70 + down + SIZE), slice(80 + right, 80 + right + SIZE))
        fields[0][k] = np.roll(field, (down, right), axis=(0, 1))
        fields[0][there], fields[1][there] = image, labels
    before, after = (_measured(fields[0][k], fields[1][k], sky=sky) for k in (0, 1))
    for name, value in before.items():
        moved = shift[0 if "_y_" in name else 1]
        moves = name in (*PLACES, *STAMP)
        assert after[name] == pytest.approx(value + moved if moves else value, rel=1e-6, abs=1e-7), name


def test_statmorphs_sky_box_is_not_turned_along(galaxy):
    changes = []
    before = _measured(*galaxy, sky="box")
    for turned, _, _ in TURNS.values():
        after = _measured(*(turned(array) for array in galaxy), sky="box")
        changes.append(abs(after["asymmetry"] - before["asymmetry"]))
    assert 1e-5 < max(changes) < 0.03


@pytest.mark.parametrize("sky", ["box", "annulus"])
def test_an_even_boxcar_is_off_center_and_changes_smoothness_with_statmorphs_sky_alone(sersic, sky):
    image, labels = _galaxy(sersic, r_eff=8.0)
    before = _measured(image, labels, sky=sky)
    after = _measured(np.fliplr(image), np.fliplr(labels), sky=sky)
    assert int(0.25 * before["r_petro_pix"]) == 4
    change = abs(after["smoothness"] - before["smoothness"])
    assert change > 0.01 * before["smoothness"] if sky == "box" else change < 1e-6 * before["smoothness"]
    assert after["gini"] == pytest.approx(before["gini"], abs=1e-12)
