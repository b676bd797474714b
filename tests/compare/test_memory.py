"""Memorization: fresh images raise no alarm, copies do, and every number has its definition beside it."""

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from scipy.spatial.distance import cdist

from galsmith.compare.memory import memorization as memory
from galsmith.compare.memory import nearest
from galsmith.compare.memory.memorization import c_t, memorization
from galsmith.compare.memory.nearest import nearest_rows, pixels_of, stretch_of, turn_orders, turned
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.seeds import random_stream

FEW = {"replicates": 20, "splits": 20}
D = 10


def features(count, *, case):
    """Fresh draws of one correlated Gaussian."""
    rng = random_stream(case, "test.memory")
    return (rng.normal(size=(count, D)) + 0.7 * rng.normal(size=(count, 1))).astype(np.float32)


def copies(training, count, *, noise=0.05, case=9):
    rng = random_stream(case, "test.copies")
    rows = rng.integers(0, len(training), count)
    return (training[rows] + noise * rng.normal(size=(count, *training.shape[1:]))).astype(np.float32), rows


def judged(generated, training, held_out, **options):
    return memorization(generated, training, held_out, **{"space": "f", **FEW, **options})


def galaxies(count, *, case, size=32):
    """Lopsided galaxies with noise, [galaxy, band, y, x]."""
    rng = random_stream(case, "test.memory.galaxies")
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    images = rng.normal(size=(count, 1, size, size))
    for image in images[:, 0]:
        for _ in range(3):
            dy, dx = rng.uniform(-0.2, 0.2, 2) * size
            width = rng.uniform(0.05, 0.15) * size
            image[...] += rng.uniform(10, 60) * np.exp(-((y - dy) ** 2 + (x - dx) ** 2) / (2 * width**2))
    return images.astype(np.float32)


def as_set(images, bands=("r",)):
    return image_set_from_arrays(list(images), ImageHeader(bands, "electron / s", 0.1))


def by_definition(generated, training, held_out):
    """All three statistics from full tables of distances, as the papers write them; C_T from SciPy."""
    own = cdist(training, training)
    np.fill_diagonal(own, np.inf)
    to_generated, to_held_out = cdist(generated, training), cdist(held_out, training)
    authentic = to_generated.min(axis=1) > own.min(axis=1)[to_generated.argmin(axis=1)]
    first, second = to_generated.min(axis=1), to_held_out.min(axis=1)
    n, m = len(first), len(second)
    u = stats.mannwhitneyu(first, second).statistic
    rank = max((m + 1) // 100, 1)
    return (
        authentic.mean(),
        (u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12),
        (first < np.sort(second)[rank - 1]).mean(),
    )


def values_of(found):
    return found.authenticity.value, found.c_t.value, found.share_closer.value


@pytest.mark.parametrize(("n", "m"), [(300, 250), (60, 500)])
def test_values_are_those_of_the_definitions(n, m):
    generated, training, held_out = features(n, case=1), features(280, case=2), features(m, case=3)
    generated[: n // 4] = copies(training, n // 4)[0]
    assert values_of(judged(generated, training, held_out)) == pytest.approx(
        by_definition(generated, training, held_out), rel=1e-12
    )


def test_toy_set_by_hand():
    # Training images 10 apart, held-out ones 4 off, generated ones 5 off but for ten copies.
    training = 10 * np.arange(100.0)[:, None]
    held_out, generated = training[:50] + 4, training[:60] + 4.5
    generated[:10] = training[:10] + 0.25
    found = judged(generated, training, held_out, n_pairs=3)
    assert found.authenticity.value == 0  # all nearer than 10
    assert found.share_closer.value == 10 / 60
    # Below the nearest of 50: the integral of Binomial(60, x) over Beta(1, 50), here by many quantiles of x.
    x = stats.beta.ppf((np.arange(200_000) + 0.5) / 200_000, 1, 50)
    assert found.share_closer.p_value == pytest.approx(stats.binom.sf(9, 60, x).mean(), rel=1e-3)
    assert found.c_t.p_value == pytest.approx(stats.norm.cdf(found.c_t.value))
    assert found.c_t.value == pytest.approx((50 * 50 - 1500) / np.sqrt(3000 * 111 / 12))
    assert [(pair.generated, pair.training, pair.distance, pair.turn) for pair in found.pairs] == [
        (row, row, 0.25, 0) for row in range(3)
    ]
    assert all(pair.yardstick_quantile == 0 for pair in found.pairs)
    assert found.distances_generated[0] == 0.25
    assert found.distances_held_out == pytest.approx([4] * len(found.quantiles))
    assert (found.n_generated, found.n_training, found.n_held_out) == (60, 100, 50)


def test_fresh_images_raise_no_alarm():
    found = judged(features(1000, case=4), features(1000, case=5), features(1000, case=6), splits=100)
    assert found.authenticity.value == pytest.approx(0.62, abs=0.05)  # Alaa et al.'s measure of fresh draws
    assert found.authenticity.value == pytest.approx(found.authenticity.floor, abs=0.07)
    assert abs(found.c_t.value) < 3
    assert found.share_closer.value == pytest.approx(0.01, abs=0.012)
    for statistic in (found.authenticity, found.c_t, found.share_closer):
        assert statistic.p_value > 0.01
        assert statistic.interval[0] <= statistic.value <= statistic.interval[1]
    assert found.c_t.floor == pytest.approx(0, abs=0.5)
    assert found.c_t.estimate.floor_sigma == pytest.approx(1, abs=0.3)


def test_copies_are_found_and_the_dose_is_monotone():
    training, held_out = features(600, case=7), features(600, case=8)
    fresh, copied = features(600, case=9), copies(training, 600)[0]
    seen = []
    for share in (0.0, 0.05, 0.2, 0.5, 1.0):
        n = round(600 * share)
        found = judged(np.concatenate([copied[:n], fresh[n:]]), training, held_out)
        seen.append([found.authenticity.value, found.c_t.value, -found.share_closer.value])
        if share >= 0.05:
            assert found.share_closer.p_value < 1e-4
            assert found.share_closer.value == pytest.approx(share, abs=0.03)
        if share >= 0.2:
            assert found.authenticity.p_value < 1e-4
            assert found.c_t.p_value < 1e-4
    assert np.all(np.diff(seen, axis=0) < 0)
    assert seen[3][0] == pytest.approx(0.31, abs=0.05)
    assert seen[4][0] < 0.01


def test_distant_images_are_no_copies():
    found = judged(1.5 * features(400, case=10), features(400, case=11), features(400, case=12))
    assert found.c_t.value > 5
    assert found.c_t.p_value > 0.99
    assert found.share_closer.p_value > 0.05


def test_share_that_is_closer_is_tested_with_the_yardsticks_own_chance():
    # A fresh image lies below the k-th of m held-out ones in k of m + 1 cases: by simulation, against the p value.
    rng = random_stream(0, "test.share")
    held_out, fresh = np.sort(rng.uniform(size=(4000, 120)), axis=1), rng.uniform(size=(4000, 80))
    counts = (fresh < held_out[:, :1]).sum(axis=1)
    for count in range(1, 6):
        chance = stats.betabinom.sf(count - 1, 80, 1, 120)
        assert (counts >= count).mean() == pytest.approx(chance, abs=5 * np.sqrt(chance / 4000))


@pytest.mark.slow
def test_false_alarms_are_as_many_as_promised():
    alarms = np.zeros(3, dtype=int)
    for case in range(400):
        sets = [features(80, case=1000 + 3 * case + place) for place in range(3)]
        found = judged(*sets, replicates=2, splits=2)
        alarms += [getattr(found, name).p_value <= 0.05 for name in ("authenticity", "c_t", "share_closer")]
    assert np.all(alarms <= stats.binom.ppf(0.999, 400, 0.05)), alarms
    assert alarms[1] >= stats.binom.ppf(0.001, 400, 0.05)


def test_c_t_is_scipys_statistic():
    rng = random_stream(1, "test.c_t")
    first, second = rng.uniform(size=70), rng.uniform(size=90) ** 1.3
    expected = stats.mannwhitneyu(first, second, use_continuity=False, alternative="less")
    assert stats.norm.cdf(c_t(first, second)) == pytest.approx(expected.pvalue, rel=1e-10)
    assert c_t(first, first) == pytest.approx(0, abs=1e-12)


def test_turns_are_a_group_with_its_inverses():
    image = np.arange(2 * 16).reshape(2, 4, 4)
    seen = {turned(image, turn).tobytes() for turn in range(8)}
    assert len(seen) == 8
    for turn in range(8):
        assert np.array_equal(turned(turned(image, turn), int(nearest.TURN_BACK[turn])), image)
        order = turn_orders(image.shape)[turn]
        assert np.array_equal(image.ravel()[order], turned(image, turn).ravel())
    assert {np.rot90(image, 1, axes=(1, 2)).tobytes(), np.rot90(image, 3, axes=(1, 2)).tobytes()} <= seen


@pytest.mark.parametrize("leave_out", [False, True])
@pytest.mark.parametrize("shape", [(7,), (2, 4, 4), (1, 5, 5)])
def test_nearest_is_that_of_all_distances_and_turns(shape, leave_out):
    rng = random_stream(2, "test.nearest")
    points = rng.normal(size=(150, *shape)).astype(np.float32)
    queries = points[:90] if leave_out else rng.normal(size=(90, *shape)).astype(np.float32)
    orders = turn_orders(shape)
    turns = [points.reshape(150, -1)[:, order] for order in orders]
    distances = np.array([cdist(queries.reshape(90, -1), side) for side in turns])
    own = np.arange(90)
    if leave_out:
        distances[:, own, own] = np.inf
    found = nearest_rows(queries, points, leave_out=own if leave_out else None)
    assert found.distance == pytest.approx(distances.min(axis=(0, 2)), rel=1e-12)
    assert np.array_equal(found.row, distances.min(axis=0).argmin(axis=1))
    assert distances[found.turn, own, found.row] == pytest.approx(found.distance, rel=1e-12)


@pytest.mark.parametrize("side", [4, 5])
def test_parity_parts_give_the_largest_product_over_all_turns(side):
    rng = random_stream(4, "test.parity")
    first, second = (rng.normal(size=(30, 2, side, side)).astype(np.float32) for _ in range(2))
    flat = second.reshape(30, -1)
    products = [turned(first, turn).reshape(30, -1) @ flat.T for turn in range(8)]
    parts = nearest._parity_parts(second)
    assert sum(part.shape[1] for part in parts) == flat.shape[1]
    found = nearest._best_products(nearest._ways(first), parts)
    assert found == pytest.approx(np.max(products, axis=0), abs=1e-5)


def test_blocks_do_not_change_the_result(monkeypatch):
    sets = [galaxies(n, case=case, size=8) for n, case in ((90, 1), (110, 2), (60, 3))]
    whole = memorization(*sets, **FEW)
    monkeypatch.setattr(nearest, "QUERIES_AT_ONCE", 56)
    monkeypatch.setattr(nearest, "POINTS_AT_ONCE", 3)
    monkeypatch.setattr(memory, "ROWS_PER_CHECK", 13)
    assert memorization(*sets, **FEW) == whole


def test_near_copies_keep_their_digits():
    # Far from the origin, single precision alone would give 0 or far too much.
    training = features(100, case=13) + 1000
    generated = training + np.float32(0.001)
    found = judged(generated, training, features(60, case=14) + 1000)
    expected = np.linalg.norm(generated.astype(float) - training, axis=1)
    assert found.distances_generated[-1] == pytest.approx(expected.max(), rel=1e-12)


def test_turned_copies_are_found_with_their_turn():
    training, held_out = galaxies(120, case=4, size=24), galaxies(60, case=5, size=24)
    rng = random_stream(0, "test.turned")
    turns = np.arange(80) % 8
    generated = np.array([turned(training[row], turn) for row, turn in enumerate(turns)])
    generated = generated + 0.3 * rng.normal(size=generated.shape)
    stretch = stretch_of(as_set(training), side_pix=16)
    pixels = [pixels_of(as_set(side), stretch=stretch) for side in (generated, training, held_out)]
    found = memorization(*pixels, n_pairs=80, **FEW)
    assert found.space == "pixels"
    assert {(pair.generated, pair.training, pair.turn) for pair in found.pairs} == {
        (row, row, turn) for row, turn in enumerate(turns)
    }
    assert values_of(found)[::2] == (0, 1)
    assert found.c_t.value < -8
    fresh = memorization(
        pixels_of(as_set(galaxies(80, case=6, size=24)), stretch=stretch), *pixels[1:], **FEW
    )
    assert fresh.share_closer.p_value > 0.01
    assert abs(fresh.c_t.value) < 3


def test_pictures_turn_with_the_image_and_forgive_a_shift():
    images = galaxies(12, case=7, size=48)
    stretch = stretch_of(as_set(images))
    plain = pixels_of(as_set(images), stretch=stretch)
    for turn in (1, 5, 6):
        again = pixels_of(as_set(turned(images, turn)), stretch=stretch)
        assert again == pytest.approx(turned(plain, turn), abs=1e-5)
    moved = pixels_of(as_set(np.roll(images, 2, axis=-1)), stretch=stretch)
    inner = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    unaligned = np.roll(images, 2, axis=-1)[inner] - images[inner]
    assert np.std((moved - plain)[inner]) < 0.35 * np.std(np.arcsinh(unaligned / (3 * stretch.noise)))


def test_stretch_is_sky_and_noise_of_the_rim():
    rng = random_stream(3, "test.rim")
    noise = rng.normal(size=(40, 2, 32, 32)) * [[[[2.0]], [[5.0]]]] + [[[[7.0]], [[0.0]]]]
    noise[:, :, 12:20, 12:20] += 1000
    stretch = stretch_of(as_set(noise, ("g", "r")))
    assert stretch.noise == pytest.approx([2, 5], rel=0.05)
    assert stretch.sky == pytest.approx([7, 0], abs=0.3)
    value = pixels_of(as_set(noise, ("g", "r")), stretch=stretch)[:, 0, 16, 16]
    assert value == pytest.approx(np.arcsinh(1000 / (3 * stretch.noise[0])), rel=0.02)


def test_noiseless_images_have_a_stretch():
    images = np.zeros((5, 1, 16, 16))
    images[:, :, 6:10, 6:10] = 50
    assert stretch_of(as_set(images), side_pix=16).noise == pytest.approx([0.05])
    with pytest.raises(InputError, match="band r is the same in all pixels or not finite"):
        stretch_of(as_set(np.ones((5, 1, 16, 16))))


def test_draws_follow_the_seed():
    sets = [features(60, case=case) for case in (20, 21, 22)]
    assert judged(*sets) == judged(*sets)
    assert judged(*sets).c_t.interval != judged(*sets, seed=1).c_t.interval


def test_held_out_images_of_the_training_set_are_refused(caplog):
    training, held_out = features(300, case=15), features(300, case=16)
    held_out[0] = training[5]
    found = judged(features(60, case=17), training, held_out)
    assert "`held_out`: 1 of 300 images are also in the training set" in caplog.text
    assert found.n_held_out == 300
    held_out[:3] = training[:3]
    with pytest.raises(InputError, match="3 of 300 images are also in the training set; wanted images that"):
        judged(features(60, case=17), training, held_out)


def test_turned_held_out_twins_are_refused():
    training, held_out = galaxies(60, case=8, size=8), galaxies(50, case=9, size=8)
    held_out[7] = turned(training[3], 6)
    with pytest.raises(InputError, match="1 of 50 images are also in the training set"):
        memorization(galaxies(50, case=10, size=8), training, held_out, **FEW)


def test_bad_input_is_refused():
    good = features(60, case=18)
    with pytest.raises(InputError, match="`generated`: it has 49 images; wanted 50 or more"):
        judged(good[:49], good, good)
    with pytest.raises(InputError, match=r"`held_out`: it has images of shape \(9,\), `training` of \(10,\)"):
        judged(good, good, good[:, :9])
    with pytest.raises(
        InputError, match=r"`training`: it has shape \(60, 10\); wanted \[galaxy, band, y, x\]"
    ):
        judged(good, good, good, space="pixels")
    images = galaxies(50, case=11, size=8)
    with pytest.raises(
        InputError, match=r"`generated`: it has images of shape \(2, 8, 8\), `training` of \(1, 8, 8\)"
    ):
        memorization(np.repeat(images, 2, axis=1), images, images)
    with pytest.raises(InputError, match=r"wanted \[galaxy, band, y, x\] with square images"):
        memorization(images, images[..., :7], images)
    bad = good.copy()
    bad[[3, 5], 0] = np.nan, np.inf
    with pytest.raises(InputError, match="`generated`: it is not finite in 2 of 60 images"):
        judged(bad, good, good)
    with pytest.raises(SettingsError, match="`n_pairs=-1`: wanted 0 or more"):
        judged(good, good, good, n_pairs=-1)
    with pytest.raises(SettingsError, match="`replicates=1`: wanted 2 or more"):
        judged(good, good, good, replicates=1)
    with pytest.raises(SettingsError, match="`side_pix=4`: wanted 8 or more"):
        stretch_of(as_set(images), side_pix=4)
    with pytest.raises(InputError, match=r"1 bands \(r\) for a stretch of 2"):
        pixels_of(as_set(images), stretch=stretch_of(as_set(np.repeat(images, 2, axis=1), ("g", "r"))))


@pytest.mark.real_data
def test_real_galaxies_raise_no_alarm_and_their_copies_do(shared_data):
    """EFIGI pictures: nothing between held-out and other held-out ones; half copies, turned, with noise, are found."""
    files = sorted((shared_data / "efigi_gri88" / "images").glob("*.jpg"))[::4]
    pictures = []
    for file in files:
        with Image.open(file) as picture:
            pictures.append(np.moveaxis(np.asarray(picture.convert("RGB"), dtype=np.float32), -1, 0))
    rows = random_stream(0, "test.efigi").permutation(len(files))
    training, held_out, fresh = (np.stack(pictures)[part] for part in np.array_split(rows, 3))
    copied = np.array([turned(image, turn % 8) for turn, image in enumerate(training[:150])])
    copied = copied + random_stream(1, "test.efigi").normal(0, 3, copied.shape)
    bands = ("red", "green", "blue")
    stretch = stretch_of(as_set(training, bands), side_pix=16)
    sides = [pixels_of(as_set(side, bands), stretch=stretch) for side in (training, held_out, fresh, copied)]
    fair = memorization(sides[2], *sides[:2], **FEW)
    assert min(fair.authenticity.p_value, fair.c_t.p_value, fair.share_closer.p_value) > 0.01
    half = memorization(np.concatenate([sides[3], sides[2][150:]]), *sides[:2], n_pairs=100, **FEW)
    assert max(half.authenticity.p_value, half.c_t.p_value, half.share_closer.p_value) < 1e-3
    assert half.share_closer.value == pytest.approx(150 / len(fresh), abs=0.02)
    assert all((pair.training, pair.turn) == (pair.generated, pair.generated % 8) for pair in half.pairs)
