import json

import numpy as np
import pytest

from galsmith.compare import judge_tables, read_comparison, write_card
from galsmith.errors import InputError
from galsmith.files import read_json, write_json

QUICK = {"replicates": 20, "splits": 20, "permutations": 20}


@pytest.fixture
def card(reference, generated):
    generated["asymmetry"] = np.nan
    return judge_tables(reference, generated, beyond=False, cuts={"sersic_index": (None, 10)}, **QUICK)


@pytest.fixture
def comparison(card):
    return card.judgment().comparison


def test_reads_back_what_was_written(card, tmp_path):
    path = tmp_path / "comparison.json"
    write_card(card, path)
    again = read_comparison(path)
    assert repr(again) == repr(card.judgment().comparison)  # by text, since NaN differs from itself


def test_is_strict_json_and_the_same_every_time(reference, generated, tmp_path):
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in paths:
        judge_tables(reference, generated, path, beyond=False, **QUICK)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    value = json.loads(paths[0].read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert value["schema_version"] == 4


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"format": "galsmith-store"}, "not a comparison"),
        ({"schema_version": 99}, "schema version 99, this galsmith reads version 4"),
        ({"judgments": [{}]}, "damaged comparison"),
        ({"judgments": []}, "damaged comparison.*judges no set"),
        ({"provenance": None}, "damaged comparison"),
        ({"paper": 3}, "damaged comparison.*3 is no str"),
    ],
)
def test_damaged_files_are_named(card, tmp_path, damage, message):
    path = tmp_path / "comparison.json"
    write_card(card, path)
    write_json(path, {**read_json(path), **damage})
    with pytest.raises(InputError, match=message):
        read_comparison(path)


def test_unknown_names_list_the_known(comparison):
    with pytest.raises(KeyError, match="no distance 'gini'; there are asymmetry"):
        comparison.distance("gini")
    with pytest.raises(KeyError, match="no mean 'gini'; there are morphology"):
        comparison.mean("gini")


def test_a_folder_is_told_from_a_comparison(tmp_path):
    with pytest.raises(InputError, match=r"a folder, not a comparison; make one with galsmith compare"):
        read_comparison(tmp_path)
