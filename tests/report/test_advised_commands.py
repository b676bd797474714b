"""Every call that the page advises or says it was made by is one that the command line, or Python, takes."""

import ast
import inspect
import re
import shlex
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

from galsmith.cli.app import build_app, verb_of
from galsmith.cli.flags import in_shell, shell_spelling
from galsmith.compare import read_card, write_card
from galsmith.data.store import open_store
from galsmith.provenance import Parent, Provenance
from galsmith.report import repeat
from galsmith.report.calls import FUNCTIONS, IN_PYTHON, in_python
from galsmith.report.material import gather
from galsmith.report.repeat import steps_of
from galsmith.report.words import HOW_TO, sentence_of

ROOM = Path(repeat.__file__).parent
FLAG = re.compile(r"(?<![\w-])(--[a-z]+(?:-[a-z]+)*)(?: ([A-Z]+|[a-z]+[0-9]*(?:-[a-z0-9]+)+))?")


def parsed_words(words):
    """Parse a command line; an unknown flag, a missing or a superfluous word raises."""
    command, bound, _ = build_app().parse_args(words, print_error=False, exit_on_error=False)
    return verb_of(command).name, bound.arguments


def advised_flags():
    """List the flags, with their words, that the sentences of the page and its templates name."""
    templates = [path.read_text(encoding="utf-8") for path in sorted((ROOM / "templates").glob("*.j2"))]
    markup = re.compile(r"<[^>]*>|\{%.*?%\}|var\(--[\w-]+\)", re.DOTALL)
    sentences = [sentence_of(what, spelling=shell_spelling()) for what in HOW_TO]
    return [found for text in [*sentences, *templates] for found in FLAG.findall(markup.sub("", text))]


@pytest.mark.parametrize(("flag", "word"), advised_flags())
def test_advised_flags_of_compare_parse(flag, word):
    words = ["compare", "reference", "generated", "-o", "card.json", flag, *([word] if word else [])]
    verb, _ = parsed_words(words)
    assert verb == "compare"


def test_the_flags_are_found():
    assert {flag for flag, _ in advised_flags()} == {"--no-beyond", "--features", "--training", "--paper"}


def test_no_beyond_is_heard():
    _, arguments = parsed_words(["compare", "reference", "generated", "-o", "card.json", "--no-beyond"])
    assert arguments["beyond"] is False


def test_an_unknown_flag_does_not_parse():
    with pytest.raises(Exception, match="--no-such-flag"):
        parsed_words(["compare", "reference", "generated", "-o", "card.json", "--no-such-flag"])


def steps(compared, change=lambda card: card, spelling=None):
    """Steps of a card that was changed, as commands unless told otherwise."""
    path = compared.folder / "changed.json"
    write_card(change(read_card(compared.comparison)), path)
    return {step.made: step for step in steps_of(gather(path), path, spelling or shell_spelling())}


def test_steps_of_a_card_parse(one_band):
    found = steps(one_band)
    verbs = [parsed_words(shlex.split(step.command)[1:])[0] for step in found.values()]
    assert verbs == ["simulate sersic", "measure", "sample", "measure", "compare"]


def test_the_comparison_is_repeated_as_it_was_told(one_band, records):
    def change(card):
        judgment = replace(card.judgment(), name="mine", features=(records.features(),))
        training = open_store(one_band.stores[0]).as_parent("training images")
        settings = {**card.settings, "beyond": False, "normalization": {"morphology": "none"}}
        provenance = replace(card.provenance, parents=(*card.provenance.parents, training))
        return replace(card, judgments=(judgment,), settings=settings, provenance=provenance)

    command = steps(one_band, change)["comparison"].command
    verb, arguments = parsed_words(shlex.split(command)[1:])
    assert verb == "compare"
    assert arguments["generated"] == ("mine=drawn.parquet",)
    assert arguments["beyond"] is False
    assert arguments["normalization"] == "none"
    assert arguments["features"] == ["efficientnet-lite0"]
    assert arguments["training"].name == "source"


def test_a_paper_is_named_in_place_of_its_normalization(one_band):
    command = steps(one_band, lambda card: replace(card, paper="holzschuh2022-cosmos"))["comparison"].command
    assert "--paper holzschuh2022-cosmos" in command
    assert "--normalization" not in command
    parsed_words(shlex.split(command)[1:])


@pytest.mark.parametrize(
    ("kind", "verb"), [("pictures", "ingest folder"), ("fits", "ingest fits"), ("array", "ingest arrays")]
)
def test_images_that_a_comparison_brought_are_ingested_again(kind, verb):
    parents = (Parent("source files", "ab" * 32, "theirs"),)
    brought = Provenance("compare", {"kind": kind}, 0, parents)
    call = repeat._call(brought, "card.measurements/theirs.store", Path("nowhere"))
    assert parsed_words(shlex.split(in_shell(call))[1:])[0] == verb
    assert in_shell(call).endswith("--split 1/0/0 --on-bad skip --seed 0 -o card.measurements/theirs.store")
    assert called(in_python(call)) == f"galsmith.data.{verb.replace(' ', '.')}"


def called(text):
    """Bind the arguments of a call to the function that it names; what does not fit raises."""
    call = ast.parse(text, mode="eval").body
    name = ast.unparse(call.func)
    module, _, function = name.rpartition(".")
    inspect.signature(getattr(import_module(module), function)).bind(
        *map(ast.unparse, call.args), **{given.arg: ast.unparse(given.value) for given in call.keywords}
    )
    return name


def test_steps_of_a_card_are_calls_in_python(one_band):
    found = [step.command for step in steps(one_band, spelling=IN_PYTHON).values()]
    assert [called(command) for command in found] == [
        "galsmith.data.simulate.sersic",
        "galsmith.measure.measure",
        "galsmith.sampling.sample",
        "galsmith.measure.measure",
        "galsmith.judging.judge",
    ]
    assert found[-1] == (
        "galsmith.judging.judge('source.parquet', {'drawn': 'drawn.parquet'}, beyond=False, seed=0, "
        "output='changed.json')"
    )


def test_a_call_that_python_does_not_take_is_found():
    with pytest.raises(TypeError, match="unexpected keyword argument 'depth'"):
        called("galsmith.measure.measure('store', output='table.parquet', depth=3)")


def test_each_function_of_a_verb_is_there():
    found = {verb: name.rpartition(".") for verb, name in FUNCTIONS.items()}
    assert all(callable(getattr(import_module(module), name)) for module, _, name in found.values())


@pytest.mark.parametrize("what", ["beyond", "features", "memorization", "published"])
def test_python_is_told_no_flags(what):
    assert not FLAG.search(sentence_of(what))
    assert "`" not in sentence_of(what)


@pytest.mark.parametrize(
    ("verb", "parents", "command"),
    [
        ("train", ("store",), "galsmith train RECIPE --data store -o made"),
        ("snapshot", ("run", "store"), "galsmith snapshot run -o made"),
    ],
)
def test_runs_and_remade_snapshots_are_told_no_seed(verb, parents, command):
    made = Provenance(verb, {}, 5, tuple(Parent("parent", "", path) for path in parents))
    call = repeat._call(made, "made", Path("nowhere"))
    assert in_shell(call) == command
    assert called(in_python(call)) == FUNCTIONS[verb]
    parsed_words(shlex.split(command)[1:])
