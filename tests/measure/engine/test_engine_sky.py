"""The sky's box against statmorph's, and the sky from all of the background against the noise put in."""

import numpy as np
import pytest

from galsmith.measure.engine import flags
from galsmith.measure.engine.sky import first_empty_box, mean_difference, sky_background, sky_box
from galsmith.measure.engine.stamp import cut_stamp
from galsmith.seeds import random_stream

NO_MASK = np.zeros((0, 0), dtype=bool)
NO_SIGMA = np.zeros((0, 0))
NOISE = 0.4
MEAN_DIFFERENCE = 2.0 / np.sqrt(np.pi)  # of two Gaussian numbers of unit spread


def _first_box_by_search(occupied, side):
    """The loops of statmorph 0.7.2, slowly."""
    height, width = occupied.shape
    for y in range(height - side):
        for x in range(width - side):
            if not occupied[y : y + side, x : x + side].any():
                return x, y
    return -1, -1


def _galaxy_with_noise(sersic, seed, *, size=128, noise=NOISE, n=1.0, q=0.6):
    rng = random_stream(seed, "tests.engine.sky")
    galaxy = sersic(size, r_eff=7.0, n=n, q=q, angle=rng.uniform(-1.5, 1.5), oversampling=2)
    return galaxy + noise * rng.normal(size=galaxy.shape), np.int32(galaxy > 1.0)


def _measured(image, labels, *, mask=NO_MASK):
    noticed = np.zeros(flags.N_FLAGS, dtype=np.uint8)
    stamp = cut_stamp(image, labels, 1, mask, NO_SIGMA, False, noticed)
    middle = (image.shape[1] - 1) / 2 - stamp.x_min, (image.shape[0] - 1) / 2 - stamp.y_min
    box, background = sky_box(stamp, noticed), sky_background(stamp, *middle, noticed)
    return box, background, {flags.FLAG_NAMES[index] for index in np.flatnonzero(noticed)}, stamp


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.05, 0.3, 1.0])
@pytest.mark.parametrize("shape", [(40, 55), (33, 33), (32, 80), (3, 3), (2, 9)])
def test_the_first_empty_box_is_that_of_a_slow_search(share, shape):
    occupied = random_stream(int(1000 * share), "tests.engine.boxes").random(shape) < share
    for side in (32, 16, 8, 4, 2):
        assert first_empty_box(occupied, side) == _first_box_by_search(occupied, side)


@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyUserWarning")
@pytest.mark.parametrize("seed", range(6))
def test_the_boxs_numbers_are_statmorphs(sersic, seed):
    statmorph = pytest.importorskip("statmorph", reason="statmorph is in galsmith[statmorph]")

    class OnlySky(statmorph.SourceMorphology):
        def _calculate_morphology(self):
            pass

        def _check_segmaps(self):
            pass

    size = (64, 96, 128)[seed % 3]
    image, labels = _galaxy_with_noise(sersic, seed, size=size)
    rng = random_stream(seed, "tests.engine.sky_mask")
    mask = rng.random(image.shape) < (0.0, 0.002, 0.03)[seed % 3]
    theirs = OnlySky(image, labels, 1, mask=mask, gain=1.0)
    box = _measured(image, labels, mask=mask)[0]
    rows, columns = theirs._slice_skybox
    assert (box.x, box.y, box.side_pix) == (columns.start, rows.start, rows.stop - rows.start)
    numbers = (theirs.sky_mean, theirs.sky_median, theirs.sky_sigma, theirs._sky_asymmetry)
    np.testing.assert_allclose((box.mean, box.median, box.sigma, box.asymmetry), numbers, rtol=1e-12)


def test_the_mean_difference_of_all_pairs_by_hand_and_by_all_pairs():
    assert mean_difference(np.array([0.0, 1.0, 3.0]), 0, 3) == pytest.approx(2.0)
    values = np.sort(random_stream(1, "tests.engine.pairs").normal(5.0, 2.0, 300))
    pairs = np.abs(values[:, np.newaxis] - values)
    assert mean_difference(values, 0, 300) == pytest.approx(pairs.sum() / (300 * 299), rel=1e-12)
    assert np.isnan(mean_difference(values, 4, 5))


def test_both_skies_find_the_noise_and_the_background_finds_it_better(sersic):
    """Asymmetry of pure noise is 2 / sqrt(pi) of its spread, with the box as without, on average."""
    truth = NOISE * MEAN_DIFFERENCE
    skies = [_measured(*_galaxy_with_noise(sersic, seed))[:2] for seed in range(40)]
    box, background = (np.array([sky[kind].asymmetry for sky in skies]) for kind in (0, 1))
    assert box.mean() == pytest.approx(truth, rel=0.02)  # 512 pairs each: 0.5 % of 40
    assert background.mean() == pytest.approx(truth, rel=0.005)
    assert np.std(background) < 0.5 * np.std(box)
    sigmas = np.array([sky[1].sigma for sky in skies])
    assert sigmas.mean() == pytest.approx(NOISE, rel=0.005)


def test_the_background_stays_where_it_was_when_the_image_is_turned_and_the_box_does_not(sersic):
    """The sky's share of A, area times its asymmetry over the flux, moves 1e-3 with the box, and not without."""
    moved = {"box": [], "background": []}
    for seed in range(10):
        image, labels = _galaxy_with_noise(sersic, seed)
        plain = _measured(image, labels)
        turned = _measured(image[::-1, ::-1].copy(), labels[::-1, ::-1].copy())
        share = np.count_nonzero(labels) / image[labels == 1].sum()
        for index, name in enumerate(moved):
            moved[name].append(abs(plain[index].asymmetry - turned[index].asymmetry) * share)
    assert max(moved["box"]) > 1e-3
    assert max(moved["background"]) < 0.1 * max(moved["box"])


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_square_stamp_turned_or_flipped_has_the_same_background(sersic, turns):
    image, _ = _galaxy_with_noise(sersic, 3, size=96)
    y, x = np.mgrid[:96, :96] - 47.5
    labels = np.int32(np.hypot(x, 2 * y) < 24.0)
    plain = _measured(image, labels)[1]
    for flip in (1, -1):
        turned_image, turned_labels = (np.rot90(a, turns)[:, ::flip].copy() for a in (image, labels))
        turned = _measured(turned_image, turned_labels)[1]
        assert turned.asymmetry == pytest.approx(plain.asymmetry, rel=1e-12)
        assert turned.median == plain.median


def test_the_sky_does_not_see_the_wings_that_a_tight_map_leaves(sersic):
    """Beyond twice the galaxy's reach the level is nearer to zero than right beside it."""
    image, _ = _galaxy_with_noise(sersic, 4, size=160, n=3.0, q=1.0)
    labels = np.int32(image > 6 * NOISE)
    noticed = np.zeros(flags.N_FLAGS, dtype=np.uint8)
    stamp = cut_stamp(image, labels, 1, NO_MASK, NO_SIGMA, False, noticed)
    beside = stamp.pixels[~stamp.occupied & ~stamp.mask].mean()
    background = _measured(image, labels)[1]
    assert beside > 0.1
    assert background.mean < 0.5 * beside


def test_a_stamp_without_background_has_no_sky(sersic):
    image, _ = _galaxy_with_noise(sersic, 5, size=60)
    box, background, named, _ = _measured(image, np.ones(image.shape, dtype=np.int32))
    assert "no_sky_box" in named
    for sky in (box, background):
        assert not sky.is_known
        assert np.isnan([sky.mean, sky.median, sky.sigma, sky.asymmetry]).all()


def test_a_level_that_was_not_subtracted_is_named(sersic):
    image, labels = _galaxy_with_noise(sersic, 6)
    assert "not_background_subtracted" not in _measured(image, labels)[2]
    assert "not_background_subtracted" in _measured(image + 5 * NOISE, labels)[2]
