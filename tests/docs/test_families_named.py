"""Every family, and every recipe that trains one, is named where a user must choose."""

from pathlib import Path

import pytest

from galsmith.cli import main
from galsmith.cli.train import families_text
from galsmith.models.families import FAMILIES, family_named, recipes_by_family
from galsmith.settings import read_recipe, recipe_names

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "choose-a-family.md"


def test_all_families_have_advice_and_a_recipe() -> None:
    assert all(len(listing.when_to_choose) > 20 for listing in FAMILIES.values())
    assert [family_named(name).name for name in FAMILIES] == list(FAMILIES)
    assert all(recipes_by_family().values())
    listed = sorted(name for names in recipes_by_family().values() for name in names)
    shipped = [name for name in recipe_names() if "model" in read_recipe(name)]
    of_their_own = [
        name for name, names in recipes_by_family().items() if names == [name] and name not in shipped
    ]
    assert listed == sorted(shipped + of_their_own)


def test_the_page_names_each_family_and_recipe() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert len(rows) == len(FAMILIES)
    for row, (family, recipes) in zip(rows, recipes_by_family().items(), strict=True):
        assert row.startswith(f"| `{family}` |")
        assert all(f"`{name}`" in row.split("|")[2] for name in recipes)


@pytest.mark.parametrize("columns", [80, 120])
def test_help_names_each_family_and_recipe_within_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["train", "--help"]) == 0
    said = capsys.readouterr().out
    assert families_text() in said
    assert max(len(line) for line in said.splitlines()) <= columns
    words = families_text().replace(",", " ").split()
    assert set(FAMILIES) <= set(words)
    assert {name for names in recipes_by_family().values() for name in names} <= set(words)
