"""Fitting on some of the images takes them from all over the set."""

import pytest
import torch

from galsmith.models.layers.marginals import thinned
from galsmith.models.protocols import NetworkBatch


def in_chunks(n_images: int, size: int):
    numbers = torch.arange(n_images, dtype=torch.float32)[:, None]
    return lambda: iter([NetworkBatch(part, -part) for part in numbers.split(size)])


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize(
    ("n_images", "at_most", "every"), [(20, 20, 1), (20, 10, 2), (20, 7, 3), (20, 1, 20)]
)
def test_every_kth_image_is_kept_however_they_are_chunked(size, n_images, at_most, every):
    kept = list(thinned(in_chunks(n_images, size), n_images=n_images, at_most=at_most)())
    numbers = torch.cat([batch.pixels for batch in kept])[:, 0]
    assert numbers.tolist() == list(range(0, n_images, every))
    assert len(numbers) <= at_most
    assert torch.equal(torch.cat([batch.scalars for batch in kept])[:, 0], -numbers)


def test_it_can_be_gone_over_again():
    batches = thinned(in_chunks(10, 4), n_images=10, at_most=5)
    assert [len(list(batches())) for _ in range(2)] == [3, 3]
