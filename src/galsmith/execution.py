"""Map a function over chunks of galaxies, in this process or on local processes, and report progress.

A task is one chunk that produces one part on disk; whoever builds the tasks leaves out those whose part
exists, which is how an interrupted run goes on. Any `concurrent.futures.Executor` will do as the engine.
"""

import contextlib
import ctypes
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import TypeVar

from galsmith.errors import SettingsError

Task = TypeVar("Task")
Result = TypeVar("Result")

RETRIES_AFTER_A_KILLED_WORKER = 2
PR_SET_PDEATHSIG = 1  # linux/prctl.h: the signal that a process gets when its parent ends
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


@dataclass(frozen=True)
class ProgressEvent:
    """How far a long piece of work is.

    Attributes
    ----------
    stage : str
        What is being done, such as ``"measuring"``.
    done, total : float
        Amount finished and wanted, in `unit`; `total` is None where it cannot be known.
    unit : str
        Such as ``"galaxies"``, ``"images"``, ``"s"``.
    fields : mapping of str to str
        More to show beside it, such as the loss.
    """

    stage: str
    done: float
    total: float | None
    unit: str
    fields: Mapping[str, str] = field(default_factory=dict)


ProgressCallback = Callable[[ProgressEvent], None]


def ignore_progress(event: ProgressEvent) -> None:
    """Take a progress event and show nothing: the default of every library call."""


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep linear algebra and OpenMP to one thread inside: the threads of small work spin on all cores for nothing."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


def map_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int,
    executor: Executor | None = None,
) -> Iterator[tuple[int, Result]]:
    """Call `function` on every task and give (position, result) as each one ends, in any order.

    Parameters
    ----------
    function : callable
        Importable by name when `workers` is above 1; may be run twice for one task if a worker is killed.
    tasks : sequence
        One item a chunk.
    workers : int
        1 runs in this process; more start that many local processes with one thread each.
    executor : concurrent.futures.Executor, optional
        Used instead of local processes, such as the one of a Dask client; it is not shut down.

    Raises
    ------
    SettingsError
        If `workers` is below 1.
    """
    if workers < 1:
        wanted = f"1 or more (this machine has {available_cores()} cores)"
        raise SettingsError(argument="workers", came=workers, wanted=wanted)
    if executor is not None:
        yield from _completed(executor, function, dict(enumerate(tasks)))
    elif workers == 1 or len(tasks) < 2:
        for position, task in enumerate(tasks):
            yield position, function(task)
    else:
        yield from _on_local_processes(function, tasks, min(workers, len(tasks)))


def _on_local_processes(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int
) -> Iterator[tuple[int, Result]]:
    """Run on a pool; when a worker is killed, start a new pool for what is left."""
    left = dict(enumerate(tasks))
    for attempt in range(RETRIES_AFTER_A_KILLED_WORKER + 1):
        pool = _new_pool(workers)
        try:
            for position, result in _completed(pool, function, left):
                del left[position]
                yield position, result
        except BrokenProcessPool:
            if attempt == RETRIES_AFTER_A_KILLED_WORKER:
                raise
        finally:
            _stop(pool)
        if not left:
            return


def _completed(
    executor: Executor, function: Callable[[Task], Result], tasks: Mapping[int, Task]
) -> Iterator[tuple[int, Result]]:
    """Submit all tasks and give their results as they end."""
    futures: dict[Future[Result], int] = {
        executor.submit(function, task): position for position, task in tasks.items()
    }
    for future in as_completed(futures):
        yield futures[future], future.result()


def _new_pool(workers: int) -> ProcessPoolExecutor:
    """Start processes that leave Ctrl-C to their parent and use one thread each."""
    with _worker_surroundings():
        pool = ProcessPoolExecutor(
            workers, mp_context=multiprocessing.get_context("spawn"), initializer=_prepare_worker
        )
        for _ in range(workers):
            pool.submit(os.getpid)
    return pool


@contextlib.contextmanager
def _worker_surroundings() -> Iterator[None]:
    """Set what new processes inherit: one thread each, and an interrupt key that is ignored from the start."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    in_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main_thread else None
    try:
        yield
    finally:
        if in_main_thread:
            signal.signal(signal.SIGINT, handler)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _prepare_worker() -> None:
    """Leave the interrupt key to the parent process, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()


def _end_with_parent() -> None:
    """Let this worker end when its parent does, however that ends: Linux kills it, elsewhere a thread watches."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=_leave_after, args=(parent.sentinel,), daemon=True).start()
    if os.getppid() != parent.pid:  # it ended before it could be watched
        os._exit(1)


def _leave_after(sentinel: int) -> None:
    """Wait until the parent's end of a pipe is closed, and leave."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _stop(pool: ProcessPoolExecutor) -> None:
    """End a pool at once: tasks that wait are dropped and running workers are terminated."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
