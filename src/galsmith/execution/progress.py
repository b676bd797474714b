"""What long work tells of itself while it runs, and on how many cores it may."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field


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


class _ListenerError(BaseException):
    """Carries what a progress callback raised out of a chunk, past all that tries chunks again."""

    def __init__(self, raised: Exception) -> None:
        super().__init__(str(raised))
        self.raised = raised


@contextlib.contextmanager
def listening(progress: ProgressCallback) -> Iterator[ProgressCallback]:
    """Give a callback for chunks: what it raises ends the run as it is, as no chunk is to blame and none is tried again."""

    def told(event: ProgressEvent) -> None:
        try:
            progress(event)
        except Exception as error:
            raise _ListenerError(error) from error

    try:
        yield told
    except _ListenerError as stopped:
        raise stopped.raised from None


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep linear algebra and OpenMP to one thread inside: the threads of small work spin on all cores for nothing."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
