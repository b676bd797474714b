"""One policy for every output: claimed, marked, resumed, refused, replaced, put in its place."""

import functools
import itertools
import json
import os
import shutil
import subprocess
import sys

import pytest

from galsmith.errors import OutputError, OutputExistsError
from galsmith.files import (
    Claim,
    Kind,
    Partial,
    check_output,
    read_json,
    read_mark,
    settle,
)


def made_from(page):
    said = read_json(page)
    return said["made_from"] if said["format"] == "galsmith-store" else None


STORE = Kind("store", made_from, "dataset.json", ("dataset.json", "images/part-*.h5"))
TEXT = Kind("text", lambda path: "" if path.read_text().startswith("galsmith") else None)


def make_store(folder, value="1", made_from="a"):
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "part-00000.h5").write_text(value)
    (folder / "dataset.json").write_text(json.dumps({"format": "galsmith-store", "made_from": made_from}))


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def make(output, value="1", *, made_from="a", overwrite=False):
    with Partial(output, STORE, made_from, overwrite=overwrite) as partial:
        if not partial.is_complete:
            shutil.rmtree(partial.content, ignore_errors=True)
            make_store(partial.content, value, made_from)
            partial.finish()
        return partial.is_complete


def test_a_folder_appears_whole_and_alone(tmp_path):
    layout = {"n_chunks": 3}
    with Partial(tmp_path / "new" / "set", STORE, "a", layout=layout) as partial:
        make_store(partial.content)
        assert names(tmp_path / "new") == ["set.partial"]
        assert read_mark(tmp_path / "new" / "set") == {"kind": "store", "fingerprint": "a", **layout}
        partial.finish()
    assert names(tmp_path / "new") == ["set"]
    assert names(tmp_path / "new" / "set") == ["dataset.json", "images"]


def test_a_file_appears_with_the_permissions_of_any_other(tmp_path):
    (tmp_path / "plain").touch()
    with Partial(tmp_path / "table.csv", TEXT, "") as partial:
        partial.content.write_text("all")
        partial.content.chmod(0o600)
        partial.finish()
    assert names(tmp_path) == ["plain", "table.csv"]
    assert (tmp_path / "table.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_same_call_goes_on_and_another_is_refused(tmp_path):
    with Partial(tmp_path / "set", STORE, "a") as partial:
        (partial.folder / "chunk").write_text("done")
    assert names(tmp_path / "set.partial") == ["chunk", "settings.json"]
    with pytest.raises(
        OutputExistsError, match=r"a partial store made by other settings or data lies in .*set\.partial"
    ):
        Partial(tmp_path / "set", STORE, "b")
    with pytest.raises(OutputExistsError, match="made by other settings"):
        Partial(tmp_path / "set", STORE, "a", layout={"n_chunks": 2})
    with Partial(tmp_path / "set", STORE, "a") as partial:
        assert (partial.folder / "chunk").read_text() == "done"
    with Partial(tmp_path / "set", STORE, "b", overwrite=True) as partial:
        assert not (partial.folder / "chunk").exists()
        partial.discard()
    assert names(tmp_path) == []


def test_half_written_files_of_a_killed_process_go(tmp_path):
    with Partial(tmp_path / "set", STORE, "a") as partial:
        partial.content.mkdir()
        (partial.content / ".part.h5.123.writing").write_text("half")
        (partial.folder / ".chunk.123.writing").write_text("half")
    with Partial(tmp_path / "set", STORE, "a") as partial:
        assert tree(partial.content) == {}
        assert names(partial.folder) == ["content", "lock", "settings.json"]


@pytest.mark.parametrize("left", ["nothing", "lock", "half a mark"])
def test_killed_before_its_mark_is_as_if_it_never_was(tmp_path, left):
    folder = tmp_path / "set.partial"
    folder.mkdir()
    if left == "lock":
        (folder / "lock").touch()
    if left == "half a mark":
        (folder / ".settings.json.9.writing").write_text('{"kind')
    make(tmp_path / "set")
    assert names(tmp_path) == ["set"]


def test_folders_without_files_are_nothing(tmp_path):
    (tmp_path / "set" / "images" / "deep").mkdir(parents=True)
    make(tmp_path / "set")
    assert names(tmp_path / "set") == ["dataset.json", "images"]
    assert names(tmp_path) == ["set"]


def test_what_the_same_call_made_is_there_already(tmp_path, caplog):
    make(tmp_path / "set", "first")
    before = tree(tmp_path)
    check_output(tmp_path / "set", STORE)
    assert make(tmp_path / "set", "second")
    assert tree(tmp_path) == before
    assert "set: is already there, made by the same settings" in caplog.text
    make(tmp_path / "set", "second", overwrite=True)
    assert (tmp_path / "set" / "images" / "part-00000.h5").read_text() == "second"


def test_the_rest_of_a_replacement_by_its_like_goes(tmp_path):
    make(tmp_path / "set")
    with Partial(tmp_path / "set", STORE, "a", overwrite=True) as partial:
        (partial.folder / "chunk").write_text("done")
    make(tmp_path / "set")
    assert names(tmp_path) == ["set"]


def test_what_does_not_say_what_it_was_made_from_is_there_for_nobody(tmp_path):
    with Partial(tmp_path / "text", TEXT, "") as partial:
        partial.content.write_text("galsmith")
        partial.finish()
    with pytest.raises(OutputExistsError, match="already exists"):
        check_output(tmp_path / "text", TEXT)
    with Partial(tmp_path / "text", TEXT, "a", overwrite=True) as partial:
        partial.content.write_text("galsmith again")
        partial.finish()
    assert (tmp_path / "text").read_text() == "galsmith again"


def test_what_is_there_is_refused(tmp_path):
    make(tmp_path / "set", made_from="b")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = tree(tmp_path)
    for name in ("set", "dangling"):
        with pytest.raises(
            OutputExistsError, match=f"{name}`: already exists; choose another `output`, or replace it"
        ):
            make(tmp_path / name)
    with pytest.raises(OutputExistsError, match="already exists"):
        check_output(tmp_path / "dangling", STORE)
    assert tree(tmp_path) == before


def test_what_cannot_be_written_is_refused_before_anything_starts(tmp_path):
    (tmp_path / "file").write_text("no folder")
    check_output(tmp_path / "new" / "folder" / "set", STORE)
    for place in ("set", "deeper/set"):
        with pytest.raises(OutputError, match=r"set: cannot be written .*; choose another `output`"):
            check_output(tmp_path / "file" / place, STORE)
    assert names(tmp_path) == ["file"]


def test_overwriting_replaces_when_the_new_is_complete(tmp_path):
    make(tmp_path / "set", "old")
    with Partial(tmp_path / "set", STORE, "a", overwrite=True) as partial:
        make_store(partial.content, "new")
        assert (tmp_path / "set" / "images" / "part-00000.h5").read_text() == "old"
        partial.finish()
    assert (tmp_path / "set" / "images" / "part-00000.h5").read_text() == "new"
    assert names(tmp_path) == ["set"]


def test_a_failed_overwrite_leaves_the_old(tmp_path):
    make(tmp_path / "set", "old")
    before = tree(tmp_path)

    def fail():
        with Partial(tmp_path / "set", STORE, "a", overwrite=True, resumes=False) as partial:
            make_store(partial.content, "new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert tree(tmp_path) == before


def foreign_folder(place):
    place.mkdir()
    (place / "thesis.tex").write_text("years of work")


def store_with_notes(place):
    make_store(place)
    (place / "notes.txt").write_text("mine")


def other_store(place):
    place.mkdir()
    (place / "dataset.json").write_text('{"format": "other"}')


def foreign_table(place):
    place.with_suffix(".csv").write_text("name,mag\n")


FOREIGN = [
    (foreign_folder, "", "made by galsmith"),
    (other_store, "", "made by galsmith"),
    (store_with_notes, "", r"a store, in which notes\.txt was not made with it"),
    (foreign_table, ".csv", "made by galsmith"),
]


@pytest.mark.parametrize(("prepare", "suffix", "message"), FOREIGN)
def test_overwriting_leaves_what_galsmith_did_not_make(tmp_path, prepare, suffix, message):
    prepare(tmp_path / "thing")
    before = tree(tmp_path)
    output = tmp_path / f"thing{suffix}"
    with pytest.raises(OutputExistsError, match=message):
        make(output, overwrite=True)
    with pytest.raises(OutputExistsError, match=message):
        check_output(output, STORE, overwrite=True)
    assert tree(tmp_path) == before


def test_a_store_into_which_files_came_while_its_successor_was_made_stays(tmp_path):
    make(tmp_path / "set")
    with Partial(tmp_path / "set", STORE, "a", overwrite=True) as partial:
        make_store(partial.content, "new")
        (tmp_path / "set" / "notes.txt").write_text("mine")
        with pytest.raises(OutputExistsError, match=r"notes\.txt was not made with it"):
            partial.finish()
    assert (tmp_path / "set" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("how", ["changed", "new"])
def test_what_came_after_a_killed_replacement_was_complete_stays(tmp_path, monkeypatch, how):
    output = tmp_path / "text"
    if how == "changed":
        output.write_text("galsmith")
    with monkeypatch.context() as killing, Partial(output, TEXT, "a", overwrite=True) as partial:
        killing.setattr("galsmith.files.partial._put_in_place", lambda output, folder: 1 / 0)
        partial.content.write_text("galsmith: new")
        with pytest.raises(ZeroDivisionError):
            partial.finish()
    output.write_text("mine")
    settle(output)
    with pytest.raises(OutputExistsError, match="changed after what is to replace it was complete"):
        Partial(output, TEXT, "a", overwrite=True)
    assert output.read_text() == "mine"
    output.unlink()
    settle(output)
    assert output.read_text() == "galsmith: new"
    assert names(tmp_path) == ["text"]


def test_a_link_is_replaced_and_what_it_leads_to_stays(tmp_path):
    make(tmp_path / "set", "old")
    (tmp_path / "link").symlink_to(tmp_path / "set")
    make(tmp_path / "link", "new", overwrite=True)
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "set" / "images" / "part-00000.h5").read_text() == "old"
    assert names(tmp_path) == ["link", "set"]


def test_a_folder_named_like_a_partial_output_is_left_alone(tmp_path):
    foreign_folder(tmp_path / "set.partial")
    (tmp_path / "table.partial").write_text("mine")
    before = tree(tmp_path)
    for name in ("set", "table"):
        with pytest.raises(OutputExistsError, match=rf"{name}\.partial: is in the way"):
            Partial(tmp_path / name, STORE, "a", overwrite=True)
    assert tree(tmp_path) == before


def test_only_one_makes_an_output_and_the_other_says_who(tmp_path):
    with Partial(tmp_path / "set", STORE, "a") as partial:
        before = tree(tmp_path)
        with pytest.raises(
            OutputExistsError, match=rf"set`: is being made by process {os.getpid()} on .+, since 2"
        ):
            Partial(tmp_path / "set", STORE, "a", overwrite=True)
        assert tree(tmp_path) == before
        make_store(partial.content)
        partial.finish()
    with pytest.raises(OutputExistsError, match="already exists"):
        Partial(tmp_path / "set", STORE, "b")
    assert names(tmp_path) == ["set"]


DYING = """
import os, sys
from galsmith.files import Claim
claim = Claim(sys.argv[1])
if os.fork() == 0:
    import time
    for stream in (1, 2):
        os.close(stream)
    time.sleep(3)
    os._exit(0)
print("claimed", flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_dead_process_loses_its_claim_even_where_its_child_lives(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", DYING, str(tmp_path / "set")], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "claimed\n"
    assert names(tmp_path / "set.partial") == ["lock"]
    with Claim(tmp_path / "set"):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("is_free", [False, True])
def test_without_locks_a_living_process_of_this_machine_is_believed(tmp_path, monkeypatch, is_free):
    import errno
    import fcntl
    import socket

    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    pid = 2**22 + 1 if is_free else os.getpid()  # beyond the largest number that Linux gives
    folder = tmp_path / "set.partial"
    folder.mkdir()
    (folder / "lock").write_text(json.dumps({"pid": pid, "host": socket.gethostname(), "since": "2026"}))
    if is_free:
        Claim(tmp_path / "set").release()
        assert names(tmp_path) == []
    else:
        with pytest.raises(OutputExistsError, match=f"is being made by process {pid}"):
            Claim(tmp_path / "set")


def killed_at(number, function):
    """Call a function in a child that dies at the n-th call that changes the file system; whether it died."""
    child = os.fork()
    if child == 0:
        calls = itertools.count(1)

        def counted(real):
            def call(*arguments, **options):
                if next(calls) == number:
                    os._exit(9)
                return real(*arguments, **options)

            return call

        for name in ("replace", "rename", "unlink", "rmdir", "fsync", "mkdir", "open"):
            setattr(os, name, counted(getattr(os, name)))
        try:
            function()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("has_old", [False, True])
def test_killed_at_any_step_and_repeated_it_is_complete(tmp_path, has_old):
    for number in itertools.count(1):
        output = tmp_path / str(number) / "set"
        if has_old:
            make(output, "old", made_from="b")
        if not killed_at(number, functools.partial(make, output, "new", overwrite=has_old)):
            break
        settle(output)  # as a reader does
        value = output / "images" / "part-00000.h5"
        assert value.exists() or not has_old
        assert not value.exists() or value.read_text() in ("old", "new")
        assert make(output, "new", overwrite=has_old)
        assert value.read_text() == "new"
        assert names(output.parent) == ["set"]
    assert number > 15


def test_a_reader_does_what_a_killed_writer_left_to_do(tmp_path):
    complete = 0
    for number in itertools.count(1):
        output = tmp_path / str(number) / "set"
        if not killed_at(number, functools.partial(make, output)):
            break
        if "complete" in (read_mark(output) or {}):
            complete += 1
            settle(output)
            assert names(output.parent) == ["set"]
            assert (output / "dataset.json").exists()
    assert complete > 3
    settle(tmp_path / "none")


def test_a_reader_leaves_alone_what_is_not_complete(tmp_path):
    with Partial(tmp_path / "set", STORE, "a") as partial:
        make_store(partial.content)
    settle(tmp_path / "set")
    assert names(tmp_path) == ["set.partial"]
