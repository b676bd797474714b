from pathlib import Path

import numpy as np
import pytest
import torch

from galsmith.errors import GalsmithError, InputError
from galsmith.models.snapshot import find_snapshot, load_snapshot
from galsmith.sampling.source import GalaxySource, refuse_non_finite
from galsmith.seeds import derive_seed

CPU = torch.device("cpu")


def test_batches_are_what_the_generator_computes_at_once(any_run: Path) -> None:
    source = GalaxySource(any_run / "snapshot", seed=5, device=CPU)
    assert source.batch_size == load_snapshot(any_run / "snapshot").generator.galaxies_per_call
    assert len(source.batch(0).images) == source.batch_size


def test_seeds_follow_from_the_users_seed_and_the_index(pca_run: Path) -> None:
    source = GalaxySource(pca_run / "snapshot", seed=5, device=CPU)
    assert list(source.seeds(np.array([0, 7]))) == [derive_seed(5, "sample", 0), derive_seed(5, "sample", 7)]


def test_batches_do_not_depend_on_their_order(any_run: Path) -> None:
    source = GalaxySource(any_run / "snapshot", seed=5, device=CPU)
    forward = [source.batch(number).images for number in (0, 1)]
    backward = [
        GalaxySource(any_run / "snapshot", seed=5, device=CPU).batch(number).images for number in (1, 0)
    ][::-1]
    for one, other in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(np.stack(one), np.stack(other))
    assert not np.array_equal(forward[0][0], forward[1][0])


def test_images_that_are_not_finite_are_named_by_seed() -> None:
    images = [np.ones((1, 4, 4), dtype=np.float32) for _ in range(4)]
    refuse_non_finite(images, np.arange(4))
    images[1] = images[1] * np.nan
    images[3] = images[3] * np.inf
    with pytest.raises(GalsmithError, match=r"2 of 4 drawn galaxies .* \(seeds 11, 13\).*train longer"):
        refuse_non_finite(images, np.array([10, 11, 12, 13]))


def test_a_run_and_its_snapshot_folder_are_both_taken(pca_run: Path, tmp_path: Path) -> None:
    assert find_snapshot(pca_run) == find_snapshot(pca_run / "snapshot") == pca_run / "snapshot"
    with pytest.raises(InputError, match=r"there is no snapshot in it yet; give the run folder"):
        find_snapshot(tmp_path)
    with pytest.raises(InputError, match=r"there is no such folder"):
        find_snapshot(tmp_path / "nowhere")
