"""A judgment claims what it makes before anything long starts, and replaces no set that it reads."""

from pathlib import Path

import pytest

from galsmith.errors import GalsmithError, OutputExistsError, SettingsError
from galsmith.files import Claim
from galsmith.judging import judge


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    folder = tmp_path / "card.measurements"
    folder.mkdir()
    (folder / "reference.parquet").write_bytes(b"a table of its own")
    return folder


def test_the_second_of_two_judgments_is_told_at_once_who_holds_the_card(tmp_path: Path, beside: Path) -> None:
    table = tmp_path / "nothing-is-read.parquet"
    with Claim(beside), pytest.raises(OutputExistsError, match="is being made by process"):
        judge(table, {"ours": table}, tmp_path / "card.json")
    with pytest.raises(GalsmithError) as error:  # let go: only now is the set looked for
        judge(table, {"ours": table}, tmp_path / "card.json")
    assert "is being made" not in str(error.value)
    assert not list(tmp_path.glob("*.partial"))


def test_a_set_beside_the_card_is_never_replaced(tmp_path: Path, beside: Path) -> None:
    table = beside / "reference.parquet"
    with pytest.raises(SettingsError, match="would be harmed"):
        judge(tmp_path / "store", {"ours": table}, tmp_path / "card.json", overwrite=True)
    assert table.read_bytes() == b"a table of its own"
    with pytest.raises(GalsmithError) as error:  # it may be read where nothing is replaced
        judge(table, {"ours": table}, tmp_path / "card.json")
    assert "would be harmed" not in str(error.value)


def test_the_claim_of_a_judgment_killed_after_its_last_step_goes(tmp_path: Path) -> None:
    claim = tmp_path / "card.measurements.partial"
    claim.mkdir()
    (claim / "lock").write_text("")
    (tmp_path / "card.json").write_text("{}")
    with pytest.raises(OutputExistsError, match="already exists"):
        judge(tmp_path / "a.parquet", {"ours": tmp_path / "b.parquet"}, tmp_path / "card.json")
    assert not claim.exists()
