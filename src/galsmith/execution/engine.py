"""`Engine`: where chunks are worked on: in this process, on local processes, or on somebody's executor.

A task is one chunk that writes its own part on disk; whoever builds the tasks leaves out those whose part exists, which is
how an interrupted run goes on. Any `concurrent.futures.Executor` will do, such as that of a Dask client.
"""

import queue
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from pickle import PicklingError
from typing import Any, TypeVar

from galsmith.errors import EngineLostError, SettingsError
from galsmith.execution.briefing import Briefing
from galsmith.execution.processes import new_pool, stop
from galsmith.execution.progress import available_cores
from galsmith.execution.tally import FOR_ALL, Faults, KilledWorkerError, Tally
from galsmith.execution.visiting import Visiting

Task = TypeVar("Task")
Result = TypeVar("Result")
Value = TypeVar("Value")
Found = Iterator[tuple[int, Result]]

# Of each worker, one chunk under way and one that waits, so that none is idle and few are lost.
CHUNKS_A_WORKER = 2
GO_ON = "what is done is kept, and the same command goes on"


@dataclass(frozen=True)
class Engine:
    """Where the chunks of a verb are worked on.

    Attributes
    ----------
    workers : int
        Local processes; 1 is this one.
    executor : concurrent.futures.Executor or None
        Used in place of them; it is lent, and not shut down. Its workers see the same files under the same names.

    Raises
    ------
    SettingsError
        If `workers` is below 1.
    """

    workers: int = 1
    executor: Executor | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            wanted = f"1 or more (this machine has {available_cores()} cores)"
            raise SettingsError(argument="workers", came=self.workers, wanted=wanted)

    @property
    def is_here(self) -> bool:
        """Whether all is done in this process."""
        return self.workers == 1 and self.executor is None

    def brief(self, value: Value, folder: Path) -> Briefing[Value]:
        """Make a value known to all workers.

        Parameters
        ----------
        value : object
            What all chunks have in common: where things lie and how they are made.
        folder : Path
            Of the unfinished output, which workers see.

        Raises
        ------
        SettingsError
            If it cannot be sent to another process.
        """
        if self.is_here:
            return Briefing.kept(value)
        try:
            return Briefing.written(value, folder.absolute())
        except (TypeError, AttributeError, PicklingError) as error:
            raise SettingsError(
                f"what is to be worked on cannot be sent to another process ({error})",
                argument="workers" if self.executor is None else "executor",
                came=self.workers if self.executor is None else type(self.executor).__name__,
                way_out="use one worker, or objects of modules that other processes can import",
            ) from error

    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Sequence[Task],
        *,
        name_of: Callable[[int], str] | None = None,
        at_once: Faults = FOR_ALL,
    ) -> Found[Result]:
        """Do tasks as `map_tasks` does."""
        return map_tasks(
            function, tasks, workers=self.workers, executor=self.executor, name_of=name_of, at_once=at_once
        )


def map_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    workers: int,
    executor: Executor | None = None,
    name_of: Callable[[int], str] | None = None,
    at_once: Faults = FOR_ALL,
) -> Found[Result]:
    """Call `function` on every task and give (position, result) as each one ends, in any order.

    A task that fails is tried again, and then set aside while the others go on; what galsmith itself refuses is set aside
    without. Where nothing but failures is seen, and for faults of all tasks, the first error is raised at once.

    Parameters
    ----------
    function : callable
        Importable by name where the work is not done here; may be run twice for one task.
    tasks : sequence
        One item a chunk: numbers, names, paths.
    workers : int
        1 runs in this process; more start that many local processes with one thread each.
    executor : concurrent.futures.Executor, optional
        Used instead of local processes, such as the one of a Dask client; it is not shut down. Its workers have this
        version of galsmith, and work in this process's folder.
    name_of : callable, optional
        Names a task by its position, for whoever reads of its failure.
    at_once : tuple of exception types
        Faults that end everything.

    Raises
    ------
    SettingsError
        If `workers` is below 1, or a worker has another version of galsmith.
    SetAsideError
        At the end, if tasks were set aside.
    EngineLostError
        If the executor breaks or goes away.
    """
    engine = Engine(workers, executor)
    tally = Tally(len(tasks), name_of=name_of or _numbered, at_once=at_once)
    if executor is not None:
        yield from _lent(executor, Visiting.of(function), tasks, tally)
    elif engine.is_here or len(tasks) < 2:
        yield from _here(function, tasks, tally)
    else:
        yield from _local(function, tasks, min(workers, len(tasks)), tally)
    tally.finish()


def _numbered(position: int) -> str:
    """Name a task by its number."""
    return f"chunk {position}"


def _here(function: Callable[[Task], Result], tasks: Sequence[Task], tally: Tally) -> Found[Result]:
    """Do tasks in this process; one that failed comes again after the others."""
    waiting = deque(range(len(tasks)))
    while waiting:
        position = waiting.popleft()
        try:
            result = function(tasks[position])
        except Exception as error:
            if tally.is_tried_again(position, error):
                waiting.append(position)
            continue
        tally.count_done()
        yield position, result


def _lent(
    executor: Executor, function: Callable[[Task], Result], tasks: Sequence[Task], tally: Tally
) -> Found[Result]:
    """Submit all tasks and give their results as they end; what still waits at an interruption is dropped."""
    ended: queue.SimpleQueue[Future[Result]] = queue.SimpleQueue()
    under_way: dict[Future[Result], int] = {}
    waiting = deque(range(len(tasks)))
    try:
        while waiting or under_way:
            while waiting:
                position = waiting.popleft()
                future = _submitted(executor, function, tasks[position])
                under_way[future] = position
                future.add_done_callback(ended.put)
            future = ended.get()
            position = under_way.pop(future)
            error = _error_of(future)
            if error is None:
                tally.count_done()
                yield position, future.result()
            elif tally.is_tried_again(position, error):
                waiting.append(position)
    finally:
        for future in under_way:
            future.cancel()


def _submitted(executor: Executor, function: Callable[[Task], Result], task: Task) -> Future[Result]:
    """Hand a task over."""
    try:
        return executor.submit(function, task)
    except (RuntimeError, OSError) as error:
        raise _lost(error) from error


def _error_of(future: Future[Any]) -> Exception | None:
    """Say how a task failed; raises `EngineLostError` where it is not to blame."""
    try:
        error = future.exception()
    except CancelledError as cancelled:
        raise _lost(cancelled) from cancelled
    if isinstance(error, BrokenExecutor | CancelledError):
        raise _lost(error) from error
    if error is not None and not isinstance(error, Exception):
        raise error
    return error


def _lost(error: Exception) -> EngineLostError:
    """Say that an executor is no more."""
    said = " ".join(str(error).split()) or "whoever deals out their work has ended, or is no longer reached"
    return EngineLostError(f"the workers went away ({said}); {GO_ON} once there are some")


def _local(
    function: Callable[[Task], Result], tasks: Sequence[Task], workers: int, tally: Tally
) -> Found[Result]:
    """Do tasks on local processes; those under way when one is killed are then done one at a time, to find the culprit."""
    waiting = deque(range(len(tasks)))
    suspects: deque[int] = deque()
    while waiting or suspects:
        chosen, width = (suspects, 1) if suspects else (waiting, workers)
        pool = new_pool(min(width, len(chosen)))
        under_way: dict[Future[Result], int] = {}
        ahead = width if width == 1 else CHUNKS_A_WORKER * width
        try:
            while chosen or under_way:
                while chosen and len(under_way) < ahead:
                    under_way[pool.submit(function, tasks[chosen[0]])] = chosen[0]
                    chosen.popleft()
                yield from _ended(under_way, chosen, tally)
        except BrokenProcessPool:
            killed = sorted(under_way.values())
            if width == 1:
                killed = [place for place in killed if tally.is_tried_again(place, KilledWorkerError())]
            suspects.extend(killed)
        finally:
            stop(pool)


def _ended(under_way: dict[Future[Result], int], again: deque[int], tally: Tally) -> Found[Result]:
    """Wait for tasks on local processes; raises `BrokenProcessPool`, with the rest under way, where one was killed."""
    done, _ = wait(under_way, return_when=FIRST_COMPLETED)
    broken = {future for future in done if isinstance(future.exception(), BrokenProcessPool)}
    for future in done - broken:
        position, error = under_way.pop(future), future.exception()
        if error is None:
            tally.count_done()
            yield position, future.result()
        elif isinstance(error, Exception) and tally.is_tried_again(position, error):
            again.append(position)
    if broken:
        raise BrokenProcessPool("a process was killed")
