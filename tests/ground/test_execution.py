import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest

from galsmith.errors import EngineLostError, InputError, SetAsideError, SettingsError
from galsmith.execution import (
    Briefing,
    Engine,
    ProgressEvent,
    available_cores,
    ignore_progress,
    listening,
    map_tasks,
)


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
    found = {}
    with pytest.raises(SetAsideError, match=r"^1 of 4 could not be done \(chunk 2: its process was killed"):
        found.update(map_tasks(killing_module.run, tasks, workers=2))
    runs = int((tmp_path / "2.runs").read_text())
    assert runs == 4, "once beside others, where nobody knows whose fault it is, and three times alone"


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


class Flaky:
    """Fails for some tasks, each some times, before it gives them back."""

    def __init__(self, failures):
        self.failures, self.calls = dict(failures), []

    def __call__(self, task):
        self.calls.append(task)
        if self.failures.get(task, 0):
            self.failures[task] -= 1
            raise OSError(f"stale handle of {task}")
        return -task


def _collected(results, found):
    """Keep what came before an error."""
    for position, result in results:
        found[position] = result
    return found


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor])
def test_what_fails_comes_again_after_the_others(executor):
    flaky, pool = Flaky({2: 2}), None if executor is None else executor(1)
    assert dict(map_tasks(flaky, [1, 2, 3], workers=1, executor=pool)) == {0: -1, 1: -2, 2: -3}
    assert flaky.calls == [1, 2, 3, 2, 2]


def test_what_fails_again_and_again_is_set_aside_and_the_rest_is_done(caplog):
    flaky, found = Flaky({2: 9, 4: 9}), {}
    with pytest.raises(
        SetAsideError, match=r"^2 of 4 .*\(task 1: OSError: stale handle of 2; task 3"
    ) as caught:
        found.update(_collected(map_tasks(flaky, [1, 2, 3, 4], workers=1, name_of="task {}".format), found))
    assert found == {0: -1, 2: -3}
    assert caught.value.exit_code == 1
    assert "task 1 failed and is set aside" in caplog.text


def test_what_a_listener_raises_ends_the_run_as_it_is():
    heard = []

    def stop(event):
        heard.append(event.done)
        if event.done == 2:
            raise ZeroDivisionError("enough")

    def told_of(task, *, progress):
        progress(ProgressEvent("testing", task, 4, "tasks"))

    def run():
        with listening(stop) as told:
            list(map_tasks(partial(told_of, progress=told), [1, 2, 3, 4], workers=1))

    with pytest.raises(ZeroDivisionError, match="enough"):
        run()
    assert heard == [1, 2]


def test_a_fault_of_all_chunks_is_raised_as_it_is():
    flaky = Flaky(dict.fromkeys(range(9), 9))
    with pytest.raises(OSError, match="stale handle of 0"):
        list(map_tasks(flaky, range(9), workers=1))
    assert len(flaky.calls) == 3


def test_what_galsmith_refuses_is_not_tried_again():
    def refuse(task):
        if task == 2:
            raise InputError("image 2 is damaged")
        return task

    with pytest.raises(SetAsideError, match="image 2 is damaged"):
        list(map_tasks(refuse, [1, 2, 3], workers=1))
    with pytest.raises(InputError, match=r"^image 2 is damaged$"):
        list(map_tasks(refuse, [1, 2, 3], workers=1, at_once=(InputError,)))


def test_workers_of_another_version_are_refused_with_both(monkeypatch):
    versions = iter(["0.2.0", "0.1.0"])
    monkeypatch.setattr("galsmith.execution.visiting.metadata.version", lambda name: next(versions))
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.raises(SettingsError, match=r"galsmith 0.1.0, .* galsmith 0.2.0"),
    ):
        list(map_tasks(abs, [1], workers=1, executor=pool))


def test_an_executor_that_goes_away_is_one_error():
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(EngineLostError, match="the same command goes on"):
        list(map_tasks(abs, [1, 2], workers=1, executor=pool))


def test_a_briefing_is_read_only_where_it_is_the_one_that_is_meant(tmp_path):
    sent = pickle.dumps(Briefing.written({"n": 3}, tmp_path))
    assert pickle.loads(sent).value == {"n": 3}
    sent = pickle.dumps(Briefing.written({"n": 4}, tmp_path))
    (tmp_path / "briefing").write_bytes(pickle.dumps({"n": 5}))
    with pytest.raises(InputError, match="belongs to another run"):
        _ = pickle.loads(sent).value
    (tmp_path / "briefing").unlink()
    with pytest.raises(InputError, match="a worker cannot read it"):
        _ = pickle.loads(sent).value


def test_each_thread_has_a_value_of_its_own_and_reads_it_once(tmp_path):
    made = Briefing.written([3], tmp_path)
    assert made.value is made.value
    found = {}
    both = threading.Barrier(2)  # so that neither thread does the work of the other

    def keep(task):
        both.wait()
        found[threading.get_ident()] = [id(made.value), id(made.value)]
        return made.value

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(keep, range(2))) == [[3], [3]]
    assert all(first == second for first, second in found.values())
    assert len({id(made.value), *(first for first, _ in found.values())}) == 3
    kept = Briefing.kept([3])
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: kept.value is kept.value).result()


def test_what_cannot_be_sent_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(SettingsError, match="cannot be sent to another process"):
        Engine(2).brief(lambda: None, tmp_path)
    assert Engine(1).brief(len, tmp_path).value is len
    assert list(tmp_path.iterdir()) == []
