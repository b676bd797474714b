"""``--log FILE`` keeps what a command says, line by line with the time, and what batch system's task it was."""

import re

import pytest

from galsmith.cli import main

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d "
WORDS = ["simulate", "sersic", "-n", "1", "--recipe", "sersic-32", "-o", "one"]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_said_is_kept_and_appended(place, monkeypatch, capsys):
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "7")
    assert main([*WORDS, "--log", "logs/task.log"]) == 0
    said = capsys.readouterr().out.splitlines()
    lines = (place / "logs" / "task.log").read_text(encoding="utf-8").splitlines()
    assert all(re.match(STAMP, line) for line in lines)
    plain = [re.sub(STAMP, "", line, count=1) for line in lines]
    assert plain[0] == f"galsmith {' '.join(WORDS)} --log logs/task.log (SLURM_ARRAY_TASK_ID=7)"
    assert [line for line in plain[1:] if line in said] == said
    assert main([*WORDS, "--seed", "5", "--log", "logs/task.log"]) == 2
    more = (place / "logs" / "task.log").read_text(encoding="utf-8").splitlines()
    assert more[: len(lines)] == lines
    assert "already exists" in more[-1]
    assert "already exists" in capsys.readouterr().err


def test_without_it_nothing_is_written(place):
    assert main([*WORDS, "--quiet"]) == 0
    assert [path.name for path in place.iterdir()] == ["one"]


def test_a_log_that_cannot_be_written_is_told_before_anything_is_made(place, capsys):
    (place / "file").write_text("", encoding="utf-8")
    assert main([*WORDS, "--log", "file/task.log"]) == 1
    assert "file/task.log: the log cannot be written" in capsys.readouterr().err
    assert not (place / "one").exists()
