"""Small sets and settings for the tests of the training room."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays

Recipe = dict[str, Any]

MODELS: dict[str, dict[str, Any]] = {
    "pca_diffusion": {"n_components": 12, "width": 16, "depth": 1, "sampler_steps": 3, "warmup_images": 64},
    "diffusion": {
        "channels": [8],
        "embedding_width": 8,
        "scalar_width": 8,
        "scalar_depth": 1,
        "sampler_steps": 3,
        "warmup_images": 64,
        "dropout": 0.1,
    },
    "vae": {
        "latent_size": 4,
        "encoder_width": 4,
        "encoder_blocks": [1],
        "decoder_width": 4,
        "warmup_images": 64,
    },
    "stylegan2": {"latent_width": 8, "mapping_layers": 1, "channel_base": 64, "channel_max": 4},
    "alae": {"latent_width": 8, "mapping_layers": 1, "start_width": 4, "max_width": 4},
}


def exponential_discs(n: int, *, size_pix: int = 16, seed: int = 0, n_bands: int = 1) -> ImageSet:
    """Inclined exponential discs of random size, flux, axis ratio and angle."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size_pix, :size_pix] - (size_pix - 1) / 2
    images = []
    for _ in range(n):
        angle, axis_ratio, scale = rng.uniform(0, np.pi), rng.uniform(0.4, 1), rng.uniform(1, 3)
        along = x * np.cos(angle) + y * np.sin(angle)
        across = (y * np.cos(angle) - x * np.sin(angle)) / axis_ratio
        light = np.exp(-np.hypot(along, across) / scale)
        fluxes = 10 ** rng.uniform(1, 2, size=(n_bands, 1, 1))
        images.append((fluxes * light / light.sum()).astype(np.float32))
    return image_set_from_arrays(images, ImageHeader(["g", "r", "i"][:n_bands], "nJy", 0.2))


@pytest.fixture(scope="session")
def discs() -> ImageSet:
    """120 discs of 16 px in one band."""
    return exponential_discs(120)


@pytest.fixture
def tiny_recipe() -> Callable[..., Recipe]:
    """Makes a recipe of one family that trains in a blink."""

    def make(family: str = "pca_diffusion", **training: Any) -> Recipe:
        defaults = {"images": 320, "batch_size": 32, "sample_grids": 0, "checkpoint_seconds": 0.0}
        return {
            "model": {"family": family, **MODELS[family]},
            "training": {**defaults, **training},
        }

    return make
