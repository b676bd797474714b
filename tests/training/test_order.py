import numpy as np
import pytest

from galsmith.training.batches import image_order


def test_each_pass_shows_every_image_once_in_an_order_of_its_own() -> None:
    shown = image_order(50, seed=3, images_seen=0, count=150).reshape(3, 50)
    for one_pass in shown:
        np.testing.assert_array_equal(np.sort(one_pass), np.arange(50))
    assert not np.array_equal(shown[0], shown[1])


@pytest.mark.parametrize("batch_size", [1, 7, 64, 200])
def test_order_does_not_depend_on_the_batch_size(batch_size: int) -> None:
    whole = image_order(50, seed=3, images_seen=0, count=400)
    batches = [
        image_order(50, seed=3, images_seen=start, count=batch_size)
        for start in range(0, 400 - batch_size + 1, batch_size)
    ]
    joined = np.concatenate(batches)
    np.testing.assert_array_equal(joined, whole[: len(joined)])


def test_another_seed_gives_another_order() -> None:
    one, other = (image_order(50, seed=seed, images_seen=0, count=50) for seed in (0, 1))
    assert not np.array_equal(one, other)
