"""Copies, repeats and the reference itself among real galaxies: seen in nine of ten draws at least, and fair sets are not.

EFIGI (Baillard et al. 2011): 1,500 galaxies are trained on, 1,000 held out, and 1,071 are fresh.
"""

import logging
import warnings

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from galsmith.compare.memory.copies import DEFINITIONS, RANKS, find_copies, ratios_of
from galsmith.compare.memory.log_polar import likest_rows, log_polar_spectra, whitening_of
from galsmith.compare.memory.memorization import C_T, CLOSER, Yard, closeness
from galsmith.compare.memory.nearest import stretch_of
from galsmith.compare.resampling import Chance
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.seeds import random_stream

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

N_TRAINING, N_HELD_OUT = 1500, 1000
N_SET, N_COPIES, SEEDS = 400, 40, 10
# What a card asks of one test: 5 % over 16 families, and over the 7 tests that copies may have.
TOLD = 0.05 / 16 / 7
QUICK = Chance(seed=0, replicates=5, splits=5)
logger = logging.getLogger("controls")


@pytest.fixture(scope="module")
def pictures(shared_data):
    """All of EFIGI in an order by chance, [galaxy, band, y, x] float32: neighbors in the catalog are alike."""
    files = sorted((shared_data / "efigi_gri88").rglob("*.jp*g"))
    order = random_stream(0, "test.order").permutation(len(files))
    return np.stack(
        [np.asarray(Image.open(files[k]), dtype=np.float32)[::-1].transpose(2, 0, 1) for k in order]
    )


def as_set(images):
    return image_set_from_arrays(list(images), ImageHeader(("i", "r", "g"), "display"))


@pytest.fixture(scope="module")
def score(pictures):
    """Ratios of images against the training set, as `find_copies` has them."""
    training = as_set(pictures[:N_TRAINING])
    stretch = stretch_of(training, side_pix=64)
    points = log_polar_spectra(training, stretch)
    weights = whitening_of(points)

    def ratios(images):
        spectra = log_polar_spectra(as_set(images), stretch) * weights
        return ratios_of(likest_rows(spectra, points * weights, ranks=RANKS))

    return ratios


@pytest.fixture(scope="module")
def yardstick(pictures, score):
    """Ratios of the held-out and of the fresh galaxies."""
    return score(pictures[N_TRAINING : N_TRAINING + N_HELD_OUT]), score(pictures[N_TRAINING + N_HELD_OUT :])


def posed(image, turn_deg, zoom, *, crop=1.0, rng=None):
    """Turn and magnify around the middle, or cut a part out and bring it to the old size."""
    side = image.shape[-1]
    if crop < 1:
        kept = round(crop * side)
        top, left = rng.integers(0, side - kept + 1, 2)
        cut = image[:, top : top + kept, left : left + kept]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SciPy tells of the rounding of sides.
            return ndimage.zoom(cut, (1, side / kept, side / kept), order=1)
    angle, middle = np.deg2rad(turn_deg), (side - 1) / 2
    back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    offset = middle - back @ [middle, middle]
    return np.stack([ndimage.affine_transform(b, back, offset, order=1, mode="nearest") for b in image])


def small_turn(rng):
    return rng.uniform(5, 45) * rng.choice([-1, 1])


# Each takes an image, another one, and random numbers.
COPIES = {
    "x 0.8": lambda image, other, rng: 0.8 * image,
    "x 1.2, clipped": lambda image, other, rng: np.clip(1.2 * image, 0, 255),
    "gamma 0.8": lambda image, other, rng: 255 * (image / 255) ** 0.8,
    "gamma 1.25": lambda image, other, rng: 255 * (image / 255) ** 1.25,
    "gains of bands": lambda image, other, rng: image * rng.uniform(0.8, 1.2, (3, 1, 1)),
    "turned by 5 to 45 degrees": lambda image, other, rng: posed(image, small_turn(rng), 1),
    "zoomed by 0.8 to 1.25": lambda image, other, rng: posed(image, 0, rng.uniform(0.8, 1.25)),
    "zoomed by 0.8": lambda image, other, rng: posed(image, 0, 0.8),
    "zoomed by 1.25": lambda image, other, rng: posed(image, 0, 1.25),
    "cropped to 80 %": lambda image, other, rng: posed(image, 0, 1, crop=0.8, rng=rng),
    "blended 1:1": lambda image, other, rng: 0.5 * (image + other),
    "blended 7:3": lambda image, other, rng: 0.7 * image + 0.3 * other,
    "turned, zoomed, gains": lambda image, other, rng: (
        rng.uniform(0.8, 1.2, (3, 1, 1)) * posed(image, small_turn(rng), rng.uniform(0.8, 1.25))
    ),
}


def judged(ratios, held_out):
    found = closeness(Yard(ratios), Yard(held_out), DEFINITIONS, chance=QUICK)
    return found[CLOSER], found[C_T]


@pytest.mark.parametrize("kind", COPIES)
def test_a_tenth_of_altered_copies_is_seen(kind, pictures, score, yardstick):
    held_out, fresh = yardstick
    rng = random_stream(0, f"test.copies.{kind}")
    rows = [rng.permutation(N_TRAINING)[:N_COPIES] for _ in range(SEEDS)]
    altered = [
        COPIES[kind](pictures[row], pictures[(row + 7) % N_TRAINING], rng) for row in np.concatenate(rows)
    ]
    ratios = score(np.array(altered, dtype=np.float32)).reshape(SEEDS, N_COPIES)
    found = []
    for seed in range(SEEDS):
        chosen = random_stream(seed, "test.fresh").permutation(len(fresh))[: N_SET - N_COPIES]
        found.append(judged(np.concatenate([ratios[seed], fresh[chosen]]), held_out)[0])
    logger.info(
        "%s: share %.3f, largest p %.1g, told in %d of %d",
        *(kind, np.mean([item.value for item in found]), max(item.p_value for item in found)),
        *(sum(item.p_value < TOLD for item in found), SEEDS),
    )
    assert sum(item.p_value < TOLD for item in found) >= 9


@pytest.mark.parametrize(
    "change",
    [
        lambda images: images,
        lambda images: 0.8 * images,
        lambda images: ndimage.gaussian_filter(images, (0, 0, 1, 1)),
        lambda images: images + random_stream(0, "test.noise").normal(0, 6, images.shape),
    ],
    ids=["as they are", "dimmed", "blurred by 1 px", "noise of 6"],
)
def test_fair_galaxies_raise_no_alarm(change, pictures, score, yardstick):
    held_out, fresh = yardstick
    images = change(pictures[N_TRAINING + N_HELD_OUT :]).astype(np.float32)
    ratios = fresh if np.array_equal(images, pictures[N_TRAINING + N_HELD_OUT :]) else score(images)
    sets = [random_stream(seed, "test.fair").permutation(len(ratios))[:N_SET] for seed in range(SEEDS)]
    p_values = [item.p_value for chosen in sets for item in judged(ratios[chosen], held_out)]
    logger.info("fair: smallest p %.2g of %d", min(p_values), len(p_values))
    assert min(p_values) > TOLD


@pytest.mark.parametrize("gain", [0.8, 1.2])
def test_a_set_of_training_images_of_other_gain_is_seen(gain, pictures, score, yardstick):
    closer, nearness = judged(score(np.float32(gain) * pictures[:N_SET]), yardstick[0])
    assert closer.value > 0.99
    assert closer.p_value < 1e-11  # Where SciPy's beta-binomial loses its digits.
    assert nearness.p_value < 1e-100


def found_in(images, pictures):
    reference = as_set(pictures[N_TRAINING : N_TRAINING + N_HELD_OUT])
    return find_copies(as_set(images), reference, replicates=5, splits=5)


@pytest.mark.parametrize("seed", range(3))
def test_repeated_galaxies_are_seen_and_their_effective_number_said(seed, pictures):
    rows = N_TRAINING + N_HELD_OUT + random_stream(seed, "test.repeats").permutation(1071)
    again = np.array(
        [COPIES["turned, zoomed, gains"](pictures[row], None, random_stream(row, "x")) for row in rows[:250]]
    )
    sets = {
        "fair": pictures[rows[:500]],
        "twice": np.repeat(pictures[rows[:250]], 2, axis=0),
        "five times": np.repeat(pictures[rows[:100]], 5, axis=0),
        "five make 10 %": pictures[[*rows[:450], *np.repeat(rows[450:455], 10)]],
        "twice, altered": np.concatenate([pictures[rows[:250]], again.astype(np.float32)]),
    }
    effective = {"fair": 500, "twice": 250, "five times": 100, "five make 10 %": 500**2 / (450 + 5 * 100)}
    for name, images in sets.items():
        repeats = found_in(images, pictures).repeats
        smallest = min(repeats.redundant.p_value, repeats.closest_pairs.p_value)
        logger.info(
            "%s: %d distinct, %.0f in effect, closest pairs %.2f, p %.1g",
            *(name, repeats.n_distinct, repeats.n_effective, repeats.closest_pairs.value, smallest),
        )
        assert (smallest < TOLD) == (name != "fair"), name
        if name in effective:
            assert repeats.n_effective == pytest.approx(effective[name], rel=0.1), name


@pytest.mark.parametrize("gain", [1.0, 0.8])
def test_the_reference_itself_is_named(gain, pictures):
    found = found_in(np.float32(gain) * pictures[N_TRAINING : N_TRAINING + N_HELD_OUT], pictures)
    (twins,), (search,) = found.twins, found.searches
    logger.info(
        "reference x %.1f: %d identical, share %.2f", gain, twins.n_identical, search.share_closer.value
    )
    assert twins.n_identical == (N_HELD_OUT if gain == 1 else 0)
    assert search.share_closer.value > 0.4  # One half of the reference is searched.
    assert search.share_closer.p_value < 1e-11
    assert search.c_t.p_value < 1e-20
