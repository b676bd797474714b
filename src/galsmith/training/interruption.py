"""Ctrl-C and a batch system's request to end, noted so that the step in progress can be finished first."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class InterruptNote:
    """Whether the run was asked to stop."""

    def __init__(self) -> None:
        self.is_asked = False


@contextlib.contextmanager
def interrupts_noted() -> Iterator[InterruptNote]:
    """Note SIGINT (Ctrl-C) and SIGTERM instead of stopping at once; a second SIGINT does stop at once.

    Outside the main thread, where signals cannot be caught, nothing changes.
    """
    note = InterruptNote()
    if threading.current_thread() is not threading.main_thread():
        yield note
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if note.is_asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        note.is_asked = True

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield note
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
