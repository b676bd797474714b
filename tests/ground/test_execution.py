import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest

from galsmith.errors import SettingsError
from galsmith.execution import ProgressEvent, available_cores, ignore_progress, map_tasks


@pytest.fixture
def killing_module(tmp_path, monkeypatch):
    """A module that worker processes can import: it kills its process the first time it meets a marked task."""
    (tmp_path / "killing.py").write_text(
        "import os, signal, pathlib\n"
        "def run(task):\n"
        "    number, folder = task\n"
        "    file = pathlib.Path(folder) / f'{number}.runs'\n"
        "    runs = int(file.read_text()) + 1 if file.exists() else 1\n"
        "    file.write_text(str(runs))\n"
        "    if number == 2 and runs <= int((pathlib.Path(folder) / 'deaths').read_text()):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return number ** 2\n"
        "def threads(task):\n"
        "    return os.environ.get('OMP_NUM_THREADS'), signal.getsignal(signal.SIGINT) == signal.SIG_IGN\n"
        "def fail(task):\n"
        "    raise ValueError(f'task {task}')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import killing

    return killing


def test_one_worker_runs_here():
    assert dict(map_tasks(lambda task: (task, os.getpid()), [5, 6], workers=1)) == {
        0: (5, os.getpid()),
        1: (6, os.getpid()),
    }


def test_no_tasks_give_nothing():
    assert list(map_tasks(abs, [], workers=3)) == []


def test_more_workers_give_every_result_once():
    tasks = list(range(-20, 0))
    assert dict(map_tasks(abs, tasks, workers=2)) == {position: 20 - position for position in range(20)}


def test_a_lent_executor_is_used_and_not_shut_down():
    with ThreadPoolExecutor(2) as pool:
        results = dict(map_tasks(partial(pow, 2), [1, 2, 3], workers=1, executor=pool))
        assert results == {0: 2, 1: 4, 2: 8}
        assert pool.submit(methodcaller("upper"), "still alive").result() == "STILL ALIVE"


def test_a_killed_worker_is_replaced(killing_module, tmp_path):
    (tmp_path / "deaths").write_text("1")
    tasks = [(number, str(tmp_path)) for number in range(6)]
    results = dict(map_tasks(killing_module.run, tasks, workers=2))
    assert results == {number: number**2 for number in range(6)}
    assert (tmp_path / "2.runs").read_text() == "2"


def test_a_task_that_always_kills_its_worker_is_given_up(killing_module, tmp_path):
    (tmp_path / "deaths").write_text("99")
    tasks = [(number, str(tmp_path)) for number in range(4)]
    with pytest.raises(BrokenProcessPool):
        list(map_tasks(killing_module.run, tasks, workers=2))
    assert int((tmp_path / "2.runs").read_text()) == 3


def test_an_error_of_a_task_reaches_the_caller(killing_module):
    with pytest.raises(ValueError, match="task"):
        list(map_tasks(killing_module.fail, [1, 2], workers=2))


def test_workers_use_one_thread_and_leave_the_interrupt_key(killing_module, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a job in the background starts without
    try:
        assert dict(map_tasks(killing_module.threads, [1, 2], workers=2)) == {0: ("1", True), 1: ("1", True)}
        assert os.environ["OMP_NUM_THREADS"] == "7"
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


ABANDONING = """
import sys, time
from functools import partial
from galsmith.execution import map_tasks
import sleeping
if __name__ == "__main__":
    for _ in map_tasks(partial(sleeping.sleep, sys.argv[1]), [1, 2], workers=2):
        pass
"""
SLEEPING = """
import os, pathlib, time
def sleep(folder, task):
    (pathlib.Path(folder) / f"{os.getpid()}.worker").touch()
    time.sleep(60)
"""


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").exists() or " Z " not in Path(f"/proc/{pid}/stat").read_text()


def eventually(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_workers_end_with_a_killed_parent(tmp_path):
    (tmp_path / "sleeping.py").write_text(SLEEPING)
    (tmp_path / "abandoning.py").write_text(ABANDONING)
    parent = subprocess.Popen([sys.executable, str(tmp_path / "abandoning.py"), str(tmp_path)])
    try:
        assert eventually(lambda: len(list(tmp_path.glob("*.worker"))) == 2)
    finally:
        parent.kill()
        parent.wait()
    workers = [int(file.stem) for file in tmp_path.glob("*.worker")]
    assert eventually(lambda: not any(is_running(pid) for pid in workers), seconds=5.0)


@pytest.mark.parametrize("workers", [0, -1])
def test_no_workers_is_an_error(workers):
    with pytest.raises(SettingsError, match=f"`workers={workers}`: wanted 1 or more"):
        list(map_tasks(abs, [1], workers=workers))


def test_cores_are_counted_and_progress_may_be_ignored():
    assert available_cores() >= 1
    assert ignore_progress(ProgressEvent("testing", 1, None, "galaxies")) is None
