"""Real galaxies with bands out of register, stripes, checkerboards or one handedness are told apart; fair ones are not.

2,000 galaxies of EFIGI against 500 others, which nobody changed or which are altered, ten draws of both. The numbers that a
run finds are logged: ``pytest -o log_cli=true --log-cli-level=INFO`` shows them.
"""

import logging

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from galsmith.compare import judge_tables
from galsmith.compare.marginal.columns import values_of
from galsmith.compare.marginal.handedness import handedness_note
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import MeasureSettings, measured
from galsmith.seeds import random_stream

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

N_REFERENCE, N_ALTERED, N_POOL = 2000, 500, 1000
SEEDS = 10
QUICK = {"replicates": 20, "splits": 20, "permutations": 500, "beyond": False}
SETTINGS = MeasureSettings(band="r", sersic="none", quantities=("morphology", "details"))
logger = logging.getLogger("details")


@pytest.fixture(scope="module")
def pictures(shared_data):
    """All of EFIGI in an order by chance, i, r, g, [band, y, x] float32 each."""
    files = sorted((shared_data / "efigi_gri88").rglob("*.jp*g"))
    order = random_stream(0, "test.order").permutation(len(files))
    return [np.asarray(Image.open(files[k]), dtype=np.float32)[::-1].transpose(2, 0, 1).copy() for k in order]


def measure_pictures(pictures):
    images = image_set_from_arrays(pictures, ImageHeader(("i", "r", "g"), "display"))
    return measured(images, settings=SETTINGS, workers=2)


@pytest.fixture(scope="module")
def table(pictures):
    return measure_pictures(pictures)


@pytest.fixture(scope="module")
def draws(pictures, table):
    """Rows that differ after correction among those outside of the means, in ten draws of an alteration."""

    def run(name, alter):
        pool = (
            table[:N_POOL] if alter is None else measure_pictures([alter(one) for one in pictures[:N_POOL]])
        )
        found = []
        for seed in range(SEEDS):
            rng = random_stream(seed, "test.draw")
            chosen = rng.choice(N_POOL, N_ALTERED, replace=False)
            others = rng.choice(np.setdiff1d(np.arange(len(table)), chosen), N_REFERENCE, replace=False)
            card = judge_tables(table[others], {"g": pool[chosen]}, seed=seed, **QUICK)
            rows = [
                one for one in card.judgment().comparison.distances if not one.in_means and not one.reason
            ]
            rows = sorted((one for one in rows if one.p_family < 0.05), key=lambda one: -one.in_floors)
            found.append({one.name: one.in_floors for one in rows})
        first = [f"{next(iter(one))} {next(iter(one.values())):.1f}" if one else "-" for one in found]
        logger.info(
            "%s: rows that differ %s; most floors: %s", name, [len(one) for one in found], ", ".join(first)
        )
        return found

    return run


def seen_in(found, *prefixes):
    """In how many draws a row of these names differs."""
    return sum(any(name.startswith(prefixes) for name in one) for one in found)


def red_moved(pixels):
    """Move the reddest band along x; edges are repeated."""

    def alter(picture):
        moved = ndimage.shift(picture[0], (0, pixels), order=1, mode="nearest")
        return np.stack([moved, picture[1], picture[2]])

    return alter


def striped(share, period, *, also_y=False):
    """Multiply by stripes, or by a checkerboard, of a share of the light."""

    def alter(picture):
        y, x = np.indices(picture.shape[1:])
        pattern = np.cos(2 * np.pi * x / period) * (np.cos(2 * np.pi * y / period) if also_y else 1)
        return picture * (1 + share * pattern).astype(np.float32)

    return alter


def test_fair_galaxies_are_not_told_apart(draws):
    assert sum(bool(one) for one in draws("fair", None)) <= 1


def test_a_band_that_moved_is_seen_from_a_tenth_of_a_pixel_on(draws):
    floors = []
    for pixels in (0.1, 1.0, 2.0):
        found = draws(f"red moved {pixels} px", red_moved(pixels))
        assert seen_in(found, "offset_x_ri") >= 9, pixels
        assert seen_in(found, "offset_x_gr", "offset_y_gr", "coherence_fine_gr") <= 1, pixels
        floors.append(np.median([one["offset_x_ri_pix"] for one in found]))
    assert floors == sorted(floors)
    assert seen_in(found, "coherence_fine_ri") >= 9


def test_stripes_are_seen_from_half_a_percent_on(draws):
    floors = []
    for share in (0.005, 0.01, 0.02):
        found = draws(f"stripes of 4 px, {share}", striped(share, 4))
        assert seen_in(found, "grid_period_4") >= 9, share
        assert seen_in(found, "grid_lines_y", "grid_lines_diagonal", "grid_period_8") <= 1, share
        floors.append(np.median([one["grid_period_4_r"] for one in found]))
    assert floors == sorted(floors)


def test_other_periods_and_checkerboards_are_seen(draws):
    assert seen_in(draws("stripes of 5 px, 0.02", striped(0.02, 5)), "grid_lines_x") >= 9
    board = draws("checkerboard of 2 px, 0.02", striped(0.02, 2, also_y=True))
    assert seen_in(board, "grid_period_2") >= 9
    assert seen_in(board, "grid_lines_diagonal") >= 9


def test_one_handedness_is_seen_and_mirroring_a_set_without_one_is_not(pictures, table, draws):
    winding = values_of(table, "winding")
    handed = {id(picture): turn for picture, turn in zip(pictures, winding, strict=True)}

    def same_handed(share):
        rng = random_stream(0, "test.handed")
        chosen = {key for key, turn in handed.items() if turn < 0 and rng.random() < share}
        return lambda picture: picture[:, :, ::-1].copy() if id(picture) in chosen else picture

    floors = []
    for share in (0.5, 1.0):
        found = draws(f"mirrored to one hand {share}", same_handed(share))
        assert seen_in(found, "winding") >= 9, share
        floors.append(np.median([one["winding"] for one in found]))
    assert floors == sorted(floors)
    assert "cannot tell handedness" in handedness_note(winding, seed=0)
    assert not handedness_note(np.abs(winding), seed=0)
    assert seen_in(draws("all mirrored", lambda picture: picture[:, :, ::-1].copy()), "winding") <= 1


def test_arms_wind_as_people_said(shared_data, table):
    """Baillard et al. (2011) said of 1,129 of these galaxies which way clear arms turn."""
    files = sorted((shared_data / "efigi_gri88").rglob("*.jp*g"))
    order = random_stream(0, "test.order").permutation(len(files))
    lines = (shared_data / "efigi_gri88" / "EFIGI_attributes_shared_rows.txt").read_text().splitlines()
    said = {line.split()[0]: line.split() for line in lines if line.strip() and not line.startswith("#")}
    winding, agrees = values_of(table, "winding"), []
    for place, k in enumerate(order):
        words = said.get(files[k].stem)
        # columns 7 and 13 are the strength of the arms and their rotation, 0 or 1 where nobody doubts
        is_clear = words is not None and float(words[7]) >= 0.25 and float(words[13]) in (0.0, 1.0)
        if is_clear and np.isfinite(winding[place]):
            agrees.append((winding[place] > 0) == (float(words[13]) == 1.0))
    logger.info("arms: %d of %d as people said", sum(agrees), len(agrees))
    assert len(agrees) > 1000
    assert np.mean(agrees) > 0.9
