"""The page on contact sheets: its Python runs as it stands, and its commands are commands."""

import re
from pathlib import Path

from galsmith.cli.app import build_app

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "look.md"


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_python_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("python")
    exec(compile(code, str(PAGE), "exec"), {})
    assert "12 of 60" in capsys.readouterr().out
    assert (tmp_path / "sheet.png").is_file()


def test_the_commands_are_commands():
    lines = [line for block in blocks("console") for line in block.splitlines()]
    assert len(lines) > 5
    for line in lines:
        build_app().parse_args(line.removeprefix("galsmith "), print_error=False, exit_on_error=False)
