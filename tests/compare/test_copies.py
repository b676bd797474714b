"""Copies, twins and repeats: each alteration is undone by the search, and fair sets raise no alarm."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage, stats

from galsmith.compare import Judgment, judge_tables
from galsmith.compare.files import from_plain, to_plain
from galsmith.compare.memory import copies, repeats
from galsmith.compare.memory.copies import find_copies
from galsmith.compare.memory.log_polar import (
    RINGS_MOVED,
    STEP,
    likest_rows,
    log_polar_spectra,
    pose_of,
    whitening_of,
)
from galsmith.compare.memory.nearest import stretch_of, turned
from galsmith.compare.memory.repeats import (
    identity_labels,
    is_same_image,
    repeated,
    repeats_within,
    share_against,
)
from galsmith.errors import InputError
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.seeds import random_stream

FEW = {"replicates": 20, "splits": 20}
SKY = 10.0


def galaxies(count, *, case, size=48, n_bands=2):
    """Lopsided galaxies of several clumps on a sky with noise, [galaxy, band, y, x]."""
    rng = random_stream(case, "test.copies")
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    images = SKY + rng.normal(size=(count, n_bands, size, size))
    for row in range(count):
        images[row] += 200 * np.exp(-np.hypot(x, y) / rng.uniform(2, 5))
        for _ in range(4):
            dy, dx = rng.uniform(-0.25, 0.25, 2) * size
            width = rng.uniform(0.04, 0.1) * size
            clump = np.exp(-((y - dy) ** 2 + (x - dx) ** 2) / (2 * width**2))
            images[row] += rng.uniform(20, 80, n_bands)[:, None, None] * clump
    return images.astype(np.float32)


def as_set(images):
    return image_set_from_arrays(list(images), ImageHeader(("g", "r"), "nJy"))


def posed(images, *, turn_deg=0.0, zoom=1.0):
    """Turn counter-clockwise, x to the right and y up, and magnify, around the middle."""
    angle, middle = np.deg2rad(turn_deg), (images.shape[-1] - 1) / 2
    # Where a pixel (y, x) of the result comes from.
    back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / zoom
    offset = middle - back @ [middle, middle]
    return np.array(
        [
            [ndimage.affine_transform(b, back, offset, order=1, mode="nearest") for b in image]
            for image in images
        ]
    )


ALTERED = {
    "gain": lambda images: 0.8 * images,
    "gamma": lambda images: 250 * (images.clip(0) / 250) ** 0.8,
    "gains of bands": lambda images: images * np.float32([[[[0.8]], [[1.2]]]]),
    "turn": lambda images: posed(images, turn_deg=25),
    "mirror": lambda images: images[:, :, ::-1],
    "zoom out": lambda images: posed(images, zoom=0.8),
    "zoom in": lambda images: posed(images, zoom=1.25),
    "crop": lambda images: images[..., 4:-4, 4:-4],
    "shift": lambda images: np.roll(images, (2, -3), axis=(-2, -1)),
    "blend": lambda images: 0.7 * images + 0.3 * np.roll(images, 1, axis=0),
    "all": lambda images: 1.2 * posed(images, turn_deg=-35, zoom=0.9),
}


@pytest.mark.parametrize("alter", ALTERED.values(), ids=list(ALTERED))
def test_every_alteration_is_seen(alter):
    training, held_out, fresh = (galaxies(100, case=case) for case in (1, 2, 3))
    altered = alter(training[:40]).astype(np.float32)
    found = find_copies(
        as_set([*altered, *fresh[:60]]), as_set(held_out), training=as_set(training), **FEW
    ).searches[0]
    assert found.searched == copies.TRAINING
    assert found.share_closer.value >= 0.2  # Of 40 %; half of a blend is seen as one galaxy.
    assert found.share_closer.p_value < 1e-4
    right = [pair.generated == pair.other for pair in found.pairs]
    assert np.mean(right) > 0.9


@pytest.mark.parametrize("change", ["none", "blur", "dim"])
def test_fresh_galaxies_are_no_copies_also_where_they_are_smooth_or_dim(change):
    training, held_out, fresh = (galaxies(100, case=case) for case in (4, 5, 6))
    changed = {
        "none": fresh,
        "blur": ndimage.gaussian_filter(fresh, (0, 0, 1, 1)),
        "dim": np.float32(0.8) * fresh,
    }[change]
    found = find_copies(as_set(changed), as_set(held_out), training=as_set(training), **FEW)
    assert [search.searched for search in found.searches] == [copies.TRAINING, copies.REFERENCE]
    for search in found.searches:
        assert search.share_closer.p_value > 0.01
        assert search.c_t.p_value > 0.01
    assert [item.n_identical for item in found.twins] == [0, 0]
    assert found.repeats.n_distinct == found.repeats.n_effective == 100
    assert found.repeats.closest_pairs.p_value > 0.01


def test_a_pose_is_told():
    image = galaxies(1, case=7)
    stretch = stretch_of(as_set(image), side_pix=64)
    spectra = [
        log_polar_spectra(as_set(side), stretch)
        for side in (
            image,
            posed(image, turn_deg=22.5),
            posed(image, zoom=np.exp(2 * STEP)),
            image[:, :, ::-1],
        )
    ]
    weights = whitening_of(spectra[0])
    plain, *others = (side[0] * weights for side in spectra)
    poses = [pose_of(other, plain) for other in others]
    assert [round(pose.turn_deg, 1) for pose in poses] == pytest.approx([22.5, 0, 0], abs=6)
    assert [pose.zoom for pose in poses] == pytest.approx([1, 1.31, 1], abs=0.15)
    assert [pose.is_mirrored for pose in poses] == [False, False, True]


def test_likeness_is_the_largest_correlation_over_turns_and_mirrors():
    rng = random_stream(0, "test.likest")
    first, second = (
        (rng.normal(size=(n, 2, 20, 16)) + 1j * rng.normal(size=(n, 2, 20, 16))).astype(np.complex64)
        for n in (9, 30)
    )
    found = likest_rows(first, second, ranks=3, rings_moved=(0, 2))
    best = np.zeros((9, 30))
    turns = 2 * np.pi * np.arange(64) / 64
    phases = np.exp(1j * np.outer(turns, np.arange(1, 17)))
    for ours, theirs in ((first, second), (first[:, :, 2:], second[:, :, :-2])):
        lengths = [np.sqrt((np.abs(side) ** 2).sum(axis=(1, 2, 3))) for side in (ours, theirs)]
        for mirrored in (theirs.conj(), theirs):
            modes = np.einsum("qbrm,pbrm->qpm", ours, mirrored)
            over_turns = np.einsum("qpm,tm->qpt", modes, phases).real.max(axis=2)
            best = np.maximum(best, over_turns / np.outer(*lengths))
    expected = np.sort(1 - best**2, axis=1)[:, :3]
    assert found.unexplained == pytest.approx(expected, abs=1e-4)
    assert np.array_equal(found.rows, np.argsort(-best, axis=1)[:, :3])


def all_correlations(queries, points, rings_moved):
    """Correlations of all pairs at all zooms, mirrors and turns, one by one."""
    best = np.full((len(queries), len(points)), -1.0)
    for i, query in enumerate(queries):
        for j, point in enumerate(points):
            for moved in rings_moved:
                ours = query[:, max(moved, 0) : 20 + min(moved, 0)]
                theirs = point[:, max(-moved, 0) : 20 + min(-moved, 0)]
                scale = np.sqrt((np.abs(ours) ** 2).sum() * (np.abs(theirs) ** 2).sum())
                for product in ((ours * theirs.conj()).sum(axis=(0, 1)), (ours * theirs).sum(axis=(0, 1))):
                    turns = np.real(
                        product @ np.exp(2j * np.pi * np.outer(np.arange(1, 17), np.arange(64)) / 64)
                    )
                    best[i, j] = max(best[i, j], turns.max() / scale)
    return best


@pytest.mark.parametrize("noise", [0.3, 30.0])
@pytest.mark.parametrize("is_same_set", [False, True])
def test_pairs_that_are_not_turned_are_none_of_the_likest(noise, is_same_set):
    rng = np.random.default_rng(7)

    def drawn(n):  # all alike, so that many pairs are near the likest; or of noise, so that bounds are wide
        shape = (n, 2, 20, 16)
        values = 3.0 + noise * rng.normal(size=shape) + 1j * noise * rng.normal(size=shape)
        return values.astype(np.complex64)

    points = drawn(30)
    queries = points if is_same_set else np.concatenate([drawn(8), points[:2] * 2, points[3:5, :, ::-1]])
    expected = all_correlations(queries, points, RINGS_MOVED)
    if is_same_set:
        np.fill_diagonal(expected, -1.0)
    for workers in (1, 2):
        found = likest_rows(queries, points, ranks=4, is_same_set=is_same_set, workers=workers)
        order = np.argsort(-expected, axis=1)[:, :4]
        np.testing.assert_array_equal(found.rows, order)
        np.testing.assert_allclose(
            found.unexplained, 1 - np.take_along_axis(expected, order, axis=1) ** 2, atol=3e-6
        )


def test_identical_images_have_one_number_whatever_their_turn():
    images = galaxies(20, case=8, size=12)
    again = np.array([turned(images[row], row % 8) for row in range(8)])
    shuffled = (
        images[10].reshape(2, -1)[:, ::-1][:, random_stream(0, "test.x").permutation(144)].reshape(2, 12, 12)
    )
    blank = np.full((2, 2, 12, 12), 3.0, dtype=np.float32)
    other = np.concatenate([again, [shuffled], blank])
    first, second = identity_labels(as_set(images), as_set(other))
    assert np.array_equal(second[:8], first[:8])
    assert len(np.unique(np.concatenate([first, second[8:]]))) == 23
    assert is_same_image(images[3], turned(images[3], 5))
    assert not is_same_image(images[3], images[4])
    assert repeated(np.array([3, 1, 3, 2])).tolist() == [True, False, True, False]


def test_the_pixels_of_a_set_are_read_once_for_their_keys(monkeypatch):
    images, other = as_set(galaxies(20, case=61, size=12)), as_set(galaxies(20, case=62, size=12))
    read = []
    keys_of_pixels = repeats._keys_of_pixels

    def noted(images):
        read.append(images.content_hash)
        return keys_of_pixels(images)

    monkeypatch.setattr(repeats, "_keys_of_pixels", noted)
    monkeypatch.setattr(repeats, "_kept_keys", {})
    once = identity_labels(images, other)
    again = identity_labels(images, other)
    assert [side.tolist() for side in once] == [side.tolist() for side in again]
    assert read == [images.content_hash, other.content_hash]
    # some of a set, and a set without a hash, are sets of their own
    some, unnamed = images.select(np.arange(5)), replace(images, content_hash="")
    labels = identity_labels(images, some, unnamed)
    assert labels[1].tolist() == labels[0][:5].tolist()
    assert labels[2].tolist() == labels[0].tolist()
    identity_labels(unnamed)
    assert read[2:] == [some.content_hash, "", ""]


def test_images_of_the_reference_are_named():
    reference = galaxies(120, case=9)
    found = find_copies(as_set(reference), as_set(reference), **FEW)
    (twins,) = found.twins
    assert (twins.searched, twins.n_identical) == (copies.REFERENCE, 120)
    assert twins.share.p_value < 2 * stats.fisher_exact([[120, 0], [0, 120]], "greater")[1]
    assert twins.pairs[:2] == ((0, 0), (1, 1))
    dimmed = find_copies(as_set(np.float32(0.8) * reference), as_set(reference), **FEW)
    assert dimmed.twins[0].n_identical == 0
    assert dimmed.searches[0].searched == copies.REFERENCE
    assert dimmed.searches[0].share_closer.p_value < 1e-9


def test_a_share_has_the_interval_of_clopper_and_pearson():
    found = share_against("x", "y", (7, 50), (2, 80))
    assert found.interval == pytest.approx(tuple(stats.binomtest(7, 50).proportion_ci(0.95)))
    assert found.p_value == pytest.approx(stats.fisher_exact([[7, 43], [2, 78]], "greater")[1])
    assert (found.value, found.floor) == (7 / 50, 2 / 80)
    assert share_against("x", "y", (0, 50), (0, 80)).interval[0] == 0
    assert share_against("x", "y", (0, 50), (0, 80)).p_value == 1
    # Few against many: by Fisher. Many against few, of which nothing is known: by the share that surveys have at most.
    few, many = share_against("x", "y", (5, 400), (0, 1600)), share_against("x", "y", (24, 120), (0, 24))
    assert few.p_value == pytest.approx(2 * stats.fisher_exact([[5, 395], [0, 1600]], "greater")[1])
    assert many.p_value == pytest.approx(2 * stats.binom.sf(23, 120, 0.01))
    assert share_against("x", "y", (50, 50), (0, 80)).interval[1] == 1


@pytest.mark.parametrize("times", [2, 5])
def test_repeats_are_found_and_counted(times):
    reference, fresh = galaxies(100, case=10), galaxies(100 // times, case=11)
    found = find_copies(as_set(np.repeat(fresh, times, axis=0)), as_set(reference), **FEW).repeats
    assert found.n_distinct == 100 // times
    assert found.n_effective == pytest.approx(100 // times)
    assert found.redundant.p_value < 1e-9
    assert found.largest_groups[0] == times


def test_altered_repeats_are_found_too():
    reference, fresh = galaxies(100, case=12), galaxies(50, case=13)
    again = 0.8 * posed(fresh, turn_deg=30)
    found = find_copies(as_set(np.concatenate([fresh, again])), as_set(reference), **FEW).repeats
    assert found.n_distinct == 100
    assert found.redundant.p_value == 1
    assert found.closest_pairs.p_value < 1e-4
    # Few clumps make some other pairs as close, which join groups.
    assert 35 < found.n_effective < 60
    assert np.mean([second - first == 50 for first, second in found.pairs]) > 0.8


def test_closest_pairs_fall_to_either_set_by_chance():
    """The sign test of sets of noise: of 200 tests, about 2 % have 15 or more of 20 pairs on one side."""
    rng = random_stream(1, "test.pairs")
    values = []
    for _ in range(200):
        sides = tuple(
            (rng.normal(size=(60, 1, 20, 16)) + 1j * rng.normal(size=(60, 1, 20, 16))).astype(np.complex64)
            for _ in range(2)
        )
        labels = (np.arange(60), np.arange(60))
        values.append(repeats_within(labels, sides, np.arange(60))[0].closest_pairs.p_value)
    for level in (0.06, 0.25, 0.6):  # Of a discrete test, at values that it takes.
        reached = max(value for value in np.unique(values) if value <= level)
        share = np.mean(np.array(values) <= reached)
        assert share == pytest.approx(reached, abs=4 * np.sqrt(reached * (1 - reached) / 200))


def test_images_that_are_not_finite_and_small_sets_are_left_out():
    reference, fresh = galaxies(100, case=14), galaxies(60, case=15)
    fresh[:5, 0, 3, 3] = np.nan
    found = find_copies(as_set(fresh), as_set(reference), **FEW)
    assert found.searches[0].n_generated == found.repeats.n_compared == 55
    few = find_copies(as_set(fresh[:20]), as_set(reference), **FEW)
    assert few.searches == ()
    assert few.repeats.closest_pairs is None
    assert few.repeats.n_effective == 20


def test_a_yardstick_that_was_trained_on_is_refused():
    training, fresh = galaxies(100, case=16), galaxies(60, case=17)
    with pytest.raises(InputError, match="100 of 100 images are also in the training set"):
        find_copies(as_set(fresh), as_set(training), training=as_set(training), **FEW)


@pytest.fixture(scope="module")
def comparison(make_galaxies):
    """Of tables alone, in which nothing differs."""
    return judge_tables(make_galaxies(400, case=1), make_galaxies(300, case=2), beyond=False, **FEW)


@pytest.mark.parametrize("case", ["fair", "reference", "copies", "repeats"])
def test_what_is_there_already_tells_a_set_apart(comparison, case):
    training, reference, fresh = (galaxies(100, case=number) for number in (18, 19, 20))
    sets = {
        "fair": fresh,
        "reference": reference,
        "copies": np.concatenate([posed(training[:30], turn_deg=15), fresh[:70]]),
        "repeats": np.repeat(fresh[:50], 2, axis=0),
    }
    found = find_copies(as_set(sets[case]), as_set(reference), training=as_set(training), **FEW)
    verdict = Judgment.of("x", comparison.judgment().comparison, copies=found).verdict
    told = {item.family for item in verdict.by}
    assert (
        told == {"fair": set(), "reference": {"identity"}, "copies": {"copies"}, "repeats": {"repeats"}}[case]
    )
    assert verdict.status == ("told_apart" if told else "not_told_apart")
    assert "100 identical to reference" in {item.label for item in verdict.by} or case != "reference"
    assert not {"copies", "identity", "repeats"} & set(verdict.not_judged)


def test_what_is_found_comes_back_from_a_card():
    reference, fresh = galaxies(100, case=21), galaxies(30, case=22)
    for images in (np.repeat(fresh, 2, axis=0), fresh):  # With searches and pairs, and without.
        found = find_copies(as_set(images), as_set(reference), **FEW)
        assert from_plain(copies.Copies, json.loads(json.dumps(to_plain(found)))) == found
