"""Help, examples, wrong usage: what a user sees before anything runs."""

import json
import shlex
import subprocess
import sys

import pytest

from galsmith.cli import main
from galsmith.cli.app import VERBS, build_app, verb_of, verb_words


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_help_of_each_verb_ends_with_its_example(verb, capsys):
    assert main([*verb.name.split(), "--help"]) == 0
    lines = capsys.readouterr().out.rstrip().splitlines()
    assert lines[-1].strip() == verb.example


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_example_of_each_verb_parses_to_that_verb(verb):
    program, *words = shlex.split(verb.example)
    command, _, _ = build_app().parse_args(words, print_error=False, exit_on_error=False)
    assert program == "galsmith"
    assert verb_of(command) is verb


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_each_verb_takes_the_flags_of_all(verb):
    words = [*shlex.split(verb.example)[1:], "--json", "--debug", "--quiet"]
    _, bound, _ = build_app().parse_args(words, print_error=False, exit_on_error=False)
    shown = bound.arguments["shown"]
    assert (shown.json, shown.debug, shown.quiet) == (True, True, True)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.writes], ids=lambda verb: verb.name)
def test_each_verb_that_writes_takes_overwrite(verb):
    words = [*shlex.split(verb.example)[1:], "--overwrite"]
    _, bound, _ = build_app().parse_args(words, print_error=False, exit_on_error=False)
    assert bound.arguments["overwrite"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["simulat"], 'Did you mean "simulate"'),
        (["simulate", "sersc"], 'Did you mean "sersic"'),
        (["sample", "run", "-n", "4", "-o", "x", "--formt", "fits"], "Did you mean --format"),
        (["sample", "run", "-o", "x"], "neither -n nor --catalog; wanted how many galaxies"),
        (["sample", "run", "-n", "four", "-o", "x"], "unable to convert"),
        (["sample", "run", "-n", "4", "-o", "x", "--format", "png"], "Choose from"),
        (["train", "recipe", "more", "--data", "x", "-o", "y"], "Unused"),
        (["measure", "-o", "x"], "requires an argument"),
        (["compare", "-o", "x"], "requires an argument"),
        (["compare", "one", "-o", "x"], "no generated set"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(words, said, capsys):
    assert main(words) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert printed.err.startswith("galsmith: ")
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_wrong_usage_with_json_gives_one_line_of_json(capsys):
    assert main(["sample", "run", "--json"]) == 2
    line = json.loads(capsys.readouterr().out)
    assert (line["verb"], line["exit_code"]) == ("sample", 2)


def test_a_group_without_its_kind_is_wrong_usage(capsys):
    assert main(["ingest"]) == 2
    assert "folder" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--help"], ["ingest", "--help"], ["--version"]])
def test_asking_for_help_is_no_fault(words, capsys):
    assert main(words) == 0
    assert capsys.readouterr().out


def test_leading_words_name_the_verb():
    assert verb_words(["simulate", "sersic", "-n", "4"]) == "simulate sersic"
    assert verb_words(["nothing"]) == ""


def test_help_loads_neither_torch_nor_the_array_libraries():
    code = (
        "import sys; from galsmith.cli import main; main(['train', '--help']); "
        "print([name for name in ('torch', 'numpy', 'astropy', 'matplotlib') if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr.strip() == "[]"
