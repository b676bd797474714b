"""Progress of long work on stderr: a live bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from galsmith.cli.outcome import duration_text
from galsmith.execution import ProgressEvent

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

QUIET_SECONDS = 2.0
SECONDS_BETWEEN_LINES = 15.0


class ProgressDisplay:
    """Shows progress events; work that ends within two seconds shows nothing.

    Parameters
    ----------
    stream : text file, optional
        Where to show it; stderr when left out. A terminal gets one live bar, anything else plain lines.
    clock : callable, optional
        Gives the time in seconds.
    """

    def __init__(self, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._started = clock()
        self._stage = ""
        self._stage_started, self._done_before = self._started, 0.0
        self._next_line = self._started + QUIET_SECONDS
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: ProgressEvent) -> None:
        """Show how far the work is."""
        now = self._clock()
        if event.stage != self._stage:
            self._begin_stage(event, now)
        if now - self._started < QUIET_SECONDS:
            return
        if self._stream.isatty():
            self._show_bar(event, now)
        elif now >= self._next_line:
            self._next_line = now + SECONDS_BETWEEN_LINES
            print(f"{event.stage}: {self._described(event, now)}", file=self._stream, flush=True)

    def _begin_stage(self, event: ProgressEvent, now: float) -> None:
        """Remember what an earlier run had done, so that the rate is that of this one."""
        self._stage, self._stage_started, self._done_before = event.stage, now, event.done

    def _show_bar(self, event: ProgressEvent, now: float) -> None:
        """Draw or move the live bar."""
        if self._bar is None:
            self._bar = _new_bar(self._stream)
            self._bar.start()
        words = {"described": self._described(event, now), "description": event.stage}
        if self._task is None:
            self._task = self._bar.add_task(event.stage, total=event.total, described=words["described"])
        self._bar.update(self._task, completed=event.done, total=event.total, **words)  # type: ignore[arg-type]

    def _described(self, event: ProgressEvent, now: float) -> str:
        """Amount, rate, remaining time and the event's own fields, in words."""
        words = [_amount(event)]
        elapsed, done = now - self._stage_started, event.done - self._done_before
        rate = done / elapsed if elapsed > 0 else 0.0
        if rate > 0 and event.unit != "s":
            words.append(f"{_rate_text(rate)} {event.unit}/s")
        if rate > 0 and event.total is not None:
            words.append(f"{duration_text(max(0.0, event.total - event.done) / rate)} left")
        words.extend(f"{name} {value}" for name, value in event.fields.items())
        return ", ".join(words)


def _amount(event: ProgressEvent) -> str:
    """How much is done, of how much."""
    if event.unit == "s":
        done = duration_text(event.done)
        return done if event.total is None else f"{done} of {duration_text(event.total)}"
    done = f"{event.done:,.0f}"
    return f"{done} {event.unit}" if event.total is None else f"{done}/{event.total:,.0f} {event.unit}"


def _rate_text(rate: float) -> str:
    """Write a rate with three digits and no exponent."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def _new_bar(stream: TextIO) -> "Progress":
    """Make a live bar that leaves nothing behind."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[described]}"),
        console=Console(file=stream),
        transient=True,
        refresh_per_second=4,
    )
