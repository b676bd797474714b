"""A pool of local processes that use one thread each, leave Ctrl-C to their parent and end when it does."""

import contextlib
import ctypes
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

PR_SET_PDEATHSIG = 1  # linux/prctl.h: the signal that a process gets when its parent ends
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


def new_pool(workers: int) -> ProcessPoolExecutor:
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


def stop(pool: ProcessPoolExecutor) -> None:
    """End a pool at once: tasks that wait are dropped and running workers are terminated."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
