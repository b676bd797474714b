"""Sixteen copies of a field: which they are, exactly; and that a run shows every one of them once in a pass."""

import numpy as np
import pytest
import torch

from galsmith.data.transforms import TransformSettings, fit_pixel_transform
from galsmith.errors import SettingsError
from galsmith.images import ImageHeader, ImageSet, image_set_from_arrays
from galsmith.models.protocols import NetworkBatch
from galsmith.training.augmentation import FIELD_COPIES, drawn_offsets, field_copies, frame_pix
from galsmith.training.batches import KeptBatches, ReadBatches, TrainingSet, make_batches

CPU = torch.device("cpu")
SIDE = 40


def random_fields(n: int) -> torch.Tensor:
    return torch.rand((n, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(3)) + 0.1


def framed_copy(image: np.ndarray, copy: int, offset: tuple[int, int]) -> np.ndarray:
    """Make a copy as the paper says it: turn, frame with zeros, crop, flip."""
    turned = np.rot90(image, copy // 2 % 4)
    framed = np.pad(turned, frame_pix(len(image)))
    crop = framed[offset[0] : offset[0] + len(image), offset[1] : offset[1] + len(image)]
    return crop[:, ::-1] if copy >= 8 else crop


def test_the_frame_is_that_of_the_paper() -> None:
    assert 1000 + 2 * frame_pix(1000) == 1100
    assert [frame_pix(side) for side in (500, 250, 40)] == [25, 12, 2]


@pytest.mark.parametrize("copy", range(FIELD_COPIES))
def test_each_copy_is_turned_framed_cropped_and_flipped(copy: int) -> None:
    fields = random_fields(25)
    offsets = np.array([(y, x) for y in range(5) for x in range(5)])
    made = field_copies(fields, np.full(25, copy), offsets)
    for field, one, offset in zip(fields, made, offsets, strict=True):
        np.testing.assert_array_equal(one[0].numpy(), framed_copy(field[0].numpy(), copy, tuple(offset)))


def test_the_sixteen_are_all_different_and_without_a_move_eight_are() -> None:
    fields = random_fields(1).expand(FIELD_COPIES, 1, SIDE, SIDE)
    crops = np.array([(0, 1), (3, 2)] * 8)
    assert len(torch.unique(field_copies(fields, np.arange(FIELD_COPIES), crops), dim=0)) == FIELD_COPIES
    unmoved = np.full((FIELD_COPIES, 2), frame_pix(SIDE))
    still = field_copies(fields, np.arange(FIELD_COPIES), unmoved)
    assert len(torch.unique(still, dim=0)) == 8
    assert torch.equal(still[0], fields[0])


def test_crops_are_drawn_by_seed_and_place_and_reach_every_corner() -> None:
    drawn = drawn_offsets(400, side_pix=SIDE, seed=1, images_seen=0)
    assert sorted(set(drawn[:, 0])) == sorted(set(drawn[:, 1])) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(drawn[8:16], drawn_offsets(8, side_pix=SIDE, seed=1, images_seen=8))
    assert not np.array_equal(drawn, drawn_offsets(400, side_pix=SIDE, seed=2, images_seen=0))


@pytest.fixture
def fields() -> ImageSet:
    """Six fields whose first pixel says which they are."""
    pixels = np.zeros((6, 1, SIDE, SIDE), dtype=np.float32)
    pixels[:, 0, 20, 20] = np.arange(1, 7) * 40
    pixels[:, 0, 21, 20] = 7
    return image_set_from_arrays(list(pixels), ImageHeader(("gray",), "display", shows="field"))


def training_set_of(images: ImageSet, kind: str) -> TrainingSet:
    return TrainingSet(images, fit_pixel_transform(images, TransformSettings(kind=kind, size_pix=None)))


def test_a_pass_shows_every_copy_once_kept_or_read(fields: ImageSet) -> None:
    training_set = training_set_of(fields, "display")

    def doubled(batch: NetworkBatch) -> NetworkBatch:
        return NetworkBatch(batch.pixels * 2, batch.scalars)

    made = [
        make_batches(
            training_set,
            doubled,
            batch_size=16,
            seed=5,
            memory_gb=memory_gb,
            device=CPU,
            augmentation="fields",
        )
        for memory_gb in (1.0, 0.0)
    ]
    assert [type(batches) for batches in made] == [KeptBatches, ReadBatches]
    shown = []
    for images_seen in range(0, 6 * FIELD_COPIES, 16):
        kept, read = (batches.at(images_seen) for batches in made)
        assert torch.equal(kept.pixels, read.pixels)
        shown.append(kept.pixels)
    brightest = torch.cat(shown).amax(dim=(1, 2, 3)) / 2 * 255
    assert [int(torch.sum(brightest.round() == 40 * k)) for k in range(1, 7)] == [FIELD_COPIES] * 6
    assert not torch.equal(made[0].at(0).pixels, made[0].at(6 * FIELD_COPIES).pixels)
    for batches in made:
        batches.close()


def test_pixels_without_black_are_refused(fields: ImageSet) -> None:
    with pytest.raises(SettingsError, match=r"`training.augmentation=fields`: .*set transform.kind=display"):
        make_batches(
            training_set_of(fields, "linear"),
            lambda batch: batch,
            batch_size=4,
            seed=0,
            memory_gb=1.0,
            device=CPU,
            augmentation="fields",
        )
