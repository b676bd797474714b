"""Sets of images and files that the tests of the data room share."""

from collections.abc import Callable
from pathlib import Path

import astropy.units as u
import h5py
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from PIL import Image

from galsmith.data.sersic import SersicSettings
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.provenance import Provenance
from galsmith.settings import apply_overrides, read_recipe, typed_settings


@pytest.fixture
def mixed_set() -> ImageSet:
    """Seven images of three sizes in two bands, with labels that have units."""
    rng = np.random.default_rng(5)
    sizes = [8, 12, 8, 16, 12, 8, 8]
    images = [rng.normal(5, 1, (2, size, size)).astype(np.float32) for size in sizes]
    catalog = QTable(
        {"object_id": [f"galaxy{k}" for k in range(7)], "r_eff_arcsec": np.arange(7.0) * u.arcsec}
    )
    return image_set_from_arrays(
        images,
        ImageHeader(("g", "r"), "nJy", 0.2),
        catalog=catalog,
        provenance=Provenance("test", {"a": 1}, seed=3),
    )


@pytest.fixture
def write_picture(tmp_path: Path) -> Callable[..., Path]:
    """Write one picture with Pillow into a folder ``pictures``."""

    def write(name: str, values: np.ndarray, **options: object) -> Path:
        folder = tmp_path / "pictures"
        folder.mkdir(exist_ok=True)
        Image.fromarray(values).save(folder / name, **options)
        return folder

    return write


@pytest.fixture
def write_cutout(tmp_path: Path) -> Callable[..., Path]:
    """Write one FITS file into a folder ``cutouts``; keywords of its header by name."""

    def write(name: str, values: np.ndarray, **keywords: object) -> Path:
        folder = tmp_path / "cutouts"
        folder.mkdir(exist_ok=True)
        header = fits.Header()
        for key, value in keywords.items():
            header[key] = value
        fits.PrimaryHDU(values, header).writeto(folder / name)
        return folder

    return write


@pytest.fixture
def write_array(tmp_path: Path) -> Callable[..., Path]:
    """Write images, and other arrays by name beside them, into an HDF5, NPZ or NPY file."""

    def write(name: str, images: np.ndarray, **others: np.ndarray) -> Path:
        path = tmp_path / name
        if name.endswith(".npy"):
            np.save(path, images)
        elif name.endswith(".npz"):
            np.savez_compressed(path, images=images, **others)
        else:
            with h5py.File(path, "w") as file:
                file.create_dataset("images", data=images, chunks=(2, *images.shape[1:]), compression="gzip")
                for key, values in others.items():
                    file[key] = values
        return path

    return write


@pytest.fixture
def random_stamp() -> Callable[..., np.ndarray]:
    """Give float32 noise of some shape, another one for every seed."""

    def draw(*shape: int, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).normal(10, 2, shape).astype(np.float32)

    return draw


@pytest.fixture
def sersic_settings() -> Callable[..., SersicSettings]:
    """Give the recipe sersic-32 with overrides."""

    def settings(*overrides: str) -> SersicSettings:
        return typed_settings(
            SersicSettings, apply_overrides(read_recipe("sersic-32"), overrides), source="test"
        )

    return settings
