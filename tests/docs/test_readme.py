"""The README's Python block runs (on less), and writes the card that the command line writes."""

import re
import shutil
from pathlib import Path

import pytest

from galsmith.cli import main

README = Path(__file__).resolve().parents[2] / "README.md"
SMALL_MODEL = '"model.width=64", "model.depth=2", "model.n_components=32", "training.sample_grids=0"'
LESS = {
    'n=2000, seed=1, recipe="sersic-64"': 'n=400, seed=1, recipe="sersic-32"',
    'n=500, seed=2, recipe="sersic-64"': 'n=60, seed=2, recipe="sersic-32"',
    "minutes=4": f"images=4000, overrides=[{SMALL_MODEL}]",
    "n=1000": "n=60",
    "limit=200": "limit=60",
}


@pytest.mark.slow
def test_the_block_and_the_command_line_write_one_card(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(
        r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    for text, less in LESS.items():
        assert text in code
        code = code.replace(text, less)
    exec(compile(code, "README", "exec"), {})
    assert Path("report/index.html").stat().st_size > 100_000
    card = Path("comparison.json").rename("by_python.json")
    shutil.rmtree("comparison.measurements")
    words = ["compare", "reference", "generated", "-o", "comparison.json", "--workers", "2", "--limit", "60"]
    assert main([*words, "--quiet"]) == 0
    assert Path("comparison.json").read_bytes() == card.read_bytes()
    Path("comparison.json").unlink()
    assert main([*words, "--seed", "1", "--quiet"]) == 0
    assert Path("comparison.json").read_bytes() != card.read_bytes()
