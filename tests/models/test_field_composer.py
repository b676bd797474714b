"""`field_composer`: fields of the learned laws, of any size, with their truth; and no source of the training set again."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from galsmith.data.fields.detection import FieldSources, detect_field
from galsmith.data.fields.sky import SKY_NORMAL
from galsmith.errors import InputError, SettingsError
from galsmith.models.families import family_named
from galsmith.models.field_composer.canvas import (
    N_ANGULAR,
    N_STAMP_TERMS,
    add_sources,
    cut_to_levels,
    fill_correlated,
    fill_from_table,
)
from galsmith.models.field_composer.composition import StampLaw, compose_field
from galsmith.models.field_composer.config import FieldComposerConfig
from galsmith.models.field_composer.positions import count_pairs, draw_positions, expected_pairs
from galsmith.models.field_composer.stamps import ROUND_STAMP, fit_stamps, joined, stamp_equations
from galsmith.models.protocols import DataDescription, NetworkBatch

EDGES = np.array([0.0, 4, 10, 25, 50])
EXPONENT = 2.5


def stamps_of(n):
    """Plain profiles."""
    return np.tile(ROUND_STAMP, (n, 1))


def drawn_field(rng, *, side=200, psf=1.3, n=60):
    """Gray levels of a field of clustered sources of a power law of flux."""
    parents = rng.uniform(0, side, (6, 2))
    place = np.where(
        rng.random((n, 1)) < 0.5,
        parents[rng.integers(0, 6, n)] + rng.normal(0, 8, (n, 2)),
        rng.uniform(0, side, (n, 2)),
    )
    flux = np.minimum(60 * (1 - rng.random(n)) ** -1.0, 5000)
    size = psf * np.exp(rng.normal(0, 0.2, n))
    rows = np.stack(
        [*(place % side).T, flux, size, rng.uniform(0.5, 1, n), rng.uniform(-1.5, 1.5, n)], axis=1
    )
    canvas = rng.normal(2.0, 0.8, (side, side)).astype(np.float32)
    add_sources(canvas, rows, stamps_of(n), EXPONENT)
    cut_to_levels(canvas)
    return canvas.astype(np.uint8)


@pytest.fixture(scope="module")
def training_fields():
    rng = np.random.default_rng(11)
    return np.array([drawn_field(rng, psf=rng.uniform(1.1, 1.6), n=rng.poisson(60)) for _ in range(80)])


@pytest.fixture(scope="module")
def fitted(training_fields):
    """A generator with fitted laws and a network that is not trained: the numbers of its vectors do not hang together."""
    config = FieldComposerConfig(width=16, depth=1)
    pixels = torch.from_numpy(training_fields[:, None].astype(np.float32) / 255)
    batch = NetworkBatch(pixels, torch.empty(len(pixels), 0))
    description = DataDescription(("gray",), pixels.shape[-1], (), len(pixels), (0.0, 1.0), "field")
    return family_named("field_composer").build_trainer(config, description, lambda: iter([batch]), seed=0)


def levels_of(fields):
    """Gray levels of composed fields."""
    return [field.levels.astype(np.uint8) for field in fields]


def test_expected_pairs_are_those_of_points_at_random():
    rng = np.random.default_rng(2)
    counted = np.mean(
        [count_pairs(*rng.uniform(0, [[90], [60]], (2, 40)), EDGES) for _ in range(400)], axis=0
    )
    expected = expected_pairs(40, (60, 90), EDGES)
    assert counted == pytest.approx(expected, rel=0.05, abs=0.15)


def test_pairs_come_out_as_wanted():
    rng = np.random.default_rng(3)
    wanted = np.round(expected_pairs(200, (400, 300), EDGES) * [2.0, 6, 3, 1])
    x, y = draw_positions(200, (400, 300), wanted, EDGES, rng=rng)
    assert count_pairs(x, y, EDGES) == pytest.approx(wanted, abs=1)
    assert ((x >= -0.5) & (x < 299.5) & (y >= -0.5) & (y < 399.5)).all()
    alone = draw_positions(200, (400, 300), expected_pairs(200, (400, 300), EDGES), EDGES, rng=rng)
    assert count_pairs(*alone, EDGES)[1] < 0.5 * wanted[1]


def test_a_profile_has_its_flux_and_is_saturated():
    canvas = np.zeros((121, 121), dtype=np.float32)
    add_sources(canvas, np.array([[60.0, 60, 8000, 3, 0.6, 0.5]]), stamps_of(1), EXPONENT)
    # wings beyond the faintest light that is drawn are left out
    assert float(canvas.sum()) == pytest.approx(8000, rel=0.02)
    bright = canvas * 10
    cut_to_levels(bright)
    assert float(bright.max()) == 255
    assert np.array_equal(bright, np.floor(np.minimum(canvas * 10, 255)))


def test_a_sky_is_drawn_from_its_table_by_its_seed():
    table = np.repeat(np.arange(4, dtype=np.float32), 1024)
    one, again, other = (np.empty((200, 201), dtype=np.float32) for _ in range(3))
    for canvas, seed in ((one, 5), (again, 5), (other, 6)):
        fill_from_table(canvas, table, np.uint64(seed))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    shares = np.bincount(one.astype(int).ravel()) / one.size
    assert shares == pytest.approx(np.full(4, 0.25), abs=4 * np.sqrt(0.25 * 0.75 / one.size))
    assert abs(np.corrcoef(one[:, 1:].ravel(), one[:, :-1].ravel())[0, 1]) < 0.02


def test_a_correlated_sky_has_the_kernel_s_correlation():
    kernel = np.zeros((5, 5))
    kernel[2, 2:4] = np.sqrt([0.8, 0.2])
    white = np.random.default_rng(4).standard_normal((304, 304)).astype(np.float32)
    canvas = np.empty((300, 300), dtype=np.float32)
    fill_correlated(canvas, white, kernel, np.linspace(-4, 4, 4096).astype(np.float32))
    assert float(canvas.std()) == pytest.approx(1, abs=0.01)
    assert np.corrcoef(canvas[:, 1:].ravel(), canvas[:, :-1].ravel())[0, 1] == pytest.approx(0.4, abs=0.02)
    assert abs(np.corrcoef(canvas[1:].ravel(), canvas[:-1].ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("amount", [0.0, 0.4])
def test_stamps_are_told_from_noise(amount):
    """Sources that differ along one direction have it found; those that do not differ have less than half of that."""
    rng = np.random.default_rng(8)
    direction = np.zeros(N_STAMP_TERMS)
    direction[3 * N_ANGULAR :: N_ANGULAR] = 1.0  # wings above the profile's
    parts = []
    for _ in range(12):
        rows = np.stack(
            [*(grid.ravel() for grid in np.meshgrid(np.arange(20.0, 200, 32), np.arange(20.0, 200, 32)))],
            axis=1,
        )
        n = len(rows)
        shape = np.stack([rng.uniform(900, 1600, n), *np.full((2, n), 1.0), np.zeros(n)], axis=1)
        shape[:, 1] = 1.8
        terms = stamps_of(n) + amount * rng.standard_normal((n, 1)) * direction
        canvas = rng.normal(3, 0.6, (200, 200)).astype(np.float32)
        add_sources(canvas, np.hstack([rows, shape]), terms, EXPONENT)
        cut_to_levels(canvas)
        field = canvas.astype(np.uint8)
        found = detect_field(field, exponent=EXPONENT)
        parts.append(stamp_equations(field, found, level=2.5, noise=0.6, exponent=EXPONENT))
    mean, deviations = fit_stamps(joined(parts), 3)
    assert mean[::N_ANGULAR][:5] == pytest.approx(np.ones(5), abs=0.1)
    strength = float(np.linalg.norm(deviations[0]))
    # a third of the direction is a change of size, which the profile's own fit takes
    assert strength > 0.2 if amount else strength < 0.12


def test_light_that_is_cut_to_none_is_taken_for_no_shape():
    """Without noise light of less than half a level is lost: nearer in for faint sources than for bright ones."""
    rng, parts = np.random.default_rng(9), []
    for _ in range(8):
        x, y = (grid.ravel() for grid in np.meshgrid(np.arange(20.0, 200, 32), np.arange(20.0, 200, 32)))
        n = len(x)
        flux, size = np.exp(rng.uniform(5.5, 8, n)), np.full(n, 1.8)
        canvas = np.full((200, 200), 0.5, dtype=np.float32)
        rows = np.stack([x + rng.random(n), y, flux, size, np.full(n, 0.8), rng.uniform(-1, 1, n)], axis=1)
        add_sources(canvas, rows, stamps_of(n), EXPONENT)
        cut_to_levels(canvas)
        field = canvas.astype(np.uint8)
        found = detect_field(field, exponent=EXPONENT)
        parts.append(stamp_equations(field, found, level=0.0, noise=0.0, exponent=EXPONENT))
    mean, deviations = fit_stamps(joined(parts), 3)
    assert mean[::N_ANGULAR] == pytest.approx(np.ones(len(mean) // N_ANGULAR), abs=0.2)
    assert float(np.linalg.norm(deviations[0])) < 0.3


def test_composed_fields_are_detected_to_have_the_laws_of_the_training_set(fitted, training_fields):
    """Composed from the vectors of the training fields, whose own means they must give back."""
    generator = fitted.generator.eval()
    laws = generator.field_laws()
    composed = generator.compose(range(60), (200, 200))
    found = [detect_field(field).sources for field in levels_of(composed)]
    real = [detect_field(field).sources for field in training_fields]

    def means(sources: list[FieldSources]):
        every = [
            np.concatenate([getattr(one, name) for one in sources])
            for name in ("flux", "size_pix", "axis_ratio")
        ]
        pairs = sum(count_pairs(one.x_pix, one.y_pix, laws.pair_edges_pix)[2] for one in sources)
        random = sum(expected_pairs(len(one), (200, 200), laws.pair_edges_pix)[2] for one in sources)
        return np.array(
            [
                np.mean([len(one) for one in sources]) / 50,
                np.log(every[0]).mean(),
                np.log(every[1]).mean(),
                every[2].mean(),
                pairs / random / 3,
            ]
        )

    away = means(found) - means(real)
    # three times the scatter of 60 fields about their mean; pairs are in units of three
    assert np.abs(away).max() < 0.12, away
    levels = np.array(
        [np.bincount(field.ravel(), minlength=256)[:8] / field.size for field in levels_of(composed)]
    )
    wanted = np.array(
        [np.bincount(field.ravel(), minlength=256)[:8] / field.size for field in training_fields]
    )
    assert levels.mean(axis=0) == pytest.approx(wanted.mean(axis=0), abs=0.02)


def test_unclustered_positions_would_be_seen(fitted):
    """The must-fail twin of the pairs above: points at random have a third of the pairs."""
    edges = fitted.generator.field_laws().pair_edges_pix
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 200, (2, 50))
    ratio = count_pairs(x, y, edges)[2] / expected_pairs(50, (200, 200), edges)[2]
    drawn = [field.sources for field in fitted.generator.eval().compose(range(20), (200, 200))]
    clustered = np.mean(
        [count_pairs(*one.T[:2], edges)[2] / expected_pairs(len(one), (200, 200), edges)[2] for one in drawn]
    )
    assert clustered > 1.5 * ratio


def test_a_field_of_another_size_keeps_its_density_and_its_truth(fitted):
    generator = fitted.generator.eval()
    small, large = generator.compose([3], (100, 140))[0], generator.compose([3], (300, 420))[0]
    assert small.levels.shape == (100, 140)
    assert len(large.sources) == pytest.approx(9 * len(small.sources), rel=0.1)
    x, y, flux, r_half, ratio, _ = large.sources.T
    # a Moffat profile of 2.5 has its half light within 1.15 widths and its middle at flux / (7.5 widths^2)
    bright = (flux / r_half**2 > 150) & (x > 8) & (x < 411) & (y > 8) & (y < 291)
    assert bright.sum() > 5
    assert (ratio > 0).all()
    places = np.round(np.stack([y, x])[:, bright]).astype(int)
    assert (large.levels[places[0], places[1]] > 10).all()


def test_the_truth_has_the_light_of_the_pixels(fitted):
    """On a sky of normal noise about 20, of which half a level is cut off; light that falls outside is a few hundredths."""
    generator = fitted.generator.eval()
    laws, arrays = generator.field_laws(), generator.stamps.arrays()
    laws = replace(laws, sky_mean=20 + SKY_NORMAL, sky_axes=0 * laws.sky_axes, sky_levels=0 * laws.sky_levels)
    stamps = StampLaw(float(arrays["exponent"]), arrays["mean"], arrays["deviations"])
    vector = np.zeros(laws.n_values)
    vector[0] = 7.0  # log of the sources in a million pixels
    light, truth = 0.0, 0.0
    for number in range(20):
        rng = np.random.default_rng(number)
        field = compose_field(
            vector, (300, 300), laws=laws, stamps=stamps, sky_kernel=generator.sky.arrays()["kernel"], rng=rng
        )
        if (field.levels < 255).all():
            light += field.levels.sum() - 19.5 * field.levels.size
            truth += field.sources[:, 2].sum()
    assert truth > 10_000
    assert light / truth == pytest.approx(1, abs=0.08)


def test_a_field_is_its_seed_s_alone_and_whole_levels(fitted):
    generator = fitted.generator.eval()
    together, alone = generator.compose(range(20), (64, 64)), generator.compose([17], (64, 64))[0]
    assert np.array_equal(together[17].levels, alone.levels)
    assert np.array_equal(together[17].sources, alone.sources)
    assert not np.array_equal(together[16].levels, alone.levels)
    assert np.array_equal(alone.levels, np.round(alone.levels))
    drawn = generator.sample([17]).pixels * 255
    assert float((drawn - drawn.round()).abs().max()) < 1e-4


def test_no_drawn_stamp_is_one_of_the_training_set(fitted, training_fields):
    """Cutouts of 9 px about bright sources; a composer that pasted stamps would repeat them pixel by pixel."""

    def cutouts(fields):
        cut = []
        for field in fields:
            sources = detect_field(field).sources
            for x, y in zip(
                np.round(sources.x_pix).astype(int), np.round(sources.y_pix).astype(int), strict=True
            ):
                stamp = field[max(y - 4, 0) : y + 5, max(x - 4, 0) : x + 5]
                if stamp.shape == (9, 9) and stamp.max() > 30:
                    cut += [np.rot90(turned, k).tobytes() for turned in (stamp, stamp.T) for k in range(4)]
        return cut

    known = set(cutouts(training_fields))
    drawn = cutouts(levels_of(fitted.generator.eval().compose(range(40), (200, 200))))
    assert len(drawn) > 1000
    assert not known & set(drawn)
    assert known & set(cutouts([training_fields[7].T]))  # a copied field is seen, also turned


def test_fields_without_sources_and_sets_of_galaxies_are_refused():
    family, config = family_named("field_composer"), FieldComposerConfig(width=16, depth=1)
    black = NetworkBatch(torch.zeros(60, 1, 32, 32), torch.empty(60, 0))
    description = DataDescription(("gray",), 32, (), 60, (0.0, 1.0), "field")
    with pytest.raises(
        InputError, match="0 sources were found in 60 training fields; field_composer needs 80"
    ):
        family.build_trainer(config, description, lambda: iter([black]), seed=0)
    galaxies = DataDescription(("gray",), 32, (), 60, (0.0, 1.0))
    with pytest.raises(SettingsError, match="images that show a galaxy each: field_composer learns fields"):
        family.build_trainer(config, galaxies, lambda: iter([black]), seed=0)
    few = DataDescription(("gray",), 32, (), 30, (0.0, 1.0), "field")
    with pytest.raises(SettingsError, match="30 training fields: field_composer needs 50 at least"):
        family.build_trainer(config, few, lambda: iter([black]), seed=0)


def test_radii_that_part_no_distances_are_refused():
    with pytest.raises(ValueError, match="pair_edges_pix rises from 0"):
        FieldComposerConfig(pair_edges_pix=(4.0, 10.0))
