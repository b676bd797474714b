import json
from dataclasses import replace

import pytest

from galsmith.provenance import Parent, Provenance, hash_json, software_versions


@pytest.fixture
def provenance():
    return Provenance("sample", {"n": 3, "shape": [1, 2]}, 7, (Parent("snapshot", "abc", "/there"),))


def test_it_survives_json(provenance):
    assert Provenance.from_dict(json.loads(json.dumps(provenance.to_dict()))) == provenance


def test_paths_and_versions_do_not_decide_content(provenance):
    moved = replace(provenance, parents=(Parent("snapshot", "abc", "/elsewhere"),), versions={"python": "9"})
    assert moved.fingerprint() == provenance.fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"verb": "simulate"},
        {"settings": {"n": 4, "shape": [1, 2]}},
        {"seed": 8},
        {"parents": ()},
        {"parents": (Parent("snapshot", "abd"),)},
        {"parents": (Parent("training set", "abc"),)},
    ],
)
def test_everything_else_does(provenance, change):
    assert replace(provenance, **change).fingerprint() != provenance.fingerprint()


def test_hashes_ignore_the_order_of_keys():
    assert hash_json({"a": 1, "b": 2}) == hash_json({"b": 2, "a": 1})
    assert hash_json([1, 2]) != hash_json([2, 1])


def test_versions_name_python_and_the_package():
    versions = software_versions()
    assert {"python", "numpy", "galsmith"} <= set(versions)
    assert "not-installed" not in versions
