"""What the methods see of a field: wavelet energies and power in rings, against analytic cases and other programs."""

import numpy as np
import pytest
import pywt

from galsmith.score.radial_power import STRETCHES, power_and_histogram, ring_power, rings_of, tail_levels
from galsmith.score.wavelets import N_SHARES, energy_shares

SIDE = 128


@pytest.fixture(scope="module")
def image():
    rng = np.random.default_rng(0)
    pixels = np.abs(rng.normal(0, 1.5, (SIDE, SIDE)))
    for y, x in rng.integers(3, SIDE - 3, (40, 2)):
        pixels[y - 1 : y + 2, x - 1 : x + 2] += rng.exponential(40)
    return np.clip(pixels.round(), 0, 255).astype(np.float32)


def test_shares_are_31_and_sum_to_1(image):
    shares = energy_shares(image)
    assert shares.shape == (N_SHARES,) == (31,)
    assert shares.sum() == pytest.approx(1.0)
    assert (shares >= 0).all()
    # the paper's recipe, spelled out level by level
    coarse, energies = image.astype(np.float64), []
    for _ in range(10):
        coarse, details = pywt.dwt2(coarse, "coif5", mode="zero")
        energies = [*(np.square(part).sum() for part in details), *energies]
    energies = np.array([np.square(coarse).sum(), *energies])
    assert shares == pytest.approx(energies / energies.sum(), rel=1e-4)


def test_shares_do_not_know_the_brightness_and_a_black_field_has_none(image):
    assert energy_shares(0.5 * image) == pytest.approx(energy_shares(image), rel=1e-5)
    assert (energy_shares(np.zeros_like(image)) == 0).all()


def test_a_wave_has_its_power_in_its_ring_alone():
    wave = np.cos(2 * np.pi * 20 * np.arange(SIDE) / SIDE)[None, :].repeat(SIDE, axis=0).astype(np.float32)
    power, rings = ring_power(wave), rings_of(SIDE)
    ring = int(np.searchsorted(rings.edges, 20, side="right") - 1)
    # two frequencies of (N^2 / 2)^2 each
    assert power[ring] == pytest.approx(np.log10(2 * (SIDE**2 / 2) ** 2 / rings.counts[ring]), abs=1e-4)
    assert np.delete(power, ring).max() < power[ring] - 6


@pytest.mark.parametrize("side", [64, 125, 250])
def test_rings_hold_all_frequencies_but_the_mean_and_their_power_is_parseval_s(side):
    rings = rings_of(side)
    assert rings.counts.sum() == side**2 - 1
    assert (rings.counts > 0).all()
    pixels = np.random.default_rng(side).normal(0, 1, (side, side)).astype(np.float32)
    total = ((10 ** ring_power(pixels) - 1e-3) * rings.counts).sum()
    assert total == pytest.approx(side**2 * np.square(pixels - pixels.mean()).sum(), rel=1e-4)


def test_features_stay_under_turns_and_flips(image):
    given = power_and_histogram(image)
    for turned in (np.rot90(image), image[::-1], image.T):
        assert power_and_histogram(np.ascontiguousarray(turned)) == pytest.approx(given, abs=2e-3)


def test_a_blurred_field_loses_its_high_frequencies(image):
    blurred = (image + np.roll(image, 1, 0) + np.roll(image, 1, 1) + np.roll(image, (1, 1), (0, 1))) / 4
    n_rings = len(rings_of(SIDE).counts)
    sharp, soft = (power_and_histogram(one)[:n_rings] for one in (image, blurred))
    assert soft[-5:].mean() < sharp[-5:].mean() - 0.5
    assert soft[0] == pytest.approx(sharp[0], abs=0.05)


def test_the_histogram_and_its_tails_count_pixels(image):
    given, n_rings, tails = power_and_histogram(image), len(rings_of(SIDE).counts), tail_levels()
    assert len(given) == len(STRETCHES) * n_rings + len(tails) + 256
    shares = given[-256:]
    assert shares.sum() == pytest.approx(1.0, abs=1e-5)
    assert shares[7] == pytest.approx((image == 7).mean())
    above = given[len(STRETCHES) * n_rings : -256]
    assert above == pytest.approx(
        [np.log10((image >= level).mean() + 0.1 / SIDE**2) for level in tails], abs=1e-5
    )
