import logging
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from galsmith.compare import HeldOutJudge, judge_tables
from galsmith.data.options import SetOptions
from galsmith.data.simulate import sersic
from galsmith.data.store import open_store
from galsmith.errors import InputError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import MeasureSettings, measure
from galsmith.measure import measured as measured_at_once

HEADLINE = 26  # 11 of morphology and 15 power modes, in one band


@pytest.fixture(scope="module")
def galaxies(tmp_path_factory):
    """400 Sérsic galaxies of 32 px, half of them held out."""
    place = tmp_path_factory.mktemp("held_out") / "galaxies"
    sersic(place, n=400, seed=1, recipe="sersic-32", options=SetOptions(split=(0.5, 0.5, 0.0)))
    return open_store(place)


@pytest.fixture(scope="module")
def held_out(galaxies):
    return HeldOutJudge(galaxies)


@pytest.fixture(scope="module")
def drawn(galaxies):
    """The other half, which stands for what a perfect generator draws."""
    return galaxies.in_split("train").stacked()


def in_set(pixels, galaxies, **facts):
    return image_set_from_arrays(list(pixels), replace(galaxies.header, **facts))


def test_galaxies_of_the_same_kind_are_at_the_floor(held_out, drawn, galaxies):
    numbers = held_out(in_set(drawn, galaxies))
    assert len(held_out.columns) == HEADLINE
    assert numbers["measured"] == 1.0
    assert numbers["distance"] == pytest.approx(numbers["mean_w1"] - numbers["floor"])
    # Single splits of 200 v 200 scatter by 0.025 about the floor.
    assert abs(numbers["distance"]) < 0.075
    assert 0.05 < numbers["floor"] < 0.15  # 1.29 sqrt(1 / 200 + 1 / 200) = 0.129 for Gaussian properties


def test_the_distance_grows_with_blur(held_out, drawn, galaxies):
    blurred = [gaussian_filter(drawn, (0, 0, sigma, sigma)) for sigma in (0.7, 1.0, 1.5)]
    distances = [held_out(in_set(pixels, galaxies))["distance"] for pixels in (drawn, *blurred)]
    assert np.all(np.diff(distances) > 0.1)


def test_the_order_of_images_does_not_matter(held_out, drawn, galaxies):
    shuffled = drawn[np.random.default_rng(0).permutation(len(drawn))]
    one, other = (held_out(in_set(pixels, galaxies)) for pixels in (drawn, shuffled))
    assert one == pytest.approx(other, rel=1e-12)
    fewer = held_out(in_set(drawn[:60], galaxies))
    assert fewer["floor"] > one["floor"]  # the floor is that of the sizes at hand


def test_the_distance_is_the_headline_of_a_comparison(galaxies, drawn, held_out, tmp_path):
    numbers = held_out(in_set(drawn, galaxies))
    tables = []
    for name in ("validation", "train"):
        measure(galaxies.in_split(name), tmp_path / f"{name}.parquet")
        tables.append(tmp_path / f"{name}.parquet")
    few = {"replicates": 2, "permutations": 2, "splits": 100}
    means = judge_tables(tables[0], tables[1], beyond=False, **few).judgment().comparison.means
    headline = next(mean for mean in means if mean.name == "headline")
    assert numbers["mean_w1"] == pytest.approx(headline.value, rel=1e-9)
    assert numbers["floor"] == pytest.approx(headline.floor, rel=1e-9)


def test_measuring_in_memory_gives_the_table_of_a_file(galaxies, tmp_path):
    some = galaxies.select(np.arange(40))
    settings = MeasureSettings(sersic="none")
    written = measure(some, tmp_path / "table.parquet", settings=settings)
    for workers in (1, 3):
        table = measured_at_once(some, settings=settings, workers=workers)
        assert table.colnames == written.colnames
        for name in table.colnames:
            np.testing.assert_array_equal(table[name], written[name])


@pytest.mark.parametrize("fault", ["noise", "not finite", "few"])
def test_what_cannot_be_measured_has_no_distance(fault, held_out, drawn, galaxies, caplog):
    pixels = {
        "noise": np.random.default_rng(0).normal(size=drawn.shape),
        "not finite": np.full_like(drawn, np.nan),
        "few": drawn[:19],
    }[fault]
    with caplog.at_level(logging.WARNING, logger="galsmith"):
        numbers = held_out(in_set(pixels, galaxies))
    assert all(math.isnan(numbers[name]) for name in ("distance", "mean_w1", "floor"))
    wanted = 20 if fault == "few" else 100
    assert f"could be measured; wanted {wanted} or more" in caplog.text


def test_galaxies_of_which_half_cannot_be_measured_have_no_distance(held_out, drawn, galaxies):
    spoiled = drawn.copy()
    spoiled[:110] = 0.0
    assert math.isnan(held_out(in_set(spoiled, galaxies))["distance"])
    spoiled[40:110] = drawn[40:110]
    numbers = held_out(in_set(spoiled, galaxies))
    assert math.isfinite(numbers["distance"])
    assert numbers["measured"] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"bands": ("g",)}, r"the drawn images have bands g, the held-out images F606W"),
        ({"flux_unit": "nJy"}, r"have flux_unit nJy, the held-out images"),
        ({"pixel_scale_arcsec": 0.1}, r"have pixel_scale_arcsec 0.1, the held-out images .*of one kind"),
    ],
)
def test_images_of_another_kind_are_refused(facts, message, held_out, drawn, galaxies):
    with pytest.raises(InputError, match=message):
        held_out(in_set(drawn, galaxies, **facts))


def test_a_set_without_held_out_images_is_refused(galaxies):
    with pytest.raises(InputError, match=r"no image is in the split 'validation'.*`split=0.8/0.1/0.1`"):
        HeldOutJudge(galaxies.in_split("train"))
    few = galaxies.in_split("validation").select(np.arange(19))
    with pytest.raises(
        InputError, match=r"19 of 19 galaxies of the split 'validation' could be measured; wanted 20"
    ):
        HeldOutJudge(few)


def test_images_that_are_all_alike_leave_nothing_to_judge_by(drawn, galaxies):
    alike = in_set(np.repeat(drawn[:1], 30, axis=0), galaxies)
    with pytest.raises(InputError, match=r"no property varies over the 30 held-out images"):
        HeldOutJudge(alike, split=None)


def test_the_number_of_held_out_images_is_capped(galaxies, drawn):
    one, again, other = (HeldOutJudge(galaxies, limit=50, seed=seed) for seed in (0, 0, 1))
    numbers = [found(in_set(drawn, galaxies)) for found in (one, again, other)]
    assert numbers[0] == numbers[1] != numbers[2]
    assert numbers[0]["floor"] > HeldOutJudge(galaxies)(in_set(drawn, galaxies))["floor"]


def test_several_bands_are_judged_with_their_colors(drawn, galaxies):
    rng = np.random.default_rng(0)
    pixels = np.concatenate([drawn, drawn * rng.uniform(0.5, 2, size=(len(drawn), 1, 1, 1))], axis=1)
    header = ImageHeader(("g", "i"), "nJy")
    one, other = (
        image_set_from_arrays(list(part), header).select(np.arange(60))
        for part in (pixels[:100], pixels[100:])
    )
    by_color = HeldOutJudge(one, split=None)
    assert {"color_gi_mag", "power_wavelength_00_g", "power_wavelength_00_i"} <= set(by_color.columns)
    redder = other.stacked() * np.array([1.0, 3.0]).reshape(2, 1, 1)
    assert (
        by_color(image_set_from_arrays(list(redder), header))["distance"] > by_color(other)["distance"] + 0.2
    )
