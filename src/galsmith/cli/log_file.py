"""What a command says on the terminal, appended line by line to a file, with the time and the task of a job array."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from galsmith.errors import OutputError

# variables by which batch systems name a task
TASK_VARIABLES = (
    "SLURM_JOB_ID",
    "SLURM_ARRAY_TASK_ID",
    "PBS_JOBID",
    "PBS_ARRAY_INDEX",
    "LSB_JOBID",
    "LSB_JOBINDEX",
)


class _Copied:
    """A stream whose whole lines are written to a log as well; a terminal's live bar is not."""

    def __init__(self, stream: TextIO, log: TextIO) -> None:
        self._stream, self._log, self._begun = stream, log, ""

    def write(self, text: str) -> int:
        """Write to both."""
        written = self._stream.write(text)
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            plain = line.rpartition("\r")[2]
            if plain and "\x1b" not in plain:
                self._log.write(f"{_now()} {plain}\n")
        if lines:
            self._log.flush()
        return written

    def __getattr__(self, name: str) -> Any:
        """Be the stream in all else."""
        return getattr(self._stream, name)


@contextmanager
def logged_to(file: Path | None, tokens: Sequence[str]) -> Iterator[None]:
    """Append to a file what a command says while the block runs, the command itself first; nothing where there is none.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    if file is None:
        yield
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        log = file.open("a", encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{file}: the log cannot be written ({error.strerror}); choose another file for `log`"
        ) from error
    with log:
        task = " ".join(f"{name}={os.environ[name]}" for name in TASK_VARIABLES if name in os.environ)
        log.write(f"{_now()} galsmith {' '.join(tokens)}{f' ({task})' if task else ''}\n")
        log.flush()
        before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = _Copied(before[0], log), _Copied(before[1], log)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before


def _now() -> str:
    """Write the time with its zone, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
