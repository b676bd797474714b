"""Small trained runs to draw from."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from galsmith.data.store import open_store, write_store
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.training import train

MODELS: dict[str, dict[str, Any]] = {
    "pca_diffusion": {"n_components": 12, "width": 16, "depth": 1, "sampler_steps": 3, "warmup_images": 64},
    "diffusion": {
        "channels": [8],
        "embedding_width": 8,
        "scalar_width": 8,
        "scalar_depth": 1,
        "sampler_steps": 8,
        "warmup_images": 64,
    },
}


def blobs(n: int, *, sizes_pix: tuple[int, ...], bands: tuple[str, ...]) -> ImageSet:
    """Gaussian blobs of random width and flux, in images of the sizes given in turn."""
    rng = np.random.default_rng(1)
    images = []
    for position in range(n):
        size = sizes_pix[position % len(sizes_pix)]
        y, x = np.mgrid[:size, :size] - (size - 1) / 2
        light = np.exp(-(x**2 + y**2) / (2 * rng.uniform(0.1, 0.2) ** 2 * size**2))
        images.append(10 ** rng.uniform(1, 2, size=(len(bands), 1, 1)) * light / light.sum())
    zero_points, psf = dict.fromkeys(bands, 31.4), {"psf_fwhm_pix": 2.5}
    header = ImageHeader(bands, "nJy", 0.06, zero_points_mag=zero_points, psf=psf)
    return image_set_from_arrays(images, header)


def train_tiny(folder: Path, family: str, images: ImageSet, **transform: Any) -> Path:
    recipe = {
        "transform": transform,
        "model": {"family": family, **MODELS[family]},
        "training": {"images": 640, "batch_size": 32, "sample_grids": 0},
    }
    return train(recipe, images, folder)


@pytest.fixture(scope="session", params=["pca_diffusion", "diffusion"])
def any_run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of each family, one band, 16 px."""
    images = blobs(100, sizes_pix=(16,), bands=("F814W",))
    return train_tiny(tmp_path_factory.mktemp("run") / "run", request.param, images)


@pytest.fixture(scope="session")
def pca_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of pca_diffusion, one band, 16 px."""
    images = blobs(100, sizes_pix=(16,), bands=("F814W",))
    return train_tiny(tmp_path_factory.mktemp("run") / "run", "pca_diffusion", images)


@pytest.fixture
def field_run(tmp_path: Path) -> Path:
    """A run on images that say that they show fields."""
    images = blobs(100, sizes_pix=(16,), bands=("gray",))
    fields = replace(images, header=replace(images.header, shows="field"))
    return train_tiny(tmp_path / "run", "pca_diffusion", fields)


@pytest.fixture(scope="session")
def varied_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on images of three sizes in two bands, resized to 16 px."""
    images = blobs(120, sizes_pix=(12, 20, 40), bands=("g", "r"))
    return train_tiny(tmp_path_factory.mktemp("run") / "run", "pca_diffusion", images, size_pix=16)


@pytest.fixture
def stored_run(tmp_path: Path) -> tuple[Path, Path]:
    """A store and a run that was trained on it."""
    data = tmp_path / "data"
    write_store(data, blobs(100, sizes_pix=(16,), bands=("F814W",)))
    return data, train_tiny(tmp_path / "run", "pca_diffusion", open_store(data))


@dataclass(frozen=True)
class FewRecipe:
    """What tunes `pca_run`."""

    tables: dict[str, Any]
    images: ImageSet


@pytest.fixture(scope="session")
def few_recipe() -> FewRecipe:
    """A recipe that tunes a small model to one and two steps, and its images."""
    model = {"family": "pca_diffusion", **MODELS["pca_diffusion"], "tuned_steps": [1, 2], "sampler_steps": 2}
    training = {"images": 640, "batch_size": 32, "sample_grids": 0}
    return FewRecipe(
        {"model": {**model, "teacher_steps": 8}, "training": training},
        blobs(100, sizes_pix=(16,), bands=("F814W",)),
    )


@pytest.fixture(scope="session")
def tuned_run(pca_run: Path, few_recipe: FewRecipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was tuned to few steps from `pca_run`."""
    folder = tmp_path_factory.mktemp("tuned") / "run"
    return train(few_recipe.tables, few_recipe.images, folder, init_from=pca_run)
