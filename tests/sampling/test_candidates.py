from dataclasses import replace

import numpy as np
import pytest

from galsmith.data.transforms import ColumnEncoding, NetworkArrays, ScalarColumn, ValueRange, with_values
from galsmith.errors import GalsmithError
from galsmith.sampling.candidates import (
    CANDIDATES_FOR_RANGE,
    CANDIDATES_FOR_VALUE,
    candidate_seed,
    choose_galaxies,
    choose_scalars,
    scalars_of_rows,
)
from galsmith.sampling.wanted_ranges import read_where
from galsmith.seeds import random_stream

COLUMNS = {
    "x": ScalarColumn(ColumnEncoding("x", "", False, False, mean=10.0, scale=2.0), 0, None),
    "y": ScalarColumn(ColumnEncoding("y", "", True, False, mean=1.0, scale=0.5), 1, None),
    "k": ScalarColumn(ColumnEncoding("k", "", False, True, mean=0.0, scale=1.0), 2, None),
}
SEEDS = [11, 12, 13, 14, 15, 16, 17]


def draw(seeds):
    """Three standard normal scalars a seed; the third follows the first."""
    rows = [random_stream(seed, "test").normal(size=3) for seed in seeds]
    scalars = np.array(rows).reshape(-1, 3)
    scalars[:, 2] = scalars[:, 0] + 0.1 * scalars[:, 2]
    return scalars.astype(np.float32)


def draw_galaxies(seeds):
    scalars = draw(seeds)
    return NetworkArrays(np.repeat(scalars[:, :1, None, None], 4, axis=2), scalars)


def test_the_first_candidate_is_the_galaxy_itself():
    assert candidate_seed(11, 0) == 11
    assert len({candidate_seed(11, number) for number in range(50)}) == 50


def test_the_first_fitting_candidate_is_taken_as_it_came():
    asked = read_where("x=11..13", COLUMNS)
    chosen = choose_scalars(draw, SEEDS, asked)
    for row, seed in enumerate(SEEDS):
        candidates = draw([candidate_seed(seed, number) for number in range(CANDIDATES_FOR_RANGE)])
        x = candidates[:, 0].astype(np.float64) * 2 + 10
        first = np.flatnonzero((x >= 11) & (x <= 13))[0]
        np.testing.assert_array_equal(chosen.scalars[row], candidates[first])
        assert chosen.values[0][row] == x[first]
    assert not chosen.is_brought_in.any()


def test_a_galaxy_that_fits_anyway_stays_the_same():
    asked = read_where("x=..10", COLUMNS)
    plain, chosen = draw(SEEDS), choose_scalars(draw, SEEDS, asked).scalars
    fits = plain[:, 0] <= 0
    assert 0 < fits.sum() < len(SEEDS)
    np.testing.assert_array_equal(chosen[fits], plain[fits])
    assert np.all(chosen[~fits, 0] != plain[~fits, 0])


def test_a_choice_does_not_depend_on_the_galaxies_beside_it():
    asked = read_where("x=12..13, y=1..3", COLUMNS)
    together = choose_scalars(draw, SEEDS, asked)
    for row, seed in enumerate(SEEDS):
        alone = choose_scalars(draw, [seed], asked)
        np.testing.assert_array_equal(alone.scalars[0], together.scalars[row])


def test_a_value_is_the_nearest_candidate_set_to_it_exactly():
    asked = read_where("x=11.1", COLUMNS)
    chosen = choose_scalars(draw, SEEDS, asked)
    np.testing.assert_array_equal(chosen.values[0], np.full(len(SEEDS), 11.1))
    assert chosen.scalars[:, 0] == pytest.approx(np.full(len(SEEDS), 0.55), rel=1e-6)
    for row, seed in enumerate(SEEDS):
        candidates = draw([candidate_seed(seed, number) for number in range(CANDIDATES_FOR_VALUE)])
        nearest = np.argmin(np.abs(candidates[:, 0] - 0.55))
        np.testing.assert_array_equal(chosen.scalars[row, 1:], candidates[nearest, 1:])
    assert not chosen.is_brought_in.any()  # which is how a value is meant


def test_what_follows_an_asked_scalar_follows():
    low, high = (
        choose_scalars(draw, SEEDS, read_where(text, COLUMNS)).scalars for text in ("x=8..9", "x=13..14")
    )
    assert np.all(low[:, 2] < high[:, 2])
    assert low[:, 2].mean() == pytest.approx(-0.75, abs=0.25)


def test_whole_numbers_are_met_not_set():
    chosen = choose_scalars(draw, SEEDS, read_where("k=1", COLUMNS))
    assert chosen.values[0].tolist() == [1.0] * len(SEEDS)
    assert np.all(np.abs(chosen.scalars[:, 2] - 1) <= 0.5)
    assert len(np.unique(chosen.scalars[:, 2])) == len(SEEDS)


def test_a_range_without_candidates_takes_the_nearest_and_says_so():
    asked = read_where("x=40..41, y=2..20", COLUMNS)
    calls = []

    def counted(seeds):
        calls.append(len(seeds))
        return draw(seeds)

    chosen = choose_scalars(counted, SEEDS, asked)
    assert chosen.values[0].tolist() == [40.0] * len(SEEDS)
    assert np.all((chosen.values[1] >= 2) & (chosen.values[1] <= 20))
    assert chosen.scalars[:, 0] == pytest.approx(np.full(len(SEEDS), 15.0))
    assert np.all(chosen.scalars[:, 2] > 1.2)  # of the brightest of 1024
    assert chosen.is_brought_in.all()
    assert sum(calls) == len(SEEDS) * (CANDIDATES_FOR_RANGE + 1)


def test_beyond_the_trained_range_fewer_candidates_are_tried():
    trained = ValueRange(minimum=2.0, low=3.0, high=17.0, maximum=18.0)
    columns = {"x": replace(COLUMNS["x"], trained=trained)}
    calls = []

    def counted(seeds):
        calls.append(len(seeds))
        return draw(seeds)

    chosen = choose_scalars(counted, SEEDS, read_where("x=40..41", columns))
    assert chosen.values[0].tolist() == [40.0] * len(SEEDS)
    assert chosen.is_brought_in.all()
    assert sum(calls) == len(SEEDS) * (CANDIDATES_FOR_VALUE + 1)


def test_scalars_that_are_not_finite_end_too():
    chosen = choose_scalars(
        lambda seeds: np.full((len(seeds), 3), np.nan, np.float32), SEEDS, read_where("x=11..13", COLUMNS)
    )
    assert chosen.is_brought_in.all()


def test_whole_galaxies_are_drawn_until_one_fits():
    asked = read_where("x=12..14", COLUMNS)
    chosen = choose_galaxies(draw_galaxies, SEEDS, asked, per_call=7, family="vae")
    for row, seed in enumerate(SEEDS):
        candidates = draw([candidate_seed(seed, number) for number in range(200)])
        first = np.flatnonzero((candidates[:, 0] >= 1) & (candidates[:, 0] <= 2))[0]
        np.testing.assert_array_equal(chosen.scalars[row], candidates[first])
        assert np.all(chosen.pixels[row] == candidates[first, 0])


def test_what_is_too_rare_for_whole_galaxies_is_an_error_with_the_rate():
    asked = read_where("x=17..18", COLUMNS)  # 2.3e-4 of all
    message = r"`where=x=17\.\.18`: \d of [\d,]+ drawn galaxies are there \(0\.\d\d%\); a vae model draws .*conditions=x"
    with pytest.raises(GalsmithError, match=message):
        choose_galaxies(draw_galaxies, SEEDS, asked, per_call=7, family="vae")


def colors(seeds):
    """A magnitude, one in another band 0.05 redder or bluer, and an axis ratio of 0.2 to 1."""
    rows = np.array([random_stream(seed, "test.colors").normal(size=3) for seed in seeds]).reshape(-1, 3)
    rows[:, 1] = rows[:, 0] + 0.05 * rows[:, 1]
    rows[:, 2] = np.tanh(rows[:, 2])
    return rows.astype(np.float32)


MAGNITUDES = {
    name: ScalarColumn(ColumnEncoding(name, "mag", False, False, mean=22.0, scale=1.0), position, None)
    for position, name in enumerate(("g", "r"))
}
RATIO = ScalarColumn(
    ColumnEncoding("q", "", False, False, mean=0.6, scale=0.4), 2, ValueRange(0.2, 0.21, 0.99, 1.0)
)


def test_rows_have_their_values_and_colors_that_fit():
    seeds = list(range(200))
    asked = np.stack([np.linspace(20, 24, 200), np.linspace(0.3, 0.9, 200)], axis=1)
    scalars = scalars_of_rows(colors, seeds, [MAGNITUDES["g"], RATIO], asked, others=[MAGNITUDES["r"]])
    assert MAGNITUDES["g"].values(scalars) == pytest.approx(asked[:, 0], rel=1e-7)
    assert RATIO.values(scalars) == pytest.approx(asked[:, 1], rel=1e-6)
    color = MAGNITUDES["g"].values(scalars) - MAGNITUDES["r"].values(scalars)
    assert color.mean() == pytest.approx(0.0, abs=0.015)
    assert color.std() == pytest.approx(0.05, rel=0.2)
    # the nearest candidate as it came has a magnitude that is not the asked one's
    alone = with_values([MAGNITUDES["g"]], nearest_candidates(seeds, asked), [asked[:, 0]])
    assert (MAGNITUDES["g"].values(alone) - MAGNITUDES["r"].values(alone)).std() > 0.07


def nearest_candidates(seeds, asked):
    """The nearest of 128 candidates of each galaxy, in magnitude and axis ratio."""
    found = []
    for seed, (magnitude, ratio) in zip(seeds, asked, strict=True):
        candidates = colors([candidate_seed(seed, number) for number in range(CANDIDATES_FOR_VALUE)])
        away = np.hypot(candidates[:, 0] - (magnitude - 22), candidates[:, 2] - (ratio - 0.6) / 0.4)
        found.append(candidates[np.argmin(away)])
    return np.array(found)


def test_rows_depend_on_their_own_seed_alone_and_others_stay_in_their_ranges():
    seeds, asked = [5, 6, 7], np.array([[19.0], [25.0], [22.0]])
    together = scalars_of_rows(colors, seeds, [MAGNITUDES["g"]], asked, others=[MAGNITUDES["r"], RATIO])
    for row, seed in enumerate(seeds):
        alone = scalars_of_rows(
            colors, [seed], [MAGNITUDES["g"]], asked[[row]], others=[MAGNITUDES["r"], RATIO]
        )
        np.testing.assert_array_equal(alone[0], together[row])
    ratios = RATIO.values(
        scalars_of_rows(colors, [5] * 9, [MAGNITUDES["g"]], np.linspace(10, 34, 9)[:, None], others=[RATIO])
    )
    assert ratios.min() >= 0.2 - 1e-6
    assert ratios.max() <= 1.0 + 1e-6


def test_whole_columns_that_are_not_asked_stay_whole():
    whole = replace(COLUMNS["k"], trained=ValueRange(-2.0, -2.0, 2.0, 2.0))
    scalars = scalars_of_rows(
        draw, SEEDS, [COLUMNS["x"]], np.full((7, 1), 12.3), others=[COLUMNS["y"], whole]
    )
    assert np.array_equal(scalars[:, 2], np.round(scalars[:, 2]))
