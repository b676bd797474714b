"""`Briefing`: what all chunks of a run have in common, written once, read once by each thread that works on them.

A task is then a number: no pixels travel, and a catalog of a million rows is not sent with each of four thousand chunks.
The file lies in the folder of the unfinished output, is made anew by every run, and is opened only where its bytes
have the hash that came with the task, so that nothing else can be put in its place.
"""

import hashlib
import pickle
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from galsmith.errors import InputError
from galsmith.files import written_atomically

Value = TypeVar("Value")
BRIEFING_FILE = "briefing"
KEPT_AT_MOST = 2  # of the last runs; a worker of a cluster serves many


class _Kept(threading.local):
    """Values that one thread has read: sources and stores keep open files and places in them, which no two may share."""

    def __init__(self) -> None:
        self.values: OrderedDict[tuple[Path, str], Any] = OrderedDict()


_KEPT = _Kept()


@dataclass(frozen=True)
class Briefing(Generic[Value]):
    """A value that is at hand here and is read from a file elsewhere.

    Attributes
    ----------
    file : Path or None
        Where it lies; None where it never leaves this process.
    sha256 : str
        Of the file.
    """

    file: Path | None
    sha256: str
    _here: tuple[Value, ...]
    _thread: int = 0

    @classmethod
    def kept(cls, value: Value) -> "Briefing[Value]":
        """Keep a value in this process."""
        return cls(None, "", (value,))

    @classmethod
    def written(cls, value: Value, folder: Path) -> "Briefing[Value]":
        """Write a value into a folder that the other processes see; raises `TypeError` where it cannot be sent."""
        content = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
        file = folder / BRIEFING_FILE
        with written_atomically(file) as temporary:
            temporary.write_bytes(content)
        return cls(file, hashlib.sha256(content).hexdigest(), (value,), threading.get_ident())

    @property
    def value(self) -> Value:
        """The value; where it has a file, each thread has its own."""
        if self.file is None or (self._here and threading.get_ident() == self._thread):
            return self._here[0]
        key = self.file, self.sha256
        if key not in _KEPT.values:
            _KEPT.values[key] = _read(*key)
        while len(_KEPT.values) > KEPT_AT_MOST:
            _KEPT.values.popitem(last=False)
        return _KEPT.values[key]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the value behind where it lies in a file."""
        return {**vars(self), "_here": self._here if self.file is None else ()}


def _read(file: Path, sha256: str) -> Any:
    """Read a briefing, if it is the one that is meant."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"{file}: a worker cannot read it ({error.strerror}); wanted a folder that all workers see under the same "
            "name, and a run that goes on"
        ) from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{file}: belongs to another run, so it is not read; repeat the command")
    return pickle.loads(content)
