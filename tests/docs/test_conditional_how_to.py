"""The how-to on conditional sampling: its code runs (on less), and its commands are commands."""

import re
import shlex
from pathlib import Path

import pytest

from galsmith.cli.app import build_app

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
RANGES, ROWS = "conditional-sampling", "draw-for-my-catalog"
SMALL_MODEL = '"training.sample_grids=0", "model.channels=[8]", "model.sampler_steps=4"'
LESS = {
    "n=4000": "n=120",
    "minutes=6": "images=128",
    "n=200": "n=20",
    "overrides=conditions": f"overrides=[*conditions, {SMALL_MODEL}]",
}


def blocks(page, language):
    text = (HOW_TO / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def run_block(page, less):
    """Run a page's Python on less, and give the names that it leaves."""
    (code,) = blocks(page, "python")
    for text, fewer in less.items():
        assert text in code
        code = code.replace(text, fewer)
    names = {}
    exec(compile(code, page, "exec"), names)
    return names


@pytest.mark.slow
def test_the_code_runs_and_what_is_asked_is_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = run_block(RANGES, LESS)
    radius = names["large"].catalog["r_eff_arcsec"].to_value("arcsec")
    assert len(radius) == 20
    assert radius.min() >= 3.5
    assert radius.max() <= 4.0
    assert "arcsec" in capsys.readouterr().out


@pytest.mark.slow
def test_the_code_draws_a_galaxy_a_row(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    drawn = run_block(ROWS, {name: LESS[name] for name in LESS if name != "n=200"})["drawn"]
    assert len(drawn) == 20
    assert "r_eff_arcsec" in capsys.readouterr().out


@pytest.mark.parametrize(("page", "flag", "least"), [(RANGES, "--where", 3), (ROWS, "--catalog", 2)])
def test_the_commands_are_commands(page, flag, least):
    text = [line for block in blocks(page, "console") for line in block.splitlines()]
    lines = [line for line in text if not line.startswith("#")]
    assert sum(flag in line for line in lines) >= least
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "galsmith"
        build_app().parse_args(words, print_error=False, exit_on_error=False)
