"""What ``galsmith info --verify`` says of folders and files that carry their own hashes."""

import pytest

from galsmith.cli.describe.verification import verified
from galsmith.errors import SettingsError
from galsmith.execution import ignore_progress
from galsmith.files import write_json
from galsmith.files.seal import BLANK, KEY, sealed


@pytest.fixture
def run(tmp_path):
    (tmp_path / "run" / "snapshot").mkdir(parents=True)
    write_json(tmp_path / "run" / "snapshot" / "snapshot.json", {"a": 1})
    (tmp_path / "run" / "settings.toml").write_bytes(sealed(f"a = 1\n# {KEY}: {BLANK}\n".encode()))
    (tmp_path / "run" / "log.jsonl").write_text("{}\n")
    return tmp_path / "run"


def test_all_files_of_a_folder_are_compared_and_those_without_are_named(run):
    found = verified(run, "run", progress=ignore_progress)
    assert (found.faults, found.unchecked) == ([], ["log.jsonl"])
    assert found.words == "all files that have one are as they were written; without: log.jsonl"


@pytest.mark.parametrize("name", ["settings.toml", "snapshot/snapshot.json"])
def test_a_changed_file_is_a_fault(run, name):
    text = (run / name).read_text()
    (run / name).write_text(text.replace("1", "2", 1))
    (fault,) = verified(run, "run", progress=ignore_progress).faults
    assert fault == f"{run / name}: was changed or damaged after it was written: its checksum does not fit"
    (run / name).write_text("a = 1")
    (fault,) = verified(run, "run", progress=ignore_progress).faults
    assert fault.startswith(f"{run / name}: has no checksum")


def test_what_has_no_checksums_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="a report has no checksums"):
        verified(tmp_path, "report", progress=ignore_progress)
