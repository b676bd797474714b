"""The how-to on judging: its code runs, passes held-out galaxies and fails blurred ones."""

import re
from pathlib import Path

import pytest

from galsmith.compare import read_card

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "judge-only.md"


@pytest.mark.slow
def test_a_generator_that_repeats_the_truth_passes_and_one_that_blurs_it_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    exec(compile(code, "judge-only how-to", "exec"), {"__name__": "example"})
    said = capsys.readouterr().out
    assert [line.partition(":")[0] for line in said.splitlines()] == ["perfect", "blurred"]
    passed, failed = (read_card(f"{name}.json").judgment() for name in ("perfect", "blurred"))
    assert passed.comparison.headline.in_floors < 3
    assert failed.comparison.headline.in_floors > 2 * passed.comparison.headline.in_floors
    assert all(item.p_family > 0.05 for item in passed.comparison.counted)
    assert any(item.p_family < 0.05 for item in failed.comparison.counted)
    assert failed.verdict.status == "told_apart"
