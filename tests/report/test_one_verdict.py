"""A card has one verdict: in Python, in its file, on the command line, on the page; a changed rule changes none of them."""

import json
from dataclasses import replace

import pytest

from galsmith.cli import main
from galsmith.compare import Rule, Verdict, read_card, verdict_of, write_card
from galsmith.compare.files import from_plain
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
    assert main([*words, "--overwrite"]) == 0
    line = capsys.readouterr().out.strip().splitlines()[-1]
    judgment = read_card(output).judgment()
    stored = json.loads(output.read_text(encoding="utf-8"))["judgments"][0]["verdict"]
    assert stored == said
    assert from_plain(Verdict, said) == judgment.verdict
    assert verdict_of(judgment.comparison) == judgment.verdict
    assert line.startswith(f"compare: {judgment.verdict.status}; ")
    page = parsed(write_report(output, tmp_path / "report").read_text(encoding="utf-8"))
    text = " ".join(" ".join(page.text).split())
    verdict = judgment.verdict
    assert f"{verdict.n_passed} / {verdict.n_counted}" in text
    assert f"{judgment.name} is {verdict.status}: " in text or f"{judgment.name} {verdict.status}s: " in text


def test_the_page_shows_the_stored_verdict_and_its_rule(one_band, tmp_path, parsed):
    """A card that was judged by another rule keeps its verdict: the page does not judge again."""
    card = read_card(one_band.comparison)
    kept = card.judgment()
    other = replace(
        kept.verdict, status="close", n_passed=kept.verdict.n_counted, rule=Rule(floors_within=70.0)
    )
    path = tmp_path / "other.json"
    write_card(replace(card, judgments=(replace(kept, verdict=other),)), path)
    text = " ".join(parsed(write_report(path, tmp_path / "report").read_text(encoding="utf-8")).text)
    assert kept.verdict.status != "close"
    assert "is close: it can be told from the reference, but nothing fails" in text
    assert "more than 70 floors" in text
    assert f"{other.n_counted} / {other.n_counted}" in " ".join(text.split())
