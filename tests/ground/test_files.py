import errno
import hashlib
import os

import pytest

from galsmith.errors import InputError, OutputError
from galsmith.files import (
    raise_if_unwritable,
    read_json,
    remove_temporaries,
    sha256_of_file,
    write_json,
    written_atomically,
)


def test_a_file_appears_whole(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with written_atomically(target) as temporary:
        temporary.write_text("all of it")
        assert not target.exists()
    assert target.read_text() == "all of it"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]


def fail_while_writing(target):
    with written_atomically(target) as temporary:
        temporary.write_text("half of it")
        raise KeyboardInterrupt


def test_a_failed_block_leaves_the_old_file(tmp_path):
    target = tmp_path / "file.txt"
    target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        fail_while_writing(target)
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot be written .* choose another `output`"):
        write_json(tmp_path / "file" / "page.json", {})


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk is full"),
        (
            RuntimeError("Can't write (errno = 28, error message = 'No space left on device')"),
            "the disk is full",
        ),
        (PermissionError(errno.EACCES, "denied"), "cannot be written"),
        (OSError(errno.EROFS, "read-only"), "cannot be written"),
    ],
)
def test_write_failures_become_one_line(tmp_path, error, message):
    with pytest.raises(OutputError, match=message) as caught:
        raise_if_unwritable(error, tmp_path / "set")
    assert str(tmp_path / "set") in str(caught.value)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "none"), RuntimeError("other"), ValueError("28")])
def test_other_failures_pass(tmp_path, error):
    raise_if_unwritable(error, tmp_path)


def test_json_goes_and_comes_back(tmp_path):
    write_json(tmp_path / "page.json", {"a": [1, 2.5, None, "ä"]})
    assert read_json(tmp_path / "page.json") == {"a": [1, 2.5, None, "ä"]}


def test_json_refuses_nan_and_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "page.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "not a JSON file"), (b"\xff\xfe", "not a JSON file"), (b"[1]", "holds a JSON list")],
)
def test_broken_json_is_named(tmp_path, content, message):
    (tmp_path / "page.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"page\.json: {message}"):
        read_json(tmp_path / "page.json")


def test_a_folder_is_no_json(tmp_path):
    with pytest.raises(InputError, match=r"a folder; wanted a JSON file that galsmith wrote"):
        read_json(tmp_path)


def test_missing_json_is_named(tmp_path):
    with pytest.raises(InputError, match=r"page\.json: there is no such file"):
        read_json(tmp_path / "page.json")


def test_the_hash_is_that_of_the_bytes(tmp_path):
    (tmp_path / "file").write_bytes(b"galaxies" * 100000)
    assert sha256_of_file(tmp_path / "file") == hashlib.sha256(b"galaxies" * 100000).hexdigest()


def test_a_stale_file_of_a_killed_process_is_no_obstacle(tmp_path):
    (tmp_path / f".file.{os.getpid()}.writing").write_text("half")
    with written_atomically(tmp_path / "file") as temporary:
        assert not temporary.exists()
        temporary.write_text("whole")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".other.1.writing").write_text("half")
    remove_temporaries(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "file"]


def test_a_file_that_a_library_made_private_is_as_readable_as_any_other(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    with written_atomically(tmp_path / "made") as temporary:
        temporary.write_bytes(b"weights")
        temporary.chmod(0o600)
    assert (tmp_path / "made").stat().st_mode == plain.stat().st_mode
