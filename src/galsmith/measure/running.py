"""Running the chunks of a measurement on threads or processes, with progress; what is done is kept."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import TypeVar

from galsmith.errors import InterruptedRunError
from galsmith.execution import ProgressCallback, ProgressEvent, map_tasks
from galsmith.measure.chunks import PartialTable
from galsmith.measure.compiled_engine import load_kernels
from galsmith.measure.settings import MeasureSettings

Task = TypeVar("Task")


def is_compiled(engine: str, settings: MeasureSettings) -> bool:
    """Whether kernels do the work, which want threads; anything else wants processes."""
    return engine == "galsmith" and "morphology" in settings.quantities


def run_chunks(
    partial: PartialTable,
    measure: Callable[[Task], int],
    tasks: Sequence[Task],
    *,
    compiled: bool,
    workers: int,
    progress: ProgressCallback,
) -> None:
    """Measure the chunks that are left.

    Parameters
    ----------
    partial : PartialTable
        Where they go.
    measure : callable
        Measures one task, writes its file and returns how many galaxies it has; importable by name.
    tasks : sequence
        One a chunk.
    compiled : bool
        Whether to use threads.
    workers : int
        Threads or processes.
    progress : callable
        Told after each chunk.

    Raises
    ------
    InterruptedRunError
        If the user stopped it.
    """
    n_done = partial.n_done()
    if compiled and tasks:
        load_kernels(progress)
    progress(ProgressEvent("measuring", n_done, partial.n_images, "galaxies"))
    try:
        with _threads(workers if compiled else 1) as threads:
            for _, n_measured in map_tasks(measure, tasks, workers=workers, executor=threads):
                n_done += n_measured
                progress(ProgressEvent("measuring", n_done, partial.n_images, "galaxies"))
    except KeyboardInterrupt as error:
        raise InterruptedRunError(
            f"measuring stopped at {n_done} of {partial.n_images} galaxies; they are kept in {partial.folder}, "
            "and the same command goes on"
        ) from error


@contextlib.contextmanager
def _threads(workers: int) -> Iterator[Executor | None]:
    """Threads for kernels, which run without the interpreter's lock; what waits is dropped at an interruption."""
    if workers <= 1:
        yield None
        return
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
