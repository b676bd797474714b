"""The tutorial's code runs from top to bottom."""

import re
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"


def code_blocks():
    return re.findall(
        r"^```python\n(.*?)^```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.mark.slow
def test_every_block_runs_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for number, block in enumerate(code_blocks(), start=1):
        exec(compile(block, f"tutorial block {number}", "exec"), names)
    assert (tmp_path / "report" / "index.html").stat().st_size > 100_000
    assert len(names["generated"]) == 48
    assert "furthest from its floor" in capsys.readouterr().out


def test_there_are_blocks_to_run():
    assert len(code_blocks()) >= 7
