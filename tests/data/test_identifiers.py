"""Identifiers that are there twice are found and named, at any number."""

import tracemalloc

import numpy as np
import pytest

from galsmith.data.identifiers import refuse_repeated, repeated
from galsmith.errors import InputError
from galsmith.seeds import random_stream


@pytest.mark.parametrize("names", [[], ["a"], ["a", "b", "A"], [1, 2, 3], ["1", "01"]])
def test_names_that_are_there_once_pass(names):
    assert repeated(names) == {}
    refuse_repeated(names, place="set")


def test_names_that_are_there_twice_are_counted_in_their_order():
    assert repeated(["b", "a", "b", "c", "a", "b"]) == {"b": 3, "a": 2}
    with pytest.raises(
        InputError, match=r"set: 7 object_id are there more than once: '0' \(2 rows\).*, and 2 more; keep one"
    ):
        refuse_repeated([*range(7), *range(7)], place="set")


def test_two_of_a_million_are_found_in_bounded_memory():
    names = np.arange(10**6).astype("U9")
    random_stream(1, "tests.identifiers").shuffle(names)
    names[345_678], names[-1] = names[7], names[9]
    tracemalloc.start()
    found = repeated(names)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == {str(names[7]): 2, str(names[9]): 2}
    assert peak < names.nbytes + 40e6


def test_names_of_one_hash_are_told_apart(monkeypatch):
    monkeypatch.setattr("pandas.util.hash_array", lambda names: np.zeros(len(names), dtype=np.uint64))
    assert repeated(["a", "b", "c"]) == {}
    assert repeated(["a", "b", "a"]) == {"a": 2}
