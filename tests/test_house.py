"""Rules of the house that a machine can check: sizes, names, documents, what loads what."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest
from family_contract import FamiliesContract, family_modules

from galsmith.cli.app import VERBS
from galsmith.models.families import FAMILIES, HOUSE

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCES = sorted((REPOSITORY / "src").rglob("*.py"))
OWN_FILES = sorted(
    path
    for folder in ("src", "tests", "docs", "benchmarks", "changes", "requirements", ".ci")
    for path in (REPOSITORY / folder).rglob("*")
    if path.is_file() and path.suffix in {".py", ".md", ".toml", ".in", ".txt", ".html", ".css", ""}
) + [REPOSITORY / name for name in ("Makefile", "README.md", "CONTRIBUTING.md", "pyproject.toml")]

LONGEST_FILE, LONGEST_FUNCTION = 600, 50
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|raise NotImplementedError)\b")
PATH_OF_A_MACHINE = re.compile(r"(?<![\w.])/(home|root|Users|work|mnt|scratch)/\w")
KINDS_OF_CHANGES = {"science", "feature", "fix", "format", "docs", "internal"}
JUDGE = (
    "galsmith.observe",
    "galsmith.measure",
    "galsmith.compare",
    "galsmith.report",
    "galsmith.data.store",
    "galsmith.data.simulate",
)


def relative(path):
    return str(path.relative_to(REPOSITORY))


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_files_and_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = node.end_lineno - body[0].lineno + 1 if body else 0
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_module_says_what_it_is_for(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    first_line = (ast.get_docstring(tree) or "").partition("\n")[0]
    assert len(first_line) > 20


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_nothing_is_unfinished(path):
    assert not UNFINISHED.findall(path.read_text(encoding="utf-8"))


def test_no_room_has_a_name_for_everything():
    names = {part for path in SOURCES for part in path.relative_to(REPOSITORY / "src").with_suffix("").parts}
    assert not names & BANNED_NAMES


def test_no_file_names_a_path_of_a_machine():
    found = [
        relative(path) for path in OWN_FILES if PATH_OF_A_MACHINE.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_search_for_paths_of_a_machine_finds_one():
    assert PATH_OF_A_MACHINE.search('open("/' + 'home/somebody/data.fits")')


def test_changelog_fragments_have_names_that_towncrier_knows():
    fragments = [path.name for path in (REPOSITORY / "changes").iterdir() if path.name != "README.md"]
    named = re.compile(r"\d+\.(?P<kind>\w+)(\.\w+)?\.md")
    # After a build the folder is empty but for its page, and the changelog has what was in it.
    assert fragments or (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8").count("\n- ") > 100
    assert [name for name in fragments if not named.fullmatch(name)] == []
    assert {named.fullmatch(name)["kind"] for name in fragments} <= KINDS_OF_CHANGES
    configured = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert {kind["directory"] for kind in configured["tool"]["towncrier"]["type"]} == KINDS_OF_CHANGES


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_is_documented(verb):
    assert f"`galsmith {verb.name}" in (REPOSITORY / "docs" / "index.md").read_text(encoding="utf-8")


def test_the_readme_opens_with_the_two_commands():
    opening = (REPOSITORY / "README.md").read_text(encoding="utf-8").partition("## ")[0]
    assert re.search(r"^make demo", opening, re.MULTILINE)
    assert re.search(r"^make test", opening, re.MULTILINE)
    assert "docs/images/demo-report.png" in opening


def test_every_decision_is_linked():
    index = (REPOSITORY / "docs" / "index.md").read_text(encoding="utf-8")
    missing = [
        path.name for path in (REPOSITORY / "docs" / "decisions").glob("*.md") if path.name not in index
    ]
    assert missing == []
    numbers = re.findall(r"^- \[(\d{4}) .*\]\(decisions/\1-", index, re.MULTILINE)
    assert numbers == sorted(set(numbers))
    gaps = sorted(set(range(1, int(numbers[-1]) + 1)) - set(map(int, numbers)))
    assert gaps == [
        int(number) for number in re.findall(r"\d{4}", re.findall(r"; (.*) were never given", index)[0])
    ]


PAGES = sorted(
    [*(REPOSITORY / "docs").rglob("*.md"), REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"]
)


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_links_between_pages_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_property_is_documented():
    from galsmith.measure import PROPERTIES

    page = (REPOSITORY / "docs" / "properties.md").read_text(encoding="utf-8")
    assert [entry.name for entry in PROPERTIES if f"`{entry.name}`" not in page] == []


def test_the_judge_never_loads_torch():
    code = f"""
import importlib, sys
for room in {JUDGE}:
    importlib.import_module(room)
    print(room, "torch" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == [f"{room} False" for room in JUDGE]


def test_importing_the_package_loads_no_room():
    code = "import sys, galsmith; print([name for name in sys.modules if name.startswith('galsmith.')])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_torchvision_is_absent():
    locked = (REPOSITORY / "requirements" / "lock.txt").read_text(encoding="utf-8")
    assert "torchvision" not in locked


def test_the_lock_pins_every_package_with_hashes_and_leaves_torch_out():
    locked = (REPOSITORY / "requirements" / "lock.txt").read_text(encoding="utf-8")
    entries = [line for line in locked.splitlines() if line and line[0].isalnum()]
    assert len(entries) > 50
    assert all(re.match(r"[\w.-]+==\S+", line) for line in entries)
    assert len(re.findall(r"^[\w.-]+==[^\n]*\\\n\s+--hash=sha256:[0-9a-f]{64}", locked, re.MULTILINE)) == len(
        entries
    )
    assert not any(line.startswith("torch==") for line in entries)


def independence(graph):
    """Whether the contract of the families is kept by a graph of imports."""
    contract = FamiliesContract("families", {}, {})
    return contract.check(graph, verbose=False).kept


def test_the_contract_of_independence_is_that_of_the_table_of_families():
    configured = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    types = [contract["type"] for contract in configured["importlinter"]["contracts"]]
    assert types.count("families") == 1
    assert {listing.given_by for listing in FAMILIES.values()} == {HOUSE}
    assert family_modules() == sorted(f"galsmith.models.{family}" for family in FAMILIES)


def test_an_import_from_family_to_family_breaks_the_contract_even_through_a_third_module():
    graph = grimp.ImportGraph()
    for module in ("galsmith", "galsmith.models", "galsmith.models.between", *family_modules()):
        graph.add_module(module)
    graph.add_import(importer="galsmith.models.vae", imported="galsmith.models.between")
    assert independence(graph)
    graph.add_import(importer="galsmith.models.between", imported="galsmith.models.alae")
    assert not independence(graph)


def test_no_family_is_named_outside_the_families():
    names = {"pca_diffusion", "stylegan", "stylegan2", "alae", "vae"}
    rooms = [
        path for path in SOURCES if path.relative_to(REPOSITORY / "src" / "galsmith").parts[0] != "models"
    ]
    said = [
        f"{relative(path)}: {node.value}"
        for path in rooms
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert said == []


FLAG = re.compile(r"(?<![\w-])(?<!var\()--[a-z]")  # var(--ink) is a color of the style sheet


def strings_of(tree):
    """Strings of a module; of an f-string its text, with an x for what is filled in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)


def flags_named(tree):
    """Strings of a module that name flags, but whole command lines, as the table of readers shows them, and pip's."""
    found = [text for text in strings_of(tree) if FLAG.search(text)]
    return [text for text in found if not text.startswith("galsmith ") and "pip install" not in text]


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_flags_are_named_by_the_command_line_alone(path):
    room = path.relative_to(REPOSITORY / "src" / "galsmith").as_posix()
    if not room.startswith("cli/"):
        assert flags_named(ast.parse(path.read_text(encoding="utf-8"))) == []


def test_a_flag_in_a_message_is_found():
    assert flags_named(ast.parse('raise ValueError(f"{path}: give --bands g,r")'))
    assert flags_named(ast.parse('words = f"--{flag} {value}"'))
    assert not flags_named(ast.parse('words = f"{first}--{last} or {a} -- {b}, var(--{name})"'))
    assert not flags_named(
        ast.parse('raise ValueError(f"{path}: give `bands`, or pip install --upgrade it")')
    )
