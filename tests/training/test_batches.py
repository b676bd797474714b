import numpy as np
import pytest
import torch

from galsmith.data.transforms import TransformSettings, fit_pixel_transform
from galsmith.errors import InputError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.models.protocols import NetworkBatch
from galsmith.training.batches import KeptBatches, ReadBatches, TrainingSet, make_batches

CPU = torch.device("cpu")


def unchanged(batch: NetworkBatch) -> NetworkBatch:
    return batch


@pytest.fixture
def training_set(discs: ImageSet) -> TrainingSet:
    return TrainingSet(discs, fit_pixel_transform(discs, TransformSettings()))


def test_kept_and_read_batches_are_the_same(training_set: TrainingSet) -> None:
    made = [
        make_batches(training_set, unchanged, batch_size=32, seed=5, memory_gb=memory_gb, device=CPU)
        for memory_gb in (1.0, 0.0)
    ]
    assert [type(batches) for batches in made] == [KeptBatches, ReadBatches]
    for images_seen in (0, 32, 64, 96, 3200):  # 96 reaches over the end of a pass, 3200 was not read ahead
        kept, read = (batches.at(images_seen) for batches in made)
        assert torch.equal(kept.pixels, read.pixels)
        assert torch.equal(kept.scalars, read.scalars)
    for batches in made:
        batches.close()


def test_compaction_is_applied_to_what_is_kept(training_set: TrainingSet) -> None:
    def halved(batch: NetworkBatch) -> NetworkBatch:
        return NetworkBatch(batch.pixels.flatten(1)[:, :5] * 0.5, batch.scalars)

    batches = make_batches(training_set, halved, batch_size=8, seed=0, memory_gb=1.0, device=CPU)
    plain = make_batches(training_set, unchanged, batch_size=8, seed=0, memory_gb=1.0, device=CPU)
    assert torch.equal(batches.at(0).pixels, plain.at(0).pixels.flatten(1)[:, :5] * 0.5)


def test_memory_budget_counts_the_compacted_set(training_set: TrainingSet) -> None:
    def small(batch: NetworkBatch) -> NetworkBatch:
        return NetworkBatch(batch.pixels.flatten(1)[:, :1], batch.scalars)

    budget_gb = 120 * 50 / 1e9  # 120 images of 1 + 1 numbers fit, of 256 + 1 do not
    chosen = [
        make_batches(training_set, compacted, batch_size=8, seed=0, memory_gb=budget_gb, device=CPU)
        for compacted in (small, unchanged)
    ]
    assert [type(batches) for batches in chosen] == [KeptBatches, ReadBatches]
    for batches in chosen:
        batches.close()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_finite_are_refused(value: float) -> None:
    images = [np.ones((1, 8, 8)) for _ in range(3)]
    images[1][0, 2, 2] = value
    broken = image_set_from_arrays(images, ImageHeader(("r",), "nJy"))
    with pytest.raises(InputError, match=r"NaN or infinite"):
        fit_pixel_transform(broken, TransformSettings())
