"""Small image sets, and an Inception with seeded weights under which features neither die nor blow up."""

import math

import numpy as np
import pytest

from galsmith.images import ImageHeader, image_set_from_arrays
from galsmith.seeds import derive_seed, random_stream

torch = pytest.importorskip("torch")


def galaxies(count, *, size_pix=32, bands=("g", "r"), case=0):
    """Round blobs with noise, [band, y, x] each."""
    rng = random_stream(case, "test.blobs")
    y, x = np.mgrid[:size_pix, :size_pix] - (size_pix - 1) / 2
    images = []
    for _ in range(count):
        radius, ratio = rng.uniform(2, 6), rng.uniform(0.4, 1)
        blob = 50 * np.exp(-0.5 * (x**2 + (y / ratio) ** 2) / radius**2)
        images.append(
            blob * rng.uniform(0.5, 1, size=(len(bands), 1, 1)) + rng.normal(size=(len(bands), *x.shape))
        )
    return image_set_from_arrays(images, ImageHeader(bands, "nJy"))


def seed_weights(network, *, seed=0):
    """He et al. (2015) weights and batch statistics that are not 0 and 1.

    PyTorch's own first weights halve the variance at every layer, and after 48 layers all pictures have the same
    features: see test_default_weights_collapse.
    """
    stream = torch.Generator().manual_seed(derive_seed(seed, "test.weights") % 2**31)
    for name, values in network.state_dict().items():
        kind = name.rpartition(".")[2]
        if values.ndim == 4:
            values.copy_(torch.randn(values.shape, generator=stream) * math.sqrt(2 / values[0].numel()))
        elif kind == "running_var" or (kind == "weight" and values.ndim == 1):
            values.copy_(torch.rand(values.shape, generator=stream) * 0.4 + 0.8)
        elif kind in ("running_mean", "bias"):
            values.copy_(torch.randn(values.shape, generator=stream) * 0.1)
    return network


@pytest.fixture
def make_galaxies():
    return galaxies


@pytest.fixture
def seeded():
    return seed_weights
