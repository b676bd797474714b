"""What a verb says at its end."""

import json
from pathlib import Path

import pytest

from galsmith.cli.options import SetFlags, parse_split, store_worker_count, worker_count
from galsmith.cli.outcome import Outcome, duration_text
from galsmith.errors import SettingsError
from galsmith.execution import available_cores


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_read_as_people_say_them(seconds, text):
    assert duration_text(seconds) == text


def test_json_states_verb_output_hash_numbers_and_seconds():
    outcome = Outcome(
        "measure", "done", output=Path("t.parquet"), content_hash="ab", numbers={"n_measured": 3}
    )
    assert json.loads(outcome.to_json(1.23456)) == {
        "verb": "measure",
        "exit_code": 0,
        "output": "t.parquet",
        "content_hash": "ab",
        "numbers": {"n_measured": 3},
        "seconds": 1.235,
    }


def test_the_line_for_people_names_the_place():
    assert Outcome("report", "a page", output=Path("r/index.html")).to_lines(2.0) == [
        "report: a page in 2.0 s -> r/index.html"
    ]


def test_a_split_reads_as_three_shares():
    assert parse_split("0.8/0.1/0.1") == (0.8, 0.1, 0.1)


@pytest.mark.parametrize("text", ["0.8/0.2", "a/b/c", "", "0.8,0.1,0.1"])
def test_another_split_is_refused(text):
    with pytest.raises(SettingsError, match="wanted three shares"):
        parse_split(text)


def test_flags_become_the_options_of_the_library():
    options = SetFlags(
        crop_pix=64, resize_pix=32, minimum_size_pix=48, split="1/0/0", where="T=1..2", on_bad="skip"
    ).to_options()
    assert (options.crop_pix, options.resize_pix, options.minimum_size_pix) == (64, 32, 48)
    assert (options.split, options.where, options.on_bad) == ((1.0, 0.0, 0.0), "T=1..2", "skip")


def test_workers_are_all_cores_or_one_for_a_store_unless_stated():
    assert worker_count(None) == available_cores()
    assert worker_count(1) == 1
    assert store_worker_count(None) == 1
    assert store_worker_count(3) == 3
