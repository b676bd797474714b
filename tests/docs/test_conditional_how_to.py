"""The how-to on conditional sampling: its code runs (on less), and its commands are commands."""

import re
import shlex
from pathlib import Path

import pytest

from galsmith.cli.app import build_app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "conditional-sampling.md"
SMALL_MODEL = '"training.sample_grids=0", "model.channels=[8]", "model.sampler_steps=4"'
LESS = {
    "n=4000": "n=120",
    "minutes=6": "images=128",
    "n=200": "n=20",
    "overrides=conditions": f"overrides=[*conditions, {SMALL_MODEL}]",
}


def blocks(language):
    return re.findall(
        rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.mark.slow
def test_the_code_runs_and_what_is_asked_is_drawn(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    for text, less in LESS.items():
        assert text in code
        code = code.replace(text, less)
    names = {}
    exec(compile(code, "conditional how-to", "exec"), names)
    radius = names["large"].catalog["r_eff_arcsec"].to_value("arcsec")
    assert len(radius) == 20
    assert radius.min() >= 3.5
    assert radius.max() <= 4.0
    assert "arcsec" in capsys.readouterr().out


def test_the_commands_are_commands():
    lines = [line for block in blocks("console") for line in block.splitlines() if not line.startswith("#")]
    assert sum("--where" in line for line in lines) >= 3
    for line in lines:
        program, *words = shlex.split(line)
        assert program == "galsmith"
        build_app().parse_args(words, print_error=False, exit_on_error=False)
