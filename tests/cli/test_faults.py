"""Every fault is one line with the way out, and an exit code."""

import errno
import json
import os
import re
import signal
import threading
import time
from concurrent.futures.process import BrokenProcessPool

import pytest

from galsmith.cli import command, main
from galsmith.cli.faults import explain
from galsmith.errors import InputError, InterruptedRunError, OutputExistsError, SettingsError

FLAG = re.compile(r"--[a-z]+")
FAULTS = [
    (SettingsError("sample-size is 0"), 2, "sample-size is 0"),
    (OutputExistsError("x: already exists"), 2, "already exists"),
    (InputError("a.fits: cut short\nsecond line"), 1, "cut short second line"),
    (InterruptedRunError("saved; run again"), 130, "saved; run again"),
    (
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "big.h5"),
        1,
        "big.h5: No space left on device; free some",
    ),
    (
        FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "gone"),
        1,
        "gone: No such file or directory",
    ),
    (MemoryError("Unable to allocate 7 GiB"), 1, "out of memory"),
    (RuntimeError("CUDA out of memory. Tried to allocate"), 1, "out of memory"),
    (BrokenProcessPool("a child ended"), 1, "fewer --workers"),
    (ModuleNotFoundError("No module named 'torch'", name="torch"), 1, "pip install 'galsmith[train]'"),
    (ModuleNotFoundError("No module named 'statmorph'", name="statmorph"), 1, "galsmith[statmorph]"),
    (ValueError("images have 2 sizes"), 1, "images have 2 sizes"),
    (KeyError("surprise"), 1, "run again with --debug"),
]


@pytest.mark.parametrize(("error", "exit_code", "said"), FAULTS, ids=lambda value: type(value).__name__)
def test_each_fault_is_one_line_and_an_exit_code(error, exit_code, said):
    message, code = explain(error, resumes=False)
    assert said in message
    assert "\n" not in message
    assert code == exit_code


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("measure", "use fewer --workers"),
        ("train", "use a smaller batch (--set training.batch_size=...)"),
        ("ingest fits", "use fewer --workers or smaller images (--crop, --resize)"),
        ("info", "close other programs"),
    ],
)
def test_want_of_memory_names_only_flags_that_the_verb_has(verb, said):
    message, _ = explain(MemoryError("Unable to allocate 7 GiB"), resumes=False, verb=verb)
    assert said in message
    for flag in {"--workers", "--crop", "--resize", "--set"} - set(FLAG.findall(said)):
        assert flag not in message


def test_a_full_disk_names_the_flag_only_where_there_is_one():
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "big.h5")
    assert "-o" in explain(error, resumes=False, verb="measure")[0]
    assert "-o" not in explain(error, resumes=False, verb="info")[0]


def test_an_interrupted_verb_that_resumes_says_how_to_go_on():
    assert explain(KeyboardInterrupt(), resumes=True)[0].endswith("run the same command again to go on")
    assert "nothing was written" in explain(KeyboardInterrupt(), resumes=False)[0]
    assert explain(KeyboardInterrupt(), resumes=True)[1] == 130


def raise_instead(monkeypatch, error):
    def fail(thing):
        raise error

    monkeypatch.setattr("galsmith.cli.describe.describe", fail)


def test_an_unforeseen_fault_shows_no_traceback(monkeypatch, capsys):
    raise_instead(monkeypatch, ZeroDivisionError("a surprise"))
    assert main(["info", "sersic"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_debug_shows_the_traceback(monkeypatch, capsys):
    raise_instead(monkeypatch, ZeroDivisionError("a surprise"))
    assert main(["info", "sersic", "--debug"]) == 1
    printed = capsys.readouterr().err
    assert "Traceback" in printed
    assert printed.splitlines()[-1].startswith("galsmith: ZeroDivisionError: a surprise")


def test_a_fault_with_json_gives_one_line_of_json(monkeypatch, capsys):
    raise_instead(monkeypatch, KeyboardInterrupt())
    assert main(["info", "sersic", "--json"]) == 130
    line = json.loads(capsys.readouterr().out)
    assert line["exit_code"] == 130
    assert "interrupted" in line["error"]


def test_a_request_to_terminate_ends_as_an_interrupt(monkeypatch, capsys):
    before = signal.getsignal(signal.SIGTERM)

    def wait_for_the_signal(thing):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    monkeypatch.setattr("galsmith.cli.describe.describe", wait_for_the_signal)
    assert main(["info", "sersic"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_signals_are_left_alone(capsys):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(command.run(["info", "sersic"])))
    thread.start()
    thread.join()
    assert codes == [0]


def test_a_closed_pipe_is_no_fault(monkeypatch):
    raise_instead(monkeypatch, BrokenPipeError())
    monkeypatch.setattr(command, "_leave_closed_pipe", lambda: None)
    assert main(["info", "sersic"]) == 0
