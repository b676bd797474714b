"""A store has the same bytes, whoever writes its chunks; one that cannot be done does not keep the others from it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from trees import hashes

from galsmith import simulate

SMALL = ("size_pix=16",)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    place = tmp_path_factory.mktemp("alone") / "store"
    simulate.sersic(place, n=600, seed=3, recipe="sersic-32", overrides=SMALL)
    return hashes(place)


def test_processes_write_the_bytes_of_one(alone, tmp_path):
    simulate.sersic(tmp_path / "store", n=600, seed=3, recipe="sersic-32", overrides=SMALL, workers=2)
    assert hashes(tmp_path / "store") == alone


def test_a_lent_executor_writes_them_too(alone, tmp_path):
    with ThreadPoolExecutor(3) as pool:
        simulate.sersic(tmp_path / "store", n=600, seed=3, recipe="sersic-32", overrides=SMALL, executor=pool)
    assert hashes(tmp_path / "store") == alone
