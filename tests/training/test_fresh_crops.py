"""Fresh crops of larger images: where they lie, that none comes twice, and that a run is trained on them."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from galsmith.data.transforms import TransformSettings, fit_pixel_transform
from galsmith.errors import InputError, SettingsError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.models.protocols import NetworkBatch
from galsmith.models.snapshot import read_snapshot_page
from galsmith.training import train
from galsmith.training.batches import ReadBatches, TrainingSet, make_batches
from galsmith.training.crops import FreshCrops, fresh_crops

CPU = torch.device("cpu")
HEADER = ImageHeader(("gray",), "display", shows="field")


@pytest.fixture
def large() -> ImageSet:
    """Two images whose pixels say where they are, and one too small for a crop of 8 px."""
    places = np.arange(20 * 30, dtype=np.float32).reshape(1, 20, 30)
    return image_set_from_arrays([places, places[:, :, :10] + 1000, places[:, :5, :5]], HEADER)


def test_a_crop_is_a_turned_piece_of_an_image(large: ImageSet) -> None:
    crops = fresh_crops(large, crop_pix=8, crops_per_pass=50, seed=1)
    assert len(crops) == len(crops.catalog) == 50
    assert crops.header.shows == "field"
    pieces = [
        np.rot90(image[0, y : y + 8, x : x + 8], turns)[:, ::flip]
        for image in (large[0], large[1])
        for y in range(image.shape[1] - 7)
        for x in range(image.shape[2] - 7)
        for turns in range(4)
        for flip in (1, -1)
    ]
    known = {piece.tobytes() for piece in pieces}
    found = {crops[index].tobytes() for index in range(50)}
    assert found <= known
    assert len(found) > 45


def test_every_place_is_as_likely(large: ImageSet) -> None:
    crops = FreshCrops(large.pixels, crop_pix=8, count=10, seed=2)
    corners = np.array([crop.min() for crop in crops.read(np.arange(3000))])
    # 13 x 23 places in the first, 13 x 3 in the second
    assert np.mean(corners >= 1000) == pytest.approx(3 / 26, abs=0.018)
    columns = corners[corners < 1000] % 30
    assert (columns.min(), columns.max()) == (0, 22)


def test_crops_depend_on_seed_and_number_alone(large: ImageSet) -> None:
    crops = FreshCrops(large.pixels, crop_pix=8, count=10, seed=2)
    far = crops.read([123_456, 7])
    np.testing.assert_array_equal(far[1], crops[7])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(crops)).read([123_456])[0], far[0])
    other = FreshCrops(large.pixels, crop_pix=8, count=10, seed=3)
    assert not np.array_equal(other[7], crops[7])


@pytest.fixture
def sky() -> ImageSet:
    """Two pictures of noise."""
    rng = np.random.default_rng(1)
    return image_set_from_arrays([rng.integers(1, 60, (1, 40, 50)) for _ in range(2)], HEADER)


def test_batches_of_crops_never_repeat(sky: ImageSet) -> None:
    crops = fresh_crops(sky, crop_pix=8, crops_per_pass=16, seed=1)
    training_set = TrainingSet(crops, fit_pixel_transform(crops, TransformSettings(kind="display")))

    def unchanged(batch: NetworkBatch) -> NetworkBatch:
        return batch

    batches = make_batches(training_set, unchanged, batch_size=8, seed=1, memory_gb=1.0, device=CPU)
    assert isinstance(batches, ReadBatches)
    shown = [batches.at(images_seen).pixels for images_seen in (0, 8, 16, 24)]
    assert len(torch.unique(torch.cat(shown), dim=0)) == 32
    assert torch.equal(batches.at(16).pixels, shown[2])
    batches.close()
    with pytest.raises(SettingsError, match="crops are turned, flipped and never the same"):
        make_batches(
            training_set, unchanged, batch_size=8, seed=1, memory_gb=1.0, device=CPU, augmentation="fields"
        )


def test_images_smaller_than_a_crop_are_refused(large: ImageSet) -> None:
    with pytest.raises(InputError, match=r"the largest has 20x30 px; lower training.crop_pix"):
        fresh_crops(large, crop_pix=31, crops_per_pass=4, seed=0)


def test_a_run_learns_crops_of_larger_images(sky: ImageSet, tmp_path: Path) -> None:
    model = {"n_components": 8, "width": 16, "depth": 1, "sampler_steps": 3, "warmup_images": 64}
    training = {"images": 128, "batch_size": 32, "sample_grids": 0, "crop_pix": 16, "crops_per_pass": 90}
    recipe = {
        "transform": {},
        "model": {"family": "pca_diffusion", **model},
        "training": training,
    }
    run = train(recipe, sky, tmp_path / "run")
    card = read_snapshot_page(run / "snapshot")["card"]
    assert (card["training"]["n_training_images"], card["shows"]) == (90, "field")
    assert read_snapshot_page(run / "snapshot")["transform"]["size_pix"] == 16
