"""Each command ends with what one would do next, and that is a command that there is."""

import shlex
from pathlib import Path

import pytest

from galsmith.cli import main
from galsmith.cli.app import VERBS, build_app
from galsmith.cli.next_steps import NEXT, next_steps
from galsmith.cli.outcome import Outcome

OUTPUT = Path("a place") / "out"


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_what_is_advised_after_a_verb_can_be_run(verb):
    for line in next_steps(Outcome(verb.name, "made", OUTPUT, numbers={"splits": {"train": 3}})):
        program, *words = shlex.split(line.partition(":")[2])
        assert program in ("galsmith", "open")
        assert "a place/out" in line or any(word.isupper() for word in words)
        if program == "galsmith":
            command, _, _ = build_app().parse_args(words, print_error=False, exit_on_error=False)
            assert command in [other.function for other in VERBS]


def test_no_entry_is_of_a_verb_that_is_gone():
    names = {name for verb in VERBS for name in (verb.name, verb.name.partition(" ")[0])}
    assert set(NEXT) <= names


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"splits": {"train": 8, "test": 2}, "shows": "galaxy"}, "train pca_diffusion --data store"),
        ({"splits": {"train": 8}, "shows": "field"}, "train field_composer --data store"),
        ({"splits": {"test": 9}, "shows": "galaxy"}, "measure store -o store.parquet"),
    ],
)
def test_a_store_is_learned_from_where_it_is_for_that(numbers, said):
    steps = next_steps(Outcome("ingest fits", "10 galaxies", Path("store"), numbers=numbers))
    assert steps[0] == "next: galsmith look store -o store.png"
    assert said in steps[1]


def test_nothing_is_advised_after_a_fault():
    assert next_steps(Outcome("denoise study", "2 of 3", Path("study"), exit_code=1)) == []
    assert next_steps(Outcome("info", output=Path("x"), numbers={"kind": "report"})) == []


def test_commands_say_it_to_people_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["simulate", "sersic", "-n", "1", "--recipe", "sersic-32", "-o"]
    assert main([*words, "one"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("simulate sersic: 1 galaxy, 32x32 px")
    assert lines[1:] == [
        "next: galsmith look one -o one.png",
        "  or: galsmith train pca_diffusion --data one -o run --minutes 20",
    ]
    assert main([*words, "two", "--json"]) == 0
    assert "next" not in capsys.readouterr().out
    assert main(["info", "one"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == lines[1:]
