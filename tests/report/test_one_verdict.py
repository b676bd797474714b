"""A card has one verdict: in Python, in its file, on the command line, on the page; a changed rule changes none of them."""

import json
from dataclasses import replace

import pytest

from galsmith.cli import main
from galsmith.compare import Rule, Verdict, read_card, verdict_of, write_card
from galsmith.compare.files import from_plain, to_plain
from galsmith.report import write_report

pytestmark = pytest.mark.usefixtures("without_figures")


@pytest.fixture(scope="module")
def compared(one_band, tmp_path_factory):
    """The card that the command line makes of two tables, and what it says in JSON and in words."""
    output = tmp_path_factory.mktemp("one_verdict") / "card.json"
    words = ["compare", *map(str, one_band.tables), "-o", str(output), "--no-beyond"]
    return words, output


def test_all_paths_state_the_same_record(compared, tmp_path, capsys, parsed):
    words, output = compared
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out.strip().splitlines()[-1])["numbers"]["verdict"]
    assert {"status", "by", "power"} <= set(said)
    assert main([*words, "--overwrite"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    judgment = read_card(output).judgment()
    stored = json.loads(output.read_text(encoding="utf-8"))["judgments"][0]["verdict"]
    assert stored == said
    # As plain values: an interval that is not there is NaN, which equals nothing.
    assert to_plain(from_plain(Verdict, said)) == said
    assert to_plain(verdict_of(judgment)) == said
    assert judgment.verdict.status == "told_apart"
    assert any(line.startswith("compare: told apart") for line in lines)
    page = parsed(write_report(output, tmp_path / "report").read_text(encoding="utf-8"))
    text = " ".join(" ".join(page.text).split())
    assert f"{judgment.name} is told apart from the reference" in text
    assert f"{judgment.verdict.n_told} of {judgment.verdict.n_tests} tests tell it apart" in text


def test_the_page_shows_the_stored_verdict_and_its_rule(one_band, tmp_path, parsed):
    """A card that was judged by another rule keeps its verdict: the page does not judge again."""
    card = read_card(one_band.comparison)
    kept = card.judgment()
    other = replace(kept.verdict, status="not_told_apart", by=(), rule=Rule(needed_shift_sd=0.7))
    path = tmp_path / "other.json"
    write_card(replace(card, judgments=(replace(kept, verdict=other),)), path)
    text = " ".join(parsed(write_report(path, tmp_path / "report").read_text(encoding="utf-8")).text)
    assert kept.verdict.status == "told_apart"
    assert "is not told apart from the reference" in text
    assert "a shift of 0.7 standard deviations" in text
