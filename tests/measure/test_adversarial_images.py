"""Images that nobody would measure, thousands of them: no crash, no hang, no warning, every loss named."""

import warnings

import numpy as np
import pytest

from galsmith.measure.engine import flags
from galsmith.measure.engine.batch import (
    GalaxyInput,
    Options,
    Segmenting,
    measure_batch,
    measure_galaxy_input,
)
from galsmith.seeds import random_stream

GRAVITY = dict(zip(flags.FLAG_NAMES, flags.FLAG_GRAVITY, strict=True))


def _shape(rng):
    return tuple(rng.integers(16, 65, 2)) if rng.random() < 0.8 else tuple(rng.integers(1, 20, 2))


def _constant(rng, shape):
    return np.full(shape, rng.choice([0.0, 1.0, -3.0, 1e300, 1e-300]))


def _noise(rng, shape):
    return rng.normal(0, 1, shape)


def _blob(rng, shape):
    y, x = np.mgrid[: shape[0], : shape[1]]
    center = rng.uniform(-2, np.array(shape) + 2)
    return 50 * np.exp(-np.hypot(y - center[0], x - center[1]) / rng.uniform(0.2, 12)) + _noise(rng, shape)


def _checkerboard(rng, shape):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return ((y // rng.integers(1, 4) + x // rng.integers(1, 4)) % 2).astype(float) * rng.choice(
        [1.0, -1.0, 1e200]
    )


def _one_pixel(rng, shape):
    image = np.zeros(shape)
    image[rng.integers(shape[0]), rng.integers(shape[1])] = rng.choice([1.0, 1e300, 1e-300, -1.0])
    return image


def _half_and_half(rng, shape):
    image = np.zeros(shape)
    image[: shape[0] // 2] = rng.choice([1.0, -1.0, 1e10])
    return image


KINDS = (_constant, _noise, _blob, _blob, _checkerboard, _one_pixel, _half_and_half)


def _damaged(rng, image):
    """Damage an image in one of several ways, or leave it as it is."""
    way = rng.integers(9)
    if way == 0:
        image = image * 1e300
    elif way == 1:
        image = image * 1e-300
    elif way == 2:
        image = -image
    elif way == 3:
        image[rng.random(image.shape) < rng.random()] = np.nan
    elif way == 4:
        image[rng.random(image.shape) < 0.05] = rng.choice([np.inf, -np.inf])
    elif way == 5:
        image[: rng.integers(image.shape[0]) + 1, : rng.integers(image.shape[1]) + 1] = np.nan
    elif way == 6:
        image = np.round(image)
    return image


def _maps(rng, shape):
    """Give maps of every kind, or none."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    disc = np.hypot(y - shape[0] / 2, x - shape[1] / 2) < rng.uniform(0, max(shape))
    labels = (None, disc.astype(np.int32), rng.integers(0, 3, shape), rng.integers(0, 2, shape), disc)
    masks = (None, None, rng.random(shape) < 0.1, np.ones(shape, dtype=bool))
    sigma_maps = (
        None,
        None,
        np.ones(shape),
        np.zeros(shape),
        rng.normal(0, 1, shape),
        np.full(shape, np.nan),
    )
    psfs = (None, None, np.ones((3, 3)), np.ones((2, 5)), np.ones((99, 99)))
    return (choice[rng.integers(len(choice))] for choice in (labels, masks, sigma_maps, psfs))


def adversarial_galaxy(k):
    """Draw the k-th galaxy."""
    rng = random_stream(3, "tests.adversarial", k)
    shape = _shape(rng)
    with np.errstate(all="ignore"):
        image = _damaged(rng, KINDS[rng.integers(len(KINDS))](rng, shape))
    labels, mask, sigma_map, psf = _maps(rng, shape)
    return GalaxyInput(image, labels=labels, mask=mask, sigma_map=sigma_map, psf=psf)


def _recipe(k):
    return Options(
        Segmenting(("paper", "survey")[k % 2]),
        sky=("box", "annulus")[k // 2 % 2],
        sersic=("integrated", "parity", "integrated", "none")[k // 4 % 4],
        double_sersic=k % 37 == 0,
        gain=(1.0, 1e-12, 1e12)[k % 3],
    )


def _assert_sound(measured, k):
    values = np.array(list(measured.values.values()))
    assert not np.isinf(values).any(), k
    assert set(measured.flags) <= set(flags.FLAG_NAMES), k
    graves = [GRAVITY[name] for name in measured.flags if "sersic" not in name]
    assert measured.flag == max(graves, default=0), k
    lost = {name for name, value in measured.values.items() if np.isnan(value)}
    assert not lost or measured.flags, (k, lost)


def _measure_all(ks):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for k in ks:
            _assert_sound(measure_galaxy_input(adversarial_galaxy(k), _recipe(k)), k)


def test_a_thousand_images_that_nobody_would_measure():
    _measure_all(range(1000))


@pytest.mark.slow
def test_ten_thousand_images_that_nobody_would_measure():
    _measure_all(range(1000, 11_000))


def test_any_number_of_threads_gives_the_same_answers():
    galaxies = [adversarial_galaxy(k) for k in range(24)]
    options = Options(Segmenting())
    one, three = (list(measure_batch(galaxies, options, workers=workers)) for workers in (1, 3))
    for a, b in zip(one, three, strict=True):
        assert (a.flag, a.fit_flags, a.flags) == (b.flag, b.fit_flags, b.flags)
        np.testing.assert_array_equal(list(a.values.values()), list(b.values.values()))
