"""Analytic galaxies for the tests of the measure room."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from oracle_sets import NEEDS_NO_DATA, ORACLE_SIZES
from scipy.special import gamma, gammaincinv

from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.seeds import random_stream


def _sersic(size, *, r_eff, n, q=1.0, angle=0.0, center=None, flux=1e4, oversampling=5):
    """Sérsic law averaged over pixels, circularized r_eff; a finer grid where it is steep."""
    x0, y0 = ((size - 1) / 2, (size - 1) / 2) if center is None else center
    b = gammaincinv(2 * n, 0.5)

    def law(x, y):
        along = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
        across = (y - y0) * np.cos(angle) - (x - x0) * np.sin(angle)
        return np.exp(-b * ((np.sqrt(along**2 * q + across**2 / q) / r_eff) ** (1 / n) - 1))

    def averaged(columns, rows, factor):
        offsets = (np.arange(factor) + 0.5) / factor - 0.5
        x, y = (columns[:, None] + offsets).ravel(), (rows[:, None] + offsets).ravel()
        return law(x[None, :], y[:, None]).reshape(len(rows), factor, len(columns), factor).mean((1, 3))

    pixels = np.arange(size)
    image = averaged(pixels, pixels, oversampling)
    core = pixels[max(0, round(x0) - 4) : round(x0) + 5], pixels[max(0, round(y0) - 4) : round(y0) + 5]
    image[np.ix_(core[1], core[0])] = averaged(*core, 40)
    return image * flux / (2 * np.pi * r_eff**2 * n * np.exp(b) * b ** (-2 * n) * gamma(2 * n))


@pytest.fixture(scope="session")
def sersic() -> Callable[..., np.ndarray]:
    """Draw a Sérsic law: ``sersic(size, r_eff=, n=, q=1, angle=0, center=None, flux=1e4)``."""
    return _sersic


@pytest.fixture(scope="session")
def noisy_stamps() -> list[np.ndarray]:
    """Six galaxies of 56 px with noise, all different."""
    stamps = []
    for k in range(6):
        rng = random_stream(11, "tests.noisy_stamps", k)
        stamp = _sersic(
            56,
            r_eff=rng.uniform(4, 7),
            n=rng.uniform(0.8, 3),
            q=rng.uniform(0.5, 1),
            angle=rng.uniform(-1.5, 1.5),
            center=27.5 + rng.uniform(-3, 3, 2),
        )
        stamps.append(stamp + rng.normal(0, 0.5, stamp.shape))
    return stamps


@pytest.fixture(scope="session")
def noisy_set(noisy_stamps) -> ImageSet:
    """Three of them thrice over: 36 images, three chunks of 16, 16 and 4."""
    return image_set_from_arrays(noisy_stamps * 6, ImageHeader(("F814W",), "electron / s"))


@pytest.fixture(params=ORACLE_SIZES)
def oracle_set(request) -> str:
    """Each of the sets on which statmorph's answers are frozen."""
    return request.param


@pytest.fixture
def oracle_data(oracle_set, request) -> Path | None:
    """What such a set is made from: the folder of real galaxies, or a seed."""
    return None if oracle_set in NEEDS_NO_DATA else request.getfixturevalue("shared_data")
