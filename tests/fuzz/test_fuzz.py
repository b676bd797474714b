"""Mutants of every format that galsmith reads: refused in one line or read; never a crash, a hang or a filled memory.

The slow test goes on where the last one ended if GALSMITH_FUZZ_FOLDER names a folder, for GALSMITH_FUZZ_SECONDS a format.
Numbers of cases and faults stand there, a page a format, and beside it the mutant that ended or stopped a process.
"""

import json
import os
import selectors
import subprocess
import sys
from pathlib import Path

import pytest
from fuzzer import LONGEST_S, fault_of
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import mutated
from targets import TARGETS, is_good

from galsmith.compare.files import read_card
from galsmith.data.store.layout import StorePage
from galsmith.errors import GalsmithError, InputError
from galsmith.files import write_json
from galsmith.files.bounds import VARIABLE
from galsmith.files.pages import checked_page

FAST_CASES = 25
# files that are sound, and stand for no model and no comparison that could be used
OF_PARTS = ("toml", "json", "safetensors", "checkpoint")
# beside the time of a case: a process starts, imports, and waits for others on a busy machine
PATIENCE_S = 60.0 + LONGEST_S
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["judgments", "paired", "paper", "published", "settings", "provenance", "missing", "x"]
)


@pytest.fixture(autouse=True)
def small_limit(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.05")


@pytest.mark.parametrize("name", TARGETS)
def test_mutants_are_refused_in_one_line_or_read(name, tmp_path, recwarn):
    assert name in OF_PARTS or is_good(name)
    corpus = TARGETS[name][0]()
    for number in range(FAST_CASES):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert fault_of(TARGETS[name][1], mutated(corpus, name, number), folder) == "", number
    recwarn.clear()


def test_a_fault_is_seen():
    def read(content, folder):
        raise KeyError(content)

    assert "fault of galsmith" in fault_of(read, b"a", Path("none"))
    assert fault_of(lambda content, folder: None, b"a", Path("none")) == ""

    def greedy(content, folder):
        return len(b"1" * 500_000_000)

    assert "MB for 1 bytes" in fault_of(greedy, b"a", Path("none"))
    assert "MB for 1 bytes" in fault_of(greedy, b"a", Path("none"))  # also where there was such a peak before


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(KEYS, VALUES))
def test_any_json_in_a_card_is_refused_in_one_line(tmp_path_factory, said):
    path = tmp_path_factory.getbasetemp() / "card.json"
    write_json(path, {"format": "galsmith-comparison", "schema_version": 4, **said})
    with pytest.raises(InputError, match=r"card\.json: a damaged comparison"):
        read_card(path)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(StorePage.model_fields)), VALUES))
def test_any_json_in_the_page_of_a_store_is_refused_in_one_line(said):
    with pytest.raises(GalsmithError, match=r"^dataset\.json: "):
        checked_page(StorePage, said, Path("dataset.json"), way_out="make it again")


def blocks_of(name, first, seconds, folder):
    """Start a fuzzer and give what it says, block by block; a hang ends it."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("fuzzer.py")),
        name,
        str(first),
        str(seconds),
        str(folder),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(PATIENCE_S):
                    process.kill()
                    yield {"ended": "hangs"}
                    return
                line = process.stdout.readline()
                if not line:
                    break
                yield json.loads(line)
        code = process.wait()
    if code:
        yield {"ended": f"ended with {code}"}


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_million_mutants_in_the_end(name, tmp_path):
    folder = Path(os.environ.get("GALSMITH_FUZZ_FOLDER", tmp_path))
    seconds = float(os.environ.get("GALSMITH_FUZZ_SECONDS", "20"))
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{name}.json"
    state = json.loads(page.read_text()) if page.exists() else {"next": 0, "faults": []}
    ends = 0
    for said in blocks_of(name, state["next"], seconds, folder / f"{name}.case"):
        if "ended" in said:  # somewhere in the block: the case lies in the folder
            kept = folder / f"{name}.{state['next']}"
            (folder / f"{name}.case").rename(kept)
            state["faults"].append([state["next"], said["ended"]])
            ends += 1
            continue
        state = {"next": said["next"], "faults": [*state["faults"], *said["faults"]]}
        page.write_text(json.dumps(state))
    page.write_text(json.dumps({**state, "next": state["next"] + 20 * ends}))
    assert state["faults"] == []
