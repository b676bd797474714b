"""Simulated fields: each law against its formula, scores against the published ones, and field k from (seed, k) alone."""

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from scipy.spatial import cKDTree

from galsmith import simulate
from galsmith.data.fields import FieldSettings, compile_renderer
from galsmith.data.fields.galaxyness import QUANTITIES, REAL_QUANTILES, realized_quantities
from galsmith.data.fields.law import (
    CORRUPTIONS,
    NON_COSMOLOGY,
    FieldDraw,
    FluxLaw,
    LogNormal,
    draw_field,
    draw_positions,
)
from galsmith.data.fields.pixels import render_field
from galsmith.data.fields.render import MOFFAT_BETA, add_sources
from galsmith.data.fields.source import SimulatedFields
from galsmith.data.ingest import ingest
from galsmith.data.options import SetOptions
from galsmith.data.simulate import prior_names
from galsmith.data.store import open_store, read_sources
from galsmith.errors import InputError, SettingsError
from galsmith.settings import apply_overrides, read_recipe, typed_settings

RECIPES = ("fields", "fields-500", "fields-250")
CLEAN = ("non_cosmology_share=0.0", "corrupted_share=0.0")
# The largest score that a non-real image of the published set can have, by the paper's Appendix B.
THRESHOLD = 0.8503561


def law(*overrides, recipe="fields-250"):
    """Settings of a recipe with some changed."""
    return typed_settings(FieldSettings, apply_overrides(read_recipe(recipe), overrides), source=recipe)


def catalog_of(n, *overrides, recipe="fields-250", seed=3):
    return SimulatedFields(law(*overrides, recipe=recipe), n=n, seed=seed).catalog


def test_counts_are_negative_binomial():
    counts = np.asarray(catalog_of(1500, *CLEAN)["n_sources"])
    mean, dispersion = 40.0, 6.0
    expected = stats.nbinom(dispersion, dispersion / (dispersion + mean))
    places = np.arange(0, 150, 5)

    def largest_gap(other):
        return max(abs(np.mean(counts <= place) - other.cdf(place)) for place in places)

    assert largest_gap(expected) < 0.042  # Kolmogorov's limit of 1 % at n = 1500
    assert largest_gap(stats.poisson(mean)) > 0.2


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_pairs_follow_the_law_of_clusters(share):
    settings, rng = law("side_pix=1000"), np.random.default_rng(2)
    count, radius, side = 120, 15.0, 1000
    radii = np.array([8.0, 25.0, 60.0])
    pairs = np.zeros(3)
    for _ in range(400):
        positions = draw_positions(settings, count, share=share, radius_pix=radius, rng=rng)
        pairs += (
            cKDTree(positions, boxsize=side).count_neighbors(cKDTree(positions, boxsize=side), radii) - count
        )
    found = pairs / 400 / (count * (count - 1)) * side**2  # K(r)
    n_clusters = max(1, round(count * share / settings.clustering.members))
    clustered = side**2 * share**2 / n_clusters * (1 - np.exp(-(radii**2) / (4 * radius**2)))
    np.testing.assert_allclose(found, np.pi * radii**2 + clustered, rtol=0.12)
    if share:
        assert found[0] > 5 * np.pi * radii[0] ** 2


def test_fluxes_are_bounded_pareto():
    fluxes = FluxLaw(slope=LogNormal(median=0.9, spread=0), low=20.0, high=3e4)
    drawn = fluxes.at(np.random.default_rng(1).random(20_000), 0.9)
    assert (drawn.min() >= 20, drawn.max() <= 3e4) == (True, True)

    def share_below(value, slope):
        return (1 - (value / 20) ** -slope) / (1 - (3e4 / 20) ** -slope)

    assert stats.kstest(drawn, lambda value: share_below(value, 0.9)).pvalue > 0.01
    assert stats.kstest(drawn, lambda value: share_below(value, 1.0)).pvalue < 1e-6


def test_a_source_has_its_flux_and_half_of_it_within_its_radius():
    image = np.zeros((801, 801), dtype=np.float32)
    add_sources(image, np.array([[400.3, 399.6, 1e6, 30.0, 1.0, 0.0]]))
    assert image.sum(dtype=np.float64) == pytest.approx(1e6, rel=0.01)  # the faint outskirts are left out
    y, x = np.mgrid[:801, :801]
    inside = np.hypot(x - 400.3, y - 399.6) < 30.0
    assert image[inside].sum(dtype=np.float64) == pytest.approx(5e5, rel=0.01)
    assert image[~inside].sum(dtype=np.float64) < 5e5
    core = 30.0**2 / (2 ** (1 / (MOFFAT_BETA - 1)) - 1)
    peak = 1e6 * (MOFFAT_BETA - 1) / (np.pi * core)
    assert image.max() == pytest.approx(peak * (1 + 0.25 / core) ** -MOFFAT_BETA, rel=1e-3)


def test_a_flat_source_lies_along_its_orientation():
    image = np.zeros((101, 101), dtype=np.float32)
    add_sources(image, np.array([[50.0, 50.0, 1e4, 5.0, 0.5, np.pi / 6]]))
    y, x = np.mgrid[:101, :101] - 50.0
    moments = [float((image * term).sum(dtype=np.float64)) for term in (x * x, y * y, x * y)]
    angle = 0.5 * np.arctan2(2 * moments[2], moments[0] - moments[1])
    assert angle == pytest.approx(np.pi / 6, abs=0.01)


def test_pair_excess_is_that_of_a_plain_count():
    rng, settings = np.random.default_rng(4), law().score
    sources = np.column_stack(
        [rng.uniform(0, 250, (60, 2)), rng.uniform(50, 1000, 60), np.full(60, 2.0), np.ones((60, 2))]
    )
    weights = np.minimum(sources[:, 2], settings.flux_cap)
    weights /= weights.mean()
    tree = cKDTree(sources[:, :2], boxsize=250)
    total = sum(
        weights[one] * weights[other]
        for one, near in enumerate(tree.query_ball_point(sources[:, :2], settings.pair_radius_pix))
        for other in near
        if other != one
    )
    excess = total / (60**2 * np.pi * settings.pair_radius_pix**2 / 250**2)
    found = realized_quantities(sources, settings, side_pix=250)
    assert found == pytest.approx(
        [np.log(excess + 0.3), np.log(sources[:, 2]).mean(), np.log(2.0), np.log(61)]
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_scores_have_the_published_law(recipe):
    catalog = catalog_of(1200, recipe=recipe)
    scores = np.asarray(catalog["score"])
    ranks = np.linspace(0, 1, len(REAL_QUANTILES))

    def share_below(values):
        return np.interp(values, REAL_QUANTILES, ranks)

    assert stats.kstest(scores, share_below).statistic < 0.047  # limit of 1 % at n = 1200
    assert stats.kstest(scores + 0.15, share_below).statistic > 0.06
    assert abs(scores.mean() - 1.654) < 0.1  # published mean, three standard errors


def test_another_law_has_other_scores():
    brighter = catalog_of(400, *CLEAN, "flux.slope.median=0.6")
    assert brighter["score"].mean() > catalog_of(400, *CLEAN)["score"].mean() + 0.2


def test_what_is_no_field_is_below_what_is_spoiled_and_that_below_clean_ones():
    catalog = catalog_of(2000)
    kinds = np.array([kind.partition("_")[0] for kind in catalog["kind"]])
    none, spoiled, clean = (
        np.asarray(catalog["score"])[kinds == kind] for kind in ("not", "corrupted", "cosmology")
    )
    assert none.max() <= spoiled.min() <= spoiled.max() <= clean.min()
    assert spoiled.max() <= THRESHOLD
    assert none.min() < 0.01
    assert len(none) / 2000 == pytest.approx(0.14, abs=0.024)  # three standard errors
    assert len(spoiled) / 2000 == pytest.approx(0.06, abs=0.016)
    assert set(catalog["label"][kinds != "cosmology"]) == {0.0}
    assert set(catalog["label"][kinds == "cosmology"]) == {1.0}
    assert set(catalog["kind"]) == {
        "cosmology",
        *(f"corrupted_{name}" for name in CORRUPTIONS),
        *(f"not_{name}" for name in NON_COSMOLOGY),
    }


def draw_of(kind, *, strength=0.5, sources=None):
    """A field of a kind, with one source where none are given."""
    one = np.array([[60.0, 70.0, 4000.0, 2.0, 1.0, 0.0]]) if sources is None else sources
    return FieldDraw(kind, strength, 1.0, 0.11, 0.5, 15.0, 0.9, 1.9, one)


@pytest.mark.parametrize("kind", ["cosmology", *(f"corrupted_{name}" for name in CORRUPTIONS)])
def test_a_field_shows_its_sources_on_whole_gray_levels(kind):
    compile_renderer()
    image = render_field(draw_of(kind), side_pix=128, seed=1, position=0)
    assert (image.dtype, image.shape) == (np.float32, (128, 128))
    assert np.array_equal(image, np.rint(image))
    assert not np.signbit(image).any()
    assert (image.min() >= 0, image.max() <= 255) == (True, True)
    assert image[68:73, 58:63].mean() > image.mean() + 50
    clean = render_field(draw_of("cosmology"), side_pix=128, seed=1, position=0)
    assert np.array_equal(image, clean) == (kind == "cosmology")


@pytest.mark.parametrize("name", NON_COSMOLOGY)
def test_what_is_no_field_is_as_dark_as_it_was_drawn(name):
    levels = [
        render_field(draw_of(f"not_{name}", strength=strength), side_pix=128, seed=1, position=2).mean()
        for strength in (0.0, 0.5, 1.0)
    ]
    assert levels[0] > levels[1] > levels[2]
    assert levels[1] == pytest.approx(np.sqrt(6.0 * 120.0), rel=0.25)  # the middle of the logarithms


def test_photographs_are_cut_from_the_pictures_that_are_given(tmp_path):
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        pixels = np.zeros((60, 90), dtype=np.uint8)
        pixels[:, ::2] = 60 + 40 * number  # stripes, which no disc has
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    only = ["non_cosmology_share=1.0", "corrupted_share=0.0", "non_cosmology=['photograph']", "side_pix=60"]
    how = {"n": 6, "seed": 1, "recipe": "fields-250", "overrides": only}
    cut = simulate.fields(tmp_path / "cut", negatives=tmp_path / "pictures", **how)
    discs = simulate.fields(tmp_path / "discs", **how)

    def stripes(images):
        return np.median(
            [np.abs(image.mean(axis=1) - image.mean()).max() / image.mean() for image in images.stacked()]
        )

    assert stripes(cut) > 3 * stripes(discs)
    np.testing.assert_array_equal(cut.catalog["score"], discs.catalog["score"])
    levels = 120.0 * (6.0 / 120.0) ** np.asarray(cut.catalog["strength"])
    np.testing.assert_allclose(cut.stacked().mean(axis=(1, 2, 3)), levels, rtol=0.2)
    assert cut.provenance.fingerprint() != discs.provenance.fingerprint()
    with pytest.raises(InputError, match="there is no such folder or file of images"):
        simulate.fields(tmp_path / "other", negatives=tmp_path / "gone", **how)


def test_field_k_is_the_same_in_sets_of_any_size(tmp_path):
    few = simulate.fields(tmp_path / "few", n=3, seed=5, recipe="fields-250")
    more = simulate.fields(tmp_path / "more", n=9, seed=5, recipe="fields-250")
    other = simulate.fields(tmp_path / "other", n=3, seed=6, recipe="fields-250")
    np.testing.assert_array_equal(few.stacked(), more.stacked()[:3])
    assert list(few.catalog["score"]) == list(more.catalog["score"][:3])
    assert not np.array_equal(few.stacked(), other.stacked())
    assert few.header.to_dict() == {
        "bands": ["gray"],
        "pixel_scale_arcsec": None,
        "physical_pixel_kpc": None,
        "flux_unit": "display",
        "zero_points_mag": {},
        "psf": {},
        "shows": "field",
    }


def test_the_truth_of_sources_lies_beside_the_pixels(tmp_path):
    images = simulate.fields(tmp_path / "set", n=12, seed=2, recipe="fields-250", overrides=CLEAN)
    sources = read_sources(tmp_path / "set")
    assert [int(np.sum(sources["row"] == row)) for row in range(12)] == list(images.catalog["n_sources"])
    drawn = draw_field(law(*CLEAN), seed=2, position=4).sources
    np.testing.assert_array_equal(read_sources(tmp_path / "set", [4])["x_pix"], drawn[:, 0])
    brightest = sources[sources["row"] == 4]
    brightest = brightest[np.argmax(brightest["flux"])]
    y, x = round(brightest["y_pix"]), round(brightest["x_pix"])
    assert images[4][0, y - 1 : y + 2, x - 1 : x + 2].mean() > images[4].mean() + 8


def test_sources_go_with_their_image_through_crop_and_resize(tmp_path):
    simulate.fields(tmp_path / "set", n=4, seed=2, recipe="fields-250", overrides=CLEAN)
    cut = SetOptions(crop_pix=100, resize_pix=200)
    ingest("store", tmp_path / "set", tmp_path / "cut", options=cut)
    before, after = read_sources(tmp_path / "set"), read_sources(tmp_path / "cut")
    x, y = np.asarray(before["x_pix"]), np.asarray(before["y_pix"])
    inside = (x >= 74.5) & (x < 174.5) & (y >= 74.5) & (y < 174.5)
    np.testing.assert_allclose(after["x_pix"], 2 * (x[inside] - 75) + 0.5)
    np.testing.assert_allclose(after["r_half_pix"], 2 * np.asarray(before["r_half_pix"])[inside])
    with pytest.raises(InputError, match="does not know its sources"):
        read_sources(_without_sources(tmp_path))


def _without_sources(folder):
    """Write a store of galaxies."""
    simulate.sersic(folder / "galaxies", n=2, recipe="sersic-32")
    return folder / "galaxies"


def test_wrong_recipes_are_refused_with_the_way_out(tmp_path):
    assert set(RECIPES) == set(prior_names("fields"))
    assert not set(RECIPES) & set(prior_names("sersic"))
    with pytest.raises(
        SettingsError, match="`recipe=sersic-64`: simulates Sérsic galaxies; wanted priors: fields,"
    ):
        simulate.fields(tmp_path / "set", n=1, recipe="sersic-64")
    with pytest.raises(SettingsError, match="`recipe=fields`: simulates fields; wanted priors: sersic,"):
        simulate.sersic(tmp_path / "set", n=1, recipe="fields")
    with pytest.raises(SettingsError, match="sum to more than 1"):
        law("corrupted_share=0.9")
    with pytest.raises(SettingsError, match="swap them"):
        law("flux.low=50000.0")
    assert not any(tmp_path.iterdir())


def test_a_field_without_sources_has_a_score():
    found = realized_quantities(np.empty((0, 6)), law().score, side_pix=250)
    assert found[-1] == 0
    assert len(found) == len(QUANTITIES)
    assert np.isfinite(found).all()


def test_a_store_of_fields_is_opened_with_its_catalog(tmp_path):
    simulate.fields(tmp_path / "set", n=5, recipe="fields-250")
    catalog = open_store(tmp_path / "set").catalog
    assert {"score", "label", "part", "kind", "n_sources", *QUANTITIES} <= set(catalog.colnames)
    assert set(catalog["part"]) == {"simulated"}
