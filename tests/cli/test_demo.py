"""The demo from its first step to its page, on few galaxies, as `make demo` calls it: in a folder named like a recipe."""

import pytest

from galsmith.cli import main
from galsmith.cli.demo import plan
from galsmith.compare import read_card


@pytest.mark.slow
def test_a_demo_ends_with_its_page_and_a_second_one_finds_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, count in {
        "N_TRAINING": 300,
        "N_REFERENCE": 80,
        "N_GENERATED": 80,
        "MEASURE_SECONDS": 10.0,
    }.items():
        monkeypatch.setattr(plan, name, count)
    assert main(["demo", "-o", "demo", "--minutes", "0.05"]) == 0
    said = capsys.readouterr().out
    assert [f"[{step}/7]" in said for step in range(1, 8)] == [True] * 7
    judgment = read_card(tmp_path / "demo" / "comparison.json").judgment()
    assert (judgment.name, judgment.comparison.generated.n_measured) == ("generated", 80)
    assert (tmp_path / "demo" / "report" / "index.html").stat().st_size > 50_000
    left = {path: path.stat().st_mtime_ns for path in (tmp_path / "demo").rglob("*") if path.is_file()}
    assert not [path for path in left if "partial" in path.name or "writing" in path.name]
    assert main(["demo", "-o", "demo", "--minutes", "0.05"]) == 0
    assert {path: path.stat().st_mtime_ns for path in left} == left
